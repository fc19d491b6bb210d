"""
What a plan of one wave is made from: what the depot has to hand over, who is there when, and what came in past weeks.

A wave is a day that begins when it leaves, with couriers who begin and end at the depot.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid5

from dispatch import aside as asides
from dispatch.aside import Aside
from dispatch.orders.courier import Courier, Shift
from dispatch.orders.depots import Depot
from dispatch.orders.order import Order, OrderState, Window
from dispatch.orders.rows import order_from_row
from dispatch.planning.wave import Coming
from dispatch.region.day_process import DayFailed
from dispatch.region.day_world import Day, Free
from dispatch.region.store import route_from_row, usable
from dispatch.region.world import RouteInForce, unix_s
from dispatch.stop import OrderId, StopKind
from sql import queries
from tracking.geo import distance_m
from tracking.instants import from_unix
from tracking.position import CourierId, Region

MAX_ORDERS: Final = 1000
"""Of a wave: it is planned beside what may come, in many variants."""
WEEKS: Final = 4
"""The same hours of so many weeks are what may come."""
MOST_OF_A_WEEK: Final = 100
"""Orders; travel times are asked for to each of them."""
AT_DEPOT_M: Final = 300.0
"""A shift that begins or ends so near begins or ends there: gates, and two geocoders."""
AGAIN: Final = UUID("b8a3f0c2-7f5f-4a7e-8a55-4d8f1a5f5a10")


async def load(connection: Any, day: Day, name: str, aside: Aside, *, ahead: int) -> Day:
    """
    The wave of a day from the depot of that name; raises DayFailed where there is none, or too much to plan.

    `aside` is told who cannot be planned with.
    """
    depot = next((one for one in day.depots if one.name == name), None)
    leaves_at = () if depot is None else depot.waves(day.starts_at, day.ends_at, 1 + ahead)
    if depot is None or not leaves_at:
        raise DayFailed(f"no wave leaves the depot {name!r} in that time any more")
    region = day.region
    ids = [row["id"] for row in await connection.fetch(
        queries["day_plans.wave_orders"], region, name, day.ends_at, MAX_ORDERS + 1
    )]  # fmt: skip
    if len(ids) > MAX_ORDERS:
        raise DayFailed(f"expected at most {MAX_ORDERS:,} orders of a wave: plan a shorter time")
    routes = await _routes(connection, [courier.id for courier in day.couriers], aside)
    going = _going_before(routes, leaves_at[0])
    rows = await connection.fetch(queries["orders.get_many"], [order_id for order_id in ids if order_id not in going])
    orders = aside.each(rows, order_from_row, lambda row: asides.order(row["id"]), doing="read")
    held = await _others(connection, routes, {order.id for order in orders})
    past = await _past(connection, region, depot, leaves_at)
    return replace(
        day,
        starts_at=leaves_at[0],
        orders=(*orders, *(order for week in past for order in week)),
        couriers=tuple(found for courier in day.couriers if (found := at_depot(courier, depot, aside)) is not None),
        free=_free(routes, held, aside),
        coming=Coming(
            leaves_at=tuple(unix_s(at) for at in leaves_at),
            past=tuple(tuple(order.id for order in week) for week in past),
        ),
        shifts_at_depots=False,
    )


async def _routes(connection: Any, courier_ids: Sequence[CourierId], aside: Aside) -> dict[CourierId, RouteInForce]:
    found: dict[CourierId, RouteInForce] = {}
    for row in await connection.fetch(queries["routes.of_couriers"], list(courier_ids)):
        with aside.bearing(asides.courier(row["courier_id"]), doing="read the route"):
            found[row["courier_id"]] = route_from_row(row)
    return found


def _going_before(routes: Mapping[CourierId, RouteInForce], leaves_at: datetime) -> set[OrderId]:
    """What is to be loaded before this wave leaves: it goes with an earlier one."""
    return {
        stop.stop.order_id
        for route in routes.values()
        for stop in route.stops
        if stop.stop.kind is StopKind.PICKUP and stop.starts_at is not None and stop.starts_at < unix_s(leaves_at)
    }


async def _others(
    connection: Any, routes: Mapping[CourierId, RouteInForce], known: set[OrderId]
) -> dict[OrderId, Order]:
    """What couriers have on their routes that this wave does not decide."""
    ids = {stop.stop.order_id for route in routes.values() for stop in route.stops} - known
    rows = await connection.fetch(queries["orders.get_many"], sorted(ids))
    # Who has one that cannot be read is known to be busy until then, not where.
    return {order.id: order for order in Aside().each(rows, order_from_row, lambda row: asides.order(row["id"]))}


def _free(
    routes: Mapping[CourierId, RouteInForce], held: Mapping[OrderId, Order], aside: Aside
) -> dict[CourierId, Free]:
    """By courier with something else to do: where and when that is over."""
    found: dict[CourierId, Free] = {}
    for courier_id, route in routes.items():
        with aside.bearing(asides.courier(courier_id), doing="read the route"):
            for stop in route.stops:
                order = held.get(stop.stop.order_id)
                if order is not None and stop.leaves_at is not None and order.awaits(stop.stop.kind, courier_id):
                    found[courier_id] = Free(at=order.stop(stop.stop.kind).at, since=from_unix(stop.leaves_at))
    return found


def at_depot(courier: Courier, depot: Depot, aside: Aside) -> Courier | None:
    """The courier with the shifts that begin or end at the depot, or nowhere in particular; None: with none."""
    if asides.courier(courier.id) in aside.causes:
        return None
    shifts = tuple(replace(shift, start=depot.at, end=depot.at) for shift in courier.shifts if _is_there(shift, depot))
    if not shifts:
        aside.put(asides.courier(courier.id), f"no shift begins or ends at the depot {depot.name}")
        return None
    return replace(courier, shifts=shifts)


def _is_there(shift: Shift, depot: Depot) -> bool:
    places = [place for place in (shift.start, shift.end) if place is not None]
    return not places or any(distance_m(place, depot.at) <= AT_DEPOT_M for place in places)


async def _past(connection: Any, region: Region, depot: Depot, leaves_at: Sequence[datetime]) -> list[list[Order]]:
    """By week: what was placed between the waves, as if it came again; weeks without any order do not count."""
    weeks = [timedelta(weeks=back) for back in range(1, WEEKS + 1)]
    rows = await connection.fetch(
        queries["day_plans.past_orders"],
        region,
        depot.name,
        [leaves_at[0] - back for back in weeks],
        [leaves_at[-1] - back for back in weeks],
        MOST_OF_A_WEEK,
    )
    week_of = {row["id"]: row["n"] - 1 for row in rows}
    found: dict[int, list[Order]] = {}
    # History that cannot be read is no example: nobody needs to be told.
    for row in sorted(await connection.fetch(queries["orders.get_many"], list(week_of)), key=lambda row: row["id"]):
        for order in usable(Aside().each([row], order_from_row, lambda row: asides.order(row["id"]))):
            found.setdefault(week_of[order.id], []).append(again(order, weeks[week_of[order.id]], depot))
    return [found[week] for week in sorted(found)]


def again(order: Order, later: timedelta, depot: Depot) -> Order:
    """The order as if it were placed so much later, by somebody else, and nothing had been done yet."""

    def then(at: datetime | None) -> datetime | None:
        return None if at is None else at + later

    placed_at, ready_at, window = order.placed_at + later, then(order.ready_at), order.dropoff.window
    window = Window(opens_at=then(window.opens_at), due_at=then(window.due_at), closes_at=then(window.closes_at))
    return replace(
        order,
        id=OrderId(uuid5(AGAIN, str(order.id))),
        state=OrderState.PLACED,
        courier_id=None,
        placed_at=placed_at,
        ready_at=ready_at,
        # Perhaps it had waited for another wave.
        pickup=replace(order.pickup, window=Window(opens_at=depot.wave(max(placed_at, ready_at or placed_at)))),
        dropoff=replace(order.dropoff, window=window),
        group_id=None,
        picked_up_at=None,
    )
