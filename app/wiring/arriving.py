"""Composition of what knows and tells arrivals, from the settings."""

import asyncio

from app.settings import Settings
from app.wiring.params import limits_of
from app.wiring.resources import Resources
from dispatch.arrivals.answers import Arrivals
from dispatch.arrivals.book import EtaBook
from dispatch.arrivals.forecast import Forecaster
from dispatch.arrivals.keeper import EtaKeeper
from dispatch.asides import Asides
from dispatch.crews import Crew
from dispatch.learning.knowledge import Knowledge
from dispatch.learning.learner import Learner
from tracking.history.history import History
from tracking.intake.roster import Roster
from tracking.live import LivePositions


def has_engine(settings: Settings) -> bool:
    """Whether a routing engine is configured: then doing without one is worth a warning."""
    return bool(settings.osrm_url or settings.valhalla_url or settings.google_key or settings.yandex_key)


def arrivals(settings: Settings, opened: Resources) -> Arrivals:
    """What answers."""
    return Arrivals(
        opened.pool,
        EtaBook(opened.redis),
        LivePositions(opened.redis),
        Forecaster(opened.knowledge),
        engine_expected=has_engine(settings),
    )


async def keep_arrivals(settings: Settings, opened: Resources, crew: Crew | None, stop: asyncio.Event) -> None:
    """Follow every courier on a route in the crew's regions, or in all, until `stop` is set."""
    keeper = EtaKeeper(
        opened.pool,
        opened.redis,
        opened.travel,
        Forecaster(opened.knowledge),
        Roster(opened.pool).regions,
        engine_expected=has_engine(settings),
        tails=opened.tails,
        crew=crew,
    )
    await keeper.run(stop)


async def learn(settings: Settings, opened: Resources, stop: asyncio.Event) -> None:
    """Learn from stops that were made until `stop` is set; what is learned reaches all processes by the database."""
    history = History(opened.pool, limits=limits_of(settings))
    asides = Asides(opened.pool, opened.redis, part="learning")
    # Predictions are judged by the models in force when a stop was made: the learner looks for these by itself.
    learner = Learner(opened.pool, history, opened.travel, Roster(opened.pool).regions, Knowledge(), asides=asides)
    await learner.run(stop)


async def know(opened: Resources, stop: asyncio.Event) -> None:
    """Keep what was learned up to date in this process until `stop` is set."""
    await opened.knowledge.run(stop, opened.pool)
