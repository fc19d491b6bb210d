"""
Plans of days ahead in the database: what they are made from, how they are kept, and how they become routes.

A plan is looked at before it is applied; what changed meanwhile is left out then, and told.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, Final
from uuid import UUID

import msgspec

from dispatch import aside as asides
from dispatch.aside import Aside
from dispatch.errors import DayPlanNotFound, DayPlanNotReady
from dispatch.orders.depots import Depot, depots_of
from dispatch.orders.desk import Desk
from dispatch.orders.order import Order, OrderState
from dispatch.orders.rows import from_json, order_from_row, shift_from_row, to_json
from dispatch.planning.proposal import Plan
from dispatch.planning.snapshot import Snapshot
from dispatch.planning.wave import WavePlan
from dispatch.region import day_world, wave_world
from dispatch.region.day_process import DayFailed
from dispatch.region.day_world import Day
from dispatch.region.store import courier_of, load_areas
from dispatch.stop import OrderId
from sql import queries
from tracking.position import CourierId, Region

MAX_ORDERS: Final = 2000
"""Of a plan: matrices grow with the square of it."""
MAX_COURIERS: Final = 500
SET_ASIDE: Final = "set_aside"
"""The reason of an order that cannot be read or borne."""


class DayStop(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A stop as the column `day_plans.plan` and `routes.stops` have it."""

    order_id: UUID
    kind: str
    arrives_at: int
    starts_at: int
    leaves_at: int
    late_s: int = 0


class DayPlace(msgspec.Struct, kw_only=True):
    """The depot that was chosen for an end of a shift."""

    depot: str
    lat: float
    lon: float


class DayRoute(msgspec.Struct, kw_only=True):
    """What one courier shall do in one shift."""

    courier_id: UUID
    shift_id: UUID
    starts_at: datetime
    ends_at: datetime
    stops: list[DayStop]
    cost: dict[str, int]
    begins_at: DayPlace | None = None
    ends_in: DayPlace | None = None
    """Where the shift says no place, and the region has the cheapest depot chosen."""


class LeftOut(msgspec.Struct, kw_only=True):
    """An order that nobody can take, and why."""

    order_id: UUID
    reasons: dict[str, Any]


class CourierLeftOut(msgspec.Struct, kw_only=True):
    """A courier who cannot be planned with, and why."""

    courier_id: UUID
    cause: str


class DayWaits(msgspec.Struct, kw_only=True):
    """An order that does not leave with a wave, why, and for which one it waits."""

    order_id: UUID
    reason: str
    until: datetime
    share: float | None = None


class DayWave(msgspec.Struct, kw_only=True):
    """The wave that is planned, the next ones, and what waits for these."""

    depot: str
    leaves_at: list[datetime]
    waiting: list[DayWaits]


class DayPlan(msgspec.Struct, kw_only=True):
    """A plan as it is kept."""

    routes: list[DayRoute]
    unassigned: list[LeftOut]
    cost: int
    versions: dict[str, int]
    """Of the orders it was made from."""
    couriers_left_out: list[CourierLeftOut] = []
    wave: DayWave | None = None
    """None: a plan of the whole day."""


class Dropped(msgspec.Struct, kw_only=True):
    """What of a plan was not applied."""

    order_id: UUID
    reason: str
    """`changed`, `not_open`, `shift_changed` or `courier_gone`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What became of a plan."""

    region: Region
    couriers: Sequence[CourierId]
    """Those whose routes changed."""
    order_ids: Sequence[OrderId]
    dropped: Sequence[Dropped]


async def load(
    connection: Any,
    region: Region,
    starts_at: datetime,
    ends_at: datetime,
    aside: Aside,
    *,
    shifts_at_depots: bool = False,
    wave_depot: str | None = None,
    ahead: int = 0,
) -> Day:
    """
    What a plan of the day is made from, or of the first wave from a depot. Raises DayFailed where it is too large.

    `ahead`: so many waves after that one are planned with.
    """
    ids = [] if wave_depot is not None else [row["id"] for row in await connection.fetch(
        queries["day_plans.orders"], region, starts_at, ends_at, MAX_ORDERS + 1
    )]  # fmt: skip
    rows = await connection.fetch(queries["day_plans.couriers"], region, starts_at, ends_at)
    if len(ids) > MAX_ORDERS or len(rows) > MAX_COURIERS:
        raise DayFailed(f"expected at most {MAX_ORDERS:,} orders and {MAX_COURIERS:,} couriers: plan a shorter time")
    orders = await connection.fetch(queries["orders.get_many"], ids)
    shifts = await connection.fetch(queries["day_plans.shifts"], [row["id"] for row in rows], starts_at, ends_at)
    of: dict[CourierId, list[Any]] = {
        courier_id: list(found) for courier_id, found in groupby(shifts, key=lambda row: row["courier_id"])
    }
    day = Day(
        region=region,
        starts_at=starts_at,
        ends_at=ends_at,
        orders=tuple(aside.each(orders, order_from_row, lambda row: asides.order(row["id"]), doing="read")),
        couriers=tuple(
            aside.each(
                rows,
                lambda row: courier_of(row, of.get(row["id"], []), []),
                lambda row: asides.courier(row["id"]),
                doing="read",
            )
        ),
        areas=await load_areas(connection, region, aside),
        depots=await depots_of(connection, region),
        shifts_at_depots=shifts_at_depots,
    )
    return day if wave_depot is None else await wave_world.load(connection, day, wave_depot, aside, ahead=ahead)


def kept(made: Plan | WavePlan, day: Day, snapshot: Snapshot, aside: Aside, *, depot: str | None = None) -> DayPlan:
    """The plan of a snapshot as it is kept, of a wave from a depot; what was set aside is among what is left out."""
    plan = made.plan if isinstance(made, WavePlan) else made
    known = {order.id for order in day.known}
    who = day.on_shift
    depots = {route.courier_id: day_world.depots_of(route, day, snapshot) for route in plan.routes}
    return DayPlan(
        routes=[
            DayRoute(
                courier_id=who[route.courier_id].courier.id,
                shift_id=_known(who[route.courier_id].shift.id),
                starts_at=who[route.courier_id].shift.starts_at,
                ends_at=who[route.courier_id].shift.ends_at,
                stops=[
                    DayStop(
                        order_id=row.stop.order_id,
                        kind=row.stop.kind.value,
                        arrives_at=row.arrives_at,
                        starts_at=row.starts_at,
                        leaves_at=row.leaves_at,
                        late_s=row.late_s,
                    )
                    for row in route.stops
                ],
                cost=dict(route.cost),
                begins_at=_place(depots[route.courier_id][0]),
                ends_in=_place(depots[route.courier_id][1]),
            )
            for route in plan.routes
            if route.stops
        ],
        unassigned=[
            LeftOut(
                order_id=left.order_id,
                reasons={
                    code.value: {"n": n, "example": _courier_of(left.example.get(code), day)}
                    for code, n in left.reasons.items()
                },
            )
            for left in plan.unassigned
        ]
        + [
            LeftOut(order_id=subject.order_id, reasons={SET_ASIDE: {"n": 0, "example": None}})
            for subject in aside.causes
            if subject.order_id in known
        ],
        cost=plan.cost,
        versions={str(order.id): order.version for order in day.known},
        couriers_left_out=[
            CourierLeftOut(courier_id=subject.courier_id, cause=cause)
            for subject, cause in aside.causes.items()
            if subject.courier_id is not None
        ],
        wave=_wave(made, day, depot) if isinstance(made, WavePlan) and depot is not None else None,
    )


def _wave(made: WavePlan, day: Day, depot: str) -> DayWave:
    assert day.coming is not None  # a wave was asked for
    return DayWave(
        depot=depot,
        leaves_at=[datetime.fromtimestamp(at, UTC) for at in day.coming.leaves_at],
        waiting=[
            DayWaits(
                order_id=one.order_id,
                reason=one.reason.value,
                until=datetime.fromtimestamp(one.until, UTC),
                share=one.share,
            )
            for one in made.waiting
        ],
    )


def _place(depot: Depot | None) -> DayPlace | None:
    return None if depot is None else DayPlace(depot=depot.name, lat=depot.lat, lon=depot.lon)


def _known(shift_id: UUID | None) -> UUID:
    assert shift_id is not None  # read from the table
    return shift_id


def _courier_of(name: CourierId | None, day: Day) -> str | None:
    one = None if name is None else day.on_shift.get(name)
    return None if one is None else str(one.courier.id)


async def apply(desk: Desk, plan_id: UUID) -> Applied:
    """
    Make a ready plan the routes of its couriers; raises DayPlanNotFound, DayPlanNotReady.

    Orders that are not as the plan saw them, and those of a shift that is not as it was, are left out and told. What a
    courier's route has already stays before it. What waits for a later wave is loaded for that one, and is in no route.
    """
    row = await desk.connection.fetchrow(queries["day_plans.lock"], plan_id)
    if row is None:
        raise DayPlanNotFound(id=str(plan_id))
    if row["state"] != "ready":
        raise DayPlanNotReady(id=str(plan_id), state=row["state"])
    region, plan = Region(row["region"]), msgspec.convert(from_json(row["plan"]), DayPlan)
    wanted = [stop.order_id for route in plan.routes for stop in route.stops]
    waiting = [] if plan.wave is None else plan.wave.waiting
    current = {found["id"]: order_from_row(found) for found in await desk.connection.fetch(
        queries["orders.lock_many"], [*wanted, *(one.order_id for one in waiting)]
    )}  # fmt: skip
    here = {found["id"]: found for found in await desk.connection.fetch(
        queries["day_plans.couriers"], region, row["starts_at"], row["ends_at"]
    )}  # fmt: skip
    shifts = {found["id"]: shift_from_row(found) for found in await desk.connection.fetch(
        queries["day_plans.shifts"], list(here), row["starts_at"], row["ends_at"]
    )}  # fmt: skip
    dropped: dict[UUID, str] = {}
    for route in plan.routes:
        shift = shifts.get(route.shift_id)
        as_it_was = shift is not None and (shift.starts_at, shift.ends_at) == (route.starts_at, route.ends_at)
        for stop in route.stops:
            why = _changed(current.get(OrderId(stop.order_id)), plan.versions.get(str(stop.order_id)))
            if route.courier_id not in here:
                why = "courier_gone"
            elif not as_it_was:
                why = "shift_changed"
            if why is not None:
                dropped[stop.order_id] = why
    for one in waiting:
        why = _changed(current.get(OrderId(one.order_id)), plan.versions.get(str(one.order_id)))
        if why is not None:
            dropped[one.order_id] = why
    waiting = [one for one in waiting if one.order_id not in dropped]
    couriers = await _put(desk, region, plan, dropped, out=[one.order_id for one in waiting])
    for one in waiting:
        await _hold(desk, current[OrderId(one.order_id)], one)
    await _give_places(desk, region, plan, dropped)
    await desk.connection.execute(queries["day_plans.applied"], plan_id, desk.now)
    applied = [OrderId(order_id) for order_id in dict.fromkeys(wanted) if order_id not in dropped]
    return Applied(
        region=region,
        couriers=couriers,
        order_ids=applied,
        dropped=[Dropped(order_id=order_id, reason=why) for order_id, why in dropped.items()],
    )


def _changed(order: Order | None, version: int | None) -> str | None:
    if order is None or order.state is not OrderState.PLACED:
        return "not_open"
    return None if order.version == version else "changed"


async def _hold(desk: Desk, order: Order, waits: DayWaits) -> None:
    """Have an order wait for a later wave: it cannot be loaded before."""
    window = order.pickup.window.not_before(waits.until)
    if window != order.pickup.window:
        facts = {"changed": ["pickup"], "waits_until": waits.until.isoformat(), "why": waits.reason}
        await desk.change(order, replace(order, pickup=replace(order.pickup, window=window)), facts=facts)


async def _put(
    desk: Desk, region: Region, plan: DayPlan, dropped: Mapping[UUID, str], *, out: Sequence[UUID]
) -> list[CourierId]:
    """Append what is left of the plan to the routes, in which nobody else intends it any more, nor what is `out`."""
    stops: dict[CourierId, list[DayStop]] = {}
    for route in sorted(plan.routes, key=lambda route: (str(route.courier_id), route.starts_at)):
        left = [stop for stop in route.stops if stop.order_id not in dropped]
        stops.setdefault(CourierId(route.courier_id), []).extend(left)
    ids = sorted({str(stop.order_id) for of_one in stops.values() for stop in of_one} | set(map(str, out)))
    mine = sorted(courier_id for courier_id, of_one in stops.items() if of_one)
    await desk.connection.execute(queries["routes.ensure"], region, mine)
    await desk.connection.fetch(queries["routes.lock_many"], mine)
    versions: dict[CourierId, int] = {}
    for row in await desk.connection.fetch(queries["day_plans.take_out"], region, ids, desk.now):
        versions[row["courier_id"]] = row["version"]
    for courier_id in mine:
        text = to_json([_in_force(stop) for stop in stops[courier_id]])
        row = await desk.connection.fetchrow(queries["routes.append_stops"], courier_id, region, text, desk.now)
        versions[courier_id] = row["version"]
    for courier_id, version in versions.items():
        desk.tell_route(region, courier_id, version)
    return sorted(versions)


async def _give_places(desk: Desk, region: Region, plan: DayPlan, dropped: Mapping[UUID, str]) -> None:
    """Write the depots that were chosen into the shifts, as far as these name no place; the route relies on them."""
    for route in plan.routes:
        chosen = [route.begins_at, route.ends_in]
        if not any(chosen) or all(stop.order_id in dropped for stop in route.stops):
            continue
        places = [value for at in chosen for value in ((None, None) if at is None else (at.lat, at.lon))]
        await desk.connection.execute(queries["shifts.give_places"], route.shift_id, *places)
        desk.tell_courier(region, CourierId(route.courier_id))


def _in_force(stop: DayStop) -> dict[str, Any]:
    facts: dict[str, Any] = msgspec.to_builtins(stop)
    return facts | {"late_s": stop.late_s}
