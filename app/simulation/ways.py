"""The way from here to there: of the routing engine where there is one, else along the town's own streets."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

import httpx

from app.simulation.town import Town
from tracking.position import LatLon, Mode

TIMEOUT_S: Final = 2.0
ASKED_AT_ONCE: Final = 4


class Ways:
    """Asks an engine by mode; whatever it answers, there is a way."""

    def __init__(self, town: Town, engines: Mapping[Mode, str], http: httpx.AsyncClient) -> None:
        self._town = town
        self._engines = engines
        self._http = http
        self._gate = asyncio.Semaphore(ASKED_AT_ONCE)

    async def between(self, start: LatLon, end: LatLon, mode: Mode) -> Sequence[LatLon]:
        """The places on the way, both ends included."""
        if (url := self._engines.get(mode)) is not None:
            ends = ";".join(f"{place.lon:.6f},{place.lat:.6f}" for place in (start, end))
            query = {"overview": "full", "geometries": "geojson"}
            try:
                async with self._gate:
                    answer = await self._http.get(f"{url}/route/v1/driving/{ends}", params=query, timeout=TIMEOUT_S)
                line = answer.raise_for_status().json()["routes"][0]["geometry"]["coordinates"]
                return [LatLon(lat, lon) for lon, lat in line] + [end]
            except (httpx.HTTPError, ValueError, LookupError, TypeError):
                pass  # the engine is away: the town's streets do as well
        town = self._town
        return [*town.path(town.way(town.nearest(start), town.nearest(end))), end]
