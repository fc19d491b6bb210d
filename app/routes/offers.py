"""Offers: orders shown to a courier until answered, `/v1/offers`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from app.shapes.offers import OfferShape, offer_shape
from app.shapes.orders import Instant, OrderShape, shape_of, with_version
from app.web import conditional
from app.web.actors import actor_of
from app.web.auth import Role, requires_any, requires_courier
from app.web.dependencies import CurrentCaller, Pool, RedisClient
from app.web.instants import check_instants
from app.web.pages import PAGE_LIMIT, Page, cursor_of, key_of
from dispatch.errors import NotYours, OfferNotFound
from dispatch.orders import handover
from dispatch.orders.desk import at_desk
from dispatch.orders.offer import OfferId, OfferState, together
from dispatch.orders.rows import offer_from_row, order_from_row
from sql import queries
from tracking.position import CourierId


class Acceptance(msgspec.Struct, kw_only=True):
    """When the courier took it, by the phone; none: now."""

    at: Instant | None = None


class Rejection(msgspec.Struct, kw_only=True):
    """Why the courier does not want it."""

    reason: Annotated[str, msgspec.Meta(max_length=500)] | None = None


class AcceptedShape(OrderShape, kw_only=True, omit_defaults=True):
    """The order that was taken; of an offer of several also all of them."""

    orders: list[OrderShape] = msgspec.field(default_factory=list)


@get("/v1/offers", guards=[requires_any], tags=["courier"])
async def list_offers(
    request: Request[Any, Any, Any],
    pool: Pool,
    caller: CurrentCaller,
    states: Annotated[list[OfferState] | None, QueryParameter(name="state")] = None,
    courier_id: FromQuery[UUID | None] = None,
    order_id: FromQuery[UUID | None] = None,
    cursor: FromQuery[str | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=PAGE_LIMIT)] = 100,
) -> Response[Page[OfferShape]]:
    """Newest first; a courier sees the courier's own. Orders that were offered together are one offer."""
    after = key_of(cursor, tuple[datetime, UUID]) or (None, None)
    whose = courier_id if caller.is_at_least(Role.VIEWER) else caller.courier_id
    wanted = None if states is None else [state.value for state in states]
    keys = await pool.fetch(queries["offers.list"], whose, order_id, wanted, *after, limit)
    rows = await pool.fetch(queries["offers.rows_of_many"], [key["id"] for key in keys])
    shapes = await _shapes(pool, rows, for_staff=caller.is_at_least(Role.VIEWER))
    # One that has lost an order, and is still open, is not withdrawn.
    items = [shape for key in keys if (shape := shapes.get(key["id"])) and (not wanted or shape.state in wanted)]
    more = cursor_of(keys[-1]["offered_at"], keys[-1]["id"]) if len(keys) == limit else None
    return conditional.answer(request, Page(items=items, next=more))


@get("/v1/offers/{offer_id:uuid}", guards=[requires_any], tags=["courier"])
async def get_offer(offer_id: FromPath[UUID], pool: Pool, caller: CurrentCaller) -> OfferShape:
    """One offer, for its courier and for staff."""
    for_staff = caller.is_at_least(Role.VIEWER)
    rows = await pool.fetch(queries["offers.rows_of"], offer_id)
    if not rows:
        raise OfferNotFound(offer_id=str(offer_id))
    if not for_staff and rows[0]["courier_id"] != caller.courier_id:
        raise NotYours(offer_id=str(offer_id))
    [shape] = (await _shapes(pool, rows, for_staff=for_staff)).values()
    return shape


@post("/v1/offers/{offer_id:uuid}/accept", guards=[requires_courier], status_code=200, tags=["courier"])
async def accept_offer(
    offer_id: FromPath[UUID],
    pool: Pool,
    redis: RedisClient,
    caller: CurrentCaller,
    data: JSONBody[Acceptance | None] = None,
) -> Response[AcceptedShape]:
    """
    Take the order, or all orders of the offer. Answers the order; told twice it is the same.

    Where several couriers were asked, all but the first get 409.
    """
    if data is not None:
        check_instants(data)
    assert caller.courier_id is not None  # the guard saw to it
    async with at_desk(pool, redis, actor_of(caller)) as desk:
        taken = await handover.accept(
            desk, OfferId(offer_id), CourierId(caller.courier_id), said_at=None if data is None else data.at
        )
    shapes = [shape_of(order) for order in taken]
    first = msgspec.structs.asdict(shapes[0])
    return with_version(AcceptedShape(**first, orders=shapes if len(shapes) > 1 else []))


@post("/v1/offers/{offer_id:uuid}/reject", guards=[requires_courier], status_code=200, tags=["courier"])
async def reject_offer(
    offer_id: FromPath[UUID],
    pool: Pool,
    redis: RedisClient,
    caller: CurrentCaller,
    data: JSONBody[Rejection | None] = None,
) -> OfferShape:
    """Take none of the offer's orders; they go to somebody else. Told twice it is the same."""
    assert caller.courier_id is not None  # the guard saw to it
    async with at_desk(pool, redis, actor_of(caller)) as desk:
        reason = None if data is None else data.reason
        await handover.reject(desk, OfferId(offer_id), CourierId(caller.courier_id), reason=reason)
        rows = await desk.connection.fetch(queries["offers.rows_of"], offer_id)
    return offer_shape([(offer_from_row(row), None) for row in rows])


async def _shapes(pool: Any, rows: Sequence[Mapping[str, Any]], *, for_staff: bool) -> dict[OfferId, OfferShape]:
    """Offers with their orders, from their rows."""
    found = await pool.fetch(queries["orders.get_many"], [row["order_id"] for row in rows])
    orders = {row["id"]: order_from_row(row) for row in found}
    return {
        offers[0].offer_id: offer_shape([(one, orders.get(one.order_id)) for one in offers], for_staff=for_staff)
        for offers in together(map(offer_from_row, rows))
    }


route_handlers: list[Any] = [list_offers, get_offer, accept_offer, reject_offer]
