"""What a courier is to do: `/v1/couriers/{id}/route`, as JSON and as a stream; and reordering it by hand."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from time import monotonic
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.response import ServerSentEvent, ServerSentEventMessage

from app.commands.collecting import goods_of
from app.commands.foreseeing import Offered, add_pay
from app.shapes.arrivals import EtaShape, eta_shape
from app.shapes.offers import OfferShape, offer_shape
from app.shapes.orders import Version, plan_cost_shape
from app.shapes.route import RouteShape, WaitingPlaceShape, add_way, said_by, view
from app.web import conditional
from app.web.actors import actor_of
from app.web.audit import audit
from app.web.auth import AuthenticationUnavailable, Authenticator, Caller, Role, requires, requires_any
from app.web.dependencies import Arriving, Channels, CurrentCaller, Pool, RedisClient, Tokens, Travel, Whereabouts
from app.web.looks import looks_at
from app.web.problems import BadInput
from app.web.reach import current_reach, reach_of
from app.wiring.whatif import Thinker, WhatIf
from dispatch.arrivals.answers import Arrivals
from dispatch.errors import NotYours, VersionConflict
from dispatch.orders import handover
from dispatch.orders.channel import CourierChannels
from dispatch.orders.desk import at_desk
from dispatch.orders.order import Order
from dispatch.orders.proof import wanted_at_doors
from dispatch.planning.proposal import ScheduledStop
from dispatch.region import advice
from dispatch.region.courier_route import CourierRoute, changes_between, load_route
from dispatch.region.preview import with_sequence
from dispatch.region.whereabouts import Locator
from dispatch.region.world import StopInForce
from dispatch.stop import OrderId, PlannedStop, StopKind
from dispatch.travel.times import TravelTimes
from sql import queries
from tracking import outages
from tracking.position import CourierId, LatLon

LOOK_EVERY_S = 15.0
"""
A stream looks at the rows so often when nothing wakes it (events may be lost while Redis is away), and says that it is
still there: some proxies cut off a stream that is silent for longer.
"""
LOOKS_A_SECOND = 50
"""Where so many streams listen that this would be more, each looks less often: five thousand every 100 s."""


class Visit(msgspec.Struct, kw_only=True):
    """A stop of the route."""

    order_id: UUID
    kind: Literal["pickup", "dropoff"]


class Sequence(msgspec.Struct, kw_only=True):
    """The stops of a route in the order they shall be made, and the version of the route that was looked at."""

    stops: Annotated[list[Visit], msgspec.Meta(max_length=1000)]
    version: Version


def own_or_staff(courier_id: UUID, caller: Caller) -> CourierId:
    """Who may look at a courier's route: staff and the courier; raises NotYours."""
    if caller.courier_id != courier_id and not caller.is_at_least(Role.VIEWER):
        raise NotYours(courier_id=str(courier_id))
    return CourierId(courier_id)


@get("/v1/couriers/{courier_id:uuid}/route", opt=looks_at("courier.route"), guards=[requires_any], tags=["courier"])
async def get_route(
    courier_id: FromPath[UUID],
    request: Request[Any, Any, Any],
    pool: Pool,
    caller: CurrentCaller,
    travel: Travel,
    locator: Whereabouts,
    arrivals: Arriving,
    redis: RedisClient,
    planned: FromQuery[bool] = False,
    geometry: FromQuery[bool] = True,
) -> Response[RouteShape]:
    """
    The stops in order with estimated arrivals, open offers, and the way between.

    `planned=true` (staff): with stops that the planner only intends, and may still give to somebody else.
    With `If-None-Match` 304 while the courier is to do the same, at the same minutes.
    """
    whose = own_or_staff(courier_id, caller)
    route = await load_route(pool, whose, planned=planned and caller.is_at_least(Role.VIEWER))
    route = _within_reach(route)
    shape = await _view(route, pool, travel, locator, arrivals, geometry=False)
    shape.suggestion = await _suggestion(redis, route)
    tag = conditional.tag_of((said_by(shape), geometry))
    if conditional.is_known(request, tag):
        return conditional.known(tag)
    if geometry:
        await add_way(shape, route, travel, at=await _place_of(route, locator))
    return Response(shape, headers=conditional.headers_of(tag))


@get(
    "/v1/couriers/{courier_id:uuid}/route/stream",
    opt=looks_at("courier.route"),
    guards=[requires_any],
    tags=["courier"],
)
async def stream_route(
    courier_id: FromPath[UUID],
    request: Request[Any, Any, Any],
    pool: Pool,
    caller: CurrentCaller,
    travel: Travel,
    locator: Whereabouts,
    arrivals: Arriving,
    channels: Channels,
    authenticator: Tokens,
    redis: RedisClient,
) -> ServerSentEvent:
    """
    Server-Sent Events: `route` at once and whenever it changes, `offer` for each open offer and every new one (or one
    that has lost an order), `offer_closed` when one was answered, taken back or has expired, `suggestion` with another
    place to wait, or `{}` when there is none any more.
    """
    whose = own_or_staff(courier_id, caller)
    route = await load_route(pool, whose)
    is_allowed = partial(_is_still_allowed, authenticator, pool, request.auth, whose)
    return ServerSentEvent(
        _stream(
            route,
            pool=pool,
            travel=travel,
            locator=locator,
            arrivals=arrivals,
            channels=channels,
            redis=redis,
            is_allowed=is_allowed,
        ),
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


@post(
    "/v1/couriers/{courier_id:uuid}/route/reorder", guards=[requires(Role.DISPATCHER)], status_code=200, tags=["plans"]
)
async def reorder_route(
    courier_id: FromPath[UUID],
    data: JSONBody[Sequence],
    pool: Pool,
    redis: RedisClient,
    caller: CurrentCaller,
    travel: Travel,
    locator: Whereabouts,
    what_if: Thinker,
    arrivals: Arriving,
    preview: FromQuery[bool] = False,
) -> RouteShape:
    """
    Make the stops in this order; the dispatcher keeps it and plans around it. `plan_cost` tells what that costs.

    `preview=true`: only tell when the stops would be made, and what that would cost.
    """
    route = await load_route(pool, CourierId(courier_id), planned=True)
    wanted = [PlannedStop(OrderId(visit.order_id), StopKind(visit.kind)) for visit in data.stops]
    if preview:
        return await _tried(route, wanted, data.version, what_if, travel)
    region = route.region
    before = await what_if.cost(region)
    async with at_desk(pool, redis, actor_of(caller)) as desk:
        try:
            await handover.reorder(desk, CourierId(courier_id), wanted, data.version)
        except ValueError as exc:
            raise BadInput("The stops cannot be made in this order.", ("/stops", str(exc))) from exc
        await audit(desk.connection, caller, "route.reorder", f"courier:{courier_id}")
    route = await load_route(pool, CourierId(courier_id), planned=True)
    shape = await _view(route, pool, travel, locator, arrivals)
    shape.plan_cost = plan_cost_shape(before, await what_if.cost(region))
    return shape


def _within_reach(route: CourierRoute) -> CourierRoute:
    """What of it the caller may see: a partner's people see that partner's orders."""
    reach = current_reach()
    if reach is None or reach.partner is None:
        return route

    def is_theirs(order: Order | None) -> bool:
        return order is not None and order.partner == reach.partner

    return replace(
        route,
        stops=tuple((stop, order) for stop, order in route.stops if is_theirs(order)),
        offers=tuple(offered for offered in route.offers if all(is_theirs(order) for _, order in offered)),
    )


async def _tried(
    route: CourierRoute, wanted: list[PlannedStop], version: int, what_if: WhatIf, travel: TravelTimes
) -> RouteShape:
    """The route as it would be."""
    if route.version != version:
        raise VersionConflict(courier_id=str(route.courier_id), version=route.version, expected=version)
    involved = {stop.order_id for stop in wanted}
    world = await what_if.world(route.region, order_ids=involved, courier_ids=[route.courier_id])
    try:
        changed = with_sequence(world, route.courier_id, wanted)
    except ValueError as exc:
        raise BadInput("The stops cannot be made in this order.", ("/stops", str(exc))) from exc
    now, then = await what_if.plans([world, changed])
    made = {stop.stop: stop for one in then.routes if one.courier_id == route.courier_id for stop in one.stops}
    orders = {stop.stop: order for stop, order in route.stops}
    stops = tuple((_scheduled(stop, made.get(stop)), orders[stop]) for stop in wanted if stop in orders)
    tried = _within_reach(replace(route, stops=stops, planned_at=world.now))
    shape = await view(tried, travel, at=None, geometry=False)
    shape.plan_cost = plan_cost_shape(now.cost, then.cost)
    return shape


def _scheduled(stop: PlannedStop, made: ScheduledStop | None) -> StopInForce:
    if made is None:
        return StopInForce(stop=stop)
    return StopInForce(
        stop=stop, arrives_at=made.arrives_at, starts_at=made.starts_at, leaves_at=made.leaves_at, late_s=made.late_s
    )


async def _stream(
    route: CourierRoute,
    *,
    pool: Any,
    travel: TravelTimes,
    locator: Locator,
    arrivals: Arrivals,
    channels: CourierChannels,
    redis: Any,
    is_allowed: Callable[[], Awaitable[bool]],
) -> AsyncIterator[ServerSentEventMessage]:
    async with channels.listen(route.region, route.courier_id) as woken:
        yield await _route_message(route, pool, travel, locator, arrivals)
        for offer in await _offers(pool, route, route.offers):
            yield _message("offer", offer)
        suggested = await _suggestion(redis, route)
        if suggested is not None:
            yield _message("suggestion", suggested)
        looked_at = monotonic()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await woken.wait()
            is_due = woken.is_set() or monotonic() - looked_at >= channels.n_listening / LOOKS_A_SECOND
            woken.clear()
            if channels.is_ended or not await is_allowed():
                return
            found = await _look(route, pool, channels) if is_due else None
            if is_due:
                looked_at = float("-inf") if found is None else monotonic()
            if found is None:
                yield _still_here()
                continue
            before, route = route, found
            made, gone = changes_between(before.offers, route.offers)
            # The offer first: it is what a courier waits for, and the way between stops takes a moment to find.
            for offer in await _offers(pool, route, made):
                yield _message("offer", offer)
            for offer_id in gone:
                yield _message("offer_closed", {"id": offer_id})
            if route.fingerprint != before.fingerprint or route.version != before.version:
                yield await _route_message(route, pool, travel, locator, arrivals)
            before_it, suggested = suggested, await _suggestion(redis, route)
            if suggested != before_it:
                yield _message("suggestion", suggested or {})
            elif not made and not gone:
                yield _still_here()


async def _look(route: CourierRoute, pool: Any, channels: CourierChannels) -> CourierRoute | None:
    """The route as it is now; None in an outage, which ends no stream: it is looked for again at the next beat."""
    try:
        async with channels.turns:
            return await load_route(pool, route.courier_id)
    except (*outages.DATABASE, *outages.SLOW):
        return None


def _still_here() -> ServerSentEventMessage:
    return ServerSentEventMessage(data=None, comment="still here", sep="\n")


async def _suggestion(redis: Any, route: CourierRoute) -> WaitingPlaceShape | None:
    """Where a courier who has nothing to do might wait; nothing while Redis is away."""
    if route.stops or route.offers:
        return None
    try:
        found = await advice.read(redis, route.region, route.courier_id)
    except outages.REDIS:
        return None
    return None if found is None else WaitingPlaceShape(**msgspec.structs.asdict(found))


async def _is_still_allowed(authenticator: Authenticator, pool: Any, token: str, courier_id: CourierId) -> bool:
    """A stream ends when the token is revoked, and that of people with bounds when the courier leaves these."""
    try:
        caller = await authenticator.caller(token)
        reach = reach_of(caller)
        if caller is None or reach is None:
            return caller is not None
        row = await pool.fetchrow(queries["reach.courier_id"], courier_id)
    except AuthenticationUnavailable:
        return True  # an outage is no reason to leave a courier without a route
    except outages.DRIVERS:
        return True
    return row is not None and reach.covers(row["region"], row["partner"])


async def _route_message(
    route: CourierRoute, pool: Any, travel: TravelTimes, locator: Locator, arrivals: Arrivals
) -> ServerSentEventMessage:
    return _message("route", await _view(route, pool, travel, locator, arrivals), id_=route.version)


async def _view(
    route: CourierRoute, pool: Any, travel: TravelTimes, locator: Locator, arrivals: Arrivals, *, geometry: bool = True
) -> RouteShape:
    """The route with the arrivals in force and the way between."""
    told = await arrivals.of_route(route.region, route.courier_id, route_version=route.version)
    etas: dict[tuple[UUID, str], EtaShape] = {
        (eta.stop.order_id, eta.stop.kind.value): eta_shape(eta) for eta in told.etas
    }
    wanted = await wanted_at_doors(pool, route.region, [order for _, order in route.stops])
    at = await _place_of(route, locator) if geometry else None
    goods = await goods_of(pool, [order for _, order in route.stops])
    shape = await view(route, travel, at=at, etas=etas, geometry=geometry, wanted=wanted, goods=goods)
    await add_pay(pool, shape.offers, route.offers, route.region, route.mode)
    return shape


async def _offers(pool: Any, route: CourierRoute, offered: Iterable[Offered]) -> list[OfferShape]:
    made = list(offered)
    shapes = [offer_shape(rows) for rows in made]
    await add_pay(pool, shapes, made, route.region, route.mode)
    return shapes


def _message(event: str, body: Any, id_: int | None = None) -> ServerSentEventMessage:
    return ServerSentEventMessage(event=event, data=msgspec.json.encode(body).decode(), id=id_, sep="\n")


async def _place_of(route: CourierRoute, locator: Locator) -> LatLon | None:
    seen = await locator.locate_one(route.region, route.courier_id, datetime.now(UTC))
    return None if seen is None else seen.at


route_handlers: list[Any] = [get_route, stream_route, reorder_route]
