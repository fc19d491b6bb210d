"""Hot queries use their index: what EXPLAIN says on a table that is large enough to make it matter."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from sql import queries

N_COURIERS, N_FIXES = 50, 2000
TODAY = datetime.now(UTC).date()
FULL_DAY = TODAY - timedelta(days=1)
FILLED = f"positions_{FULL_DAY:%Y%m%d}"


@pytest.fixture
async def full(pool):
    """100,000 fixes of 50 couriers, all of one day, analysed."""
    await pool.execute(
        """
        INSERT INTO positions (courier_id, fixed_at, lat_e7, lon_e7, cell, delay_s)
        SELECT
            lpad(c::text, 32, '0')::uuid, $3::date::timestamp AT TIME ZONE 'UTC' + interval '12 h' + i * interval '5 s',
            411500000, -86100000, 1, 1
        FROM generate_series(1, $1::int) AS c, generate_series(1, $2::int) AS i
        ORDER BY i
        """,
        N_COURIERS,
        N_FIXES,
        FULL_DAY,
    )
    await pool.execute("ANALYZE positions")
    return pool


COURIER = "'00000000-0000-0000-0000-000000000007'"
BEFORE, AT, SOON = (f"'{FULL_DAY} {hour}Z'" for hour in ("11:00", "12:00", "12:01"))
DAY = f"{AT}, '{FULL_DAY} 12:30Z'"
HOT = {
    "positions.track": f"({COURIER}, {DAY}, {BEFORE}, false, 20000)",
    "positions.track_copy": f"({COURIER}, {DAY}, {BEFORE}, false, 20000)",
    "positions.mark": f"({COURIER}, {AT}, 1::smallint)",
    "positions.latest": f"(ARRAY[{COURIER}]::uuid[], ARRAY[{AT}]::timestamptz[])",
    "positions.recent": f"(ARRAY[{COURIER}]::uuid[], ARRAY[{AT}]::timestamptz[], 4)",
    "positions.around": (
        f"(ARRAY[{COURIER}]::uuid[], ARRAY[{AT}]::timestamptz[], ARRAY[{SOON}]::timestamptz[], '20 min', 4)"
    ),
    "positions.by_minute": f"({COURIER}, {DAY}, {BEFORE}, 20000)",
    "recounts.fixes": f"({COURIER}, {AT})",
    "recounts.recent_fixes": f"(ARRAY[{COURIER}]::uuid[], {AT})",
    "recounts.between": f"({COURIER}, {DAY}, 20000)",
    "positions.by_hour": f"({COURIER}, {DAY}, {BEFORE}, 20000)",
}


def nodes(plan):
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


@pytest.mark.parametrize("name", HOT)
async def test_a_hot_query_reads_positions_by_its_key(full, name):
    async with full.acquire() as connection:
        await connection.execute(f"PREPARE hot AS {queries[name]}")
        try:
            # The plan for these values, not one for any.
            await connection.execute("SET plan_cache_mode = force_custom_plan")
            answer = await connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE hot {HOT[name]}")
        finally:
            await connection.execute("DEALLOCATE hot")
    scans = [node for node in nodes(json.loads(answer)[0]["Plan"]) if FILLED in node.get("Relation Name", "")]
    assert scans
    keys = await full.fetch("SELECT indexrelid::regclass::text FROM pg_index WHERE indisprimary")
    assert {node["Index Name"] for node in scans if "Index Name" in node} <= {key for (key,) in keys}
    assert not [node for node in scans if node["Node Type"] == "Seq Scan"]


async def test_a_track_reads_the_parts_of_its_days_only(full):
    """Also where the plan is for any values: parts of other days are left out when it begins."""
    first, *_, last = days = [TODAY - timedelta(days=n) for n in (6, 5, 4)]
    async with full.acquire() as connection:
        await connection.execute(f"PREPARE hot AS {queries['positions.track']}")
        try:
            for mode in ("force_custom_plan", "force_generic_plan"):
                await connection.execute(f"SET plan_cache_mode = {mode}")
                answer = await connection.fetchval(
                    f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE hot ({COURIER}, '{first} 12:00Z', '{last} 11:00Z',"
                    f" '{first} 11:00Z', false, 20000)"
                )
                read = {node.get("Relation Name") for node in nodes(json.loads(answer)[0]["Plan"])} - {None}
                assert read == {f"positions_{day:%Y%m%d}" for day in days}, mode
        finally:
            await connection.execute("DEALLOCATE hot")


async def test_the_oldest_fixes_are_found_by_a_range_of_time(full):
    indexes = await full.fetch(
        "SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = $1::text::regclass", FILLED
    )
    (by_time,) = (name for (name,) in indexes if "fixed_at_idx" in name)
    await full.execute("SELECT brin_summarize_new_values($1::text::regclass)", by_time)
    answer = await full.fetchval(f"EXPLAIN (FORMAT JSON) DELETE FROM positions WHERE fixed_at < {SOON}")
    found = [node for node in nodes(json.loads(answer)[0]["Plan"]) if node["Node Type"].endswith("Scan")]
    assert "Seq Scan" not in {node["Node Type"] for node in found if node.get("Relation Name") == FILLED}
    # Of few couriers PostgreSQL 18 rather skips along the key; of many it takes the ranges of time.
    assert {node.get("Index Name") for node in found} & {name for (name,) in indexes}


async def test_the_oldest_fix_is_looked_for_once(full):
    """No index knows it; housekeeping asks every minute."""
    ask = "EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE oldest (now() - INTERVAL '30 days', now() - INTERVAL '90 days')"
    read = []
    async with full.acquire() as connection:
        await connection.execute(f"PREPARE oldest AS {queries['housekeeping.begin_horizons']}")
        try:
            for _ in range(2):
                plan = json.loads(await connection.fetchval(ask))[0]["Plan"]
                scans = [node for node in nodes(plan) if node.get("Relation Name") == FILLED]
                read.append(sum(node["Actual Loops"] for node in scans))
        finally:
            await connection.execute("DEALLOCATE oldest")
    assert read == [1, 0]
    assert await full.fetchval("SELECT count(*) FROM rollup_horizons WHERE kept_until = '-infinity'") == 0
