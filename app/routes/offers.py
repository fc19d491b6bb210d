"""Offers: orders shown to a courier until answered, `/v1/offers`."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from app.shapes.offers import OfferShape, offer_shape
from app.shapes.orders import Instant, OrderShape, shape_of, with_version
from app.web.actors import actor_of
from app.web.auth import Role, requires_any, requires_courier
from app.web.dependencies import CurrentCaller, Pool, RedisClient
from app.web.instants import check_instants
from app.web.pages import PAGE_LIMIT, Page, cursor_of, key_of
from dispatch.errors import NotYours, OfferNotFound
from dispatch.orders import handover
from dispatch.orders.desk import at_desk
from dispatch.orders.offer import OfferId, OfferState
from dispatch.orders.rows import offer_from_row, order_from_row
from sql import queries
from tracking.position import CourierId


class Acceptance(msgspec.Struct, kw_only=True):
    """When the courier took it, by the phone; none: now."""

    at: Instant | None = None


class Rejection(msgspec.Struct, kw_only=True):
    """Why the courier does not want it."""

    reason: Annotated[str, msgspec.Meta(max_length=500)] | None = None


@get("/v1/offers", guards=[requires_any], tags=["courier"])
async def list_offers(
    pool: Pool,
    caller: CurrentCaller,
    states: Annotated[list[OfferState] | None, QueryParameter(name="state")] = None,
    courier_id: FromQuery[UUID | None] = None,
    order_id: FromQuery[UUID | None] = None,
    cursor: FromQuery[str | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=PAGE_LIMIT)] = 100,
) -> Page[OfferShape]:
    """Newest first; a courier sees the courier's own."""
    after = key_of(cursor, tuple[datetime, UUID]) or (None, None)
    whose = courier_id if caller.is_at_least(Role.VIEWER) else caller.courier_id
    wanted = None if states is None else [state.value for state in states]
    rows = await pool.fetch(queries["offers.list"], whose, order_id, wanted, *after, limit)
    offers = [offer_from_row(row) for row in rows]
    found = await pool.fetch(queries["orders.get_many"], [offer.order_id for offer in offers])
    orders = {row["id"]: order_from_row(row) for row in found}
    for_staff = caller.is_at_least(Role.VIEWER)
    items = [offer_shape(offer, orders.get(offer.order_id), for_staff=for_staff) for offer in offers]
    more = cursor_of(items[-1].offered_at, items[-1].id) if len(items) == limit else None
    return Page(items=items, next=more)


@get("/v1/offers/{offer_id:uuid}", guards=[requires_any], tags=["courier"])
async def get_offer(offer_id: FromPath[UUID], pool: Pool, caller: CurrentCaller) -> OfferShape:
    """One offer, for its courier and for staff."""
    row = await pool.fetchrow(queries["offers.get"], offer_id)
    if row is None:
        raise OfferNotFound(offer_id=str(offer_id))
    for_staff = caller.is_at_least(Role.VIEWER)
    if not for_staff and row["courier_id"] != caller.courier_id:
        raise NotYours(offer_id=str(offer_id))
    order = await pool.fetchrow(queries["orders.get"], row["order_id"])
    return offer_shape(offer_from_row(row), order_from_row(order), for_staff=for_staff)


@post("/v1/offers/{offer_id:uuid}/accept", guards=[requires_courier], status_code=200, tags=["courier"])
async def accept_offer(
    offer_id: FromPath[UUID],
    pool: Pool,
    redis: RedisClient,
    caller: CurrentCaller,
    data: JSONBody[Acceptance | None] = None,
) -> Response[OrderShape]:
    """Take the order. Answers the order; told twice it is the same."""
    if data is not None:
        check_instants(data)
    assert caller.courier_id is not None  # the guard saw to it
    async with at_desk(pool, redis, actor_of(caller)) as desk:
        order = await handover.accept(
            desk, OfferId(offer_id), CourierId(caller.courier_id), said_at=None if data is None else data.at
        )
    return with_version(shape_of(order))


@post("/v1/offers/{offer_id:uuid}/reject", guards=[requires_courier], status_code=200, tags=["courier"])
async def reject_offer(
    offer_id: FromPath[UUID],
    pool: Pool,
    redis: RedisClient,
    caller: CurrentCaller,
    data: JSONBody[Rejection | None] = None,
) -> OfferShape:
    """Do not take the order; it goes to somebody else. Told twice it is the same."""
    assert caller.courier_id is not None  # the guard saw to it
    async with at_desk(pool, redis, actor_of(caller)) as desk:
        reason = None if data is None else data.reason
        await handover.reject(desk, OfferId(offer_id), CourierId(caller.courier_id), reason=reason)
        row = await desk.connection.fetchrow(queries["offers.get"], offer_id)
    return offer_shape(offer_from_row(row), None)


route_handlers: list[Any] = [list_offers, get_offer, accept_offer, reject_offer]
