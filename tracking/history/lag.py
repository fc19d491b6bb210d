"""
How far the readers of the log are behind, told by whoever is not stuck.

The writer tells it of itself, but a writer that has died tells nothing, and just then it must be seen: so every API
process asks Redis as well. No database is needed for it; without one the regions are those known last, or those that
have a log.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from tracking import metrics, outages
from tracking.dead_letters import DeadLetters
from tracking.log import HISTORY, OUT, PositionLog
from tracking.pause import pause
from tracking.position import Region

log = logging.getLogger(__name__)

EVERY_S: Final = 4.0
"""A second's fixes that wait for a reader are seen within five seconds."""


async def tell_lag(position_log: PositionLog, letters: DeadLetters, region: Region) -> None:
    """Set the gauges of a region; raises what the Redis client raises, and then they stay as they were."""
    lags = await position_log.lag(region)
    if all(lag.group != HISTORY for lag in lags):
        # No writer has been here yet: all of the log waits for one.
        await position_log.ensure_group(HISTORY, region)
        lags = await position_log.lag(region)
    for lag in lags:
        if lag.group.startswith(OUT):  # they come and go, and hold the log for a minute at most
            continue
        metrics.LOG_FIXES.labels(region, lag.group).set(lag.n_fixes)
        metrics.LOG_LAG_SECONDS.labels(region, lag.group).set(lag.seconds)
    metrics.DEAD_LETTERS.labels(region).set(await letters.count(region))


class LagWatch:
    """Tells the lag of all regions, again and again."""

    def __init__(
        self, position_log: PositionLog, letters: DeadLetters, regions: Callable[[], Awaitable[Sequence[Region]]]
    ) -> None:
        """`regions`: lists the regions there are, now."""
        self._log = position_log
        self._letters = letters
        self._regions = regions
        self._known: Sequence[Region] = ()

    async def run(self, stop: asyncio.Event) -> None:
        """Tell it until `stop`; while Redis is away nothing new is known."""
        while not stop.is_set():
            for region in await self._all():
                try:
                    await tell_lag(self._log, self._letters, region)
                except outages.REDIS as exc:  # one server of a cluster keeps the others' regions from nothing
                    outages.tell(log, "lag not known", exc, event="lag_not_known", region=region)
            await pause(stop, EVERY_S)

    async def _all(self) -> Sequence[Region]:
        try:
            self._known = await self._regions()
        except outages.DRIVERS:
            try:
                self._known = self._known or await self._log.regions()
            except outages.REDIS as exc:
                outages.tell(log, "lag not known", exc, event="lag_not_known")
        return self._known
