"""
The words of travel times: what is asked, what is answered, and where an answer comes from; no I/O.

Durations are whole seconds, distances whole metres along the way, int32. UNKNOWN marks a pair that a source has not
answered, UNROUTABLE one that it knows to have no way; what the chain hands out holds neither.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from dispatch.rhythm import Habits
from tracking.position import LatLon, Mode

IntMatrix = npt.NDArray[np.int32]
SourceMatrix = npt.NDArray[np.uint8]
BoolMatrix = npt.NDArray[np.bool_]
FloatMatrix = npt.NDArray[np.float64]

Pair = tuple[int, int]
"""Numbers of an origin and of a destination."""
Onwards = Mapping[int, Collection[int]]
"""By number of an origin: numbers of destinations that somebody may go to from there."""
ANYWHERE: Final[Onwards] = {}
"""Nothing is said of any origin: all destinations matter."""

UNKNOWN: Final = -1
UNROUTABLE: Final = -2


class Source(StrEnum):
    """Where a travel time comes from."""

    OSRM = "osrm"
    VALHALLA = "valhalla"
    GOOGLE = "google"
    YANDEX = "yandex"
    LEARNED = "learned"
    """Great circle, with the speed learned from tracked legs."""
    DEFAULT = "default"
    """Great circle × detour ÷ the usual speed of the mode."""


PAID: Final = (Source.GOOGLE, Source.YANDEX)
"""Engines that cost money for every pair."""
SOURCES: Final = tuple(Source)
"""`Matrix.sources` holds indices into this, strongest first; append only, because caches hold them too."""
CODES: Final = {source: code for code, source in enumerate(SOURCES)}

N_NEAREST: Final = 8
"""Pairs of a place that an engine is asked about where every pair has its price: who may serve it, and what is next."""
NEAR_M: Final = 100
"""Pairs nearer than this do not decide how good a matrix is: engines snap both ends to the same street."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """Travel times from n origins to m destinations; three arrays of shape (n, m)."""

    durations_s: IntMatrix
    distances_m: IntMatrix
    sources: SourceMatrix
    """Index into SOURCES for each pair."""
    habits: Habits = field(default_factory=Habits)
    """What was learned of other hours, and of couriers; nothing where nobody corrects the times."""

    def source(self, origin: int, destination: int) -> Source:
        """Where the time of one pair comes from."""
        return SOURCES[int(self.sources[origin, destination])]

    def weakest(self) -> Source:
        """The weakest source of any pair farther apart than NEAR_M; of all pairs when none is."""
        far = self.sources[self.distances_m > NEAR_M]
        considered = far if far.size else self.sources
        return SOURCES[int(considered.max())] if considered.size else Source.DEFAULT


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """The way between two consecutive places."""

    duration_s: int
    distance_m: int
    geometry: tuple[LatLon, ...]
    """At least its two ends; a straight line when no engine answered."""
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutePath:
    """The way through places in their order: one leg fewer than places."""

    legs: tuple[Leg, ...]

    @property
    def geometry(self) -> tuple[LatLon, ...]:
        """All legs joined; the place between two legs occurs once."""
        points: list[LatLon] = []
        for leg in self.legs:
            points.extend(leg.geometry[1:] if points and points[-1] == leg.geometry[0] else leg.geometry)
        return tuple(points)

    @property
    def source(self) -> Source:
        """The weakest source of any leg; DEFAULT for a route without legs."""
        return max((leg.source for leg in self.legs), key=CODES.__getitem__, default=Source.DEFAULT)

    @property
    def duration_s(self) -> int:
        """Driving time of all legs, without stops."""
        return sum(leg.duration_s for leg in self.legs)

    @property
    def distance_m(self) -> int:
        """Length of all legs."""
        return sum(leg.distance_m for leg in self.legs)


class TravelTimes(Protocol):
    """Something that always answers how long it takes, within the time it is given."""

    async def matrix(
        self,
        mode: Mode,
        origins: Sequence[LatLon],
        destinations: Sequence[LatLon],
        departs_at: datetime,
        *,
        budget_s: float = 1.0,
        also: Sequence[Pair] = (),
        only: Onwards = ANYWHERE,
    ) -> Matrix:
        """
        Times of all pairs; every pair answered. Returns after about `budget_s` seconds at the latest.

        `also`: pairs of an origin and a destination, by number, that matter however far apart they are. `only`: by
        number of origin, the destinations that matter from there besides; all of them where it is not named.
        """
        ...

    async def route(
        self, mode: Mode, places: Sequence[LatLon], departs_at: datetime, *, budget_s: float = 1.0
    ) -> RoutePath:
        """The way through `places` in order; no legs for fewer than two places."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an engine takes in one request."""

    n_cells: int
    """Origins × destinations."""
    n_origins: int
    n_destinations: int
    n_places: int
    """Places of one route, both ends included."""
    n_nearest: int | None = None
    """Where every pair is paid for: only so many of the nearest are asked about, of each place; None: all pairs."""

    def within(self, n_cells: int | None) -> "Limits":
        """The same with no more than so many pairs in a request; None: as it is."""
        if n_cells is None:
            return self
        return replace(
            self,
            n_cells=min(self.n_cells, n_cells),
            n_origins=min(self.n_origins, n_cells),
            n_destinations=min(self.n_destinations, n_cells),
        )


class EngineFailed(Exception):
    """A maps API did not answer. Stays within this package: the chain goes on to the next source."""

    def __init__(self, reason: str, *, retry: bool = False, leave_alone: bool = False, limited: bool = False) -> None:
        """
        `retry`: the same request may work in a moment. `leave_alone`: no other request will work now either.
        `limited`: it was not sent, our own limit was reached.
        """
        super().__init__(reason)
        self.retry = retry
        self.leave_alone = leave_alone
        self.limited = limited


class Engine(Protocol):
    """A maps API: may fail, may leave pairs open. Behind the chain, which chunks, caches and falls back."""

    @property
    def source(self) -> Source: ...
    @property
    def modes(self) -> frozenset[Mode]: ...
    @property
    def limits(self) -> Limits: ...
    @property
    def depends_on_time(self) -> bool:
        """The answer changes with `departs_at`: traffic."""
        ...

    @property
    def cache_s(self) -> int:
        """How long an answer may be kept; 0: not at all (terms of use)."""
        ...

    async def matrix(
        self, mode: Mode, origins: Sequence[LatLon], destinations: Sequence[LatLon], departs_at: datetime
    ) -> tuple[IntMatrix, IntMatrix]:
        """Durations and distances of one request within `limits`; UNROUTABLE where there is no way. EngineFailed."""
        ...

    async def route(self, mode: Mode, places: Sequence[LatLon], departs_at: datetime) -> tuple[Leg, ...]:
        """The legs through `places`, within `limits.n_places`. EngineFailed, also when there is no way."""
        ...


class SpeedFactors(Protocol):
    """What was learned about speeds, by mode, place and hour. Pure lookups: no waiting."""

    def factors(
        self,
        mode: Mode,
        origins: Sequence[LatLon],
        destinations: Sequence[LatLon],
        at: datetime,
        *,
        engine: Source | None = None,
    ) -> FloatMatrix:
        """
        Real ÷ expected duration of all pairs, > 0, shape (n, m); NaN where nothing is known.

        Expected by an engine, or by the default paces.
        """
        ...

    def habits(self, mode: Mode, near: LatLon, at: datetime, *, engine: Source | None = None) -> Habits:
        """Of the same model: how other hours differ from the one of `at`, and couriers from everybody."""
        ...
