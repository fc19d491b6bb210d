"""Lines of routes from a map engine, for the alerts that ask whether a courier left the route."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from dispatch.alerts.route_line import RouteLine
from dispatch.travel.times import Source, TravelTimes
from tracking import outages
from tracking.live import LivePositions
from tracking.position import CourierId, LatLon, Mode, Region

log = logging.getLogger(__name__)

ENGINES = frozenset(Source) - {Source.LEARNED, Source.DEFAULT}
"""Sources that know streets; a straight line between stops says nothing about who left the route."""
LINES_ASKED_AT_ONCE = 4
MOST_LINES = 20_000


class EngineLines:
    """Lines of routes from a map engine, asked for in the background; a route whose line is not there yet has none."""

    def __init__(self, travel: TravelTimes, live: LivePositions) -> None:
        self._travel = travel
        self._live = live
        self._lines: dict[CourierId, tuple[int, RouteLine | None]] = {}
        self._asked: set[asyncio.Task[None]] = set()

    async def line(
        self, region: Region, courier_id: CourierId, version: int, mode: Mode, stops: Sequence[LatLon]
    ) -> RouteLine | None:
        """The line from where the courier was when this version of the route came, through its stops."""
        known = self._lines.get(courier_id)
        if known is not None and known[0] == version:
            return known[1]
        if stops and len(self._asked) < LINES_ASKED_AT_ONCE:
            if len(self._lines) > MOST_LINES:
                self._lines.clear()
            self._lines[courier_id] = (version, None)
            task = asyncio.create_task(self._ask(region, courier_id, version, mode, stops))
            self._asked.add(task)
            task.add_done_callback(self._asked.discard)
        return None

    async def _ask(
        self, region: Region, courier_id: CourierId, version: int, mode: Mode, stops: Sequence[LatLon]
    ) -> None:
        try:
            live = await self._live.get(courier_id, region)
        except outages.DRIVERS as exc:
            outages.tell(log, "position not read", exc, event="position_not_read")
            live = None
        if live is None:
            self._lines.pop(courier_id, None)  # asked for again at the next look
            return
        path = await self._travel.route(mode, [live.position.fix.at, *stops], datetime.now(UTC))
        if path.source in ENGINES and len(path.geometry) >= 2:
            self._lines[courier_id] = (version, RouteLine(path.geometry))
