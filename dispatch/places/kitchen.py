"""
What a place has to prepare and when it can, in seconds from now; no I/O.

A `Job` is the preparation of one order. `open_spans` says when a place works, by its own clock.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

AHEAD_S: Final = 48 * 3600
"""So far ahead a place is planned; nothing that begins later keeps anybody waiting now."""
DAY_MINUTES: Final = 1440


class Cause(StrEnum):
    """Why something cannot be made."""

    CLOSED = "closed"
    """The place is not open for long enough before it would have to be ready."""
    TOO_LATE = "too_late"
    """It could be ready only after it may not be collected any more."""
    SHELF_LIFE = "shelf_life"
    """It could only be made so early that it would be past its shelf life when the courier comes."""
    CAPACITY = "capacity"
    """The place has its hands full until it would be too late."""
    PROBLEM = "problem"
    """The place says that it cannot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """Opens every such day at `opens`, for up to a day; over midnight when it closes before it opens."""

    weekdays: frozenset[int]
    """0 is Monday."""
    opens: int
    """Minutes after midnight."""
    closes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """The preparation of one order."""

    key: str
    duration_s: int
    wanted_s: int = 0
    """When the courier is there, or it is asked for; 0: as soon as can be."""
    latest_s: int | None = None
    """Ready after that it is of no use."""
    shelf_s: int | None = None
    """It is ready at most so long before `wanted_s`."""
    earliest_s: int = 0
    """It is not begun before."""
    batch: str | None = None
    """What is made in one go with others of the same, as many as `Kitchen.batches` says; None: made alone."""
    amount: int = 1
    until_s: int | None = None
    """It has begun, and is ready then."""

    @property
    def has_begun(self) -> bool:
        """Whether it is being made."""
        return self.until_s is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kitchen:
    """What the place can do."""

    capacity: int
    """Jobs, or batches of them, at the same time."""
    spans: tuple[tuple[int, int], ...] = ((0, AHEAD_S),)
    """When it works: from, to; in order, without overlap. What is begun in one is ready in it."""
    batches: Mapping[str, int] = field(default_factory=dict)
    """How many pieces of what fit into one go."""

    def running(self, jobs: Iterable[Job]) -> list[Job]:
        """Those that take a place: where more was begun than there are places, those that take it longest."""
        begun = sorted((job for job in jobs if job.has_begun), key=lambda job: (-(job.until_s or 0), job.key))
        return begun[: self.capacity]


@dataclass(frozen=True, slots=True)
class Slot:
    """When a job is made."""

    starts_s: int
    ends_s: int


def open_spans(
    hours: Sequence[Hours], timezone: str, now: datetime, *, paused_until: datetime | None = None
) -> tuple[tuple[int, int], ...]:
    """
    When a place works in the time ahead, in seconds from now; without hours it always does.

    By the clock of the time zone, also on the days on which that is put forward or back.
    """
    first = 0 if paused_until is None else max(0, round((paused_until - now).total_seconds()))
    if not hours:
        return ((first, AHEAD_S),) if first < AHEAD_S else ()
    zone = ZoneInfo(timezone)
    today = now.astimezone(zone).date()
    found = []
    for offset in range(-1, AHEAD_S // 86_400 + 2):
        day = today + timedelta(days=offset)
        midnight = datetime.combine(day, time(), zone)
        for span in hours:
            if day.weekday() in span.weekdays:
                closes = span.closes if span.closes > span.opens else span.closes + DAY_MINUTES
                # Arithmetic within one zone is that of the clock on the wall, which is what is meant.
                starts, ends = (midnight + timedelta(minutes=minutes) for minutes in (span.opens, closes))
                found.append((_seconds(starts, now), _seconds(ends, now)))
    return _merged(found, first)


def _seconds(at: datetime, now: datetime) -> int:
    return round(at.timestamp() - now.timestamp())


def _merged(spans: Iterable[tuple[int, int]], first: int) -> tuple[tuple[int, int], ...]:
    merged: list[tuple[int, int]] = []
    for opens, closes in sorted(spans):
        starts, ends = max(opens, first), min(closes, AHEAD_S)
        if starts >= ends:
            continue
        if merged and starts <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(ends, merged[-1][1]))
        else:
            merged.append((starts, ends))
    return tuple(merged)


def starts_of(job: Job, spans: Sequence[tuple[int, int]], *, shelf: bool = True) -> list[tuple[int, int]]:
    """When the job may begin, were it alone: from, to; none: it cannot be made."""
    earliest, latest = job.earliest_s, AHEAD_S
    if job.latest_s is not None:
        latest = min(latest, job.latest_s - job.duration_s)
    if shelf and job.shelf_s is not None:
        earliest = max(earliest, job.wanted_s - job.shelf_s - job.duration_s)
    ranges = ((max(opens, earliest), min(closes - job.duration_s, latest)) for opens, closes in spans)
    return [(first, last) for first, last in ranges if first <= last]


def cause_of(job: Job, spans: Sequence[tuple[int, int]]) -> Cause:
    """Why a job that has no slot has none."""
    if starts_of(job, spans):
        return Cause.CAPACITY
    if starts_of(job, spans, shelf=False):
        return Cause.SHELF_LIFE
    if job.latest_s is not None and job.earliest_s + job.duration_s > job.latest_s:
        return Cause.TOO_LATE
    return Cause.CLOSED
