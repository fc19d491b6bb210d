"""What alerts must know of the couriers of a region besides their fixes, read from the rows."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

import asyncpg

from dispatch import aside as asides
from dispatch.alerts.facts import AlertParams, CourierFacts, OpenStop
from dispatch.alerts.route_line import RouteLine
from dispatch.aside import REGION, Aside, Subject
from dispatch.orders.courier import Courier, pause_at
from dispatch.orders.order import COURIER_STATES, Order, OrderState
from dispatch.region import store
from dispatch.region.settings import BOUNDARY, group_of, overlaid, settings_of
from dispatch.region.world import NO_ROUTE, RouteInForce, World
from dispatch.stop import OrderId, StopKind
from dispatch.visits.from_fixes import RouteStop
from sql import queries
from tracking.batch import microseconds
from tracking.position import CourierId, LatLon, Mode, Region
from tracking.watching.area import Area

VISITS_SINCE = timedelta(hours=2)
"""Stops done longer ago are looked at again only where a courier's fixes are found again from history."""


class Lines(Protocol):
    """Where routes lead, on the map."""

    async def line(
        self, region: Region, courier_id: CourierId, version: int, mode: Mode, stops: Sequence[LatLon]
    ) -> RouteLine | None:
        """Line of a route, or None where no map knows it; never waits for a map."""
        ...


class Estimates(Protocol):
    """When stops will be reached."""

    async def p90(self, region: Region) -> Mapping[tuple[OrderId, StopKind], datetime]:
        """The p90 of the arrival at every open stop that has an estimate."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionFacts:
    """A region, as its alerts need it."""

    params: AlertParams
    couriers: Mapping[CourierId, CourierFacts]
    visits: Mapping[CourierId, tuple[RouteStop, ...]] = field(default_factory=dict)
    """Stops that were or are to be made of late, in that order."""
    set_aside: Mapping[Subject, str] = field(default_factory=dict)
    """What could not be used, and why."""


class FactsOfRegion:
    """Reads a region's couriers, routes and settings."""

    def __init__(self, pool: asyncpg.Pool, *, lines: Lines | None = None, estimates: Estimates | None = None) -> None:
        self._pool = pool
        self._lines = lines
        self._estimates = estimates
        self._areas: dict[str, Area] = {}

    async def load(
        self, region: Region, now: datetime, *, of: Callable[[CourierId], bool] | None = None
    ) -> RegionFacts:
        """
        As they are now. Orders that nobody has accepted are no courier's business and not here.

        `of`: only these couriers.
        """
        aside = Aside()
        world = await store.load(self._pool, region, now=now, aside=aside)
        settings, params, area = await settings_of(self._pool, region), AlertParams(), None
        with aside.bearing(REGION, doing="read settings.alerts"):
            params = overlaid(params, group_of(settings, "alerts"))
        with aside.bearing(REGION, doing="read settings.boundary"):
            area = self._area(group_of(settings, BOUNDARY))
        p90 = {} if self._estimates is None else await self._estimates.p90(region)
        held: dict[CourierId, list[Order]] = {}
        for order in world.orders:
            if order.courier_id is not None and order.state in COURIER_STATES - {OrderState.ASSIGNED}:
                held.setdefault(order.courier_id, []).append(order)
        couriers: dict[CourierId, CourierFacts] = {}
        for courier in world.couriers:
            if of is not None and not of(courier.id):
                continue
            with aside.bearing(asides.courier(courier.id), doing="look at"):
                couriers[courier.id] = await self._facts(world, courier, held.get(courier.id, ()), p90, area)
        rows = await self._pool.fetch(queries["stop_visits.stops"], list(couriers), now - VISITS_SINCE)
        visits = route_stops(rows, couriers)
        for courier_id, left_us in (await self._left(held, visits)).items():
            if courier_id in couriers:
                facts = couriers[courier_id]
                couriers[courier_id] = replace(facts, since_us=max(facts.since_us, left_us))
        return RegionFacts(params=params, couriers=couriers, visits=visits, set_aside=aside.causes)

    async def _facts(
        self,
        world: World,
        courier: Courier,
        held: Sequence[Order],
        p90: Mapping[tuple[OrderId, StopKind], datetime],
        area: Area | None,
    ) -> CourierFacts:
        route = world.routes.get(courier.id, NO_ROUTE)
        stops = open_stops(route, held, p90)
        line = None
        if self._lines is not None and stops:
            line = await self._lines.line(
                world.region, courier.id, route.version, courier.mode, [stop.at for stop in stops]
            )
        shift = courier.shift_at(world.now)
        # Breaks have a window to begin in; whoever still carries something in it, and says nothing, has not begun.
        in_window = shift is not None and pause_at(shift, world.now, courier.rests) is not None
        on_break = courier.rest is not None or (in_window and not stops)
        since = min((o.accepted_at for o in held if o.accepted_at is not None), default=None)
        if since is not None:
            since = max([since, *(rest.until for rest in courier.rests)])
        return CourierFacts(
            mode=courier.mode,
            on_duty=courier.works_at(world.now),
            on_break=on_break,
            stops=stops,
            line=line,
            since_us=0 if since is None else microseconds(since),
            region=area,
        )

    async def _left(
        self, held: Mapping[CourierId, Sequence[Order]], visits: Mapping[CourierId, Sequence[RouteStop]]
    ) -> dict[CourierId, int]:
        """
        When each was done with a stop for the last time, of late.

        Whoever waited ten minutes for a kitchen has the next stop far away once the goods are collected, and stood
        still all the time.
        """
        left = {
            courier_id: max((stop.until_us for stop in made if stop.until_us is not None), default=0)
            for courier_id, made in visits.items()
        }
        returning = [order.id for orders in held.values() for order in orders if order.state is OrderState.RETURNING]
        for row in await self._pool.fetch(queries["order_events.turned_back"], returning) if returning else ():
            courier_id = CourierId(row["courier_id"])
            left[courier_id] = max(left.get(courier_id, 0), microseconds(row["at"]))
        return left

    def _area(self, boundary: Any) -> Area | None:
        if not boundary:
            return None
        key = repr(boundary)
        if key not in self._areas:
            self._areas = {key: Area.from_geojson(boundary, radius_m=boundary.get("radius_m"))}
        return self._areas[key]


def route_stops(
    rows: Iterable[Mapping[str, Any]], couriers: Mapping[CourierId, CourierFacts]
) -> dict[CourierId, tuple[RouteStop, ...]]:
    """Stops from rows of the query `stop_visits.stops`: those made in that order, then those to be made."""
    found: dict[CourierId, list[RouteStop]] = {}
    for row in rows:
        stop = RouteStop(
            OrderId(row["order_id"]),
            StopKind(row["kind"]),
            LatLon(row["lat"], row["lon"]),
            since_us=microseconds(row["since_at"]),
            until_us=None if row["until_at"] is None else microseconds(row["until_at"]),
        )
        found.setdefault(CourierId(row["courier_id"]), []).append(stop)
    for courier_id, stops in found.items():
        todo = couriers[courier_id].stops if courier_id in couriers else ()
        place = {(stop.order_id, stop.kind): n for n, stop in enumerate(todo)}
        stops.sort(key=lambda s: (s.until_us is None, s.until_us or place.get((s.order_id, s.kind), len(place))))
    return {courier_id: tuple(stops) for courier_id, stops in found.items()}


def open_stops(
    route: RouteInForce, held: Sequence[Order], p90: Mapping[tuple[OrderId, StopKind], datetime]
) -> tuple[OpenStop, ...]:
    """What is left to do of orders a courier has accepted, in the order of the route; what it lacks comes last."""
    orders = {order.id: order for order in held}
    todo = [(order.id, kind) for order in held for kind in order.open_stops]
    planned = [(s.stop.order_id, s.stop.kind) for s in route.stops]
    in_order = [key for key in planned if key in todo] + [key for key in todo if key not in planned]
    return tuple(_open_stop(orders[order_id], kind, p90.get((order_id, kind))) for order_id, kind in in_order)


def _open_stop(order: Order, kind: StopKind, p90: datetime | None) -> OpenStop:
    stop = order.stop(kind)
    if kind is not order.awaited_at:
        # The recipient was promised the drop-off; a late pickup shows in its estimate.
        return OpenStop(order_id=order.id, kind=kind, at=stop.at)
    promised = stop.window.due_at or stop.window.closes_at
    return OpenStop(
        order_id=order.id,
        kind=kind,
        at=stop.at,
        promised_us=None if promised is None else microseconds(promised),
        p90_us=None if p90 is None else microseconds(p90),
    )
