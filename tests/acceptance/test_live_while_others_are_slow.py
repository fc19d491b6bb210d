"""Law: whatever everybody else does at that moment, the API says that it lives and goes on taking fixes."""

import asyncio
import resource
from datetime import UTC, datetime
from uuid import UUID

import httpx

from app.machine.api import FILES_BESIDE_CONNECTIONS, allow_files
from app.machine.tokens import make_token
from app.settings import Settings
from app.web.auth import Role
from app.wiring.resources import open_pool
from benchmarks.crowd import APPLIES, HALF_SENT, IDLE, apply_at_once, busy_week, silent, year_of_stops
from tests.acceptance.test_slow_clients import api
from tests.waiting import PATIENCE_S


def idle_connections() -> int:
    """Three thousand, or as many as this machine lets one process have files for."""
    allow_files(IDLE + HALF_SENT + APPLIES + FILES_BESIDE_CONNECTIONS)
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return min(IDLE, files - HALF_SENT - APPLIES - FILES_BESIDE_CONNECTIONS)


async def test_it_lives_and_takes_fixes_while_everybody_is_slow_at_once(
    database_url, redis_url, record_testsuite_property
):
    token = await make_token(database_url, Role.ADMIN, "busy")
    n_idle = idle_connections()
    record_testsuite_property("idle connections", n_idle)
    with api(database_url, redis_url) as port:
        url = f"http://127.0.0.1:{port}"
        options = {"base_url": url, "headers": {"Authorization": f"Bearer {token}"}, "timeout": PATIENCE_S}
        async with (
            httpx.AsyncClient(**options) as client,
            httpx.AsyncClient(**options) as viewer,
        ):
            courier = (await client.post("/v1/couriers", json={"name": "Ana", "mode": "car"})).json()["id"]
            async with await open_pool(Settings(database_url=database_url, redis_url=redis_url)) as pool:
                await busy_week(pool, UUID(courier))
            async with silent(url, token, idle=n_idle):
                stops = asyncio.create_task(year_of_stops(viewer, courier))
                applies = asyncio.create_task(apply_at_once(url, token))
                n_taken = 0
                while not (stops.done() and applies.done()) or n_taken < 20:
                    assert (await client.get("/health/live")).json() == {"status": "ok"}
                    fix = {"courier_id": courier, "fixed_at": datetime.now(UTC).isoformat(), "lat": 41.1, "lon": -8.6}
                    taken = await client.post("/v1/positions", json=fix)
                    assert (taken.status_code, taken.json()) == (202, {"accepted": 1, "quarantined": []})
                    n_taken += 1
                assert await stops > 0
                statuses = await applies
                assert statuses[200] == 1
                assert set(statuses) <= {200, 409, 503}
                assert (await client.get("/health/ready")).status_code == 200
