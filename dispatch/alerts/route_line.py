"""How far a place is from a route's line: from its segments, not its vertices; no I/O."""

from collections.abc import Sequence
from itertools import pairwise
from math import sqrt

import numpy as np

from tracking.plane import Segments, offset_m, to_segment_m
from tracking.position import LatLon

_LOOP_SEGMENTS = 24
"""Up to so many segments a plain loop beats NumPy's overhead."""


class RouteLine:
    """The line of a route, in metres around its first point; equal when made of the same points."""

    __slots__ = ("_points", "_segments", "places")

    def __init__(self, places: Sequence[LatLon]) -> None:
        """At least one place; one alone is a line without length."""
        if not places:
            raise ValueError("expected at least one place")
        self.places = tuple(places)
        origin = self.places[0]
        points = [offset_m(origin.lat, origin.lon, p.lat, p.lon) for p in self.places]
        self._points = points if len(points) > 1 else points * 2
        ends = np.array(points)
        self._segments = Segments(ends[:-1], np.diff(ends, axis=0)) if len(points) - 1 > _LOOP_SEGMENTS else None

    def __eq__(self, other: object) -> bool:
        """Whether both lead through the same places."""
        return isinstance(other, RouteLine) and self.places == other.places

    def __hash__(self) -> int:
        """Of the places."""
        return hash(self.places)

    def distance_m(self, lat: float, lon: float) -> float:
        """Distance to the nearest point of the line."""
        p = offset_m(self.places[0].lat, self.places[0].lon, lat, lon)
        if self._segments is None:
            return min(to_segment_m(p, a, b)[0] for a, b in pairwise(self._points))
        return sqrt(float(np.min(self._segments.squares(*p)[0])))
