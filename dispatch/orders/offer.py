"""
An offer: part of a plan shown to a courier, who accepts or rejects it, or lets it expire; no I/O.

Orders that are collected together are one offer: a row for each, with the same `bundle_id`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType
from uuid import UUID

from dispatch.errors import OfferNotOpen
from dispatch.stop import OrderId
from tracking.position import CourierId, Region

OfferId = NewType("OfferId", UUID)


class OfferState(StrEnum):
    """How an offer ended, or that it has not."""

    OPEN = "open"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    """Taken back by us: the order was cancelled, changed hands, or the courier went off duty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """
    One order offered to one courier, alone or with others.

    Several couriers may be asked for an order; one of them has it meanwhile, and whoever accepts first in the end.
    """

    id: OfferId
    order_id: OrderId
    courier_id: CourierId
    region: Region
    state: OfferState
    offered_at: datetime
    expires_at: datetime
    answered_at: datetime | None = None
    reason: str | None = None
    """Why it was rejected or withdrawn."""
    facts: Mapping[str, object] = field(default_factory=dict)
    """What the courier is shown beside the order: expected arrivals, and the cost terms for staff."""
    bundle_id: OfferId | None = None
    """The offer of several orders that it is part of."""

    @property
    def offer_id(self) -> OfferId:
        """The offer as the courier knows it, which this may be only one order of."""
        return self.bundle_id or self.id


def check_answerable(offer: Offer, now: datetime) -> None:
    """Raise `OfferNotOpen` when the offer cannot be accepted or rejected any more."""
    state = offer.state
    if state is OfferState.OPEN and now < offer.expires_at:
        return
    shown = OfferState.EXPIRED if state is OfferState.OPEN else state
    raise OfferNotOpen(f"The offer was {shown.value} already.", offer_id=str(offer.id), state=shown.value)


def together(offers: Iterable[Offer]) -> list[list[Offer]]:
    """Rows by the offer they are part of, the first row's first."""
    found: dict[OfferId, list[Offer]] = {}
    for offer in offers:
        found.setdefault(offer.offer_id, []).append(offer)
    return list(found.values())


def state_of(rows: Sequence[Offer]) -> OfferState:
    """How an offer stands: open while one of its orders is, for the others have gone from it."""
    states = [row.state for row in rows]
    return next((state for state in (OfferState.OPEN, OfferState.ACCEPTED) if state in states), states[0])
