"""That TimescaleDB is really used: hypertable, aggregates on aggregates, columnstore, policies."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.tracking.history.test_contract import COURIERS, START, store, walk
from tracking.history.housekeeping import Housekeeping, Keep

pytestmark = pytest.mark.parametrize("storage", ["timescale-wasm", "timescale-native"], indirect=True)


async def test_positions_are_a_hypertable_with_a_columnstore_by_courier(storage):
    row = await storage.pool.fetchrow(
        "SELECT * FROM timescaledb_information.hypertables WHERE hypertable_name = 'positions'"
    )
    assert row["compression_enabled"]
    settings = await storage.pool.fetchrow(
        "SELECT * FROM timescaledb_information.hypertable_compression_settings WHERE hypertable = 'positions'::regclass"
    )
    assert (settings["segmentby"], settings["orderby"]) == ("courier_id", "fixed_at")


async def test_aggregates_are_continuous_and_the_hours_are_made_of_the_minutes(storage):
    rows = await storage.pool.fetch("SELECT * FROM timescaledb_information.continuous_aggregates")
    made_of = {row["view_name"]: row["hypertable_name"] for row in rows}
    table_of = {row["view_name"]: row["materialization_hypertable_name"] for row in rows}
    assert made_of == {
        "positions_1m": "positions", "speeds_1h": "positions", "positions_1h": table_of["positions_1m"],
    }  # fmt: skip
    assert not any(row["materialized_only"] for row in rows)


async def test_policies_refresh_compress_and_drop_as_the_settings_say(storage):
    keep = Keep(raw=timedelta(days=11), by_minute=timedelta(days=12), by_hour=timedelta(days=13))
    for wanted in (Keep(), keep, keep):
        await Housekeeping(storage.pool, wanted).once()
    jobs = await storage.pool.fetch(
        """
        SELECT coalesce(a.view_name, j.hypertable_name) AS subject, j.proc_name,
            (j.config ->> 'drop_after')::interval AS drop_after,
            (j.config ->> 'compress_after')::interval AS compress_after
        FROM timescaledb_information.jobs AS j
        LEFT JOIN timescaledb_information.continuous_aggregates AS a
            ON a.materialization_hypertable_name = j.hypertable_name
        WHERE j.job_id >= 1000
        """
    )
    drops = {job["subject"]: job["drop_after"].days for job in jobs if job["proc_name"] == "policy_retention"}
    assert drops == {"positions": 11, "positions_1m": 12, "positions_1h": 13, "speeds_1h": 13}
    refreshed = {job["subject"] for job in jobs if "refresh" in job["proc_name"]}
    assert refreshed == {"positions_1m", "positions_1h", "speeds_1h"}
    assert [job["compress_after"].days for job in jobs if job["compress_after"]] == [2]


async def test_fix_that_is_written_late_is_in_the_rollups_as_long_as_fixes_are_kept(storage):
    keep, now = Keep(), datetime.now(UTC)
    await store(storage.history, walk(0, 1, now - timedelta(hours=3)))
    await Housekeeping(storage.pool, keep).once()
    await storage.run_policies()
    at = now - keep.raw + timedelta(days=1, hours=2)
    await store(storage.history, walk(0, 1, at))
    await storage.run_policies()
    for rollup in ("positions_1m", "positions_1h"):
        n = await storage.pool.fetchval(f"SELECT sum(n_fixes) FROM {rollup} WHERE bucket < $1", at + timedelta(hours=1))
        assert n == 1, rollup


async def test_compressed_chunks_are_smaller_and_read_the_same(storage):
    fixes = walk(0, 1000, every_s=1)
    await store(storage.history, fixes)
    before = await storage.pool.fetch("SELECT * FROM positions ORDER BY fixed_at")
    await storage.compress()
    sizes = await storage.pool.fetchrow("SELECT * FROM hypertable_columnstore_stats('positions')")
    assert sizes["after_compression_total_bytes"] < sizes["before_compression_total_bytes"]
    assert await storage.pool.fetch("SELECT * FROM positions ORDER BY fixed_at") == before


async def test_a_track_opens_only_the_chunks_of_its_span(storage):
    for weeks in range(4):
        await store(storage.history, walk(0, 30, START - timedelta(weeks=weeks)))
    plan = await storage.pool.fetch(
        "EXPLAIN (COSTS OFF) SELECT * FROM positions WHERE courier_id = $1 AND fixed_at >= $2 AND fixed_at < $3",
        COURIERS[0],
        START - timedelta(weeks=2),
        START - timedelta(weeks=2) + timedelta(hours=1),
    )
    text = "\n".join(row[0] for row in plan)
    assert text.count("Scan") <= 2, text
    assert "Seq Scan" not in text


async def test_a_large_fleet_gets_chunks_of_a_day_and_a_small_one_of_a_week(storage, monkeypatch):
    async def length():
        return await storage.pool.fetchval(
            "SELECT time_interval FROM timescaledb_information.dimensions WHERE hypertable_name = 'positions'"
        )

    await store(storage.history, walk(0, 100))
    await storage.refresh()
    for many, days in [(10, 1), (1000, 7)]:
        monkeypatch.setattr("tracking.history.housekeeping.MANY_FIXES", many)
        await Housekeeping(storage.pool, Keep()).once()
        assert await length() == timedelta(days=days)
