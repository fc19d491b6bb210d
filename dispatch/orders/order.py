"""
An order and its life: placed → assigned → accepted → picked up → delivered, or cancelled / failed; no I/O.

What fails, or is cancelled, with the goods on board becomes `returning` and, once they are back, `returned`.

Here an order speaks the customer's language: instants are timezone-aware datetimes and places are coordinates.
`dispatch.region.world` turns it into the planner's `Job`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from dispatch.errors import OrderNotOpen
from dispatch.stop import OrderId, StopKind
from tracking.position import CourierId, LatLon, Mode, Region

DIMENSIONS = ("units", "weight_g", "volume_ml")
"""What a size is measured in, in the order of a courier's capacity. Pieces, grams, millilitres: all whole numbers."""

DEFAULT_SERVICE_S = 120
"""Handling at a stop when nobody said otherwise: half of the four minutes of the MDRP rules (Reyes et al. 2018)."""


class OrderKind(StrEnum):
    """What is to be done for an order."""

    DELIVERY = "delivery"
    """Collected at one place, handed over at another."""
    DROPOFF = "dropoff"
    """Only handed over: loaded at a depot, or when the shift begins."""
    PICKUP = "pickup"
    """Only collected: brought to a depot, or to where the shift ends."""
    SERVICE = "service"
    """A visit without goods."""


class OrderState(StrEnum):
    """Where an order stands."""

    PLACED = "placed"
    ASSIGNED = "assigned"
    """Offered to a courier, who has not answered yet."""
    ACCEPTED = "accepted"
    PICKED_UP = "picked_up"
    RETURNING = "returning"
    """Failed or cancelled after the pickup: the courier brings the goods back to where they were collected."""
    DELIVERED = "delivered"
    CANCELLED = "cancelled"
    FAILED = "failed"
    RETURNED = "returned"
    """The goods are back."""


TRANSITIONS: Mapping[OrderState, frozenset[OrderState]] = {
    OrderState.PLACED: frozenset({OrderState.ASSIGNED, OrderState.CANCELLED, OrderState.FAILED}),
    OrderState.ASSIGNED: frozenset(
        {OrderState.PLACED, OrderState.ASSIGNED, OrderState.ACCEPTED, OrderState.CANCELLED, OrderState.FAILED}
    ),
    OrderState.ACCEPTED: frozenset(
        {
            OrderState.PLACED,
            OrderState.ASSIGNED,
            OrderState.PICKED_UP,
            OrderState.DELIVERED,
            OrderState.CANCELLED,
            OrderState.FAILED,
        }
    ),
    OrderState.PICKED_UP: frozenset({OrderState.PICKED_UP, OrderState.DELIVERED, OrderState.RETURNING}),
    OrderState.RETURNING: frozenset({OrderState.RETURNING, OrderState.PICKED_UP, OrderState.RETURNED}),
    OrderState.DELIVERED: frozenset(),
    OrderState.CANCELLED: frozenset({OrderState.RETURNED}),
    OrderState.FAILED: frozenset({OrderState.RETURNED, OrderState.PLACED}),
    OrderState.RETURNED: frozenset({OrderState.PLACED}),
}
"""
Every legal step. Back to `placed`: rejected, expired, taken away, tried again. `assigned`, `picked_up` or `returning`
again: with another courier. Whether the goods are where a step needs them, and whether there are any, is seen by
`check_transition`.
"""

OPEN_STATES = frozenset({OrderState.PLACED, OrderState.ASSIGNED, OrderState.ACCEPTED, OrderState.PICKED_UP})
"""It may still be delivered."""

ON_BOARD_STATES = frozenset({OrderState.PICKED_UP, OrderState.RETURNING})
"""The courier has the goods."""

COURIER_STATES = frozenset({OrderState.ASSIGNED, OrderState.ACCEPTED}) | ON_BOARD_STATES
"""The order is with a courier, and its open stops are in that courier's route."""

UNCOLLECTED_STATES = (OrderState.ASSIGNED, OrderState.ACCEPTED)
"""The order is with a courier, the goods are not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """
    When service at a stop may start, and when it is late.

    A soft window has `due_at` (late afterwards) and perhaps `closes_at` (not allowed afterwards); a hard one has
    both the same. None: no such bound.
    """

    opens_at: datetime | None = None
    due_at: datetime | None = None
    closes_at: datetime | None = None

    def __post_init__(self) -> None:
        bounds = [at for at in (self.opens_at, self.due_at, self.closes_at) if at is not None]
        if bounds != sorted(bounds):
            raise ValueError("expected opens_at <= due_at <= closes_at")

    def not_before(self, opens_at: datetime) -> "Window":
        """The window that opens no sooner than then; what closes before is a moment."""
        opens_at = max(opens_at, self.opens_at or opens_at)
        due_at, closes_at = (None if at is None else max(at, opens_at) for at in (self.due_at, self.closes_at))
        return Window(opens_at=opens_at, due_at=due_at, closes_at=closes_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderStop:
    """One end of an order: where, when, whom to ask for."""

    at: LatLon
    address: str | None = None
    contact: Mapping[str, str] | None = None
    """Such as `name` and `phone`; shown to the courier."""
    instructions: str | None = None
    window: Window = Window()
    service_s: int = DEFAULT_SERVICE_S


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    """What a customer asks for; the store makes an `Order` of it."""

    region: Region
    pickup: OrderStop
    dropoff: OrderStop
    external_id: str | None = None
    customer_id: str | None = None
    partner: str | None = None
    """Whose order it is; None: our own."""
    """The customer's name for themselves; ours to keep, not to read."""
    ready_at: datetime | None = None
    """When the goods can be collected; None: at once."""
    ready_is_estimate: bool = False
    ready_error_s: int | None = None
    """Typical error of an estimated ready time (one standard deviation)."""
    size: Mapping[str, int] = field(default_factory=lambda: {"units": 1})
    """By dimension, see `DIMENSIONS`."""
    modes: frozenset[Mode] | None = None
    skills: frozenset[str] = frozenset()
    priority: int = 0
    max_on_board_s: int | None = None
    """At most so long from the pickup to the drop-off, as for hot food; None: no bound."""
    kind: OrderKind = OrderKind.DELIVERY
    depot: str | None = None
    """Name of the depot that is the end which nobody gave; None: there is none."""
    depot_named: bool = True
    """False: the planner may choose another one, where the region has it choose."""
    group_id: str | None = None
    """Orders of one pickup with the same are collected together."""
    place_id: UUID | None = None
    """The place that prepares it; None: none that we know."""

    def __post_init__(self) -> None:
        unknown = sorted(set(self.size) - set(DIMENSIONS))
        if unknown:
            raise ValueError(f"unknown dimension {unknown[0]!r}: expected {', '.join(DIMENSIONS)}")
        if any(amount < 0 for amount in self.size.values()):
            raise ValueError("expected sizes >= 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order(NewOrder):
    """A customer's request and where it stands."""

    id: OrderId
    state: OrderState
    version: int
    """Counts every change, by one; each has its row in `order_events`."""
    placed_at: datetime
    courier_id: CourierId | None = None
    pinned: bool = False
    """A dispatcher wants this courier and nobody else."""
    assigned_at: datetime | None = None
    accepted_at: datetime | None = None
    picked_up_at: datetime | None = None
    delivered_at: datetime | None = None
    closed_at: datetime | None = None
    close_reason: str | None = None
    proof: Mapping[str, str] | None = None
    attempt: int = 1
    """How often it has been tried, this time included."""
    returns_to: OrderStop | None = None
    """Where what could not be delivered comes back to; None: to the pickup."""

    @property
    def is_open(self) -> bool:
        """Whether it may still be delivered."""
        return self.state in OPEN_STATES

    @property
    def last_step_at(self) -> datetime:
        """When the last step of its life was made; the next one comes after it."""
        steps = (self.placed_at, self.assigned_at, self.accepted_at, self.picked_up_at)
        return max(at for at in steps if at is not None)

    @property
    def is_on_board(self) -> bool:
        """Whether the courier has the goods, on the way to the recipient or back."""
        return self.state in ON_BOARD_STATES

    @property
    def only(self) -> StopKind | None:
        """The one stop of an order that has no other; None: it has both, or a depot for one of them."""
        if self.kind is OrderKind.DELIVERY or self.depot is not None:
            return None
        return StopKind.PICKUP if self.kind is OrderKind.PICKUP else StopKind.DROPOFF

    @property
    def awaited_at(self) -> StopKind:
        """The stop where somebody was promised the courier."""
        return StopKind.PICKUP if self.kind is OrderKind.PICKUP else StopKind.DROPOFF

    @property
    def open_stops(self) -> tuple[StopKind, ...]:
        """The stops still to be made, in order."""
        if self.is_on_board:
            return (StopKind.DROPOFF,) if self._is_bound_somewhere else ()
        if not self.is_open:
            return ()
        return (StopKind.PICKUP, StopKind.DROPOFF) if self.only is None else (self.only,)

    @property
    def _is_bound_somewhere(self) -> bool:
        """Whether there is a place for what is on board; else it stays there until the courier says where it went."""
        if self.state is OrderState.RETURNING:
            return self.returns_to is not None or self.only is not StopKind.DROPOFF
        return self.only is not StopKind.PICKUP or self.dropoff.at != self.pickup.at

    def stop(self, kind: StopKind) -> OrderStop:
        """Where that stop is made now: what comes back has a place for that, or the pickup, at any time."""
        if kind is StopKind.PICKUP:
            return self.pickup
        if self.state is not OrderState.RETURNING:
            return self.dropoff
        return self.returns_to or replace(self.pickup, window=Window())

    def awaits(self, kind: StopKind, courier_id: CourierId) -> bool:
        """Whether a stop in a courier's route is still to be made, and the order is not somebody else's."""
        return kind in self.open_stops and self.courier_id in {None, courier_id}


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who does something to an order: a caller of the API, a courier, or the dispatcher itself."""

    id: str
    role: str
    """`courier`, `viewer`, `support`, `dispatcher`, `admin`, `service` or `system`."""


ENGINE = Actor(id="dispatch", role="system")


def mirrored(stop: OrderStop) -> OrderStop:
    """The end that an order of one stop does not have: at the same place, and nothing is done there."""
    return OrderStop(at=stop.at, address=stop.address, service_s=0)


def size_in(dimensions: Mapping[str, int]) -> tuple[int, ...]:
    """
    The size as the planner wants it: one number a dimension, in the order of `DIMENSIONS`.

    An order is a thing to carry: one unit, unless it says how many.
    """
    return tuple(dimensions.get(name, int(name == "units")) for name in DIMENSIONS)


def check_transition(order: Order, to: OrderState) -> None:
    """
    Raise `OrderNotOpen` when the order may not step to that state.

    `returned` needs goods that left the pickup place, and a new attempt after a failure needs goods that are there; a
    visit without goods is never picked up, and only what has no pickup is delivered without one.
    """
    legal = to in TRANSITIONS[order.state]
    if to is OrderState.PICKED_UP and order.kind is OrderKind.SERVICE:
        legal = False
    if legal and order.state is OrderState.ACCEPTED and to is OrderState.DELIVERED:
        legal = order.only is StopKind.DROPOFF
    if legal and to is OrderState.RETURNED:
        legal = order.picked_up_at is not None
    if legal and order.state is OrderState.FAILED and to is OrderState.PLACED:
        legal = order.picked_up_at is None
    if not legal:
        raise OrderNotOpen(
            f"An order that is {order.state.replace('_', ' ')} cannot become {to.replace('_', ' ')}.",
            order_id=str(order.id),
            state=order.state.value,
            wanted=to.value,
        )
