"""
The planner's way into the database: a region as it is at one moment. `dispatch.region.commit` is the way back.

Orders' steps and events are written by `dispatch.orders.desk`.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import groupby
from typing import Any, Generic, TypeVar
from uuid import UUID

import asyncpg

from dispatch import aside as asides
from dispatch.alert_kind import TROUBLE_KINDS
from dispatch.aside import REGION, Aside
from dispatch.orders.courier import Courier
from dispatch.orders.depots import depots_of
from dispatch.orders.order import Order, Window
from dispatch.orders.pauses import PauseParams, paused
from dispatch.orders.rows import courier_from_row, from_json, order_from_row, rest_from_row, shift_from_row
from dispatch.region.world import COLLECT_AHEAD_S, RouteInForce, StopInForce, World
from dispatch.region.zones import Areas
from dispatch.stop import OrderId, PlannedStop, StopKind
from sql import queries
from tracking.instants import FIRST, LAST, is_believable
from tracking.position import CourierId, Region
from tracking.watching.area import Area

LOST_AFTER = timedelta(minutes=3)
"""So long after the alert a silent courier's orders go to others: tunnels and lifts are shorter."""
RESTS_SINCE = timedelta(days=2)
"""Breaks taken longer ago belong to no shift that goes on."""


Row = Mapping[str, Any]
Rows = TypeVar("Rows")
Made = TypeVar("Made")


class Kept(Generic[Rows, Made]):
    """What was made of rows, by id, for as long as they are the same: of thousands few change between two looks."""

    def __init__(self) -> None:
        self._made: dict[UUID, tuple[Rows, Made]] = {}

    def __len__(self) -> int:
        return len(self._made)

    def has(self, id_: UUID, rows: Rows) -> bool:
        """Whether nothing would have to be made."""
        kept = self._made.get(id_)
        return kept is not None and kept[0] == rows

    def of(self, id_: UUID, rows: Rows, make: Callable[[Rows], Made]) -> Made:
        """What `make` says of the rows; whatever it raises is raised, each time."""
        kept = self._made.get(id_)
        if kept is None or kept[0] != rows:
            kept = self._made[id_] = rows, make(rows)
        return kept[1]

    def keep(self, ids: Collection[UUID]) -> None:
        """Only these are in the region."""
        if self._made.keys() != ids:
            self._made = {id_: made for id_, made in self._made.items() if id_ in ids}


@dataclass(frozen=True, slots=True)
class Known:
    """What was read of a region before."""

    orders: Kept[str, Order] = field(default_factory=Kept)
    """Each of its row's mark: of thousands of wide rows only those are asked for that have changed."""
    couriers: Kept[tuple[Row, list[Row], list[Row]], Courier] = field(default_factory=Kept)
    """Each of a row of its own, and those of shifts and breaks."""
    routes: Kept[Row, RouteInForce] = field(default_factory=Kept)


async def load(
    pool: asyncpg.Pool,
    region: Region,
    *,
    now: datetime | None = None,
    horizon_s: int | None = None,
    collect_ahead_s: int = COLLECT_AHEAD_S,
    pauses: PauseParams | None = None,
    aside: Aside | None = None,
    asked: Collection[CourierId] = (),
    known: Known | None = None,
) -> World:
    """
    The region's open orders, couriers and routes, as they were at one moment; `now` by the database's clock.

    With `horizon_s`, what nobody has and cannot be collected within this time is not read: it costs a plan nothing.
    `asked`: couriers who are looked at even when they are off duty.
    """
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        now = now or await connection.fetchval(queries["clock.now"])
        assert now is not None
        return await read(
            connection,
            region,
            now,
            horizon_s=horizon_s,
            collect_ahead_s=collect_ahead_s,
            pauses=pauses,
            aside=aside,
            asked=asked,
            known=known,
        )


async def put_off(
    pool: asyncpg.Pool, region: Region, now: datetime, horizon_s: int, collect_ahead_s: int = COLLECT_AHEAD_S
) -> None:
    """Say of the orders beyond the horizon that it is not yet their time."""
    until = now + timedelta(seconds=horizon_s)
    await pool.execute(queries["decisions.put_not_yet"], region, until, now, float(collect_ahead_s))


async def hold(
    connection: Any, region: Region, order_ids: Collection[UUID], to: Collection[UUID], off: Collection[UUID]
) -> None:
    """
    Let nobody else change orders, and what couriers have, until the transaction ends; the rest of the region goes on.

    For what compares the region with how it was, and then changes those orders, gives some `to` couriers and sends
    others `off`: two of those go one after the other. Orders and then routes, each in sequence, as everybody does.
    """
    await connection.execute(queries["planning.lock_region"], region)
    held = await connection.fetch(queries["orders.lock_touched"], list(order_ids), list(off))
    holders = {row["courier_id"] for row in held if row["courier_id"] is not None}
    await connection.fetch(queries["routes.lock_many"], sorted({*holders, *to, *off}))


async def basis(connection: Any, region: Region) -> str:
    """A digest of what a preview is made from: changes whenever an open order or a route of the region does."""
    return str(await connection.fetchval(queries["planning.basis"], region))


async def read(
    connection: Any,
    region: Region,
    now: datetime,
    *,
    horizon_s: int | None = None,
    collect_ahead_s: int = COLLECT_AHEAD_S,
    pauses: PauseParams | None = None,
    aside: Aside | None = None,
    asked: Collection[CourierId] = (),
    known: Known | None = None,
) -> World:
    """
    The same within a transaction of the caller's.

    Rows that cannot be used are left out, which `aside` is told: an order, and whoever has it, for a plan that does not
    know of a stop would take it out of the route; a courier with a broken shift, who might not be at work. `known`:
    what was read before, which is taken from there where its rows have not changed; it is brought up to date.
    """
    aside = Aside() if aside is None else aside
    known = Known() if known is None else known
    until = None if horizon_s is None else now + timedelta(seconds=horizon_s)
    if until is None:
        marks = await connection.fetch(queries["orders.marks_open"], region)
    else:
        marks = await connection.fetch(queries["orders.marks_within_horizon"], region, until, float(collect_ahead_s))
    new = [row["id"] for row in marks if not known.orders.has(row["id"], row["mark"])]
    rows = {row["id"]: row for row in await connection.fetch(queries["orders.get_many"], new)}
    couriers = await connection.fetch(queries["planning.couriers"], region, list(asked))
    routes = await connection.fetch(queries["routes.of_couriers"], [row["id"] for row in couriers])
    refused = await connection.fetch(queries["offers.refusals_in_region"], region)
    troubled = await connection.fetch(queries["planning.troubled"], region, sorted(TROUBLE_KINDS), now - LOST_AFTER)
    shifts = await connection.fetch(queries["shifts.of_couriers"], [row["id"] for row in couriers], now)
    rests = await connection.fetch(queries["breaks.of_couriers"], [row["id"] for row in couriers], now - RESTS_SINCE)
    also_asked = await connection.fetch(queries["offers.also_asked"], region)
    usable = aside.each(
        marks,
        lambda row: known.orders.of(row["id"], row["mark"], lambda _: _order(rows[row["id"]])),
        lambda row: asides.order(row["id"]),
        doing="read",
    )
    known.orders.keep({row["id"] for row in marks})
    left_out = {row["courier_id"] for row in rows.values() if asides.order(row["id"]) in aside.causes}
    shifts_of, rests_of = _by_courier(shifts), _by_courier(rests)
    refusals: dict[OrderId, dict[CourierId, datetime]] = {}
    for row in refused:
        refusals.setdefault(row["order_id"], {})[row["courier_id"]] = row["at"]
    in_force: dict[CourierId, RouteInForce] = {}
    for row in routes:
        with aside.bearing(asides.courier(row["courier_id"]), doing="read the route"):
            in_force[row["courier_id"]] = known.routes.of(row["courier_id"], row, route_from_row)
    known.routes.keep({row["courier_id"] for row in routes})
    staff = aside.each(
        [row for row in couriers if row["id"] not in left_out],
        lambda row: known.couriers.of(
            row["id"],
            (row, shifts_of.get(row["id"], []), rests_of.get(row["id"], [])),
            lambda rows: courier_of(*rows),
        ),
        lambda row: asides.courier(row["id"]),
        doing="read",
    )
    known.couriers.keep({row["id"] for row in couriers})
    return World(
        region=region,
        now=now,
        orders=tuple(usable),
        couriers=tuple(courier for courier in staff if asides.courier(courier.id) not in aside.causes),
        routes=in_force,
        read_until=until,
        refusals=refusals,
        troubled=frozenset(row["courier_id"] for row in troubled),
        lost=frozenset(row["courier_id"] for row in troubled if row["lost"]),
        paused=frozenset(await paused(connection, region, now, pauses or PauseParams())),
        also_asked={row["courier_id"]: row["n"] for row in also_asked},
        asked=frozenset(asked),
        areas=await load_areas(connection, region, aside),
        depots=await depots_of(connection, region),
    )


async def load_areas(connection: Any, region: Region, aside: Aside | None = None) -> Areas:
    """Where couriers of a region work; `aside` is told of what is no area. `connection` may be a pool."""
    aside = Aside() if aside is None else aside
    fences: dict[UUID, Area] = {}
    boundary: Area | None = None
    for row in await connection.fetch(queries["planning.areas"], region):
        with aside.bearing(REGION, doing="read an area"):
            area = _area(row["geometry"], row["radius_m"])
            if row["id"] is None:
                boundary = area
            else:
                fences[row["id"]] = area
    return Areas(fences=fences, boundary=boundary)


@lru_cache(maxsize=512)
def _area(geometry: str, radius_m: float | None) -> Area:
    """The area of a fence or boundary as it is stored; of a few hundred none changes between two looks."""
    return Area.from_geojson(from_json(geometry), radius_m=radius_m)


def usable(orders: Iterable[Order]) -> tuple[Order, ...]:
    """Those of some orders that a plan can be made with."""
    return tuple(Aside().each(orders, _checked, lambda order: asides.order(order.id)))


def _order(row: Mapping[str, Any]) -> Order:
    return _checked(order_from_row(row))


def _checked(order: Order) -> Order:
    """The order, if all its instants are such as somebody can mean; PostgreSQL also knows `infinity`."""
    mine = (order.placed_at, order.ready_at, order.picked_up_at)
    for at in (*mine, *_instants(order.pickup.window), *_instants(order.dropoff.window)):
        _check_instant(at)
    return order


def _by_courier(rows: Sequence[Mapping[str, Any]]) -> dict[CourierId, list[Mapping[str, Any]]]:
    return {courier_id: list(theirs) for courier_id, theirs in groupby(rows, key=lambda row: row["courier_id"])}


def courier_of(
    row: Mapping[str, Any], shifts: Sequence[Mapping[str, Any]], rests: Sequence[Mapping[str, Any]]
) -> Courier:
    """The courier, if all instants of shifts and breaks are such as somebody can mean."""
    courier = courier_from_row(
        row, [shift_from_row(shift) for shift in shifts], [rest_from_row(rest) for rest in rests]
    )
    for shift in courier.shifts:
        for at in (shift.starts_at, shift.ends_at, *(a for p in shift.breaks for a in (p.opens_at, p.closes_at))):
            _check_instant(at)
    for rest in courier.rests:
        _check_instant(rest.began_at)
        _check_instant(rest.until)
    return courier


def _instants(window: Window) -> tuple[datetime | None, ...]:
    return (window.opens_at, window.due_at, window.closes_at)


def _check_instant(at: datetime | None) -> None:
    if at is not None and (at.tzinfo is None or not is_believable(at)):
        raise ValueError(f"expected instants from {FIRST:%Y} until before {LAST:%Y}")


def route_from_row(row: Mapping[str, Any]) -> RouteInForce:
    """A route in force from a row of `routes`."""
    return RouteInForce(version=row["version"], stops=tuple(stop_from_json(stop) for stop in from_json(row["stops"])))


def stop_from_json(stop: Mapping[str, Any]) -> StopInForce:
    """A stop as the column `routes.stops` has it."""
    return StopInForce(
        stop=PlannedStop(OrderId(UUID(stop["order_id"])), StopKind(stop["kind"])),
        arrives_at=stop.get("arrives_at"),
        starts_at=stop.get("starts_at"),
        leaves_at=stop.get("leaves_at"),
        late_s=stop.get("late_s", 0),
        fixed=stop.get("fixed", False),
        break_at=stop.get("break_at"),
        break_s=stop.get("break_s", 0),
    )


def stop_to_json(stop: StopInForce) -> dict[str, Any]:
    """A stop for the column `routes.stops`; what is not known is left out."""
    times = {"arrives_at": stop.arrives_at, "starts_at": stop.starts_at, "leaves_at": stop.leaves_at}
    facts: dict[str, Any] = {"order_id": str(stop.stop.order_id), "kind": stop.stop.kind.value}
    facts |= {name: at for name, at in times.items() if at is not None}
    if stop.late_s:
        facts["late_s"] = stop.late_s
    if stop.fixed:
        facts["fixed"] = True
    if stop.break_s:
        facts |= {"break_at": stop.break_at, "break_s": stop.break_s}
    return facts
