"""Goods of orders at a desk: reserved, collected with what was missing, back again; none of it keeps a courier."""

import logging
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from prometheus_client import Counter

from app.shapes.orders import Missing
from app.web.problems import BadInput
from dispatch.orders.desk import Desk
from dispatch.orders.happened import Happened
from dispatch.orders.order import Actor, Order
from dispatch.orders.rows import from_json
from dispatch.places import counter
from dispatch.places.place import Place
from dispatch.stock import reserving
from dispatch.stock.moving import At
from dispatch.stock.reserving import Line
from sql import queries
from tracking import outages

log = logging.getLogger(__name__)

BOOKS: Final = Actor(id="stock", role="system")
"""Who moves goods because of a step of an order; who made the step stands in the order's timeline."""
FAILED: Final = Counter("postrider_stock_failed_total", "Steps of orders whose goods could not be booked.")
SHORT: Final = Counter("postrider_stock_short_total", "Goods that were collected, and the books had less of.")


def goods_at(place: Place, now: datetime) -> At:
    """The place, as its goods are looked at."""
    return At(place.id, place.region, place.partner, place.today(now))


async def pick_up(
    desk: Desk,
    order: Order,
    *,
    note: str | None = None,
    missing: Sequence[Missing] = (),
    happened: Happened | None = None,
) -> Order:
    """The courier has the goods, but for what was missing; raises BadInput where the order has no such lines."""
    facts: dict[str, Any] = {"note": note} if note else {}
    if missing:
        facts["missing"] = await _missing(desk, order, missing)
    moved = await desk.pick_up(order, facts=facts or None, happened=happened)
    if order.place_id is not None:
        async with _bearing(desk, order):
            place = goods_at(await counter.get_place(desk.connection, order.place_id), desk.now)
            at = desk.now if happened is None else happened.at
            lacks = await reserving.collect(
                desk.connection,
                place,
                order.id,
                order.attempt,
                BOOKS,
                at,
                missing={one["item"]: one["quantity"] for one in facts.get("missing", ())},
            )
            SHORT.inc(len(lacks))
            if lacks:
                facts_of = {"event": "stock_short", "order_id": str(order.id), "goods": lacks}
                log.warning("stock is short of what was collected", extra=facts_of)
    return moved


async def take_back(desk: Desk, order: Order, *, reason: str | None = None, happened: Happened | None = None) -> Order:
    """The goods are back; at the place that they came from they are stock again."""
    moved = await desk.take_back(order, reason=reason, happened=happened)
    if order.place_id is not None and order.returns_to is None:
        async with _bearing(desk, order):
            at = desk.now if happened is None else happened.at
            await reserving.come_back(desk.connection, order.id, order.attempt, BOOKS, at)
    return moved


async def reserve_again(desk: Desk, order: Order) -> None:
    """An order that is tried again takes what there is; staff have decided that it goes."""
    if order.place_id is None or order.picked_up_at is not None:
        return
    async with _bearing(desk, order):
        place = goods_at(await counter.get_place(desk.connection, order.place_id), desk.now)
        lines = lines_of(await _lines(desk, order))
        taken = await reserving.take(desk.connection, place, lines, is_must=False)
        await reserving.keep(desk.connection, place.place_id, order.id, taken)


def lines_of(lines: Iterable[Mapping[str, Any]]) -> list[Line]:
    """What an order's lines name."""
    return [Line(line["item"], line["quantity"]) for line in lines]


async def goods_of(connection: Any, orders: Iterable[Order]) -> dict[UUID, list[Line]]:
    """What places have for those of the orders that nobody has collected, and that have lines."""
    at_places = {order.id for order in orders if order.place_id is not None and order.picked_up_at is None}
    if not at_places:
        return {}
    rows = await connection.fetch(queries["stock.lines_of"], list(at_places))
    return {row["order_id"]: lines_of(from_json(row["lines"])) for row in rows}


async def _lines(desk: Desk, order: Order) -> Sequence[Mapping[str, Any]]:
    found: Sequence[Mapping[str, Any]] | None = from_json(
        await desk.connection.fetchval(queries["stock.lines"], order.id)
    )
    return found or ()


async def _missing(desk: Desk, order: Order, missing: Sequence[Missing]) -> list[dict[str, Any]]:
    """What was missing, by goods; raises BadInput."""
    ordered: dict[str, int] = {}
    for line in lines_of(await _lines(desk, order)):
        ordered[line.item] = ordered.get(line.item, 0) + line.quantity
    found: dict[str, int] = {}
    for n, one in enumerate(missing):
        found[one.item] = found.get(one.item, 0) + one.quantity
        if found[one.item] > ordered.get(one.item, 0):
            raise BadInput("The order has no such line.", (f"/missing/{n}", "expected goods of its lines, no more"))
    return [{"item": item, "quantity": quantity} for item, quantity in found.items()]


@asynccontextmanager
async def _bearing(desk: Desk, order: Order) -> AsyncIterator[None]:
    """Whatever is wrong with the goods, the step of the order is done; it is told and counted."""
    try:
        async with desk.connection.transaction():
            yield
    except Exception as exc:
        if outages.is_outage(exc):
            raise
        FAILED.inc()
        outages.tell(log, "goods not booked", exc, event="goods_not_booked", order_id=str(order.id))
