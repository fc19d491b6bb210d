"""What orders look like on the wire, and how that becomes a domain `Order` and back."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, NamedTuple, TypeVar
from uuid import UUID

import msgspec
from litestar import Response
from msgspec import UNSET, UnsetType

from app.web.instants import check_instants
from app.web.problems import BadInput
from app.web.reach import partner_within_reach
from dispatch.orders.depots import Depot, Ordered, at_depot
from dispatch.orders.order import DEFAULT_SERVICE_S, NewOrder, Order, OrderKind, OrderStop, Window, mirrored
from dispatch.orders.rows import from_json
from dispatch.planning.proposal import ReasonCode
from tracking.position import LatLon, Mode, Region

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
Latitude = Annotated[float, msgspec.Meta(ge=-90, le=90)]
Longitude = Annotated[float, msgspec.Meta(ge=-180, le=180)]
Reference = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Text = Annotated[str, msgspec.Meta(max_length=2000)]
ServiceS = Annotated[int, msgspec.Meta(ge=0, le=86_400)]
ReadyErrorS = Annotated[int, msgspec.Meta(ge=0, le=86_400)]
Priority = Annotated[int, msgspec.Meta(ge=-100, le=100)]
OnBoardS = Annotated[int, msgspec.Meta(ge=60, le=86_400)]
Contact = dict[Annotated[str, msgspec.Meta(max_length=40)], Annotated[str, msgspec.Meta(max_length=200)]]
Skills = Annotated[list[Annotated[str, msgspec.Meta(min_length=1, max_length=64)]], msgspec.Meta(max_length=64)]
Size = dict[str, Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]]
Code = Annotated[str, msgspec.Meta(pattern="^[0-9A-Za-z]{3,12}$")]
Version = Annotated[int, msgspec.Meta(ge=1, lt=2**31)]


class WindowShape(msgspec.Struct, kw_only=True, omit_defaults=True):
    """When service may start. Not hard: after `to` it is late, which is avoided; hard: it is not done."""

    from_: Instant | None = msgspec.field(default=None, name="from")
    to: Instant | None = None
    hard: bool = False


class StopShape(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One end of an order."""

    lat: Latitude
    lon: Longitude
    address: Text | None = None
    contact: Contact | None = None
    instructions: Text | None = None
    window: WindowShape | None = None
    latest: Instant | None = None
    """Never later than this, while `window.to` is the target."""
    service_s: ServiceS = DEFAULT_SERVICE_S
    place_id: UUID | None = None
    """Of a pickup: the place (`/v1/places`) that prepares it, whose coordinates, address and contact count where none
    are given."""


class NewStopShape(StopShape, kw_only=True, omit_defaults=True):
    """One end of an order to be: both coordinates, or an address that a geocoder knows."""

    lat: Latitude | None = None  # type: ignore[assignment]  # filled in before an order is made of it
    lon: Longitude | None = None  # type: ignore[assignment]


class StopPatch(msgspec.Struct, kw_only=True):
    """What shall change of one end of an order; a new place needs both `lat` and `lon`."""

    lat: Latitude | UnsetType = UNSET
    lon: Longitude | UnsetType = UNSET
    address: Text | UnsetType | None = UNSET
    contact: Contact | UnsetType | None = UNSET
    instructions: Text | UnsetType | None = UNSET
    window: WindowShape | UnsetType | None = UNSET
    latest: Instant | UnsetType | None = UNSET
    service_s: ServiceS | UnsetType = UNSET


class OrderLine(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Something that a place makes for an order."""

    item: Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=r"\S")]
    quantity: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1
    minutes: Annotated[int, msgspec.Meta(ge=0, le=1440)] | None = None
    """How long one go of it takes; null: as the place's recipe says, or the place."""


class Missing(msgspec.Struct, kw_only=True):
    """What of an order's lines was not there when it was collected."""

    item: Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=r"\S")]
    quantity: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1


class NewOrderShape(msgspec.Struct, kw_only=True):
    """An order to be; only the two places are needed, or the one that its kind has."""

    pickup: NewStopShape | None = None
    dropoff: NewStopShape | None = None
    kind: OrderKind = OrderKind.DELIVERY
    """`dropoff`, `pickup` and `service`, a visit without goods, have one stop."""
    depot: Reference | None = None
    """Of a `dropoff` or `pickup`: the region's depot that is the other end; none: the nearest, if there is one."""
    external_id: Reference | None = None
    customer_id: Reference | None = None
    partner: Annotated[str, msgspec.Meta(min_length=1, max_length=100)] | None = None
    """Whose order it is; null: our own."""
    region: str | None = None
    ready_at: Instant | None = None
    ready_is_estimate: bool = False
    ready_error_s: ReadyErrorS | None = None
    size: Size | None = None
    mode: Mode | list[Mode] | None = None
    """The mode, or modes, that may carry it; none: any."""
    skills: Skills = []
    priority: Priority = 0
    group_id: Reference | None = None
    """Orders of one pickup with the same are collected together, by one courier where one has the room."""
    max_on_board_s: OnBoardS | None = None
    """Handed over at most so long after it is collected, as hot food; nobody gets it who cannot."""
    code: Code | None = None
    """What the recipient must name at the door; none: as the region has it (`proof.code`)."""
    lines: Annotated[list[OrderLine], msgspec.Meta(max_length=200)] = []
    """What the place of the pickup makes for it."""


class OrderPatch(msgspec.Struct, kw_only=True):
    """What shall change; `version` (or If-Match) refuses the change when somebody else was first."""

    pickup: StopPatch | UnsetType = UNSET
    dropoff: StopPatch | UnsetType = UNSET
    ready_at: Instant | UnsetType | None = UNSET
    ready_is_estimate: bool | UnsetType = UNSET
    ready_error_s: ReadyErrorS | UnsetType | None = UNSET
    size: Size | UnsetType = UNSET
    mode: Mode | list[Mode] | UnsetType | None = UNSET
    skills: Skills | UnsetType = UNSET
    priority: Priority | UnsetType = UNSET
    group_id: Reference | UnsetType | None = UNSET
    depot: Reference | UnsetType | None = UNSET
    """Of a `dropoff` or `pickup`; null: the nearest, if there is one."""
    max_on_board_s: OnBoardS | UnsetType | None = UNSET
    version: Version | UnsetType = UNSET


class ReasonShape(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A constraint that excludes couriers from an order."""

    code: str
    n_couriers: int
    text: str
    example_courier_id: UUID | None = None


class ObjectionShape(msgspec.Struct, kw_only=True):
    """What speaks against a courier for an order."""

    code: str
    text: str


class DecisionShape(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What the planner last thought of an order: who shall have it and what that costs, or why nobody can."""

    decided_at: datetime
    courier_id: UUID | None = None
    cost: dict[str, int] | None = None
    """What the order adds to the courier's route, by term, in the planner's units."""
    reasons: list[ReasonShape] | None = None


class PlanCostShape(msgspec.Struct, kw_only=True):
    """What a change by hand costs the plan of the region, in the planner's units (about seconds of delivery time)."""

    before: int
    after: int
    difference: int


class ReturnPlaceShape(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The region's place for goods that come back. WGS 84 degrees."""

    lat: float
    lon: float
    address: str | None = None


class OrderShape(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An order and where it stands."""

    id: UUID
    region: str
    state: str
    version: int
    kind: OrderKind = OrderKind.DELIVERY
    pickup: StopShape
    dropoff: StopShape
    """An order of one stop has that at both ends; its `kind` says which it is."""
    placed_at: datetime
    depot: str | None = None
    """The name of the region's depot that is the end which nobody gave."""
    external_id: str | None = None
    customer_id: str | None = None
    partner: str | None = None
    """Whose order it is; null: our own."""
    ready_at: datetime | None = None
    ready_is_estimate: bool = False
    ready_error_s: int | None = None
    size: dict[str, int] = {}
    mode: Mode | list[Mode] | None = None
    skills: list[str] = []
    priority: int = 0
    group_id: str | None = None
    max_on_board_s: int | None = None
    courier_id: UUID | None = None
    pinned: bool = False
    assigned_at: datetime | None = None
    accepted_at: datetime | None = None
    picked_up_at: datetime | None = None
    delivered_at: datetime | None = None
    closed_at: datetime | None = None
    reason: str | None = None
    """Why it was cancelled or failed."""
    attempt: int = 1
    """How often it has been tried, this time included."""
    returns_to: ReturnPlaceShape | None = None
    """Where it comes back to, when that is not the pickup."""
    proof: dict[str, str] | None = None
    decision: DecisionShape | None = None
    plan_cost: PlanCostShape | None = None
    """Only where an order was given to a courier by hand."""
    warnings: list[ObjectionShape] = []
    """The same: what speaks against that courier."""


REASON_TEXTS: Mapping[str, str] = {
    "no_couriers": "Nobody is on duty.",
    "mode": "They travel by a mode that may not carry it.",
    "skills": "They lack a skill it needs.",
    "capacity": "It does not fit beside what they carry.",
    "max_orders": "They have as many orders as they may.",
    "range": "The pickup is too far away for them.",
    "no_fresh_position": "Nobody knows where they are now.",
    "pickup_window": "They cannot be at the pickup in time.",
    "dropoff_window": "They cannot be at the drop-off in time.",
    "max_on_board": "It would be on board for too long with them.",
    "shift_end": "Their shift ends too soon.",
    "rejected": "They turned it down.",
    "pinned": "It is on board of another courier, or kept with one by hand.",
    "not_yet": "Its pickup opens further ahead than is planned.",
    "not_worth_it": "They could, but waiting is better for now.",
    "partner": "They are of another partner than the order.",
    "out_of_area": "It is outside the area they serve.",
    "too_far": "It is too far for them.",
    "not_at_work": "They are not at work now.",
    "in_trouble": "They are stuck, or their phone is silent.",
    "paused": "They let offers run out, one after the other.",
    "out_of_time": "There was no time to look at them; the next plan will.",
    "set_aside": "Something about the order cannot be used; its alert says what.",
}


def new_order_of(shape: NewOrderShape, region: Region, depots: Sequence[Depot], now: datetime) -> NewOrder:
    """The domain's order to be, by the depots of its region; raises BadInput where rules between fields are broken."""
    check_instants(shape)
    ends = _ends_of(shape)
    order = _checked(
        NewOrder,
        region=region,
        pickup=ends.pickup,
        dropoff=ends.dropoff,
        kind=shape.kind,
        external_id=shape.external_id,
        customer_id=shape.customer_id,
        partner=partner_within_reach(shape.partner),
        ready_at=shape.ready_at,
        ready_is_estimate=shape.ready_is_estimate,
        ready_error_s=shape.ready_error_s,
        size=_size_of(shape),
        modes=_modes_of(shape.mode),
        skills=frozenset(shape.skills),
        priority=shape.priority,
        group_id=shape.group_id,
        max_on_board_s=shape.max_on_board_s,
        place_id=None if shape.pickup is None else shape.pickup.place_id,
    )
    return _at_depot(order, depots, shape.depot, now)


def _at_depot(order: Ordered, depots: Sequence[Depot], name: str | None, placed_at: datetime) -> Ordered:
    try:
        return at_depot(order, depots, name, placed_at)
    except ValueError as exc:
        raise BadInput("There is no such depot.", ("/depot", str(exc))) from exc


class _Ends(NamedTuple):
    pickup: OrderStop
    dropoff: OrderStop


def _ends_of(shape: NewOrderShape) -> _Ends:
    """Both ends of an order to be; what its kind does not have is where the other one is."""
    one_stop = _ONE_STOP.get(shape.kind)
    for end in ("pickup", "dropoff"):
        is_there, is_wanted = getattr(shape, end) is not None, one_stop in {None, end}
        if is_there and not is_wanted:
            raise BadInput(f"An order of that kind has no {end}.", (f"/{end}", f"expected none for {shape.kind.value}"))
        if is_wanted and not is_there:
            hint = "" if one_stop else f"; an order without it is of kind {' or '.join(_WITHOUT[end])}"
            raise BadInput(f"The {end} is missing.", (f"/{end}", f"expected a place{hint}"))
    pickup = None if shape.pickup is None else _stop_of(shape.pickup, "/pickup")
    dropoff = None if shape.dropoff is None else _stop_of(shape.dropoff, "/dropoff")
    known = pickup or dropoff
    assert known is not None  # every kind has one
    return _Ends(pickup or mirrored(known), dropoff or mirrored(known))


_ONE_STOP: Mapping[OrderKind, str] = {
    OrderKind.DROPOFF: "dropoff",
    OrderKind.PICKUP: "pickup",
    OrderKind.SERVICE: "dropoff",
}
_WITHOUT: Mapping[str, Sequence[str]] = {
    end: [kind.value for kind, only in _ONE_STOP.items() if only != end] for end in ("pickup", "dropoff")
}


def _size_of(shape: NewOrderShape) -> dict[str, int]:
    if shape.kind is not OrderKind.SERVICE:
        return {"units": 1} if shape.size is None else shape.size
    if shape.size:
        raise BadInput("A visit has no goods.", ("/size", "expected none for service"))
    return {}


def patched(order: Order, patch: OrderPatch, depots: Sequence[Depot]) -> tuple[Order, list[str]]:
    """The order with the changes, by its region's depots, and the names of what really changed; raises BadInput."""
    check_instants(patch)
    wanted: dict[str, Any] = {}
    one_stop = _ONE_STOP.get(order.kind)
    for end in ("pickup", "dropoff"):
        if (change := getattr(patch, end)) is not UNSET:
            if one_stop not in {None, end}:
                raise BadInput(f"The order has no {end}.", (f"/{end}", f"expected none for {order.kind.value}"))
            wanted[end] = _patched_stop(getattr(order, end), change, f"/{end}")
    if order.only is not None and wanted and not order.is_on_board:
        [(end, stop)] = wanted.items()
        wanted["dropoff" if end == "pickup" else "pickup"] = mirrored(stop)
    if order.kind is OrderKind.SERVICE and patch.size is not UNSET and patch.size:
        raise BadInput("A visit has no goods.", ("/size", "expected none for service"))
    for name in ("ready_at", "ready_is_estimate", "ready_error_s", "size", "priority", "max_on_board_s", "group_id"):
        if (value := getattr(patch, name)) is not UNSET:
            wanted[name] = value
    if patch.mode is not UNSET:
        wanted["modes"] = _modes_of(patch.mode)
    if patch.skills is not UNSET:
        wanted["skills"] = frozenset(patch.skills)
    if patch.depot is not UNSET:
        ends = {end: wanted[end] for end in ("pickup", "dropoff") if end in wanted}
        moved = _at_depot(replace(order, **ends), depots, patch.depot, order.placed_at)
        wanted |= {name: getattr(moved, name) for name in ("depot", "depot_named", "pickup", "dropoff")}
    wanted = {name: value for name, value in wanted.items() if value != getattr(order, name)}
    names = wanted.keys() - {"depot_named"} or wanted.keys()  # whose depot is named only stays with its courier
    try:
        return replace(order, **wanted), sorted(names)
    except ValueError as exc:
        raise BadInput(str(exc), ("/size", str(exc))) from exc


def shape_of(order: Order, decision: Mapping[str, Any] | None = None) -> OrderShape:
    """The order as it is answered."""
    return OrderShape(
        id=order.id,
        region=order.region,
        state=order.state.value,
        version=order.version,
        kind=order.kind,
        depot=order.depot,
        pickup=stop_shape(order.pickup, order.place_id),
        dropoff=stop_shape(order.dropoff),
        placed_at=order.placed_at,
        external_id=order.external_id,
        customer_id=order.customer_id,
        partner=order.partner,
        ready_at=order.ready_at,
        ready_is_estimate=order.ready_is_estimate,
        ready_error_s=order.ready_error_s,
        size=dict(order.size),
        mode=_mode_shape(order.modes),
        skills=sorted(order.skills),
        priority=order.priority,
        group_id=order.group_id,
        max_on_board_s=order.max_on_board_s,
        courier_id=order.courier_id,
        pinned=order.pinned,
        assigned_at=order.assigned_at,
        accepted_at=order.accepted_at,
        picked_up_at=order.picked_up_at,
        delivered_at=order.delivered_at,
        closed_at=order.closed_at,
        reason=order.close_reason,
        attempt=order.attempt,
        returns_to=_return_place(order),
        proof=None if order.proof is None else dict(order.proof),
        decision=decision_shape(decision) if decision is not None and order.is_open else None,
    )


def _return_place(order: Order) -> ReturnPlaceShape | None:
    if order.returns_to is None:
        return None
    return ReturnPlaceShape(lat=order.returns_to.at.lat, lon=order.returns_to.at.lon, address=order.returns_to.address)


SomeOrder = TypeVar("SomeOrder", bound=OrderShape)


def with_version(shape: SomeOrder, *, status: int = 200, replayed: bool = False) -> Response[SomeOrder]:
    """An order with its version as ETag."""
    headers = {"ETag": f'"{shape.version}"'} | ({"Idempotent-Replayed": "true"} if replayed else {})
    return Response(shape, status_code=status, headers=headers)


def plan_cost_shape(before: int | None, after: int | None) -> PlanCostShape | None:
    """The difference a change by hand makes; None when one of the plans could not be made."""
    if before is None or after is None:
        return None
    return PlanCostShape(before=before, after=after, difference=after - before)


def stop_shape(stop: OrderStop, place_id: UUID | None = None) -> StopShape:
    """One end of an order as it is answered."""
    window, is_hard = stop.window, stop.window.closes_at is not None and stop.window.closes_at == stop.window.due_at
    bounded = window.opens_at is not None or window.due_at is not None
    return StopShape(
        lat=stop.at.lat,
        lon=stop.at.lon,
        address=stop.address,
        contact=None if stop.contact is None else dict(stop.contact),
        instructions=stop.instructions,
        window=WindowShape(from_=window.opens_at, to=window.due_at, hard=is_hard) if bounded else None,
        latest=None if is_hard else window.closes_at,
        service_s=stop.service_s,
        place_id=place_id,
    )


def decision_shape(row: Mapping[str, Any]) -> DecisionShape:
    """What the planner thought, from a row of `decisions`."""
    reasons = from_json(row["reasons"])
    return DecisionShape(
        decided_at=row["decided_at"],
        courier_id=row["courier_id"],
        cost=from_json(row["cost"]),
        reasons=None if reasons is None else reasons_shape(reasons),
    )


def reasons_shape(reasons: Mapping[str, Any]) -> list[ReasonShape]:
    """Reasons, the most frequent first."""
    shapes = [
        ReasonShape(
            code=code,
            n_couriers=facts["n"],
            text=REASON_TEXTS.get(code, code),
            example_courier_id=None if facts.get("example") is None else UUID(str(facts["example"])),
        )
        for code, facts in reasons.items()
    ]
    return sorted(shapes, key=lambda shape: (-shape.n_couriers, shape.code))


def objection_shapes(codes: Iterable[ReasonCode]) -> list[ObjectionShape]:
    """Reasons with their texts."""
    return [ObjectionShape(code=code.value, text=REASON_TEXTS[code.value]) for code in codes]


def _stop_of(shape: StopShape, pointer: str) -> OrderStop:
    return OrderStop(
        at=LatLon(shape.lat, shape.lon),
        address=shape.address,
        contact=shape.contact,
        instructions=shape.instructions,
        window=window_of(shape.window, shape.latest, pointer),
        service_s=shape.service_s,
    )


def window_of(shape: WindowShape | None, latest: datetime | None, pointer: str) -> Window:
    """The domain's window; raises BadInput where its bounds are not in order."""
    shape = shape or WindowShape()
    closes_at = shape.to if shape.hard and latest is None else latest
    try:
        return Window(opens_at=shape.from_, due_at=shape.to, closes_at=closes_at)
    except ValueError as exc:
        raise BadInput("The window is not in order.", (f"{pointer}/window", "expected from <= to <= latest")) from exc


def _patched_stop(stop: OrderStop, patch: StopPatch, pointer: str) -> OrderStop:
    if (patch.lat is UNSET) != (patch.lon is UNSET):
        raise BadInput("A new place needs both coordinates.", (pointer, "expected lat and lon together"))
    at = stop.at if patch.lat is UNSET or patch.lon is UNSET else LatLon(patch.lat, patch.lon)
    before = stop_shape(stop)
    window = before.window if patch.window is UNSET else patch.window
    latest = before.latest if patch.latest is UNSET else patch.latest
    return OrderStop(
        at=at,
        address=stop.address if patch.address is UNSET else patch.address,
        contact=stop.contact if patch.contact is UNSET else patch.contact,
        instructions=stop.instructions if patch.instructions is UNSET else patch.instructions,
        window=window_of(window, latest, pointer),
        service_s=stop.service_s if patch.service_s is UNSET else patch.service_s,
    )


def _modes_of(mode: Mode | list[Mode] | None) -> frozenset[Mode] | None:
    if mode is None or mode == []:
        return None
    return frozenset({mode} if isinstance(mode, Mode) else mode)


def _mode_shape(modes: frozenset[Mode] | None) -> Mode | list[Mode] | None:
    if modes is None:
        return None
    return next(iter(modes)) if len(modes) == 1 else sorted(modes)


def _checked(make: type[NewOrder], **facts: Any) -> NewOrder:
    try:
        return make(**facts)
    except ValueError as exc:
        raise BadInput(str(exc), ("/size", str(exc))) from exc
