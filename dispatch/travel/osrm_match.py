"""
OSRM: the match service, which finds the streets under a track. One osrm-routed process per mode.

Source: Project OSRM, "HTTP API", v1: github.com/Project-OSRM/osrm-backend/blob/master/docs/http.md
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dispatch.travel.answers import joined, reading
from dispatch.travel.client import Ask, EngineClient
from dispatch.travel.osrm import PROFILES
from dispatch.travel.polyline import decode
from dispatch.travel.times import EngineFailed, Source
from dispatch.travel.trace import MICROS, Run, Seen, Snap
from tracking.position import LatLon, Mode

N_FIXES: Final = 100
"""osrm-routed takes 100 fixes unless told otherwise (`--max-matching-size`); they make a URL of 4 kB."""
USUAL_M, LEAST_M, MOST_M = 15.0, 5.0, 50.0
"""Radius within which OSRM looks for streets: the accuracy that the phone tells, within reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OsrmMatcher:
    """A Matcher. `urls`: base address of the server for each mode."""

    client: EngineClient
    urls: Mapping[Mode, str]
    n_fixes: int = N_FIXES

    source = Source.OSRM

    @property
    def modes(self) -> frozenset[Mode]:
        """Those with a server."""
        return frozenset(self.urls)

    async def match(self, mode: Mode, fixes: Sequence[Seen]) -> tuple[Run, ...]:
        """See Matcher."""
        coordinates = ";".join(f"{fix.at.lon:.6f},{fix.at.lat:.6f}" for fix in fixes)
        options = {
            "timestamps": ";".join(str(fix.at_us // MICROS) for fix in fixes),
            "radiuses": ";".join(f"{min(MOST_M, max(LEAST_M, fix.accuracy_m or USUAL_M)):.0f}" for fix in fixes),
            "geometries": "polyline6",
            "overview": "false",
            "steps": "true",
            "gaps": "ignore",  # who stands is asked about once a minute; real gaps are not asked about
        }
        url = f"{self.urls[mode].rstrip('/')}/match/v1/{PROFILES[mode]}/{coordinates}"
        answer: dict[str, Any] = await self.client.fetch(Ask(url=url, params=options, n_elements=len(fixes)))
        if reading(lambda: answer["code"]) != "Ok":
            raise EngineFailed("no way found")
        return reading(lambda: _runs(answer))


def _runs(answer: Mapping[str, Any]) -> tuple[Run, ...]:
    runs: dict[int, list[Snap]] = {}
    for number, point in enumerate(answer["tracepoints"]):
        if point is None:
            continue
        run = runs.setdefault(point["matchings_index"], [])
        lon, lat = point["location"]
        at = LatLon(lat, lon)
        way: tuple[LatLon, ...] = ()
        if run:
            leg = answer["matchings"][point["matchings_index"]]["legs"][point["waypoint_index"] - 1]
            way = joined((decode(step["geometry"], precision=6) for step in leg["steps"]), run[-1].at, at)
        run.append(Snap(number, at, way))
    return tuple(tuple(run) for run in runs.values())
