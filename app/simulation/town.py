"""
A made-up town: streets on a jittered grid, so that simulated couriers move along plausible paths anywhere; no I/O.

The same seed makes the same town.
"""

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from tracking.geo import distance_m
from tracking.position import LatLon

BLOCK_M: Final = 140.0
"""Length of a side of a block, about that of European inner cities."""
JITTER: Final = 0.28
"""Corners are moved by up to this share of a block."""
MISSING: Final = 0.16
"""Share of streets that do not exist: real grids have holes."""
AVENUE_EVERY: Final = 6
"""Every so many rows and columns a street is an avenue."""
AVENUE_BONUS: Final = 0.72
"""An avenue's metre counts as this much of a street's metre when a way is chosen."""
METRES_PER_DEGREE: Final = 111_195.0


@dataclass(frozen=True)
class Town:
    """Corners and the streets between them."""

    corners: tuple[LatLon, ...]
    streets: tuple[tuple[tuple[int, float], ...], ...]
    """For each corner its neighbours: (corner, metres as they count when a way is chosen)."""

    @cached_property
    def places(self) -> npt.NDArray[np.float64]:
        """Latitude and longitude of each corner: a real city has tens of thousands, and the nearest is asked often."""
        return np.array([corner.latlon for corner in self.corners])

    @classmethod
    def build(cls, centre: LatLon, radius_m: float, seed: int) -> Self:
        """A round town of that radius; every corner can be reached from every other."""
        random = Random(seed)  # noqa: S311 - a town, not a secret
        half = max(2, round(radius_m / BLOCK_M))
        turn = random.uniform(0, math.pi / 2)
        places: dict[tuple[int, int], tuple[float, float]] = {}
        for row in range(-half, half + 1):
            for column in range(-half, half + 1):
                x = (column + random.uniform(-JITTER, JITTER)) * BLOCK_M
                y = (row + random.uniform(-JITTER, JITTER)) * BLOCK_M
                if math.hypot(x, y) <= radius_m:
                    places[row, column] = (x, y)
        numbers = {place: number for number, place in enumerate(places)}
        edges: dict[int, dict[int, float]] = {number: {} for number in numbers.values()}
        for (row, column), number in numbers.items():
            for step, is_avenue in (
                ((row, column + 1), row % AVENUE_EVERY == 0),
                ((row + 1, column), column % AVENUE_EVERY == 0),
            ):
                if step not in numbers or (not is_avenue and random.random() < MISSING):
                    continue
                length_m = math.dist(places[row, column], places[step]) * (AVENUE_BONUS if is_avenue else 1)
                edges[number][numbers[step]] = edges[numbers[step]][number] = length_m
        keep = largest_part(edges)
        renumbered = {old: new for new, old in enumerate(keep)}
        spots = list(places.values())
        scale = math.cos(math.radians(centre.lat))
        corners = []
        for old in keep:
            x, y = spots[old]
            east, north = x * math.cos(turn) - y * math.sin(turn), x * math.sin(turn) + y * math.cos(turn)
            corners.append(
                LatLon(centre.lat + north / METRES_PER_DEGREE, centre.lon + east / (METRES_PER_DEGREE * scale))
            )
        streets = tuple(tuple((renumbered[to], length) for to, length in edges[old].items()) for old in keep)
        return cls(tuple(corners), streets)

    def nearest(self, place: LatLon) -> int:
        """The corner next to a place."""
        scale = math.cos(math.radians(place.lat))
        places = self.places
        return int(np.argmin((places[:, 0] - place.lat) ** 2 + ((places[:, 1] - place.lon) * scale) ** 2))

    def way(self, start: int, end: int) -> tuple[int, ...]:
        """Corners of the best way from one corner to another, both included (A*)."""
        goal = self.corners[end]
        open_: list[tuple[float, float, int]] = [(0.0, 0.0, start)]
        best = {start: 0.0}
        before: dict[int, int] = {}
        while open_:
            _, cost, corner = heapq.heappop(open_)
            if corner == end:
                break
            if cost > best[corner]:
                continue
            for to, length in self.streets[corner]:
                reached = cost + length
                if reached < best.get(to, math.inf):
                    best[to] = reached
                    before[to] = corner
                    rest = distance_m(self.corners[to], goal) * AVENUE_BONUS
                    heapq.heappush(open_, (reached + rest, reached, to))
        way = [end]
        while way[-1] != start:
            way.append(before[way[-1]])
        return tuple(reversed(way))

    def path(self, corners: Sequence[int]) -> tuple[LatLon, ...]:
        """The places of those corners."""
        return tuple(self.corners[corner] for corner in corners)


def largest_part(edges: dict[int, dict[int, float]]) -> list[int]:
    """The corners of the largest part of which each can be reached from every other."""
    seen: set[int] = set()
    largest: list[int] = []
    for first in edges:
        if first in seen:
            continue
        seen.add(first)
        part, waiting = [], [first]
        while waiting:
            corner = waiting.pop()
            part.append(corner)
            for to in edges[corner]:
                if to not in seen:
                    seen.add(to)
                    waiting.append(to)
        largest = max(largest, part, key=len)
    return sorted(largest)
