"""
Fixes a second that the writer moves from the log into history: python -m benchmarks.writer --json.

The log is filled first, as ingest fills it (an entry per round trip), with 5,000 couriers on steady drives; then one
writer drains it: unpacking, marks by neighbours, H3 cells, one transaction a batch, acknowledgement. Beside it, two
limits: COPY of the same rows, made ready beforehand, into an empty table of the same columns, with the key and the
indexes of `positions` and without any. POSTRIDER_BENCH_DATABASE_URL measures another database, such as a native
TimescaleDB.
"""

import asyncio
import time
from typing import Any
from uuid import UUID

import asyncpg
import numpy as np
from redis.asyncio import Redis

from benchmarks.world import World, engine_of, parser, report, world
from tracking.batch import PositionColumns
from tracking.dead_letters import DeadLetters
from tracking.history.copying import COPY_COLUMNS, copy_binary
from tracking.history.history import History
from tracking.history.rows import cells
from tracking.history.writer import Pace, Writer
from tracking.log import HISTORY, PositionLog, RegionKeys
from tracking.position import Region
from tracking.quarantine import QuarantineStore

REGION = Region("default")
FIX_S = 5


def drives(n_couriers: int, n_fixes: int, first: int, start_us: int, rng: np.random.Generator) -> PositionColumns:
    """`n_fixes` each of couriers number `first` and on, every FIX_S, in the order in which they would arrive."""
    turn = np.repeat(np.arange(n_fixes), n_couriers)
    who = np.tile(np.arange(n_couriers), n_fixes)
    n = len(turn)
    fixed_us = start_us + turn * FIX_S * 1_000_000 + who * 997
    return PositionColumns.from_floats(
        courier_ids=tuple(UUID(int=(first + i + 1) << 64 | 1) for i in range(n_couriers)),
        courier=who.astype("<i4"),
        fixed_us=fixed_us,
        received_us=fixed_us + 400_000,
        lat=41.15 + who * 1e-5 + turn * 3e-4,
        lon=-8.61 + who * 1e-5 + turn * 1e-4,
        speed_mps=rng.uniform(0, 14, n),
        course_deg=rng.uniform(0, 360, n),
        accuracy_m=rng.uniform(3, 15, n),
        altitude_m=rng.uniform(0, 120, n),
        battery_pct=rng.uniform(0, 100, n),
        mode=np.full(n, 3, dtype="<i1"),
        marks=np.zeros(n, dtype="<i1"),
    )


async def fill(redis: Redis, columns: PositionColumns, per_entry: int) -> None:
    keys = RegionKeys(REGION)
    total = int(await redis.get(keys.appended) or 0)
    for start in range(0, len(columns), per_entry):
        rows = columns.take(slice(start, start + per_entry))
        used, pointers = np.unique(rows.courier, return_inverse=True)
        entry = PositionColumns(
            **{
                name: getattr(rows, name)
                for name in PositionColumns.__slots__
                if name not in {"courier_ids", "courier"}
            },
            courier_ids=tuple(rows.courier_ids[i] for i in used),
            courier=pointers.astype("<i4"),
        )
        total += len(entry)
        fields = {"n": len(entry), "total": total, "fixes": entry.pack(), "quarantine": b"", "moved": b""}
        await redis.xadd(keys.log, fields)  # type: ignore[arg-type]  # bytes and numbers are what it takes
    await redis.set(keys.appended, total)


async def drain(world: World, n: int) -> float:
    """Seconds until everything in the log is stored and acknowledged."""
    pool = await asyncpg.create_pool(world.database_url, min_size=1, max_size=4)
    redis = Redis.from_url(world.redis_url)
    log = PositionLog(redis, keep_s=0)

    async def regions() -> list[Region]:
        return [REGION]

    stop = asyncio.Event()
    writer = Writer(log, History(pool), QuarantineStore(pool), DeadLetters(redis), regions, pace=Pace())
    before = await pool.fetchval("SELECT count(*) FROM positions")
    began = time.perf_counter()
    task = asyncio.create_task(writer.run(stop))
    while True:
        await asyncio.sleep(0.1)
        lags = await log.lag(REGION)
        if any(lag.group == HISTORY and lag.n_fixes == 0 for lag in lags):
            break
    took_s = time.perf_counter() - began
    stop.set()
    await task
    stored = await pool.fetchval("SELECT count(*) FROM positions") - before
    assert stored == n, (stored, n)
    pool.terminate()
    await redis.aclose()
    return took_s


class Source:
    """Bytes in pieces, as asyncpg reads them."""

    def __init__(self, data: bytes) -> None:
        self._pieces = iter(range(0, len(data), 1 << 18))
        self._data = data

    def __aiter__(self) -> "Source":
        return self

    async def __anext__(self) -> bytes:
        start = next(self._pieces, None)
        if start is None:
            raise StopAsyncIteration
        return self._data[start : start + (1 << 18)]


async def bare_copy(world: World, columns: PositionColumns, *, keyed: bool) -> float:
    """Seconds that PostgreSQL needs to COPY the same rows, 20,000 a statement, into an empty table."""
    connection = await asyncpg.connect(world.database_url)
    including = "INCLUDING ALL" if keyed else ""
    await connection.execute(f"CREATE TABLE bare (LIKE positions {including})")
    prepared = [
        copy_binary(rows, cells(rows))
        for start in range(0, len(columns), 20_000)
        for rows in [columns.take(slice(start, start + 20_000))]
    ]
    began = time.perf_counter()
    for data in prepared:
        await connection.copy_to_table("bare", source=Source(data), columns=COPY_COLUMNS, format="binary")
    took_s = time.perf_counter() - began
    await connection.execute("DROP TABLE bare")
    await connection.close()
    return took_s


def main() -> None:
    options = parser("writer", __doc__)
    options.add_argument("--couriers", type=int, default=5000)
    options.add_argument("--fixes", type=int, default=1_000_000)
    options.add_argument("--per-entry", type=int, default=250)
    options.add_argument("--rounds", type=int, default=3)
    arguments = options.parse_args()
    each = arguments.fixes // arguments.couriers
    rates: dict[str, list[float]] = {"writer": [], "copy with key": [], "copy without": []}
    with world() as servers:
        engines = engine_of(servers)
        now_us = int(time.time() * 1e6)
        for i in range(arguments.rounds):
            # The same couriers drive on: every round continues their tracks.
            start_us = now_us + (i - arguments.rounds) * each * FIX_S * 1_000_000
            columns = drives(arguments.couriers, each, 0, start_us, np.random.default_rng(i))

            async def one_round(columns: PositionColumns = columns) -> list[float]:
                redis = Redis.from_url(servers.redis_url)
                await fill(redis, columns, arguments.per_entry)
                await redis.aclose()
                return [
                    await drain(servers, len(columns)),
                    await bare_copy(servers, columns, keyed=True),
                    await bare_copy(servers, columns, keyed=False),
                ]

            for name, took_s in zip(rates, asyncio.run(one_round()), strict=True):
                rates[name].append(len(columns) / took_s)
    results: dict[str, Any] = {
        name: {"fixes_per_s": round(sorted(found)[len(found) // 2]), "spread": f"{min(found):.0f}-{max(found):.0f}"}
        for name, found in rates.items()
    }
    ratio = results["writer"]["fixes_per_s"] / results["copy with key"]["fixes_per_s"]
    results["writer / copy with key"] = {"ratio": round(ratio, 2)}
    report("writer", arguments, engines, results)


if __name__ == "__main__":
    main()
