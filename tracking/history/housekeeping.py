"""
Keeps storage at its size: retention of fixes and rollups, compression, the quarantine's week.

On TimescaleDB these are policies, which the server's own workers run; here they are set to what the settings say, and
run where the engine has no workers (WebAssembly). On plain PostgreSQL this does the work itself: it keeps the rollups
of an hour, and moves the horizon from where they are made anew, in one transaction, so that the answers stay the same;
and it drops a day of fixes when its last hour is kept. It makes the parts for the days to come, too.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

import asyncpg

from sql import queries
from tracking import metrics, outages, periodic
from tracking.history.tracks import NO_COPY
from tracking.pause import pause

log = logging.getLogger(__name__)

REFRESHED: Final = {
    "positions_1m": timedelta(days=1),
    "speeds_1h": timedelta(days=1),
    "positions_1h": timedelta(hours=12),
}
"""Aggregates, finer ones first, are refreshed over what is kept of the fixes but this, which is about to go: so what is
written late, by a phone or by a writer that was days behind, is in them. Only what has changed costs anything."""
LATE_WRITER: Final = timedelta(days=2)
"""Fixes are kept so much longer than the oldest that is taken: time for the writer and the refresh."""
MANY_FIXES: Final = 5_000_000
"""Where a day brings more, chunks are a day long: some 800 MB before compression."""
STEP: Final = timedelta(hours=1)
"""Plain PostgreSQL rolls up so much in one transaction, so that no lock and no WAL burst lasts long."""
AHEAD: Final = timedelta(days=3)
"""Plain PostgreSQL has parts for so many days to come: so long housekeeping may be away before a fix lies elsewhere."""
DAY_LOCK_TIMEOUT: Final = "300ms"
"""Making and dropping a day wait for who reads and writes, and whoever comes later waits behind them: so not for long,
but again a minute later. A backup holds its locks for hours."""
COUNTED: Final = 1_000_000
"""Fixes of days without a part are counted so far, every minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """How long what is kept."""

    raw: timedelta = timedelta(days=30)
    """Every fix. Courier positions are personal data: high-rate ones are kept no longer than needed."""
    by_minute: timedelta = timedelta(days=90)
    by_hour: timedelta = timedelta(days=365)
    """Also the speeds by place, which name nobody."""
    uncompressed: timedelta = timedelta(days=2)
    """TimescaleDB compresses chunks older than this."""
    quarantine: timedelta = timedelta(days=7)
    oldest_fix: timedelta = timedelta(days=7)
    """So late a fix may come."""

    def __post_init__(self) -> None:
        if not self.oldest_fix + LATE_WRITER <= self.raw <= self.by_minute <= self.by_hour:
            raise ValueError("expected oldest_fix + 2 days <= raw <= by_minute <= by_hour")
        if self.uncompressed < timedelta(0):
            raise ValueError("expected uncompressed >= 0")


class Housekeeping:
    """Applies `Keep`; several may run at once, the work is guarded by row locks."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        keep: Keep | None = None,
        *,
        every_s: float = 60.0,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._pool = pool
        self._keep = keep or Keep()
        self._every_s = every_s
        self._now = now
        self._ran: dict[int, datetime] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Keep house until `stop`; a database that is away is a reason to try again later."""
        while not stop.is_set():
            try:
                await self.once()
                periodic.succeeded("housekeeping")
            except outages.DRIVERS as exc:
                outages.tell(log, "housekeeping postponed", exc, event="housekeeping_postponed")
            await pause(stop, self._every_s)

    async def once(self) -> None:
        """Everything that is due. Raises what asyncpg raises."""
        await self._pool.execute(queries["quarantine.delete_old"], self._now() - self._keep.quarantine)
        if await self._pool.fetchval(queries["housekeeping.has_timescaledb"]):
            await self._set_policies()
            version = await self._pool.fetchval(queries["positions.server"])
            if any(word in version for word in NO_COPY):
                await self._run_policies()
        else:
            await self._roll_up()
            await self._keep_days()

    async def _set_policies(self) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            # One of several housekeepers at a time; the others wait and then find nothing to change.
            await connection.execute(queries["housekeeping.take_turn"])
            await self._set_chunks(connection)
            for table, age in self._retention().items():
                config = await connection.fetchval(queries["housekeeping.retention_of"], table)
                if config != age:
                    await connection.execute(queries["housekeeping.drop_retention"], table)
                    await connection.execute(queries["housekeeping.add_retention"], table, age)
                    log.info("retention set", extra={"event": "retention_set", "table": table, "days": age.days})
            for aggregate, spared in REFRESHED.items():
                await connection.execute(queries["housekeeping.refresh_over"], aggregate, self._keep.raw - spared)
            if await connection.fetchval(queries["housekeeping.compression_of"]) != self._keep.uncompressed:
                await connection.execute(queries["housekeeping.drop_compression"])
                await connection.execute(queries["housekeeping.add_compression"], self._keep.uncompressed)

    async def _set_chunks(self, connection: asyncpg.Connection) -> None:
        """
        A chunk holds a week, or a day of a large fleet: the newest index must fit into memory, yet the columnstore
        packs small chunks badly (2 bytes a fix more, measured). Holds for chunks to come.
        """
        n = await connection.fetchval(queries["housekeeping.fixes_of_a_day"], self._now() - timedelta(days=1))
        wanted = timedelta(days=1 if n > MANY_FIXES else 7)
        if await connection.fetchval(queries["housekeeping.chunk_length"]) != wanted:
            await connection.execute(queries["housekeeping.set_chunk_length"], wanted)
            log.info("chunk length set", extra={"event": "chunk_length_set", "days": wanted.days})

    def _retention(self) -> dict[str, timedelta]:
        return {
            "positions": self._keep.raw,
            "positions_1m": self._keep.by_minute,
            "positions_1h": self._keep.by_hour,
            "speeds_1h": self._keep.by_hour,
        }

    async def _run_policies(self) -> None:
        """What background workers would do, where there are none: refresh, compress, drop."""
        now = self._now()
        for row in await self._pool.fetch(queries["housekeeping.jobs"]):
            ran = self._ran.get(row["job_id"])
            if ran is None or now - ran >= row["schedule_interval"]:
                self._ran[row["job_id"]] = now
                await self._pool.execute(queries["housekeeping.run_job"], row["job_id"])

    async def _roll_up(self) -> None:
        now = self._now()
        await self._pool.execute(
            queries["housekeeping.begin_horizons"], now - self._keep.raw, now - self._keep.by_minute
        )
        while await self._one_step(now - self._keep.raw, "positions"):
            pass
        while await self._one_step(now - self._keep.by_minute, "positions_1m"):
            pass
        await self._pool.execute(queries["housekeeping.drop_hours"], now - self._keep.by_hour)
        await self._pool.execute(queries["housekeeping.drop_speeds"], now - self._keep.by_hour)

    async def _keep_days(self) -> None:
        """Make the parts of positions for the days to come, and for as late as a fix may be; drop those rolled up."""
        now = self._now().astimezone(UTC)
        days = ((now - self._keep.oldest_fix - LATE_WRITER).date(), (now + AHEAD).date())
        await self._change_days("make_days", *days)
        await self._change_days("drop_days")
        missing = await self._pool.fetch(queries["housekeeping.missing_days"], now.date(), days[1])
        metrics.DAYS_MISSING.set(len(missing))
        metrics.FIXES_OF_NO_DAY.set(await self._pool.fetchval(queries["housekeeping.fixes_of_no_day"], COUNTED))

    async def _change_days(self, query: str, *arguments: date) -> None:
        """All or nothing; put off where somebody holds a lock for longer than others may be kept waiting."""
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute(queries["housekeeping.bound_lock_wait"], DAY_LOCK_TIMEOUT)
                await connection.execute(queries["housekeeping.take_turn"])
                n = await connection.fetchval(queries[f"housekeeping.{query}"], *arguments)
        except asyncpg.LockNotAvailableError as exc:
            outages.tell(log, "days postponed", exc, event="days_postponed", level=logging.INFO)
            return
        if n:
            log.info("days changed", extra={"event": "days_changed", "change": query, "n": n})

    async def _one_step(self, before: datetime, table: str) -> bool:
        """
        Roll up the oldest hour of a table and delete it, fixes in a part of a day excepted.

        False when nothing older than `before` is left.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            horizon = await connection.fetchval(queries["housekeeping.take_horizon"], table)
            until = horizon + STEP
            if until > before:
                return False
            await connection.execute(queries[f"housekeeping.keep_{table}"], until)
            if table == "positions":
                await connection.execute(queries["housekeeping.keep_speeds"], until)
            await connection.execute(queries["housekeeping.move_horizon"], table, until)
            await connection.execute(queries[f"housekeeping.delete_{table}"], until)
        return True
