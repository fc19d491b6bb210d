"""
Stops that were made, found again in the courier's track: when the way began, when the courier arrived; no I/O.

What a courier pressed says when a stop was done, not when it was reached; the track does. Instants are seconds since
the Unix epoch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from dispatch.visits.at_stop import AT_STOP, STILL_M
from tracking.geo import distance_m
from tracking.position import LatLon

LEAST_LEG_M = 150.0
"""A shorter way is a walk around the corner: nothing to learn."""
LONGEST_GAP_S = 180.0
"""A track silent for longer says nothing about what lies in between."""
LONGEST_LEG_S = 3 * 3600.0


@dataclass(frozen=True, slots=True)
class TrackPoint:
    """A fix, as little of it as is needed."""

    at: LatLon
    unix_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedVisit:
    """A stop that was made."""

    arrived_at: float
    origin: LatLon | None = None
    """Where the way to it began; None: the track does not tell."""
    departed_at: float | None = None


def find_visit(track: Sequence[TrackPoint], place: LatLon, done_at: float) -> TrackedVisit | None:
    """
    The visit to `place` that ended about `done_at`, from the fixes since the stop before, in order of time.

    The arrival is the first fix of the last stretch near the place before it was done (near and away: AT_STOP);
    the departure is the last fix within STILL_M of where the track begins.
    None when the track never comes near or begins at the place; without an origin when it is too short or has a gap.
    """
    before = [point for point in track if point.unix_s <= done_at]
    arrival = _arrival(before, place)
    if not arrival:
        return None  # never near, or there from the beginning: then nobody knows since when
    arrived = before[arrival]
    origin = before[0].at
    departure = 0
    for number, point in enumerate(before[: arrival + 1]):
        if distance_m(point.at, origin) > STILL_M:
            break
        departure = number
    left = before[departure]
    way = before[departure : arrival + 1]
    silent_s = max((b.unix_s - a.unix_s for a, b in pairwise(way)), default=0.0)
    driven_s = arrived.unix_s - left.unix_s
    if distance_m(origin, place) < LEAST_LEG_M or silent_s > LONGEST_GAP_S or not 0 < driven_s <= LONGEST_LEG_S:
        return TrackedVisit(arrived_at=arrived.unix_s)
    return TrackedVisit(arrived_at=arrived.unix_s, origin=left.at, departed_at=left.unix_s)


def _arrival(points: Sequence[TrackPoint], place: LatLon) -> int | None:
    found: int | None = None
    for number, point in enumerate(points):
        apart_m = distance_m(point.at, place)
        if apart_m > AT_STOP.away_m:
            found = None
        elif apart_m <= AT_STOP.near_m and found is None:
            found = number
    return found
