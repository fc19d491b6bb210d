"""What goes over the wire; written by build.py from the API's description."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict


class Acceptance(TypedDict):
    at: NotRequired[str | None]


class Accepted(TypedDict):
    accepted: int
    quarantined: list[QuarantinedFix]


class AcceptedShape(TypedDict):
    id: str
    region: str
    state: str
    version: int
    kind: NotRequired[OrderKind]
    pickup: StopShape
    dropoff: StopShape
    placed_at: str
    depot: NotRequired[str | None]
    external_id: NotRequired[str | None]
    customer_id: NotRequired[str | None]
    partner: NotRequired[str | None]
    ready_at: NotRequired[str | None]
    ready_is_estimate: NotRequired[bool]
    ready_error_s: NotRequired[int | None]
    size: NotRequired[dict[str, int]]
    mode: NotRequired[Mode | list[Mode] | None]
    skills: NotRequired[list[str]]
    priority: NotRequired[int]
    group_id: NotRequired[str | None]
    max_on_board_s: NotRequired[int | None]
    courier_id: NotRequired[str | None]
    pinned: NotRequired[bool]
    assigned_at: NotRequired[str | None]
    accepted_at: NotRequired[str | None]
    picked_up_at: NotRequired[str | None]
    delivered_at: NotRequired[str | None]
    closed_at: NotRequired[str | None]
    reason: NotRequired[str | None]
    attempt: NotRequired[int]
    returns_to: NotRequired[ReturnPlaceShape | None]
    proof: NotRequired[dict[str, str] | None]
    decision: NotRequired[DecisionShape | None]
    plan_cost: NotRequired[PlanCostShape | None]
    warnings: NotRequired[list[ObjectionShape]]
    orders: NotRequired[list[OrderShape]]


ActiveSpan = TypedDict("ActiveSpan", {"from": "str", "to": "str", "weekdays": "NotRequired[list[int]]"})


class AddedShape(TypedDict):
    courier_id: NotRequired[str | None]
    pickup_at: NotRequired[str | None]
    dropoff_at: NotRequired[str | None]
    late_s: NotRequired[int]
    cost: NotRequired[dict[str, int] | None]
    reasons: NotRequired[list[ReasonShape] | None]


class Alert(TypedDict):
    id: str
    kind: AlertKind
    state: AlertState
    region: str
    courier_id: str | None
    order_id: str | None
    raised_at: str
    facts: dict[str, Any]
    expected: dict[str, Any]
    acknowledged_at: str | None
    acknowledged_by: str | None
    assigned_to: str | None
    snoozed_until: str | None
    resolved_at: str | None
    resolution: dict[str, Any] | None


AlertKind = Literal[
    "stuck",
    "silent",
    "frozen",
    "off_route",
    "late_risk",
    "late",
    "low_battery",
    "outside_region",
    "impossible_jump",
    "intake_silent",
    "unassigned",
    "unaccepted",
    "impossible",
    "goods_on_board",
    "set_aside",
    "webhook_off",
    "message",
]


AlertState = Literal["open", "acknowledged", "resolved"]


class Answer(TypedDict):
    items: list[Found]
    warnings: NotRequired[list[str]]


class AppliedShape(TypedDict):
    orders: list[OrderShape]
    couriers_off_duty: list[str]


class ApplyChanges(TypedDict):
    region: NotRequired[str | None]
    add_orders: NotRequired[list[NewOrderShape]]
    change_orders: NotRequired[list[ChangeOrder]]
    cancel_orders: NotRequired[list[str]]
    remove_couriers: NotRequired[list[str]]
    assign: NotRequired[list[AssignOrder]]
    basis: NotRequired[str | None]
    force: NotRequired[bool]


class Arrived(TypedDict):
    at: NotRequired[str | None]


class ArrivedShape(TypedDict):
    order_id: str
    kind: Literal["pickup", "dropoff"]
    arrived_at: str


class AssignOrder(TypedDict):
    order_id: str
    courier_id: str


class Assignment(TypedDict):
    to: str | None


BoardBreak = TypedDict("BoardBreak", {"from": "str", "to": "str", "duration_s": "int"})


class BoardRoute(TypedDict):
    courier_id: str
    version: int
    stops: list[BoardStop]


class BoardShape(TypedDict):
    region: str
    at: str
    routes: list[BoardRoute]
    shifts: list[BoardShift]
    resting: list[Resting]
    left_out: list[str]


class BoardShift(TypedDict):
    courier_id: str
    starts_at: str
    ends_at: str
    breaks: list[BoardBreak]


class BoardStop(TypedDict):
    order_id: str
    kind: str
    lat: float
    lon: float
    planned: NotRequired[bool]
    arrives_at: NotRequired[str | None]
    latest_at: NotRequired[str | None]
    opens_at: NotRequired[str | None]
    due_at: NotRequired[str | None]
    service_s: NotRequired[int]
    break_at: NotRequired[str | None]
    break_s: NotRequired[int]


BreakShape = TypedDict("BreakShape", {"from": "str", "to": "str", "duration_s": "int"})


class Bulk(TypedDict):
    action: Literal["cancel", "reassign", "pin", "unpin"]
    order_ids: list[str]
    courier_id: NotRequired[str | None]
    pinned: NotRequired[bool]
    force: NotRequired[bool]
    reason: NotRequired[str | None]


class BulkDone(TypedDict):
    n_done: int
    n_failed: int
    results: list[BulkResult]


class BulkResult(TypedDict):
    order_id: str
    status: int
    state: NotRequired[str | None]
    version: NotRequired[int | None]
    courier_id: NotRequired[str | None]
    warnings: NotRequired[list[ObjectionShape]]
    problem: NotRequired[dict[str, Any] | None]


By = Literal["hour", "day", "courier", "place"]


class CandidateShape(TypedDict):
    cost: int
    terms: dict[str, int]
    dropoff_at: str
    pickup_at: NotRequired[str | None]
    late_s: NotRequired[int]
    refused: NotRequired[bool]
    courier_id: str
    name: str


class CandidatesShape(TypedDict):
    order_id: str
    candidates: list[CandidateShape]
    excluded: list[ExcludedShape]
    n_candidates: int
    n_excluded: int
    reasons: list[ReasonShape]


class ChangeOrder(TypedDict):
    pickup: NotRequired[StopPatch]
    dropoff: NotRequired[StopPatch]
    ready_at: NotRequired[str | None]
    ready_is_estimate: NotRequired[bool]
    ready_error_s: NotRequired[int | None]
    size: NotRequired[dict[str, int]]
    mode: NotRequired[Mode | list[Mode] | None]
    skills: NotRequired[list[str]]
    priority: NotRequired[int]
    group_id: NotRequired[str | None]
    depot: NotRequired[str | None]
    max_on_board_s: NotRequired[int | None]
    version: NotRequired[int]
    id: str


class Changes(TypedDict):
    region: NotRequired[str | None]
    add_orders: NotRequired[list[NewOrderShape]]
    change_orders: NotRequired[list[ChangeOrder]]
    cancel_orders: NotRequired[list[str]]
    remove_couriers: NotRequired[list[str]]
    assign: NotRequired[list[AssignOrder]]


class Channel(TypedDict):
    audience: NotRequired[Literal["staff", "recipients"]]
    kinds: NotRequired[list[str]]
    region: NotRequired[str | None]
    language: NotRequired[Literal["en", "ru"]]
    quiet: NotRequired[QuietHours | None]
    group_s: NotRequired[int | None]
    after_s: NotRequired[int]
    description: NotRequired[str]
    id: str
    service: str
    created_at: str
    n_waiting: int
    said_at: NotRequired[str | None]
    last_error: NotRequired[str | None]


class ChannelPatch(TypedDict):
    url: NotRequired[str]
    kinds: NotRequired[list[str]]
    region: NotRequired[str | None]
    language: NotRequired[Literal["en", "ru"]]
    quiet: NotRequired[QuietHours | None]
    group_s: NotRequired[int]
    after_s: NotRequired[int]
    description: NotRequired[str]


class Check(TypedDict):
    at: str
    ok: bool
    items: list[Finding]


class CloudEvent(TypedDict):
    specversion: NotRequired[str]
    id: str
    source: str
    type: str
    subject: str
    sequence: int
    time: str
    region: str
    datacontenttype: NotRequired[str]
    data: Any


class CodeShape(TypedDict):
    code: str


class Collected(TypedDict):
    note: NotRequired[str | None]
    missing: NotRequired[list[Missing]]
    at: NotRequired[str | None]


class CommentShape(TypedDict):
    id: int
    at: str
    actor: str
    role: str
    text: str


class Confirmation(TypedDict):
    totp: str


class CountDecision(TypedDict):
    reason: NotRequired[str | None]


class Courier(TypedDict):
    id: str
    external_id: str | None
    name: str
    mode: Mode
    region: str
    capacity: list[int]
    skills: list[str]
    max_orders: int
    on_duty: bool
    areas: list[str]
    home: Home | None
    range_m: int | None
    partner: str | None
    attributes: dict[str, Any]
    version: int
    created_at: str
    updated_at: str
    paused_until: NotRequired[str | None]


class CourierMessage(TypedDict):
    id: int
    courier_id: str
    at: str
    actor: str
    role: str
    text: str


class CourierPatch(TypedDict):
    name: NotRequired[str]
    mode: NotRequired[Mode]
    external_id: NotRequired[str | None]
    region: NotRequired[str]
    capacity: NotRequired[list[int]]
    skills: NotRequired[list[str]]
    max_orders: NotRequired[int]
    on_duty: NotRequired[bool]
    areas: NotRequired[list[str]]
    home: NotRequired[Home | None]
    range_m: NotRequired[int | None]
    partner: NotRequired[str | None]
    attributes: NotRequired[dict[str, Any]]
    version: NotRequired[int]


class Credentials(TypedDict):
    name: NotRequired[str | None]
    password: NotRequired[str | None]
    totp: NotRequired[str | None]
    token: NotRequired[str | None]
    code: NotRequired[str | None]


class Day(TypedDict):
    courier_id: str
    on_duty: bool
    break_until: str | None
    timezone: str
    orders: list[DayOrder]
    pay: MoneyShape | None


class DayAppliedShape(TypedDict):
    id: str
    n_orders: int
    couriers: list[str]
    dropped: list[DayDroppedShape]


class DayAsked(TypedDict):
    id: str


class DayCourierLeftShape(TypedDict):
    courier_id: str
    cause: str


class DayDroppedShape(TypedDict):
    order_id: str
    reason: Literal["changed", "not_open", "shift_changed", "courier_gone"]


class DayLeftShape(TypedDict):
    order_id: str
    reasons: list[ReasonShape]


class DayOrder(TypedDict):
    order_id: str
    state: str
    external_id: NotRequired[str | None]
    address: NotRequired[str | None]
    closed_at: NotRequired[str | None]
    reason: NotRequired[str | None]


DayPlanShape = TypedDict(
    "DayPlanShape",
    {
        "id": "str",
        "region": "str",
        "from": "str",
        "to": "str",
        "seconds": "float",
        "state": "Literal['waiting', 'running', 'ready', 'failed', 'cancelled', 'applied']",
        "progress": "DayProgressShape",
        "created_at": "str",
        "finished_at": "str | None",
        "reason": "str | None",
        "routes": "list[DayRouteShape]",
        "unassigned": "list[DayLeftShape]",
        "couriers_left_out": "list[DayCourierLeftShape]",
        "wave": "DayWaveShape | None",
    },
)


class DayProgressShape(TypedDict):
    share: NotRequired[float]
    n_orders: NotRequired[int]
    n_unassigned: NotRequired[int]
    travel_s: NotRequired[int]


DayQuestion = TypedDict(
    "DayQuestion",
    {
        "region": "NotRequired[str | None]",
        "from": "str",
        "to": "str",
        "seconds": "NotRequired[float]",
        "wave": "NotRequired[WaveQuestion | None]",
    },
)


class DayRouteShape(TypedDict):
    courier_id: str
    shift_id: str
    starts_at: str
    ends_at: str
    stops: list[DayStopShape]
    cost: dict[str, int]
    start_depot: str | None
    end_depot: str | None


class DayStopShape(TypedDict):
    order_id: str
    kind: Literal["pickup", "dropoff"]
    arrives_at: str
    starts_at: str
    leaves_at: str
    late_s: int


class DayWaitsShape(TypedDict):
    order_id: str
    reason: Literal["company", "not_ready", "no_vehicle"]
    until: str
    share: float | None


class DayWaveShape(TypedDict):
    depot: str
    leaves_at: list[str]
    waiting: list[DayWaitsShape]


class DecisionShape(TypedDict):
    decided_at: str
    courier_id: NotRequired[str | None]
    cost: NotRequired[dict[str, int] | None]
    reasons: NotRequired[list[ReasonShape] | None]


class Delay(TypedDict):
    minutes: int
    reason: NotRequired[str | None]


class Delivered(TypedDict):
    photo: NotRequired[str | None]
    signature: NotRequired[str | None]
    code: NotRequired[str | None]
    name: NotRequired[str | None]
    proof: NotRequired[OrderStepsProof | None]
    unproved: NotRequired[str | None]
    at: NotRequired[str | None]


class Delivery(TypedDict):
    id: int
    event: CloudEvent
    tried_at: str
    attempt: int
    took_ms: int
    status: NotRequired[int | None]
    answer: NotRequired[str | None]
    error: NotRequired[str | None]
    again_at: NotRequired[str | None]


class DifferenceShape(TypedDict):
    order_id: str
    now: NotRequired[FateShape | None]
    then: NotRequired[FateShape | None]


class DutyShape(TypedDict):
    courier_id: str
    on_duty: bool
    version: int


class EndOfBreak(TypedDict):
    at: NotRequired[str | None]


class Ended(TypedDict):
    endpoint: str


class EtaShape(TypedDict):
    p50: str
    p90: str | None
    computed_at: str
    source: str
    confidence: float
    warnings: list[str]


class EventShape(TypedDict):
    at: str
    version: int
    action: str
    state: str
    actor: str
    role: str
    from_state: NotRequired[str | None]
    courier_id: NotRequired[str | None]
    reason: NotRequired[str | None]
    facts: NotRequired[dict[str, Any]]


class ExcludedShape(TypedDict):
    courier_id: str
    name: str
    code: str
    text: str
    reasons: list[ObjectionShape]


class Failed(TypedDict):
    reason: str
    photo: NotRequired[str | None]
    at: NotRequired[str | None]


Fate = Literal["deleted", "nameless"]


class FateShape(TypedDict):
    courier_id: NotRequired[str | None]
    pickup_at: NotRequired[str | None]
    dropoff_at: NotRequired[str | None]
    late_s: NotRequired[int]


FenceEventKind = Literal["enter", "exit", "dwell"]


class FenceEventView(TypedDict):
    courier_id: str
    fence_id: str
    kind: FenceEventKind
    at: str
    lat: float
    lon: float
    passed: bool
    active: bool
    recorded_at: str


class Finding(TypedDict):
    what: str
    found: str
    ok: bool
    mend: str


class Found(TypedDict):
    label: str
    lat: float
    lon: float
    kind: Kind
    source: Geocoder
    distance_m: NotRequired[float | None]


class GapView(TypedDict):
    began_at: str
    ended_at: str
    duration_s: float
    straight_m: float
    kind: Literal["gap"]


Geocoder = Literal["own", "nominatim", "google", "yandex"]


class Geofence(TypedDict):
    id: str
    region: str
    name: str
    geometry: dict[str, Any]
    radius_m: float | None
    tags: list[str]
    active: list[dict[str, Any]]
    timezone: str
    dwell_s: int | None
    created_at: str
    version: int


class GeofencePatch(TypedDict):
    name: NotRequired[str]
    geometry: NotRequired[Shape]
    radius_m: NotRequired[float | None]
    tags: NotRequired[list[str]]
    active: NotRequired[list[ActiveSpan]]
    timezone: NotRequired[str]
    dwell_s: NotRequired[int | None]
    version: NotRequired[int]


class GiveBack(TypedDict):
    reason: str
    at: NotRequired[str | None]


class GoSaid(TypedDict):
    item: str
    at: NotRequired[str | None]


class GoShape(TypedDict):
    item: str
    amount: int
    state: Literal["suggested", "started", "skipped", "ready"]
    starts_at: str
    ends_at: str
    wanted_at: str | None
    good_until: str


class Held(TypedDict):
    kind: str
    n: int
    on_erase: Fate


class Home(TypedDict):
    lat: float
    lon: float


class Imported(TypedDict):
    n_created: int
    n_exist: int
    n_invalid: int
    results: list[ImportedLine]
    warnings: NotRequired[list[str]]


class ImportedLine(TypedDict):
    line: int
    status: Literal["created", "exists", "invalid"]
    id: NotRequired[str | None]
    error: NotRequired[str | None]


class InvitationShape(TypedDict):
    url: str
    expires_at: str


class IssuedToken(TypedDict):
    id: str
    token: str
    prefix: str
    created_at: str


class Kept(TypedDict):
    setting: str
    days: int
    description: str


Kind = Literal["address", "poi", "street", "place"]


class LineString(TypedDict):
    coordinates: list[list[Any]]
    type: NotRequired[str]


class LinkShape(TypedDict):
    token: str
    url: str
    expires_at: str


class Me(TypedDict):
    id: str
    name: str
    role: Role
    courier_id: str | None
    region: str
    regions: list[str]
    expires_at: str | None
    user_id: str | None
    partner: str | None
    bounded: bool
    by_provider: bool
    has_password: bool
    must_change_password: bool


class Missing(TypedDict):
    item: str
    quantity: NotRequired[int]


Mode = Literal["car", "motorcycle", "bicycle", "foot"]


class MoneyShape(TypedDict):
    amount: int
    currency: str
    digits: int


class Nearby(TypedDict):
    couriers: list[NearbyView]


class NearbyView(TypedDict):
    courier_id: str
    fixed_at: str
    received_at: str
    lat: float
    lon: float
    accuracy_m: float | None
    speed_mps: float | None
    course_deg: float | None
    altitude_m: float | None
    battery_pct: float | None
    mode: Mode
    age_s: float
    contact_age_s: float
    status: Presence
    distance_m: float


class NewChannel(TypedDict):
    audience: NotRequired[Literal["staff", "recipients"]]
    kinds: NotRequired[list[str]]
    region: NotRequired[str | None]
    language: NotRequired[Literal["en", "ru"]]
    quiet: NotRequired[QuietHours | None]
    group_s: NotRequired[int | None]
    after_s: NotRequired[int]
    description: NotRequired[str]
    url: str


class NewCode(TypedDict):
    code: NotRequired[str | None]


class NewComment(TypedDict):
    text: str


class NewCountLine(TypedDict):
    quantity: int
    item: NotRequired[str | None]
    barcode: NotRequired[str | None]
    lot: NotRequired[str | None]
    best_before: NotRequired[str | None]


class NewCourier(TypedDict):
    name: str
    mode: Mode
    external_id: NotRequired[str | None]
    region: NotRequired[str | None]
    capacity: NotRequired[list[int]]
    skills: NotRequired[list[str]]
    max_orders: NotRequired[int]
    on_duty: NotRequired[bool]
    areas: NotRequired[list[str]]
    home: NotRequired[Home | None]
    range_m: NotRequired[int | None]
    partner: NotRequired[str | None]
    attributes: NotRequired[dict[str, Any]]


class NewDeviceToken(TypedDict):
    name: NotRequired[str]
    speed_unit: NotRequired[Literal["kn", "kmh", "mps", None]]
    expires_at: NotRequired[str | None]


class NewGeofence(TypedDict):
    name: str
    geometry: Shape
    radius_m: NotRequired[float | None]
    region: NotRequired[str | None]
    tags: NotRequired[list[str]]
    active: NotRequired[list[ActiveSpan]]
    timezone: NotRequired[str]
    dwell_s: NotRequired[int | None]


class NewGo(TypedDict):
    item: str
    at: NotRequired[str | None]
    amount: int


class NewMessage(TypedDict):
    text: str


class NewOrderShape(TypedDict):
    pickup: NotRequired[NewStopShape | None]
    dropoff: NotRequired[NewStopShape | None]
    kind: NotRequired[OrderKind]
    depot: NotRequired[str | None]
    external_id: NotRequired[str | None]
    customer_id: NotRequired[str | None]
    partner: NotRequired[str | None]
    region: NotRequired[str | None]
    ready_at: NotRequired[str | None]
    ready_is_estimate: NotRequired[bool]
    ready_error_s: NotRequired[int | None]
    size: NotRequired[dict[str, int] | None]
    mode: NotRequired[Mode | list[Mode] | None]
    skills: NotRequired[list[str]]
    priority: NotRequired[int]
    group_id: NotRequired[str | None]
    max_on_board_s: NotRequired[int | None]
    code: NotRequired[str | None]
    lines: NotRequired[list[OrderLine]]


class NewPassword(TypedDict):
    new: str
    current: NotRequired[str | None]


class NewPayEntry(TypedDict):
    courier_id: str
    kind: Literal["tip", "correction"]
    amount: int
    order_id: NotRequired[str | None]
    at: NotRequired[str | None]
    reason: NotRequired[str | None]


class NewPayRules(TypedDict):
    rules: str
    region: NotRequired[str | None]
    in_force_from: NotRequired[str | None]
    note: NotRequired[str]


class NewPlace(TypedDict):
    name: str
    lat: float
    lon: float
    region: NotRequired[str | None]
    partner: NotRequired[str | None]
    external_id: NotRequired[str | None]
    address: NotRequired[str | None]
    contact: NotRequired[dict[str, str] | None]
    instructions: NotRequired[str | None]
    hours: NotRequired[list[OpenSpan]]
    capacity: NotRequired[int]
    prepare_s: NotRequired[int]
    recipes: NotRequired[list[RecipeShape]]
    max_queue: NotRequired[int | None]


class NewRegion(TypedDict):
    name: str
    title: NotRequired[str | None]
    timezone: NotRequired[str]
    boundary: NotRequired[Outline | None]
    settings: NotRequired[dict[str, Any]]


class NewSecret(TypedDict):
    secret: str
    old_until: str


class NewShifts(TypedDict):
    starts_at: str
    ends_at: str
    breaks: NotRequired[list[BreakShape]]
    start: NotRequired[ShiftPlace | None]
    end: NotRequired[ShiftPlace | None]
    repeats: NotRequired[str | None]


class NewStaffToken(TypedDict):
    role: Literal["viewer", "auditor", "support", "dispatcher", "admin", "service"]
    name: str
    expires_at: NotRequired[str | None]
    regions: NotRequired[list[str]]
    partner: NotRequired[str | None]


class NewStockCount(TypedDict):
    id: str
    lines: list[NewCountLine]
    at: NotRequired[str | None]


class NewStockItem(TypedDict):
    item: str
    region: NotRequired[str | None]
    partner: NotRequired[str | None]
    name: NotRequired[str]
    gtin: NotRequired[str | None]
    unit: NotRequired[Literal["piece", "g", "ml"]]
    is_returnable: NotRequired[bool]


class NewStockMovement(TypedDict):
    id: str
    kind: Literal["receive", "ship", "adjust", "move", "return"]
    item: NotRequired[str | None]
    barcode: NotRequired[str | None]
    quantity: NotRequired[int | None]
    lot: NotRequired[str | None]
    best_before: NotRequired[str | None]
    at: NotRequired[str | None]
    to_place_id: NotRequired[str | None]
    order_id: NotRequired[str | None]
    reason: NotRequired[str | None]


class NewStockMovements(TypedDict):
    movements: list[NewStockMovement]


class NewStopShape(TypedDict):
    lat: NotRequired[float | None]
    lon: NotRequired[float | None]
    address: NotRequired[str | None]
    contact: NotRequired[dict[str, str] | None]
    instructions: NotRequired[str | None]
    window: NotRequired[WindowShape | None]
    latest: NotRequired[str | None]
    service_s: NotRequired[int]
    place_id: NotRequired[str | None]


class NewUser(TypedDict):
    name: str
    role: Literal["viewer", "support", "dispatcher", "admin", "auditor"]
    regions: NotRequired[list[str]]
    partner: NotRequired[str | None]
    password: NotRequired[str | None]
    must_change_password: NotRequired[bool]


class NewWebhook(TypedDict):
    url: str
    types: NotRequired[list[str]]
    positions: NotRequired[Positions | None]
    region: NotRequired[str | None]
    description: NotRequired[str]


class ObjectionShape(TypedDict):
    code: str
    text: str


class OfferShape(TypedDict):
    order_id: str
    pickup: NotRequired[StopShape | None]
    dropoff: NotRequired[StopShape | None]
    size: NotRequired[dict[str, int] | None]
    ready_at: NotRequired[str | None]
    pickup_at: NotRequired[str | None]
    dropoff_at: NotRequired[str | None]
    cost: NotRequired[dict[str, int] | None]
    id: str
    courier_id: str
    state: str
    offered_at: str
    expires_at: str
    orders: NotRequired[list[OfferedOrder]]
    others_asked: NotRequired[int]
    pay: NotRequired[MoneyShape | None]
    answered_at: NotRequired[str | None]
    reason: NotRequired[str | None]


OfferState = Literal["open", "accepted", "rejected", "expired", "withdrawn"]


class OfferedOrder(TypedDict):
    order_id: str
    pickup: NotRequired[StopShape | None]
    dropoff: NotRequired[StopShape | None]
    size: NotRequired[dict[str, int] | None]
    ready_at: NotRequired[str | None]
    pickup_at: NotRequired[str | None]
    dropoff_at: NotRequired[str | None]
    cost: NotRequired[dict[str, int] | None]


OpenSpan = TypedDict("OpenSpan", {"from": "str", "to": "str", "weekdays": "NotRequired[list[int]]"})


class OrderEtaShape(TypedDict):
    p50: str | None
    p90: str | None
    computed_at: str
    source: str | None
    confidence: float
    warnings: list[str]
    pickup: NotRequired[EtaShape | None]


OrderKind = Literal["delivery", "dropoff", "pickup", "service"]


class OrderLine(TypedDict):
    item: str
    quantity: NotRequired[int]
    minutes: NotRequired[int | None]


class OrderPatch(TypedDict):
    pickup: NotRequired[StopPatch]
    dropoff: NotRequired[StopPatch]
    ready_at: NotRequired[str | None]
    ready_is_estimate: NotRequired[bool]
    ready_error_s: NotRequired[int | None]
    size: NotRequired[dict[str, int]]
    mode: NotRequired[Mode | list[Mode] | None]
    skills: NotRequired[list[str]]
    priority: NotRequired[int]
    group_id: NotRequired[str | None]
    depot: NotRequired[str | None]
    max_on_board_s: NotRequired[int | None]
    version: NotRequired[int]


class OrderShape(TypedDict):
    id: str
    region: str
    state: str
    version: int
    kind: NotRequired[OrderKind]
    pickup: StopShape
    dropoff: StopShape
    placed_at: str
    depot: NotRequired[str | None]
    external_id: NotRequired[str | None]
    customer_id: NotRequired[str | None]
    partner: NotRequired[str | None]
    ready_at: NotRequired[str | None]
    ready_is_estimate: NotRequired[bool]
    ready_error_s: NotRequired[int | None]
    size: NotRequired[dict[str, int]]
    mode: NotRequired[Mode | list[Mode] | None]
    skills: NotRequired[list[str]]
    priority: NotRequired[int]
    group_id: NotRequired[str | None]
    max_on_board_s: NotRequired[int | None]
    courier_id: NotRequired[str | None]
    pinned: NotRequired[bool]
    assigned_at: NotRequired[str | None]
    accepted_at: NotRequired[str | None]
    picked_up_at: NotRequired[str | None]
    delivered_at: NotRequired[str | None]
    closed_at: NotRequired[str | None]
    reason: NotRequired[str | None]
    attempt: NotRequired[int]
    returns_to: NotRequired[ReturnPlaceShape | None]
    proof: NotRequired[dict[str, str] | None]
    decision: NotRequired[DecisionShape | None]
    plan_cost: NotRequired[PlanCostShape | None]
    warnings: NotRequired[list[ObjectionShape]]


OrderState = Literal[
    "placed", "assigned", "accepted", "picked_up", "returning", "delivered", "cancelled", "failed", "returned"
]


class Outline(TypedDict):
    type: Literal["Polygon", "MultiPolygon"]
    coordinates: list[Any]


class PageOfAlert(TypedDict):
    items: list[Alert]
    next: NotRequired[str | None]


class PageOfRestShape(TypedDict):
    items: list[RestShape]
    next: NotRequired[str | None]


class PageOfChannel(TypedDict):
    items: list[Channel]
    next: NotRequired[str | None]


class PageOfCourierMessage(TypedDict):
    items: list[CourierMessage]
    next: NotRequired[str | None]


class PageOfCourier(TypedDict):
    items: list[Courier]
    next: NotRequired[str | None]


class PageOfToldShape(TypedDict):
    items: list[ToldShape]
    next: NotRequired[str | None]


class PageOfFenceEventView(TypedDict):
    items: list[FenceEventView]
    next: NotRequired[str | None]


class PageOfGeofence(TypedDict):
    items: list[Geofence]
    next: NotRequired[str | None]


class PageOfHeld(TypedDict):
    items: list[Held]
    next: NotRequired[str | None]


class PageOfKept(TypedDict):
    items: list[Kept]
    next: NotRequired[str | None]


class PageOfCommentShape(TypedDict):
    items: list[CommentShape]
    next: NotRequired[str | None]


class PageOfEventShape(TypedDict):
    items: list[EventShape]
    next: NotRequired[str | None]


class PageOfQuarantineView(TypedDict):
    items: list[QuarantineView]
    next: NotRequired[str | None]


class PageOfShiftShape(TypedDict):
    items: list[ShiftShape]
    next: NotRequired[str | None]


class PageAppRoutesStopsStayViewAppRoutesStopsTripViewAppRoutesStopsGapView(TypedDict):
    items: list[StayView | TripView | GapView]
    next: NotRequired[str | None]


class PageOfVisitView(TypedDict):
    items: list[VisitView]
    next: NotRequired[str | None]


class PageOfTokenInfo(TypedDict):
    items: list[TokenInfo]
    next: NotRequired[str | None]


class PageOfUser(TypedDict):
    items: list[User]
    next: NotRequired[str | None]


class PageOfDelivery(TypedDict):
    items: list[Delivery]
    next: NotRequired[str | None]


class PageOfWebhook(TypedDict):
    items: list[Webhook]
    next: NotRequired[str | None]


class PageOfOfferShape(TypedDict):
    items: list[OfferShape]
    next: NotRequired[str | None]


class PageOfOrderShape(TypedDict):
    items: list[OrderShape]
    next: NotRequired[str | None]


class PageOfPayRules(TypedDict):
    items: list[PayRules]
    next: NotRequired[str | None]


class PageOfGoShape(TypedDict):
    items: list[GoShape]
    next: NotRequired[str | None]


class PageOfPlaceInfo(TypedDict):
    items: list[PlaceInfo]
    next: NotRequired[str | None]


class PageOfTaskShape(TypedDict):
    items: list[TaskShape]
    next: NotRequired[str | None]


class PageOfRegion(TypedDict):
    items: list[Region]
    next: NotRequired[str | None]


class PageOfSessionShape(TypedDict):
    items: list[SessionShape]
    next: NotRequired[str | None]


class PageOfStockItem(TypedDict):
    items: list[StockItem]
    next: NotRequired[str | None]


class PageOfStockMovement(TypedDict):
    items: list[StockMovement]
    next: NotRequired[str | None]


class PageOfStockOfItem(TypedDict):
    items: list[StockOfItem]
    next: NotRequired[str | None]


class PageOfStockCount(TypedDict):
    items: list[StockCount]
    next: NotRequired[str | None]


class Pause(TypedDict):
    minutes: int


class PayEntry(TypedDict):
    id: str
    courier_id: str
    region: str
    kind: Literal["accrual", "tip", "correction", "reversal"]
    rule: str
    version: int | None
    amount: int
    currency: str
    at: str
    day: str
    written_at: str
    order_id: str | None
    facts: dict[str, Any]
    reverses: str | None
    actor: str
    reason: str | None


class PayRules(TypedDict):
    region: str
    version: int
    in_force_from: str
    rules: str
    note: str
    created_at: str
    created_by: str


PaySimulated = TypedDict(
    "PaySimulated",
    {
        "region": "str",
        "currency": "str",
        "digits": "int",
        "from": "str",
        "to": "str",
        "booked": "int",
        "simulated": "int",
        "difference": "int",
        "couriers": "list[SimulatedPay]",
    },
)


PaySimulation = TypedDict(
    "PaySimulation",
    {
        "from": "str",
        "to": "str",
        "region": "NotRequired[str | None]",
        "rules": "NotRequired[str | None]",
        "version": "NotRequired[int | None]",
    },
)


class PictureShape(TypedDict):
    id: str
    kind: Literal["photo", "signature"]
    stored_at: str
    url: str
    expires_at: str


class Pin(TypedDict):
    pinned: NotRequired[bool]
    courier_id: NotRequired[str | None]
    force: NotRequired[bool]
    version: NotRequired[int | None]


class Place(TypedDict):
    lat: float
    lon: float


class PlaceInfo(TypedDict):
    id: str
    region: str
    partner: str | None
    external_id: str | None
    name: str
    lat: float
    lon: float
    address: str | None
    contact: dict[str, str] | None
    instructions: str | None
    hours: list[OpenSpan]
    timezone: str
    capacity: int
    prepare_s: int
    recipes: list[RecipeShape]
    max_queue: int | None
    paused_until: str | None
    version: int
    created_at: str
    updated_at: str


class PlacePatch(TypedDict):
    name: NotRequired[str]
    lat: NotRequired[float]
    lon: NotRequired[float]
    external_id: NotRequired[str | None]
    address: NotRequired[str | None]
    contact: NotRequired[dict[str, str] | None]
    instructions: NotRequired[str | None]
    hours: NotRequired[list[OpenSpan]]
    capacity: NotRequired[int]
    prepare_s: NotRequired[int]
    recipes: NotRequired[list[RecipeShape]]
    max_queue: NotRequired[int | None]
    version: NotRequired[int]


class PlaceToken(TypedDict):
    id: str
    token: str
    prefix: str
    created_at: str


class PlanCostShape(TypedDict):
    before: int
    after: int
    difference: int


PlannedBreak = TypedDict("PlannedBreak", {"from": "str", "to": "str", "duration_s": "int"})


class PositionView(TypedDict):
    courier_id: str
    fixed_at: str
    received_at: str
    lat: float
    lon: float
    accuracy_m: float | None
    speed_mps: float | None
    course_deg: float | None
    altitude_m: float | None
    battery_pct: float | None
    mode: Mode
    age_s: float
    contact_age_s: float
    status: Presence


class Positions(TypedDict):
    every_s: NotRequired[int]
    couriers: NotRequired[list[str] | None]


Presence = Literal["online", "stale", "offline"]


class Present(TypedDict):
    here: list[str]
    order: list[str]


class PreviewShape(TypedDict):
    basis: str
    now: TotalsShape
    then: TotalsShape
    difference: TotalsShape
    orders: list[DifferenceShape]
    added: list[AddedShape]


class ProofShape(TypedDict):
    wanted: list[str]
    pictures: list[PictureShape]
    code: NotRequired[str | None]
    attempts_left: NotRequired[int | None]


class PushKey(TypedDict):
    public_key: str


class PushKeys(TypedDict):
    p256dh: str
    auth: str


class QuarantineView(TypedDict):
    id: int
    courier_id: str | None
    received_at: str
    reason: str
    source: str
    payload: str | None


class QuarantinedFix(TypedDict):
    index: int
    reason: Reason


class Queued(TypedDict):
    event_id: str


QuietHours = TypedDict("QuietHours", {"from": "str", "to": "str"})


Reason = Literal[
    "future",
    "too_old",
    "out_of_range",
    "null_island",
    "mock",
    "unreadable",
    "no_courier",
    "unknown_courier",
    "wrong_courier",
    "wrong_device",
    "invalid",
    "encrypted",
]


class ReasonShape(TypedDict):
    code: str
    n_couriers: int
    text: str
    example_courier_id: NotRequired[str | None]


class Reassign(TypedDict):
    courier_id: str
    pinned: NotRequired[bool]
    force: NotRequired[bool]
    reason: NotRequired[str | None]
    version: NotRequired[int | None]


class RecipeShape(TypedDict):
    item: str
    minutes: int
    batch: NotRequired[int]
    shelf_life_minutes: NotRequired[int | None]
    ahead_minutes: NotRequired[int | None]


class Recipient(TypedDict):
    contact: str


class RecipientErased(TypedDict):
    orders: int
    open: int


class RecipientHeld(TypedDict):
    orders: int
    open: int
    pictures: int
    since: str | None
    until: str | None


class RecoveryCodes(TypedDict):
    codes: list[str]


class Region(TypedDict):
    name: str
    title: str
    timezone: str
    boundary: dict[str, Any] | None
    settings: dict[str, Any]
    version: int
    created_at: str
    updated_at: str


class RegionPatch(TypedDict):
    title: NotRequired[str]
    timezone: NotRequired[str]
    boundary: NotRequired[Outline | None]
    settings: NotRequired[dict[str, Any]]
    version: NotRequired[int]


class Rejection(TypedDict):
    reason: NotRequired[str | None]


class Reset(TypedDict):
    second_factor: NotRequired[bool]


class RestShape(TypedDict):
    id: str
    courier_id: str
    began_at: str
    until: str
    ended_at: NotRequired[str | None]
    planned: NotRequired[PlannedBreak | None]


class Resting(TypedDict):
    courier_id: str
    until: str


class Retry(TypedDict):
    reason: str
    window: NotRequired[WindowShape | None]
    version: NotRequired[int | None]


class ReturnPlaceShape(TypedDict):
    lat: float
    lon: float
    address: NotRequired[str | None]


class Returned(TypedDict):
    reason: NotRequired[str | None]
    at: NotRequired[str | None]


class Reversal(TypedDict):
    reason: str


Role = Literal["courier", "place", "viewer", "auditor", "support", "dispatcher", "admin", "service"]


class RouteLine(TypedDict):
    item: str
    quantity: int


class RouteShape(TypedDict):
    courier_id: str
    version: int
    stops: list[RouteStop]
    offers: NotRequired[list[OfferShape]]
    planned_at: NotRequired[str | None]
    geometry: NotRequired[LineString | None]
    geometry_source: NotRequired[str | None]
    suggestion: NotRequired[WaitingPlaceShape | None]
    plan_cost: NotRequired[PlanCostShape | None]


class RouteStop(TypedDict):
    order_id: str
    kind: str
    lat: float
    lon: float
    state: str
    eta: NotRequired[EtaShape | None]
    address: NotRequired[str | None]
    contact: NotRequired[dict[str, str] | None]
    instructions: NotRequired[str | None]
    window: NotRequired[WindowShape | None]
    latest: NotRequired[str | None]
    ready_at: NotRequired[str | None]
    service_s: NotRequired[int]
    late_s: NotRequired[int]
    proof: NotRequired[list[str]]
    break_at: NotRequired[str | None]
    break_s: NotRequired[int]
    lines: NotRequired[list[RouteLine]]


class Said(TypedDict):
    at: NotRequired[str | None]


class SecondFactorSetup(TypedDict):
    secret: str
    address: str
    qr: str


class SecondFactorState(TypedDict):
    is_set: bool


class Sequence(TypedDict):
    stops: list[Visit]
    version: int


class SessionShape(TypedDict):
    id: str
    created_at: str
    expires_at: str
    seen_at: str
    ip: str | None
    agent: str | None
    is_this: bool


class Shape(TypedDict):
    type: Literal["Polygon", "MultiPolygon", "Point"]
    coordinates: list[Any]


class ShiftChange(TypedDict):
    starts_at: NotRequired[str]
    ends_at: NotRequired[str]
    breaks: NotRequired[list[BreakShape]]
    start: NotRequired[ShiftPlace | None]
    end: NotRequired[ShiftPlace | None]


class ShiftPlace(TypedDict):
    lat: float
    lon: float


class ShiftShape(TypedDict):
    starts_at: str
    ends_at: str
    breaks: NotRequired[list[BreakShape]]
    start: NotRequired[ShiftPlace | None]
    end: NotRequired[ShiftPlace | None]
    id: str
    courier_id: str
    series_id: NotRequired[str | None]
    n_shifts: NotRequired[int]


class SimulatedPay(TypedDict):
    courier_id: str
    name: str
    booked: int
    simulated: int
    difference: int
    by_rule: dict[str, int]


class Snooze(TypedDict):
    until: str | None


class StartOfBreak(TypedDict):
    at: NotRequired[str | None]
    duration_s: NotRequired[int | None]


class StayView(TypedDict):
    arrived_at: str
    departed_at: str | None
    duration_s: float
    lat: float
    lon: float
    n_fixes: int
    kind: Literal["stay"]


class StockBatch(TypedDict):
    lot: str | None
    best_before: str | None
    quantity: int
    is_good: bool


class StockCount(TypedDict):
    id: str
    state: Literal["open", "approved", "rejected"]
    at: str
    actor: str
    lines: list[StockCountLine]
    decided_at: str | None
    decided_by: str | None
    reason: str | None


class StockCountLine(TypedDict):
    item_id: str
    item: str
    lot: str | None
    best_before: str | None
    counted: int
    expected: int
    difference: int


class StockCounted(TypedDict):
    id: str
    state: Literal["open", "approved", "rejected"]
    at: str
    n_lines: int


class StockItem(TypedDict):
    id: str
    region: str
    partner: str | None
    item: str
    name: str
    gtin: str | None
    unit: Literal["piece", "g", "ml"]
    is_returnable: bool
    created_at: str
    updated_at: str


class StockItemPatch(TypedDict):
    name: NotRequired[str]
    gtin: NotRequired[str | None]
    is_returnable: NotRequired[bool]


class StockMovement(TypedDict):
    n: int
    id: str
    item_id: str
    item: str
    kind: str
    quantity: int
    lot: str | None
    best_before: str | None
    at: str
    written_at: str
    order_id: str | None
    reason: str | None
    actor: str


class StockMovementPart(TypedDict):
    lot: str | None
    best_before: str | None
    quantity: int


class StockMovementResult(TypedDict):
    id: str
    status: int
    item: NotRequired[str | None]
    quantity: NotRequired[int | None]
    at: NotRequired[str | None]
    parts: NotRequired[list[StockMovementPart]]
    repeated: NotRequired[bool]
    problem: NotRequired[dict[str, Any] | None]


class StockMovementsDone(TypedDict):
    n_done: int
    n_failed: int
    results: list[StockMovementResult]


class StockOfItem(TypedDict):
    item_id: str
    item: str
    name: str
    gtin: str | None
    unit: Literal["piece", "g", "ml"]
    on_hand: int
    reserved: int
    available: int
    batches: list[StockBatch]


StopKind = Literal["pickup", "dropoff"]


class StopPatch(TypedDict):
    lat: NotRequired[float]
    lon: NotRequired[float]
    address: NotRequired[str | None]
    contact: NotRequired[dict[str, str] | None]
    instructions: NotRequired[str | None]
    window: NotRequired[WindowShape | None]
    latest: NotRequired[str | None]
    service_s: NotRequired[int]


class StopShape(TypedDict):
    lat: float
    lon: float
    address: NotRequired[str | None]
    contact: NotRequired[dict[str, str] | None]
    instructions: NotRequired[str | None]
    window: NotRequired[WindowShape | None]
    latest: NotRequired[str | None]
    service_s: NotRequired[int]
    place_id: NotRequired[str | None]


class Subscription(TypedDict):
    endpoint: str
    keys: PushKeys
    language: NotRequired[Literal["en", "ru"]]


class SuggestionShape(TypedDict):
    cost: int
    terms: dict[str, int]
    dropoff_at: str
    pickup_at: NotRequired[str | None]
    late_s: NotRequired[int]
    refused: NotRequired[bool]
    order_id: str
    pickup: StopShape
    dropoff: StopShape


class SuggestionsShape(TypedDict):
    courier_id: str
    suggestions: list[SuggestionShape]
    excluded: list[UnfitShape]
    n_suggestions: int
    n_excluded: int


class TaskShape(TypedDict):
    order_id: str
    external_id: str | None
    state: Literal["waiting", "started", "ready"]
    lines: list[OrderLine]
    placed_at: str
    starts_at: str | None
    ends_at: str | None
    courier_at: str | None
    ready_at: str | None
    cannot: str | None
    problem: str | None


class TokenInfo(TypedDict):
    id: str
    kind: str
    role: str
    courier_id: str | None
    name: str
    prefix: str
    speed_unit: str | None
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    regions: NotRequired[list[str]]
    partner: NotRequired[str | None]
    place_id: NotRequired[str | None]


class ToldShape(TypedDict):
    at: str
    p50: str
    p90: str
    because: str | None


class TotalsShape(TypedDict):
    cost: int
    n_orders: int
    n_unassigned: int
    n_late: int
    late_s: int
    travel_s: int


TrackFormat = Literal["geojson", "csv", "gpx", "mfjson"]


class Transfer(TypedDict):
    courier_id: str
    version: NotRequired[int | None]


class Trial(TypedDict):
    phone: NotRequired[str]
    email: NotRequired[str]


class Tried(TypedDict):
    sent: bool
    error: NotRequired[str | None]


class TripView(TypedDict):
    began_at: str
    ended_at: str | None
    duration_s: float
    distance_m: float
    n_fixes: int
    origin: Place
    destination: Place
    kind: Literal["trip"]


class Trouble(TypedDict):
    text: str


class UnfitShape(TypedDict):
    order_id: str
    code: str
    text: str
    reasons: list[ObjectionShape]


class User(TypedDict):
    id: str
    name: str
    role: Literal["viewer", "support", "dispatcher", "admin", "auditor"]
    regions: list[str]
    partner: str | None
    has_password: bool
    has_second_factor: bool
    must_change_password: bool
    disabled: bool
    by_provider: bool
    version: int
    created_at: str
    updated_at: str
    signed_in_at: str | None
    address: NotRequired[str | None]
    address_expires_at: NotRequired[str | None]


class UserCode(TypedDict):
    user_code: str


class UserPatch(TypedDict):
    role: NotRequired[Literal["viewer", "support", "dispatcher", "admin", "auditor"]]
    regions: NotRequired[list[str]]
    partner: NotRequired[str | None]
    disabled: NotRequired[bool]
    version: NotRequired[int]


class Visit(TypedDict):
    order_id: str
    kind: Literal["pickup", "dropoff"]


class VisitView(TypedDict):
    order_id: str
    kind: StopKind
    arrived_at: str
    departed_at: str | None
    pressed_at: str | None


class WaitingPlaceShape(TypedDict):
    lat: float
    lon: float
    saves_s: int
    advised_at: str


class WaveQuestion(TypedDict):
    depot: NotRequired[str | None]


class Webhook(TypedDict):
    id: str
    url: str
    types: list[str]
    description: str
    enabled: bool
    created_at: str
    n_waiting: int
    region: NotRequired[str | None]
    positions: NotRequired[Positions | None]
    off_reason: NotRequired[str | None]
    failing_since: NotRequired[str | None]


class WebhookPatch(TypedDict):
    url: NotRequired[str]
    types: NotRequired[list[str]]
    positions: NotRequired[Positions]
    region: NotRequired[str | None]
    description: NotRequired[str]
    enabled: NotRequired[bool]


class WebhookWithSecret(TypedDict):
    id: str
    url: str
    types: list[str]
    description: str
    enabled: bool
    created_at: str
    n_waiting: int
    region: NotRequired[str | None]
    positions: NotRequired[Positions | None]
    off_reason: NotRequired[str | None]
    failing_since: NotRequired[str | None]
    secret: str


class Why(TypedDict):
    reason: NotRequired[str | None]
    version: NotRequired[int | None]


WindowAnswer = TypedDict(
    "WindowAnswer",
    {
        "from": "str",
        "to": "str",
        "feasible": "bool",
        "dropoff_at": "NotRequired[str | None]",
        "courier_id": "NotRequired[str | None]",
        "cost": "NotRequired[int | None]",
        "reasons": "NotRequired[list[ReasonShape] | None]",
    },
)


class WindowAnswers(TypedDict):
    windows: list[WindowAnswer]


class WindowQuestion(TypedDict):
    order: NewOrderShape
    length_s: NotRequired[int]
    step_s: NotRequired[int]
    n: NotRequired[int]


WindowShape = TypedDict(
    "WindowShape", {"from": "NotRequired[str | None]", "to": "NotRequired[str | None]", "hard": "NotRequired[bool]"}
)


class AccountProof(TypedDict):
    password: str


class OrderStepsProof(TypedDict):
    photo: NotRequired[str | None]
    signature: NotRequired[str | None]
    code: NotRequired[str | None]
    name: NotRequired[str | None]
