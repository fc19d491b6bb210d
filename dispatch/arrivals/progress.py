"""
How far a courier has come on the way to the next stop: along the road, standing, off it, arrived; no I/O.

`advance` takes one fix at a time; late fixes (older than the last one taken) change nothing. Instants are seconds since
the Unix epoch.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from math import exp, log

import numpy as np
import numpy.typing as npt

from dispatch.arrivals.eta import Span
from dispatch.learning.conformal import Band
from dispatch.stop import PlannedStop
from dispatch.visits import from_fixes
from dispatch.visits.at_stop import AT_STOP, STILL_M
from dispatch.visits.from_fixes import ArrivalFix, ArrivalState, RouteStop
from tracking.geo import distance_m
from tracking.plane import Segments, offset_m
from tracking.position import LatLon

MICROS = 1_000_000
Floats = npt.NDArray[np.float64]

STILL_S = 90.0
"""Standing still: within STILL_M for so long, longer than a red light."""
OFF_ROUTE_M = 150.0
"""Farther than this from the way: the way is another one."""
BEHIND_S = 45.0
"""Slower than expected: so much more time has passed on the way than its done part was to take."""
PACE_PRIOR_S = 1_800.0
"""The pace on this leg counts half after so much of it. Cautious: on a recorded track of somebody who walks, rides and
drives within one leg, 1,000 s gains 7 % of MAE in the first half of the days and loses 4 % in the second."""
MOST_PACE = 0.7
"""No leg is taken to go on at less than half or more than twice the expected pace."""


@dataclass(frozen=True, kw_only=True)
class Path:
    """The way of a leg as a line; at least two points."""

    points: tuple[LatLon, ...]

    @cached_property
    def _line(self) -> tuple[Segments, Floats, Floats]:
        """Segments in metres around the first point, their lengths, and the way from there to each."""
        origin = self.points[0]
        xy = np.array([offset_m(*origin.latlon, *point.latlon) for point in self.points])
        steps = np.diff(xy, axis=0)
        lengths = np.hypot(steps[:, 0], steps[:, 1])
        return Segments(xy[:-1], steps), lengths, np.concatenate([[0.0], np.cumsum(lengths)])

    def locate(self, at: LatLon, *, not_before: float = 0.0) -> tuple[float, float]:
        """
        Share of the way done (0 to 1) at the nearest point of the line, and the distance to it in metres.

        Looks a little behind `not_before` and ahead of it, so that a way that crosses itself is not cut short.
        """
        segments, lengths, before = self._line
        total = before[-1]
        if total <= 0:
            return 1.0, distance_m(at, self.points[0])
        squares, part = segments.squares(*offset_m(*self.points[0].latlon, *at.latlon))
        away, done = np.sqrt(squares), (before[:-1] + part * lengths) / total
        # On a line that doubles back on itself, going back or far ahead is less likely than being beside it.
        unlikely_m = total * (0.5 * np.maximum(not_before - done, 0.0) + 0.02 * np.maximum(done - not_before, 0.0))
        best = int(np.argmin(away + unlikely_m))
        return float(min(done[best], 1.0)), float(away[best])


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A courier on the way to `stop`, as of the last fix."""

    stop: PlannedStop
    destination: LatLon
    origin: LatLon
    """Where the leg began ..."""
    started_at: float
    """... and when."""
    at: LatLon
    fixed_at: float
    rest_at: LatLon
    """Where the courier last began to be within STILL_M ..."""
    rest_since: float
    """... and since when."""
    path: Path | None = None
    done: float = 0.0
    """Share of `path` done."""
    away_m: float = 0.0
    """Distance to `path`."""
    door: ArrivalState = from_fixes.EMPTY
    """What the fixes have shown of the stop itself."""

    @property
    def arrived_at(self) -> float | None:
        """Since when the courier is at the stop, by the rule that stop visits are recorded by."""
        arrived_us = self.door.arrived_us((self.stop.order_id, self.stop.kind))
        return None if arrived_us is None else arrived_us / MICROS

    @property
    def standing(self) -> bool:
        """On the way and not moving."""
        return self.arrived_at is None and self.fixed_at - self.rest_since >= STILL_S

    @property
    def off_route(self) -> bool:
        """Away from the way that was expected."""
        return self.path is not None and self.away_m > OFF_ROUTE_M

    @property
    def share_done(self) -> float:
        """Share of the leg that is done, 0 to 1: along the way where it is known, else by distance left."""
        if self.path is not None:
            return self.done
        whole_m = distance_m(self.origin, self.destination)
        return max(0.0, 1.0 - distance_m(self.at, self.destination) / whole_m) if whole_m > 0 else 1.0

    def is_behind(self, expected_s: float) -> bool:
        """Whether the courier is measured to be slower than the whole leg was expected to be."""
        return self.fixed_at - self.started_at - expected_s * self.share_done > BEHIND_S

    def pace(self, expected_s: float) -> float:
        """
        Log of real / expected time on what is done of this leg, shrunk to 0 while little is done.

        `expected_s`: what the whole leg was expected to take at its start.
        """
        done_s = expected_s * self.share_done
        if done_s < 30.0:
            return 0.0
        ratio = log(max(self.fixed_at - self.started_at, 1.0) / done_s)
        return min(max(ratio, -MOST_PACE), MOST_PACE) * done_s / (done_s + PACE_PRIOR_S)


def depart(
    stop: PlannedStop, destination: LatLon, *, at: LatLon, fixed_at: float, path: Path | None = None
) -> Progress:
    """Start of a leg."""
    begun = Progress(
        stop=stop,
        destination=destination,
        origin=at,
        started_at=fixed_at,
        at=at,
        fixed_at=fixed_at,
        rest_at=at,
        rest_since=fixed_at,
        path=path,
    )
    return advance(begun, at, fixed_at)


def advance(progress: Progress, at: LatLon, fixed_at: float) -> Progress:
    """The progress after one more fix. A fix older than the last one changes nothing."""
    if fixed_at < progress.fixed_at:
        return progress
    moved_on = distance_m(at, progress.rest_at) > STILL_M
    done, away_m = progress.done, progress.away_m
    if progress.path is not None:
        found, away_m = progress.path.locate(at, not_before=progress.done)
        # What is done stays done: GPS noise must not make an arrival jitter.
        done = max(progress.done, found) if away_m <= OFF_ROUTE_M else progress.done
    return replace(
        progress,
        at=at,
        fixed_at=fixed_at,
        rest_at=at if moved_on else progress.rest_at,
        rest_since=fixed_at if moved_on else progress.rest_since,
        done=done,
        away_m=away_m,
        door=_at_the_door(progress, at, fixed_at),
    )


def _at_the_door(progress: Progress, at: LatLon, fixed_at: float) -> ArrivalState:
    fix, door = ArrivalFix(round(fixed_at * MICROS), at.lat, at.lon), progress.door
    if door.last is not None and fix.at_us <= door.last.at_us:
        return door
    stop = RouteStop(progress.stop.order_id, progress.stop.kind, progress.destination)
    return from_fixes.step(door, fix, [stop], AT_STOP)[0]


def leg_ahead(progress: Progress, *, expected_s: float, left_s: float, band: Band, source: str) -> Span:
    """
    What is left of the leg being driven, at the courier's pace.

    `expected_s`: what the whole leg was expected to take at its start; `left_s`: what is left of that, by the share of
    the way done, or expected anew from where the courier is; `band`: of a leg as long as what is left.
    """
    if progress.arrived_at is not None:
        return Span(p50_s=0.0, band=band, source=source)
    return Span(p50_s=left_s * exp(progress.pace(expected_s)), band=band, source=source)
