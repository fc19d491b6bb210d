"""
Valhalla: sources_to_targets and route. One process serves every mode by its costing.

Source: Valhalla, "Matrix API reference" and "Route API reference": valhalla.github.io/valhalla/api
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

from dispatch.travel.answers import joined, matrix_of, reading
from dispatch.travel.client import Ask, EngineClient
from dispatch.travel.polyline import decode
from dispatch.travel.times import IntMatrix, Leg, Limits, Source
from tracking.position import LatLon, Mode

LIMITS: Final = Limits(n_cells=2500, n_origins=50, n_destinations=50, n_places=20)
"""`service_limits` as shipped: 2,500 pairs of a matrix (error 150 beyond), 20 places of a route."""

COSTINGS: Final[Mapping[Mode, str]] = {
    Mode.CAR: "auto",
    Mode.MOTORCYCLE: "motorcycle",
    Mode.BICYCLE: "bicycle",
    Mode.FOOT: "pedestrian",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Valhalla:
    """An Engine."""

    client: EngineClient
    url: str
    limits: Limits = LIMITS
    cache_s: int = 7 * 86_400

    source = Source.VALHALLA
    modes = frozenset(COSTINGS)
    depends_on_time = False

    async def matrix(
        self,
        mode: Mode,
        origins: Sequence[LatLon],
        destinations: Sequence[LatLon],
        departs_at: datetime,  # noqa: ARG002 - without traffic data the times do not depend on it
    ) -> tuple[IntMatrix, IntMatrix]:
        """See Engine."""
        body = {
            "sources": [_location(at) for at in origins],
            "targets": [_location(at) for at in destinations],
            "costing": COSTINGS[mode],
            "units": "kilometers",
        }
        url = f"{self.url.rstrip('/')}/sources_to_targets"
        answer: dict[str, Any] = await self.client.fetch(
            Ask(url=url, body=body, n_elements=len(origins) * len(destinations))
        )
        shape = (len(origins), len(destinations))
        rows: list[list[dict[str, Any]]] = reading(lambda: answer["sources_to_targets"])
        return (
            reading(lambda: matrix_of([[cell["time"] for cell in row] for row in rows], shape)),
            reading(lambda: matrix_of([[_metres(cell["distance"]) for cell in row] for row in rows], shape)),
        )

    async def route(
        self,
        mode: Mode,
        places: Sequence[LatLon],
        departs_at: datetime,  # noqa: ARG002 - without traffic data the times do not depend on it
    ) -> tuple[Leg, ...]:
        """See Engine."""
        body = {
            "locations": [_location(at) for at in places],
            "costing": COSTINGS[mode],
            "units": "kilometers",
            "directions_type": "none",
        }
        url = f"{self.url.rstrip('/')}/route"
        answer: dict[str, Any] = await self.client.fetch(Ask(url=url, body=body, n_elements=len(places) - 1))
        return reading(
            lambda: tuple(
                Leg(
                    duration_s=round(leg["summary"]["time"]),
                    distance_m=round(1000 * leg["summary"]["length"]),
                    geometry=joined([decode(leg["shape"], precision=6)], *ends),
                    source=self.source,
                )
                for leg, ends in zip(answer["trip"]["legs"], pairwise(places), strict=True)
            )
        )


def _location(at: LatLon) -> dict[str, float]:
    return {"lat": round(at.lat, 6), "lon": round(at.lon, 6)}


def _metres(kilometres: float | None) -> float | None:
    return None if kilometres is None else 1000 * kilometres
