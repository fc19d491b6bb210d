"""
A courier's recent fixes in order of their time, folded into stays and fence events; no I/O.

Fixes may come in any order. A `Track` puts each in its place, marks jumps by the rule of `tracking.quality`, and folds
again from the state before the first change, so that what it has said equals one fold over the sorted set. It holds
the last KEEP fixes and more; an older one is TOO_LATE: whoever owns the track folds again from history (`Track.fold`).

A watcher holds tens of thousands of tracks: fixes are kept in columns, and of the states between them one in BLOCK,
from which those that are wanted again are found again.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from tracking.plane import metres
from tracking.quality import N_WITNESSES, Limits, is_reachable
from tracking.watching import geofence, motion
from tracking.watching.fence import FenceIndex
from tracking.watching.fix_columns import MICROS, FixColumns, TrackFix
from tracking.watching.geofence import FenceEvent, FenceFix, FenceParams, FenceState
from tracking.watching.motion import MotionParams, Sample

KEEP = 96
"""Fixes held at least, once there were as many: 8 minutes at one every 5 s. At most BLOCK more."""
BLOCK = 32
"""Fixes from one state that is kept to the next: so many are folded again, at most, to find a state between."""
_RESTLESS = 2 * N_WITNESSES
"""So many fixes after one that cannot be reached from the one before, marks may still change."""
_NEW = 2
"""In place of the mark of a fix that had none."""


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

    __slots__ = (
        "_fixes",
        "_from_us",
        "_index",
        "_is_whole",
        "_jumps",
        "_movement",
        "_params",
        "_said",
        "_state",
        "_states",
        "_unrest",
    )

    def __init__(self, params: TrackParams, index: FenceIndex, base: State = EMPTY, *, is_whole: bool = True) -> None:
        """`base`: the state before the first fix; `is_whole`: there are no fixes before it that could testify."""
        self._params = params
        self._index = index
        self._is_whole = is_whole
        self._from_us = 0
        """Fixes before this only testify: see `fold`."""
        self._movement: motion.State = None
        """At that instant."""
        self._fixes = FixColumns()
        self._jumps = bytearray()
        self._states = [base]
        """Before every fix whose place is a multiple of BLOCK."""
        self._state = base
        self._said: list[tuple[int, tuple[Said, ...]]] = []
        """Time of a fix, and what it said; of those that said something, in order."""
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
        n_gone = max(0, len(fixes) - KEEP)
        track = cls(params, index, base._replace(movement=None), is_whole=from_us is None and not n_gone)
        track._from_us, track._movement = from_us or 0, base.movement
        jumps = FixColumns(fixes).jumps(params.limits)
        said: list[Said] = []
        for fix, jump in zip(fixes[:n_gone], jumps, strict=False):
            track._state, events = track._step(track._state, fix, jump=jump)
            said += events
        track._fixes, track._jumps, track._states = FixColumns(fixes[n_gone:]), jumps[n_gone:], [track._state]
        track._fold_from(0, n_folded=0)
        track._unrest = len(track._fixes)  # the next fix looks closely
        said += track._said_since(0)
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
        return self._state

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
        n = len(self._fixes)
        last = self._fixes[-1] if n else None
        if last is not None and fix.at_us <= last.at_us:
            place = self._fixes.find(fix.at_us)
            if (there := self._fixes[place]).at_us == fix.at_us:
                if there == fix:
                    return NOTHING
                raise TooLate
            if place < 2 * N_WITNESSES and not self._is_whole:
                raise TooLate
            change = self._insert(place, fix)
        elif self._is_calm(last, fix):
            self._fixes.insert(n, fix)
            self._jumps.append(False)
            said = self._take(n, fix, jump=False)
            change = Change(said=said) if said else NOTHING
        else:
            change = self._insert(n, fix)
        if n >= KEEP + BLOCK:
            self._forget()
        return change

    def _is_calm(self, last: TrackFix | None, fix: TrackFix) -> bool:
        """Nothing speaks against the fix or its neighbours, so no mark can change: the usual case, at no cost."""
        n = len(self._fixes)
        if last is not None and _is_against(last, fix, self._params.limits):
            self._unrest = n
        return n - self._unrest >= _RESTLESS

    def _insert(self, place: int, fix: TrackFix) -> Change:
        n_folded = len(self._fixes)
        self._fixes.insert(place, fix)
        self._unrest = n_folded + 1  # until the next fixes have looked closely and found nothing
        jumps = self._fixes.jumps(self._params.limits)
        if not self._is_whole:
            # The first ones have lost their witnesses; what was known of them stays.
            jumps[:N_WITNESSES] = self._jumps[:N_WITNESSES]
        old = [*self._jumps[:place], _NEW, *self._jumps[place:]]
        first = next(i for i, (a, b) in enumerate(zip(old, jumps, strict=True)) if a != b)
        self._jumps = jumps
        if not any(jumps[-_RESTLESS:]) and place == n_folded:
            self._settle()
        since_us = self._fixes[first].at_us
        before = self._said_since(since_us)
        self._fold_from(first, n_folded=n_folded)
        after = self._said_since(since_us)
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

    def _said_since(self, since_us: int) -> list[Said]:
        return [event for at_us, events in self._said if at_us >= since_us for event in events]

    def _fold_from(self, first: int, *, n_folded: int) -> None:
        """Fold the fixes from a place on, when as many as `n_folded` had been."""
        if first < n_folded:
            block = first // BLOCK
            del self._states[block + 1 :]
            self._state = self._states[block]
            for i in range(block * BLOCK, first):  # what these have said stands
                self._state, _ = self._step(self._state, self._fixes[i], jump=self._jumps[i])
            since_us = self._fixes[first].at_us
            while self._said and self._said[-1][0] >= since_us:
                self._said.pop()
        for i in range(first, len(self._fixes)):
            self._take(i, self._fixes[i], jump=self._jumps[i])

    def _take(self, place: int, fix: TrackFix, *, jump: int) -> tuple[Said, ...]:
        if place == BLOCK * len(self._states):
            self._states.append(self._state)
        self._state, said = self._step(self._state, fix, jump=jump)
        if said:
            self._said.append((fix.at_us, said))
        return said

    def _step(self, state: State, fix: TrackFix, *, jump: int) -> tuple[State, tuple[Said, ...]]:
        if jump:
            return state, ()
        at_us, lat, lon, accuracy_m = fix
        fenced, events = geofence.step(
            state.fences, FenceFix(at_us, lat, lon, accuracy_m), self._index, self._params.fences
        )
        if at_us < self._from_us:
            return State(None, fenced), ()
        before = self._movement if state.movement is None else state.movement
        moved, what = motion.step(before, Sample(at_us, lat, lon), self._params.motion)
        return State(moved, fenced), (*what, *events)

    def _forget(self) -> None:
        """Drop the oldest fixes; what was said about them stands."""
        self._fixes.forget(BLOCK)
        del self._jumps[:BLOCK], self._states[0]
        first_us = self._fixes[0].at_us
        self._said = [one for one in self._said if one[0] >= first_us]
        self._is_whole = False
        self._unrest -= BLOCK


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
    return [fix for fix, jump in zip(fixes, FixColumns(fixes).jumps(limits), strict=True) if not jump]


def _is_against(a: TrackFix, b: TrackFix, limits: Limits) -> bool:
    """Whether one of two neighbours cannot be reached from the other; the scalar of `tracking.quality.jump_marks`."""
    gap_s = (b.at_us - a.at_us) / MICROS
    if gap_s > limits.witness_s:
        return False
    # A little stricter, for flat metres are not great-circle metres: a false alarm only costs time.
    way_m = 1.02 * metres(a.lat, a.lon, b.lat, b.lon) + 0.01
    return not is_reachable(way_m, gap_s, a.accuracy_m, b.accuracy_m, limits)
