"""An offer over HTTP."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from app.shapes.orders import StopShape, stop_shape
from app.shapes.pay import MoneyShape
from dispatch.orders.offer import Offer, state_of
from dispatch.orders.order import Order


class OfferedOrder(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An order of an offer."""

    order_id: UUID
    pickup: StopShape | None = None
    dropoff: StopShape | None = None
    size: dict[str, int] | None = None
    ready_at: datetime | None = None
    pickup_at: datetime | None = None
    """When the courier is expected at the pickup."""
    dropoff_at: datetime | None = None
    cost: dict[str, int] | None = None
    """What the order adds to the courier's route, by term; for staff."""


class OfferShape(OfferedOrder, kw_only=True, omit_defaults=True):
    """An offer, with what the courier needs to decide; of several orders that are taken or refused as a whole."""

    id: UUID
    courier_id: UUID
    state: str
    offered_at: datetime
    expires_at: datetime
    orders: list[OfferedOrder] = []
    """All of them where they are several; what is beside this is the first one's."""
    others_asked: int = 0
    """So many others were asked at the same time: whoever accepts first has it."""
    pay: MoneyShape | None = None
    """What all its orders bring by the rules, as far as it can be foreseen: nothing is waited for, nobody is late."""
    answered_at: datetime | None = None
    reason: str | None = None


def offer_shape(rows: Sequence[tuple[Offer, Order | None]], *, for_staff: bool = False) -> OfferShape:
    """
    An offer as it is answered: its rows, each with its order. Costs are none of the courier's business.

    An order that has been taken from the offer, for it was cancelled or changed, is not in it any more.
    """
    state = state_of([offer for offer, _ in rows])
    shown = [(offer, order) for offer, order in rows if offer.state is state]
    orders = [_order_shape(offer, order, for_staff=for_staff) for offer, order in shown]
    first: Any = shown[0][0]
    return OfferShape(
        **msgspec.structs.asdict(orders[0]),
        id=first.offer_id,
        courier_id=first.courier_id,
        state=state.value,
        offered_at=first.offered_at,
        expires_at=first.expires_at,
        orders=orders if len(orders) > 1 else [],
        others_asked=first.facts.get("others", 0),
        answered_at=first.answered_at,
        reason=first.reason,
    )


def _order_shape(offer: Offer, order: Order | None, *, for_staff: bool) -> OfferedOrder:
    facts: Any = offer.facts
    return OfferedOrder(
        order_id=offer.order_id,
        pickup=None if order is None else stop_shape(order.pickup),
        dropoff=None if order is None else stop_shape(order.dropoff),
        size=None if order is None else dict(order.size),
        ready_at=None if order is None else order.ready_at,
        pickup_at=_instant(facts.get("pickup_at")),
        dropoff_at=_instant(facts.get("dropoff_at")),
        cost=facts.get("cost") if for_staff else None,
    )


def _instant(text: Any) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
