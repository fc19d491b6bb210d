"""
OSRM: table and route services. One osrm-routed process per mode.

Source: Project OSRM, "HTTP API", v1: github.com/Project-OSRM/osrm-backend/blob/master/docs/http.md
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

import numpy as np

from dispatch.travel.answers import joined, matrix_of, reading
from dispatch.travel.client import Ask, EngineClient
from dispatch.travel.polyline import decode
from dispatch.travel.times import UNROUTABLE, EngineFailed, IntMatrix, Leg, Limits, Source
from tracking.position import LatLon, Mode

LIMITS: Final = Limits(n_cells=10_000, n_origins=100, n_destinations=100, n_places=100)
"""osrm-routed takes 100 places in a table and 500 in a route unless told otherwise; 200 places make a URL of 5 kB."""

PROFILES: Final[Mapping[Mode, str]] = {
    Mode.CAR: "driving",
    Mode.MOTORCYCLE: "driving",
    Mode.BICYCLE: "cycling",
    Mode.FOOT: "walking",
}
"""Part of the URL; a single osrm-routed ignores it, a proxy in front of several chooses by it."""

MAX_SNAP_M: Final = 1_000
"""OSRM moves a place to the nearest street, however far: beyond this, the place is not on its map."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Osrm:
    """An Engine. `urls`: base address of the server for each mode."""

    client: EngineClient
    urls: Mapping[Mode, str]
    limits: Limits = LIMITS
    cache_s: int = 7 * 86_400

    source = Source.OSRM
    depends_on_time = False

    @property
    def modes(self) -> frozenset[Mode]:
        """Those with a server."""
        return frozenset(self.urls)

    async def matrix(
        self,
        mode: Mode,
        origins: Sequence[LatLon],
        destinations: Sequence[LatLon],
        departs_at: datetime,  # noqa: ARG002 - OSRM knows no traffic
    ) -> tuple[IntMatrix, IntMatrix]:
        """See Engine."""
        n = len(origins)
        answer = await self._fetch(
            "table",
            mode,
            [*origins, *destinations],
            {
                "sources": ";".join(map(str, range(n))),
                "destinations": ";".join(map(str, range(n, n + len(destinations)))),
                "annotations": "duration,distance",
            },
            n_elements=n * len(destinations),
        )
        shape = (n, len(destinations))
        off_map = reading(
            lambda: np.logical_or.outer(
                [_is_off_map(at) for at in answer["sources"]], [_is_off_map(at) for at in answer["destinations"]]
            )
        )
        durations = reading(lambda: matrix_of(answer["durations"], shape))
        durations[off_map] = UNROUTABLE
        return durations, reading(lambda: matrix_of(answer["distances"], shape))

    async def route(
        self,
        mode: Mode,
        places: Sequence[LatLon],
        departs_at: datetime,  # noqa: ARG002 - OSRM knows no traffic
    ) -> tuple[Leg, ...]:
        """See Engine."""
        options = {"steps": "true", "geometries": "polyline6", "overview": "false"}
        answer = await self._fetch("route", mode, places, options, n_elements=len(places) - 1)
        if reading(lambda: any(_is_off_map(at) for at in answer["waypoints"])):
            raise EngineFailed("a place is off the map")
        return reading(
            lambda: tuple(
                Leg(
                    duration_s=round(leg["duration"]),
                    distance_m=round(leg["distance"]),
                    geometry=joined((decode(step["geometry"], precision=6) for step in leg["steps"]), *ends),
                    source=self.source,
                )
                for leg, ends in zip(answer["routes"][0]["legs"], pairwise(places), strict=True)
            )
        )

    async def _fetch(
        self, service: str, mode: Mode, places: Sequence[LatLon], options: Mapping[str, str], *, n_elements: int
    ) -> dict[str, Any]:
        coordinates = ";".join(f"{at.lon:.6f},{at.lat:.6f}" for at in places)
        url = f"{self.urls[mode].rstrip('/')}/{service}/v1/{PROFILES[mode]}/{coordinates}"
        answer: dict[str, Any] = await self.client.fetch(Ask(url=url, params=options, n_elements=n_elements))
        if reading(lambda: answer["code"]) != "Ok":
            raise EngineFailed("no way found")
        return answer


def _is_off_map(waypoint: Mapping[str, Any]) -> bool:
    return float(waypoint["distance"]) > MAX_SNAP_M
