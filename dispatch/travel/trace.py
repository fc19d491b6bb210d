"""
A track and the streets under it: what a matcher is asked, what it answers, and the line that comes of both; no I/O.

Only what says something of the way is asked about: a fix that has moved on, and one a minute of who stands. Where
nobody was heard of for GAP_S, the way is not known and none is made up; where a matcher finds none, or one that leads
far about, the fixes stay as they were measured.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Final, NamedTuple, Protocol

from dispatch.travel.times import Source
from tracking.geo import distance_m
from tracking.position import LatLon, Mode

MICROS: Final = 1_000_000
GAP_S: Final = 120
"""The page draws a longer silence as a gap, too."""
MOVED_M: Final = 20.0
"""Nearer fixes say more of the receiver than of the way; some ten times its usual error make a path ambiguous."""
STANDING_S: Final = 60
ABOUT: Final = 4.0
"""A way between two fixes so many times as long as the straight line, and ABOUT_M more, was not taken: the streets
there are not on the map, or the fix lies on the wrong one."""
ABOUT_M: Final = 300.0


class Seen(NamedTuple):
    """A fix, as little of it as matching needs."""

    at: LatLon
    at_us: int
    """Microseconds since the Unix epoch."""
    accuracy_m: float | None = None


class Snap(NamedTuple):
    """A fix on its street."""

    number: int
    """Of the fix, among those asked about."""
    at: LatLon
    way: tuple[LatLon, ...] = ()
    """Along the streets from the snap before, both ends included; empty at the beginning of a run."""


Run = tuple[Snap, ...]
"""Fixes between which the way is known."""
Piece = tuple[int, ...]
"""Numbers of fixes that are asked about at once."""


class Matcher(Protocol):
    """An engine that finds the streets under a track: may fail, may leave fixes out."""

    @property
    def source(self) -> Source: ...
    @property
    def modes(self) -> frozenset[Mode]: ...
    @property
    def n_fixes(self) -> int:
        """What it takes in one request."""
        ...

    async def match(self, mode: Mode, fixes: Sequence[Seen]) -> tuple[Run, ...]:
        """The runs in order of time. EngineFailed, also where it finds no way at all."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """A track, on the streets as far as they are known."""

    points: tuple[tuple[int, LatLon], ...]
    """Instants (microseconds since the Unix epoch, growing) and places; between two fixes reckoned by distance."""
    source: Source | None
    """Who knew the streets; None: all is as it was measured."""
    share: float
    """Of the fixes that lie on a way that is known, 0 to 1."""


def pieces(fixes: Sequence[Seen], n_most: int) -> list[Piece]:
    """What to ask about, in order of time; two pieces of one way share a fix. Fixes alone between gaps are in none."""
    found: list[Piece] = []
    for stretch in _stretches(fixes):
        kept = _telling(fixes, stretch)
        found += [kept[start : start + n_most] for start in range(0, len(kept) - 1, n_most - 1)]
    return found


def _stretches(fixes: Sequence[Seen]) -> Iterator[range]:
    """Fixes without a gap between them."""
    start = 0
    for i in range(1, len(fixes) + 1):
        if i == len(fixes) or fixes[i].at_us - fixes[i - 1].at_us > GAP_S * MICROS:
            yield range(start, i)
            start = i


def _telling(fixes: Sequence[Seen], stretch: range) -> Piece:
    kept: list[int] = []
    for i in stretch:
        waited_us = fixes[i].at_us - fixes[kept[-1]].at_us if kept else 0
        # Matchers reckon in whole seconds.
        if not kept or (
            waited_us >= MICROS
            and (
                waited_us >= STANDING_S * MICROS
                or i == stretch[-1]
                or distance_m(fixes[kept[-1]].at, fixes[i].at) >= MOVED_M
            )
        ):
            kept.append(i)
    return tuple(kept)


def on_streets(
    fixes: Sequence[Seen], asked: Sequence[Piece], answers: Sequence[Sequence[Run]], source: Source
) -> Matched:
    """The line, from what was answered about each piece."""
    line = _Line()
    next_raw = n_matched = 0
    for piece, runs in zip(asked, answers, strict=True):
        for run in (part for whole in runs for part in _believable(whole)):
            first, last = piece[run[0].number], piece[run[-1].number]
            line.add((fix.at_us, fix.at) for fix in fixes[next_raw:first])
            line.add([(fixes[first].at_us, run[0].at)])
            for before, snap in pairwise(run):
                line.add(_timed(fixes[piece[before.number]].at_us, fixes[piece[snap.number]].at_us, snap.way))
            n_matched += last + 1 - max(first, next_raw)
            next_raw = last + 1
    line.add((fix.at_us, fix.at) for fix in fixes[next_raw:])
    share = n_matched / len(fixes) if fixes else 0.0
    return Matched(points=tuple(line.points), source=source if n_matched else None, share=round(share, 3))


def as_measured(fixes: Sequence[Seen]) -> Matched:
    """Where nobody knows the streets."""
    return Matched(points=tuple((fix.at_us, fix.at) for fix in fixes), source=None, share=0.0)


class _Line:
    """Points with instants that grow."""

    def __init__(self) -> None:
        self.points: list[tuple[int, LatLon]] = []

    def add(self, points: "Iterator[tuple[int, LatLon]] | Sequence[tuple[int, LatLon]]") -> None:
        for at_us, at in points:
            if not self.points or at_us > self.points[-1][0]:
                self.points.append((at_us, at))


def _believable(run: Run) -> Iterator[Run]:
    """The run without ways that nobody took, in parts of at least two snaps."""
    part: list[Snap] = []
    for snap in run:
        if part and _length_m(snap.way) > ABOUT * distance_m(part[-1].at, snap.at) + ABOUT_M:
            if len(part) > 1:
                yield tuple(part)
            part = []
        part.append(snap)
    if len(part) > 1:
        yield tuple(part)


def _length_m(way: Sequence[LatLon]) -> float:
    return sum(distance_m(a, b) for a, b in pairwise(way))


def _timed(from_us: int, to_us: int, way: Sequence[LatLon]) -> Iterator[tuple[int, LatLon]]:
    """The points after the first, with the instants at which somebody of one pace comes by."""
    gone = list(accumulate((distance_m(a, b) for a, b in pairwise(way)), initial=0.0))
    for along_m, at in zip(gone[1:-1], way[1:-1], strict=True):
        yield from_us + round((to_us - from_us) * along_m / gone[-1]) if gone[-1] else from_us, at
    yield to_us, way[-1]
