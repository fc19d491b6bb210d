"""
What would happen if: a world with something changed, and how its plan differs from that of the world as it is; no I/O.

Both plans are made by the same `propose`, so the difference is what the change does, not what the planner would have
done anyway.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import uuid4

from dispatch.orders.order import NewOrder, Order, OrderKind, OrderState, Window
from dispatch.planning.proposal import Assignment, Plan, Unassigned
from dispatch.planning.snapshot import UnixS
from dispatch.region.world import NO_ROUTE, StopInForce, World
from dispatch.stop import OrderId, PlannedStop, StopKind, check_sequence
from tracking.position import CourierId


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """A plan in a few figures."""

    cost: int
    """The planner's objective."""
    n_orders: int
    n_unassigned: int
    n_late: int
    """Stops that are late."""
    late_s: int
    travel_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What a plan makes of an order."""

    order_id: OrderId
    courier_id: CourierId | None
    pickup_at: UnixS | None
    dropoff_at: UnixS | None
    """When it is handed over: whoever comes before the window opens waits."""
    late_s: int
    """At both stops together."""


def with_order(world: World, new: NewOrder) -> tuple[World, OrderId]:
    """A world with an order more, and the id the order has in it."""
    facts = {name: getattr(new, name) for name in NewOrder.__dataclass_fields__}
    order_id = OrderId(uuid4())
    order = Order(**facts, id=order_id, state=OrderState.PLACED, version=1, placed_at=world.now)
    return replace(world, orders=(*world.orders, order)), order_id


def with_changed(world: World, changed: Order) -> World:
    """A world in which an order reads differently."""
    return replace(world, orders=tuple(changed if order.id == changed.id else order for order in world.orders))


def without_order(world: World, order_id: OrderId) -> World:
    """A world with an order less."""
    orders = tuple(order for order in world.orders if order.id != order_id)
    return _without_stops(replace(world, orders=orders), {order_id})


def without_courier(world: World, courier_id: CourierId) -> World:
    """A world in which a courier takes nothing new and has only what is on board."""
    taken = {
        order.id
        for order in world.orders
        if order.courier_id == courier_id and order.state in {OrderState.ASSIGNED, OrderState.ACCEPTED}
    }
    orders = tuple(_free(order) if order.id in taken else order for order in world.orders)
    couriers = tuple(
        replace(courier, on_duty=False) if courier.id == courier_id else courier for courier in world.couriers
    )
    return _without_stops(replace(world, orders=orders, couriers=couriers), taken)


def with_assigned(world: World, order_id: OrderId, courier_id: CourierId) -> World:
    """A world in which an order has been given to a courier by hand."""
    orders = tuple(
        replace(order, state=OrderState.ASSIGNED, courier_id=courier_id, pinned=True)
        if order.id == order_id and order.courier_id != courier_id
        else order
        for order in world.orders
    )
    return _without_stops(replace(world, orders=orders), {order_id})


def with_sequence(world: World, courier_id: CourierId, wanted: Sequence[PlannedStop]) -> World:
    """A world in which a courier's stops have been put in this order by hand; ValueError for others than there are."""
    route = world.routes.get(courier_id, NO_ROUTE)
    check_sequence(route.sequence, wanted)
    stops = tuple(StopInForce(stop=stop, fixed=True) for stop in wanted)
    return replace(world, routes={**world.routes, courier_id: replace(route, stops=stops)})


def about(world: World, order_ids: Collection[OrderId], courier_ids: Collection[CourierId] | None = None) -> World:
    """
    What of a world bears on giving these orders to somebody, or to these couriers: the rest costs a plan time.

    The orders are in nobody's route.
    """
    couriers = [c for c in world.couriers if courier_ids is None or c.id in courier_ids]
    routes = {c.id: world.routes[c.id] for c in couriers if c.id in world.routes}
    there = {courier.id for courier in couriers}
    theirs = {stop.stop.order_id for route in routes.values() for stop in route.stops}
    theirs |= {order.id for order in world.orders if order.courier_id in there}
    orders = tuple(order for order in world.orders if order.id in theirs or order.id in order_ids)
    world = replace(world, orders=orders, couriers=tuple(couriers), routes=routes)
    return _without_stops(world, set(order_ids))  # nor is one of them kept for somebody who is still to come


def with_window(new: NewOrder, opens_at: datetime, length_s: int) -> NewOrder:
    """The order with a hard window for its drop-off, or where it is only collected."""
    closes_at = opens_at + timedelta(seconds=length_s)
    window = Window(opens_at=opens_at, due_at=closes_at, closes_at=closes_at)
    if new.kind is OrderKind.PICKUP:
        return replace(new, pickup=replace(new.pickup, window=window))
    return replace(new, dropoff=replace(new.dropoff, window=window))


def slots(now: datetime, *, length_s: int, step_s: int, n: int) -> tuple[datetime, ...]:
    """Starts of `n` windows: the first full step of the clock that ends in the future, and the following ones."""
    first = int(now.timestamp() + step_s - length_s) // step_s * step_s
    return tuple(datetime.fromtimestamp(first + i * step_s, now.tzinfo) for i in range(n))


def totals(plan: Plan) -> Totals:
    """A plan in a few figures."""
    late = [stop.late_s for route in plan.routes for stop in route.stops if stop.late_s > 0]
    return Totals(
        cost=plan.cost,
        n_orders=len(plan.assignments) + len(plan.unassigned),
        n_unassigned=len(plan.unassigned),
        n_late=len(late),
        late_s=sum(late),
        travel_s=sum(route.cost.get("travel", 0) for route in plan.routes),
    )


def fates(plan: Plan) -> dict[OrderId, Fate]:
    """What the plan makes of each order."""
    found = {
        left.order_id: Fate(order_id=left.order_id, courier_id=None, pickup_at=None, dropoff_at=None, late_s=0)
        for left in plan.unassigned
    }
    for route in plan.routes:
        arrivals = {stop.stop: stop for stop in route.stops}
        for order_id in dict.fromkeys(stop.stop.order_id for stop in route.stops):
            pickup = arrivals.get(PlannedStop(order_id, StopKind.PICKUP))
            dropoff = arrivals.get(PlannedStop(order_id, StopKind.DROPOFF))
            found[order_id] = Fate(
                order_id=order_id,
                courier_id=route.courier_id,
                pickup_at=None if pickup is None else pickup.arrives_at,
                dropoff_at=None if dropoff is None else dropoff.starts_at,
                late_s=sum(max(0, stop.late_s) for stop in (pickup, dropoff) if stop is not None),
            )
    return found


def differences(
    before: Mapping[OrderId, Fate], after: Mapping[OrderId, Fate], *, tolerance_s: int = 60
) -> list[tuple[Fate | None, Fate | None]]:
    """Orders that fare differently: another courier, or a drop-off that moves by more than `tolerance_s`."""
    changed = []
    for order_id in [*after, *(known for known in before if known not in after)]:
        old, new = before.get(order_id), after.get(order_id)
        if old is None or new is None or old.courier_id != new.courier_id or _moved(old, new) > tolerance_s:
            changed.append((old, new))
    return changed


def assignment_of(plan: Plan, order_id: OrderId) -> Assignment | None:
    """Who gets an order and what that costs; None when nobody does."""
    return next((given for given in plan.assignments if given.order_id == order_id), None)


def exclusion_of(plan: Plan, order_id: OrderId) -> Unassigned | None:
    """Why nobody gets an order; None when somebody does."""
    return next((left for left in plan.unassigned if left.order_id == order_id), None)


def can_be_promised(plan: Plan, base: Plan, order_id: OrderId) -> bool:
    """Whether a plan makes an order in time without dropping or delaying another one that `base` has."""
    before, after = fates(base), fates(plan)
    own = after.pop(order_id, None)
    before.pop(order_id, None)
    if own is None or own.courier_id is None or own.late_s:
        return False
    dropped = sum(fate.courier_id is None for fate in after.values())
    delay_s = sum(fate.late_s for fate in after.values())
    return dropped <= sum(fate.courier_id is None for fate in before.values()) and delay_s <= sum(
        fate.late_s for fate in before.values()
    )


def _moved(old: Fate, new: Fate) -> int:
    if old.dropoff_at is None or new.dropoff_at is None:
        return 0
    return abs(new.dropoff_at - old.dropoff_at)


def _free(order: Order) -> Order:
    return replace(order, state=OrderState.PLACED, courier_id=None, pinned=False)


def _without_stops(world: World, order_ids: set[OrderId]) -> World:
    routes = {
        courier_id: replace(route, stops=tuple(stop for stop in route.stops if stop.stop.order_id not in order_ids))
        for courier_id, route in world.routes.items()
    }
    return replace(world, routes=routes)
