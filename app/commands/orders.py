"""Placing and changing an order at a desk: alone, in a batch, or as part of a plan that is applied."""

from msgspec import UNSET

from app.shapes.orders import NewOrderShape, OrderPatch, new_order_of, patched
from app.web.audit import audit
from app.web.auth import Caller
from app.web.regions import known_region
from app.web.versions import version_of
from dispatch.orders import handover
from dispatch.orders.desk import Desk
from dispatch.orders.order import Order
from dispatch.stop import OrderId


async def place_one(desk: Desk, data: NewOrderShape, caller: Caller) -> Order:
    """Place an order within a desk's transaction; raises BadInput, and ExternalIdInUse, which leaves it usable."""
    order = await desk.place(new_order_of(data, await known_region(desk.connection, data.region)))
    await audit(desk.connection, caller, "order.place", f"order:{order.id}")
    return order


async def change_one(
    desk: Desk, order_id: OrderId, data: OrderPatch, caller: Caller, *, if_match: str | None = None
) -> Order:
    """Change an order within a desk's transaction; raises VersionConflict, OrderNotOpen, BadInput."""
    expected = version_of(if_match, None if data.version is UNSET else data.version)
    order = await desk.lock_order(order_id, version=expected)
    wanted, names = patched(order, data)
    if not names:
        return wanted
    await audit(desk.connection, caller, "order.change", f"order:{order_id}", {"changed": names})
    return await handover.change(desk, order, wanted, names)
