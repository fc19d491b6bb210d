"""
How well regions were served, by hour: counted once nothing can change it, so that a report over a year is quick.

What phones tell late has its true time, half a day back at most; the hours of the last two days are counted anew with
every step, which changes nothing that was right. What was not counted yet is counted when it is asked for.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import asyncpg

from dispatch.orders.happened import MAX_AGE
from sql import queries
from tracking import periodic

log = logging.getLogger(__name__)

SETTLED: Final = MAX_AGE + timedelta(hours=1)
"""After this nothing of an hour is told any more, and the longest offer has ended."""
AGAIN: Final = timedelta(days=2)
STEP: Final = timedelta(days=7)
"""Counted in one transaction where much is to be caught up with."""
OLDEST: Final = timedelta(days=400)
"""A report reaches back a year."""
EVERY_S: Final = 60.0
_BEGINNING: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Of an hour and of a day."""


class OrderHours:
    """Counts the hours that are over; several may run at once, they take turns by a row lock."""

    TABLE = "order_hours"
    UNIT = timedelta(hours=1)

    def __init__(self, pool: asyncpg.Pool, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._pool = pool
        self._now = now

    async def run(self, stop: asyncio.Event) -> None:
        """Count what is due every minute, until `stop`; a database that is away is a reason to try again later."""
        await periodic.run(
            self.once,
            stop,
            every_s=EVERY_S,
            log=log,
            message="counting of orders postponed",
            event=f"{self.TABLE}_postponed",
            name=self.TABLE.replace("_", " "),
        )

    async def once(self) -> None:
        """Everything that is due. Raises what asyncpg raises."""
        now = self._now()
        await self._pool.execute(self._query("begin"), now - OLDEST, now)
        while await self._step(now - SETTLED):
            pass

    async def _step(self, before: datetime) -> bool:
        """Count the next ones, and those just before them anew; False when there is no next one."""
        async with self._pool.acquire() as connection, connection.transaction():
            kept_until = await connection.fetchval(self._query("take_horizon"))
            if kept_until is None or kept_until + self.UNIT > before:
                return False
            until = min(kept_until + STEP, before - (before - _BEGINNING) % self.UNIT)
            await self._count(connection, kept_until - AGAIN, until)
            await connection.execute(self._query("move_horizon"), until)
        return True

    async def _count(self, connection: Any, since: datetime, until: datetime) -> None:
        """Anew."""
        await connection.execute(self._query("clear"), since, until)
        await connection.execute(self._query("count"), since, until)

    def _query(self, name: str) -> str:
        return queries[f"{self.TABLE}.{name}"]
