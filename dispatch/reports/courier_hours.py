"""
How long and how far each courier worked: summed once an hour is over, so that a report over a year is quick.

Neither engine's rollups can say it alone: they know the way, and orders know who was busy. What was not summed yet is
made when it is asked for, by the same function of the database, so that the answers are the same.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg

from sql import queries
from tracking import periodic
from tracking.history.late_hours import SETTLED, WAIT

log = logging.getLogger(__name__)

STEP: Final = timedelta(hours=6)
"""Summed in one transaction where much is to be caught up with."""
EVERY_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How far back hours are summed."""

    oldest_fix: timedelta = timedelta(days=7)
    """So long before a courier was entered may be what the courier's phone sends."""
    by_hour: timedelta = timedelta(days=365)
    """So long hours are kept."""


class CourierHours:
    """Sums the hours that are over; several may run at once, they take turns by a row lock."""

    def __init__(
        self, pool: asyncpg.Pool, reach: Reach | None = None, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._pool = pool
        self._reach = reach or Reach()
        self._now = now

    async def run(self, stop: asyncio.Event) -> None:
        """Sum every minute, until `stop`; a database that is away is a reason to try again later."""
        await periodic.run(
            self.once,
            stop,
            every_s=EVERY_S,
            log=log,
            message="summing of hours postponed",
            event="courier_hours_postponed",
            name="courier hours",
        )

    async def once(self) -> None:
        """Everything that is due. Raises what asyncpg raises."""
        now = self._now()
        begin = (self._reach.oldest_fix, now - self._reach.by_hour)
        await self._pool.execute(queries["courier_hours.begin"], *begin)
        while await self._step(now - WAIT):
            pass
        while await self._again(now):
            pass

    async def _step(self, before: datetime) -> bool:
        """Sum the next hours; False when none that ended before `before` are left."""
        async with self._pool.acquire() as connection, connection.transaction():
            since = await connection.fetchval(queries["courier_hours.take_horizon"])
            if since is None or since + SETTLED > before:
                return False
            whole = before.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
            until = min(since + STEP, whole)
            await connection.execute(queries["courier_hours.sum"], since, until)
            await connection.execute(queries["courier_hours.move_horizon"], until)
        return True

    async def _again(self, now: datetime) -> bool:
        """Sum an hour anew for whom fixes came late; False when there is none."""
        async with self._pool.acquire() as connection, connection.transaction():
            due = await connection.fetch(queries["courier_hours.take_due"], now)
            if due:
                couriers = [row["courier_id"] for row in due]
                await connection.execute(queries["courier_hours.sum_tracked_again"], couriers, due[0]["hour"])
        return bool(due)
