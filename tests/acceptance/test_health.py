import asyncio
import json
import logging
from urllib.parse import urlsplit

import asyncpg
import pytest
import redis

from app import logs, roles
from app.settings import Settings
from app.wiring.schema import Unfit


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


@pytest.fixture
async def database(postgres):
    connection = await asyncpg.connect(postgres.url)
    yield connection
    await connection.close()


async def ready_of(admin):
    answer = await admin.get("/health/ready")
    return answer.status_code, answer.json()["database"]["status"], answer.json()["redis"]["status"]


async def test_a_database_that_cannot_be_written_is_no_place_to_send_anybody(admin, database, postgres):
    name = urlsplit(postgres.url).path[1:]
    await database.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    await database.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE pid <> pg_backend_pid() AND datname = current_database()"
    )
    assert await ready_of(admin) == (503, "read_only", "ok")


@pytest.mark.parametrize(
    ("change", "standing"),
    [
        ("DELETE FROM schema_migrations WHERE version = (SELECT max(version) FROM schema_migrations)", "schema_behind"),
        ("DROP TABLE schema_migrations", "schema_behind"),
        ("INSERT INTO schema_migrations VALUES (9998, 'later', 'x', now(), 9998)", "schema_too_new"),
    ],
)
async def test_a_schema_that_does_not_fit_this_program_is_not_ready(admin, database, change, standing):
    assert await ready_of(admin) == (200, "ok", "ok")
    await database.execute(change)
    assert await ready_of(admin) == (503, standing, "ok")


async def test_a_later_programs_schema_is_ready(admin, database):
    later = "INSERT INTO schema_migrations SELECT max(version) + 1, 'later', 'x' FROM schema_migrations"
    await database.execute(later)
    assert await ready_of(admin) == (200, "ok", "ok")


async def test_a_redis_that_takes_no_writes_is_not_ready(admin, redis_of_its_own):
    with redis.Redis.from_url(redis_of_its_own.url) as client:
        client.execute_command("REPLICAOF", "127.0.0.1", "1")
        assert await ready_of(admin) == (503, "ok", "no_writes")
        client.execute_command("REPLICAOF", "NO", "ONE")
    assert await ready_of(admin) == (200, "ok", "ok")


@pytest.mark.parametrize("role", roles.ROLES)
async def test_a_role_refuses_a_schema_that_does_not_fit(settings, database, role):
    await database.execute("DELETE FROM schema_migrations WHERE version = 1")
    with pytest.raises(Unfit, match=r"the database lacks version 0001, it is at .*: run `postrider migrate`"):
        await roles.run(role, settings, asyncio.Event())


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
    assert (line["message"], line["log.level"], line["event.action"]) == ("stored", "info", "stored")
    assert (line["postrider.n_fixes"], line["trace.id"]) == (3, trace)
    assert line["@timestamp"].endswith("+00:00")
