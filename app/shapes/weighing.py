"""A courier and an order, weighed, over HTTP."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

from app.shapes.orders import REASON_TEXTS, ObjectionShape, ReasonShape, StopShape, objection_shapes, stop_shape
from dispatch.orders.order import Order
from dispatch.planning.snapshot import UnixS
from dispatch.planning.weighing import Weighed
from dispatch.stop import OrderId
from tracking.position import CourierId


class CostShape(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What an order would cost with a courier, and when it would be there."""

    cost: int
    """What it adds to the courier's route, in the planner's units: about seconds of delivery time."""
    terms: dict[str, int]
    """The same by term; `change`: another courier has been shown the order."""
    dropoff_at: datetime
    pickup_at: datetime | None = None
    """None when it is on board."""
    late_s: int = 0
    """At both stops together."""
    refused: bool = False
    """The courier turned it down before: asked again only if nobody else can take it."""


class CandidateShape(CostShape, kw_only=True, omit_defaults=True):
    """A courier who could take an order."""

    courier_id: UUID
    name: str


class ExcludedShape(msgspec.Struct, kw_only=True):
    """A courier who could not."""

    courier_id: UUID
    name: str
    code: str
    """The first of the reasons."""
    text: str
    reasons: list[ObjectionShape]
    """All that can be told."""


class CandidatesShape(msgspec.Struct, kw_only=True):
    """Who could take an order, the cheapest first, and why the others could not."""

    order_id: UUID
    candidates: list[CandidateShape]
    excluded: list[ExcludedShape]
    n_candidates: int
    n_excluded: int
    reasons: list[ReasonShape]
    """Why the excluded ones cannot, counted."""


class SuggestionShape(CostShape, kw_only=True, omit_defaults=True):
    """An order that a courier could take."""

    order_id: UUID
    pickup: StopShape
    dropoff: StopShape


class UnfitShape(msgspec.Struct, kw_only=True):
    """An order that the courier could not take."""

    order_id: UUID
    code: str
    text: str
    reasons: list[ObjectionShape]


class SuggestionsShape(msgspec.Struct, kw_only=True):
    """Which orders a courier could take, the cheapest first, and why not the others."""

    courier_id: UUID
    suggestions: list[SuggestionShape]
    excluded: list[UnfitShape]
    n_suggestions: int
    n_excluded: int


def candidates_shape(
    order: Order, weighed: list[Weighed], names: Mapping[CourierId, str], limit: int
) -> CandidatesShape:
    """At most so many of either, and how many there are."""
    possible, excluded = _apart(weighed)
    return CandidatesShape(
        order_id=order.id,
        candidates=[
            CandidateShape(courier_id=one.courier_id, name=names[one.courier_id], **_cost(one))
            for one in possible[:limit]
        ],
        excluded=[
            ExcludedShape(courier_id=one.courier_id, name=names[one.courier_id], **_why(one))
            for one in excluded[:limit]
        ],
        n_candidates=len(possible),
        n_excluded=len(excluded),
        reasons=_counted(excluded),
    )


def suggestions_shape(
    courier_id: UUID, weighed: list[Weighed], orders: Mapping[OrderId, Order], limit: int
) -> SuggestionsShape:
    """At most so many of either, and how many there are."""
    possible, excluded = _apart(weighed)
    return SuggestionsShape(
        courier_id=courier_id,
        suggestions=[
            SuggestionShape(
                order_id=one.order_id,
                pickup=stop_shape(orders[one.order_id].pickup),
                dropoff=stop_shape(orders[one.order_id].dropoff),
                **_cost(one),
            )
            for one in possible[:limit]
        ],
        excluded=[UnfitShape(order_id=one.order_id, **_why(one)) for one in excluded[:limit]],
        n_suggestions=len(possible),
        n_excluded=len(excluded),
    )


def _apart(weighed: list[Weighed]) -> tuple[list[Weighed], list[Weighed]]:
    return [one for one in weighed if not one.reasons], [one for one in weighed if one.reasons]


def _cost(one: Weighed) -> dict[str, Any]:
    return {
        "cost": one.total,
        "terms": dict(one.cost or {}),
        "pickup_at": None if one.pickup_at is None else _at(one.pickup_at),
        "dropoff_at": None if one.dropoff_at is None else _at(one.dropoff_at),
        "late_s": one.late_s,
        "refused": one.refused,
    }


def _why(one: Weighed) -> dict[str, Any]:
    reasons = objection_shapes(one.reasons)
    return {"code": reasons[0].code, "text": reasons[0].text, "reasons": reasons}


def _counted(excluded: list[Weighed]) -> list[ReasonShape]:
    example = {one.reasons[0]: one.courier_id for one in reversed(excluded)}
    counts = Counter(one.reasons[0] for one in excluded)
    return [
        ReasonShape(code=code.value, n_couriers=n, text=REASON_TEXTS[code.value], example_courier_id=example[code])
        for code, n in counts.most_common()
    ]


def _at(instant: UnixS) -> datetime:
    return datetime.fromtimestamp(instant, UTC)
