"""Hot queries use their index: what EXPLAIN says on a table that is large enough to make it matter."""

import json

import pytest

from sql import queries

N_COURIERS, N_FIXES = 50, 2000


@pytest.fixture
async def full(pool):
    """100,000 fixes of 50 couriers, analysed."""
    await pool.execute(
        """
        INSERT INTO positions (courier_id, fixed_at, lat_e7, lon_e7, cell, delay_s)
        SELECT
            lpad(c::text, 32, '0')::uuid, timestamptz '2026-11-20 12:00Z' + i * interval '5 s',
            411500000, -86100000, 1, 1
        FROM generate_series(1, $1::int) AS c, generate_series(1, $2::int) AS i
        ORDER BY i
        """,
        N_COURIERS,
        N_FIXES,
    )
    await pool.execute("ANALYZE positions")
    return pool


COURIER = "'00000000-0000-0000-0000-000000000007'"
DAY = "'2026-11-20 12:00Z', '2026-11-20 12:30Z'"
HOT = {
    "positions.track": f"({COURIER}, {DAY}, '2026-11-20 11:00Z', false, 20000)",
    "positions.track_copy": f"({COURIER}, {DAY}, '2026-11-20 11:00Z', false, 20000)",
    "positions.mark": f"({COURIER}, '2026-11-20 12:00Z', 1::smallint)",
    "positions.latest": f"(ARRAY[{COURIER}]::uuid[], ARRAY['2026-11-20 12:00Z']::timestamptz[])",
    "positions.recent": f"(ARRAY[{COURIER}]::uuid[], ARRAY['2026-11-20 12:00Z']::timestamptz[], 4)",
    "positions.around": (
        f"(ARRAY[{COURIER}]::uuid[], ARRAY['2026-11-20 12:00Z']::timestamptz[], "
        "ARRAY['2026-11-20 12:01Z']::timestamptz[], '20 min', 4)"
    ),
    "positions.by_minute": f"({COURIER}, {DAY}, '2026-11-20 11:00Z', 20000)",
    "recounts.fixes": f"({COURIER}, '2026-11-20 12:00Z')",
    "recounts.recent_fixes": f"(ARRAY[{COURIER}]::uuid[], '2026-11-20 12:00Z')",
    "recounts.between": f"({COURIER}, {DAY}, 20000)",
    "positions.by_hour": f"({COURIER}, {DAY}, '2026-11-20 11:00Z', 20000)",
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
    touching = [node for node in nodes(json.loads(answer)[0]["Plan"]) if node.get("Relation Name") == "positions"]
    scans = [node for node in touching if node["Node Type"].endswith("Scan")]
    assert scans
    assert {node.get("Index Name", "positions_key") for node in scans} == {"positions_key"}
    assert not [node for node in scans if node["Node Type"] == "Seq Scan"]


async def test_deleting_the_oldest_fixes_reads_a_range_of_time(full):
    await full.execute("SELECT brin_summarize_new_values('positions_by_time')")
    answer = await full.fetchval("EXPLAIN (FORMAT JSON) DELETE FROM positions WHERE fixed_at < '2026-11-20 12:01Z'")
    found = list(nodes(json.loads(answer)[0]["Plan"]))
    assert "Seq Scan" not in {node["Node Type"] for node in found}
    # Of few couriers PostgreSQL 18 rather skips along the key; of many it takes the ranges of time.
    assert {"positions_by_time", "positions_key"} & {node.get("Index Name") for node in found}


async def test_the_oldest_fix_is_looked_for_once(full):
    """No index knows it; housekeeping asks every minute."""
    ask = "EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE oldest (now() - INTERVAL '30 days', now() - INTERVAL '90 days')"
    read = []
    async with full.acquire() as connection:
        await connection.execute(f"PREPARE oldest AS {queries['housekeeping.begin_horizons']}")
        try:
            for _ in range(2):
                plan = json.loads(await connection.fetchval(ask))[0]["Plan"]
                scans = [node for node in nodes(plan) if node.get("Relation Name") == "positions"]
                read.append(sum(node["Actual Loops"] for node in scans))
        finally:
            await connection.execute("DEALLOCATE oldest")
    assert read == [1, 0]
    assert await full.fetchval("SELECT count(*) FROM rollup_horizons WHERE kept_until = '-infinity'") == 0
