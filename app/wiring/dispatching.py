"""Composition of the dispatcher, from the settings, and of the process beside it that large regions have."""

import asyncio
import logging
import os
from time import monotonic
from typing import Final

from app.settings import Settings
from app.wiring.child import Child
from app.wiring.params import cycle_of, loop_of
from app.wiring.resources import Resources
from app.wiring.supervise import supervise
from dispatch.crews import Crew, some_are_large
from dispatch.region.cycle import Planning
from dispatch.region.loop import JOB, Dispatcher
from dispatch.region.planners import Planners
from dispatch.region.search_process import SearchProcess
from dispatch.region.whereabouts import Locator
from dispatch.travel.corrected import Corrected
from tracking import outages
from tracking.live import LivePositions
from tracking.pause import first_to_end, pause

log = logging.getLogger(__name__)

LARGE: Final = "dispatch-large"
"""The role of the process for large regions."""
LOOK_EVERY_S: Final = 10.0
"""How soon a region that has become large has a process of its own."""
KEPT_FOR_S: Final = 600.0
"""So long after the last region was large the process is kept: noon and evening are near."""


def dispatcher(settings: Settings, opened: Resources, crew: Crew | None = None) -> Dispatcher:
    """The dispatcher of this process."""
    planning = Planning(
        pool=opened.pool,
        redis=opened.redis,
        travel=Corrected(opened.travel, opened.knowledge),
        stays=opened.knowledge,
        locator=Locator(LivePositions(opened.redis)),
        params=cycle_of(settings),
        search=SearchProcess(),
        planners=planners(settings),
    )
    params = loop_of(settings)
    return Dispatcher(
        pool=opened.pool, redis=opened.redis, planning=planning, params=params, tails=opened.tails, crew=crew
    )


def planners(settings: Settings) -> Planners | None:
    """Those that the settings want, and the machine has cores for."""
    n = min(settings.dispatch_planners, max(1, (os.cpu_count() or 1) - 1))  # one is for the loop
    return Planners(n) if n else None


async def dispatch(settings: Settings, opened: Resources, crew: Crew, stop: asyncio.Event) -> None:
    """Plan the crew's regions until `stop` is set."""
    await dispatcher(settings, opened, crew).run(stop)


async def beside_large_regions(settings: Settings, opened: Resources, stop: asyncio.Event) -> None:
    """Keep a process for large regions, as long as there are any, until `stop` is set."""
    over: asyncio.Event | None = None
    wanted_at = float("-inf")
    async with asyncio.TaskGroup() as group:
        while not stop.is_set():
            try:
                if await some_are_large(opened.pool, JOB, settings.dispatch_large_from):
                    wanted_at = monotonic()
            except outages.DRIVERS as exc:
                outages.tell(log, "regions not read", exc, event="regions_not_read")
            is_wanted = monotonic() - wanted_at < KEPT_FOR_S
            if is_wanted and over is None:
                log.info("a process for large regions", extra={"event": "large_regions_begun"})
                over = asyncio.Event()
                group.create_task(supervise(LARGE, _keep_process, over))
            elif not is_wanted and over is not None:
                over.set()
                over = None
            await pause(stop, LOOK_EVERY_S)
        if over is not None:
            over.set()


async def _keep_process(over: asyncio.Event) -> None:
    await first_to_end(Child(LARGE).keep_running(os.environ), over.wait())
