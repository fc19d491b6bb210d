"""Couriers as dispatch knows them: what they can carry, when they work; no I/O."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from tracking.position import CourierId, LatLon, Mode, Region

WINDOW_GRACE = timedelta(minutes=15)
"""A break that begins so much before or after its window is still the one that was planned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftBreak:
    """A pause within a shift: starts within [opens_at, closes_at], lasts duration_s."""

    opens_at: datetime
    closes_at: datetime
    duration_s: int

    def __post_init__(self) -> None:
        if self.closes_at < self.opens_at:
            raise ValueError("expected opens_at <= closes_at")
        if self.duration_s <= 0:
            raise ValueError("expected duration_s > 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """A break as it was taken, planned or not."""

    began_at: datetime
    duration_s: int
    """How long it is meant to last."""
    ended_at: datetime | None = None
    """None: it is going on."""
    id: UUID | None = None

    @property
    def until(self) -> datetime:
        """When it ends, or is meant to."""
        return self.ended_at or self.began_at + timedelta(seconds=self.duration_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """From `starts_at` until `ends_at` the courier may work."""

    starts_at: datetime
    ends_at: datetime
    id: UUID | None = None
    breaks: tuple[ShiftBreak, ...] = ()
    start: LatLon | None = None
    """Where the courier begins; None: where the shift ends, or anywhere."""
    end: LatLon | None = None
    """Where the courier must be at the end; None: anywhere."""
    series_id: UUID | None = None
    """Shared by shifts that one recurrence rule made."""

    def __post_init__(self) -> None:
        if self.ends_at <= self.starts_at:
            raise ValueError("expected starts_at < ends_at")
        if any(pause.opens_at < self.starts_at or pause.closes_at > self.ends_at for pause in self.breaks):
            raise ValueError("expected breaks within the shift")
        if self.duration_s < sum(pause.duration_s for pause in self.breaks):
            raise ValueError("expected breaks shorter than the shift")
        in_order = sorted(self.breaks, key=lambda pause: (pause.opens_at, pause.closes_at))
        object.__setattr__(self, "breaks", tuple(in_order))

    @property
    def duration_s(self) -> float:
        """Length of the shift, seconds."""
        return (self.ends_at - self.starts_at).total_seconds()

    def covers(self, at: datetime) -> bool:
        """Whether the courier works at that instant; breaks count as work here."""
        return self.starts_at <= at < self.ends_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Courier:
    """Somebody who may be given orders."""

    id: CourierId
    region: Region
    mode: Mode
    name: str = ""
    capacity: tuple[int, ...] = ()
    """One number a dimension, in the order of `order.DIMENSIONS`; fewer numbers: no bound on the rest."""
    skills: frozenset[str] = frozenset()
    partner: str | None = None
    apart: bool = False
    """Takes orders of the courier's own partner only (of nobody's: nobody's); the region says so."""
    max_orders: int = 8
    on_duty: bool = True
    shifts: tuple[Shift, ...] = ()
    rests: tuple[Rest, ...] = ()
    """Breaks of late, and the one going on."""
    by_shifts: bool = False
    """Works only inside shifts, also while there are none."""
    areas: frozenset[UUID] = frozenset()
    """Fences of the region that the courier serves; none: everywhere."""
    home: LatLon | None = None
    range_m: int | None = None
    """Nothing farther from home, or, without one, no pickup farther from where the courier is; None: no limit."""

    def is_of_partner(self, partner: str | None) -> bool:
        """Whether the courier takes that partner's orders."""
        return not self.apart or self.partner == partner

    @property
    def rest(self) -> Rest | None:
        """The break that is going on."""
        return next((rest for rest in self.rests if rest.ended_at is None), None)

    def breaks_ahead(self, at: datetime) -> tuple[ShiftBreak, ...]:
        """Planned breaks that may still begin then, the earliest first; none that was taken before."""
        shift = self.shift_at(at)
        return () if shift is None else tuple(pause for pause in untaken(shift, self.rests) if pause.closes_at >= at)

    def shift_at(self, at: datetime) -> Shift | None:
        """The shift the courier is in at that instant, if any."""
        return next((shift for shift in self.shifts if shift.covers(at)), None)

    def shift_over_since(self, at: datetime) -> datetime | None:
        """When the last shift ended, unless another one goes on."""
        if self.shift_at(at) is not None:
            return None
        return max((shift.ends_at for shift in self.shifts if shift.ends_at <= at), default=None)

    def works_at(self, at: datetime) -> bool:
        """
        Whether the courier may be given new orders at that instant.

        Whoever has no shifts, and never had any, works whenever on duty; all others only inside them.
        """
        is_bound = self.by_shifts or bool(self.shifts)
        return self.on_duty and (not is_bound or self.shift_at(at) is not None)


def overlapping(shift: Shift, others: Iterable[Shift]) -> Shift | None:
    """The first of the others that shares time with the shift, None when there is none."""
    return next(
        (other for other in others if other.starts_at < shift.ends_at and shift.starts_at < other.ends_at), None
    )


def untaken(shift: Shift, rests: Sequence[Rest]) -> list[ShiftBreak]:
    """
    The planned breaks of a shift that none of the breaks taken was.

    Each break taken is the first planned one, not taken yet, whose window it began in, `WINDOW_GRACE` more or less;
    another one is nobody's plan, and takes none of them away.
    """
    left = list(shift.breaks)
    for rest in sorted(rests, key=lambda rest: rest.began_at):
        if (pause := planned_as(left, rest.began_at)) is not None:
            left.remove(pause)
    return left


def planned_as(pauses: Iterable[ShiftBreak], began_at: datetime) -> ShiftBreak | None:
    """Which of the planned breaks one is that begins then; None: it is not planned."""
    return next(
        (pause for pause in pauses if pause.opens_at - WINDOW_GRACE <= began_at <= pause.closes_at + WINDOW_GRACE),
        None,
    )


def pause_at(shift: Shift, at: datetime, rests: Sequence[Rest] = ()) -> ShiftBreak | None:
    """
    The break that may be going on at that instant, without a word from the courier.

    Its window has opened, its length has not passed since, and it was not taken before.
    """
    return next(
        (
            pause
            for pause in untaken(shift, rests)
            if pause.opens_at <= at < pause.closes_at + timedelta(seconds=pause.duration_s)
        ),
        None,
    )
