"""A stop of an order: the word that planning, orders, arrivals and alerts share."""

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
