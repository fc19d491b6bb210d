"""
From the log to history, in large batches: the consumer group `history`.

An entry is acknowledged only after its fixes are committed, so a writer may die at any moment; whoever comes after it
stores the rest, and storing a fix twice changes nothing. Any number of writers may run.
"""

import asyncio
import logging
import os
import random
import secrets
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Protocol, TypeVar

from tracking import metrics, outages
from tracking.batch import PositionColumns
from tracking.log import HISTORY, Entry, PositionLog
from tracking.position import Region
from tracking.quarantine import Quarantined

log = logging.getLogger(__name__)

T = TypeVar("T")


class Sink(Protocol):
    """Where fixes go: `tracking.history.History`."""

    async def insert_many(self, columns: PositionColumns, slot: str) -> int:
        """Store fixes, each once; returns how many were new."""
        ...


class QuarantineSink(Protocol):
    """Where the unusable goes: `tracking.quarantine.QuarantineStore`."""

    async def insert_many(self, items: Sequence[tuple[str, int, Quarantined]]) -> None:
        """Keep items, each with its entry and its place there."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How the writer paces itself."""

    batch_fixes: int = 20_000
    """A batch is stored when it has so many fixes..."""
    linger_s: float = 0.25
    """... or when its first entry has waited so long."""
    read_entries: int = 500
    block_ms: int = 1000
    claim_idle_ms: int = 15_000
    """An entry that a writer got and did not acknowledge for so long is taken over: that writer is dead."""
    claim_every_s: float = 7.5
    trim_every_s: float = 1.0
    regions_every_s: float = 15.0
    """How soon a new region is noticed."""
    backoff_s: float = 0.2
    backoff_at_most_s: float = 5.0


class Writer:
    """Moves entries of all regions; one lane per region, so a region's batches are stored in order."""

    def __init__(
        self,
        position_log: PositionLog,
        history: Sink,
        quarantine: QuarantineSink,
        regions: Callable[[], Awaitable[Sequence[Region]]],
        *,
        pace: Pace | None = None,
        group: str = HISTORY,
    ) -> None:
        """`regions`: lists the regions there are, now."""
        self._log = position_log
        self._history = history
        self._quarantine = quarantine
        self._regions = regions
        self._pace = pace or Pace()
        self._group = group
        self._entry_fixes = 1.0
        """How many fixes an entry has of late; so a read brings about a batch, not five hundred times a large one."""
        self._consumer = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"

    async def run(self, stop: asyncio.Event) -> None:
        """Write until `stop`; outages of Redis and PostgreSQL are waited out."""
        lanes: dict[Region, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as group:
            while not stop.is_set():
                regions = await self._until_done(self._regions, stop)
                for region in regions or ():
                    if region not in lanes:
                        lanes[region] = group.create_task(self._lane(region, stop), name=f"writer {region}")
                await _pause(stop, self._pace.regions_every_s)

    async def _lane(self, region: Region, stop: asyncio.Event) -> None:
        await self._until_done(lambda: self._begin(region), stop)
        claimed_at = trimmed_at = -1e9
        # The next batch is read while this one is stored; what is read and not stored stays pending for the next one.
        async with asyncio.TaskGroup() as group:
            ahead: asyncio.Task[list[Entry] | None] | None = None
            while not stop.is_set():
                entries: list[Entry] = []
                if monotonic() - claimed_at > self._pace.claim_every_s:
                    claimed_at = monotonic()
                    entries = await self._until_done(lambda: self._claim(region), stop) or []
                if not entries:
                    ahead = ahead or group.create_task(self._until_done(lambda: self._gather(region), stop))
                    entries, ahead = await ahead or [], None
                if entries:
                    ahead = ahead or group.create_task(self._until_done(lambda: self._gather(region), stop))
                    await self._store(region, entries, stop)
                if monotonic() - trimmed_at > self._pace.trim_every_s:
                    trimmed_at = monotonic()
                    await self._until_done(lambda: self._tidy(region), stop)
            if ahead is not None and (entries := await ahead or []):
                await self._store(region, entries, stop)

    async def _begin(self, region: Region) -> None:
        await self._log.ensure_group(self._group, region)
        await self._log.forget_consumers(self._group, region)

    async def _claim(self, region: Region) -> list[Entry]:
        return await self._log.claim(
            self._group,
            self._consumer,
            region,
            idle_ms=self._pace.claim_idle_ms,
            count=self._pace.read_entries,
        )

    async def _gather(self, region: Region) -> list[Entry]:
        """Read until a batch is full or its first entry has waited long enough."""

        async def read(block_ms: int) -> list[Entry]:
            count = max(1, min(self._pace.read_entries, int(self._pace.batch_fixes / max(self._entry_fixes, 1.0))))
            return await self._log.read(self._group, self._consumer, region, count=count, block_ms=block_ms)

        entries = await read(self._pace.block_ms)
        deadline = monotonic() + self._pace.linger_s
        n = sum(entry.n for entry in entries)
        while entries and n < self._pace.batch_fixes and (left_s := deadline - monotonic()) > 0.001:
            try:
                more = await read(max(1, int(left_s * 1000)))
            except outages.REDIS:
                break  # what was read is stored first; the next read meets the outage again
            if not more:
                break
            entries += more
            n += sum(entry.n for entry in more)
        if entries:
            self._entry_fixes = n / len(entries)
        return entries

    async def _store(self, region: Region, entries: list[Entry], stop: asyncio.Event) -> None:
        """Store, then acknowledge; entries that can never be stored are put aside."""
        good, poisoned = _sort_out(entries)
        for entry, why in poisoned:
            await self._bury(region, entry, why, stop)
        if good and not await self._store_together(region, good, stop):
            for one in good:  # one of them is at fault: find it
                if not await self._store_together(region, [one], stop):
                    await self._bury(region, one[0], "cannot be stored", stop)

    async def _store_together(
        self, region: Region, good: list[tuple[Entry, PositionColumns]], stop: asyncio.Event
    ) -> bool:
        """False when the data is at fault. Raises nothing in an outage: waits."""
        columns = PositionColumns.concat([rows for _, rows in good])
        items = [
            (f"{region}/{entry.id}", place, item) for entry, _ in good for place, item in enumerate(entry.quarantined())
        ]

        async def store() -> int:
            await self._quarantine.insert_many(items)
            return await self._history.insert_many(columns, region) if len(columns) else 0

        try:
            n_stored = await self._until_done(store, stop)
        except Exception:
            log.exception("batch refused", extra={"event": "batch_refused", "region": region, "n_entries": len(good)})
            return False
        if n_stored is None:
            return True  # stopped in an outage: not acknowledged, so somebody stores it later
        metrics.FIXES_STORED.inc(n_stored)
        metrics.FIXES_DUPLICATE.inc(len(columns) - n_stored)
        ids = [entry.id for entry, _ in good]
        await self._until_done(lambda: self._log.ack(self._group, region, ids), stop)
        return True

    async def _bury(self, region: Region, entry: Entry, why: str, stop: asyncio.Event) -> None:
        log.error(
            "log entry put aside", extra={"event": "entry_buried", "region": region, "entry": entry.id, "why": why}
        )
        metrics.ENTRIES_BURIED.inc()

        async def bury() -> None:
            await self._log.bury(region, entry, why)
            await self._log.ack(self._group, region, [entry.id])

        await self._until_done(bury, stop)

    async def _tidy(self, region: Region) -> None:
        await self._log.trim(region)
        for lag in await self._log.lag(region):
            metrics.LOG_FIXES.labels(region, lag.group).set(lag.n_fixes)
            metrics.LOG_LAG_SECONDS.labels(region, lag.group).set(lag.seconds)

    async def _until_done(self, act: Callable[[], Awaitable[T]], stop: asyncio.Event) -> T | None:
        """Its result, trying again through outages with growing pauses; None when stopped during one."""
        wait_s = self._pace.backoff_s
        while True:
            try:
                return await act()
            except outages.EITHER as exc:
                outages.tell(log, "outage", exc, event="writer_outage", again_in_s=wait_s)
            await _pause(stop, wait_s * random.uniform(0.7, 1.3))  # noqa: S311 - spreads retries, guards nothing
            if stop.is_set():
                return None
            wait_s = min(2 * wait_s, self._pace.backoff_at_most_s)


def _sort_out(entries: Sequence[Entry]) -> tuple[list[tuple[Entry, PositionColumns]], list[tuple[Entry, str]]]:
    """Entries that can be unpacked, and those that cannot, with the reason."""
    good, poisoned = [], []
    for entry in entries:
        try:
            columns = entry.columns()
            entry.quarantined()
        except ValueError as exc:
            poisoned.append((entry, str(exc)))
        else:
            good.append((entry, columns))
    return good, poisoned


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    """Sleep, but not past `stop`."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
