"""A stop of an order: the word that planning, orders, arrivals and alerts share."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NewType
from uuid import UUID

OrderId = NewType("OrderId", UUID)


class StopKind(StrEnum):
    """The two visits of an order."""

    PICKUP = "pickup"
    DROPOFF = "dropoff"


@dataclass(frozen=True, slots=True)
class PlannedStop:
    """A visit in a route."""

    order_id: OrderId
    kind: StopKind


def check_sequence(known: Iterable[PlannedStop], wanted: Sequence[PlannedStop]) -> None:
    """Raise ValueError unless `wanted` are the known stops in an order in which they can be made."""
    if sorted(wanted, key=_by_order) != sorted(known, key=_by_order):
        raise ValueError("expected every stop of the route exactly once")
    place = {stop: index for index, stop in enumerate(wanted)}
    for stop, index in place.items():
        if stop.kind is StopKind.PICKUP and place.get(PlannedStop(stop.order_id, StopKind.DROPOFF), index) < index:
            raise ValueError("expected every pickup before its drop-off")


def _by_order(stop: PlannedStop) -> tuple[UUID, str]:
    return stop.order_id, stop.kind.value
