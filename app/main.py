"""The API: `create_app(settings)` wires it together; no logic here."""

import asyncio
import logging
import multiprocessing
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import NotFoundException
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

from app import logs
from app.geocoding.chain import geocoding
from app.machine.check import check
from app.machine.life import lived
from app.machine.orphan import end_with_parent
from app.messages.services import Services
from app.pages.nowhere import in_words, nothing_here
from app.pictures.pictures import Pictures
from app.pictures.store import PictureStore
from app.routes import (
    account,
    alerts,
    audit,
    breaks,
    channels,
    console,
    courier_day,
    courier_messages,
    couriers,
    day_plans,
    demo,
    eta,
    geocode,
    geofences,
    health,
    held,
    installation,
    invitations,
    live,
    oauth,
    offers,
    oidc,
    order_bulk,
    order_goods,
    order_import,
    order_steps,
    orders,
    pay,
    phones,
    phones_fast,
    place_ahead,
    place_tasks,
    places,
    plans,
    positions,
    positions_fast,
    presence,
    proof,
    push,
    recipients,
    region_routes,
    regions,
    reports,
    route,
    sessions,
    share,
    share_forms,
    shifts,
    stock,
    stock_counts,
    stops,
    streets,
    tokens,
    tracks,
    users,
    webhooks,
    weighing,
)
from app.routes.positions_fast import FastPositions
from app.settings import Settings
from app.streets.tile_file import TileFile
from app.web.address import Proxies
from app.web.auth import AuthenticationMiddleware, Authenticator, provide_caller
from app.web.compression import CompressionMiddleware
from app.web.describe import DescriptionConfig
from app.web.graceful import when_streams_must_end
from app.web.health_listener import Look, listen
from app.web.looks import LookMiddleware, Looks
from app.web.metrics import ObserveMiddleware, metrics
from app.web.passwords import Passwords
from app.web.problems import describe_problem, exception_handlers
from app.web.rates import Rates, limits_of
from app.web.reach import ReachMiddleware
from app.web.retries import RetryMiddleware
from app.web.rsgi import Rsgi
from app.web.unbearable import refuse_unbearable
from app.wiring.arriving import arrivals, know
from app.wiring.census import Census
from app.wiring.checkup import Checkup
from app.wiring.day_plans import DayPlans
from app.wiring.folding import Folding
from app.wiring.intake import Intake
from app.wiring.params import cycle_of
from app.wiring.resources import REQUEST_WAITS_S, Resources, resources
from app.wiring.slotting import Slotting
from app.wiring.supervise import supervise
from app.wiring.thinking import Thinking
from app.wiring.traces import traced
from app.wiring.turns import Turns
from app.wiring.vitals import Vitals
from app.wiring.whatif import APPLYING_SHARE, AT_ONCE, RECIPIENTS_SHARE, WhatIf
from dispatch.orders.channel import CourierChannels
from dispatch.region.whereabouts import Locator
from dispatch.travel.corrected import Corrected
from tracking.dead_letters import DeadLetters
from tracking.history.lag import LagWatch
from tracking.intake.pulse import Pulse
from tracking.live import LivePositions

log = logging.getLogger(__name__)

ROUTES = [
    *account.route_handlers,
    *alerts.route_handlers,
    *audit.route_handlers,
    *console.route_handlers,
    *courier_day.route_handlers,
    *courier_messages.route_handlers,
    *couriers.route_handlers,
    *day_plans.route_handlers,
    *geocode.route_handlers,
    *geofences.route_handlers,
    *eta.route_handlers,
    *health.route_handlers,
    *held.route_handlers,
    *installation.route_handlers,
    *invitations.route_handlers,
    *live.route_handlers,
    *oauth.route_handlers,
    *offers.route_handlers,
    *oidc.route_handlers,
    *order_bulk.route_handlers,
    *order_import.route_handlers,
    *order_steps.route_handlers,
    *order_goods.route_handlers,
    *orders.route_handlers,
    *pay.route_handlers,
    *phones.route_handlers,
    *place_tasks.route_handlers,
    *place_ahead.route_handlers,
    *places.route_handlers,
    *plans.route_handlers,
    *presence.route_handlers,
    *proof.route_handlers,
    *push.route_handlers,
    *recipients.route_handlers,
    *route.route_handlers,
    *regions.route_handlers,
    *region_routes.route_handlers,
    *reports.route_handlers,
    *sessions.route_handlers,
    *share.route_handlers,
    *share_forms.route_handlers,
    *shifts.route_handlers,
    *stock.route_handlers,
    *stock_counts.route_handlers,
    *breaks.route_handlers,
    *channels.route_handlers,
    *positions.route_handlers,
    *webhooks.route_handlers,
    *stops.route_handlers,
    *streets.route_handlers,
    *tokens.route_handlers,
    *tracks.route_handlers,
    *users.route_handlers,
    *weighing.route_handlers,
    describe_problem,
    metrics,
]


def create_app(settings: Settings, *, role: str = "api") -> Litestar:
    """Build the API; nothing is opened before its lifespan begins. `role`: how the process tells of itself."""

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with traced(role, settings), resources(settings, wait_s=REQUEST_WAITS_S, role=role) as opened:
            app.state.pool, app.state.reads, app.state.redis = opened.pool, opened.reads, opened.redis
            app.state.travel = opened.travel
            app.state.matching = opened.matching
            app.state.locator = Locator(LivePositions(opened.redis))
            thinking = Thinking()
            app.state.what_if = WhatIf(
                pool=opened.pool,
                travel=Corrected(opened.travel, opened.knowledge),
                stays=opened.knowledge,
                locator=app.state.locator,
                params=cycle_of(settings),
                thinking=thinking,
                slots=asyncio.Semaphore(AT_ONCE),
                applying=Turns(AT_ONCE, share=APPLYING_SHARE),
                recipients=Turns(1, share=RECIPIENTS_SHARE),
            )
            app.state.day_plans = DayPlans(
                pool=opened.pool, travel=opened.travel, params=cycle_of(settings), stays=opened.knowledge
            )
            app.state.checkup = Checkup(partial(check, settings))
            app.state.folding = Folding()
            app.state.arrivals = arrivals(settings, opened)
            app.state.channels = CourierChannels(opened.redis, opened.tails)
            app.state.authenticator = Authenticator(opened.pool, opened.redis, ttl_s=settings.token_cache_s)
            app.state.passwords = Passwords()
            app.state.looks = Looks(opened.pool)
            app.state.services = Services(allow_private=settings.webhooks_private)
            app.state.pictures = Pictures(opened.pool, PictureStore.of(settings))
            app.state.intake = Intake.build(settings, opened, app.state.authenticator)
            app.state.rates = Rates(opened.redis, limits_of(settings))
            await app.state.intake.presence.refresh(datetime.now(UTC))
            stop = asyncio.Event()
            async with (
                live.open_feed(settings, opened.redis, opened.tails, opened.pool) as app.state.feed,
                geocoding(settings, opened.redis) as app.state.geocoding,
                oidc.open_provider(settings) as app.state.oidc,
                lived(role, settings),
                asyncio.TaskGroup() as group,
            ):
                if settings.metrics_port:
                    group.create_task(supervise("health", partial(_tell_health, settings, opened), stop))
                group.create_task(supervise("reads", opened.reads.run, stop))
                group.create_task(supervise("rates", app.state.rates.keep_shared, stop))
                group.create_task(supervise("tokens", app.state.authenticator.keep_fresh, stop))
                group.create_task(supervise("presence", app.state.intake.presence.run, stop))
                group.create_task(supervise("lag", _lag_watch(opened, app.state.intake).run, stop))
                group.create_task(supervise("census", Census(opened.pool).run, stop))
                group.create_task(supervise("vitals", Vitals(role, opened).run, stop))
                group.create_task(supervise("looks", app.state.looks.run, stop))
                group.create_task(supervise("day plans", app.state.day_plans.run, stop))
                group.create_task(supervise("knowledge", partial(know, opened), stop))
                group.create_task(supervise("pulse", Pulse(opened.redis).keep, stop))
                when_streams_must_end(partial(_end_streams, app.state))
                try:
                    yield
                finally:
                    stop.set()
                    thinking.close()
                    app.state.folding.close()
                    await app.state.services.close()
                    await app.state.intake.ingest.close()
                    app.state.streets.close()

    return Litestar(
        route_handlers=[*ROUTES, *(demo.route_handlers if settings.demo else ())],
        lifespan=[lifespan],
        state=State(
            {
                "settings": settings,
                "streets": TileFile(Path(settings.map_tiles)),
                "proxies": Proxies(settings.trusted_proxies),
                "slotting": Slotting(),
            }
        ),
        dependencies={
            "pool": Provide(_pool, sync_to_thread=False),
            "reads": Provide(_reads, sync_to_thread=False),
            "redis": Provide(_redis, sync_to_thread=False),
            "installation": Provide(_settings, sync_to_thread=False),
            "authenticator": Provide(_authenticator, sync_to_thread=False),
            "travel": Provide(_travel, sync_to_thread=False),
            "locator": Provide(_locator, sync_to_thread=False),
            "arrivals": Provide(_arrivals, sync_to_thread=False),
            "geocoding": Provide(_geocoding, sync_to_thread=False),
            "what_if": Provide(_what_if, sync_to_thread=False),
            "channels": Provide(_channels, sync_to_thread=False),
            "day_plans": Provide(_day_plans, sync_to_thread=False),
            "slotting": Provide(_slotting, sync_to_thread=False),
            "caller": Provide(provide_caller, sync_to_thread=False),
        },
        middleware=[CompressionMiddleware, AuthenticationMiddleware, ReachMiddleware, LookMiddleware, RetryMiddleware],
        before_request=refuse_unbearable,
        exception_handlers={
            **{cls: in_words(handler) for cls, handler in exception_handlers().items()},
            NotFoundException: nothing_here,
        },
        openapi_config=DescriptionConfig(
            title="Postrider",
            version="1.0.0",
            summary="Tracks a courier fleet and dispatches its orders.",
            # A router of its own, for the description of the API is public.
            openapi_router=Router(path="/schema", route_handlers=[], opt={"public": True}),
            render_plugins=[JsonRenderPlugin(path=["/", "/openapi.json"])],  # the page for people is the console's
            security=[{"token": []}],
            components=Components(security_schemes={"token": SecurityScheme(type="http", scheme="bearer")}),
        ),
        request_max_body_size=settings.request_body_limit_bytes,
        logging_config=None,
    )


async def _tell_health(settings: Settings, opened: Resources, stop: asyncio.Event) -> None:
    questions: dict[str, Look] = {
        "/health/live": health.liveness,
        "/health/ready": partial(health.readiness, opened.pool, opened.redis),
    }
    await listen(settings.host, settings.metrics_port, questions, stop)


def _lag_watch(opened: Resources, intake: Intake) -> LagWatch:
    return LagWatch(intake.log, DeadLetters(opened.redis), intake.roster.regions)


def _end_streams(state: State) -> None:
    state.feed.end()
    state.channels.end()


def _pool(state: State) -> Any:
    return state.pool


def _reads(state: State) -> Any:
    return state.reads


def _redis(state: State) -> Any:
    return state.redis


def _settings(state: State) -> Any:
    return state.settings


def _authenticator(state: State) -> Any:
    return state.authenticator


def create_rsgi(settings: Settings) -> Rsgi:
    """The API with what must see every request, also those that match no route, and with its hot doors."""
    return in_front(create_app(settings))


def in_front(app: Litestar) -> Rsgi:
    """The hot doors and the bridge, in front of an API."""
    return Rsgi(
        ObserveMiddleware(
            phones.AnyMethod(app),
            body_within_s=app.state.settings.request_body_s,
            proxies=app.state.proxies,
            is_told=app.state.settings.log_requests,
        ),
        {
            ("POST", positions_fast.PATH): FastPositions(app.state),
            **{phone.key: phone for phone in phones_fast.fast_phones(app.state)},
        },
    )


def _travel(state: State) -> Any:
    return state.travel


def _locator(state: State) -> Any:
    return state.locator


def _arrivals(state: State) -> Any:
    return state.arrivals


def _geocoding(state: State) -> Any:
    return state.geocoding


def _what_if(state: State) -> Any:
    return state.what_if


def _day_plans(state: State) -> Any:
    return state.day_plans


def _slotting(state: State) -> Any:
    return state.slotting


def _channels(state: State) -> Any:
    return state.channels


def rsgi() -> Rsgi:
    """What the server runs in each API process; settings come from the environment."""
    if (server := multiprocessing.parent_process()) is not None and server.pid is not None:
        end_with_parent(server.pid)
    settings = Settings.from_env(os.environ)
    logs.configure(settings.log_level, settings.log_json)
    try:
        return create_rsgi(settings)
    except Exception:
        # The server says nothing of its workers, and starts them again.
        log.exception("api did not start", extra={"event": "api_not_started"})
        raise
