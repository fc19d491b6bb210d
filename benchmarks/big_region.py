"""
Whether one writer and one watcher keep up with a region of 20,000 couriers: python -m benchmarks.big_region --json.

With `--streams N` its log is in N streams, and so many watchers share it (or `--watchers`).
A fix every five seconds of each courier, one an upload, which this process accepts by the API's own ingest (without
HTTP); beside it `postrider writer` and `postrider watch`, each a process, on the same machine as their servers. Told
are how old what they have not yet acknowledged is, twice a second, once the watcher has seen every courier; what part
of a core each takes; and whether what was accepted is all in history in the end.
"""

import asyncio
import os
import statistics
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from math import cos, sin
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import asyncpg
from redis.asyncio import Redis

from benchmarks.capacity_costs import family_s
from benchmarks.operations import Role
from benchmarks.world import World, engine_of, hire, parser, redis_s, report, world
from tracking.intake.ingest import Ingest
from tracking.intake.reading import Reading
from tracking.intake.screening import Receipt, Sender, Upload
from tracking.log import HISTORY, WATCH, Lag, PositionLog
from tracking.position import Region

REGION: Final = Region("default")
EVERY_S: Final = 5.0
TICK_S: Final = 0.02
MOST_WAITING: Final = 4000
"""Uploads that are not yet answered: a second of them. With more nothing new is sent."""
DRAINED_S: Final = 120.0


class Couriers:
    """On circles of some hundred metres, one after the other."""

    def __init__(self, ids: list[UUID]) -> None:
        self._ids = ids
        self._next = 0

    def upload(self) -> Upload:
        """The next fix of the next courier."""
        number, self._next = self._next % len(self._ids), self._next + 1
        now = datetime.now(UTC)
        turn = now.timestamp() / 60 + number
        fix = Reading(
            fixed_at=now,
            lat=41.15 + number // 150 * 1e-3 + 2e-3 * sin(turn),
            lon=-8.61 + number % 150 * 1e-3 + 2e-3 * cos(turn),
            accuracy_m=4.5,
            speed_mps=4.0,
        )
        return Upload(region=REGION, readings=(fix,), senders=(Sender(self._ids[number], REGION, 1),))


async def send(ingest: Ingest, couriers: Couriers, per_s: float, seconds: float, done: dict[str, int]) -> None:
    """At an even pace; what is due and cannot be sent is counted as `late`."""
    waiting: set[asyncio.Future[Receipt]] = set()
    began, n_due = time.monotonic(), 0
    while (since := time.monotonic() - began) < seconds:
        due, n_due = int(since * per_s) - n_due, int(since * per_s)
        room = max(0, MOST_WAITING - len(waiting))
        done["late"] += max(0, due - room)
        for _ in range(min(due, room)):
            answer = ingest.accept(couriers.upload())
            waiting.add(answer)
            answer.add_done_callback(waiting.discard)
        done["sent"] += min(due, room)
        await asyncio.sleep(TICK_S)
    await asyncio.gather(*waiting)


async def look(log: PositionLog, over: asyncio.Event, every_s: float = 0.5) -> list[dict[str, Lag]]:
    """How far the two are behind, until it is over."""
    found = []
    while not over.is_set():
        found.append({lag.group: lag for lag in await log.lag(REGION)})
        await asyncio.sleep(every_s)
    return found


async def part(there: World, redis: Redis, n: int) -> None:
    """Have the log in so many streams, as an administrator does it, and wait until it is."""
    connection = await asyncpg.connect(there.database_url)
    try:
        await connection.execute(
            "UPDATE regions SET settings = jsonb_set(settings, '{tracking}', jsonb_build_object('streams', $2::int))"
            " WHERE id = $1",
            REGION,
            n,
        )
    finally:
        await connection.close()
    log, ends_at = PositionLog(redis), time.monotonic() + DRAINED_S
    while (await log.layout(REGION)).n != n:
        if time.monotonic() > ends_at:
            raise SystemExit(f"the log was not in {n} streams within {DRAINED_S:.0f} s")
        await asyncio.sleep(0.2)


async def measure(there: World, settings: Any, made: Mapping[str, Role]) -> dict[str, Any]:
    """The rows of the report."""
    ids = [phone.courier_id for phone in await asyncio.to_thread(hire, there, settings.couriers, with_tokens=False)]
    couriers, per_s = Couriers(ids), settings.couriers / EVERY_S
    redis, over, done = Redis.from_url(there.redis_url), asyncio.Event(), {"sent": 0, "late": 0}
    log, ingest = PositionLog(redis), Ingest(redis)
    try:
        await part(there, redis, settings.streams)
        await send(ingest, couriers, per_s, settings.settle, done)
        before = {name: family_s(pid(role)) for name, role in made.items()} | {"this process": time.process_time()}
        redis_before, began = await redis_s(redis), time.monotonic()
        looking = asyncio.create_task(look(log, over))
        await send(ingest, couriers, per_s, settings.seconds, done)
        over.set()
        lags, took_s = await looking, time.monotonic() - began
        spent = {name: family_s(pid(role)) - before[name] for name, role in made.items()}
        spent |= {
            "this process": time.process_time() - before["this process"],
            "redis": await redis_s(redis) - redis_before,
        }
        stored = await drained(there, done["sent"])
    finally:
        await ingest.close()
        await redis.aclose()
    rows: dict[str, Any] = {
        "load": {
            "couriers": settings.couriers, "fixes_per_s": round((done["sent"]) / (settings.settle + settings.seconds)),
            "sent": done["sent"], "late": done["late"], "stored": stored,
        },
        "part of a core": {name: round(s / took_s, 2) for name, s in spent.items()},
        "memory, MB": {name: round(rss(role) / 1e6) for name, role in made.items()},
    }  # fmt: skip
    for group in (HISTORY, WATCH):
        ages = sorted(lag[group].seconds for lag in lags if group in lag)
        rows[f"{group}, seconds behind"] = {
            "p50": round(statistics.median(ages), 3),
            "p95": round(ages[int(0.95 * (len(ages) - 1))], 3),
            "max": round(ages[-1], 3),
        }
    return rows


async def drained(there: World, n: int) -> int:
    """How many fixes are in history when it has all, or after `DRAINED_S`."""
    connection = await asyncpg.connect(there.database_url)
    try:
        ends_at = time.monotonic() + DRAINED_S
        while True:
            stored = int(await connection.fetchval("SELECT count(*) FROM positions"))
            if stored >= n or time.monotonic() > ends_at:
                return stored
            await asyncio.sleep(1)
    finally:
        await connection.close()


def rss(role: Role) -> int:
    """Its memory, bytes."""
    return int(Path(f"/proc/{pid(role)}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def pid(role: Role) -> int:
    """Of a role that runs."""
    assert role.process is not None
    return role.process.pid


def main() -> None:
    """The command."""
    options = parser("big_region", __doc__)
    options.add_argument("--couriers", type=int, default=20_000)
    options.add_argument("--seconds", type=float, default=120.0)
    options.add_argument("--settle", type=float, default=30.0, help="seconds before it is measured")
    options.add_argument("--streams", type=int, default=1, help="of the region's log")
    options.add_argument("--watchers", type=int, default=0, help="processes; 0: one for each stream")
    settings = options.parse_args()
    with world() as there:
        environ = {key: value for key, value in os.environ.items() if not key.startswith("POSTRIDER_")} | {
            "DATABASE_URL": there.database_url,
            "REDIS_URL": there.redis_url,
            "POSTRIDER_LOG_LEVEL": "ERROR",
        }
        names = ["writer", *("watch" + "2" * k for k in range(settings.watchers or settings.streams))]
        made = {name: Role(name, environ) for name in names}
        try:
            for role in made.values():
                role.start()
            rows = asyncio.run(measure(there, settings, made))
        finally:
            for role in made.values():
                role.end()
        report("big_region", settings, engine_of(there), rows)


if __name__ == "__main__":
    main()
