"""Composition roots of the roles beside the API: each opens what it needs and keeps its loops alive until `stop`."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

from app.commands.erasing import Erasing
from app.commands.forgetting import Forgetting, Retention
from app.gateway.brokers import keep_brokers, ways_in, ways_out
from app.gateway.forwarding import Forwarding
from app.gateway.inbox import Inbox
from app.gateway.sender import Sender
from app.geocoding.chain import geocoding
from app.machine.api import PortTaken, refuse_taken_port
from app.machine.life import lived
from app.messages.arriving import Notices
from app.messages.messenger import Messenger
from app.messages.push import Push
from app.messages.services import Services
from app.pictures.keeping import PictureKeeping
from app.pictures.store import PictureStore
from app.routes import health
from app.settings import Settings
from app.web.health_listener import Look, listen
from app.web.idempotency import forget_answers
from app.wiring.arriving import arrivals, keep_arrivals, know, learn
from app.wiring.census import Census
from app.wiring.child import CHILD_OF
from app.wiring.dispatching import LARGE, beside_large_regions, dispatch
from app.wiring.params import indexed_for_s, keep_of, limits_of, pace_of, reach_of
from app.wiring.resources import Resources, resources
from app.wiring.schema import Unfit, wait_until_fit
from app.wiring.supervise import supervise
from app.wiring.traces import traced
from app.wiring.vitals import Vitals
from app.wiring.watching import watch
from dispatch.crews import Crew
from dispatch.pay.booking import Booking
from dispatch.reports.courier_hours import CourierHours
from dispatch.reports.order_days import OrderDays
from dispatch.reports.order_hours import OrderHours
from dispatch.stock.outbox import Outbox
from dispatch.stock.shelf import Shelf
from tracking.dead_letters import DeadLetters
from tracking.history.history import History
from tracking.history.housekeeping import Housekeeping
from tracking.history.refill import Refill
from tracking.history.writer import Writer
from tracking.intake.roster import Roster
from tracking.live import LivePositions
from tracking.log import PositionLog
from tracking.quarantine import QuarantineStore

Start = Callable[[asyncio.Event], Awaitable[None]]


async def run(name: str, settings: Settings, stop: asyncio.Event) -> None:
    """
    Play the role until `stop` is set; waits for a database that is away.

    Raises KeyError for a role that does not exist, Unfit where the schema will not do.
    """
    parts = ROLES[name]
    async with traced(name, settings), resources(settings, role=name) as opened, _telling(settings, opened):
        await wait_until_fit(opened.pool, opened.redis, stop)
        async with lived(name, settings), asyncio.TaskGroup() as group:
            group.create_task(supervise("vitals", Vitals(name, opened).run, stop))
            for part, start in parts(settings, opened).items():
                group.create_task(supervise(part, start, stop))
            await stop.wait()


@asynccontextmanager
async def _telling(settings: Settings, opened: Resources) -> AsyncIterator[None]:
    """
    `/metrics` and `/health/*` on the role's own port, also while it waits for its servers.

    None in a child: whoever started it tells of it as well. Raises Unfit where the port is taken.
    """
    if not settings.metrics_port or CHILD_OF in os.environ:
        yield
        return
    try:
        refuse_taken_port(settings.host, settings.metrics_port)
    except PortTaken as exc:
        raise Unfit(f"POSTRIDER_METRICS_PORT: cannot listen on {settings.metrics_port}: it is taken") from exc
    questions: dict[str, Look] = {
        "/health/live": health.liveness,
        "/health/ready": partial(health.readiness, opened.pool, opened.redis, takes_fixes=False),
    }
    over = asyncio.Event()
    listening = asyncio.create_task(
        supervise("health", partial(listen, settings.host, settings.metrics_port, questions), over)
    )
    try:
        yield
    finally:
        over.set()
        await listening


def _writer(settings: Settings, opened: Resources) -> dict[str, Start]:
    """The log to history, and live state back from history when Redis lost it."""
    history = History(opened.pool, limits=limits_of(settings))
    roster = Roster(opened.pool)
    position_log = PositionLog(opened.redis, keep_s=settings.log_keep_s, blocking=opened.blocking)
    pace = pace_of(settings)
    quarantine, letters = QuarantineStore(opened.pool), DeadLetters(opened.redis)
    return {
        "writer": Writer(
            position_log, history, quarantine, letters, roster.regions, pace=pace, n_parts=roster.log_parts
        ).run,
        "refill": Refill(LivePositions(opened.redis, indexed_for_s=indexed_for_s(settings)), history, roster).run,
    }


def _dispatch(settings: Settings, opened: Resources) -> dict[str, Start]:
    """Plans, arrivals, and what is learned from both."""
    return {
        **_planning(settings, opened, is_large=False),
        "learner": partial(learn, settings, opened),
        "large regions": partial(beside_large_regions, settings, opened),
    }


def _dispatch_large(settings: Settings, opened: Resources) -> dict[str, Start]:
    """The same of the large regions."""
    return _planning(settings, opened, is_large=True)


def _planning(settings: Settings, opened: Resources, *, is_large: bool) -> dict[str, Start]:
    crew = Crew(pool=opened.pool, large_from=settings.dispatch_large_from, is_large=is_large)
    return {
        "dispatch": partial(dispatch, settings, opened, crew),
        "arrivals": partial(keep_arrivals, settings, opened, crew),
        "knowledge": partial(know, opened),
    }


def _watch(settings: Settings, opened: Resources) -> dict[str, Start]:
    """Stays, fence events, arrivals at stops and alerts."""
    return {"watch": partial(watch, settings, opened)}


def _housekeeping(settings: Settings, opened: Resources) -> dict[str, Start]:
    """Retention, compression, sums by hour, and what was erased."""
    store = PictureStore.of(settings)
    return {
        **({} if store is None else {"pictures": PictureKeeping(opened.pool, store).run}),
        "housekeeping": Housekeeping(opened.pool, keep_of(settings)).run,
        "courier hours": CourierHours(opened.pool, reach_of(settings)).run,
        "order hours": OrderHours(opened.pool).run,
        "order days": OrderDays(opened.pool).run,
        "pay": Booking(opened.pool, opened.redis).run,
        "stock": Outbox(opened.pool, opened.redis).run,
        "shelf": Shelf(opened.pool).run,
        "retention": Forgetting(opened.pool, Retention.of(settings)).run,
        "erasing": Erasing(opened.pool, opened.redis).run,
        "forgetting": partial(forget_answers, opened.pool),
        "census": Census(opened.pool).run,
    }


def _gateway(settings: Settings, opened: Resources) -> dict[str, Start]:
    """Events to other systems and commands from them, and messages to people."""

    async def send(stop: asyncio.Event) -> None:
        async with ways_out(settings) as ways, asyncio.TaskGroup() as group:
            group.create_task(keep_brokers(settings, opened.pool, ways, stop))
            group.create_task(Sender(opened.pool, opened.redis, ways).run(stop))

    async def forward(stop: asyncio.Event) -> None:
        async with ways_out(settings) as ways:
            await Forwarding(opened.pool, opened.redis, ways, Roster(opened.pool).regions).run(stop)

    async def receive(stop: asyncio.Event) -> None:
        async with geocoding(settings, opened.redis) as geocoders:
            inbox = Inbox(opened.pool, opened.redis, geocoders)
            parts = {"commands again": inbox.run, **ways_in(settings, inbox)}
            async with asyncio.TaskGroup() as group:
                for name, start in parts.items():
                    group.create_task(supervise(name, start, stop))

    async def say(stop: asyncio.Event) -> None:
        services = Services(allow_private=settings.webhooks_private)
        contact = settings.public_url if settings.public_url.startswith("https:") else "mailto:postrider@example.com"
        push = Push(allow_private=settings.webhooks_private, contact=contact)
        await Messenger(opened.pool, services, push, public_url=settings.public_url).run(stop)

    notices = Notices(opened.pool, arrivals(settings, opened))
    return {"events": send, "positions out": forward, "commands": receive, "messages": say, "notices": notices.run}


def _background(settings: Settings, opened: Resources) -> dict[str, Start]:
    """What one machine does in one process: both wait most of the time."""
    return _housekeeping(settings, opened) | _gateway(settings, opened)


ROLES: dict[str, Callable[[Settings, Resources], dict[str, Start]]] = {
    "writer": _writer,
    "watch": _watch,
    "dispatch": _dispatch,
    LARGE: _dispatch_large,
    "housekeeping": _housekeeping,
    "gateway": _gateway,
    "background": _background,
}
