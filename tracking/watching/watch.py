"""
From the log to stays, fence events and whatever else watches couriers: the consumer group `watch`.

One watcher at a time watches a region (a lease in the database), because a courier's fixes must be read by one; another
waits to take over. Entries are acknowledged after what they showed is committed, so a watcher may die at any moment:
the next one reads its unacknowledged entries again, builds each courier's track from history when it first hears of
the courier, and writes nothing twice.

Late fixes that a track cannot place any more are noted in `recounts`; when history holds them, the courier's
stays and fence events are found again from there.
"""

import asyncio
import logging
import os
import secrets
import socket
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Final, NamedTuple, Protocol

import asyncpg
import redis.asyncio as aioredis
from prometheus_client import Counter, Gauge, Histogram

from sql import queries
from tracking import events, outages
from tracking.batch import MODES, PositionColumns, instant
from tracking.log import HISTORY, WATCH, Entry, PositionLog
from tracking.position import CourierId, Mark, Mode, Region
from tracking.quality import Limits
from tracking.watching import motion
from tracking.watching.fence import FenceIndex
from tracking.watching.fence_rows import fence_from_row
from tracking.watching.findings import Batch, Findings, Happening
from tracking.watching.geofence import FenceParams
from tracking.watching.motion import DEFAULT_PARAMS, MotionParams
from tracking.watching.track import State, TooLate, Track, TrackFix, TrackParams, believable, runs

log = logging.getLogger(__name__)

WATCHED = Counter("postrider_watch_fixes_total", "Fixes looked at.")
FOUND = Counter("postrider_watch_events_total", "Stays and fence events told, by type.", ["type"])
RECOUNTS = Counter("postrider_watch_recounts_total", "Couriers whose stays and fence events were found again.")
LEASES = Gauge("postrider_watch_leases", "Regions this process watches.")
BATCH_SECONDS = Histogram("postrider_watch_batch_seconds", "From reading a batch of the log to its acknowledgement.")
FENCES = Gauge("postrider_watch_fences", "Geofences looked at.", ["region"])
BAD_FENCES = Gauge(
    "postrider_watch_fences_set_aside", "Geofences that make no sense and are not looked at.", ["region"]
)

MICROS: Final = 1_000_000
RUN_GAP_S: Final = 600
"""Where no fix came for so long nothing of the past matters: longer than a gap, and than jumps have witnesses."""
LOOK_BACK_S: Final = (7_200, 86_400)
"""How far back a beginning is sought: first a little, then a day. A phone that is on all day has none: then its last
stay that stands is one."""
UNSETTLED_S: Final = 1_800
"""Younger than this, what is recorded of a stay may still change: by late fixes, or by the witnesses of a jump."""
LONGEST_FOLD_S: Final = 2 * 86_400
"""So long a stay is folded again as a whole; one still longer goes on from what is recorded of it."""


class Observer(Protocol):
    """Somebody else who looks at couriers: `dispatch.alerts.observer`."""

    async def saw(self, region: Region, columns: PositionColumns) -> Mapping[CourierId, int]:
        """
        Fixes came, in any order; they may come again.

        Returns the couriers whose fixes it must be shown in order, from an instant on (microseconds): `found_again`.
        """
        ...

    async def found_again(
        self, region: Region, courier_id: CourierId, fixes: Sequence[TrackFix], *, since_us: int, now: datetime
    ) -> None:
        """All fixes of a courier from an instant on, in order, without jumps: after late ones, and at the beginning."""
        ...

    async def tick(self, region: Region, now: datetime) -> None:
        """Look at the clock."""
        ...

    def forget(self, region: Region) -> None:
        """Somebody else may have watched the region meanwhile."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchParams:
    """How the watcher works."""

    motion: Mapping[Mode, MotionParams] = field(default_factory=lambda: DEFAULT_PARAMS)
    fences: FenceParams = field(default_factory=FenceParams)
    limits: Limits = field(default_factory=Limits)
    lease_s: float = 15.0
    """So long after a crash another watcher may take over."""
    tick_s: float = 5.0
    read_entries: int = 200
    block_ms: int = 500
    recount_after_s: float = 10.0
    """Late fixes often come in several requests: waits so long for the rest."""
    recounts_at_once: int = 20
    """Per tick; the rest waits in its table."""
    forget_after_s: float = 1800.0
    """A courier not heard of for so long is forgotten, and built from history when heard of again."""
    regions_every_s: float = 15.0
    backoff_s: float = 0.2
    backoff_at_most_s: float = 5.0


@dataclass(slots=True)
class _Region:
    """What the watcher knows of a region it watches."""

    region: Region
    index: FenceIndex = field(default_factory=FenceIndex)
    bad_fences: set[int] = field(default_factory=set)
    """Keys of stored fences that cannot be built."""
    tracks: dict[CourierId, Track] = field(default_factory=dict)
    heard_at: dict[CourierId, float] = field(default_factory=dict)
    """By the monotonic clock."""
    modes: dict[CourierId, Mode] = field(default_factory=dict)


class _Run(NamedTuple):
    """Fixes to fold, from a point on at which nothing of the past matters but what is said here."""

    start_us: int
    fixes: list[TrackFix]
    movement: motion.State = None
    """At the start."""
    testify_until_us: int | None = None
    """The fixes before only testify; None: there are none."""


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
    ) -> None:
        self._pool = pool
        self._redis = redis
        self._log = position_log
        self._regions = regions
        self._observers = observers
        self._params = params or WatchParams()
        self._findings = Findings(pool)
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"

    async def run(self, stop: asyncio.Event) -> None:
        """Watch until `stop`; outages of Redis and PostgreSQL are waited out."""
        lanes: dict[Region, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as group:
            while not stop.is_set():
                try:
                    for region in await self._regions():
                        if region not in lanes:
                            lanes[region] = group.create_task(self._lane(region, stop), name=f"watch {region}")
                except outages.DRIVERS as exc:
                    outages.tell(log, "regions not read", exc, event="regions_not_read")
                await _pause(stop, self._params.regions_every_s)

    async def _lane(self, region: Region, stop: asyncio.Event) -> None:
        backoff_s = self._params.backoff_s
        while not stop.is_set():
            try:
                if await self._take_lease(region):
                    LEASES.inc()
                    try:
                        await self._watch(_Region(region), stop)
                    finally:
                        LEASES.dec()
                backoff_s = self._params.backoff_s
                await _pause(stop, self._params.lease_s / 3)
            except outages.DRIVERS as exc:
                outages.tell(log, "watch interrupted", exc, event="watch_interrupted", region=region)
                await _pause(stop, backoff_s)
                backoff_s = min(2 * backoff_s, self._params.backoff_at_most_s)
        with suppress(*outages.DATABASE):
            await self._pool.execute(queries["watch_leases.release"], region, self._holder)

    async def _take_lease(self, region: Region) -> bool:
        row = await self._pool.fetchval(queries["watch_leases.take"], region, self._holder, self._params.lease_s)
        return row is not None

    async def _watch(self, seen: _Region, stop: asyncio.Event) -> None:
        """Watch a region until `stop`, or until the lease is lost."""
        region, params = seen.region, self._params
        log.info("watching", extra={"event": "watching", "region": region})
        for observer in self._observers:
            observer.forget(region)
        await self._log.ensure_group(WATCH, region)
        await self._load_fences(seen)
        # What the last watcher got and did not finish. It has no lease, so nobody else is at it.
        while entries := await self._log.claim(WATCH, self._holder, region, idle_ms=0, count=params.read_entries):
            await self._take_in(seen, entries)
        leased_at = monotonic()
        ticked_at = -1e9
        while not stop.is_set():
            if monotonic() - leased_at > params.lease_s / 3:
                if not await self._take_lease(region):
                    log.warning("lease lost", extra={"event": "watch_lease_lost", "region": region})
                    return
                leased_at = monotonic()
            entries = await self._log.read(
                WATCH, self._holder, region, count=params.read_entries, block_ms=params.block_ms
            )
            if entries:
                await self._take_in(seen, entries)
            if monotonic() - ticked_at > params.tick_s:
                ticked_at = monotonic()
                await self._tick(seen)

    async def _take_in(self, seen: _Region, entries: Sequence[Entry]) -> None:
        began = monotonic()
        parts = []
        for entry in entries:
            try:
                parts.append(entry.columns())
            except ValueError as exc:  # the writer buries it
                log.warning("entry not readable", extra={"event": "entry_poisoned", "entry": entry.id, "why": str(exc)})
        columns = PositionColumns.concat(parts)
        if len(columns):
            await self._look(seen, columns)
            for observer in self._observers:
                late = await observer.saw(seen.region, columns)
                await self._findings.note_late(seen.region, late, now=datetime.now(UTC))
        await self._log.ack(WATCH, seen.region, [entry.id for entry in entries])
        WATCHED.inc(len(columns))
        BATCH_SECONDS.observe(monotonic() - began)

    async def _look(self, seen: _Region, columns: PositionColumns) -> None:
        now = datetime.now(UTC)
        fixes = fixes_of(columns)
        for courier_id, mode in modes_of(columns).items():
            seen.modes[courier_id] = mode
        batch, late = Batch(), {}
        for courier_id, new in fixes.items():
            seen.heard_at[courier_id] = monotonic()
            track = seen.tracks.get(courier_id)
            if track is None:
                # History may not have the newest yet: looked at once more when it has.
                late[courier_id] = new[0].at_us
                continue
            for fix in new:
                try:
                    change = track.add(fix)
                except TooLate:
                    late[courier_id] = min(late.get(courier_id, fix.at_us), fix.at_us)
                else:
                    batch.add(courier_id, change.said, change.withdrawn)
        happenings = await self._findings.apply(seen.region, batch, now=now)
        await self._findings.note_late(seen.region, late, now=now)
        await self._tell(seen.region, happenings)
        for courier_id, from_us in late.items():
            if courier_id not in seen.tracks:
                await self._recount(seen, courier_id, from_us, fixes[courier_id], now=now)

    async def _recount(
        self,
        seen: _Region,
        courier_id: CourierId,
        from_us: int,
        more: Collection[TrackFix],
        *,
        now: datetime,
        noted_at: datetime | None = None,
    ) -> None:
        """Find a courier's stays and fence events again, from the last beginning before an instant, and go on there."""
        run = await self._run_from(courier_id, from_us, more)
        if run is None:
            if noted_at is not None:
                await self._findings.settle(courier_id, noted_at)  # erased meanwhile
            return
        start_us = run.start_us
        inside = await self._findings.inside_before(courier_id, run.fixes[0].at_us, seen.index)
        params = self._track_params(seen.modes.get(courier_id, Mode.CAR))
        # Off the event loop: a day of fixes takes a tenth of a second.
        track, said = await asyncio.to_thread(
            Track.fold, run.fixes, params, seen.index, State(run.movement, inside), from_us=run.testify_until_us
        )
        good = [fix for fix in believable(run.fixes, self._params.limits) if fix.at_us >= start_us]
        for observer in self._observers:
            await observer.found_again(seen.region, courier_id, good, since_us=start_us, now=now)
        happenings = await self._findings.replace(
            seen.region, courier_id, said, from_us=start_us, known=seen.index, noted_at=noted_at, now=now
        )
        seen.tracks[courier_id] = track
        RECOUNTS.inc()
        await self._tell(seen.region, happenings)

    async def _run_from(self, courier_id: CourierId, from_us: int, more: Collection[TrackFix]) -> "_Run | None":
        """The fixes from the last point on before an instant at which a fold may begin: a silence, or a stay."""
        known = {fix.at_us: fix for fix in more}
        fixes: list[TrackFix] = []
        for look_back_s in LOOK_BACK_S:
            since_us = from_us - look_back_s * MICROS
            fixes = await self._fixes_since(courier_id, since_us, known)
            if not fixes:
                return None
            begins = [run[0].at_us for run in runs(fixes, RUN_GAP_S)]
            first_us = max((us for us in begins if us <= from_us), default=begins[0])
            if first_us - since_us > RUN_GAP_S * MICROS:
                return _Run(first_us, [fix for fix in fixes if fix.at_us >= first_us])
        stay = await self._findings.stay_before(courier_id, from_us - UNSETTLED_S * MICROS)
        if stay is None:
            return _Run(first_us, [fix for fix in fixes if fix.at_us >= first_us])
        start_us, movement = stay.arrived_us, None
        if from_us - start_us > LONGEST_FOLD_S * MICROS:
            start_us = from_us - UNSETTLED_S * MICROS
            movement = motion.staying(stay, start_us - 1) if stay.open else None
        fixes = await self._fixes_since(courier_id, start_us - RUN_GAP_S * MICROS, known)
        return _Run(start_us, fixes, movement, start_us)

    async def _fixes_since(self, courier_id: CourierId, since_us: int, known: Mapping[int, TrackFix]) -> list[TrackFix]:
        stored = {fix.at_us: fix for fix in await self._findings.fixes(courier_id, instant(since_us))}
        return sorted(fix for fix in {**known, **stored}.values() if fix.at_us >= since_us)

    async def _tick(self, seen: _Region) -> None:
        now = datetime.now(UTC)
        await self._load_fences(seen)
        await self._recount_due(seen, now=now)
        for observer in self._observers:
            await observer.tick(seen.region, now)
        forgotten = monotonic() - self._params.forget_after_s
        for courier_id in [c for c, at in seen.heard_at.items() if at < forgotten]:
            seen.tracks.pop(courier_id, None)
            del seen.heard_at[courier_id]

    async def _recount_due(self, seen: _Region, *, now: datetime) -> None:
        before = now - timedelta(seconds=self._params.recount_after_s)
        due = await self._findings.due(seen.region, before=before, limit=self._params.recounts_at_once)
        if not due:
            return
        behind_s = max((lag.seconds for lag in await self._log.lag(seen.region) if lag.group == HISTORY), default=0.0)
        stored = now - timedelta(seconds=behind_s + 1.0)
        for courier_id, from_at, noted_at in due:
            if noted_at > stored:
                continue  # history does not have it yet
            track = seen.tracks.get(courier_id)
            # The newest may still be on their way to history: the track has them.
            more = track.fixes if track is not None else ()
            from_us = int(from_at.timestamp() * 1_000_000)
            await self._recount(seen, courier_id, from_us, more, now=now, noted_at=noted_at)

    async def _load_fences(self, seen: _Region) -> None:
        rows = await self._pool.fetch(queries["geofences.ids_in_force"], seen.region)
        ids = {row["id"].int: row["id"] for row in rows}
        for key in seen.index.fences.keys() - ids.keys():
            seen.index.remove(seen.index.fences[key])
        seen.bad_fences &= ids.keys()
        if new := [ids[key] for key in ids.keys() - seen.index.fences.keys() - seen.bad_fences]:
            fences = []
            for row in await self._pool.fetch(queries["geofences.many"], new):
                try:
                    fences.append(fence_from_row(row))
                except ValueError as exc:  # stored before it was refused: the others are looked at all the same
                    seen.bad_fences.add(row["id"].int)
                    log.warning(
                        "fence set aside",
                        extra={"event": "fence_set_aside", "fence_id": str(row["id"]), "why": str(exc)},
                    )
            fresh = await asyncio.to_thread(FenceIndex.of, [*seen.index.fences.values(), *fences])
            seen.index.take_over(fresh)
        FENCES.labels(seen.region).set(len(seen.index.fences))
        BAD_FENCES.labels(seen.region).set(len(seen.bad_fences))

    def _track_params(self, mode: Mode) -> TrackParams:
        params = self._params
        return TrackParams(motion=params.motion[mode], fences=params.fences, limits=params.limits)

    async def _tell(self, region: Region, happenings: Sequence[Happening]) -> None:
        for happening in happenings:
            FOUND.labels(happening.type).inc()
            await events.publish(self._redis, region, happening.type, happening.facts, at=happening.at)


def fixes_of(columns: PositionColumns) -> dict[CourierId, list[TrackFix]]:
    """The fixes of each courier that are not poor, by time."""
    found: dict[CourierId, list[TrackFix]] = {}
    good = columns.take((columns.marks & Mark.POOR_ACCURACY) == 0)
    rows = zip(
        good.courier.tolist(),
        good.fixed_us.tolist(),
        (good.lat_e7 / 1e7).tolist(),
        (good.lon_e7 / 1e7).tolist(),
        good.accuracy_dm.tolist(),
        strict=True,
    )
    for courier, fixed_us, lat, lon, accuracy_dm in rows:
        accuracy_m = None if accuracy_dm < 0 else accuracy_dm / 10
        courier_id = CourierId(columns.courier_ids[courier])
        found.setdefault(courier_id, []).append(TrackFix(fixed_us, lat, lon, accuracy_m))
    for fixes in found.values():
        fixes.sort()
    return found


def modes_of(columns: PositionColumns) -> dict[CourierId, Mode]:
    """How each courier travels, where the fixes say it."""
    return {
        CourierId(columns.courier_ids[courier]): known
        for courier, mode in zip(columns.courier.tolist(), columns.mode.tolist(), strict=True)
        if (known := MODES[mode]) is not None
    }


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
