"""
Valhalla: trace_attributes, which finds the streets under a track. One process serves every mode by its costing.

Source: Valhalla, "Map Matching service API reference": valhalla.github.io/valhalla/api/map-matching
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import ceil, floor
from typing import Any, Final

from dispatch.travel.answers import reading
from dispatch.travel.client import Ask, EngineClient
from dispatch.travel.polyline import decode
from dispatch.travel.times import Source
from dispatch.travel.trace import MICROS, Run, Seen, Snap
from dispatch.travel.valhalla import COSTINGS
from tracking.geo import distance_m
from tracking.position import LatLon, Mode

N_FIXES: Final = 500
"""`service_limits.trace` as shipped takes 16,000 fixes and 200 km: this is 10 km of a courier, answered in a moment."""
ACCURACY_M: Final = 15
RADIUS_M: Final = 50
"""Within which it looks for streets."""
WANTED: Final = [
    "shape",
    "edge.begin_shape_index",
    "edge.end_shape_index",
    "matched.point",
    "matched.type",
    "matched.edge_index",
    "matched.distance_along_edge",
    "matched.begin_route_discontinuity",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ValhallaMatcher:
    """A Matcher."""

    client: EngineClient
    url: str
    n_fixes: int = N_FIXES

    source = Source.VALHALLA
    modes = frozenset(COSTINGS)

    async def match(self, mode: Mode, fixes: Sequence[Seen]) -> tuple[Run, ...]:
        """See Matcher."""
        body = {
            "shape": [
                {"lat": round(fix.at.lat, 6), "lon": round(fix.at.lon, 6), "time": fix.at_us // MICROS} for fix in fixes
            ],
            "costing": COSTINGS[mode],
            "shape_match": "map_snap",
            "trace_options": {"gps_accuracy": ACCURACY_M, "search_radius": RADIUS_M},
            "filters": {"attributes": WANTED, "action": "include"},
        }
        url = f"{self.url.rstrip('/')}/trace_attributes"
        answer: dict[str, Any] = await self.client.fetch(Ask(url=url, body=body, n_elements=len(fixes)))
        return reading(lambda: _runs(answer))


def _runs(answer: Mapping[str, Any]) -> tuple[Run, ...]:
    shape = decode(answer["shape"], precision=6)
    edges = answer["edges"]
    runs: list[list[Snap]] = []
    before = 0.0
    for number, point in enumerate(answer["matched_points"]):
        edge_index = point.get("edge_index", len(edges))
        if point.get("type") == "unmatched" or edge_index >= len(edges):  # "no edge" is the largest of its integers
            continue
        at = LatLon(point["lat"], point["lon"])
        along = _place(shape, edges[edge_index], point.get("distance_along_edge", 0.0))
        if not runs or point.get("begin_route_discontinuity", False):
            runs.append([Snap(number, at)])
        else:
            between = shape[floor(before) + 1 : ceil(along)] if along > before else ()
            runs[-1].append(Snap(number, at, (runs[-1][-1].at, *between, at)))
        before = along
    return tuple(tuple(run) for run in runs)


def _place(shape: Sequence[LatLon], edge: Mapping[str, Any], share: float) -> float:
    """Where on the shape: the number of the point before, and how much of the way to the next one."""
    begin, end = edge["begin_shape_index"], edge["end_shape_index"]
    gone = list(accumulate((distance_m(a, b) for a, b in pairwise(shape[begin : end + 1])), initial=0.0))
    wanted = share * gone[-1]
    for i, (a, b) in enumerate(pairwise(gone)):
        if wanted <= b:
            return float(begin + i + ((wanted - a) / (b - a) if b > a else 0.0))
    return float(end)
