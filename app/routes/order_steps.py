"""What is done to an order: by hand from the office, and by its courier at the door."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, post
from litestar.params import FromPath, JSONBody

from app.commands import collecting
from app.commands.orders import cancel_one, pin_one, reassign_one
from app.shapes.orders import (
    Instant,
    Missing,
    OrderShape,
    Text,
    Version,
    objection_shapes,
    plan_cost_shape,
    shape_of,
    with_version,
)
from app.web.actors import actor_of
from app.web.audit import audit
from app.web.auth import Caller, Role, requires
from app.web.dependencies import CurrentCaller, Pool, RedisClient
from app.web.instants import check_instants
from app.web.problems import BadInput
from app.web.reach import must_reach
from app.web.versions import IfMatch, version_of
from app.wiring.whatif import Thinker, WhatIf
from dispatch.errors import NotYours
from dispatch.orders import handover
from dispatch.orders.desk import Desk, at_desk, read_order
from dispatch.orders.happened import Happened, happened
from dispatch.orders.order import Order, OrderState
from dispatch.planning.proposal import ReasonCode
from dispatch.stop import OrderId
from tracking.position import CourierId

Reason = Annotated[str, msgspec.Meta(max_length=500)]


class Why(msgspec.Struct, kw_only=True):
    """A reason, and the version seen, if somebody else's change shall not be overruled."""

    reason: Reason | None = None
    version: Version | None = None


class Reassign(msgspec.Struct, kw_only=True):
    """To whom, and whether the planner must leave it there."""

    courier_id: UUID
    pinned: bool = True
    force: bool = False
    """Whatever speaks against that courier."""
    reason: Reason | None = None
    version: Version | None = None


class Pin(msgspec.Struct, kw_only=True):
    """Keep an order with its courier, or with the one named; `pinned=false` lets the planner decide again."""

    pinned: bool = True
    courier_id: UUID | None = None
    force: bool = False
    """Whatever speaks against that courier."""
    version: Version | None = None


class Collected(msgspec.Struct, kw_only=True):
    """What the courier notes at the pickup."""

    note: Text | None = None
    missing: Annotated[list[Missing], msgspec.Meta(max_length=200)] = []
    """What of its lines was not there: the recipient is told."""
    at: Instant | None = None
    """When it was done, by the phone; none: now. Here and below believed within bounds, see the event."""


class Proof(msgspec.Struct, kw_only=True, omit_defaults=True):
    """That it was handed over; pictures are sent before (`PUT …/pictures/{picture_id}`), or kept elsewhere."""

    photo: Text | None = None
    """The picture's id, or where the app stored it."""
    signature: Text | None = None
    code: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    name: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    """Who took it."""


class Delivered(Proof, kw_only=True):
    """The proof, flat or under `proof`."""

    proof: Proof | None = None
    unproved: Annotated[str, msgspec.Meta(min_length=1, max_length=500, pattern=r"\S")] | None = None
    """A dispatcher's reason to do without the proof that the region asks for."""
    at: Instant | None = None


class Returned(msgspec.Struct, kw_only=True):
    """What the courier notes when the goods are back."""

    reason: Reason | None = None
    at: Instant | None = None


class GiveBack(msgspec.Struct, kw_only=True):
    """Why the courier cannot do what was accepted."""

    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=500, pattern=r"\S")]
    at: Instant | None = None


class Failed(msgspec.Struct, kw_only=True):
    """Why it could not be collected or handed over."""

    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    photo: Text | None = None
    at: Instant | None = None


@post("/v1/orders/{order_id:uuid}/cancel", guards=[requires(Role.SUPPORT)], status_code=200, tags=["orders"])
async def cancel_order(
    order_id: FromPath[UUID],
    pool: Pool,
    redis: RedisClient,
    caller: CurrentCaller,
    data: JSONBody[Why | None] = None,
    if_match: IfMatch = None,
) -> Response[OrderShape]:
    """Cancel an open order; its courier's route changes at once. What is on board comes back (`returning`)."""
    why = data or Why()
    async with at_desk(pool, redis, actor_of(caller)) as desk:
        expected = version_of(if_match, why.version)
        order = await cancel_one(desk, OrderId(order_id), caller, reason=why.reason, version=expected)
    return with_version(shape_of(order))


@post("/v1/orders/{order_id:uuid}/reassign", guards=[requires(Role.SUPPORT)], status_code=200, tags=["orders"])
async def reassign_order(
    order_id: FromPath[UUID],
    data: JSONBody[Reassign],
    pool: Pool,
    redis: RedisClient,
    caller: CurrentCaller,
    what_if: Thinker,
    if_match: IfMatch = None,
) -> Response[OrderShape]:
    """
    Give an order to a courier by hand, who is asked as usual; pinned unless told otherwise.

    Answers 409 with the `reasons` when the courier is off duty, lacks a skill or the room, or must not go there; with
    `force` that, and always what is so for now only, is told in `warnings`.
    `plan_cost` tells what that costs the plan; `POST /v1/plans/preview` tells it beforehand.
    """
    await must_reach(pool, couriers=[data.courier_id])
    region = (await read_order(pool, order_id)).region
    against = await _against(what_if, order_id, data.courier_id)
    before = await what_if.cost(region)
    async with at_desk(pool, redis, actor_of(caller)) as desk:
        order = await reassign_one(
            desk,
            OrderId(order_id),
            CourierId(data.courier_id),
            caller,
            reason=data.reason,
            version=version_of(if_match, data.version),
            pinned=data.pinned,
            expires_in=await what_if.offer_for(desk.connection, region),
            against=against,
            force=data.force,
        )
    shape = shape_of(order)
    shape.warnings = objection_shapes(against)
    shape.plan_cost = plan_cost_shape(before, await what_if.cost(region))
    return with_version(shape)


@post("/v1/orders/{order_id:uuid}/unassign", guards=[requires(Role.SUPPORT)], status_code=200, tags=["orders"])
async def unassign_order(
    order_id: FromPath[UUID],
    pool: Pool,
    redis: RedisClient,
    caller: CurrentCaller,
    data: JSONBody[Why | None] = None,
    if_match: IfMatch = None,
) -> Response[OrderShape]:
    """Take an order away from its courier; that courier gets it again only if nobody else can take it."""
    why = data or Why()
    async with at_desk(pool, redis, actor_of(caller)) as desk:
        order = await handover.unassign(
            desk, OrderId(order_id), reason=why.reason, version=version_of(if_match, why.version)
        )
        await audit(desk.connection, caller, "order.unassign", f"order:{order_id}", {"reason": why.reason})
    return with_version(shape_of(order))


@post("/v1/orders/{order_id:uuid}/pin", guards=[requires(Role.SUPPORT)], status_code=200, tags=["orders"])
async def pin_order(
    order_id: FromPath[UUID],
    pool: Pool,
    redis: RedisClient,
    caller: CurrentCaller,
    what_if: Thinker,
    data: JSONBody[Pin | None] = None,
    if_match: IfMatch = None,
) -> Response[OrderShape]:
    """Keep an order where it is, or with `courier_id` give it to that courier and keep it there."""
    pin = data or Pin()
    expected = version_of(if_match, pin.version)
    against = () if pin.courier_id is None else await _against(what_if, order_id, pin.courier_id)
    async with at_desk(pool, redis, actor_of(caller)) as desk:
        if pin.courier_id is not None:
            region = (await desk.get_order(OrderId(order_id))).region
            order = await reassign_one(
                desk,
                OrderId(order_id),
                CourierId(pin.courier_id),
                caller,
                version=expected,
                pinned=pin.pinned,
                expires_in=await what_if.offer_for(desk.connection, region),
                against=against,
                force=pin.force,
            )
        else:
            order = await pin_one(desk, OrderId(order_id), caller, pinned=pin.pinned, version=expected)
    shape = shape_of(order)
    shape.warnings = objection_shapes(against)
    return with_version(shape)


@post("/v1/orders/{order_id:uuid}/unpin", guards=[requires(Role.SUPPORT)], status_code=200, tags=["orders"])
async def unpin_order(
    order_id: FromPath[UUID], pool: Pool, redis: RedisClient, caller: CurrentCaller
) -> Response[OrderShape]:
    """Let the planner decide again who carries the order."""
    async with at_desk(pool, redis, actor_of(caller)) as desk:
        order = await pin_one(desk, OrderId(order_id), caller, pinned=False)
    return with_version(shape_of(order))


@post(
    "/v1/orders/{order_id:uuid}/picked-up",
    guards=[requires(Role.DISPATCHER, Role.COURIER)],
    status_code=200,
    tags=["courier"],
)
async def picked_up(
    order_id: FromPath[UUID],
    pool: Pool,
    redis: RedisClient,
    caller: CurrentCaller,
    data: JSONBody[Collected | None] = None,
) -> Response[OrderShape]:
    """The courier has the goods. Told twice it is the same."""
    async with at_desk(pool, redis, actor_of(caller)) as desk:
        order = await _own_order(desk, order_id, caller)
        if order.state is not OrderState.PICKED_UP:
            note, missing = (None, ()) if data is None else (data.note, data.missing)
            order = await collecting.pick_up(desk, order, note=note, missing=missing, happened=_when(desk, order, data))
    return with_version(shape_of(order))


@post(
    "/v1/orders/{order_id:uuid}/delivered",
    guards=[requires(Role.DISPATCHER, Role.COURIER)],
    status_code=200,
    tags=["courier"],
)
async def delivered(
    order_id: FromPath[UUID],
    pool: Pool,
    redis: RedisClient,
    caller: CurrentCaller,
    data: JSONBody[Delivered | None] = None,
) -> Response[OrderShape]:
    """
    The recipient has the goods, with what proves it. Told twice it is the same.

    What the region asks for (`proof`) must be there: else 409 `proof-missing` with what is `missing`. A code that is
    not the recipient's answers 409 `code-wrong` with the `attempts_left`; after five only a dispatcher can say it.
    """
    unproved = None if data is None else data.unproved
    if unproved is not None and caller.courier_id is not None:
        raise BadInput("Only a dispatcher does without.", ("/unproved", "expected a dispatcher's token"))
    async with at_desk(pool, redis, actor_of(caller)) as desk:
        order = await _own_order(desk, order_id, caller)
        if order.state is not OrderState.DELIVERED:
            when = _when(desk, order, data)
            order = await desk.deliver(order, proof=_proof_of(data), happened=when, unproved=unproved)
    return with_version(shape_of(order))


@post(
    "/v1/orders/{order_id:uuid}/failed",
    guards=[requires(Role.DISPATCHER, Role.COURIER)],
    status_code=200,
    tags=["courier"],
)
async def failed(
    order_id: FromPath[UUID], data: JSONBody[Failed], pool: Pool, redis: RedisClient, caller: CurrentCaller
) -> Response[OrderShape]:
    """It could not be collected; or not handed over, and comes back (`returning`). Told twice it is the same."""
    async with at_desk(pool, redis, actor_of(caller)) as desk:
        order = await _own_order(desk, order_id, caller)
        if order.state not in {OrderState.FAILED, OrderState.RETURNING}:
            proof = {"photo": data.photo} if data.photo else None
            order = await desk.fail(order, reason=data.reason, proof=proof, happened=_when(desk, order, data))
    return with_version(shape_of(order))


@post(
    "/v1/orders/{order_id:uuid}/returned",
    guards=[requires(Role.DISPATCHER, Role.COURIER)],
    status_code=200,
    tags=["courier"],
)
async def returned(
    order_id: FromPath[UUID],
    pool: Pool,
    redis: RedisClient,
    caller: CurrentCaller,
    data: JSONBody[Returned | None] = None,
) -> Response[OrderShape]:
    """The goods of a failed or cancelled order are back. Told twice it is the same."""
    async with at_desk(pool, redis, actor_of(caller)) as desk:
        order = await _own_order(desk, order_id, caller)
        if order.state is not OrderState.RETURNED:
            reason = None if data is None else data.reason
            order = await collecting.take_back(desk, order, reason=reason, happened=_when(desk, order, data))
    return with_version(shape_of(order))


@post(
    "/v1/orders/{order_id:uuid}/give-back",
    guards=[requires(Role.DISPATCHER, Role.COURIER)],
    status_code=200,
    tags=["courier"],
)
async def give_back(
    order_id: FromPath[UUID], data: JSONBody[GiveBack], pool: Pool, redis: RedisClient, caller: CurrentCaller
) -> Response[OrderShape]:
    """
    Give back an accepted order that is not collected: it waits for another courier.

    The same courier is asked again only if nobody else can take it.
    """
    check_instants(data)
    async with at_desk(pool, redis, actor_of(caller)) as desk:
        order = await _own_order(desk, order_id, caller)
        order = await handover.give_back(desk, order, reason=data.reason, said_at=data.at)
    return with_version(shape_of(order))


async def _against(what_if: WhatIf, order_id: UUID, courier_id: UUID) -> tuple[ReasonCode, ...]:
    found = await what_if.speaking_against([OrderId(order_id)], CourierId(courier_id))
    return found.get(OrderId(order_id), ())


async def _own_order(desk: Desk, order_id: UUID, caller: Caller) -> Order:
    """The order, locked, if it is the calling courier's; a dispatcher may speak for any courier. Raises NotYours."""
    order = await desk.lock_order(OrderId(order_id))
    if caller.courier_id is None:
        if not caller.is_at_least(Role.DISPATCHER):
            raise NotYours(order_id=str(order_id))
        await audit(desk.connection, caller, "order.step_for_courier", f"order:{order_id}")
    elif order.courier_id != caller.courier_id:
        raise NotYours(order_id=str(order_id))
    return order


def _when(desk: Desk, order: Order, data: Collected | Delivered | Failed | Returned | None) -> Happened | None:
    """When a step was made, by what the phone says of it; raises BadInput for what nobody can mean."""
    if data is None:
        return None
    check_instants(data)
    return happened(data.at, now=desk.now, after=order.last_step_at)


def _proof_of(data: Delivered | None) -> dict[str, str] | None:
    if data is None:
        return None
    proof = data.proof or data
    given = {name: value for name in Proof.__struct_fields__ if (value := getattr(proof, name)) is not None}
    return given or None


route_handlers: list[Any] = [
    cancel_order,
    reassign_order,
    unassign_order,
    pin_order,
    unpin_order,
    picked_up,
    delivered,
    failed,
    returned,
    give_back,
]
