"""
Where couriers work: which of some places each serves; no I/O.

A courier's areas are fences of the region, both ends of an order lie in one of them. The range counts from home, for
both ends; without a home from where the courier is, to the pickup, which the planner sees by itself. Where the region
says so, nothing outside its boundary is served by anybody.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from dispatch.orders.courier import Courier
from dispatch.planning.snapshot import Place
from tracking.geo import distance_m
from tracking.position import LatLon
from tracking.watching.area import Area


@dataclass(frozen=True, slots=True, kw_only=True)
class Areas:
    """The areas of a region."""

    fences: Mapping[UUID, Area] = field(default_factory=dict)
    """Those that some courier serves; one that is gone, or cannot be read, contains nothing."""
    boundary: Area | None = None
    """Nothing outside is served; None: the region does not say so, or has none."""

    def serves(self, areas: Collection[UUID], at: LatLon) -> bool:
        """Whether a place lies in the region, and in one of the areas, if there are any."""
        if self.boundary is not None and self.boundary.depth_m(*at.latlon) < 0:
            return False
        known = [self.fences[one] for one in areas if one in self.fences]
        return not areas or any(area.depth_m(*at.latlon) >= 0 for area in known)


def is_in_range(courier: Courier, at: LatLon) -> bool:
    """Whether a place is not too far from the courier's home; without one, or a range, it is not."""
    return courier.home is None or courier.range_m is None or distance_m(courier.home, at) <= courier.range_m


class Served:
    """Which of some places couriers serve, by their numbers; the same for all who have the same areas."""

    def __init__(self, areas: Areas, places: Mapping[LatLon, Place]) -> None:
        self._areas = areas
        self._places = places
        self._known: dict[frozenset[UUID], frozenset[Place]] = {}

    def by_area(self, courier: Courier) -> frozenset[Place] | None:
        """None: all."""
        if not courier.areas and self._areas.boundary is None:
            return None
        if courier.areas not in self._known:
            self._known[courier.areas] = self._where(at for at in self._places if self._areas.serves(courier.areas, at))
        return self._known[courier.areas]

    def by_range(self, courier: Courier) -> frozenset[Place] | None:
        """None: all, as far as the courier's home tells."""
        if courier.home is None or courier.range_m is None:
            return None
        return self._where(at for at in self._places if is_in_range(courier, at))

    def _where(self, found: Iterable[LatLon]) -> frozenset[Place]:
        return frozenset(self._places[at] for at in found)
