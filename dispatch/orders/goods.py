"""
Goods that did not reach their recipient: brought back, tried again, handed to another courier; functions on a `Desk`.

Whoever has goods on board has a stop for them on the route. Nobody leaves with them before somebody decided.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from dispatch.errors import GoodsOnBoard, OrderNotOpen
from dispatch.orders import breaks, handover
from dispatch.orders.desk import Desk
from dispatch.orders.order import Order, OrderKind, OrderState, Window, mirrored
from dispatch.stop import OrderId
from sql import queries
from tracking.position import CourierId, Region


async def leave_behind(desk: Desk, reasons: Mapping[CourierId, str]) -> None:
    """
    What couriers who leave have not collected goes to others, for a reason each; a break of theirs is over.

    Raises `GoodsOnBoard` while one of them has goods: these are transferred or handed over first.
    """
    await handover.release(desk, reasons)
    # Looked at afterwards, when whatever was just being collected has either been taken away or is on board.
    on_board = await desk.connection.fetch(queries["orders.on_board"], list(reasons))
    if on_board:
        courier_id = on_board[0]["courier_id"]
        theirs = [str(row["id"]) for row in on_board if row["courier_id"] == courier_id]
        raise GoodsOnBoard(courier_id=str(courier_id), order_ids=theirs)
    await breaks.end_all(desk, list(reasons))


async def move_courier(desk: Desk, courier_id: CourierId, region: Region) -> None:
    """
    The courier goes on in another region: what is not collected stays behind for others, the route begins anew.

    Raises `GoodsOnBoard` while there is something to be handed over here.
    """
    await leave_behind(desk, {courier_id: "moved to another region"})
    await desk.connection.execute(queries["routes.move"], courier_id, region, desk.now)


async def transfer(desk: Desk, order_id: OrderId, courier_id: CourierId, *, version: int | None = None) -> Order:
    """
    Goods on board change hands on the spot, as after a breakdown: nobody is asked. Told twice it is the same.

    Raises `OrderNotOpen` unless they are on board, `CourierNotFound` when there is no such courier in the region.
    """
    order = await desk.lock_order(order_id, version=version)
    await handover.require_courier(desk, courier_id, order.region)
    if not order.is_on_board:
        raise OrderNotOpen("Nothing is on board: reassign it.", order_id=str(order_id), state=order.state.value)
    if order.courier_id == courier_id:
        return order
    facts = {"from_courier_id": str(order.courier_id)}
    moved = await desk.move(order, order.state, action="transfer", courier_id=courier_id, pinned=False, facts=facts)
    await desk.reroute(moved, from_courier_id=order.courier_id)
    desk.tell(moved, "order.changed")
    return moved


async def retry(
    desk: Desk, order_id: OrderId, *, window: Window | None, reason: str, version: int | None = None
) -> Order:
    """
    Try a failed or returned order again, from the pickup; one that is still being brought back turns round instead.

    `window` is the recipient's; without one the windows of the attempt before stay as far as they are not over. What
    became of that attempt is kept in the event. Raises `OrderNotOpen`.
    """
    order = await desk.lock_order(order_id, version=version)
    turns_round = order.state is OrderState.RETURNING
    before: dict[str, Any] = {"attempt": order.attempt, "state": order.state.value, "reason": order.close_reason}
    if order.proof is not None:
        before["proof"] = dict(order.proof)
    to = OrderState.PICKED_UP if turns_round else OrderState.PLACED
    moved = await desk.move(order, to, action="retry", reason=reason, facts={"before": before})
    if turns_round:
        await desk.reroute(moved)
    again = _renewed(moved, window, desk.now)
    names = [name for name in ("pickup", "dropoff", "ready_at") if getattr(again, name) != getattr(moved, name)]
    return await desk.change(moved, again, facts={"changed": names}) if names else moved


def _renewed(order: Order, window: Window | None, now: datetime) -> Order:
    """The order with nothing in it that the time of an earlier attempt made impossible."""
    dropoff = replace(order.dropoff, window=_unless_over(order.dropoff.window, now) if window is None else window)
    if order.is_on_board:
        return replace(order, dropoff=dropoff)
    pickup = replace(order.pickup, window=_unless_over(order.pickup.window, now))
    if order.kind is OrderKind.PICKUP:  # who is asked for the goods waits at the pickup
        pickup = pickup if window is None else replace(pickup, window=window)
        dropoff = mirrored(pickup) if order.depot is None else order.dropoff
    return replace(order, pickup=pickup, dropoff=dropoff, ready_at=max(order.ready_at or now, now))


def _unless_over(window: Window, now: datetime) -> Window:
    return Window() if is_over(window, now) else window


def is_over(window: Window, now: datetime) -> bool:
    """Whether it cannot be kept any more."""
    return any(at is not None and at <= now for at in (window.due_at, window.closes_at))
