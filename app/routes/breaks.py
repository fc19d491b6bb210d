"""Breaks: the courier, or support for the courier, says when one begins and ends."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath, JSONBody

from app.shapes.orders import Instant
from app.web.actors import actor_of
from app.web.audit import audit
from app.web.auth import Caller, Role, requires, requires_any
from app.web.dependencies import CurrentCaller, Pool, RedisClient
from app.web.instants import InstantQuery, check_instants, instant_of
from app.web.pages import Page
from dispatch.errors import NotYours
from dispatch.orders import breaks, pauses
from dispatch.orders.breaks import Told
from dispatch.orders.courier import Rest, ShiftBreak
from dispatch.orders.desk import at_desk
from tracking.position import CourierId


class StartOfBreak(msgspec.Struct, kw_only=True):
    """What is told of a break that begins."""

    at: Instant | None = None
    """When it began, by the phone; none: now. Here and below believed within bounds."""
    duration_s: Annotated[int, msgspec.Meta(ge=60, le=86_400)] | None = None
    """How long it shall last; none: as planned in the shift, or a quarter of an hour."""


class EndOfBreak(msgspec.Struct, kw_only=True):
    """What is told of a break that ends."""

    at: Instant | None = None


class PlannedBreak(msgspec.Struct, kw_only=True):
    """The break of the shift that this one is."""

    from_: datetime = msgspec.field(name="from")
    to: datetime
    duration_s: int


class RestShape(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A break as it was taken."""

    id: UUID
    courier_id: UUID
    began_at: datetime
    until: datetime
    """When it ended, or is meant to."""
    ended_at: datetime | None = None
    planned: PlannedBreak | None = None


@get("/v1/couriers/{courier_id:uuid}/breaks", guards=[requires_any], tags=["courier"])
async def list_breaks(
    courier_id: FromPath[UUID],
    pool: Pool,
    caller: CurrentCaller,
    ending_after: InstantQuery = None,
    starting_before: InstantQuery = None,
) -> Page[RestShape]:
    """The breaks a courier has taken, the earliest first; for staff and for the courier. Planned ones are in shifts."""
    if caller.courier_id != courier_id and not caller.is_at_least(Role.VIEWER):
        raise NotYours(courier_id=str(courier_id))
    found = await breaks.list_breaks(
        pool,
        CourierId(courier_id),
        ending_after=instant_of("ending_after", ending_after),
        starting_before=instant_of("starting_before", starting_before),
    )
    return Page(items=[_shape(courier_id, rest) for rest in found])


@post(
    "/v1/couriers/{courier_id:uuid}/breaks/start",
    guards=[requires(Role.SUPPORT, Role.COURIER)],
    status_code=200,
    tags=["courier"],
)
async def start_break(
    courier_id: FromPath[UUID],
    pool: Pool,
    redis: RedisClient,
    caller: CurrentCaller,
    data: JSONBody[StartOfBreak | None] = None,
) -> Response[RestShape]:
    """
    A break begins: nothing is offered until it ends, and whoever waits for the courier is told by how much longer.

    Told twice it is the same. Off duty: 409.
    """
    _check_may(courier_id, caller)
    given = data or StartOfBreak()
    check_instants(given)
    async with at_desk(pool, redis, actor_of(caller)) as desk:
        told = await breaks.start(desk, CourierId(courier_id), said_at=given.at, duration_s=given.duration_s)
        await _audit(desk.connection, caller, "courier.break_start", courier_id, told)
    return Response(_shape(courier_id, told.rest, told.planned))


@post(
    "/v1/couriers/{courier_id:uuid}/breaks/end",
    guards=[requires(Role.SUPPORT, Role.COURIER)],
    status_code=200,
    tags=["courier"],
)
async def end_break(
    courier_id: FromPath[UUID],
    pool: Pool,
    redis: RedisClient,
    caller: CurrentCaller,
    data: JSONBody[EndOfBreak | None] = None,
) -> Response[RestShape]:
    """The break ends. Told twice it is the same; with none that could end: 409."""
    _check_may(courier_id, caller)
    given = data or EndOfBreak()
    check_instants(given)
    async with at_desk(pool, redis, actor_of(caller)) as desk:
        told = await breaks.end(desk, CourierId(courier_id), said_at=given.at)
        await _audit(desk.connection, caller, "courier.break_end", courier_id, told)
    return Response(_shape(courier_id, told.rest))


def _check_may(courier_id: UUID, caller: Caller) -> None:
    if caller.courier_id != courier_id and not caller.is_at_least(Role.SUPPORT):
        raise NotYours(courier_id=str(courier_id))


@post("/v1/couriers/{courier_id:uuid}/pause/end", guards=[requires(Role.SUPPORT)], status_code=204, tags=["couriers"])
async def end_pause(courier_id: FromPath[UUID], pool: Pool, redis: RedisClient, caller: CurrentCaller) -> None:
    """The courier, who let offers run out, is asked again (`paused_until`). Told twice it is the same."""
    async with at_desk(pool, redis, actor_of(caller)) as desk:
        await pauses.end(desk, CourierId(courier_id))
        await audit(desk.connection, caller, "courier.pause_end", f"courier:{courier_id}")


async def _audit(connection: Any, caller: Caller, action: str, courier_id: UUID, told: Told) -> None:
    facts = None if told.when is None else dict(told.when.facts)
    await audit(connection, caller, action, f"courier:{courier_id}", facts)


def _shape(courier_id: UUID, rest: Rest, planned: ShiftBreak | None = None) -> RestShape:
    assert rest.id is not None  # it has been stored
    return RestShape(
        id=rest.id,
        courier_id=courier_id,
        began_at=rest.began_at,
        until=rest.until,
        ended_at=rest.ended_at,
        planned=None
        if planned is None
        else PlannedBreak(from_=planned.opens_at, to=planned.closes_at, duration_s=planned.duration_s),
    )


route_handlers: list[Any] = [list_breaks, start_break, end_break, end_pause]
