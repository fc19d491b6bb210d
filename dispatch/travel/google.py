"""
Google Routes: computeRouteMatrix and computeRoutes, with traffic.

Source: Google Maps Platform, "Routes API", reference of v2: developers.google.com/maps/documentation/routes
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final

import numpy as np

from dispatch.travel.answers import joined, reading
from dispatch.travel.client import Ask, EngineClient
from dispatch.travel.polyline import decode
from dispatch.travel.times import N_NEAREST, UNKNOWN, UNROUTABLE, EngineFailed, IntMatrix, Leg, Limits, Source
from tracking.position import LatLon, Mode

LIMITS: Final = Limits(n_cells=625, n_origins=25, n_destinations=25, n_places=27, n_nearest=N_NEAREST)
"""625 elements of a matrix; a route has two ends and 25 places between."""

TRAVEL_MODES: Final[Mapping[Mode, str]] = {
    Mode.CAR: "DRIVE",
    Mode.MOTORCYCLE: "TWO_WHEELER",
    Mode.BICYCLE: "BICYCLE",
    Mode.FOOT: "WALK",
}
_WITH_TRAFFIC: Final = frozenset({Mode.CAR, Mode.MOTORCYCLE})
"""Google takes `routingPreference` and looks at traffic for these only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Google:
    """An Engine. `key` is sent as a header, never in a URL."""

    client: EngineClient
    key: str = field(repr=False)
    url: str = "https://routes.googleapis.com"
    limits: Limits = LIMITS
    cache_s: int = 300
    """Short: the terms of use allow keeping answers only for the work at hand."""

    source = Source.GOOGLE
    modes = frozenset(TRAVEL_MODES)
    depends_on_time = True

    async def matrix(
        self, mode: Mode, origins: Sequence[LatLon], destinations: Sequence[LatLon], departs_at: datetime
    ) -> tuple[IntMatrix, IntMatrix]:
        """See Engine."""
        body = {
            "origins": [{"waypoint": _waypoint(at)} for at in origins],
            "destinations": [{"waypoint": _waypoint(at)} for at in destinations],
            **_how(mode, departs_at),
        }
        answer: list[dict[str, Any]] = await self._post(
            "distanceMatrix/v2:computeRouteMatrix",
            body,
            fields="originIndex,destinationIndex,status,condition,distanceMeters,duration",
            n_elements=len(origins) * len(destinations),
        )
        return reading(lambda: _matrix(answer, (len(origins), len(destinations))))

    async def route(self, mode: Mode, places: Sequence[LatLon], departs_at: datetime) -> tuple[Leg, ...]:
        """See Engine."""
        body = {
            "origin": _waypoint(places[0]),
            "destination": _waypoint(places[-1]),
            "intermediates": [_waypoint(at) for at in places[1:-1]],
            "polylineQuality": "HIGH_QUALITY",
            **_how(mode, departs_at),
        }
        leg_fields = ("duration", "distanceMeters", "polyline.encodedPolyline")
        answer: dict[str, Any] = await self._post(
            "directions/v2:computeRoutes",
            body,
            fields=",".join(f"routes.legs.{name}" for name in leg_fields),
            n_elements=1,
        )
        if not reading(lambda: answer.get("routes")):
            raise EngineFailed("no way found")
        return reading(
            lambda: tuple(
                Leg(
                    duration_s=_seconds(leg["duration"]),
                    distance_m=int(leg.get("distanceMeters", 0)),
                    geometry=joined([decode(leg["polyline"]["encodedPolyline"], precision=5)], *ends),
                    source=self.source,
                )
                for leg, ends in zip(answer["routes"][0]["legs"], pairwise(places), strict=True)
            )
        )

    async def _post(self, method: str, body: Mapping[str, Any], *, fields: str, n_elements: int) -> Any:
        headers = {"X-Goog-Api-Key": self.key, "X-Goog-FieldMask": fields}
        url = f"{self.url.rstrip('/')}/{method}"
        return await self.client.fetch(Ask(url=url, body=body, headers=headers, n_elements=n_elements))


def _how(mode: Mode, departs_at: datetime) -> dict[str, str]:
    how = {"travelMode": TRAVEL_MODES[mode]}
    if mode in _WITH_TRAFFIC:
        how["routingPreference"] = "TRAFFIC_AWARE"
        # An instant in the past is refused; leaving it out means now.
        if departs_at > datetime.now(UTC):
            how["departureTime"] = departs_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return how


def _waypoint(at: LatLon) -> dict[str, Any]:
    return {"location": {"latLng": {"latitude": at.lat, "longitude": at.lon}}}


def _seconds(duration: str) -> int:
    return round(float(duration.removesuffix("s")))


def _matrix(elements: Sequence[Mapping[str, Any]], shape: tuple[int, int]) -> tuple[IntMatrix, IntMatrix]:
    """Elements come in any order; zeros may be left out, as in all JSON made from protocol buffers."""
    durations = np.full(shape, UNKNOWN, dtype=np.int32)
    distances = np.full(shape, UNKNOWN, dtype=np.int32)
    for element in elements:
        pair = (element.get("originIndex", 0), element.get("destinationIndex", 0))
        if element.get("status", {}).get("code", 0):
            continue  # an error of this pair alone
        if element.get("condition") == "ROUTE_EXISTS":
            durations[pair] = _seconds(element.get("duration", "0s"))
            distances[pair] = element.get("distanceMeters", 0)
        else:
            durations[pair] = UNROUTABLE
    return durations, distances
