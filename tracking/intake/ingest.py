"""
The use case of ingest: screen what phones sent, store it in one Redis round trip, and only then say so.

Concurrent uploads share a round trip (group commit): while one is under way the next ones gather, and go together,
also those of several regions, as long as one server has them.
What is accepted is in the append-only log when `accept` returns; what is quarantined too, with its reason.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final
from uuid import UUID

import msgspec
from redis.asyncio import Redis

from tracking import metrics, outages, tracing
from tracking.cluster import name_of_server
from tracking.errors import LogFull, LogUnavailable
from tracking.intake.presence import Presence, Shifts
from tracking.intake.sample import Sample
from tracking.intake.screening import Receipt, Screened, Upload, candidates, screen
from tracking.live import INDEXED_FOR_S, RECORD, records_of
from tracking.log import RegionKeys
from tracking.parts import Layout, layout_key, place_of
from tracking.position import Region
from tracking.quality import Limits, Reason
from tracking.quarantine import Quarantined
from tracking.script import Script

log = logging.getLogger(__name__)

_commit = Script("commit")

MOST_TOLD: Final = 10_000
"""Couriers remembered as told about; when there are more, all are forgotten and told once more."""

TRIES: Final = 3
"""So often an append that finds the log in other parts than it thought is made anew."""
ONE_PART: Final = Layout()

REFUSALS: Final[dict[type[LogFull | LogUnavailable], str]] = {LogFull: "full", LogUnavailable: "unavailable"}
"""How the metric names them."""

# From the start: Prometheus sees no growth in a series that begins with its first value.
for _reason in Reason:
    metrics.FIXES_QUARANTINED.labels(_reason)
for _refusal in ("busy", *REFUSALS.values()):
    metrics.REQUESTS_TURNED_AWAY.labels(_refusal)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much may wait, and how long."""

    log_fixes: int = 5_000_000
    """Fixes in a region's log that some reader has not acknowledged; beyond it, uploads are answered 503."""
    waiting_fixes: int = 50_000
    """Fixes waiting in this process for the next round trip; beyond it, uploads are answered 503."""
    indexed_for_s: float = INDEXED_FOR_S
    """A courier whose last fix is older is in no geo index (`tracking.live`)."""
    quarantine_courier_bytes: int = 262_144
    """What cannot be used is kept up to so many bytes of a courier in a minute; the rest is counted only."""
    quarantine_bytes: int = 16_777_216
    """The same of all couriers together, in this process."""
    commit_fixes: int = 10_000
    """Fixes in one round trip, of all its regions (a single larger upload goes alone)."""
    commit_timeout_s: float = 2.0
    """Redis must have answered by then, or the uploads are answered 503."""
    replicas: int = 0
    """Replicas of Redis that must have what was appended before it is answered 2xx; 0: none..."""
    replicas_within_s: float = 0.0
    """... within this time, or the uploads are answered 503: what was appended stays, and coming again does no harm."""
    pause_s: float = 0.25
    """After a failure, uploads are answered 503 at once for so long; then one round trip tries again."""


class _Waiting(msgspec.Struct, gc=False):
    upload: Upload
    receipt: asyncio.Future[Receipt]
    since: float
    """Monotonic."""
    trace: str
    """Of the request."""


@dataclass(slots=True)
class _Lane:
    """The uploads of one region that wait for the next round trip."""

    region: Region
    waiting: deque[_Waiting] = field(default_factory=deque)
    n_waiting: int = 0
    line: "_Line | None" = None
    """In which it waits."""
    closed_until: float = 0.0
    """On the monotonic clock; until then uploads are refused at once with `refusal`."""
    refusal: type[LogFull | LogUnavailable] = LogUnavailable

    def take(self, room: int) -> list[_Waiting]:
        """The first uploads, as many as have no more fixes than that."""
        group = []
        while self.waiting and room >= len(self.waiting[0].upload.readings):
            group.append(self.waiting.popleft())
            room -= len(group[-1].upload.readings)
        self.n_waiting -= _n_fixes(group)
        return group


@dataclass(slots=True)
class _Line:
    """The regions of one server whose uploads wait; they share its round trips, one at a time."""

    lanes: deque[_Lane] = field(default_factory=deque)
    task: asyncio.Task[None] | None = None


class _Group(msgspec.Struct):
    """Uploads of one region, ready to be stored."""

    lane: _Lane
    waiting: list[_Waiting]
    screened: Screened
    left: Sequence[Quarantined]
    """Unusable, and not kept."""
    packed_quarantine: bytes
    keys: list[str] = []
    args: list[bytes | int | float] = []


def _n_fixes(group: Sequence[_Waiting]) -> int:
    return sum(len(waiting.upload.readings) for waiting in group)


class Ingest:
    """Accepts uploads. One per process; `close` waits for what is under way."""

    def __init__(
        self,
        redis: Redis,
        *,
        limits: Limits | None = None,
        bounds: Bounds | None = None,
        clock: Callable[[], float] = time.time,
        presence: Presence | None = None,
    ) -> None:
        """`clock`: seconds since the Unix epoch; `presence`: who may be followed when, None: everybody."""
        self._redis = redis
        self._limits = limits or Limits()
        self._bounds = bounds or Bounds()
        self._clock = clock
        self._presence = presence
        self._sample = Sample(self._bounds.quarantine_courier_bytes, self._bounds.quarantine_bytes)
        self._lanes: dict[Region, _Lane] = {}
        self._lines: dict[str, _Line] = {}
        """By the name of the server (`tracking.cluster`)."""
        self._week_lost: set[UUID] = set()
        self._layouts: dict[Region, Layout] = {}
        """Of regions whose log is in other parts than usual, as the last append has found it."""

    def accept(self, upload: Upload) -> asyncio.Future[Receipt]:
        """
        Store an upload; the receipt is there when it is in the log.

        Raises LogFull (too much waits already) and LogUnavailable (Redis does not answer): nothing is promised then,
        and the phone sends it again.
        """
        lane = self._lanes.get(upload.region)
        if lane is None:
            lane = self._lanes[upload.region] = _Lane(upload.region)
        if lane.closed_until > time.monotonic():
            metrics.REQUESTS_TURNED_AWAY.labels(REFUSALS[lane.refusal]).inc()
            raise lane.refusal
        n = len(upload.readings)
        if lane.n_waiting and lane.n_waiting + n > self._bounds.waiting_fixes:
            metrics.REQUESTS_TURNED_AWAY.labels("busy").inc()
            raise LogFull
        receipt: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        lane.waiting.append(_Waiting(upload, receipt, time.monotonic(), tracing.carried()))
        lane.n_waiting += n
        self._stand_in_line(lane)
        return receipt

    async def close(self) -> None:
        """Wait until everything that was taken is stored or refused."""
        tasks = [line.task for line in self._lines.values() if line.task is not None]
        await asyncio.gather(*tasks)

    def _stand_in_line(self, lane: _Lane) -> None:
        line = lane.line
        if line is None:
            name = name_of_server(self._redis, RegionKeys(lane.region).log)
            line = lane.line = self._lines.setdefault(name, _Line())
            line.lanes.append(lane)
        if line.task is None:
            line.task = asyncio.create_task(self._drain(line), name="ingest")

    async def _drain(self, line: _Line) -> None:
        """Commit until nothing waits; ends then, so an idle region costs nothing."""
        try:
            # One turn of the loop lets the requests that are already here join the first round trip.
            await asyncio.sleep(0)
            while line.lanes:
                await self._commit_some(self._taken(line))
        finally:
            line.task = None

    def _taken(self, line: _Line) -> list[tuple[_Lane, list[_Waiting]]]:
        """What goes now: regions in turn, each with what there is room for."""
        taken: list[tuple[_Lane, list[_Waiting]]] = []
        room = self._bounds.commit_fixes
        for _ in range(len(line.lanes)):
            lane = line.lanes[0]
            first = _n_fixes([lane.waiting[0]]) if lane.waiting else 0
            group = lane.take(room if taken else max(room, first))
            room -= _n_fixes(group)
            if group:
                taken.append((lane, group))
            elif lane.waiting:
                break  # no room: it is the first of the next round trip
            line.lanes.popleft()
            lane.line = None
            if lane.waiting:
                self._stand_in_line(lane)
        return taken

    async def _commit_some(self, taken: Sequence[tuple[_Lane, list[_Waiting]]]) -> None:
        if not taken:
            return
        everybody = [waiting for _, group in taken for waiting in group]
        metrics.INGEST_WAIT_SECONDS.observe(time.monotonic() - min(waiting.since for waiting in everybody))
        traces = [waiting.trace for waiting in everybody if waiting.trace][: tracing.MOST_CARRIED]
        now_s = self._clock()
        ready: list[_Group] = []
        with metrics.INGEST_COMMIT_SECONDS.time(), tracing.going_on("commit to the log", traces, n=len(everybody)):
            for lane, waiting in taken:
                try:
                    ready.append(self._prepared(lane, waiting, now_s))
                except Exception as exc:  # noqa: BLE001 - whatever it is, every request must be answered
                    self._fail(lane, waiting, exc)
            answers = await self._store(ready, now_s)
        for group, answer in zip(ready, answers, strict=True):
            if isinstance(answer, Exception):
                self._fail(group.lane, group.waiting, answer)
                continue
            self._count(group, now_s)
            for one, receipt in zip(group.waiting, group.screened.receipts, strict=True):
                if not one.receipt.done():  # the client may have gone
                    one.receipt.set_result(receipt)

    async def _store(self, groups: Sequence[_Group], now_s: float) -> Sequence[Exception | None]:
        """For each whether it is stored as was promised, or why not."""
        if not groups:
            return []
        bounds = self._bounds
        try:
            async with asyncio.timeout(bounds.commit_timeout_s + bounds.replicas_within_s):
                answers = await self._run(groups)
                for _ in range(TRIES):
                    moved = [i for i, answer in enumerate(answers) if _layout_of(answer) is not None]
                    if not moved:
                        break
                    for i in moved:
                        self._layouts[groups[i].lane.region] = _layout_of(answers[i]) or ONE_PART
                        self._address(groups[i], now_s)
                    for i, answer in zip(moved, await self._run([groups[i] for i in moved]), strict=True):
                        answers[i] = answer
        except Exception as exc:  # noqa: BLE001 - told, and every request must be answered
            return [exc] * len(groups)
        return [self._failure(answer) for answer in answers]

    async def _run(self, groups: Sequence[_Group]) -> list[tuple[Any, int] | Exception]:
        return await _commit.run_each(
            self._redis,
            [(group.keys, group.args) for group in groups],
            replicas=self._bounds.replicas,
            within_ms=max(1, int(self._bounds.replicas_within_s * 1000)),  # 0 would be for ever
        )

    def _failure(self, answer: tuple[object, int] | Exception) -> Exception | None:
        if isinstance(answer, Exception):
            return answer
        entry, reached = answer
        if entry == -1:
            return LogFull()
        if _layout_of(answer) is not None:
            return LogUnavailable("The log is being parted anew; these positions may come again.")
        if reached < self._bounds.replicas:
            return LogUnavailable("Too few replicas have these positions; they may come again.")
        return None

    def _fail(self, lane: _Lane, group: Sequence[_Waiting], exc: Exception) -> None:
        """Answer these, who are not stored."""
        if isinstance(exc, LogFull | LogUnavailable):
            self._close_for_a_moment(lane, group, type(exc))
        elif isinstance(exc, outages.DRIVERS):
            outages.tell(log, "log unavailable", exc, event="log_unavailable", region=lane.region)
            self._close_for_a_moment(lane, group, LogUnavailable)
        else:
            log.error("commit failed", exc_info=exc, extra={"event": "commit_failed", "region": lane.region})
            for waiting in group:
                if not waiting.receipt.done():
                    waiting.receipt.set_exception(exc)

    def _close_for_a_moment(
        self, lane: _Lane, group: Sequence[_Waiting], refusal: type[LogFull | LogUnavailable]
    ) -> None:
        """Refuse these, whatever waits behind them, and for a moment whoever comes."""
        refused = [*group, *lane.waiting]
        lane.waiting.clear()
        lane.n_waiting = 0
        lane.refusal, lane.closed_until = refusal, time.monotonic() + self._bounds.pause_s
        metrics.REQUESTS_TURNED_AWAY.labels(REFUSALS[refusal]).inc(len(refused))
        for waiting in refused:
            if not waiting.receipt.done():
                waiting.receipt.set_exception(refusal())

    def _prepared(self, lane: _Lane, waiting: list[_Waiting], now_s: float) -> _Group:
        """Screen them, and what the script needs."""
        screened = screen([one.upload for one in waiting], now_s, self._limits)
        if self._presence is not None:
            screened = _on_shift(screened, lane.region, self._presence.shifts, now_s)
        kept, left = self._sample.parted(screened.quarantine, now_s) if screened.quarantine else ((), ())
        group = _Group(lane, waiting, screened, left, msgspec.msgpack.encode(kept) if kept else b"")
        self._address(group, now_s)
        return group

    def _address(self, group: _Group, now_s: float) -> None:
        """Set what `lua/commit.lua` takes, for the parts that the region's log has as far as is known."""
        region, screened, columns = group.lane.region, group.screened, group.screened.columns
        layout, packed_quarantine = self._layouts.get(region, ONE_PART), group.packed_quarantine
        traces = [one.trace for one in group.waiting if one.trace][: tracing.MOST_CARRIED]
        args: list[bytes | int | float] = [
            self._bounds.log_fixes,
            str(layout).encode(),
            layout.n,
            self._limits.jump_speed_mps,
            self._limits.jump_slack_m,
            int((now_s - self._bounds.indexed_for_s) * 1e6),
            " ".join(traces).encode(),
            2 * len(screened.heard_of),
        ]
        contact_ms = int(now_s * 1000)
        for courier_id in screened.heard_of:
            args += (courier_id, contact_ms)
        entries = {0: columns}
        if layout.n > 1 and len(columns):
            entries = columns.parted(partial(place_of, n=layout.n))
        for place, mine in entries.items():
            rows = candidates(mine)
            records = records_of(mine.take(rows)).tobytes()
            args += (place, len(mine), mine.pack() if len(mine) else b"", packed_quarantine, len(rows))
            packed_quarantine = b""  # goes with one of them
            ids = [courier_id.bytes for courier_id in mine.courier_ids]
            for i, row in enumerate(rows.tolist()):
                args += (ids[mine.courier[row]], row, records[i * RECORD.itemsize : (i + 1) * RECORD.itemsize])
        group.keys, group.args = _names(region, layout), args

    def _count(self, group: _Group, now_s: float) -> None:
        """What was stored."""
        screened = group.screened
        metrics.COMMITS.inc()
        metrics.FIXES_ACCEPTED.inc(len(screened.columns))
        metrics.observe_ages(now_s - screened.columns.fixed_us / 1e6)
        for name, n in screened.dropped.items():
            metrics.FIX_VALUES_DROPPED.labels(name).inc(n)
        for lost_id in screened.week_lost:
            metrics.WEEKS_CORRECTED.inc()
            self._tell_week_lost(lost_id)
        for item in group.left:
            metrics.QUARANTINE_NOT_KEPT.labels(item.reason).inc()
        for item in screened.quarantine:
            metrics.FIXES_QUARANTINED.labels(item.reason).inc()

    def _tell_week_lost(self, courier_id: UUID) -> None:
        """Once a courier: the phone, or its firmware, wants replacing."""
        if courier_id in self._week_lost:
            return
        if len(self._week_lost) >= MOST_TOLD:
            self._week_lost.clear()
        self._week_lost.add(courier_id)
        log.warning(
            "device is 1,024 weeks back, time corrected",
            extra={"event": "week_corrected", "courier_id": str(courier_id)},
        )


def _layout_of(answer: tuple[Any, int] | Exception) -> Layout | None:
    """The layout that the script told instead of appending."""
    if isinstance(answer, tuple) and isinstance(answer[0], list):
        return Layout.parse(answer[0][0])
    return None


def _names(region: Region, layout: Layout) -> list[str]:
    keys = RegionKeys(region)
    names = [layout_key(region), keys.live, keys.suspects, keys.contacts, *keys.geo]
    for part in layout.now(region):
        names += (part.log, part.appended, part.settled)
    for part in layout.older(region):
        names += (part.appended, part.settled)
    return names


def _on_shift(screened: Screened, region: Region, shifts: Shifts, now_s: float) -> Screened:
    """
    Without what says where somebody was off shift; counted, and answered as if it had been kept.

    That the phone was there is no place, and stays.
    """
    wanted = shifts.is_wanted(region, screened.columns)
    if wanted is None:
        return screened
    now_us = int(now_s * 1e6)
    quarantine = [item for item in screened.quarantine if shifts.is_wanted_now(region, item.courier_id, now_us)]
    metrics.FIXES_OFF_SHIFT.inc(int((~wanted).sum()) + len(screened.quarantine) - len(quarantine))
    return replace(screened, columns=screened.columns.take(wanted), quarantine=quarantine)
