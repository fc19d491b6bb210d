"""An offer over HTTP."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from app.shapes.orders import StopShape, stop_shape
from dispatch.orders.offer import Offer
from dispatch.orders.order import Order


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


def _instant(text: Any) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
