"""
A region that is too large for one plan, cut into parts that are planned one by one; no I/O.

Each courier is in one part, with all that the courier has or is planned to do; an order that nobody has is in the part
of the couriers around its pickup. So a part is a region of its own to the planner, with a matrix of its own, and what
one plan takes does not depend on how large the region is. The cuts move a little from turn to turn, so that over time
every courier is weighed against all neighbours.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Final

import numpy as np
import numpy.typing as npt

from dispatch.orders.courier import Courier
from dispatch.orders.order import Order
from dispatch.region.world import NO_ROUTE, Whereabouts, World, held_orders
from dispatch.stop import OrderId
from tracking.position import CourierId, LatLon
from tracking.quality import distances_m

MOST_COURIERS: Final = 400
MOST_ORDERS: Final = 200
"""Of one plan: what it takes grows faster than these, most of all with the orders."""

CUTS: Final = (0.5, 0.44, 0.56, 0.47, 0.53)
"""Where a set is cut, as a share of it, one turn after the other."""
LEAST_SHARE: Final = 8
"""Each side of a cut has at least one of so many couriers."""
TRIES_ON: Final = 37
"""An order that found nobody is put among couriers so many places farther away at every further try."""


@dataclass(frozen=True, slots=True)
class _Point:
    """A courier with what the courier has, or an order that nobody has."""

    at: LatLon
    rank: int
    """Breaks ties: many orders of one door are divided, too."""
    courier: Courier | None
    orders: tuple[Order, ...]

    @property
    def lat(self) -> tuple[float, int]:
        return self.at.lat, self.rank

    @property
    def lon(self) -> tuple[float, int]:
        return self.at.lon, self.rank


def is_large(world: World) -> bool:
    """Whether a world is more than one plan can bear."""
    return len(world.couriers) > MOST_COURIERS or len(world.orders) > MOST_ORDERS


def without(world: World, part: World) -> World:
    """The rest of a world, without what is in a part of it."""
    courier_ids, order_ids = {courier.id for courier in part.couriers}, {order.id for order in part.orders}
    return replace(
        world,
        orders=tuple(order for order in world.orders if order.id not in order_ids),
        couriers=tuple(courier for courier in world.couriers if courier.id not in courier_ids),
    )


def split(
    world: World,
    whereabouts: Mapping[CourierId, Whereabouts],
    *,
    turn: int = 0,
    tries: Mapping[OrderId, int] | None = None,
    most_couriers: int = MOST_COURIERS,
    most_orders: int = MOST_ORDERS,
) -> list[World]:
    """
    The parts of a world, itself when it is small enough.

    `tries`: how often an order found nobody where it was put; it is then put elsewhere, until all who might have been
    asked.
    """
    if len(world.couriers) <= most_couriers and len(world.orders) <= most_orders:
        return [world]
    share = CUTS[turn % len(CUTS)]
    todo, done = [_points(world, whereabouts, tries or {})], []
    while todo:
        points = todo.pop()
        n_couriers = sum(point.courier is not None for point in points)
        n_orders = sum(len(point.orders) for point in points)
        if n_couriers > 1 and (n_couriers > most_couriers or n_orders > most_orders):
            todo += _cut(points, share)
        else:
            done.append(points)
    return [_part(world, points) for points in done]


def around(
    world: World,
    whereabouts: Mapping[CourierId, Whereabouts],
    middles: Sequence[LatLon],
    order_ids: frozenset[OrderId] = frozenset(),
    courier_ids: frozenset[CourierId] = frozenset(),
    *,
    most_couriers: int = MOST_COURIERS,
    most_orders: int = MOST_ORDERS,
) -> World:
    """
    The world as far as it matters to some places, orders and couriers: these, and as many as one plan can bear of the
    couriers and orders nearest to any of them.
    """
    points = _points(world, whereabouts, {})

    def is_asked(point: _Point) -> bool:
        of_courier = point.courier is not None and point.courier.id in courier_ids
        return of_courier or not order_ids.isdisjoint(order.id for order in point.orders)

    asked = [point for point in points if is_asked(point)]
    middles = [*middles, *(point.at for point in asked)]
    rest = [point for point in points if not is_asked(point)]
    chosen = asked.copy()
    n_couriers = sum(point.courier is not None for point in asked)
    n_orders = sum(len(point.orders) for point in asked)
    for number in np.argsort(_Distances(rest).to(*middles), kind="stable").tolist():
        point = rest[number]
        n_couriers += point.courier is not None
        n_orders += len(point.orders)
        if n_couriers > most_couriers or n_orders > most_orders:
            break
        chosen.append(point)
    return _part(world, chosen)


def _points(world: World, whereabouts: Mapping[CourierId, Whereabouts], tries: Mapping[OrderId, int]) -> list[_Point]:
    orders = {order.id: order for order in world.orders}
    held = held_orders(world.orders)
    taken = {order.id for courier in world.couriers for order in held.get(courier.id, ())}
    somewhere = world.orders[0].pickup.at if world.orders else LatLon(lat=0.0, lon=0.0)
    points: list[_Point] = []
    for courier in world.couriers:
        route = world.routes.get(courier.id, NO_ROUTE).sequence
        planned = [
            orders[id_] for id_ in dict.fromkeys(s.order_id for s in route) if id_ in orders and id_ not in taken
        ]
        taken |= {order.id for order in planned}
        has = (*held.get(courier.id, ()), *planned)
        seen = whereabouts.get(courier.id)
        at = seen.at if seen is not None else has[0].pickup.at if has else somewhere
        points.append(_Point(at, len(points), courier, has))
    staff = _Staff(points.copy())
    for order in world.orders:
        if order.id not in taken:
            at = staff.tried_at(order, tries.get(order.id, 0))
            points.append(_Point(at, len(points), None, (order,)))
    return points


class _Distances:
    """From many points to some places."""

    def __init__(self, points: Sequence[_Point]) -> None:
        self._lats = np.array([point.at.lat for point in points])
        self._lons = np.array([point.at.lon for point in points])

    def to(self, *places: LatLon) -> npt.NDArray[np.float64]:
        """Of each point to the nearest of the places; infinite where there is none."""
        nearest = np.full(len(self._lats), np.inf)
        for at in places:
            nearest = np.minimum(nearest, distances_m(self._lats, self._lons, np.array(at.lat), np.array(at.lon)))
        return nearest


class _Staff:
    """A region's couriers, to find those who might take an order."""

    def __init__(self, points: Sequence[_Point]) -> None:
        self._points = points
        self._away_m = _Distances(points)
        self._able: dict[object, npt.NDArray[np.int64]] = {}
        """Numbers of points by what is asked of a courier: orders ask for few different things."""

    def tried_at(self, order: Order, n_tries: int) -> LatLon:
        """Where an order that nobody has is put: at its pickup; then among who might take it, ever farther off."""
        able = self._able_for(order) if n_tries else ()
        if not len(able):
            return order.pickup.at
        rank = (n_tries - 1) * TRIES_ON % len(able)
        by_distance = np.argpartition(self._away_m.to(order.pickup.at)[able], rank)
        return self._points[int(able[by_distance[rank]])].at

    def _able_for(self, order: Order) -> npt.NDArray[np.int64]:
        asked = (order.skills, order.modes, order.partner)
        if asked not in self._able:
            able = [n for n, point in enumerate(self._points) if point.courier and _may_take(point.courier, order)]
            self._able[asked] = np.array(able, dtype=np.int64)
        return self._able[asked]


def _may_take(courier: Courier, order: Order) -> bool:
    return (
        order.skills <= courier.skills
        and (order.modes is None or courier.mode in order.modes)
        and courier.is_of_partner(order.partner)
    )


def _cut(points: list[_Point], share: float) -> list[list[_Point]]:
    """
    Two sides of a set, across its longer extent.

    Where that would leave hardly a courier on one side, as when all orders are of one door, couriers and orders are
    halved each for themselves.
    """
    lats, lons = [point.at.lat for point in points], [point.at.lon for point in points]
    wide = max(lons) - min(lons) > max(lats) - min(lats)
    ordered = sorted(points, key=attrgetter("lon" if wide else "lat"))
    middle = round(share * len(ordered))
    staff = [point for point in ordered if point.courier is not None]
    n_left = sum(point.courier is not None for point in ordered[:middle])
    if len(staff) // LEAST_SHARE < n_left < len(staff) - len(staff) // LEAST_SHARE:
        return [ordered[:middle], ordered[middle:]]
    waiting = [point for point in ordered if point.courier is None]
    halves = (len(staff) + 1) // 2, len(waiting) // 2
    return [[*staff[: halves[0]], *waiting[: halves[1]]], [*staff[halves[0] :], *waiting[halves[1] :]]]


def _part(world: World, points: Sequence[_Point]) -> World:
    """The world with these couriers and orders, in its order."""
    courier_ids = {point.courier.id for point in points if point.courier is not None}
    order_ids = {order.id for point in points for order in point.orders}
    return replace(
        world,
        orders=tuple(order for order in world.orders if order.id in order_ids),
        couriers=tuple(courier for courier in world.couriers if courier.id in courier_ids),
    )
