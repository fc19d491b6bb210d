"""
Ingest and the API's pulse while everybody else is slow at once: python -m benchmarks.edge --json.

The same load of single fixes twice in one run: alone, and beside 3,000 connections that say nothing, 50 bodies that
stay half sent, a viewer who reads a year of stops page by page, and 200 clients who apply plans, all of them again and
again until the time is over. Beside both rates, how long `/health/live` took, asked ten times a second.
"""

import asyncio
import multiprocessing
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Event
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import numpy as np

from app.machine.api import FILES_BESIDE_CONNECTIONS, allow_files
from app.machine.tokens import make_token
from app.web.auth import Role
from benchmarks.ingest import serving
from benchmarks.load import post
from benchmarks.world import World, engine_of, hire, parser, report, world
from tracking.batch import PositionColumns
from tracking.history.history import History

IDLE, HALF_SENT, APPLIES = 3000, 50, 200
FIXES = 50_000
"""Of the last week, one every 12 s: what a page of stops folds."""
ORDER = {"pickup": {"lat": 41.15, "lon": -8.61}, "dropoff": {"lat": 41.16, "lon": -8.62}}


async def busy_week(servers: World, courier_id: UUID) -> None:
    """Somebody who went to and fro all week."""
    seconds = np.arange(FIXES) * 12.0
    at_us = np.rint((datetime.now(UTC).timestamp() - 60 - seconds[::-1]) * 1e6).astype("<i8")
    unknown = np.full(FIXES, np.nan)
    columns = PositionColumns.from_floats(
        courier_ids=(courier_id,),
        courier=[0] * FIXES,
        fixed_us=at_us,
        received_us=at_us,
        lat=41.15 + 0.02 * np.sin(seconds / 900),
        lon=np.full(FIXES, -8.61),
        speed_mps=unknown,
        course_deg=unknown,
        accuracy_m=np.full(FIXES, 5.0),
        altitude_m=unknown,
        battery_pct=unknown,
        mode=np.ones(FIXES, dtype="<i1"),
        marks=np.zeros(FIXES, dtype=np.int64),
    )
    async with asyncpg.create_pool(servers.database_url, min_size=1, max_size=1) as pool:
        await History(pool).insert_many(columns)


@asynccontextmanager
async def saying(url: str, n: int, words: bytes) -> AsyncIterator[None]:
    """Connections on which these words came, and nothing more."""
    address = httpx.URL(url)
    opened = [await asyncio.open_connection(address.host, address.port) for _ in range(n)]
    for _, writer in opened:
        writer.write(words)
    yield
    for _, writer in opened:
        writer.close()


async def read_stops(client: httpx.AsyncClient, courier_id: UUID, done: Counter[str]) -> None:
    """A year, page by page and week by week, from now backwards, and again."""
    while True:
        until = datetime.now(UTC)
        for _ in range(53):
            since = until - timedelta(days=7)
            wanted = {"from": since.isoformat(), "to": until.isoformat()}
            while wanted:
                answer = await client.get(f"/v1/couriers/{courier_id}/stops", params=wanted)
                done[f"stops {answer.status_code}"] += 1
                wanted = {"cursor": answer.json()["next"]} if answer.json().get("next") else {}
            until = since


async def apply_plans(client: httpx.AsyncClient, done: Counter[str]) -> None:
    while True:
        done[f"apply {(await client.post('/v1/plans/apply', json={'add_orders': [ORDER]})).status_code}"] += 1


async def pulse(client: httpx.AsyncClient, took_s: list[float]) -> None:
    while True:
        began = time.perf_counter()
        answer = await client.get("/health/live")
        assert answer.json() == {"status": "ok"}
        took_s.append(time.perf_counter() - began)
        await asyncio.sleep(0.1)


async def crowd(url: str, token: str, courier_id: UUID, ready: Event, over: Event) -> Counter[str]:
    """Everybody who is slow, until it is over; what they were answered."""
    head = f"POST /v1/positions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: 1000\r\n\r\n["
    headers = {"Authorization": f"Bearer {token}"}
    many = httpx.Limits(max_connections=APPLIES + 1)
    done: Counter[str] = Counter()
    async with (
        saying(url, IDLE, b""),
        saying(url, HALF_SENT, head.encode()),
        httpx.AsyncClient(base_url=url, headers=headers, timeout=120, limits=many) as client,
    ):
        busy = [read_stops(client, courier_id, done), *(apply_plans(client, done) for _ in range(APPLIES))]
        tasks = [asyncio.create_task(each) for each in busy]
        ready.set()
        await asyncio.to_thread(over.wait)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return done


def be_crowd(url: str, token: str, courier_id: UUID, ready: Event, over: Event, answers: Any) -> None:
    """In a process of its own: what it costs to be a crowd is not to be felt by who measures."""
    allow_files(IDLE + HALF_SENT + APPLIES + FILES_BESIDE_CONNECTIONS)
    answers.put(asyncio.run(crowd(url, token, courier_id, ready, over)))


async def measure(arguments: Any, url: str, phones: Any) -> dict[str, Any]:
    """The rate of ingest, and the pulse beside it."""
    took_s: list[float] = []
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        beating = asyncio.create_task(pulse(client, took_s))
        found = await asyncio.to_thread(
            post, url, phones, batch=1, connections=arguments.connections, seconds=arguments.seconds
        )
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)
    live_ms = {"live_p50_ms": statistics.median(took_s) * 1000, "live_max_ms": max(took_s) * 1000}
    return {**found, **{name: round(value, 1) for name, value in live_ms.items()}}


async def both(arguments: Any, servers: World, url: str, phones: Any) -> dict[str, Any]:
    token = await make_token(servers.database_url, Role.ADMIN, "edge")
    await busy_week(servers, phones[0].courier_id)
    await measure(arguments, url, phones)  # warm-up
    alone = await measure(arguments, url, phones)
    spawn = multiprocessing.get_context("spawn")
    ready, over, answers = spawn.Event(), spawn.Event(), spawn.Queue()
    others = spawn.Process(target=be_crowd, args=(url, token, phones[0].courier_id, ready, over, answers))
    others.start()
    await asyncio.to_thread(ready.wait)
    beside = await measure(arguments, url, phones)
    over.set()
    done = await asyncio.to_thread(answers.get)
    others.join()
    ratio = round(beside["requests_per_s"] / alone["requests_per_s"], 2)
    return {"alone": alone, "beside a crowd": beside, "crowd": dict(done), "beside / alone": {"ratio": ratio}}


def main() -> None:
    options = parser("edge", __doc__)
    options.add_argument("--couriers", type=int, default=500)
    options.add_argument("--connections", type=int, default=64)
    options.add_argument("--seconds", type=int, default=15)
    arguments = options.parse_args()
    with world() as servers, serving(servers, "app", "api") as url:
        phones = hire(servers, arguments.couriers)
        results = asyncio.run(both(arguments, servers, url, phones))
        report("edge", arguments, engine_of(servers), results)


if __name__ == "__main__":
    main()
