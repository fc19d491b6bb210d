"""
Ingest and the API's pulse while everybody else is slow at once: python -m benchmarks.edge --json.

The same load of single fixes in one run: alone, beside the crowd (`benchmarks.crowd`), alone again. As soon as its year
of stops is read, and its 200 plans are answered, that part of the crowd begins anew, so it is there all the time.
Beside the rates, how long `/health/live` took, asked ten times a second.
"""

import asyncio
import multiprocessing
import statistics
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from multiprocessing.synchronize import Event
from typing import Any
from uuid import UUID

import asyncpg
import httpx

from app.machine.api import FILES_BESIDE_CONNECTIONS, allow_files
from app.machine.tokens import make_token
from app.web.auth import Role
from benchmarks.crowd import APPLIES, HALF_SENT, IDLE, ORDER, apply_at_once, busy_week, silent, year_of_stops
from benchmarks.ingest import serving
from benchmarks.load import post
from benchmarks.world import World, engine_of, hire, parser, report, world


async def pulse(client: httpx.AsyncClient, took_s: list[float]) -> None:
    while True:
        began = time.perf_counter()
        answer = await client.get("/health/live")
        assert answer.json() == {"status": "ok"}
        took_s.append(time.perf_counter() - began)
        await asyncio.sleep(0.1)


async def crowd(url: str, token: str, courier_id: UUID, ready: Event, over: Event) -> Counter[str]:
    """The crowd, again and again until it is over; what it was answered."""
    done: Counter[str] = Counter()
    headers = {"Authorization": f"Bearer {token}"}
    async with silent(url, token), httpx.AsyncClient(base_url=url, headers=headers, timeout=120) as viewer:

        async def read() -> None:
            await year_of_stops(viewer, courier_id)
            done["years of stops"] += 1

        async def apply() -> None:
            done.update({f"apply {status}": n for status, n in (await apply_at_once(url, token)).items()})

        async def again(part: Callable[[], Awaitable[None]]) -> None:
            while True:
                try:
                    await part()
                except (httpx.HTTPError, OSError, RuntimeError) as exc:
                    done[f"failed: {exc!r}"] += 1

        tasks = [asyncio.create_task(again(part)) for part in (read, apply)]
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
    async with asyncpg.create_pool(servers.database_url, min_size=1, max_size=1) as pool:
        await busy_week(pool, phones[0].courier_id)
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=60) as client:
        # The first preview starts a process, which costs seconds of a core, and is no matter of a crowd.
        (await client.post("/v1/plans/preview", json={"add_orders": [ORDER]})).raise_for_status()
    await measure(arguments, url, phones)  # warm-up
    before = await measure(arguments, url, phones)
    spawn = multiprocessing.get_context("spawn")
    ready, over, answers = spawn.Event(), spawn.Event(), spawn.Queue()
    others = spawn.Process(target=be_crowd, args=(url, token, phones[0].courier_id, ready, over, answers))
    others.start()
    await asyncio.to_thread(ready.wait)
    beside = await measure(arguments, url, phones)
    over.set()
    done = await asyncio.to_thread(answers.get)
    others.join()
    after = await measure(arguments, url, phones)
    alone = statistics.mean(found["requests_per_s"] for found in (before, after))
    return {
        "alone": before,
        "beside a crowd": beside,
        "alone again": after,
        "crowd": dict(done),
        "beside / alone": {"ratio": round(beside["requests_per_s"] / alone, 2)},
    }


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
