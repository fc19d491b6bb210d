"""Law: whatever everybody else does at that moment, the API says that it lives and goes on taking fixes."""

import asyncio
import resource
from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import numpy as np

from app.machine.api import FILES_BESIDE_CONNECTIONS, allow_files
from app.machine.tokens import make_token
from app.settings import Settings
from app.web.auth import Role
from app.wiring.resources import open_pool
from tests.acceptance.test_orders import MINIMAL
from tests.acceptance.test_slow_clients import api, connections, head
from tests.waiting import PATIENCE_S
from tracking.batch import PositionColumns
from tracking.history.history import History

IDLE, HALF_SENT, APPLIES = 3000, 50, 200
N_FIXES = 50_000
"""Of the last week, one every 12 s: what a page of stops folds."""


def idle_connections() -> int:
    """Three thousand, or as many as this machine lets one process have files for."""
    allow_files(IDLE + HALF_SENT + APPLIES + FILES_BESIDE_CONNECTIONS)
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return min(IDLE, files - HALF_SENT - APPLIES - FILES_BESIDE_CONNECTIONS)


async def a_busy_week(settings, courier_id):
    """Somebody who went to and fro all week."""
    seconds = np.arange(N_FIXES) * 12.0
    at_s = datetime.now(UTC).timestamp() - 60 - seconds[::-1]
    unknown = np.full(N_FIXES, np.nan)
    pool = await open_pool(settings)
    columns = PositionColumns.from_floats(
        courier_ids=(UUID(courier_id),),
        courier=[0] * N_FIXES,
        fixed_us=np.rint(at_s * 1e6).astype("<i8"),
        received_us=np.rint(at_s * 1e6).astype("<i8"),
        lat=41.15 + 0.02 * np.sin(seconds / 900),
        lon=np.full(N_FIXES, -8.61),
        speed_mps=unknown,
        course_deg=unknown,
        accuracy_m=np.full(N_FIXES, 5.0),
        altitude_m=unknown,
        battery_pct=unknown,
        mode=np.ones(N_FIXES, dtype="<i1"),
        marks=np.zeros(N_FIXES, dtype=np.int64),
    )
    await History(pool).insert_many(columns)
    await pool.close()


async def a_year_of_stops(client, courier_id):
    """Page by page and week by week, from now backwards; how many there were."""
    n, until = 0, datetime.now(UTC)
    for _ in range(53):
        since = until - timedelta(days=7)
        wanted = {"from": since.isoformat(), "to": until.isoformat()}
        while wanted:
            answer = await client.get(f"/v1/couriers/{courier_id}/stops", params=wanted)
            assert answer.status_code == 200, answer.text
            n += len(answer.json()["items"])
            wanted = {"cursor": answer.json()["next"]} if answer.json().get("next") else {}
        until = since
    return n


async def test_it_lives_and_takes_fixes_while_everybody_is_slow_at_once(
    database_url, redis_url, record_testsuite_property
):
    settings = Settings(database_url=database_url, redis_url=redis_url)
    token = await make_token(database_url, Role.ADMIN, "busy")
    n_idle = idle_connections()
    record_testsuite_property("idle connections", n_idle)
    with api(database_url, redis_url) as port:
        url, headers = f"http://127.0.0.1:{port}", {"Authorization": f"Bearer {token}"}
        many = httpx.Limits(max_connections=APPLIES)
        async with (
            httpx.AsyncClient(base_url=url, headers=headers, timeout=PATIENCE_S) as client,
            httpx.AsyncClient(base_url=url, headers=headers, timeout=PATIENCE_S, limits=many) as others,
            httpx.AsyncClient(base_url=url, headers=headers, timeout=PATIENCE_S) as viewer,
        ):
            courier = (await client.post("/v1/couriers", json={"name": "Ana", "mode": "car"})).json()["id"]
            await a_busy_week(settings, courier)
            previewed = (await client.post("/v1/plans/preview", json={"add_orders": [MINIMAL]})).json()
            wanted = {"add_orders": [MINIMAL], "basis": previewed["basis"]}
            half = head("POST", "/v1/positions", token, 1000) + b"["
            async with connections(port, n_idle), connections(port, HALF_SENT, half):
                stops = asyncio.create_task(a_year_of_stops(viewer, courier))
                applies = asyncio.gather(*(others.post("/v1/plans/apply", json=wanted) for _ in range(APPLIES)))
                n_taken = 0
                while not (stops.done() and applies.done()) or n_taken < 20:
                    assert (await client.get("/health/live")).json() == {"status": "ok"}
                    fix = {"courier_id": courier, "fixed_at": datetime.now(UTC).isoformat(), "lat": 41.1, "lon": -8.6}
                    taken = await client.post("/v1/positions", json=fix)
                    assert (taken.status_code, taken.json()) == (202, {"accepted": 1, "quarantined": []})
                    n_taken += 1
                assert await stops > 0
                statuses = Counter(answer.status_code for answer in await applies)
                assert statuses[200] == 1
                assert set(statuses) <= {200, 409, 503}
                assert (await client.get("/health/ready")).status_code == 200
