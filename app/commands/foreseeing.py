"""What offers bring, beside them, where the region has rules of pay."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from app.shapes.offers import OfferShape
from app.shapes.pay import MoneyShape
from dispatch.orders.offer import Offer
from dispatch.orders.order import Order
from dispatch.pay.books import known
from dispatch.pay.days import zone_of
from dispatch.pay.foreseen import foreseen
from dispatch.pay.source import Unusable
from sql import queries
from tracking.position import Mode

Offered = Sequence[tuple[Offer, Order | None]]


async def add_pay(pool: Any, shapes: Sequence[OfferShape], offered: Sequence[Offered], region: str, mode: Mode) -> None:
    """Write it into the shapes, each of the rows beside it; costs a query where there are some."""
    if not shapes:
        return
    now = datetime.now(UTC)
    row = await pool.fetchrow(queries["pay.for_offers"], region, now)
    if row is None:
        return
    try:
        rules = known(row["source"])
    except Unusable:  # written for another release: who books tells staff, and an offer is an offer
        return
    zone = zone_of(row["timezone"])
    for shape, rows in zip(shapes, offered, strict=True):
        orders = [order for offer, order in rows if order is not None and offer.state.value == shape.state]
        amount = sum(foreseen(rules, order, mode, shape.dropoff_at or now, zone) for order in orders)
        shape.pay = MoneyShape(amount=amount, currency=rules.currency, digits=rules.digits)
