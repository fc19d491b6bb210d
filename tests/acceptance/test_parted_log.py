"""kill -9 while a region's log changes its streams under load: what was accepted is stored, exactly that, and once."""

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path
from uuid import UUID

import asyncpg
import httpx
import pytest
from redis.asyncio import Redis

from app.machine.tokens import make_token
from app.web.auth import Role
from tests.acceptance.test_slow_clients import api
from tests.waiting import PATIENCE_S, until
from tracking.live import LivePositions
from tracking.log import HISTORY, WATCH, PositionLog
from tracking.parts import Layout, parts_of
from tracking.position import Region

ROOT = Path(__file__).parents[2]
CITY = Region("default")
N_COURIERS = 12


@pytest.fixture
def start(database_url, redis_url):
    """A role as a process."""
    started: list[subprocess.Popen] = []
    environ = {k: v for k, v in os.environ.items() if not k.startswith("POSTRIDER_")} | {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "POSTRIDER_LOG_KEEP_S": "1",
        "POSTRIDER_WATCH_LEASE_S": "2",
        "POSTRIDER_WATCH_TICK_S": "0.5",
        "POSTRIDER_WRITER_TAKEOVER_S": "2",
    }

    def run(role: str) -> subprocess.Popen:
        started.append(subprocess.Popen([sys.executable, "-m", "app", role], cwd=ROOT, env=environ))
        return started[-1]

    yield run
    for process in started:
        if process.poll() is None:
            process.terminate()
    for process in started:
        process.wait(PATIENCE_S)


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.wait()


class Phones:
    """Twelve, which send a fix each at a time, through several API processes in turn, until they are stopped."""

    def __init__(self, clients, ids):
        self.clients, self.ids = clients, ids
        self.accepted = Counter()
        self.last = None
        self.stop = asyncio.Event()

    async def send(self):
        at = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
        for number, client in enumerate(cycle(self.clients)):
            if self.stop.is_set():
                return
            at += timedelta(seconds=1)
            fixes = [
                {"courier_id": courier_id, "fixed_at": at.isoformat(), "lat": 41.15 + number * 1e-5, "lon": -8.61}
                for courier_id in self.ids
            ]
            while (answer := await client.post("/v1/positions", json=fixes)).status_code == 503:
                await asyncio.sleep(0.05)
            assert answer.json() == {"accepted": len(fixes), "quarantined": []}
            self.accepted.update((UUID(courier_id), at) for courier_id in self.ids)
            self.last = at


async def test_killed_while_the_streams_of_a_log_change_nothing_is_lost_or_stored_twice(database_url, redis_url, start):
    token = await make_token(database_url, Role.ADMIN, "parts")
    headers = {"Authorization": f"Bearer {token}"}
    redis, pool = Redis.from_url(redis_url), await asyncpg.create_pool(database_url, min_size=0)
    log = PositionLog(redis)
    writers, watchers = [start("writer"), start("writer")], [start("watch"), start("watch")]
    try:
        with api(database_url, redis_url) as one, api(database_url, redis_url) as another:
            clients = [
                httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=PATIENCE_S)
                for port in (one, another)
            ]
            hired = [
                (await clients[0].post("/v1/couriers", json={"name": "Anna", "mode": "car"})).json()["id"]
                for _ in range(N_COURIERS)
            ]
            phones = Phones(clients, hired)
            sending = asyncio.create_task(phones.send())

            async def all_read():
                lags = {lag.group: lag.n_fixes for lag in await log.lag(CITY)}
                return lags.get(HISTORY) == 0 and lags.get(WATCH) == 0

            async def set_streams(n):
                answer = await clients[1].patch("/v1/regions/default", json={"settings": {"tracking": {"streams": n}}})
                assert answer.status_code == 200
                assert answer.json()["settings"]["tracking"] == {"streams": n}

            def has(layout):
                async def has_it():
                    return await log.layout(CITY) == layout

                return has_it

            await until(lambda: len(phones.accepted) > 20 * N_COURIERS)
            for before, n in ((1, 4), (4, 2)):
                await set_streams(n)
                await until(has(Layout(n, before)))
                kill(writers.pop(0))
                kill(watchers.pop(0))
                writers.append(start("writer"))
                watchers.append(start("watch"))
                await until(has(Layout(n)))
            names = {part.name for part in parts_of(CITY, 2)}

            async def is_watched():
                rows = await pool.fetch(
                    "SELECT region FROM leases WHERE job = 'watch' AND expires_at > clock_timestamp()"
                )
                return {row["region"] for row in rows} == names

            await until(is_watched)
            phones.stop.set()
            await sending
            await until(all_read)
            rows = await pool.fetch("SELECT courier_id, fixed_at FROM positions")
            assert Counter((row["courier_id"], row["fixed_at"]) for row in rows) == phones.accepted
            live = await LivePositions(redis).all(CITY)
            assert {one.position.fix.fixed_at for one in live.values()} == {phones.last}
            assert len(live) == N_COURIERS
            assert await pool.fetchval("SELECT count(*) FROM quarantine") == 0
            for client in clients:
                await client.aclose()
    finally:
        await redis.aclose()
        await pool.close()
