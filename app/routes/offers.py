"""Offers: orders shown to a courier until answered, `/v1/offers`."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from app.auth import Role, requires_any, requires_courier
from app.dependencies import CurrentCaller, Pool, RedisClient
from app.order_shapes import OrderShape, StopShape, shape_of, stop_shape
from app.pages import PAGE_LIMIT, Page, cursor_of, key_of
from app.routes.orders import actor_of, with_version
from dispatch.errors import NotYours, OfferNotFound
from dispatch.orders import handover
from dispatch.orders.desk import at_desk
from dispatch.orders.offer import Offer, OfferId, OfferState
from dispatch.orders.order import Order
from dispatch.orders.rows import offer_from_row, order_from_row
from sql import queries
from tracking.position import CourierId


class OfferShape(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An offer, with what the courier needs to decide."""

    id: UUID
    order_id: UUID
    courier_id: UUID
    state: str
    offered_at: datetime
    expires_at: datetime
    pickup: StopShape | None = None
    dropoff: StopShape | None = None
    size: dict[str, int] | None = None
    ready_at: datetime | None = None
    pickup_at: datetime | None = None
    """When the courier is expected at the pickup."""
    dropoff_at: datetime | None = None
    answered_at: datetime | None = None
    reason: str | None = None
    cost: dict[str, int] | None = None
    """What the order adds to the courier's route, by term; for staff."""


class Rejection(msgspec.Struct, kw_only=True):
    """Why the courier does not want it."""

    reason: Annotated[str, msgspec.Meta(max_length=500)] | None = None


def offer_shape(offer: Offer, order: Order | None, *, for_staff: bool = False) -> OfferShape:
    """An offer as it is answered; costs are none of the courier's business."""
    facts: Any = offer.facts
    return OfferShape(
        id=offer.id,
        order_id=offer.order_id,
        courier_id=offer.courier_id,
        state=offer.state.value,
        offered_at=offer.offered_at,
        expires_at=offer.expires_at,
        pickup=None if order is None else stop_shape(order.pickup),
        dropoff=None if order is None else stop_shape(order.dropoff),
        size=None if order is None else dict(order.size),
        ready_at=None if order is None else order.ready_at,
        pickup_at=_instant(facts.get("pickup_at")),
        dropoff_at=_instant(facts.get("dropoff_at")),
        answered_at=offer.answered_at,
        reason=offer.reason,
        cost=facts.get("cost") if for_staff else None,
    )


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
    offer_id: FromPath[UUID], pool: Pool, redis: RedisClient, caller: CurrentCaller
) -> Response[OrderShape]:
    """Take the order. Answers the order; told twice it is the same."""
    assert caller.courier_id is not None  # the guard saw to it
    async with at_desk(pool, redis, actor_of(caller)) as desk:
        order = await handover.accept(desk, OfferId(offer_id), CourierId(caller.courier_id))
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


def _instant(text: Any) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


route_handlers: list[Any] = [list_offers, get_offer, accept_offer, reject_offer]
