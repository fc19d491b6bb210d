"""
Reading and keeping history: a courier's day, the fleet by the hour, bytes per fix: python -m benchmarks.history --json.

Runs on the embedded PostgreSQL, or on the empty database that POSTRIDER_BENCH_DATABASE_URL names: with a native
TimescaleDB also the continuous aggregates and the columnstore are measured. Beside each figure stands its limit on the
same server in the same run: the bare query, the plain table.
"""

import argparse
import asyncio
import csv
import gzip
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import numpy as np

from benchmarks.recorded import data_folder
from benchmarks.world import engine_of, parser, report, world
from tracking.batch import UNKNOWN_ALTITUDE, PositionColumns
from tracking.history.history import History
from tracking.history.tracks import Resolution

EVERY_US = 5_000_000
FIXES_OF_A_DAY = 17_280
DAY = timedelta(days=1)
AGGREGATES = ("positions_1m", "positions_1h", "speeds_1h")

PLAIN_HOURS = (
    "SELECT date_bin('1 hour', fixed_at, 'epoch') AS hour, avg(speed_cmps), count(*)"
    " FROM {table} WHERE marks = 0 GROUP BY 1"
)
BARE_DAY = "SELECT fixed_at, lat_e7, lon_e7 FROM positions WHERE courier_id = $1 AND fixed_at >= $2 AND fixed_at < $3"
MADE_HOURS = "SELECT bucket AS hour, sum(speeds_cmps) / sum(n_speeds), sum(n_fixes) FROM positions_1h GROUP BY 1"


@dataclass(frozen=True, slots=True)
class Bench:
    """A database under measurement."""

    pool: asyncpg.Pool
    history: History
    is_timescale: bool
    repeat: int


async def timed(call: Callable[[], Awaitable[object]]) -> float:
    """Seconds until it is done."""
    began = time.perf_counter()
    await call()
    return time.perf_counter() - began


def spread(times_s: list[float]) -> dict[str, float]:
    """The median and what 99 of 100 took at most, in milliseconds."""
    ms = np.array(times_s) * 1000
    return {"p50_ms": round(float(np.median(ms)), 2), "p99_ms": round(float(np.percentile(ms, 99)), 2)}


def fleet(n_fixes: int, n_couriers: int, seed: int, batch: int = 50_000) -> Iterator[PositionColumns]:
    """Couriers that ride about Porto, a fix each 5 s, in order of time, up to midnight today."""
    rng = np.random.default_rng(seed)
    ids = tuple(UUID(int=i + 1) for i in range(n_couriers))
    per_courier = n_fixes // n_couriers
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    start_us = int(midnight.timestamp()) * 1_000_000 - per_courier * EVERY_US
    lat = 411_500_000 + rng.integers(-400_000, 400_000, n_couriers)
    lon = -86_100_000 + rng.integers(-400_000, 400_000, n_couriers)
    heading = rng.uniform(0, 2 * np.pi, n_couriers)
    rounds = max(1, batch // n_couriers)
    for first in range(0, per_courier, rounds):
        n = min(rounds, per_courier - first)
        # Mostly riding at some 4 m/s, a third of the time standing; courses wander.
        speed = rng.normal(400, 120, (n_couriers, n)).clip(0) * (rng.random((n_couriers, n)) > 1 / 3)
        course = heading[:, None] + np.cumsum(rng.normal(0, 0.3, (n_couriers, n)), axis=1)
        heading = course[:, -1]
        lats = lat[:, None] + np.cumsum(speed * 5 * 0.9 * np.cos(course), axis=1)
        lons = lon[:, None] + np.cumsum(speed * 5 * 1.2 * np.sin(course), axis=1)
        lat, lon = lats[:, -1], lons[:, -1]
        fixed = start_us + (first + np.arange(n)) * EVERY_US
        shape = n_couriers * n
        yield PositionColumns(
            courier_ids=ids,
            courier=np.repeat(np.arange(n_couriers), n).astype("<i4"),
            fixed_us=np.tile(fixed, n_couriers).astype("<i8"),
            received_us=np.tile(fixed, n_couriers).astype("<i8") + rng.integers(0, 1_500_000, shape),
            lat_e7=lats.ravel().astype("<i4"),
            lon_e7=lons.ravel().astype("<i4"),
            speed_cmps=speed.ravel().astype("<i2"),
            course_ddeg=(np.degrees(course.ravel()) % 360 * 10).astype("<i2"),
            accuracy_dm=rng.integers(30, 200, shape).astype("<i2"),
            altitude_m=np.full(shape, UNKNOWN_ALTITUDE, dtype="<i2"),
            battery_pct=np.repeat((100 - (fixed - start_us) / 1e6 / 36_000 * 100) % 100, n_couriers).astype("<i2"),
            mode=np.full(shape, 3, dtype="<i1"),
            marks=np.zeros(shape, dtype="<i1"),
        )


def noisy_copies(folder: Path, n_copies: int, seed: int) -> Iterator[PositionColumns]:
    """
    Shifted copies of a real person's track, each a courier; speed, course and accuracy filled with noise over 0 to
    30 m/s, 0 to 360 degrees and 0 to 50 m, the worst case for compression. Times shifted to begin a hundred days ago.
    """
    rng = np.random.default_rng(seed)
    with gzip.open(folder / "gps" / "geolife_001.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    seconds = np.array([round(datetime.fromisoformat(row["datetime"]).replace(tzinfo=UTC).timestamp()) for row in rows])
    lat = np.array([float(row["lat"]) for row in rows])
    lon = np.array([float(row["lng"]) for row in rows])
    begin = int((datetime.now(UTC) - 100 * DAY).timestamp()) - seconds.min()
    n = len(rows)
    for copy in range(n_copies):
        fixed_us = (seconds + begin) * 1_000_000
        yield PositionColumns(
            courier_ids=(UUID(int=1_000 + copy),),
            courier=np.zeros(n, dtype="<i4"),
            fixed_us=fixed_us.astype("<i8"),
            received_us=(fixed_us + 1_000_000).astype("<i8"),
            lat_e7=np.rint((lat + copy * 0.01) * 1e7).astype("<i4"),
            lon_e7=np.rint((lon + copy * 0.01) * 1e7).astype("<i4"),
            speed_cmps=rng.integers(0, 3000, n).astype("<i2"),
            course_ddeg=rng.integers(0, 3600, n).astype("<i2"),
            accuracy_dm=rng.integers(0, 500, n).astype("<i2"),
            altitude_m=np.full(n, UNKNOWN_ALTITUDE, dtype="<i2"),
            battery_pct=np.full(n, -1, dtype="<i2"),
            mode=np.ones(n, dtype="<i1"),
            marks=np.zeros(n, dtype="<i1"),
        )


async def bytes_per_fix(bench: Bench, folder: Path, n_copies: int, seed: int) -> dict[str, Any]:
    """Plain table with its key against the columnstore with its indexes, on the same rows."""
    for columns in noisy_copies(folder, n_copies, seed):
        await bench.history.insert_many(columns)
    n, plain = await _plain_copy(bench)
    result: dict[str, Any] = {"fixes": n, "plain_bytes_per_fix": round(plain / n, 1)}
    if bench.is_timescale:
        await _compress(bench)
        packed = await bench.pool.fetchval("SELECT hypertable_size('positions')::bigint")
        result |= {"columnstore_bytes_per_fix": round(packed / n, 2), "times_smaller": round(plain / packed, 1)}
    await _empty(bench)
    return result


async def loading(bench: Bench, arguments: argparse.Namespace) -> dict[str, Any]:
    """Fixes a second through History.insert_many, one connection, everything in order."""
    spent_s, n = 0.0, 0
    for columns in fleet(arguments.fixes, arguments.couriers, arguments.seed):
        began = time.perf_counter()
        n += await bench.history.insert_many(columns)
        spent_s += time.perf_counter() - began
    return {"fixes": n, "fixes_per_s": round(n / spent_s)}


async def day_of_a_courier(bench: Bench, arguments: argparse.Namespace) -> dict[str, Any]:
    """A random courier's last full day, as columns ready for an answer; beside it the bare rows over the wire."""
    rng = np.random.default_rng(arguments.seed)
    until = await bench.pool.fetchval("SELECT max(fixed_at) FROM positions") + timedelta(seconds=1)
    couriers = [UUID(int=int(i) + 1) for i in rng.integers(0, arguments.couriers, bench.repeat)]
    n = len(await bench.history.fixes(couriers[0], until - DAY, until))
    history, since = bench.history, until - DAY
    ours = [await timed(partial(history.fixes, courier, since, until)) for courier in couriers]
    bare = [await timed(partial(bench.pool.fetch, BARE_DAY, courier, since, until)) for courier in couriers]
    minutes = [
        await timed(partial(history.rollups, courier, Resolution.MINUTE, since, until)) for courier in couriers[:20]
    ]
    return {
        "fixes": n, **spread(ours), "bare_fetch_p50_ms": spread(bare)["p50_ms"],
        "by_minute_p50_ms": spread(minutes)["p50_ms"],
    }  # fmt: skip


async def hours_of_the_fleet(bench: Bench, table: str) -> dict[str, Any]:
    """Mean speed of the whole fleet by hour: over the plain table, and from the aggregate."""
    plain = [await timed(partial(bench.pool.fetch, PLAIN_HOURS.format(table=table))) for _ in range(5)]
    result = {"plain_ms": spread(plain)["p50_ms"]}
    if bench.is_timescale:
        raw = [await timed(partial(bench.pool.fetch, PLAIN_HOURS.format(table="positions"))) for _ in range(5)]
        made = [await timed(partial(bench.pool.fetch, MADE_HOURS)) for _ in range(20)]
        result |= {"hypertable_ms": spread(raw)["p50_ms"], "aggregate_ms": spread(made)["p50_ms"]}
        result["times_faster"] = round(statistics.median(plain) / statistics.median(made), 1)
    return result


async def _plain_copy(bench: Bench) -> tuple[int, int]:
    """The same rows in an ordinary table with the same key: how many, and its size in bytes."""
    await bench.pool.execute("DROP TABLE IF EXISTS plain_positions")
    await bench.pool.execute("CREATE TABLE plain_positions (LIKE positions, PRIMARY KEY (courier_id, fixed_at))")
    await bench.pool.execute("INSERT INTO plain_positions SELECT * FROM positions ORDER BY fixed_at", timeout=600)
    await bench.pool.execute("VACUUM ANALYZE plain_positions", timeout=600)
    n = await bench.pool.fetchval("SELECT count(*) FROM plain_positions")
    return n, await bench.pool.fetchval("SELECT pg_total_relation_size('plain_positions')")


async def _compress(bench: Bench) -> None:
    for row in await bench.pool.fetch("SELECT show_chunks('positions') AS chunk"):
        await bench.pool.execute(f"CALL convert_to_columnstore('{row['chunk']}')", timeout=600)


async def _refresh(bench: Bench) -> float:
    began = time.perf_counter()
    for name in AGGREGATES:
        await bench.pool.execute(f"CALL refresh_continuous_aggregate('{name}', NULL, NULL)", timeout=1200)
    return time.perf_counter() - began


async def _empty(bench: Bench) -> None:
    await bench.pool.execute("DROP TABLE IF EXISTS plain_positions")
    await bench.pool.execute("TRUNCATE positions")


async def measure(url: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Everything, in the order in which the table fills up."""
    async with asyncpg.create_pool(url, min_size=1, max_size=2, command_timeout=1200) as pool:
        is_timescale = await pool.fetchval("SELECT count(*) > 0 FROM pg_extension WHERE extname = 'timescaledb'")
        bench = Bench(pool=pool, history=History(pool), is_timescale=is_timescale, repeat=arguments.repeat)
        results: dict[str, Any] = {}
        if arguments.copies:
            results["bytes per fix"] = await bytes_per_fix(bench, data_folder(), arguments.copies, arguments.seed)
        results["loading"] = await loading(bench, arguments)
        await pool.execute("VACUUM ANALYZE positions", timeout=600)
        results["a courier's day"] = await day_of_a_courier(bench, arguments)
        n, plain = await _plain_copy(bench)
        if is_timescale:
            results["first refresh"] = {"fixes": n, "s": round(await _refresh(bench), 1)}
        results["hours of the fleet"] = await hours_of_the_fleet(bench, "plain_positions")
        if is_timescale:
            await _compress(bench)
            packed = await pool.fetchval("SELECT hypertable_size('positions')::bigint")
            results["a courier's day, compressed"] = await day_of_a_courier(bench, arguments)
            results["size of the fleet's fixes"] = {
                "plain_bytes_per_fix": round(plain / n, 1),
                "columnstore_bytes_per_fix": round(packed / n, 2),
                "times_smaller": round(plain / packed, 1),
            }
        await _empty(bench)
        return results


def main() -> None:
    """Entry point."""
    options = parser("history", __doc__)
    options.add_argument("--fixes", type=int, default=10_368_000, help="how many fixes the fleet has")
    options.add_argument("--couriers", type=int, default=200)
    options.add_argument("--repeat", type=int, default=200, help="how many times a day is read")
    options.add_argument(
        "--copies", type=int, default=20, help="copies of the recorded track for bytes per fix; 0: none"
    )
    options.add_argument("--seed", type=int, default=1)
    arguments = options.parse_args()
    with world() as servers:
        report("history", arguments, engine_of(servers), asyncio.run(measure(servers.database_url, arguments)))


if __name__ == "__main__":
    main()
