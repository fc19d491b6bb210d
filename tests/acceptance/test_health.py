"""What an API says of itself and of its servers, and what it refuses to run on."""

import asyncio
import json
import logging
from urllib.parse import urlsplit

import asyncpg
import pytest

from app import logs, roles
from app.wiring.schema import Unfit
from tests.waiting import until


@pytest.fixture
async def database(settings):
    connection = await asyncpg.connect(settings.database_url)
    yield connection
    await connection.close()


async def ready_of(admin):
    answer = await admin.get("/health/ready")
    return answer.status_code, answer.json()["database"]["status"], answer.json()["redis"]["status"]


async def test_a_database_that_cannot_be_written_is_no_place_to_send_anybody(admin, database, settings):
    name = urlsplit(settings.database_url).path[1:]
    await database.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    await database.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE pid <> pg_backend_pid() AND datname = current_database()"
    )

    async def is_closed():
        # The first to ask may meet a connection that has just been ended.
        return await ready_of(admin) == (503, "read_only", "ok")

    await until(is_closed)


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


@pytest.mark.parametrize("role", roles.ROLES)
async def test_a_role_refuses_a_schema_that_does_not_fit(settings, database, role):
    await database.execute("DELETE FROM schema_migrations WHERE version = 1")
    with pytest.raises(Unfit, match=r"the database lacks version 0001, it is at .*: run `postrider migrate`"):
        await roles.run(role, settings, asyncio.Event())


async def test_a_session_of_the_database_says_whose_it_is(admin, database):
    await admin.get("/v1/couriers")
    asked = "SELECT DISTINCT application_name FROM pg_stat_activity WHERE datname = current_database()"
    assert "postrider api" in {row[0] for row in await database.fetch(asked)}


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
