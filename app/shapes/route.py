"""A courier's route as the courier and staff see it: stops with arrivals, open offers, the way between."""

from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

import msgspec

from app.shapes.arrivals import EtaShape
from app.shapes.offers import OfferShape, offer_shape
from app.shapes.orders import PlanCostShape, StopShape, WindowShape, stop_shape
from dispatch.orders.order import Order, OrderState
from dispatch.region.courier_route import CourierRoute
from dispatch.region.world import StopInForce
from dispatch.stock.reserving import Line
from dispatch.stop import StopKind
from dispatch.travel.times import TravelTimes
from tracking.position import LatLon

GEOMETRY_BUDGET_S = 0.5
"""Longest wait for the way between stops; straight lines after that."""


class RouteLine(msgspec.Struct, kw_only=True):
    """Goods to collect."""

    item: str
    quantity: int


class RouteStop(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A stop to be made."""

    order_id: UUID
    kind: str
    lat: float
    lon: float
    state: str
    """
    Of the order; `returning`: the goods go back to where they were collected, or to the region's place for that.

    `planned`: not the courier's yet, the planner may still think better of it.
    """
    eta: EtaShape | None = None
    address: str | None = None
    contact: dict[str, str] | None = None
    instructions: str | None = None
    window: WindowShape | None = None
    latest: datetime | None = None
    ready_at: datetime | None = None
    service_s: int = 0
    late_s: int = 0
    proof: list[str] = []
    """What must be there to hand it over: of `photo`, `signature`, `name`, `code`."""
    break_at: datetime | None = None
    """The plan has a break of the shift before the way there, which is to begin then."""
    break_s: int = 0
    lines: list[RouteLine] = []
    """Of a pickup at a place that prepares it: what there is to collect."""


class LineString(msgspec.Struct, kw_only=True):
    """The way, as GeoJSON."""

    coordinates: list[tuple[float, float]]
    type: str = "LineString"


class WaitingPlaceShape(msgspec.Struct, kw_only=True):
    """A place to wait for orders that are expected: advice to who has nothing to do, never an order."""

    lat: float
    lon: float
    saves_s: int
    """By how much orders expected soon would wait less, in all."""
    advised_at: datetime


class RouteShape(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What a courier is to do, in order."""

    courier_id: UUID
    version: int
    stops: list[RouteStop]
    offers: list[OfferShape] = []
    planned_at: datetime | None = None
    geometry: LineString | None = None
    geometry_source: str | None = None
    suggestion: WaitingPlaceShape | None = None
    plan_cost: PlanCostShape | None = None
    """Only where the stops were put in order by hand."""


async def view(
    route: CourierRoute,
    travel: TravelTimes,
    *,
    at: LatLon | None,
    etas: Mapping[tuple[UUID, str], EtaShape] | None = None,
    geometry: bool = True,
    wanted: Mapping[UUID, list[str]] | None = None,
    goods: Mapping[UUID, list[Line]] | None = None,
) -> RouteShape:
    """
    The route as it is answered.

    `at`: where the courier is, the beginning of the geometry. `wanted`: by order, what proves that it is handed over;
    `goods`: what a place has for it.
    """
    known = etas or {}
    stops = [
        _stop(stop, order, route, known.get((stop.stop.order_id, stop.stop.kind.value))) for stop, order in route.stops
    ]
    for stop in stops:
        if stop.kind == StopKind.DROPOFF and stop.state != OrderState.RETURNING:
            stop.proof = (wanted or {}).get(stop.order_id, [])
        if stop.kind == StopKind.PICKUP:
            lines = (goods or {}).get(stop.order_id, [])
            stop.lines = [RouteLine(item=line.item, quantity=line.quantity) for line in lines]
    shape = RouteShape(
        courier_id=route.courier_id,
        version=route.version,
        stops=stops,
        offers=[offer_shape(offered) for offered in route.offers],
        planned_at=route.planned_at,
    )
    if geometry:
        await add_way(shape, route, travel, at=at)
    return shape


async def add_way(shape: RouteShape, route: CourierRoute, travel: TravelTimes, *, at: LatLon | None) -> None:
    """The way between the stops, from where the courier is."""
    places = ([] if at is None else [at]) + [LatLon(stop.lat, stop.lon) for stop in shape.stops]
    if len(places) > 1:
        path = await travel.route(route.mode, places, datetime.now(UTC), budget_s=GEOMETRY_BUDGET_S)
        shape.geometry = LineString(coordinates=[point.lonlat for point in path.geometry])
        shape.geometry_source = path.source.value


def said_by(shape: RouteShape) -> tuple[object, ...]:
    """What a courier learns of a route: arrivals to the minute, and not the way, which begins where the courier is."""
    stops = [msgspec.structs.replace(stop, eta=None) for stop in shape.stops]
    etas = [None if stop.eta is None else _to_the_minute(stop.eta) for stop in shape.stops]
    return stops, etas, shape.courier_id, shape.version, shape.offers, shape.suggestion


def _to_the_minute(eta: EtaShape) -> tuple[object, ...]:
    p90_min = None if eta.p90 is None else eta.p90.timestamp() // 60
    return eta.p50.timestamp() // 60, p90_min, eta.source, eta.warnings


def _stop(stop: StopInForce, order: Order, route: CourierRoute, eta: EtaShape | None) -> RouteStop:
    end = order.stop(stop.stop.kind)
    shape: StopShape = stop_shape(end)
    mine = order.courier_id == route.courier_id
    return RouteStop(
        order_id=order.id,
        kind=stop.stop.kind.value,
        lat=shape.lat,
        lon=shape.lon,
        state=order.state.value if mine else "planned",
        eta=eta or scheduled_eta(stop, route.planned_at),
        address=shape.address,
        contact=shape.contact,
        instructions=shape.instructions,
        window=shape.window,
        latest=shape.latest,
        ready_at=order.ready_at if stop.stop.kind is StopKind.PICKUP else None,
        service_s=end.service_s,
        late_s=stop.late_s,
        break_at=None if stop.break_at is None else datetime.fromtimestamp(stop.break_at, UTC),
        break_s=stop.break_s,
    )


def scheduled_eta(stop: StopInForce, planned_at: datetime | None) -> EtaShape | None:
    """The arrival that the plan was made for: all there is while no estimate has been made."""
    if stop.arrives_at is None or planned_at is None:
        return None
    return EtaShape(
        p50=datetime.fromtimestamp(stop.arrives_at, UTC),
        p90=None,
        computed_at=planned_at,
        source="schedule",
        confidence=0.0,
        warnings=[],
    )
