"""Composition of the dispatcher, from the settings."""

import asyncio

from app.settings import Settings
from app.wiring.params import cycle_of, loop_of
from app.wiring.resources import Resources
from dispatch.region.cycle import Planning
from dispatch.region.loop import Dispatcher
from dispatch.region.search_process import SearchProcess
from dispatch.region.whereabouts import Locator
from dispatch.travel.corrected import Corrected
from tracking.live import LivePositions


def dispatcher(settings: Settings, opened: Resources) -> Dispatcher:
    """The dispatcher of this process."""
    planning = Planning(
        pool=opened.pool,
        redis=opened.redis,
        travel=Corrected(opened.travel, opened.knowledge),
        stays=opened.knowledge,
        locator=Locator(LivePositions(opened.redis)),
        params=cycle_of(settings),
        search=SearchProcess(),
    )
    params = loop_of(settings)
    return Dispatcher(pool=opened.pool, redis=opened.redis, planning=planning, params=params, tails=opened.tails)


async def dispatch(settings: Settings, opened: Resources, stop: asyncio.Event) -> None:
    """Plan until `stop` is set."""
    await dispatcher(settings, opened).run(stop)
