"""
Which processes run a region: the large ones have processes of their own, so that the small ones do not wait for them.

A region is large by its couriers at work and its open orders of the next hours. Between half of the bound and the bound
it stays with whoever has it, so that it does not go to and fro. Where no process for the large ones lives they are run
with all others: slowly is better than not at all.
"""

from dataclasses import dataclass

import asyncpg

from sql import queries
from tracking.position import Region


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """Processes that share regions: the large ones, or all others."""

    pool: asyncpg.Pool
    large_from: int
    """Couriers and orders together that make a region large; 0: none is."""
    is_large: bool = False

    def name(self, job: str) -> str:
        """Under which its processes say that they live."""
        return large_crew(job) if self.is_large else job

    async def regions(self, job: str) -> list[Region]:
        """Those that it should run now."""
        rows = await _by_size(self.pool, job, self.large_from)
        if self.is_large:
            return [Region(row["id"]) for row in rows if row["is_large"]]
        return [Region(row["id"]) for row in rows if not (row["is_large"] and row["lives"])]


async def some_are_large(pool: asyncpg.Pool, job: str, large_from: int) -> bool:
    """Whether there is work for processes of their own."""
    return any(row["is_large"] for row in await _by_size(pool, job, large_from))


def large_crew(job: str) -> str:
    """The name of the crew that runs the large regions of a job."""
    return f"{job} of large regions"


async def _by_size(pool: asyncpg.Pool, job: str, large_from: int) -> list[asyncpg.Record]:
    rows: list[asyncpg.Record] = await pool.fetch(queries["planning.by_size"], job, large_crew(job), large_from)
    return rows
