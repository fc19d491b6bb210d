import json
import logging

import pytest

from app import logs
from app.settings import Settings


@pytest.fixture
def postgres(own_postgres):
    return own_postgres()


@pytest.fixture
def redis_of_its_own(own_redis):
    return own_redis()


@pytest.fixture
def settings(postgres, redis_of_its_own):
    return Settings(database_url=postgres.url, redis_url=redis_of_its_own.url)


async def test_ready_tells_the_engine_and_what_is_down(admin, postgres, redis_of_its_own):
    ready = (await admin.get("/health/ready")).json()
    assert (ready["status"], ready["database"]["engine"]) == ("ok", "postgresql")

    postgres.kill()
    degraded = await admin.get("/health/ready")
    assert (degraded.status_code, degraded.json()["status"]) == (200, "degraded")
    asked = await admin.get("/v1/couriers")
    assert (asked.status_code, asked.json()["code"]) == (503, "unavailable")
    assert asked.headers["retry-after"]

    redis_of_its_own.kill()
    assert (await admin.get("/health/ready")).status_code == 503
    assert (await admin.get("/health/live")).status_code == 200

    postgres.start()
    redis_of_its_own.start()
    assert (await admin.get("/health/ready")).json()["status"] == "ok"
    assert (await admin.get("/v1/couriers")).status_code == 200


async def test_request_keeps_the_trace_id_it_came_with(admin):
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    answer = await admin.get("/nowhere", headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
    assert answer.status_code == 404
    assert answer.headers["x-trace-id"] == answer.json()["trace_id"] == trace


async def test_metrics_count_requests_by_route_template(admin):
    await admin.get("/v1/couriers")
    text = (await admin.get("/metrics")).text
    assert 'postrider_http_request_seconds_count{method="GET",route="/v1/couriers",status="200"}' in text


def test_log_line_is_json_with_the_trace_id(capsys):
    logs.configure("INFO", as_json=True)
    trace = logs.begin_trace(None)
    logging.getLogger("tracking.history.writer").info("stored", extra={"event": "stored", "n_fixes": 3})
    line = json.loads(capsys.readouterr().err)
    assert (line["message"], line["n_fixes"], line["trace_id"], line["level"]) == ("stored", 3, trace, "INFO")
