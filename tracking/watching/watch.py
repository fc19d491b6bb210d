"""
From the log to stays, fence events and whatever else watches couriers: the consumer group `watch`.

    log ──tail──▶ slices of fixes ──▶ Lookout (tracks, stays, fence events), observers (alerts) ──▶ acknowledged
                                         └── recounts, one courier at a time, beside the reading

One watcher at a time watches a region (`tracking.lanes`), because a courier's fixes must be read by one; or, where the
log of the region has several parts (`tracking.parts`), one at a time each part and the couriers in it. When it is given
other parts the old ones are watched until all that is in them was seen; then their leases count no more, and the new
ones are taken over as from a watcher that died. Entries are
acknowledged after what they showed is committed, so a watcher may die at any moment: the next one reads its
unacknowledged entries again, builds each courier's track from history when it first hears of the courier, and writes
nothing twice. One that is too far behind loses its place before the log is full: what it missed is counted again from
history, and the phones are not turned away.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from time import monotonic
from typing import Final

import asyncpg
import redis.asyncio as aioredis
from prometheus_client import Counter, Histogram

from tracking import events, outages
from tracking import lease as leases
from tracking.batch import PositionColumns
from tracking.lanes import LaneParams, Lanes
from tracking.lease import Lease
from tracking.log import HISTORY, WATCH, Entry, PositionLog, entry_of
from tracking.parts import Layout, Part
from tracking.pause import first_to_end, pause
from tracking.position import Region
from tracking.streams import GROUP, Tail, Tails
from tracking.watching.findings import Findings
from tracking.watching.lookout import Lookout, WatchParams
from tracking.watching.observer import Observer, bearing

log = logging.getLogger(__name__)

WATCHED = Counter("postrider_watch_fixes_total", "Fixes looked at.")
SKIPPED = Counter("postrider_watch_fixes_skipped_total", "Fixes left to be counted from history.")
BATCH_SECONDS = Histogram("postrider_watch_batch_seconds", "From reading a batch of the log to its acknowledgement.")

SLICE_FIXES: Final = 1000
"""Looked at between two chances for the other tasks of the process: 50 to 100 ms."""
ONE_PART: Final = Layout()
HISTORY_WITHIN_S: Final = 10.0
LOOK_EVERY_S: Final = 0.2
LIST_WITHIN_S: Final = 1.0
"""Leases are not renewed meanwhile."""
CLAIM_ENTRIES: Final = 20
"""Of a watcher that died, at a time; an entry may have 10,000 fixes."""


class Watcher:
    """Watches every region whose lease it gets."""

    def __init__(
        self,
        *,
        pool: asyncpg.Pool,
        redis: aioredis.Redis,
        position_log: PositionLog,
        regions: Callable[[], Awaitable[Sequence[Region]]],
        observers: Sequence[Observer] = (),
        params: WatchParams | None = None,
        blocking: aioredis.Redis | None = None,
    ) -> None:
        """`blocking`: a client for the reads that wait, whose connections nobody else needs."""
        self._findings = Findings(pool)
        self._regions = regions
        self._names: list[Region] = []
        self._pool = pool
        self._redis = redis
        self._log = position_log
        self._observers = observers
        self._params = params = params or WatchParams()
        self.lanes = Lanes(
            pool,
            job="watch",
            regions=self._list_parts,
            work=self._watch,
            params=LaneParams(
                lease_s=params.lease_s,
                regions_every_s=params.regions_every_s,
                backoff_s=params.backoff_s,
                backoff_at_most_s=params.backoff_at_most_s,
            ),
        )
        self._tails = Tails(blocking or redis, group=WATCH, consumer=self.lanes.holder, block_ms=params.block_ms)

    async def run(self, stop: asyncio.Event) -> None:
        """Watch until `stop`; outages of Redis and PostgreSQL are waited out."""
        await self.lanes.run(stop)

    async def _list_parts(self) -> list[Region]:
        """What is to be watched now: regions, and parts where a log has several; as before while Redis is away."""
        regions = await self._regions()
        try:
            async with asyncio.timeout(LIST_WITHIN_S):
                self._names = await self._parts_now(regions)
        except outages.REDIS as exc:
            outages.tell(log, "parts of logs not known", exc, event="parts_not_known")
        return self._names or list(regions)

    async def _parts_now(self, regions: Sequence[Region]) -> list[Region]:
        names: list[Region] = []
        for region, layout in (await self._log.layouts(regions)).items():
            if layout == ONE_PART:
                names.append(region)
            else:
                names += [part.name for part in await self._log.due(WATCH, region, layout)]
        return names

    async def _watch(self, lease: Lease, stop: asyncio.Event) -> None:
        """Watch a region, or a part, until `stop`, or until it has other parts."""
        part = Part.named(lease.region)
        lease = replace(lease, region=part.region, part=part)
        due = await self._log.due(WATCH, part.region)
        if part not in due:
            return
        await leases.revoke(self._pool, lease.job, part.region, [one.name for one in due])
        await self._wait_for_history(part, stop)
        log.info("watching", extra={"event": "watching", "region": part.name})
        for observer in self._observers:
            observer.forget(lease)
        await self._log.ensure_group(WATCH, part)
        lookout = Lookout(
            lease,
            pool=self._pool,
            redis=self._redis,
            findings=self._findings,
            position_log=self._log,
            observers=self._observers,
            params=self._params,
        )
        await self._keep_up(lookout)
        await lookout.load_fences()
        # What the last watcher got and did not finish. It has no lease, so nobody else is at it.
        while entries := await self._log.claim(WATCH, self.lanes.holder, part, idle_ms=0, count=CLAIM_ENTRIES):
            await self._take_in(lookout, entries)
        try:
            with self._tails.follow({part.log: GROUP}) as tail:
                await first_to_end(self._read_on(lookout, tail, stop), lookout.recount_on())
        finally:
            lookout.end()

    async def _wait_for_history(self, part: Part, stop: asyncio.Event) -> None:
        """
        Until it has what was in the parts before: what is counted then is not counted, and told, once more.

        Not for long where no writer is there: what is missing then is counted again later, as always.
        """
        if (await self._log.layout(part.region)).n != part.n:
            return
        ends_at = monotonic() + HISTORY_WITHIN_S
        while part not in await self._log.due(HISTORY, part.region) and monotonic() < ends_at:
            if await pause(stop, LOOK_EVERY_S):
                return

    async def _read_on(self, lookout: Lookout, tail: Tail, stop: asyncio.Event) -> None:
        part, params = lookout.part, self._params
        ticked_at, claimed_at = float("-inf"), monotonic()
        is_last = (await self._log.layout(part.region)).n != part.n
        while not stop.is_set():
            taken = [entry_of(entry) for entry in await tail.take(min(params.tick_s, params.block_ms / 1000))]
            await self._take_in(lookout, taken)
            is_last = is_last or any(entry.parted for entry in taken)
            if is_last and part not in await self._log.due(WATCH, part.region):
                return
            if monotonic() - ticked_at > params.tick_s:
                ticked_at = monotonic()
                await self._tick(lookout)
            if monotonic() - claimed_at > params.lease_s:
                # One that was stopped may have got entries after its lease had passed to us, before it knew.
                claimed_at = monotonic()
                idle_ms = int(params.lease_s * 1000)
                left = await self._log.claim(WATCH, self.lanes.holder, part, idle_ms=idle_ms, count=CLAIM_ENTRIES)
                await self._take_in(lookout, left)
                is_last = is_last or any(entry.parted for entry in left)

    async def _take_in(self, lookout: Lookout, entries: Sequence[Entry]) -> None:
        """Show fixes to everybody, a bounded number at a time, then acknowledge them."""
        if not entries:
            return
        began = monotonic()
        parts = []
        for entry in entries:
            with bearing(lookout.lease.region, "read an entry"):  # the writer puts it among the dead letters
                parts.append(entry.columns())
        columns = PositionColumns.concat(parts)
        for first in range(0, len(columns), SLICE_FIXES):
            part = columns.take(slice(first, first + SLICE_FIXES))
            await lookout.look(part)
            for observer in self._observers:
                with bearing(lookout.lease.region, "show fixes"):
                    async with lookout.observing:
                        late = await observer.saw(lookout.lease, part)
                    await self._findings.note_late(lookout.lease.region, late, now=datetime.now(UTC))
            await asyncio.sleep(0)
        await self._log.ack(WATCH, lookout.part, [entry.id for entry in entries])
        WATCHED.inc(len(columns))
        BATCH_SECONDS.observe(monotonic() - began)

    async def _tick(self, lookout: Lookout) -> None:
        now = datetime.now(UTC)
        await self._keep_up(lookout)
        with bearing(lookout.lease.region, "read fences"):
            await lookout.load_fences()
        for observer in self._observers:
            with bearing(lookout.lease.region, "look at the clock"):
                async with lookout.observing:
                    await observer.tick(lookout.lease, now)
        await events.forget_old(self._redis, lookout.lease.region, now)
        lookout.forget_silent()

    async def _keep_up(self, lookout: Lookout) -> None:
        """Lose our place when we are so far behind that ingest would soon refuse fixes."""
        part = lookout.part
        behind = next((lag.n_fixes for lag in await self._log.lag(part) if lag.group == WATCH), 0)
        if behind <= self._params.behind_fixes // part.n:
            return
        since = await self._log.skip(WATCH, part)
        SKIPPED.inc(behind)
        log.error("too far behind", extra={"event": "watch_skipped", "region": part.name, "n_fixes": behind})
        await lookout.begin_anew(since)
        for observer in self._observers:
            observer.forget(lookout.lease)
