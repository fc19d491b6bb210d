"""What a command from another system does, at a desk: by the use cases that the HTTP API has."""

from dataclasses import replace
from enum import StrEnum
from typing import Final, assert_never
from uuid import UUID

import msgspec

from app.commands import collecting
from app.commands.duty import set_duty
from app.commands.locating import located
from app.commands.orders import cancel_one, change_one, place_one
from app.gateway.commands import PREFIX, Cancel, Command, Done, Failed, Nothing, Ready
from app.geocoding.chain import Geocoding
from app.shapes.orders import NewOrderShape, OrderPatch
from app.web.audit import audit
from app.web.auth import Caller
from app.web.problems import BadInput
from dispatch.errors import ExternalIdInUse, OrderNotFound
from dispatch.orders.desk import Desk
from dispatch.orders.happened import happened
from dispatch.orders.order import Order, OrderState
from dispatch.stop import OrderId
from sql import queries
from tracking.errors import CourierNotFound
from tracking.position import CourierId, LatLon


class Effect(StrEnum):
    """What a command did."""

    DONE = "done"
    REPEATED = "repeated"
    """It was so already."""
    LATE = "late"
    """What it was about is over."""


STEPS: Final = {f"{PREFIX}order.picked_up": OrderState.PICKED_UP, f"{PREFIX}order.delivered": OrderState.DELIVERED}
HAS_FAILED: Final = frozenset({OrderState.FAILED, OrderState.RETURNING, OrderState.RETURNED})
STOPPED: Final = frozenset({OrderState.CANCELLED, OrderState.RETURNING, OrderState.RETURNED})


async def prepared(command: Command, geocoding: Geocoding) -> Command:
    """The command, as far as others have to be asked: before the desk, which holds a connection. Raises BadInput."""
    if not isinstance(command.data, NewOrderShape):
        return command
    if command.data.external_id not in {None, command.subject}:
        raise BadInput(
            "The order's external id is the event's subject.", ("/data/external_id", "expected none, or the subject")
        )
    order = msgspec.structs.replace(command.data, external_id=command.subject)
    return replace(command, data=await located(order, geocoding))


async def subject_of(desk: Desk, command: Command) -> str:
    """Whose it is, to be kept: of a courier our id, for what others call the courier goes when the courier goes."""
    if isinstance(command.data, Nothing):
        return str(await _courier(desk, command.subject))
    return command.subject


async def perform(desk: Desk, command: Command, caller: Caller) -> Effect:
    """Do it, within the desk's transaction; raises as the use cases do."""
    data = command.data
    match data:
        case NewOrderShape():
            return await _place(desk, data, caller)
        case Nothing():
            courier_id = await _courier(desk, command.subject)
            await set_duty(desk, courier_id, caller, on_duty=command.type.endswith(".on_duty"))
            return Effect.DONE
        case _:
            pass
    order = await desk.lock_order(await _order_id(desk, command.subject))
    match data:
        case OrderPatch():
            if not order.is_open:
                return Effect.LATE
            await change_one(desk, order.id, data, caller)
        case Ready():
            if not order.is_open or order.picked_up_at is not None:
                return Effect.LATE
            ready_at = data.ready_at or command.time or desk.now
            await change_one(desk, order.id, OrderPatch(ready_at=ready_at, ready_is_estimate=False), caller)
        case Cancel():
            if order.state in STOPPED:
                return Effect.REPEATED
            if not order.is_open:
                return Effect.LATE
            await cancel_one(desk, order.id, caller, reason=data.reason)
        case Done() | Failed():
            return await _step(desk, order, command, data, caller)
        case _:
            assert_never(data)
    return Effect.DONE


async def _place(desk: Desk, data: NewOrderShape, caller: Caller) -> Effect:
    try:
        await place_one(desk, data, caller)
    except ExternalIdInUse as exc:
        twin_id = exc.facts["id"]
        if not isinstance(twin_id, UUID) or not _is_same(await desk.get_order(OrderId(twin_id)), data):
            raise
        return Effect.REPEATED
    return Effect.DONE


def _is_same(order: Order, data: NewOrderShape) -> bool:
    """Whether it is the order that was to be placed: it goes between the same places, for the same customer."""
    at_place = data.pickup is not None and data.pickup.place_id is not None
    ends = [(order.dropoff.at, data.dropoff), *([] if at_place else [(order.pickup.at, data.pickup)])]
    if at_place and data.pickup is not None and data.pickup.place_id != order.place_id:
        return False
    return order.customer_id == data.customer_id and all(
        stop is None or LatLon(stop.lat or 0.0, stop.lon or 0.0) == at for at, stop in ends
    )


async def _step(desk: Desk, order: Order, command: Command, data: Done | Failed, caller: Caller) -> Effect:
    """A step of the courier, told afterwards: it happened when the other system says, within bounds."""
    to = STEPS.get(command.type)
    if order.state is to or (to is None and order.state in HAS_FAILED):
        return Effect.REPEATED
    if not order.is_open or (to is OrderState.PICKED_UP and order.picked_up_at is not None):
        return Effect.LATE
    when = happened(data.at or command.time, now=desk.now, after=order.last_step_at)
    if isinstance(data, Failed):
        await desk.fail(order, reason=data.reason, happened=when)
    elif to is OrderState.PICKED_UP:
        await collecting.pick_up(desk, order, note=data.note, happened=when)
    else:
        await desk.deliver(order, happened=when, unproved=f"told over {caller.name}")
    await audit(desk.connection, caller, "order.step_for_courier", f"order:{order.id}")
    return Effect.DONE


async def _order_id(desk: Desk, subject: str) -> OrderId:
    """By the external id, else by ours."""
    found = await desk.connection.fetchval(queries["orders.id_by_external_id"], subject)
    if found is not None:
        return OrderId(found)
    if (order_id := _uuid(subject)) is None:
        raise OrderNotFound(subject=subject)
    return OrderId(order_id)


async def _courier(desk: Desk, subject: str) -> CourierId:
    given = _uuid(subject)
    rows = await desk.connection.fetch(queries["couriers.find_by_any_id"], [subject], [] if given is None else [given])
    if not rows:
        raise CourierNotFound(courier_id=subject)
    by_name = [row for row in rows if row["external_id"] == subject]
    return CourierId((by_name or rows)[0]["id"])


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
