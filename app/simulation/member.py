"""A courier of the simulated fleet."""

from dataclasses import dataclass, field
from datetime import datetime

from app.simulation.courier import SimulatedCourier
from app.simulation.phones import Phone
from tracking.position import LatLon


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """A stop of a courier's route, as the server has it."""

    order_id: str
    kind: str
    place: LatLon
    ready_at: datetime | None = None
    due_at: datetime | None = None


@dataclass(slots=True)
class Member:
    """A courier of the fleet with the phone."""

    number: int
    courier_id: str
    body: SimulatedCourier
    phone: Phone
    stops: list[Stop] = field(default_factory=list)
    """What the server wants done, next first; empty: nothing."""
    heading_for: Stop | None = None
    stepped_at: float = 0.0
