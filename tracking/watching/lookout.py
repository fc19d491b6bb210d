"""
The couriers of a region, or of a part of its log, as their watcher knows them: tracks, and what these say of stays and
fences.

A courier's track is built from history when the courier is first heard of, and again when fixes come too late for it:
a recount. Recounts are made one after another beside the reading; what comes for the courier meanwhile waits for it.
Whoever is waiting is noted in `recounts` with the same commit that lets the log forget the fixes, so a successor knows.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from time import monotonic
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg
import redis.asyncio as aioredis
from prometheus_client import Counter, Gauge

from sql import queries
from tracking import events, outages
from tracking.batch import MODES, PositionColumns, instant, microseconds
from tracking.errors import LeaseLost
from tracking.lease import Lease
from tracking.log import HISTORY, PositionLog, RegionKeys
from tracking.parts import Part
from tracking.pause import pause_until
from tracking.position import CourierId, Mark, Mode
from tracking.quality import Limits
from tracking.watching import geofence, motion
from tracking.watching.fence import FenceIndex
from tracking.watching.fence_rows import fence_from_row
from tracking.watching.findings import Batch, Findings, Happening
from tracking.watching.fix_columns import TrackFix
from tracking.watching.geofence import FenceParams
from tracking.watching.motion import DEFAULT_PARAMS, MotionParams
from tracking.watching.observer import Observer, bearing
from tracking.watching.track import State, TooLate, Track, TrackParams, beginnings, believable

log = logging.getLogger(__name__)

FOUND = Counter("postrider_watch_events_total", "Stays and fence events told, by type.", ["type"])
RECOUNTS = Counter("postrider_watch_recounts_total", "Couriers whose stays and fence events were found again.")
WAITING = Gauge(
    "postrider_watch_recounts_waiting",
    "Couriers heard of whose track is still to be built.",
    ["region"],
    multiprocess_mode="livemostrecent",
)
COURIERS_ASIDE = Counter("postrider_watch_couriers_set_aside_total", "Times a courier's fixes could not be followed.")
FENCES = Gauge("postrider_watch_fences", "Geofences looked at.", ["region"], multiprocess_mode="livemostrecent")
BAD_FENCES = Gauge(
    "postrider_watch_fences_set_aside",
    "Geofences that make no sense and are not looked at.",
    ["region"],
    multiprocess_mode="livemostrecent",
)

MICROS: Final = 1_000_000
RUN_GAP_S: Final = 600
"""Where no fix came for so long, and then from another place, nothing of the past matters: longer than a gap, and than
jumps have witnesses."""
LOOK_BACK_S: Final = (7_200, 86_400)
"""How far back a beginning is sought: first a little, then a day. A phone that is on all day has none: then its last
stay that stands is one."""
UNSETTLED_S: Final = 1_800
"""Younger than this, what is recorded of a stay may still change: by late fixes, or by the witnesses of a jump."""
LONGEST_FOLD_S: Final = 2 * 86_400
"""So long a stay is folded again as a whole; one still longer goes on from what is recorded of it."""
WAIT_FIXES: Final = 2000
"""Fixes of a courier that wait for a recount; of more the oldest go, for history has them by then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchParams:
    """How the watcher works."""

    motion: Mapping[Mode, MotionParams] = field(default_factory=lambda: DEFAULT_PARAMS)
    fences: FenceParams = field(default_factory=FenceParams)
    limits: Limits = field(default_factory=Limits)
    lease_s: float = 8.0
    """So long after a crash another watcher may take over."""
    tick_s: float = 5.0
    block_ms: int = 500
    recount_after_s: float = 10.0
    """Late fixes often come in several requests: waits so long for the rest."""
    recounts_at_once: int = 20
    """Read at a time; the rest waits in its table."""
    recounts_side_by_side: int = 4
    """Counting is mostly waiting for the database; after a restart every courier of the region is counted."""
    forget_after_s: float = 1800.0
    """A courier not heard of for so long is forgotten, and built from history when heard of again."""
    behind_fixes: int = 4_000_000
    """More fixes unread than this and the watcher loses its place; less than the log may hold."""
    regions_every_s: float = 5.0
    """How soon a new region, or one whose log has other parts, is noticed."""
    backoff_s: float = 0.2
    backoff_at_most_s: float = 5.0


class _Run(NamedTuple):
    """Fixes to fold, from a point on at which nothing of the past matters but what is said here."""

    start_us: int
    fixes: list[TrackFix]
    movement: motion.State = None
    """At the start."""
    testify_until_us: int | None = None
    """The fixes before only testify; None: there are none."""


class Lookout:
    """Of one region, or of the couriers in one part of its log, for as long as its lease is held."""

    def __init__(
        self,
        lease: Lease,
        *,
        pool: asyncpg.Pool,
        redis: aioredis.Redis,
        findings: Findings,
        position_log: PositionLog,
        observers: Sequence[Observer],
        params: WatchParams,
    ) -> None:
        self.lease = lease
        self.part = lease.part or Part(lease.region)
        self.observing = asyncio.Lock()
        """Observers are shown one thing at a time."""
        self._observers = observers
        self._pool = pool
        self._redis = redis
        self._findings = findings
        self._log = position_log
        self._params = params
        self._index = FenceIndex()
        self._bad_fences: dict[int, int] = {}
        """Those that make no sense, with the version that does not."""
        self._tracks: dict[CourierId, Track] = {}
        self._heard_at: dict[CourierId, float] = {}
        self._modes: dict[CourierId, Mode] = {}
        self._waiting: dict[CourierId, list[TrackFix]] = {}
        """Fixes of couriers who are to be counted, or are being counted."""
        self._noted: dict[CourierId, int] = {}
        """For whom of them a note stands that nobody has begun to settle, and from when on it has them counted."""
        self._unknown: deque[CourierId] = deque()
        """Those of them who have no track yet, the longest waiting first."""
        self._wanted = asyncio.Event()

    async def look(self, columns: PositionColumns) -> None:
        """Take in fixes and write what they show."""
        now = datetime.now(UTC)
        self._modes |= modes_of(columns)
        batch, late = Batch(), {}
        for courier_id, new in fixes_of(columns).items():
            self._heard_at[courier_id] = monotonic()
            try:
                from_us = self._add(courier_id, new, batch)
            except Exception as exc:  # noqa: BLE001 - the other couriers are followed all the same
                self._set_aside(courier_id, exc)
                from_us = new[0].at_us
            if from_us is not None:
                late[courier_id] = from_us
        await self._write(batch, now)
        self._noted |= {courier_id: us for courier_id, us in late.items() if courier_id in self._waiting}
        await self._findings.note_late(self.lease.region, late, now=now)
        WAITING.labels(self.part.name).set(len(self._unknown))

    def _add(self, courier_id: CourierId, new: Sequence[TrackFix], batch: Batch) -> int | None:
        """Put a courier's fixes in their places; from when on they must be counted again, if they must."""
        track, waiting = self._tracks.get(courier_id), self._waiting.get(courier_id)
        if waiting is not None:
            waiting += new
            del waiting[:-WAIT_FIXES]
            # Thousands wait after a restart; to note each of their fixes costs more than to count them.
            return None if new[0].at_us >= self._noted.get(courier_id, new[-1].at_us + 1) else new[0].at_us
        if track is None:
            # History may not have the newest yet: looked at once more when it has.
            self._waiting[courier_id] = list(new)
            self._unknown.append(courier_id)
            self._wanted.set()
            return new[0].at_us
        late = None
        for fix in new:
            try:
                change = track.add(fix)
            except TooLate:
                late = fix.at_us if late is None else min(late, fix.at_us)
            else:
                batch.add(courier_id, change.said, change.withdrawn)
        return late

    async def _write(self, batch: Batch, now: datetime) -> None:
        try:
            happenings = await self._findings.apply(self.lease, batch, now=now)
        except outages.DATA:
            happenings = []
            for courier_id, one in batch.by_courier().items():
                try:
                    happenings += await self._findings.apply(self.lease, one, now=now)
                except outages.DATA as exc:
                    self._set_aside(courier_id, exc)
        await self._tell(happenings)

    def _set_aside(self, courier_id: CourierId, exc: Exception) -> None:
        """Forget a courier's track, to be built anew from history with the next fix."""
        COURIERS_ASIDE.inc()
        self._tracks.pop(courier_id, None)
        outages.tell(
            log,
            "courier set aside",
            exc,
            event="courier_set_aside",
            region=self.lease.region,
            courier_id=str(courier_id),
        )

    async def begin_anew(self, since: datetime) -> None:
        """Forget everything: what came since then was not seen, and is counted from history when it is there."""
        self._tracks.clear()
        self._waiting.clear()
        self._noted.clear()
        self._unknown.clear()
        contacts: dict[Any, Any] = await self._redis.hgetall(RegionKeys(self.lease.region).contacts)
        since_ms, from_us = since.timestamp() * 1000, microseconds(since) - LOOK_BACK_S[0] * MICROS
        heard = {CourierId(UUID(bytes=bytes(raw))) for raw, at in contacts.items() if float(at) >= since_ms}
        missed = {courier_id: from_us for courier_id in heard if self.part.has(courier_id)}
        await self._findings.note_late(self.lease.region, missed, now=datetime.now(UTC))

    def end(self) -> None:
        """Nothing waits here any more."""
        WAITING.labels(self.part.name).set(0)

    def forget_silent(self) -> None:
        """Let go of couriers who have not been heard of for long."""
        forgotten = monotonic() - self._params.forget_after_s
        for courier_id in [c for c, at in self._heard_at.items() if at < forgotten]:
            self._tracks.pop(courier_id, None)
            self._modes.pop(courier_id, None)
            del self._heard_at[courier_id]

    # -- fences ---------------------------------------------------------------------------------------------------

    async def load_fences(self) -> None:
        """Look at the fences in force; one that makes no sense is set aside."""
        region, index = self.lease.region, self._index
        rows = await self._pool.fetch(queries["geofences.ids_in_force"], region)
        ids = {row["id"].int: row["id"] for row in rows}
        versions = {row["id"].int: row["version"] for row in rows}
        for key in index.fences.keys() - ids.keys():
            index.remove(index.fences[key])
        self._bad_fences = {key: version for key, version in self._bad_fences.items() if versions.get(key) == version}
        known = {key for key, fence in index.fences.items() if fence.version == versions[key]}
        if new := [ids[key] for key in ids.keys() - known - self._bad_fences.keys()]:
            fences = []
            for row in await self._pool.fetch(queries["geofences.many"], new):
                try:
                    fences.append(fence_from_row(row))
                except Exception as exc:  # noqa: BLE001 - stored before it was refused: the others are looked at
                    self._bad_fences[row["id"].int] = row["version"]
                    log.warning(
                        "fence set aside",
                        extra={"event": "fence_set_aside", "fence_id": str(row["id"]), "why": str(exc)},
                    )
            fresh = await asyncio.to_thread(FenceIndex.of, [*map(index.fences.__getitem__, known), *fences])
            index.take_over(fresh)
        FENCES.labels(region).set(len(index.fences))
        BAD_FENCES.labels(region).set(len(self._bad_fences))

    # -- recounts -------------------------------------------------------------------------------------------------

    async def recount_on(self) -> None:
        """Count couriers again for as long as the region is watched: those heard of first, those noted as late."""
        due_at = monotonic()
        while True:
            if not self._unknown:
                await pause_until(max(0.0, due_at - monotonic()), self._wanted)
            self._wanted.clear()
            while self._unknown and monotonic() < due_at:
                n_next = min(len(self._unknown), self._params.recounts_side_by_side)
                heard_of = [self._unknown.popleft() for _ in range(n_next)]
                first = {
                    courier_id: fixes[0].at_us for courier_id in heard_of if (fixes := self._waiting.get(courier_id))
                }
                await _side_by_side([self._recount(courier_id, from_us) for courier_id, from_us in first.items()])
            if monotonic() >= due_at:
                n = await self._recount_due(now=datetime.now(UTC))
                # Who has no track yet comes first: fixes wait for it.
                is_more = n == self._params.recounts_at_once and not self._unknown
                due_at = monotonic() + min(self._params.tick_s, 0.5 if is_more else self._params.tick_s)

    async def _recount_due(self, *, now: datetime) -> int:
        """Count the couriers again whose late fixes history holds by now; how many were due."""
        before = now - timedelta(seconds=self._params.recount_after_s)
        due = await self._findings.due(self.part, before=before, limit=self._params.recounts_at_once)
        if not due:
            return 0
        behind_s = max(
            (lag.seconds for lag in await self._log.lag(self.lease.region) if lag.group == HISTORY), default=0
        )
        stored = now - timedelta(seconds=behind_s + 1.0)
        for courier_id, _, _, mode in due:
            self._modes.setdefault(courier_id, mode)
        ready = [(courier_id, from_at, noted_at) for courier_id, from_at, noted_at, _ in due if noted_at <= stored]
        for first in range(0, len(ready), self._params.recounts_side_by_side):
            some = ready[first : first + self._params.recounts_side_by_side]
            await _side_by_side(
                [self._recount(courier_id, microseconds(at), noted_at=noted_at) for courier_id, at, noted_at in some]
            )
        return len(ready)

    async def _recount(self, courier_id: CourierId, from_us: int, *, noted_at: datetime | None = None) -> None:
        """Find a courier's stays and fence events again, from the last beginning before an instant, and go on there."""
        if noted_at is not None:
            self._noted.pop(courier_id, None)  # the note is settled with what waits now: what comes is noted again
        waited = tuple(self._waiting.setdefault(courier_id, []))
        self._heard_at.setdefault(courier_id, monotonic())  # or what is built now would never be forgotten
        try:
            track = await self._count(courier_id, from_us, waited, noted_at)
        except LeaseLost:
            raise
        except outages.DATA as exc:
            await self._give_up(courier_id, noted_at, exc)
        except outages.DRIVERS:
            raise
        except Exception as exc:  # noqa: BLE001 - the other couriers are counted all the same
            await self._give_up(courier_id, noted_at, exc)
        else:
            self._noted.pop(courier_id, None)
            came = set(self._waiting.pop(courier_id, [])).difference(waited)
            if track is not None:
                self._tracks[courier_id] = track
                RECOUNTS.inc()
                await self._go_on(courier_id, sorted(came))

    async def _go_on(self, courier_id: CourierId, came: Sequence[TrackFix]) -> None:
        """Add what came while the courier was counted."""
        batch, now = Batch(), datetime.now(UTC)
        late = self._add(courier_id, came, batch)
        await self._write(batch, now)
        if late is not None:
            await self._findings.note_late(self.lease.region, {courier_id: late}, now=now)

    async def _count(
        self, courier_id: CourierId, from_us: int, waited: Sequence[TrackFix], noted_at: datetime | None
    ) -> Track | None:
        held = self._tracks.get(courier_id)
        # The newest may still be on their way to history: the track has them, or they wait.
        more = [*(held.fixes if held is not None else ()), *waited]
        run = await self._run_from(courier_id, from_us, more)
        if run is None:
            if noted_at is not None:
                await self._findings.settle(self.lease, courier_id, noted_at)  # erased meanwhile
            return None
        inside = geofence.EMPTY
        if self._index.fences:
            inside = await self._findings.inside_before(courier_id, run.fixes[0].at_us, self._index)
        params = self._track_params(self._modes.get(courier_id, Mode.CAR))
        # Off the event loop: a day of fixes takes a tenth of a second.
        track, said = await asyncio.to_thread(
            Track.fold, run.fixes, params, self._index, State(run.movement, inside), from_us=run.testify_until_us
        )
        now = datetime.now(UTC)
        good = [fix for fix in believable(run.fixes, self._params.limits) if fix.at_us >= run.start_us]
        for observer in self._observers:
            with bearing(self.lease.region, "show again"):
                async with self.observing:
                    await observer.found_again(self.lease, courier_id, good, since_us=run.start_us, now=now)
        happenings = await self._findings.replace(
            self.lease, courier_id, said, from_us=run.start_us, known=self._index, noted_at=noted_at, now=now
        )
        await self._tell(happenings)
        return track

    async def _give_up(self, courier_id: CourierId, noted_at: datetime | None, exc: Exception) -> None:
        """A courier who cannot be counted waits for the next fix, and keeps nobody from being counted."""
        self._waiting.pop(courier_id, None)
        self._noted.pop(courier_id, None)
        self._set_aside(courier_id, exc)
        if noted_at is not None:
            await self._findings.settle(self.lease, courier_id, noted_at)

    async def _run_from(self, courier_id: CourierId, from_us: int, more: Collection[TrackFix]) -> "_Run | None":
        """The fixes from the last point on before an instant at which a fold may begin: a silence, or a stay."""
        known = {fix.at_us: fix for fix in more}
        fixes: list[TrackFix] = []
        for look_back_s in LOOK_BACK_S:
            since_us = from_us - look_back_s * MICROS
            fixes = await self._fixes_since(courier_id, since_us, known)
            if not fixes:
                return None
            params = self._track_params(self._modes.get(courier_id, Mode.CAR))
            begins = list(beginnings(fixes, RUN_GAP_S, params))
            first_us = max((us for us in begins if us <= from_us), default=fixes[0].at_us)
            if first_us - since_us > RUN_GAP_S * MICROS:
                return _Run(first_us, [fix for fix in fixes if fix.at_us >= first_us])
        stay = await self._findings.stay_before(courier_id, from_us - UNSETTLED_S * MICROS)
        if stay is None:
            return _Run(first_us, [fix for fix in fixes if fix.at_us >= first_us])
        start_us, movement = stay.arrived_us, None
        if from_us - start_us > LONGEST_FOLD_S * MICROS:
            start_us = from_us - UNSETTLED_S * MICROS
            movement = _midst(stay, fixes, start_us) if stay.open else None
        fixes = await self._fixes_since(courier_id, start_us - RUN_GAP_S * MICROS, known)
        return _Run(start_us, fixes, movement, start_us)

    async def _fixes_since(self, courier_id: CourierId, since_us: int, known: Mapping[int, TrackFix]) -> list[TrackFix]:
        stored = {fix.at_us: fix for fix in await self._findings.fixes(courier_id, instant(since_us))}
        return sorted(fix for fix in {**known, **stored}.values() if fix.at_us >= since_us)

    def _track_params(self, mode: Mode) -> TrackParams:
        params = self._params
        return TrackParams(motion=params.motion[mode], fences=params.fences, limits=params.limits)

    async def _tell(self, happenings: Sequence[Happening]) -> None:
        for happening in happenings:
            FOUND.labels(happening.type).inc()
            await events.tell(self._redis, [(self.lease.region, happening.type, happening.facts)], at=happening.at)


async def _side_by_side(work: Sequence[Coroutine[Any, Any, None]]) -> None:
    """All of it to its end; then raises what the first that failed raised."""
    for outcome in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


def _midst(stay: motion.Stay, fixes: Sequence[TrackFix], at_us: int) -> motion.Staying:
    """The state at an instant of a stay that goes on, with the fixes of the day before it."""
    before = [fix.at_us for fix in fixes if fix.at_us < at_us] or [at_us - 1]
    return motion.staying(stay, before[-1], max((b - a for a, b in pairwise(before)), default=0))


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
