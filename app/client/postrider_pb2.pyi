import datetime

from google.api import annotations_pb2 as _annotations_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class WatchRouteRequest(_message.Message):
    __slots__ = ("courier_id",)
    COURIER_ID_FIELD_NUMBER: _ClassVar[int]
    courier_id: str
    def __init__(self, courier_id: _Optional[str] = ...) -> None: ...

class WatchRouteResponse(_message.Message):
    __slots__ = ("route", "offer", "offer_closed", "suggestion")
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    OFFER_FIELD_NUMBER: _ClassVar[int]
    OFFER_CLOSED_FIELD_NUMBER: _ClassVar[int]
    SUGGESTION_FIELD_NUMBER: _ClassVar[int]
    route: Route
    offer: Offer
    offer_closed: OfferClosed
    suggestion: Suggestion
    def __init__(self, route: _Optional[_Union[Route, _Mapping]] = ..., offer: _Optional[_Union[Offer, _Mapping]] = ..., offer_closed: _Optional[_Union[OfferClosed, _Mapping]] = ..., suggestion: _Optional[_Union[Suggestion, _Mapping]] = ...) -> None: ...

class AcceptRequest(_message.Message):
    __slots__ = ("offer_id", "at")
    OFFER_ID_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    offer_id: str
    at: _timestamp_pb2.Timestamp
    def __init__(self, offer_id: _Optional[str] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class AcceptResponse(_message.Message):
    __slots__ = ("order",)
    ORDER_FIELD_NUMBER: _ClassVar[int]
    order: Order
    def __init__(self, order: _Optional[_Union[Order, _Mapping]] = ...) -> None: ...

class RejectRequest(_message.Message):
    __slots__ = ("offer_id", "reason")
    OFFER_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    offer_id: str
    reason: str
    def __init__(self, offer_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class RejectResponse(_message.Message):
    __slots__ = ("offer",)
    OFFER_FIELD_NUMBER: _ClassVar[int]
    offer: Offer
    def __init__(self, offer: _Optional[_Union[Offer, _Mapping]] = ...) -> None: ...

class ArrivedRequest(_message.Message):
    __slots__ = ("order_id", "at")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    at: _timestamp_pb2.Timestamp
    def __init__(self, order_id: _Optional[str] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ArrivedResponse(_message.Message):
    __slots__ = ("order_id", "kind", "arrived_at")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    ARRIVED_AT_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    kind: str
    arrived_at: _timestamp_pb2.Timestamp
    def __init__(self, order_id: _Optional[str] = ..., kind: _Optional[str] = ..., arrived_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class PickedUpRequest(_message.Message):
    __slots__ = ("order_id", "note", "at", "missing")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    note: str
    at: _timestamp_pb2.Timestamp
    missing: _containers.RepeatedCompositeFieldContainer[OrderLine]
    def __init__(self, order_id: _Optional[str] = ..., note: _Optional[str] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., missing: _Optional[_Iterable[_Union[OrderLine, _Mapping]]] = ...) -> None: ...

class PickedUpResponse(_message.Message):
    __slots__ = ("order",)
    ORDER_FIELD_NUMBER: _ClassVar[int]
    order: Order
    def __init__(self, order: _Optional[_Union[Order, _Mapping]] = ...) -> None: ...

class DeliveredRequest(_message.Message):
    __slots__ = ("order_id", "proof", "at")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    proof: Proof
    at: _timestamp_pb2.Timestamp
    def __init__(self, order_id: _Optional[str] = ..., proof: _Optional[_Union[Proof, _Mapping]] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class DeliveredResponse(_message.Message):
    __slots__ = ("order",)
    ORDER_FIELD_NUMBER: _ClassVar[int]
    order: Order
    def __init__(self, order: _Optional[_Union[Order, _Mapping]] = ...) -> None: ...

class FailedRequest(_message.Message):
    __slots__ = ("order_id", "reason", "photo", "at")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    PHOTO_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    reason: str
    photo: str
    at: _timestamp_pb2.Timestamp
    def __init__(self, order_id: _Optional[str] = ..., reason: _Optional[str] = ..., photo: _Optional[str] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class FailedResponse(_message.Message):
    __slots__ = ("order",)
    ORDER_FIELD_NUMBER: _ClassVar[int]
    order: Order
    def __init__(self, order: _Optional[_Union[Order, _Mapping]] = ...) -> None: ...

class GiveBackRequest(_message.Message):
    __slots__ = ("order_id", "reason", "at")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    reason: str
    at: _timestamp_pb2.Timestamp
    def __init__(self, order_id: _Optional[str] = ..., reason: _Optional[str] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GiveBackResponse(_message.Message):
    __slots__ = ("order",)
    ORDER_FIELD_NUMBER: _ClassVar[int]
    order: Order
    def __init__(self, order: _Optional[_Union[Order, _Mapping]] = ...) -> None: ...

class PositionsRequest(_message.Message):
    __slots__ = ("fixes",)
    FIXES_FIELD_NUMBER: _ClassVar[int]
    fixes: _containers.RepeatedCompositeFieldContainer[Fix]
    def __init__(self, fixes: _Optional[_Iterable[_Union[Fix, _Mapping]]] = ...) -> None: ...

class PositionsResponse(_message.Message):
    __slots__ = ("accepted", "quarantined", "reasons")
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    QUARANTINED_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    accepted: int
    quarantined: int
    reasons: _containers.RepeatedCompositeFieldContainer[QuarantinedFix]
    def __init__(self, accepted: _Optional[int] = ..., quarantined: _Optional[int] = ..., reasons: _Optional[_Iterable[_Union[QuarantinedFix, _Mapping]]] = ...) -> None: ...

class QuarantinedFix(_message.Message):
    __slots__ = ("index", "reason")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    index: int
    reason: str
    def __init__(self, index: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class Fix(_message.Message):
    __slots__ = ("courier_id", "fixed_at", "lat", "lon", "accuracy_m", "speed_mps", "course_deg", "altitude_m", "battery_pct", "mock")
    COURIER_ID_FIELD_NUMBER: _ClassVar[int]
    FIXED_AT_FIELD_NUMBER: _ClassVar[int]
    LAT_FIELD_NUMBER: _ClassVar[int]
    LON_FIELD_NUMBER: _ClassVar[int]
    ACCURACY_M_FIELD_NUMBER: _ClassVar[int]
    SPEED_MPS_FIELD_NUMBER: _ClassVar[int]
    COURSE_DEG_FIELD_NUMBER: _ClassVar[int]
    ALTITUDE_M_FIELD_NUMBER: _ClassVar[int]
    BATTERY_PCT_FIELD_NUMBER: _ClassVar[int]
    MOCK_FIELD_NUMBER: _ClassVar[int]
    courier_id: str
    fixed_at: _timestamp_pb2.Timestamp
    lat: float
    lon: float
    accuracy_m: float
    speed_mps: float
    course_deg: float
    altitude_m: float
    battery_pct: float
    mock: bool
    def __init__(self, courier_id: _Optional[str] = ..., fixed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., lat: _Optional[float] = ..., lon: _Optional[float] = ..., accuracy_m: _Optional[float] = ..., speed_mps: _Optional[float] = ..., course_deg: _Optional[float] = ..., altitude_m: _Optional[float] = ..., battery_pct: _Optional[float] = ..., mock: _Optional[bool] = ...) -> None: ...

class Route(_message.Message):
    __slots__ = ("courier_id", "version", "stops", "offers", "planned_at", "geometry", "geometry_source")
    COURIER_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    STOPS_FIELD_NUMBER: _ClassVar[int]
    OFFERS_FIELD_NUMBER: _ClassVar[int]
    PLANNED_AT_FIELD_NUMBER: _ClassVar[int]
    GEOMETRY_FIELD_NUMBER: _ClassVar[int]
    GEOMETRY_SOURCE_FIELD_NUMBER: _ClassVar[int]
    courier_id: str
    version: int
    stops: _containers.RepeatedCompositeFieldContainer[RouteStop]
    offers: _containers.RepeatedCompositeFieldContainer[Offer]
    planned_at: _timestamp_pb2.Timestamp
    geometry: Line
    geometry_source: str
    def __init__(self, courier_id: _Optional[str] = ..., version: _Optional[int] = ..., stops: _Optional[_Iterable[_Union[RouteStop, _Mapping]]] = ..., offers: _Optional[_Iterable[_Union[Offer, _Mapping]]] = ..., planned_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., geometry: _Optional[_Union[Line, _Mapping]] = ..., geometry_source: _Optional[str] = ...) -> None: ...

class RouteStop(_message.Message):
    __slots__ = ("order_id", "kind", "lat", "lon", "state", "eta", "address", "contact", "instructions", "window", "latest", "ready_at", "service_s", "late_s", "break_at", "break_s", "lines")
    class ContactEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    LAT_FIELD_NUMBER: _ClassVar[int]
    LON_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ETA_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    CONTACT_FIELD_NUMBER: _ClassVar[int]
    INSTRUCTIONS_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    LATEST_FIELD_NUMBER: _ClassVar[int]
    READY_AT_FIELD_NUMBER: _ClassVar[int]
    SERVICE_S_FIELD_NUMBER: _ClassVar[int]
    LATE_S_FIELD_NUMBER: _ClassVar[int]
    BREAK_AT_FIELD_NUMBER: _ClassVar[int]
    BREAK_S_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    kind: str
    lat: float
    lon: float
    state: str
    eta: Eta
    address: str
    contact: _containers.ScalarMap[str, str]
    instructions: str
    window: Window
    latest: _timestamp_pb2.Timestamp
    ready_at: _timestamp_pb2.Timestamp
    service_s: int
    late_s: int
    break_at: _timestamp_pb2.Timestamp
    break_s: int
    lines: _containers.RepeatedCompositeFieldContainer[OrderLine]
    def __init__(self, order_id: _Optional[str] = ..., kind: _Optional[str] = ..., lat: _Optional[float] = ..., lon: _Optional[float] = ..., state: _Optional[str] = ..., eta: _Optional[_Union[Eta, _Mapping]] = ..., address: _Optional[str] = ..., contact: _Optional[_Mapping[str, str]] = ..., instructions: _Optional[str] = ..., window: _Optional[_Union[Window, _Mapping]] = ..., latest: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., ready_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., service_s: _Optional[int] = ..., late_s: _Optional[int] = ..., break_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., break_s: _Optional[int] = ..., lines: _Optional[_Iterable[_Union[OrderLine, _Mapping]]] = ...) -> None: ...

class OrderLine(_message.Message):
    __slots__ = ("item", "quantity")
    ITEM_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    item: str
    quantity: int
    def __init__(self, item: _Optional[str] = ..., quantity: _Optional[int] = ...) -> None: ...

class Eta(_message.Message):
    __slots__ = ("p50", "p90", "computed_at", "source", "confidence", "warnings")
    P50_FIELD_NUMBER: _ClassVar[int]
    P90_FIELD_NUMBER: _ClassVar[int]
    COMPUTED_AT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    p50: _timestamp_pb2.Timestamp
    p90: _timestamp_pb2.Timestamp
    computed_at: _timestamp_pb2.Timestamp
    source: str
    confidence: float
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, p50: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., p90: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., computed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., source: _Optional[str] = ..., confidence: _Optional[float] = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...

class Line(_message.Message):
    __slots__ = ("points",)
    POINTS_FIELD_NUMBER: _ClassVar[int]
    points: _containers.RepeatedCompositeFieldContainer[Point]
    def __init__(self, points: _Optional[_Iterable[_Union[Point, _Mapping]]] = ...) -> None: ...

class Point(_message.Message):
    __slots__ = ("lat", "lon")
    LAT_FIELD_NUMBER: _ClassVar[int]
    LON_FIELD_NUMBER: _ClassVar[int]
    lat: float
    lon: float
    def __init__(self, lat: _Optional[float] = ..., lon: _Optional[float] = ...) -> None: ...

class Suggestion(_message.Message):
    __slots__ = ("lat", "lon", "saves_s", "advised_at")
    LAT_FIELD_NUMBER: _ClassVar[int]
    LON_FIELD_NUMBER: _ClassVar[int]
    SAVES_S_FIELD_NUMBER: _ClassVar[int]
    ADVISED_AT_FIELD_NUMBER: _ClassVar[int]
    lat: float
    lon: float
    saves_s: int
    advised_at: _timestamp_pb2.Timestamp
    def __init__(self, lat: _Optional[float] = ..., lon: _Optional[float] = ..., saves_s: _Optional[int] = ..., advised_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class OfferClosed(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class Offer(_message.Message):
    __slots__ = ("id", "courier_id", "state", "offered_at", "expires_at", "order_id", "pickup", "dropoff", "size", "ready_at", "pickup_at", "dropoff_at", "orders", "others_asked", "answered_at", "reason", "pay")
    class SizeEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    COURIER_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    OFFERED_AT_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    PICKUP_FIELD_NUMBER: _ClassVar[int]
    DROPOFF_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    READY_AT_FIELD_NUMBER: _ClassVar[int]
    PICKUP_AT_FIELD_NUMBER: _ClassVar[int]
    DROPOFF_AT_FIELD_NUMBER: _ClassVar[int]
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    OTHERS_ASKED_FIELD_NUMBER: _ClassVar[int]
    ANSWERED_AT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    PAY_FIELD_NUMBER: _ClassVar[int]
    id: str
    courier_id: str
    state: str
    offered_at: _timestamp_pb2.Timestamp
    expires_at: _timestamp_pb2.Timestamp
    order_id: str
    pickup: Stop
    dropoff: Stop
    size: _containers.ScalarMap[str, int]
    ready_at: _timestamp_pb2.Timestamp
    pickup_at: _timestamp_pb2.Timestamp
    dropoff_at: _timestamp_pb2.Timestamp
    orders: _containers.RepeatedCompositeFieldContainer[OfferedOrder]
    others_asked: int
    answered_at: _timestamp_pb2.Timestamp
    reason: str
    pay: Money
    def __init__(self, id: _Optional[str] = ..., courier_id: _Optional[str] = ..., state: _Optional[str] = ..., offered_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., order_id: _Optional[str] = ..., pickup: _Optional[_Union[Stop, _Mapping]] = ..., dropoff: _Optional[_Union[Stop, _Mapping]] = ..., size: _Optional[_Mapping[str, int]] = ..., ready_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., pickup_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., dropoff_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., orders: _Optional[_Iterable[_Union[OfferedOrder, _Mapping]]] = ..., others_asked: _Optional[int] = ..., answered_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reason: _Optional[str] = ..., pay: _Optional[_Union[Money, _Mapping]] = ...) -> None: ...

class Money(_message.Message):
    __slots__ = ("amount", "currency", "digits")
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    DIGITS_FIELD_NUMBER: _ClassVar[int]
    amount: int
    currency: str
    digits: int
    def __init__(self, amount: _Optional[int] = ..., currency: _Optional[str] = ..., digits: _Optional[int] = ...) -> None: ...

class OfferedOrder(_message.Message):
    __slots__ = ("order_id", "pickup", "dropoff", "size", "ready_at", "pickup_at", "dropoff_at")
    class SizeEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    PICKUP_FIELD_NUMBER: _ClassVar[int]
    DROPOFF_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    READY_AT_FIELD_NUMBER: _ClassVar[int]
    PICKUP_AT_FIELD_NUMBER: _ClassVar[int]
    DROPOFF_AT_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    pickup: Stop
    dropoff: Stop
    size: _containers.ScalarMap[str, int]
    ready_at: _timestamp_pb2.Timestamp
    pickup_at: _timestamp_pb2.Timestamp
    dropoff_at: _timestamp_pb2.Timestamp
    def __init__(self, order_id: _Optional[str] = ..., pickup: _Optional[_Union[Stop, _Mapping]] = ..., dropoff: _Optional[_Union[Stop, _Mapping]] = ..., size: _Optional[_Mapping[str, int]] = ..., ready_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., pickup_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., dropoff_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Order(_message.Message):
    __slots__ = ("id", "region", "state", "version", "kind", "pickup", "dropoff", "placed_at", "external_id", "ready_at", "size", "priority", "group_id", "courier_id", "assigned_at", "accepted_at", "picked_up_at", "delivered_at", "closed_at", "reason", "attempt", "orders")
    class SizeEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    PICKUP_FIELD_NUMBER: _ClassVar[int]
    DROPOFF_FIELD_NUMBER: _ClassVar[int]
    PLACED_AT_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_ID_FIELD_NUMBER: _ClassVar[int]
    READY_AT_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    COURIER_ID_FIELD_NUMBER: _ClassVar[int]
    ASSIGNED_AT_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_AT_FIELD_NUMBER: _ClassVar[int]
    PICKED_UP_AT_FIELD_NUMBER: _ClassVar[int]
    DELIVERED_AT_FIELD_NUMBER: _ClassVar[int]
    CLOSED_AT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    id: str
    region: str
    state: str
    version: int
    kind: str
    pickup: Stop
    dropoff: Stop
    placed_at: _timestamp_pb2.Timestamp
    external_id: str
    ready_at: _timestamp_pb2.Timestamp
    size: _containers.ScalarMap[str, int]
    priority: int
    group_id: str
    courier_id: str
    assigned_at: _timestamp_pb2.Timestamp
    accepted_at: _timestamp_pb2.Timestamp
    picked_up_at: _timestamp_pb2.Timestamp
    delivered_at: _timestamp_pb2.Timestamp
    closed_at: _timestamp_pb2.Timestamp
    reason: str
    attempt: int
    orders: _containers.RepeatedCompositeFieldContainer[Order]
    def __init__(self, id: _Optional[str] = ..., region: _Optional[str] = ..., state: _Optional[str] = ..., version: _Optional[int] = ..., kind: _Optional[str] = ..., pickup: _Optional[_Union[Stop, _Mapping]] = ..., dropoff: _Optional[_Union[Stop, _Mapping]] = ..., placed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., external_id: _Optional[str] = ..., ready_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., size: _Optional[_Mapping[str, int]] = ..., priority: _Optional[int] = ..., group_id: _Optional[str] = ..., courier_id: _Optional[str] = ..., assigned_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., accepted_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., picked_up_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., delivered_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., closed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reason: _Optional[str] = ..., attempt: _Optional[int] = ..., orders: _Optional[_Iterable[_Union[Order, _Mapping]]] = ...) -> None: ...

class Stop(_message.Message):
    __slots__ = ("lat", "lon", "address", "contact", "instructions", "window", "latest", "service_s", "place_id")
    class ContactEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    LAT_FIELD_NUMBER: _ClassVar[int]
    LON_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    CONTACT_FIELD_NUMBER: _ClassVar[int]
    INSTRUCTIONS_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    LATEST_FIELD_NUMBER: _ClassVar[int]
    SERVICE_S_FIELD_NUMBER: _ClassVar[int]
    PLACE_ID_FIELD_NUMBER: _ClassVar[int]
    lat: float
    lon: float
    address: str
    contact: _containers.ScalarMap[str, str]
    instructions: str
    window: Window
    latest: _timestamp_pb2.Timestamp
    service_s: int
    place_id: str
    def __init__(self, lat: _Optional[float] = ..., lon: _Optional[float] = ..., address: _Optional[str] = ..., contact: _Optional[_Mapping[str, str]] = ..., instructions: _Optional[str] = ..., window: _Optional[_Union[Window, _Mapping]] = ..., latest: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., service_s: _Optional[int] = ..., place_id: _Optional[str] = ...) -> None: ...

class Window(_message.Message):
    __slots__ = ("from_time", "to_time", "hard")
    FROM_TIME_FIELD_NUMBER: _ClassVar[int]
    TO_TIME_FIELD_NUMBER: _ClassVar[int]
    HARD_FIELD_NUMBER: _ClassVar[int]
    from_time: _timestamp_pb2.Timestamp
    to_time: _timestamp_pb2.Timestamp
    hard: bool
    def __init__(self, from_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., to_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., hard: _Optional[bool] = ...) -> None: ...

class Proof(_message.Message):
    __slots__ = ("photo", "signature", "code", "name")
    PHOTO_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    photo: str
    signature: str
    code: str
    name: str
    def __init__(self, photo: _Optional[str] = ..., signature: _Optional[str] = ..., code: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...
