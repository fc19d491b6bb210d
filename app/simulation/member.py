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
    state: str = ""
    """Of the order."""
    break_at: datetime | None = None
    """The plan has a break then, before the way to this stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A break of the shift: begins between two instants, and lasts so long."""

    opens_at: datetime
    closes_at: datetime
    duration_s: int


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
    pause: Pause | None = None
    """The break that is still to be taken."""
    n_doors: int = 0
    """Doors stood at so far."""
