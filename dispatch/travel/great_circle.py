"""
Travel times without a map: great-circle distance × detour ÷ speed, times what was learned; no I/O.

The last link of the chain: it always answers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Final

import numpy as np

from dispatch.travel.times import (
    ANYWHERE,
    CODES,
    FloatMatrix,
    Leg,
    Matrix,
    Onwards,
    Pair,
    RoutePath,
    Source,
    SpeedFactors,
)
from tracking.geo import EARTH_RADIUS_M
from tracking.position import LatLon, Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How a mode moves through a city when nothing better is known."""

    speed_mps: float
    """Door to door along the way, lights and turns included."""
    detour: float
    """Length of the way ÷ great-circle distance."""


DEFAULT_PACES: Final[Mapping[Mode, Pace]] = {
    Mode.CAR: Pace(speed_mps=8.3, detour=1.5),
    Mode.MOTORCYCLE: Pace(speed_mps=8.9, detour=1.45),
    Mode.BICYCLE: Pace(speed_mps=4.2, detour=1.4),
    Mode.FOOT: Pace(speed_mps=1.35, detour=1.3),
}
"""
Cautious city figures: 30, 32, 15 and 4.9 km/h. Detours lie between the 1.3-1.4 usual for grids of streets and the
medians of 1.81 (car), 1.56 (bicycle) and 1.37 (foot) that OSRM 26.10 gives for random pairs in a hilly cut of Porto.
"""


def great_circle_m(origins: Sequence[LatLon], destinations: Sequence[LatLon]) -> FloatMatrix:
    """
    Great-circle distances of all pairs in metres, shape (n, m).

    By chords between unit vectors, one matrix product: within 0.2 m of `tracking.geo.distance_m`.
    """
    chord2 = np.maximum(0.0, 2.0 - 2.0 * (_unit_vectors(origins) @ _unit_vectors(destinations).T))
    distances: FloatMatrix = 2.0 * EARTH_RADIUS_M * np.arcsin(np.minimum(1.0, np.sqrt(chord2) / 2.0))
    return distances


def _unit_vectors(places: Sequence[LatLon]) -> FloatMatrix:
    latlon = np.radians(np.array([place.latlon for place in places], dtype=np.float64).reshape(-1, 2))
    lat, lon = latlon[:, 0], latlon[:, 1]
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)


class GreatCircle:
    """Answers at once for every pair; `learned` makes it better where something is known."""

    def __init__(self, *, paces: Mapping[Mode, Pace] = DEFAULT_PACES, learned: SpeedFactors | None = None) -> None:
        self._paces = paces
        self._learned = learned

    def matrix_now(
        self, mode: Mode, origins: Sequence[LatLon], destinations: Sequence[LatLon], departs_at: datetime
    ) -> Matrix:
        """Times of all pairs, without waiting."""
        pace = self._paces[mode]
        distances = great_circle_m(origins, destinations) * pace.detour
        durations = distances / pace.speed_mps
        sources = np.full(distances.shape, CODES[Source.DEFAULT], dtype=np.uint8)
        if self._learned is not None and distances.size:
            factors = self._learned.factors(mode, origins, destinations, departs_at)
            known = np.isfinite(factors)
            durations = np.where(known, durations * np.where(known, factors, 1.0), durations)
            sources[known] = CODES[Source.LEARNED]
        return Matrix(
            durations_s=np.rint(durations).astype(np.int32),
            distances_m=np.rint(distances).astype(np.int32),
            sources=sources,
        )

    def route_now(self, mode: Mode, places: Sequence[LatLon], departs_at: datetime) -> RoutePath:
        """Straight lines through the places, without waiting."""
        legs = []
        for origin, destination in pairwise(places):
            pair = self.matrix_now(mode, [origin], [destination], departs_at)
            legs.append(
                Leg(
                    duration_s=int(pair.durations_s[0, 0]),
                    distance_m=int(pair.distances_m[0, 0]),
                    geometry=(origin, destination),
                    source=pair.source(0, 0),
                )
            )
        return RoutePath(legs=tuple(legs))

    async def matrix(
        self,
        mode: Mode,
        origins: Sequence[LatLon],
        destinations: Sequence[LatLon],
        departs_at: datetime,
        *,
        budget_s: float = 1.0,  # noqa: ARG002 - part of the protocol; this source never waits
        also: Sequence[Pair] = (),  # noqa: ARG002 - as is this
        only: Onwards = ANYWHERE,  # noqa: ARG002 - and this
    ) -> Matrix:
        """See TravelTimes."""
        return self.matrix_now(mode, origins, destinations, departs_at)

    async def route(
        self,
        mode: Mode,
        places: Sequence[LatLon],
        departs_at: datetime,
        *,
        budget_s: float = 1.0,  # noqa: ARG002 - part of the protocol; this source never waits
    ) -> RoutePath:
        """See TravelTimes."""
        return self.route_now(mode, places, departs_at)
