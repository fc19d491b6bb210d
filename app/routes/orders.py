"""Orders as customers and dispatchers see them: `/v1/orders`."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, get, patch, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from app.commands.locating import CurrentGeocoding, located
from app.commands.orders import change_one, place_one
from app.shapes.orders import NewOrderShape, OrderPatch, OrderShape, shape_of, with_version
from app.web.actors import actor_of
from app.web.audit import audit
from app.web.auth import Caller, Role, requires, requires_any
from app.web.compression import COMPRESSED
from app.web.dependencies import CurrentCaller, Pool, RedisClient
from app.web.idempotency import IdempotencyKey, answered_before, remember_answer
from app.web.instants import InstantQuery, instant_of
from app.web.pages import PAGE_LIMIT, Page, cursor_of, key_of
from app.web.reach import partner_within_reach
from app.web.versions import IfMatch
from dispatch.errors import NotYours
from dispatch.orders.desk import Desk, at_desk, read_order
from dispatch.orders.order import OrderState
from dispatch.orders.rows import from_json, order_from_row
from dispatch.stop import OrderId
from sql import queries


class EventShape(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A line of an order's timeline."""

    at: datetime
    version: int
    action: str
    state: str
    actor: str
    role: str
    from_state: str | None = None
    courier_id: UUID | None = None
    reason: str | None = None
    facts: dict[str, Any] = {}


class CommentShape(msgspec.Struct, kw_only=True):
    """A remark for colleagues."""

    id: int
    at: datetime
    actor: str
    role: str
    text: str


class NewComment(msgspec.Struct, kw_only=True):
    """A remark to be."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=4000, pattern=r"\S")]


@post("/v1/orders", guards=[requires(Role.DISPATCHER)], tags=["orders"])
async def place_order(
    data: JSONBody[NewOrderShape],
    pool: Pool,
    redis: RedisClient,
    caller: CurrentCaller,
    geocoding: CurrentGeocoding,
    idempotency_key: IdempotencyKey = None,
) -> Response[OrderShape]:
    """
    Place an order; the dispatcher looks for a courier at once.

    An end may have an `address` and no coordinates: they are looked up (`/v1/geocode`), or the answer says why not.
    An `external_id` that is in use answers 409 and names the order; a repeated `Idempotency-Key` answers as before.
    """
    order = await located(data, geocoding)  # before the desk: others may take a while, and hold no connection meanwhile
    async with at_desk(pool, redis, actor_of(caller)) as desk:
        before = await answered_before(desk.connection, caller, idempotency_key, data)
        if before is not None:
            return with_version(msgspec.convert(before, OrderShape), status=201, replayed=True)
        shape = shape_of(await place_one(desk, order, caller))
        await remember_answer(desk.connection, caller, idempotency_key, 201, shape)
    return with_version(shape, status=201)


@get("/v1/orders", opt=COMPRESSED, guards=[requires(Role.VIEWER)], tags=["orders"])
async def list_orders(
    pool: Pool,
    states: Annotated[list[OrderState] | None, QueryParameter(name="state")] = None,
    region: FromQuery[str | None] = None,
    courier_id: FromQuery[UUID | None] = None,
    customer_id: FromQuery[str | None] = None,
    q: FromQuery[str | None] = None,
    placed_from: InstantQuery = None,
    placed_before: InstantQuery = None,
    unassigned: FromQuery[bool] = False,
    cursor: FromQuery[str | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=PAGE_LIMIT)] = 100,
) -> Page[OrderShape]:
    """
    Newest first. `q` finds whole references and customers and the beginning of an id; among the newest 50,000 orders
    also parts of them, of an address, a contact or a comment, and phone numbers by four or more of their digits.

    `unassigned=true`: those the planner found no courier for, each with its reasons.
    """
    after = key_of(cursor, tuple[datetime, UUID]) or (None, None)
    rows = await pool.fetch(
        queries["orders.list"],
        None if states is None else [state.value for state in states],
        region,
        courier_id,
        customer_id,
        q,
        instant_of("placed_from", placed_from),
        instant_of("placed_before", placed_before),
        unassigned,
        *after,
        limit,
        partner_within_reach(None),
    )
    decisions = {
        row["order_id"]: row for row in await pool.fetch(queries["decisions.of_orders"], [row["id"] for row in rows])
    }
    items = [shape_of(order_from_row(row), decisions.get(row["id"])) for row in rows]
    more = cursor_of(items[-1].placed_at, items[-1].id) if len(items) == limit else None
    return Page(items=items, next=more)


@get("/v1/orders/{order_id:uuid}", guards=[requires_any], tags=["orders"])
async def get_order(order_id: FromPath[UUID], pool: Pool, caller: CurrentCaller) -> Response[OrderShape]:
    """One order, for staff and for the courier who has it; with what the planner thinks of it."""
    order = await read_order(pool, order_id)
    if not caller.is_at_least(Role.VIEWER) and order.courier_id != caller.courier_id:
        raise NotYours(order_id=str(order_id))
    decision = await pool.fetchrow(queries["decisions.get"], order_id)
    return with_version(shape_of(order, decision))


@patch("/v1/orders/{order_id:uuid}", guards=[requires(Role.DISPATCHER)], tags=["orders"])
async def change_order(
    order_id: FromPath[UUID],
    data: JSONBody[OrderPatch],
    pool: Pool,
    redis: RedisClient,
    caller: CurrentCaller,
    if_match: IfMatch = None,
) -> Response[OrderShape]:
    """
    Change what is given; the rest stays, and the dispatcher plans anew what that touches.

    An order whose courier may now be the wrong one (mode, skills, size) goes back to `placed`, unless it is pinned.
    """
    async with at_desk(pool, redis, actor_of(caller)) as desk:
        changed = await change_one(desk, OrderId(order_id), data, caller, if_match=if_match)
    return with_version(shape_of(changed))


@get("/v1/orders/{order_id:uuid}/events", guards=[requires(Role.VIEWER)], tags=["orders"])
async def list_events(order_id: FromPath[UUID], pool: Pool) -> Page[EventShape]:
    """The order's timeline, oldest first: every change, by whom and why."""
    await read_order(pool, order_id)
    rows = await pool.fetch(queries["order_events.list"], order_id)
    return Page(
        items=[
            EventShape(
                at=row["at"],
                version=row["version"],
                action=row["action"],
                state=row["to_state"],
                actor=row["actor"],
                role=row["role"],
                from_state=row["from_state"],
                courier_id=row["courier_id"],
                reason=row["reason"],
                facts=from_json(row["facts"]),
            )
            for row in rows
        ]
    )


@post("/v1/orders/{order_id:uuid}/comments", guards=[requires_any], tags=["orders"])
async def add_comment(
    order_id: FromPath[UUID],
    data: JSONBody[NewComment],
    pool: Pool,
    redis: RedisClient,
    caller: CurrentCaller,
    idempotency_key: IdempotencyKey = None,
) -> CommentShape:
    """Add a remark for colleagues, by support or by the courier who has the order."""
    async with at_desk(pool, redis, actor_of(caller)) as desk:
        await _check_may_comment(desk, order_id, caller)
        before = await answered_before(desk.connection, caller, idempotency_key, [str(order_id), data.text])
        if before is not None:
            return msgspec.convert(before, CommentShape)
        shape = _comment(await desk.comment(OrderId(order_id), data.text))
        await audit(desk.connection, caller, "order.comment", f"order:{order_id}")
        await remember_answer(desk.connection, caller, idempotency_key, 201, shape)
    return shape


async def _check_may_comment(desk: Desk, order_id: UUID, caller: Caller) -> None:
    if not caller.is_at_least(Role.SUPPORT):
        order = await desk.get_order(OrderId(order_id))
        if caller.courier_id is None or order.courier_id != caller.courier_id:
            raise NotYours(order_id=str(order_id))


@get("/v1/orders/{order_id:uuid}/comments", guards=[requires(Role.VIEWER)], tags=["orders"])
async def list_comments(order_id: FromPath[UUID], pool: Pool) -> Page[CommentShape]:
    """Remarks, oldest first."""
    await read_order(pool, order_id)
    return Page(items=[_comment(row) for row in await pool.fetch(queries["order_comments.list"], order_id)])


def _comment(row: Any) -> CommentShape:
    return CommentShape(id=row["id"], at=row["at"], actor=row["actor"], role=row["role"], text=row["body"])


route_handlers: list[Any] = [
    place_order,
    list_orders,
    get_order,
    change_order,
    list_events,
    add_comment,
    list_comments,
]
