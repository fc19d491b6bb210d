"""
Yandex: Distance Matrix API and Router API, with traffic.

Source: Yandex Maps API, "Distance Matrix API" and "Router API": yandex.ru/dev/router and yandex.ru/maps-api
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final

from dispatch.travel.answers import joined, matrix_of, reading
from dispatch.travel.client import Ask, EngineClient
from dispatch.travel.times import N_NEAREST, EngineFailed, IntMatrix, Leg, Limits, Source
from tracking.position import LatLon, Mode

LIMITS: Final = Limits(n_cells=100, n_origins=10, n_destinations=10, n_places=50, n_nearest=N_NEAREST)
"""100 pairs of a matrix, 50 places of a route."""

TRAVEL_MODES: Final[Mapping[Mode, str]] = {
    Mode.CAR: "driving",
    Mode.MOTORCYCLE: "driving",
    Mode.BICYCLE: "bicycle",
    Mode.FOOT: "walking",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Yandex:
    """An Engine. The service takes its `key` only in the query: the client keeps URLs out of logs and errors."""

    client: EngineClient
    key: str = field(repr=False)
    url: str = "https://api.routing.yandex.net"
    limits: Limits = LIMITS
    cache_s: int = 300
    """Short: the terms of use allow keeping answers only for the work at hand."""
    modes: frozenset[Mode] = frozenset(TRAVEL_MODES)

    source = Source.YANDEX
    depends_on_time = True

    async def matrix(
        self, mode: Mode, origins: Sequence[LatLon], destinations: Sequence[LatLon], departs_at: datetime
    ) -> tuple[IntMatrix, IntMatrix]:
        """See Engine."""
        answer = await self._get(
            "v2/distancematrix",
            {"origins": _points(origins), "destinations": _points(destinations), **_how(mode, departs_at)},
            n_elements=len(origins) * len(destinations),
        )
        shape = (len(origins), len(destinations))
        rows: list[list[dict[str, Any]]] = reading(lambda: [row["elements"] for row in answer["rows"]])
        return (
            reading(lambda: matrix_of([[_value(cell, "duration") for cell in row] for row in rows], shape)),
            reading(lambda: matrix_of([[_value(cell, "distance") for cell in row] for row in rows], shape)),
        )

    async def route(self, mode: Mode, places: Sequence[LatLon], departs_at: datetime) -> tuple[Leg, ...]:
        """See Engine."""
        answer = await self._get("v2/route", {"waypoints": _points(places), **_how(mode, departs_at)}, n_elements=1)
        legs: list[dict[str, Any]] = reading(lambda: answer["route"]["legs"])
        if any(leg.get("status") != "OK" for leg in legs):
            raise EngineFailed("no way found")
        return reading(
            lambda: tuple(
                Leg(
                    duration_s=round(sum(step["duration"] + step.get("waiting_duration", 0) for step in leg["steps"])),
                    distance_m=round(sum(step["length"] for step in leg["steps"])),
                    geometry=joined(
                        ([LatLon(lat, lon) for lat, lon in step["polyline"]["points"]] for step in leg["steps"]), *ends
                    ),
                    source=self.source,
                )
                for leg, ends in zip(legs, pairwise(places), strict=True)
            )
        )

    async def _get(self, path: str, params: Mapping[str, str], *, n_elements: int) -> dict[str, Any]:
        url = f"{self.url.rstrip('/')}/{path}"
        answer: dict[str, Any] = await self.client.fetch(
            Ask(url=url, params={**params, "apikey": self.key}, n_elements=n_elements)
        )
        return answer


def _how(mode: Mode, departs_at: datetime) -> dict[str, str]:
    how = {"mode": TRAVEL_MODES[mode]}
    if mode in {Mode.CAR, Mode.MOTORCYCLE} and departs_at > datetime.now(UTC):
        how["departure_time"] = str(int(departs_at.timestamp()))
    return how


def _points(places: Sequence[LatLon]) -> str:
    return "|".join(f"{at.lat:.6f},{at.lon:.6f}" for at in places)


def _value(cell: Mapping[str, Any], name: str) -> float | None:
    """None for a pair without a way (status FAIL)."""
    return float(cell[name]["value"]) if cell["status"] == "OK" else None
