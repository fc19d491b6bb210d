"""
Fixes in a part of the table for each day, beside all in one: python -m benchmarks.history_by_day --json.

Two databases of one server hold the same fixes, one of them in the table of the migrations before. What is read is
asked of both in turn; that table is brought to what the program has now while somebody reads and writes it, which is
timed; then most days are too old, and house is kept in both: by row in what was one table, by day in the other.
"""

import argparse
import asyncio
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import asyncpg
import numpy as np

from app.machine.migrate import migrate
from benchmarks.history import DAY, FIXES_OF_A_DAY, fleet, spread, timed
from benchmarks.operations import empty_database
from benchmarks.world import engine_of, parser, report, world
from sql import MIGRATIONS_FOLDER, queries
from tracking.history.history import History
from tracking.history.housekeeping import Housekeeping, Keep
from tracking.history.tracks import Resolution

FIRST: Final = "*_positions_bound.sql"
"""The first of the migrations that make days of one table."""
NAMES: Final = {text: name.partition(".")[2] for name, text in queries.items() if name.startswith("housekeeping.")}
SIZE: Final = """
SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class AS c
WHERE c.relname LIKE 'positions%' AND c.relname NOT LIKE 'positions%kept' AND c.relkind = 'r'
"""
PROBE: Final = """
INSERT INTO positions (courier_id, fixed_at, lat_e7, lon_e7, cell, delay_s)
VALUES ($1, clock_timestamp(), 1, 1, 1, 1)
"""


@asynccontextmanager
async def _opened(url: str) -> AsyncIterator[asyncpg.Pool]:
    async with asyncpg.create_pool(url, min_size=1, max_size=3, command_timeout=1200) as pool:
        yield pool


async def _fill(pool: asyncpg.Pool, arguments: argparse.Namespace) -> dict[str, Any]:
    history, spent_s, n = History(pool), 0.0, 0
    for columns in fleet(arguments.days * FIXES_OF_A_DAY * arguments.couriers, arguments.couriers, arguments.seed):
        began = time.perf_counter()
        n += await history.insert_many(columns)
        spent_s += time.perf_counter() - began
    await pool.execute("VACUUM ANALYZE positions")
    return {"fixes": n, "fixes_per_s": round(n / spent_s)}


async def _reads(pools: dict[str, asyncpg.Pool], arguments: argparse.Namespace, until: datetime) -> dict[str, Any]:
    """Each question to both in turn, of the same courier and day; median and 99 of 100 of each, and of their ratio."""
    rng = np.random.default_rng(arguments.seed)
    histories = {name: History(pool) for name, pool in pools.items()}
    took: dict[str, dict[str, list[float]]] = {}
    for i in range(arguments.repeat):
        courier = UUID(int=int(rng.integers(arguments.couriers)) + 1)
        day = until - int(rng.integers(1, arguments.days + 1)) * DAY
        hour = day + timedelta(hours=int(rng.integers(24)))
        for name in sorted(histories, reverse=bool(i % 2)):
            history, pool = histories[name], pools[name]
            asks: dict[str, Any] = {
                "a day": partial(history.fixes, courier, day, day + DAY),
                "an hour": partial(history.fixes, courier, hour, hour + timedelta(hours=1)),
                "an hour, prepared": partial(
                    pool.fetch,
                    queries["positions.track"],
                    courier,
                    hour,
                    hour + timedelta(hours=1),
                    hour - DAY,
                    False,
                    999,
                ),
                "a day by minute": partial(history.rollups, courier, Resolution.MINUTE, day, day + DAY),
                "the latest of 25": partial(
                    pool.fetch,
                    queries["positions.latest"],
                    [UUID(int=k + 1) for k in range(25)],
                    [until - timedelta(hours=1)] * 25,
                ),
            }
            if i % 20 == 0:
                asks["every day, a page"] = partial(history.fixes, courier, until - arguments.days * DAY, until)
            for what, ask in asks.items():
                took.setdefault(what, {}).setdefault(name, []).append(await timed(ask))
    return {
        what: {
            **{f"{name} {key}": value for name, times in both.items() for key, value in spread(times).items()},
            "ratio_of_p50": round(float(np.median(both["by day"]) / np.median(both["one table"])), 3),
        }
        for what, both in took.items()
    }


async def _upgrade(url: str, pool: asyncpg.Pool) -> dict[str, Any]:
    """Seconds of all files that make days of one table, and the longest that a writer or a reader waited meanwhile."""
    over, waits = asyncio.Event(), {"insert": [0.0], "read": [0.0]}

    async def probe() -> None:
        while not over.is_set():
            waits["insert"].append(await timed(partial(pool.execute, PROBE, UUID(int=10**6))))
            read = partial(pool.fetch, "SELECT fixed_at FROM positions WHERE courier_id = $1", UUID(int=10**6))
            waits["read"].append(await timed(read))
            await asyncio.sleep(0.002)

    probing = asyncio.create_task(probe())
    await asyncio.sleep(1)
    usual = {what: max(times) for what, times in waits.items()}
    began = time.perf_counter()
    await asyncio.to_thread(migrate, url)
    took_s = time.perf_counter() - began
    over.set()
    await probing
    await pool.execute("DELETE FROM positions WHERE courier_id = $1", UUID(int=10**6))
    return {
        "s": round(took_s, 2),
        **{f"longest_{what}_ms": round(1000 * max(times)) for what, times in waits.items()},
        **{f"longest_{what}_in_a_second_before_ms": round(1000 * usual[what]) for what in usual},
    }  # fmt: skip


async def _keep_house(url: str, now: datetime) -> dict[str, Any]:
    """Roll up and let go; seconds by what was asked, and the room before and after, and after a VACUUM."""
    spent_s: Counter[str] = Counter()

    async def listen(connection: Any) -> None:
        connection.add_query_logger(lambda asked: spent_s.update({NAMES.get(asked.query, "other"): asked.elapsed}))

    async with asyncpg.create_pool(url, min_size=1, max_size=2, command_timeout=1200, init=listen) as pool:
        before = await pool.fetchval(SIZE)
        n_before = await pool.fetchval("SELECT count(*) FROM positions")
        spent_s.clear()
        began = time.perf_counter()
        await Housekeeping(pool, Keep(raw=timedelta(days=9)), now=lambda: now).once()
        took_s = time.perf_counter() - began
        by_query = {name: round(s, 2) for name, s in spent_s.most_common() if s >= 0.005}
        after = await pool.fetchval(SIZE)
        n = n_before - await pool.fetchval("SELECT count(*) FROM positions")
        await pool.execute("VACUUM ANALYZE positions")
        vacuumed = await pool.fetchval(SIZE)
    mb = {"before_mb": before, "after_mb": after, "after_vacuum_mb": vacuumed}
    return {"fixes": n, "s": round(took_s, 1), **by_query, **{name: round(size / 1e6) for name, size in mb.items()}}


async def measure(url: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Both layouts, side by side."""
    until = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name, empty_database(url) as one:
        folder = Path(name) / "migrations"
        shutil.copytree(MIGRATIONS_FOLDER, folder)
        first = next(folder.rglob(FIRST)).name
        for file in list(folder.rglob("*.sql")):
            if file.name >= first:
                file.unlink()
        await asyncio.to_thread(migrate, one, folder=folder)
        async with _opened(one) as one_table, _opened(url) as by_day:
            await by_day.execute(queries["housekeeping.make_days"], (until - arguments.days * DAY).date(), until.date())
            pools = {"one table": one_table, "by day": by_day}
            for what, pool in pools.items():
                results[f"loading, {what}"] = await _fill(pool, arguments)
            results |= await _reads(pools, arguments, until)
            results["upgrade of one table"] = await _upgrade(one, one_table)
        now = until - arguments.days * DAY + arguments.expired_days * DAY + timedelta(days=9)
        for what, where in {"was one table": one, "by day": url}.items():
            results[f"retention, {what}"] = await _keep_house(where, now)
    return results


def main() -> None:
    """Entry point."""
    options = parser("history_by_day", __doc__)
    options.add_argument("--couriers", type=int, default=25)
    options.add_argument("--days", type=int, default=14, help="of 17,280 fixes a courier")
    options.add_argument("--expired-days", type=int, default=12, help="of them, too old in the end")
    options.add_argument("--repeat", type=int, default=200, help="how many times each thing is read")
    options.add_argument("--seed", type=int, default=1)
    arguments = options.parse_args()
    with world() as servers:
        report("history_by_day", arguments, engine_of(servers), asyncio.run(measure(servers.database_url, arguments)))


if __name__ == "__main__":
    main()
