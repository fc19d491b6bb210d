"""Plain PostgreSQL: a part of the table for each day, which retention drops whole."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest
from prometheus_client import REGISTRY

from app.machine.ailments import ailments
from tracking.batch import PositionColumns
from tracking.history.history import History, erase
from tracking.history.housekeeping import AHEAD, Housekeeping, Keep
from tracking.position import CourierId, Fix, LatLon, Mode, Position

TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
DAY = timedelta(days=1)
ANNA = CourierId(UUID(int=7))
KEEP = Keep(raw=9 * DAY, by_minute=90 * DAY, by_hour=365 * DAY)


def drive(begin: datetime, n: int = 120) -> PositionColumns:
    """A fix every half a minute: an hour."""
    at = [begin + timedelta(seconds=30 * i) for i in range(n)]
    return PositionColumns.from_positions(
        [
            Position(
                courier_id=ANNA,
                fix=Fix(at=LatLon(41.15 + 1e-4 * i, -8.61), fixed_at=one, accuracy_m=5.0, speed_mps=4.0),
                received_at=one,
            )
            for i, one in enumerate(at)
        ],
        Mode.BICYCLE,
    )


async def parts(pool: asyncpg.Pool) -> set[str]:
    return {name for (name,) in await pool.fetch("SELECT name FROM position_parts")}


async def minutes(pool: asyncpg.Pool) -> list[asyncpg.Record]:
    return await pool.fetch("SELECT * FROM positions_1m ORDER BY bucket")


def part_of(day: datetime) -> str:
    return f"positions_{day:%Y%m%d}"


async def test_days_to_come_and_those_of_late_fixes_have_a_part_whenever_housekeeping_looks(pool, history):
    for now in (TODAY + 100 * DAY, TODAY + 104 * DAY - timedelta(microseconds=1)):
        await Housekeeping(pool, Keep(), now=lambda now=now: now).once()
        oldest = now - Keep().oldest_fix
        wanted = {part_of(oldest + n * DAY) for n in range((now + AHEAD - oldest).days + 1)}
        assert wanted <= await parts(pool)
        await history.insert_many(drive(now), "r")
        await history.insert_many(drive(oldest), "r")
    assert await pool.fetchval("SELECT count(*) FROM positions") == 480
    assert await pool.fetchval("SELECT count(*) FROM positions_default") == 0


async def test_a_day_is_dropped_whole_once_it_is_rolled_up_and_gives_its_room_back(pool, history):
    for n in (3, 2, 1):
        await history.insert_many(drive(TODAY - n * DAY + timedelta(hours=22), 200), "r")  # not over midnight
    before, kept = await minutes(pool), await pool.fetch("SELECT * FROM speeds_1h ORDER BY cell, bucket")
    old, half = TODAY - 3 * DAY, TODAY - 2 * DAY
    assert await pool.fetchval("SELECT pg_total_relation_size($1::text::regclass) > 0", part_of(old))
    # The last hour of the one day and some hours of the next are too old.
    await Housekeeping(pool, KEEP, now=lambda: half + timedelta(hours=23) + KEEP.raw).once()
    assert part_of(old) not in await parts(pool)
    assert await pool.fetchval("SELECT to_regclass($1)", part_of(old)) is None
    assert part_of(half) in await parts(pool)
    assert await minutes(pool) == before
    assert await pool.fetch("SELECT * FROM speeds_1h ORDER BY cell, bucket") == kept
    await Housekeeping(pool, KEEP, now=lambda: TODAY + KEEP.raw).once()
    assert await pool.fetchval("SELECT count(*) FROM positions") == 0
    assert await minutes(pool) == before


async def test_a_fix_of_a_day_without_a_part_is_stored_found_rolled_up_and_goes_in_its_time(pool, history):
    day = TODAY - 200 * DAY
    assert await history.insert_many(drive(day), "r") == 120
    assert await history.insert_many(drive(day), "r") == 0
    assert await pool.fetchval("SELECT count(*) FROM positions_default") == 120
    assert len(await history.fixes(ANNA, day, day + DAY)) == 120
    made = await minutes(pool)
    await Housekeeping(pool, KEEP, now=lambda: day + KEEP.raw + timedelta(minutes=90)).once()
    assert await pool.fetchval("SELECT count(*) FROM positions") == 0
    assert await minutes(pool) == made
    # One that comes when its hour is over and done with goes with its day.
    await history.insert_many(drive(day), "r")
    await Housekeeping(pool, KEEP, now=lambda: day + KEEP.raw + DAY).once()
    assert await pool.fetchval("SELECT count(*) FROM positions") == 0


async def test_a_day_that_lies_elsewhere_stays_there_and_the_next_ones_get_their_parts(pool, history):
    """Housekeeping was away for weeks; an erasure finds everything wherever it is."""
    now = TODAY + 50 * DAY
    await history.insert_many(drive(now), "r")
    await Housekeeping(pool, KEEP, now=lambda: now).once()
    there = await parts(pool)
    assert part_of(now) not in there
    assert {part_of(now - DAY), part_of(now + DAY)} <= there
    assert await pool.fetchval("SELECT count(*) FROM positions_default") == 120
    assert REGISTRY.get_sample_value("postrider_positions_apart") == 120
    assert REGISTRY.get_sample_value("postrider_position_parts_missing") == 1
    await history.insert_many(drive(now + DAY), "r")
    async with pool.acquire() as connection, connection.transaction():
        assert await erase(connection, ANNA) == 240
    assert await pool.fetchval("SELECT count(*) FROM positions") == 0


async def test_whoever_holds_the_table_for_long_delays_the_days_and_nothing_else(pool, history, database_url):
    """A backup, say."""
    old = TODAY - 3 * DAY
    await history.insert_many(drive(old), "r")
    backup = await asyncpg.connect(database_url)
    now = TODAY + KEEP.raw
    try:
        async with backup.transaction():
            await backup.execute("LOCK TABLE positions IN ACCESS SHARE MODE")
            await Housekeeping(pool, KEEP, now=lambda: now).once()
            assert part_of(old) in await parts(pool)
            assert part_of(now) not in await parts(pool)
            assert await pool.fetchval("SELECT count(*) FROM positions_1m_kept") == 60
            assert await history.insert_many(drive(now), "r") == 120
    finally:
        await backup.close()
    await pool.execute("DELETE FROM positions_default")
    await Housekeeping(pool, KEEP, now=lambda: now).once()
    assert part_of(old) not in await parts(pool)
    assert part_of(now) in await parts(pool)


async def said_of_days(pool: asyncpg.Pool) -> tuple[bool, str]:
    async with pool.acquire() as connection:
        (found,) = [one for one in await ailments(connection, has_timescale=False) if one.what == "days of positions"]
    return found.ok, found.found


async def test_check_complains_of_days_to_come_that_have_no_part(pool):
    assert await said_of_days(pool) == (True, "there for today and tomorrow")
    await pool.execute(f"DROP TABLE {part_of(TODAY + DAY)}")
    ok, found = await said_of_days(pool)
    assert not ok
    assert f"{(TODAY + DAY).date()}" in found


@pytest.mark.parametrize("zone", ["America/St_Johns", "Pacific/Kiritimati"])
async def test_days_begin_at_midnight_utc_whatever_a_session_thinks(database_url, zone):
    async with asyncpg.create_pool(database_url, min_size=1, max_size=2, server_settings={"TimeZone": zone}) as pool:
        begin = TODAY + 30 * DAY
        await Housekeeping(pool, KEEP, now=lambda: begin).once()
        rows = await pool.fetch("SELECT name, since FROM position_parts WHERE since IS NOT NULL")
        assert {(row["name"], row["since"].astimezone(UTC)) for row in rows} >= {
            (part_of(begin + n * DAY), begin + n * DAY) for n in range(4)
        }
        await History(pool).insert_many(drive(begin + 3 * DAY), "r")
        assert await pool.fetchval("SELECT count(*) FROM positions_default") == 0
