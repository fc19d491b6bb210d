"""Composition of the dispatcher, from the settings."""

import asyncio

from app.settings import Settings
from app.wiring.resources import Resources
from dispatch.region.cycle import CycleParams, Planning
from dispatch.region.loop import Dispatcher, LoopParams
from dispatch.region.search_process import SearchProcess
from dispatch.region.whereabouts import Locator
from tracking.live import LivePositions


def cycle_params(settings: Settings) -> CycleParams:
    """How regions are run."""
    return CycleParams(
        offer_for_s=settings.offer_for_s,
        ask_again_after_s=settings.ask_again_after_s,
        search_s=settings.dispatch_search_s,
    )


def dispatcher(settings: Settings, opened: Resources) -> Dispatcher:
    """The dispatcher of this process."""
    planning = Planning(
        pool=opened.pool,
        redis=opened.redis,
        travel=opened.travel,
        locator=Locator(LivePositions(opened.redis)),
        params=cycle_params(settings),
        search=SearchProcess() if settings.dispatch_search_s > 0 else None,
    )
    params = LoopParams(tick_s=settings.dispatch_tick_s, lease_s=settings.dispatch_lease_s)
    return Dispatcher(pool=opened.pool, redis=opened.redis, planning=planning, params=params)


async def dispatch(settings: Settings, opened: Resources, stop: asyncio.Event) -> None:
    """Plan until `stop` is set."""
    await dispatcher(settings, opened).run(stop)
