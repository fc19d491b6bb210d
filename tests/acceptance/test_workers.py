"""Several API processes on one port: each serves some of the phones, and all of them tell the same."""

import asyncio
import random
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from redis.asyncio import Redis

from app.machine.tokens import make_token
from app.web.auth import Role
from tests.acceptance.test_metrics import workers_on
from tests.acceptance.test_slow_clients import api
from tests.waiting import PATIENCE_S, until
from tracking.log import HISTORY, PositionLog

CONNECTIONS, N_FIXES, WORKERS = 40, 120, 3
"""With so many connections no worker is left without one by chance: less than once in a million times."""


def held_by(pid, port):
    """How many open connections to the port a process holds."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inodes = {row[9] for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "01"}
    names = []
    for file in Path(f"/proc/{pid}/fd").iterdir():
        try:
            names.append(str(file.readlink()))
        except FileNotFoundError:  # closed meanwhile
            continue
    return sum(name.removeprefix("socket:[").removesuffix("]") in inodes for name in names)


async def all_serve(port):
    """Whether every worker takes connections: the last one to be up may come a while after the first."""
    opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CONNECTIONS)]
    workers = workers_on(port)
    shares = [held_by(pid, port) for pid in workers]
    for _, writer in opened:
        writer.close()
        await writer.wait_closed()
    return len(workers) == WORKERS and min(shares) > 0


async def test_phones_of_one_courier_are_served_by_all_workers_and_the_newest_fix_wins(database_url, redis_url):
    token = await make_token(database_url, Role.ADMIN, "many")
    began = datetime.now(UTC) - timedelta(seconds=N_FIXES)
    with api(database_url, redis_url, POSTRIDER_API_WORKERS=str(WORKERS)) as port:
        await until(lambda: all_serve(port))
        async with AsyncExitStack() as stack:
            clients = [
                await stack.enter_async_context(
                    httpx.AsyncClient(
                        base_url=f"http://127.0.0.1:{port}",
                        headers={"Authorization": f"Bearer {token}"},
                        limits=httpx.Limits(max_connections=1),
                        timeout=PATIENCE_S,
                    )
                )
                for _ in range(CONNECTIONS)
            ]
            hired = await clients[0].post("/v1/couriers", json={"name": "Anna", "mode": "car", "external_id": "anna-1"})
            courier_id = hired.json()["id"]

            async def send(number):
                client, at = clients[number % CONNECTIONS], began + timedelta(seconds=number)
                lat = 41.15 + number * 1e-5
                if number % 2:
                    body = {"courier_id": courier_id, "fixed_at": at.isoformat(), "lat": lat, "lon": -8.61}
                    answer = await client.post("/v1/positions", json=body)
                    assert answer.json() == {"accepted": 1, "quarantined": []}
                else:
                    query = {"id": "anna-1", "lat": lat, "lon": -8.61, "timestamp": at.isoformat()}
                    answer = await client.get("/ingest/osmand", params=query)
                    assert answer.status_code == 200

            numbers = list(range(N_FIXES))
            random.Random(1).shuffle(numbers)
            await asyncio.gather(*map(send, numbers))
            workers = workers_on(port)
            shares = [held_by(pid, port) for pid in workers]
            assert len(workers) == WORKERS
            assert sum(shares) == CONNECTIONS
            assert min(shares) > 0
            for client in clients:
                shown = (await client.get(f"/v1/couriers/{courier_id}/position")).json()
                assert shown["lat"] == pytest.approx(41.15 + (N_FIXES - 1) * 1e-5)
                where = {"lat": 41.15, "lon": -8.61}
                near = (await client.get("/v1/couriers/nearby", params=where)).json()["couriers"]
                assert [item["courier_id"] for item in near] == [courier_id]
    redis = Redis.from_url(redis_url)
    log = PositionLog(redis)
    await log.ensure_group(HISTORY, "default")
    entries = await log.read(HISTORY, "reader", "default", block_ms=0, count=10_000)
    assert sum(entry.n for entry in entries) == N_FIXES
    await redis.aclose()
