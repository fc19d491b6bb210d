"""
Orders that name no depot are given the cheapest one, for as long as nobody has them; where the region wants that.

The planner knows orders with two ends. So the choice is made before it plans, by its own costs, and written to the
order: what it plans, what couriers are shown and what arrivals are reckoned from is one and the same place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID, uuid5

from dispatch.errors import OrderNotFound, OrderNotOpen, VersionConflict
from dispatch.orders.depots import Depot, at_depot
from dispatch.orders.desk import Desk
from dispatch.orders.order import Order, OrderKind, OrderState
from dispatch.region.world import World, planned_ahead
from dispatch.stop import OrderId
from tracking.geo import distance_m

MOST_ORDERS: Final = 20
"""Looked at before one plan: those that have waited longest."""
MOST_DEPOTS: Final = 8
"""Of each: the nearest to its door, but for the one it has."""
_WAYS: Final = UUID("3f9a3c7e-52a3-4d1b-9f0e-0c6b1a7d8e55")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """Orders from every depot they might come from, or be brought to."""

    world: World
    """With an order of its own for each way."""
    of: Mapping[OrderId, Mapping[OrderId, Order]]
    """By order: the others, by the name they have in `world`."""


def ways_of(world: World) -> Ways | None:
    """None: there is nothing to choose."""
    reserved = planned_ahead(world)
    free = [order for order in world.orders if _is_free(order) and order.id not in reserved]
    of: dict[OrderId, dict[OrderId, Order]] = {}
    for order in sorted(free, key=lambda order: (order.placed_at, order.id))[:MOST_ORDERS]:
        others = _others(order, world.depots)
        if others:
            of[order.id] = {other.id: other for other in others}
    if not of:
        return None
    return Ways(
        world=replace(world, orders=(*world.orders, *(one for ways in of.values() for one in ways.values()))), of=of
    )


def _is_free(order: Order) -> bool:
    has_nobody = order.state is OrderState.PLACED and order.courier_id is None
    return has_nobody and order.depot is not None and not order.depot_named and order.group_id is None


def _others(order: Order, depots: Sequence[Depot]) -> list[Order]:
    door = order.dropoff if order.kind is OrderKind.DROPOFF else order.pickup
    known = sorted((d for d in depots if d.name != order.depot), key=lambda depot: distance_m(depot.at, door.at))
    return [
        replace(
            at_depot(order, [depot], depot.name, order.placed_at),
            id=OrderId(uuid5(_WAYS, f"{order.id} {depot.name}")),
            depot_named=False,
        )
        for depot in known[:MOST_DEPOTS]
    ]


async def write(desk: Desk, chosen: Mapping[OrderId, Order]) -> dict[OrderId, Order]:
    """Orders with the ends that were chosen for them, as far as nobody has changed them or has been given them."""
    written = {}
    for order_id, way in sorted(chosen.items()):
        try:
            order = await desk.lock_order(order_id, version=way.version)
            if _is_free(order):
                changed: dict[str, Any] = {"depot": way.depot, "pickup": way.pickup, "dropoff": way.dropoff}
                facts = {"changed": ["depot"], "depot": way.depot, "was": order.depot}
                written[order_id] = await desk.change(order, replace(order, **changed), facts=facts)
        except (OrderNotFound, OrderNotOpen, VersionConflict):
            continue
    return written
