"""One contract, every engine: embedded PostgreSQL, TimescaleDB in WebAssembly, a native TimescaleDB where named."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
import pytest

from tracking.batch import PositionColumns
from tracking.history.history import History, erase
from tracking.history.housekeeping import Housekeeping, Keep
from tracking.history.tracks import Resolution
from tracking.position import CourierId, Fix, LatLon, Mark, Mode, Position

HOUR = timedelta(hours=1)
START = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - 4 * HOUR
"""Recent, as chunks, refreshes and retention go by the server's clock."""
COURIERS = [CourierId(UUID(int=number)) for number in (7, 8, 9)]

PLAIN_MINUTES = """
WITH steps AS (
    SELECT
        *,
        date_trunc('minute', fixed_at) AS bucket,
        lag(lat_e7) OVER bucketed AS from_lat_e7,
        lag(lon_e7) OVER bucketed AS from_lon_e7
    FROM positions
    WHERE marks = 0
    WINDOW bucketed AS (PARTITION BY courier_id, date_trunc('minute', fixed_at) ORDER BY fixed_at)
)
SELECT
    courier_id, bucket,
    min(fixed_at) AS first_at, max(fixed_at) AS last_at, min(lat_e7) AS south_e7, max(lat_e7) AS north_e7,
    min(lon_e7) AS west_e7, max(lon_e7) AS east_e7, count(*) AS n_fixes,
    count(speed_cmps) AS n_speeds, sum(speed_cmps) AS speeds_cmps, max(speed_cmps) AS top_speed_cmps,
    coalesce(sum(6371008.8 * acos(least(1.0,
        sin(radians(lat_e7 / 1e7)) * sin(radians(from_lat_e7 / 1e7))
        + cos(radians(lat_e7 / 1e7)) * cos(radians(from_lat_e7 / 1e7)) * cos(radians((lon_e7 - from_lon_e7) / 1e7))
    ))), 0) AS distance_m
FROM steps
GROUP BY courier_id, bucket
ORDER BY courier_id, bucket
"""
"""Rollups by window functions and another formula (spherical law of cosines), straight from the rows."""

PLAIN_HOURS = """
SELECT
    courier_id, date_trunc('hour', fixed_at) AS bucket,
    min(fixed_at) AS first_at, max(fixed_at) AS last_at, min(lat_e7) AS south_e7, max(lat_e7) AS north_e7,
    min(lon_e7) AS west_e7, max(lon_e7) AS east_e7, count(*) AS n_fixes,
    count(speed_cmps) AS n_speeds, sum(speed_cmps) AS speeds_cmps, max(speed_cmps) AS top_speed_cmps,
    path_length_m(array_agg(lat_e7 ORDER BY fixed_at), array_agg(lon_e7 ORDER BY fixed_at)) AS distance_m
FROM positions
WHERE marks = 0
GROUP BY 1, 2
ORDER BY 1, 2
"""

PLAIN_SPEEDS = """
SELECT
    cell, mode, date_trunc('hour', fixed_at) AS bucket, count(*) AS n_speeds, sum(speed_cmps) AS speeds_cmps,
    count(*) FILTER (WHERE speed_cmps >= 100) AS n_moving,
    sum(speed_cmps) FILTER (WHERE speed_cmps >= 100) AS moving_cmps,
    sum(speed_cmps::int * speed_cmps) FILTER (WHERE speed_cmps >= 100) AS moving_squares
FROM positions WHERE marks = 0 AND speed_cmps IS NOT NULL
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""


def walk(courier, n, start=START, seed=0, every_s=5.0):
    """A random walk with a jump, a poor fix, and fixes without speed."""
    rng = np.random.default_rng([seed, courier])
    lats, lons = 41.15 + np.cumsum(rng.normal(0, 1e-4, n)), -8.61 + np.cumsum(rng.normal(0, 1e-4, n))
    lats[n // 3] += 1
    found = []
    for i in range(n):
        at = start + timedelta(seconds=i * every_s)
        poor = i % 17 == 3
        found.append(
            Position(
                courier_id=COURIERS[courier],
                fix=Fix(
                    at=LatLon(round(lats[i], 7), round(lons[i], 7)), fixed_at=at,
                    accuracy_m=900.0 if poor else 5.0, speed_mps=None if i % 5 == 2 else round(rng.uniform(0, 9), 2),
                ),
                received_at=at + timedelta(seconds=1),
                mark=Mark.POOR_ACCURACY if poor else Mark.NONE,
            )
        )  # fmt: skip
    return found


async def store(history, positions, mode=Mode.BICYCLE):
    return await history.insert_many(PositionColumns.from_positions(positions, mode))


async def same_numbers(storage):
    """The rollups are what plain SQL over the rows gives; returns how many fixes they count."""
    for view, plain in [("positions_1m", PLAIN_MINUTES), ("positions_1h", PLAIN_HOURS), ("speeds_1h", PLAIN_SPEEDS)]:
        expected = [dict(row) for row in await storage.pool.fetch(plain)]
        keys = "cell, mode, bucket" if view == "speeds_1h" else "courier_id, bucket"
        found = [dict(row) for row in await storage.pool.fetch(f"SELECT * FROM {view} ORDER BY {keys}")]
        assert len(found) == len(expected)
        for row, wanted in zip(found, expected, strict=True):
            distance_m = wanted.pop("distance_m", None)
            assert {name: row[name] for name in wanted} == wanted
            if distance_m is not None:
                # The law of cosines loses some millimetres on short steps.
                assert row["distance_m"] == pytest.approx(distance_m, rel=1e-6, abs=0.5)
    return await storage.pool.fetchval("SELECT sum(n_fixes)::bigint FROM positions_1h")


async def test_rollups_are_what_plain_sql_gives_at_every_stage(storage):
    """Before a refresh, after it, with late data, compressed, and with late data in what is compressed."""
    # Later than the fixes of other tests: older ones would show only after the next refresh.
    first = [fix for courier in range(2) for fix in walk(courier, 240, START + 3 * HOUR)]
    late, later = first[100:140], first[300:310]
    on_time = [fix for fix in first if fix not in late and fix not in later]
    assert await store(storage.history, on_time) == len(on_time)
    n_before = await same_numbers(storage)
    await storage.refresh()
    assert await same_numbers(storage) == n_before
    assert await store(storage.history, late) == len(late)
    await storage.refresh()
    n_with_late = await same_numbers(storage)
    assert n_with_late > n_before
    await storage.compress()
    assert await same_numbers(storage) == n_with_late
    assert await store(storage.history, later) == len(later)
    assert await store(storage.history, first) == 0
    await storage.refresh()
    assert await same_numbers(storage) > n_with_late


async def test_rows_are_the_same_in_whatever_order_fixes_arrive_also_after_compression(storage):
    fixes = [fix for courier in range(2) for fix in walk(courier, 90)]
    await store(storage.history, fixes)
    query = "SELECT * FROM positions ORDER BY courier_id, fixed_at"
    in_order = [tuple(row) for row in await storage.pool.fetch(query)]
    assert {row[-1] for row in in_order} == {0, Mark.JUMP, Mark.POOR_ACCURACY}
    await storage.pool.execute("TRUNCATE positions")
    shuffled = list(np.random.default_rng(3).permutation(np.array(fixes, dtype=object)))
    history = History(storage.pool)
    await store(history, shuffled[:60])
    await store(history, shuffled[50:120])
    await storage.compress()
    await store(history, shuffled[100:])
    assert [tuple(row) for row in await storage.pool.fetch(query)] == in_order


async def test_a_repeated_batch_and_two_writers_make_no_doubles(storage):
    fixes = [fix for courier in range(3) for fix in walk(courier, 100)]
    batches = [fixes[i : i + 50] for i in range(0, 300, 25)]
    writers = [History(storage.pool), History(storage.pool)]
    counts = await asyncio.gather(*(store(writers[i % 2], batch) for i, batch in enumerate(batches)))
    assert sum(counts) == len(fixes)
    assert await storage.pool.fetchval("SELECT count(*) FROM positions") == len(fixes)


async def test_tracks_are_the_same_raw_by_minute_and_by_hour(storage):
    fixes = walk(0, 800)
    await store(storage.history, fixes)
    await storage.refresh()
    until = START + 2 * HOUR
    raw = await storage.history.fixes(COURIERS[0], START, until)
    everything = await storage.history.fixes(COURIERS[0], START, until, with_marked=True)
    assert [position.fix.fixed_at for position in everything.to_positions()] == [f.fix.fixed_at for f in fixes]
    assert not raw.marks.any()
    for resolution, n in [(Resolution.MINUTE, 67), (Resolution.HOUR, 2)]:
        buckets = await storage.history.rollups(COURIERS[0], resolution, START, until)
        assert len(buckets) == n
        assert sum(bucket.n_fixes for bucket in buckets) == len(raw)
        rest = await storage.history.rollups(COURIERS[0], resolution, START, until, after=buckets[0].bucket_at)
        assert rest == buckets[1:]
        only = await storage.history.rollups(COURIERS[0], resolution, START + HOUR, START + 2 * HOUR)
        assert only == tuple(bucket for bucket in buckets if bucket.bucket_at >= START + HOUR)


async def test_an_erased_courier_leaves_nothing_in_rows_or_rollups(storage):
    await store(storage.history, [*walk(0, 100), *walk(1, 100)])
    await storage.refresh()
    await storage.compress()
    async with storage.pool.acquire() as connection, connection.transaction():
        assert await erase(connection, COURIERS[0]) == 100
    assert await store(storage.history, walk(0, 110)) == 0
    for table in ("positions", "positions_1m", "positions_1h"):
        found = await storage.pool.fetch(f"SELECT DISTINCT courier_id FROM {table}")
        assert [row["courier_id"] for row in found] == [COURIERS[1]]


async def test_retention_drops_fixes_first_then_minutes_then_hours_and_keeps_the_numbers(storage):
    """The same fixes 20, 60 and 200 days ago; kept 30, 90 and 365 days, then 9, 10 and 100."""
    for days in (20, 60, 200):
        await store(storage.history, walk(0, 240, START - timedelta(days=days)))
    await storage.refresh()
    hours = await storage.pool.fetch("SELECT * FROM positions_1h ORDER BY bucket")
    speeds = await storage.pool.fetch("SELECT * FROM speeds_1h ORDER BY cell, mode, bucket")
    housekeeping = Housekeeping(storage.pool, Keep())
    await housekeeping.once()
    await storage.run_policies()

    async def days_in(table, column):
        rows = await storage.pool.fetch(f"SELECT DISTINCT date_trunc('day', {column}) AS day FROM {table}")
        return len(rows)

    assert await days_in("positions", "fixed_at - INTERVAL '4 hours'") in (1, 2)
    assert await storage.pool.fetchval("SELECT min(fixed_at) FROM positions") == START - timedelta(days=20)
    minutes = await storage.pool.fetchval("SELECT min(bucket) FROM positions_1m")
    assert minutes == START - timedelta(days=60)
    assert await storage.pool.fetch("SELECT * FROM positions_1h ORDER BY bucket") == hours
    assert await storage.pool.fetch("SELECT * FROM speeds_1h ORDER BY cell, mode, bucket") == speeds
    short = Keep(raw=timedelta(days=9), by_minute=timedelta(days=10), by_hour=timedelta(days=100))
    await Housekeeping(storage.pool, short).once()
    await storage.run_policies()
    assert await storage.pool.fetchval("SELECT count(*) FROM positions") == 0
    assert await storage.pool.fetchval("SELECT count(*) FROM positions_1m") == 0
    left = await storage.pool.fetch("SELECT * FROM positions_1h ORDER BY bucket")
    assert left == [row for row in hours if row["bucket"] > START - timedelta(days=100)]
