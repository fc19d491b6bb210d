"""
A courier's recent fixes in order of their time, folded into stays and fence events; no I/O.

Fixes may come in any order. A `Track` puts each in its place, marks jumps by the rule of `tracking.quality`, and folds
again from the state before the first change, so that what it has said equals one fold over the sorted set. It holds
the last KEEP fixes and more; an older one is TOO_LATE: whoever owns the track folds again from history (`Track.fold`).
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from tracking.plane import metres
from tracking.quality import N_WITNESSES, Limits, is_reachable, jump_marks
from tracking.watching import geofence, motion
from tracking.watching.fence import FenceIndex
from tracking.watching.geofence import FenceEvent, FenceFix, FenceParams, FenceState
from tracking.watching.motion import MotionParams, Sample

KEEP = 96
"""Fixes held at least, once there were as many: 8 minutes at one every 5 s. Twice as many at most."""
_RESTLESS = 2 * N_WITNESSES
"""So many fixes after one that cannot be reached from the one before, marks may still change."""
MICROS = 1_000_000


class TrackFix(NamedTuple):
    """A fix that the device trusts (not of poor accuracy)."""

    at_us: int
    lat: float
    lon: float
    accuracy_m: float | None = None


Said = motion.Event | FenceEvent
"""What a track says happened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackParams:
    """How a courier's fixes are read."""

    motion: MotionParams
    fences: FenceParams
    limits: Limits


class State(NamedTuple):
    """After some fix."""

    movement: motion.State = None
    fences: FenceState = geofence.EMPTY


EMPTY = State()


@dataclass(frozen=True, slots=True)
class Change:
    """What a new fix changes in what was said."""

    said: tuple[Said, ...] = ()
    withdrawn: tuple[Said, ...] = ()


NOTHING = Change()


class TooLate(Exception):
    """The fix lies before, or too near to, the beginning of what the track still holds."""


class Track:
    """Of one courier. Not safe for concurrent use."""

    __slots__ = ("_after", "_base", "_fixes", "_index", "_is_whole", "_jumps", "_params", "_said", "_unrest")

    def __init__(self, params: TrackParams, index: FenceIndex, base: State = EMPTY, *, is_whole: bool = True) -> None:
        """`base`: the state before the first fix; `is_whole`: there are no fixes before it that could testify."""
        self._params = params
        self._index = index
        self._base = base
        self._is_whole = is_whole
        self._fixes: list[TrackFix] = []
        self._jumps: list[bool] = []
        self._after: list[State] = []
        self._said: list[tuple[Said, ...]] = []
        self._unrest = -_RESTLESS
        """Place of the last fix that could not be reached from the one before."""

    @classmethod
    def fold(
        cls,
        fixes: Sequence[TrackFix],
        params: TrackParams,
        index: FenceIndex,
        base: State = EMPTY,
        *,
        from_us: int | None = None,
    ) -> tuple["Track", list[Said]]:
        """
        Track of many fixes, sorted by time and each time once, and all that is to be said about them.

        With `from_us` the fixes before that instant only testify, about jumps and about which side of a fence the
        courier was on: `base.movement` is the state at that instant.
        """
        track = cls(params, index, base._replace(movement=None), is_whole=from_us is None)
        track._fixes = list(fixes)
        track._jumps = _jumps(fixes, params.limits)
        n_before = 0 if from_us is None else bisect_left(fixes, from_us, key=lambda f: f.at_us)
        for fix, jump in zip(fixes[:n_before], track._jumps, strict=False):
            track._testify(fix, jump=jump)
        if base.movement is not None:
            if n_before:
                track._after[-1] = track._after[-1]._replace(movement=base.movement)
            else:
                track._base = base
        track._fold_from(n_before)
        track._unrest = len(fixes)  # the next fix looks closely
        said = [event for events in track._said for event in events]
        track._forget()
        return track, said

    @property
    def last_us(self) -> int | None:
        """Time of the newest fix."""
        return self._fixes[-1].at_us if self._fixes else None

    @property
    def fixes(self) -> Sequence[TrackFix]:
        """Those still held, jumps included."""
        return self._fixes

    @property
    def state(self) -> State:
        """After the newest fix."""
        return self._after[-1] if self._after else self._base

    @property
    def index(self) -> FenceIndex:
        """The fences it looks at."""
        return self._index

    @index.setter
    def index(self, index: FenceIndex) -> None:
        """Look at other fences from the next fix on."""
        self._index = index

    def add(self, fix: TrackFix) -> Change:
        """
        Put one fix in its place.

        Raises TooLate when it cannot tell what the fix changes: fold again from history. A time it already has changes
        nothing when all else is equal, and is TooLate otherwise: history knows which of the two counts.
        """
        if self._fixes and fix.at_us <= self._fixes[-1].at_us:
            place = bisect_left(self._fixes, fix.at_us, key=lambda f: f.at_us)
            if self._fixes[place].at_us == fix.at_us:
                if self._fixes[place] == fix:
                    return NOTHING
                raise TooLate
            if place < 2 * N_WITNESSES and not self._is_whole:
                raise TooLate
            return self._insert(place, fix)
        if self._is_calm(fix):
            self._fixes.append(fix)
            self._jumps.append(False)
            change = Change(said=self._step(fix, jump=False))
        else:
            change = self._insert(len(self._fixes), fix)
        if len(self._fixes) > 2 * KEEP:
            self._forget()
        return change

    def _is_calm(self, fix: TrackFix) -> bool:
        """Nothing speaks against the fix or its neighbours, so no mark can change: the usual case, at no cost."""
        n = len(self._fixes)
        if n and _is_against(self._fixes[-1], fix, self._params.limits):
            self._unrest = n
        return n - self._unrest >= _RESTLESS

    def _insert(self, place: int, fix: TrackFix) -> Change:
        self._fixes.insert(place, fix)
        self._unrest = len(self._fixes)  # until the next fixes have looked closely and found nothing
        jumps = _jumps(self._fixes, self._params.limits)
        if not self._is_whole:
            # The first ones have lost their witnesses; what was known of them stays.
            jumps[:N_WITNESSES] = self._jumps[:N_WITNESSES]
        old = [*self._jumps[:place], None, *self._jumps[place:]]
        first = next(i for i, (a, b) in enumerate(zip(old, jumps, strict=True)) if a is not b)
        self._jumps = jumps
        if not any(jumps[-_RESTLESS:]) and place == len(self._fixes) - 1:
            self._settle()
        before = [event for events in self._said[first:] for event in events]
        self._fold_from(first)
        after = [event for events in self._said[first:] for event in events]
        kept = set(before) & set(after)
        return Change(
            said=tuple(e for e in after if e not in kept),
            withdrawn=tuple(e for e in before if e not in kept),
        )

    def _settle(self) -> None:
        """Find the last fix that cannot be reached from the one before, so that the next fix may be calm again."""
        start = max(0, len(self._fixes) - _RESTLESS - 1)
        tail, limits = self._fixes[start:], self._params.limits
        against = [start + i + 1 for i, (a, b) in enumerate(pairwise(tail)) if _is_against(a, b, limits)]
        self._unrest = max(against, default=-_RESTLESS)

    def _fold_from(self, first: int) -> None:
        del self._after[first:], self._said[first:]
        for fix, jump in zip(self._fixes[first:], self._jumps[first:], strict=True):
            self._step(fix, jump=jump)

    def _testify(self, fix: TrackFix, *, jump: bool) -> None:
        state = self.state
        if not jump:
            fenced, _ = geofence.step(state.fences, FenceFix(*fix), self._index, self._params.fences)
            state = State(None, fenced)
        self._after.append(state)
        self._said.append(())

    def _step(self, fix: TrackFix, *, jump: bool) -> tuple[Said, ...]:
        state = self.state
        said: tuple[Said, ...] = ()
        if not jump:
            moved, what = motion.step(state.movement, Sample(fix.at_us, fix.lat, fix.lon), self._params.motion)
            fenced, events = geofence.step(state.fences, FenceFix(*fix), self._index, self._params.fences)
            state, said = State(moved, fenced), (*what, *events)
        self._after.append(state)
        self._said.append(said)
        return said

    def _forget(self) -> None:
        """Drop the oldest fixes; what was said about them stands."""
        n = len(self._fixes) - KEEP
        if n > 0:
            self._base, self._is_whole = self._after[n - 1], False
            del self._fixes[:n], self._jumps[:n], self._after[:n], self._said[:n]
            self._unrest -= n


def runs(fixes: Iterable[TrackFix], gap_s: int) -> Iterator[list[TrackFix]]:
    """Cut sorted fixes where none came for longer than `gap_s`."""
    run: list[TrackFix] = []
    for fix in fixes:
        if run and fix.at_us - run[-1].at_us > gap_s * MICROS:
            yield run
            run = []
        run.append(fix)
    if run:
        yield run


def beginnings(fixes: Sequence[TrackFix], gap_s: int, params: TrackParams) -> Iterator[int]:
    """
    Times of the sorted fixes at which every fold begins anew, whatever lies before them.

    That is after a silence longer than `gap_s`, unless it may be the interval of an app that saves its battery.
    """
    last: TrackFix | None = None
    for run in runs(fixes, gap_s):
        good = believable(run, params.limits)
        if good and (last is None or _is_over(last, good[0], params.motion)):
            yield run[0].at_us
        last = good[-1] if good else last


def _is_over(last: TrackFix, fix: TrackFix, params: MotionParams) -> bool:
    a, b = Sample(*last[:3]), Sample(*fix[:3])
    return b.at_us - a.at_us > params.interval_s * MICROS or not params.is_still(a, b)


def believable(fixes: Sequence[TrackFix], limits: Limits) -> list[TrackFix]:
    """Sorted fixes without the jumps."""
    return [fix for fix, jump in zip(fixes, _jumps(fixes, limits), strict=True) if not jump]


def _is_against(a: TrackFix, b: TrackFix, limits: Limits) -> bool:
    """Whether one of two neighbours cannot be reached from the other; the scalar of `tracking.quality.jump_marks`."""
    gap_s = (b.at_us - a.at_us) / MICROS
    if gap_s > limits.witness_s:
        return False
    # A little stricter, for flat metres are not great-circle metres: a false alarm only costs time.
    way_m = 1.02 * metres(a.lat, a.lon, b.lat, b.lon) + 0.01
    return not is_reachable(way_m, gap_s, a.accuracy_m, b.accuracy_m, limits)


def _jumps(fixes: Sequence[TrackFix], limits: Limits) -> list[bool]:
    columns = np.array([(f.at_us / MICROS, f.lat, f.lon) for f in fixes], dtype=np.float64).reshape(-1, 3)
    accuracy_m = np.array([np.nan if f.accuracy_m is None else f.accuracy_m for f in fixes], dtype=np.float64)
    marks: list[bool] = jump_marks(
        courier=np.zeros(len(fixes), dtype=np.int32),
        fixed_s=columns[:, 0],
        lat=columns[:, 1],
        lon=columns[:, 2],
        accuracy_m=accuracy_m,
        limits=limits,
    ).tolist()
    return marks
