"""The engines that must give the same answers: each contract test runs on all of them."""

from dataclasses import dataclass

import asyncpg
import pytest

from tracking.history.history import History

AGGREGATES = ("positions_1m", "positions_1h", "speeds_1h")


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """A migrated, empty database."""

    pool: asyncpg.Pool
    history: History
    is_timescale: bool

    async def refresh(self) -> None:
        """Make the aggregates of everything, as the policies do in time; nothing to do for views."""
        if self.is_timescale:
            for name in AGGREGATES:
                await self.pool.execute(f"CALL refresh_continuous_aggregate('{name}', NULL, NULL)")

    async def compress(self) -> None:
        """Compress every chunk of fixes."""
        if self.is_timescale:
            for row in await self.pool.fetch("SELECT show_chunks('positions') AS chunk"):
                await self.pool.execute(f"CALL convert_to_columnstore('{row['chunk']}', if_not_columnstore => true)")

    async def run_policies(self) -> None:
        """What TimescaleDB's workers do by themselves in time."""
        if self.is_timescale:
            jobs = await self.pool.fetch(
                "SELECT job_id FROM timescaledb_information.jobs WHERE job_id >= 1000 "
                "ORDER BY schedule_interval, job_id"
            )
            for job in jobs:
                await self.pool.execute(f"CALL run_job({job['job_id']})")


async def leave_session_alone(_connection):
    """RESET ALL would set the search path of every client of a shared session."""


@pytest.fixture(params=["postgres", "timescale-wasm", "timescale-native"])
async def storage(request):
    is_timescale = request.param != "postgres"
    name = f"{request.param.replace('-', '_')}_url" if is_timescale else "database_url"
    url = request.getfixturevalue(name)
    options = {"reset": leave_session_alone, "statement_cache_size": 0} if request.param == "timescale-wasm" else {}
    async with asyncpg.create_pool(url, min_size=1, max_size=3, **options) as pool:
        made = Storage(pool=pool, history=History(pool), is_timescale=is_timescale)
        if is_timescale:
            await pool.execute("TRUNCATE positions, position_turns, erased_couriers")
            await pool.execute("DELETE FROM couriers")
            await made.refresh()
        yield made
