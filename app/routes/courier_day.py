"""What a courier's own page shows beside the route: `/v1/couriers/{id}/day`; and what only the courier can tell."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final, Literal
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.params import FromPath, JSONBody

from app.pages.writing import zone_of
from app.shapes.orders import Instant
from app.shapes.pay import MoneyShape
from app.web import conditional
from app.web.actors import actor_of
from app.web.auth import Role, requires_any, requires_courier
from app.web.dependencies import CurrentCaller, Pool, RedisClient
from app.web.instants import check_instants
from dispatch.errors import NotYours, OrderNotOpen
from dispatch.orders.desk import at_desk
from dispatch.orders.happened import happened
from dispatch.orders.order import COURIER_STATES
from dispatch.pay.money import digits_of
from dispatch.stop import OrderId, StopKind
from sql import queries
from tracking.errors import CourierNotFound

MOST_ORDERS: Final = 200
"""Of a day; nobody makes more."""


class DayOrder(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An order that the courier has, or had today."""

    order_id: UUID
    state: str
    external_id: str | None = None
    address: str | None = None
    """Where it was to be brought, or collected where that is all."""
    closed_at: datetime | None = None
    reason: str | None = None


class Day(msgspec.Struct, kw_only=True):
    """Where the courier's day stands."""

    courier_id: UUID
    on_duty: bool
    break_until: datetime | None
    """The break that is going on is meant to end then; null: there is none."""
    timezone: str
    orders: list[DayOrder]
    """The newest first, since midnight there."""
    pay: MoneyShape | None
    """Earned since then; null: the region has no rules of pay, or nothing is booked yet."""


class Arrived(msgspec.Struct, kw_only=True):
    """When the courier came to the door, by the phone; none: now."""

    at: Instant | None = None


class ArrivedShape(msgspec.Struct, kw_only=True):
    """An arrival at a stop."""

    order_id: UUID
    kind: Literal["pickup", "dropoff"]
    arrived_at: datetime


@get("/v1/couriers/{courier_id:uuid}/day", guards=[requires_any], tags=["courier"])
async def get_day(
    courier_id: FromPath[UUID], request: Request[Any, Any, Any], pool: Pool, caller: CurrentCaller
) -> Response[Day]:
    """Whether the courier is at work or on a break, and today's orders; for the courier and for staff."""
    if caller.courier_id != courier_id and not caller.is_at_least(Role.VIEWER):
        raise NotYours(courier_id=str(courier_id))
    row = await pool.fetchrow(queries["courier_day.courier"], courier_id)
    if row is None:
        raise CourierNotFound(courier_id=str(courier_id))
    zone = zone_of(row["timezone"])
    midnight = datetime.now(zone).replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
    orders = await pool.fetch(queries["courier_day.orders"], courier_id, midnight, MOST_ORDERS)
    earned = await pool.fetchrow(queries["pay.earned_today"], courier_id, midnight)
    day = Day(
        courier_id=courier_id,
        on_duty=row["on_duty"],
        break_until=row["break_until"],
        timezone=zone.key,
        orders=[
            DayOrder(
                order_id=order["id"],
                state=order["state"],
                external_id=order["external_id"],
                address=order["pickup_address" if order["kind"] == "pickup" else "dropoff_address"],
                closed_at=order["closed_at"],
                reason=order["close_reason"],
            )
            for order in orders
        ],
        pay=None if earned is None else _pay_of(earned),
    )
    return conditional.answer(request, day)


def _pay_of(row: Any) -> MoneyShape:
    return MoneyShape(amount=row["amount"], currency=row["currency"], digits=digits_of(row["currency"]))


@post("/v1/orders/{order_id:uuid}/arrived", guards=[requires_courier], status_code=HTTPStatus.OK, tags=["courier"])
async def arrived(
    order_id: FromPath[UUID],
    pool: Pool,
    redis: RedisClient,
    caller: CurrentCaller,
    data: JSONBody[Arrived | None] = None,
) -> ArrivedShape:
    """
    The courier is at the next door of the order: where it is collected, or where it is brought. Told twice it is the
    same; what the courier's positions told before stays.
    """
    given = data or Arrived()
    check_instants(given)
    async with at_desk(pool, redis, actor_of(caller)) as desk:
        order = await desk.lock_order(OrderId(order_id))
        if order.courier_id != caller.courier_id:
            raise NotYours(order_id=str(order_id))
        if order.state not in COURIER_STATES or not order.open_stops:
            raise OrderNotOpen(order_id=str(order_id), state=order.state.value)
        kind = StopKind.PICKUP if StopKind.PICKUP in order.open_stops else StopKind.DROPOFF
        when = happened(given.at, now=desk.now, after=order.last_step_at)
        at = desk.now if when is None else when.at
        visit = (order_id, kind.value, caller.courier_id)
        told = await desk.connection.fetchval(queries["stop_visits.arrive"], *visit, order.region, at)
        if told is None:
            at = await desk.connection.fetchval(queries["stop_visits.arrived_at"], *visit)
        else:
            desk.tell(order, "order.changed")
    return ArrivedShape(order_id=order_id, kind=kind.value, arrived_at=at)


route_handlers: list[Any] = [get_day, arrived]
