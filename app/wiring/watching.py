"""Composition of the watcher, from the settings."""

import asyncio

from app.settings import Settings
from app.wiring.params import limits_of, watch_of
from app.wiring.resources import Resources
from dispatch.alerts.engine_lines import EngineLines
from dispatch.alerts.observer import Vigilance
from dispatch.alerts.region_facts import FactsOfRegion
from dispatch.arrivals.book import EtaBook
from tracking.intake.roster import Roster
from tracking.live import LivePositions
from tracking.log import PositionLog
from tracking.watching.watch import Watcher


async def watch(settings: Settings, opened: Resources, stop: asyncio.Event) -> None:
    """Watch until `stop` is set."""
    lines = EngineLines(opened.travel, LivePositions(opened.redis))
    facts = FactsOfRegion(opened.pool, lines=lines, estimates=EtaBook(opened.redis))
    watcher = Watcher(
        pool=opened.pool,
        redis=opened.redis,
        position_log=PositionLog(opened.redis),
        regions=Roster(opened.pool).regions,
        observers=[Vigilance(pool=opened.pool, redis=opened.redis, facts=facts, limits=limits_of(settings))],
        params=watch_of(settings),
        blocking=opened.blocking,
    )
    await watcher.run(stop)
