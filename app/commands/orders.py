"""What is done to an order at a desk, with its line in the audit log: alone, with many others, or as part of a plan."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec import UNSET, to_builtins

from app.commands.at_place import AtPlace, at_place
from app.commands.collecting import goods_at
from app.shapes.orders import NewOrderShape, OrderPatch, OrderShape, new_order_of, objection_shapes, patched, shape_of
from app.web.audit import audit
from app.web.auth import Caller
from app.web.regions import known_region
from app.web.versions import version_of
from dispatch.errors import CourierUnsuitable, OutOfStock
from dispatch.orders import handover
from dispatch.orders.depots import depots_of
from dispatch.orders.desk import Desk
from dispatch.orders.order import NewOrder, Order
from dispatch.orders.proof import plain
from dispatch.orders.rows import order_from_row
from dispatch.places import counter
from dispatch.places.place import Line as PlaceLine
from dispatch.places.place import Place
from dispatch.planning.proposal import FOR_NOW, ReasonCode
from dispatch.stock import reserving
from dispatch.stock.reserving import Line
from dispatch.stop import OrderId
from sql import queries
from tracking.position import CourierId


async def shapes_of_many(connection: Any, ids: Sequence[str]) -> list[OrderShape]:
    """Orders by their ids, with what the planner thinks of them; those that are gone are left out."""
    rows = await connection.fetch(queries["orders.get_many"], [UUID(one) for one in ids])
    decisions = {
        row["order_id"]: row
        for row in await connection.fetch(queries["decisions.of_orders"], [row["id"] for row in rows])
    }
    return [shape_of(order_from_row(row), decisions.get(row["id"])) for row in rows]


async def place_one(desk: Desk, data: NewOrderShape, caller: Caller) -> Order:
    """Place an order within a desk's transaction; BadInput and what else may be wrong with it leave that usable."""
    at = await at_place(desk.connection, data, desk.now, hold=True)
    region = await known_region(desk.connection, at.order.region)
    new = new_order_of(at.order, region, await depots_of(desk.connection, region), desk.now)
    order = await (desk.place(new) if at.place is None else _place_at(desk, new, at.place, at, data.ready_at))
    if data.code is not None:
        await desk.connection.execute(queries["proofs.set_code"], order.id, plain(data.code))
    await audit(desk.connection, caller, "order.place", f"order:{order.id}")
    return order


async def _place_at(desk: Desk, new: NewOrder, place: Place, at: AtPlace, asked: datetime | None) -> Order:
    n_events = len(desk.events)
    try:
        async with desk.connection.transaction():
            # First, so that an order that is placed again is known, whatever it has left for others.
            order = await desk.place(new)
            goods = _goods(place, at.lines, at.made)
            taken = await reserving.take(desk.connection, goods_at(place, desk.now), goods, made=place.ahead)
            made = {one.item: one.quantity for one in taken if one.item in place.ahead}
            await counter.take(desk, order, place, at.lines, asked=asked, made=made)
            await reserving.keep(desk.connection, place.id, order.id, taken)
    except OutOfStock:
        del desk.events[n_events:]  # of what has been undone
        raise
    return order


def _goods(place: Place, lines: Sequence[PlaceLine], made: Mapping[str, int]) -> list[Line]:
    """What the lines take of the place's goods: of what it may make ahead, no more than there is of that."""
    wanted: dict[str, int] = {}
    for line in lines:
        wanted[line.item] = wanted.get(line.item, 0) + line.quantity
    bounded = {item: min(n, made.get(item, 0)) if item in place.ahead else n for item, n in wanted.items()}
    return [Line(item, n) for item, n in bounded.items() if n]


async def change_one(
    desk: Desk, order_id: OrderId, data: OrderPatch, caller: Caller, *, if_match: str | None = None
) -> Order:
    """Change an order within a desk's transaction; raises VersionConflict, OrderNotOpen, BadInput."""
    expected = version_of(if_match, None if data.version is UNSET else data.version)
    order = await desk.lock_order(order_id, version=expected)
    depots = () if data.depot is UNSET else await depots_of(desk.connection, order.region)
    wanted, names = patched(order, data, depots)
    if not names:
        return wanted
    await audit(desk.connection, caller, "order.change", f"order:{order_id}", {"changed": names})
    if "ready_at" in names and order.place_id is not None:
        await counter.ask(desk, order_id, wanted.ready_at)
    return await handover.change(desk, order, wanted, names)


async def cancel_one(
    desk: Desk, order_id: OrderId, caller: Caller, *, reason: str | None, version: int | None = None
) -> Order:
    """Cancel an order within a desk's transaction; raises OrderNotFound, OrderNotOpen, VersionConflict."""
    order = await desk.cancel(order_id, reason=reason, version=version)
    await audit(desk.connection, caller, "order.cancel", f"order:{order_id}", {"reason": reason})
    return order


async def reassign_one(
    desk: Desk,
    order_id: OrderId,
    courier_id: CourierId,
    caller: Caller,
    *,
    reason: str | None = None,
    version: int | None = None,
    pinned: bool = True,
    expires_in: timedelta | None,
    against: Sequence[ReasonCode] = (),
    force: bool = False,
) -> Order:
    """
    Give an order to a courier within a desk's transaction; raises as `handover.assign` does.

    `against`: what speaks against the courier. Raises CourierUnsuitable, unless it is only for now, or with `force`;
    but first of all what others have done to the order since, for that comes before any decision about couriers.
    """
    await desk.lock_order(order_id, version=version)
    if not force and not FOR_NOW.issuperset(against):
        raise CourierUnsuitable(
            order_id=str(order_id), courier_id=str(courier_id), reasons=to_builtins(objection_shapes(against))
        )
    order = await handover.assign(
        desk, order_id, courier_id, reason=reason, version=version, pinned=pinned, expires_in=expires_in
    )
    facts: dict[str, Any] = {"courier_id": courier_id, "reason": reason}
    if against:
        facts |= {"warnings": list(against), "forced": force}
    await audit(desk.connection, caller, "order.reassign", f"order:{order_id}", facts)
    return order


async def pin_one(
    desk: Desk,
    order_id: OrderId,
    caller: Caller,
    *,
    pinned: bool,
    reason: str | None = None,
    version: int | None = None,
) -> Order:
    """Pin an order to its courier, or let it go, within a desk's transaction; raises OrderNotFound, OrderNotOpen."""
    order = await handover.pin(desk, await desk.lock_order(order_id, version=version), pinned=pinned, reason=reason)
    await audit(
        desk.connection, caller, "order.pin" if pinned else "order.unpin", f"order:{order_id}", {"reason": reason}
    )
    return order
