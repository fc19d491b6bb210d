"""Lines of routes from a map engine, for the alerts that ask whether a courier left the route."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
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
ASK_AGAIN_S = 30.0
"""Without an answer, asked again after so long, then after twice as long each time ..."""
ASK_AGAIN_AT_MOST_S = 600.0
"""... up to this: a pair of places without a way between them never gets one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What is known of one courier's route."""

    version: int
    line: RouteLine | None = None
    ask_at: float = float("inf")
    """On the clock; when there is no line, not before this."""
    pause_s: float = ASK_AGAIN_S
    """How long the next pause will be."""


class EngineLines:
    """Lines of routes from a map engine, asked for in the background; a route whose line is not there yet has none."""

    def __init__(
        self, travel: TravelTimes, live: LivePositions, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`clock`: seconds, for the pauses after an engine did not answer."""
        self._travel = travel
        self._live = live
        self._clock = clock
        self._lines: dict[CourierId, _Known] = {}
        self._asked: set[asyncio.Task[None]] = set()

    async def line(
        self, region: Region, courier_id: CourierId, version: int, mode: Mode, stops: Sequence[LatLon]
    ) -> RouteLine | None:
        """The line from where the courier was when it was asked for in this version of the route, through its stops."""
        known = self._lines.get(courier_id)
        if known is None or known.version != version:
            known = _Known(version=version, ask_at=self._clock())
        if known.line is None and stops and self._clock() >= known.ask_at and len(self._asked) < LINES_ASKED_AT_ONCE:
            if len(self._lines) > MOST_LINES:
                self._lines.clear()
            self._lines[courier_id] = replace(known, ask_at=float("inf"))
            task = asyncio.create_task(self._ask(region, courier_id, known, mode, stops))
            self._asked.add(task)
            task.add_done_callback(self._asked.discard)
        return known.line

    async def _ask(
        self, region: Region, courier_id: CourierId, known: _Known, mode: Mode, stops: Sequence[LatLon]
    ) -> None:
        line = None
        try:
            line = await self._find(region, courier_id, mode, stops)
        except outages.DRIVERS as exc:
            outages.tell(log, "line not found", exc, event="line_not_found")
        except Exception:  # whatever it is, this route and all others are asked for again
            log.exception("line not found", extra={"event": "line_not_found", "courier_id": str(courier_id)})
        if line is not None:
            after = replace(known, line=line)
        else:
            after = replace(
                known, ask_at=self._clock() + known.pause_s, pause_s=min(2 * known.pause_s, ASK_AGAIN_AT_MOST_S)
            )
        if (now := self._lines.get(courier_id)) is not None and now.version == known.version:
            self._lines[courier_id] = after

    async def _find(
        self, region: Region, courier_id: CourierId, mode: Mode, stops: Sequence[LatLon]
    ) -> RouteLine | None:
        """Ask an engine now; None when none answers, or nobody knows where the courier is."""
        live = await self._live.get(courier_id, region)
        if live is None:
            return None
        path = await self._travel.route(mode, [live.position.fix.at, *stops], datetime.now(UTC))
        return RouteLine(path.geometry) if path.source in ENGINES and len(path.geometry) >= 2 else None
