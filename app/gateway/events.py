"""
What other systems are told: rows of the outbox as CloudEvents 1.0; no I/O.

The outbox is written by the database in the transaction that makes a change (sql/migrations, `put_event`), with the
rows as they were then. `data` has the shapes of the HTTP API.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec

from app.shapes.arrivals import EtaShape, instant
from app.shapes.orders import OrderShape, shape_of
from dispatch.arrivals.changes import EtaChange
from dispatch.orders.rows import from_json, order_from_row
from dispatch.stop import StopKind

Row = Mapping[str, Any]

SPECVERSION: Final = "1.0"
TEST: Final = "postrider.test"
"""Sent only to the target that asked for it."""
POSITION: Final = "postrider.courier.position"
"""Not from the outbox (app/gateway/forwarding.py): a table would have a row for every fix."""


class Change(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What was done to an order: a line of its timeline."""

    action: str
    to_state: str
    role: str
    at: datetime
    version: int
    from_state: str | None = None
    courier_id: UUID | None = None
    """Who has it, or had it until then."""
    reason: str | None = None
    facts: dict[str, Any] = {}


class Offered(msgspec.Struct, kw_only=True, omit_defaults=True):
    """To whom an order was offered, and until when."""

    id: UUID
    courier_id: UUID
    offered_at: datetime
    expires_at: datetime
    bundle_id: UUID | None = None


class OrderData(OrderShape, kw_only=True, omit_defaults=True):
    """The order as it was then, and what happened."""

    change: Change | None = None
    offer: Offered | None = None


class CourierData(msgspec.Struct, kw_only=True):
    """The courier as it was then."""

    id: UUID
    external_id: str | None
    name: str
    mode: str
    region: str
    capacity: list[int]
    skills: list[str]
    max_orders: int
    on_duty: bool
    version: int
    updated_at: datetime


class BreakData(msgspec.Struct, kw_only=True):
    """A break as it was taken."""

    id: UUID
    courier_id: UUID
    duration_s: int
    began_at: datetime
    ended_at: datetime | None


class AlertData(msgspec.Struct, kw_only=True):
    """The alert as it was then."""

    id: UUID
    kind: str
    region: str
    courier_id: UUID | None
    order_id: UUID | None
    raised_at: datetime
    facts: dict[str, Any]
    expected: dict[str, Any]
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    resolved_at: datetime | None
    resolution: dict[str, Any] | None


class FenceData(msgspec.Struct, kw_only=True):
    """A courier entered, left, or dwelt in a fence."""

    courier_id: UUID
    fence_id: UUID
    kind: str
    at: datetime
    lat: float
    lon: float
    passed: bool
    active: bool
    recorded_at: datetime


class EtaData(msgspec.Struct, kw_only=True):
    """
    The arrival at a stop of an order has changed: it is the first one, differs by minutes, or is late now.

    Small changes are not told, and none of a stop within a minute of the last one.
    """

    order_id: UUID
    external_id: str | None
    courier_id: UUID
    stop: StopKind
    eta: EtaShape
    is_late: bool
    """It is later than was promised."""
    p50_before: datetime | None
    """What was told before; null: nothing."""


class PositionData(msgspec.Struct, kw_only=True):
    """
    Where a courier is: the newest good fix, told to who asks for it, of each courier no more often than asked.

    `sequence` of these grows, with gaps: it is the fix's instant in microseconds.
    """

    courier_id: UUID
    fixed_at: datetime
    received_at: datetime
    lat: float
    lon: float
    accuracy_m: float | None
    speed_mps: float | None
    course_deg: float | None
    altitude_m: float | None
    battery_pct: float | None


class PayData(msgspec.Struct, kw_only=True):
    """An entry of the ledger of pay; amounts are minor units of the currency."""

    id: UUID
    courier_id: UUID
    region: str
    kind: str
    rule: str
    version: int | None
    amount: int
    currency: str
    at: datetime
    """When it was earned."""
    day: date
    written_at: datetime
    order_id: UUID | None
    facts: dict[str, Any]
    reverses: UUID | None
    reason: str | None


class PlaceData(msgspec.Struct, kw_only=True):
    """A place says that an order can be collected, or that it takes longer."""

    place_id: UUID
    order_id: UUID
    external_id: str | None
    """Of the order."""
    at: datetime
    ready_at: datetime
    """Since when it can be collected, or from when on."""
    minutes: int | None = None
    """How much longer it takes than was said."""
    reason: str | None = None


class RefusedData(msgspec.Struct, kw_only=True):
    """A command of another system that can have no effect: a dead letter."""

    id: UUID
    """By which it is brought back."""
    way: str
    source: str
    event_id: str
    type: str
    subject: str
    reason: str
    body: str
    """The message, or its beginning."""


class TestData(msgspec.Struct, kw_only=True):
    """Somebody wants to see whether events arrive."""

    target_id: UUID


Data = (
    OrderData
    | EtaData
    | CourierData
    | PositionData
    | BreakData
    | AlertData
    | FenceData
    | PayData
    | PlaceData
    | RefusedData
    | TestData
)

ORDER_STEPS: Final = (
    *("placed", "changed", "assigned", "offered", "accepted", "rejected", "picked_up", "delivered", "failed"),
    *("returning", "returned", "cancelled", "unassigned"),
)
SHAPES: Final[Mapping[str, type[msgspec.Struct]]] = {
    **{f"postrider.order.{step}": OrderData for step in ORDER_STEPS},
    "postrider.eta.changed": EtaData,
    **dict.fromkeys(("postrider.courier.on_duty", "postrider.courier.off_duty"), CourierData),
    POSITION: PositionData,
    **dict.fromkeys(("postrider.courier.break_started", "postrider.courier.break_ended"), BreakData),
    **{f"postrider.alert.{step}": AlertData for step in ("raised", "acknowledged", "resolved")},
    **{f"postrider.geofence.{step}": FenceData for step in ("entered", "exited", "dwelled")},
    **{f"postrider.pay.{step}": PayData for step in ("accrued", "reversed")},
    **{f"postrider.place.{step}": PlaceData for step in ("task_ready", "delayed")},
    "postrider.command.refused": RefusedData,
    TEST: TestData,
}
"""Every type of event, with the shape of its `data`."""


class CloudEvent(msgspec.Struct, kw_only=True):
    """
    An event as it is sent. Source: CloudEvents 1.0.2, JSON event format.

    `sequence` counts the events of one subject from 1, without gaps: a receiver that has seen a higher one can leave a
    late one alone.
    """

    specversion: str = SPECVERSION
    id: UUID
    """Unique for ever; the same when it is sent again."""
    source: str
    type: str
    subject: UUID
    """Whose event it is: the id of the order, courier, alert, geofence or place."""
    sequence: Annotated[int, msgspec.Meta(ge=1)]
    time: datetime
    region: str
    datacontenttype: str = "application/json"
    data: Any


def event_of(row: Row) -> CloudEvent:
    """The event of a row of the outbox; raises ValueError where the row cannot be read."""
    try:
        data = _data_of(row["type"], from_json(row["data"]))
    except Exception as exc:  # whatever is odd about a row, it is this row's, and never the queue's behind it
        raise ValueError(f"the row of event {row['id']} cannot be read: {exc}") from exc
    return CloudEvent(
        id=row["id"],
        source=f"/postrider/regions/{row['region']}",
        type=row["type"],
        subject=row["subject"],
        sequence=row["sequence"],
        time=row["at"],
        region=row["region"],
        data=data,
    )


def body_of(row: Row) -> bytes:
    """The event of a row as JSON; raises ValueError where the row cannot be read, or not be written as JSON."""
    try:
        return msgspec.json.encode(event_of(row))
    except OverflowError as exc:
        raise ValueError(f"event {row['id']} holds a number that JSON here cannot: {exc}") from exc


def _data_of(kind: str, facts: Any) -> Any:
    shape = SHAPES[kind]
    if shape is EtaData:
        return _eta_of(facts)
    if shape is not OrderData:
        return msgspec.convert(facts, shape)
    order = shape_of(order_from_row(_typed(facts["order"])))
    change, offer = facts.get("change"), facts.get("offer")
    return OrderData(
        **{name: getattr(order, name) for name in OrderShape.__struct_fields__},
        change=None if change is None else msgspec.convert(change, Change),
        offer=None if offer is None else msgspec.convert(offer, Offered),
    )


class _Arrival(EtaChange, kw_only=True):
    order_id: UUID
    external_id: str | None
    courier_id: UUID


def _eta_of(facts: Any) -> EtaData:
    told = msgspec.convert(facts, _Arrival)
    return EtaData(
        order_id=told.order_id,
        external_id=told.external_id,
        courier_id=told.courier_id,
        stop=told.stop,
        eta=EtaShape(
            p50=instant(told.p50),
            p90=instant(told.p90),
            computed_at=instant(told.computed_at),
            source=told.source,
            confidence=round(told.confidence, 2),
            warnings=told.warnings,
        ),
        is_late=told.is_late,
        p50_before=None if told.before is None else instant(told.before),
    )


def _typed(row: Row) -> dict[str, Any]:
    """A row that went through JSON, with its instants and ids as the database would give them."""
    typed = dict(row)
    for name, value in row.items():
        if value is None:
            continue
        if name.endswith("_at"):
            typed[name] = msgspec.convert(value, datetime)
        elif name in {"id", "courier_id", "place_id"}:
            typed[name] = UUID(value)
    return typed
