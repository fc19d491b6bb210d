"""
The counter: what a place has to make, and what it says of that; functions on a `Desk`.

The place is held before its orders, so that of all who order there, or speak for it, one goes after the other. What it
says moves the ready time of its order, and those of the orders that wait behind it; dispatch plans anew with these.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from dispatch.errors import OrderNotFound, OrderNotOpen, PlaceFull, PlaceNotFound
from dispatch.orders import handover
from dispatch.orders.desk import Desk
from dispatch.orders.happened import happened
from dispatch.orders.order import OPEN_STATES, Order, OrderState
from dispatch.orders.rows import to_json
from dispatch.places.place import Line, Place, Preparation, Task, TaskState, place_from_row, preparation, task_from_row
from dispatch.places.soonest import soonest
from dispatch.stop import OrderId
from sql import queries

TOLD_FROM: Final = timedelta(seconds=60)
"""A ready time that moves by less is not worth a plan."""
NEW: Final = OrderId(UUID(int=0))
"""Of an order that is not there yet."""


async def get_place(connection: Any, place_id: UUID) -> Place:
    """The place; raises `PlaceNotFound`. `connection` may be a pool."""
    row = await connection.fetchrow(queries["places.get"], place_id)
    if row is None:
        raise PlaceNotFound(place_id=str(place_id))
    return place_from_row(row)


async def hold_place(connection: Any, place_id: UUID) -> Place:
    """The place, held until the transaction ends; raises `PlaceNotFound`."""
    await connection.fetchval(queries["places.hold"], place_id)
    return await get_place(connection, place_id)


async def tasks_of(connection: Any, place_id: UUID) -> list[Task]:
    """What the place has to make, and what waits there for a courier, as it was placed."""
    return [task_from_row(row) for row in await connection.fetch(queries["place_tasks.of_place"], place_id)]


def ready_times(place: Place, tasks: Sequence[Task], now: datetime) -> dict[OrderId, datetime]:
    """When what is not ready yet can be, at the soonest; nothing of what the hours leave no room for."""
    made = [task for task in tasks if task.problem is None and not task.is_made(now)]
    jobs = {task.order_id: task.job(now) for task in made}
    # What is wanted on another day does not keep what is wanted now waiting.
    queue = sorted(made, key=lambda task: (jobs[task.order_id].earliest_s, task.placed_at))
    slots = soonest([jobs[task.order_id] for task in queue], place.kitchen(now))
    return {
        task.order_id: now + timedelta(seconds=slots[str(task.order_id)].ends_s)
        for task in queue
        if str(task.order_id) in slots
    }


async def ready_for_new(
    connection: Any,
    place: Place,
    lines: Sequence[Line],
    now: datetime,
    *,
    opens_at: datetime | None,
    asked: datetime | None,
    made: Mapping[str, int] | None = None,
) -> datetime | None:
    """
    When an order that comes now would be ready; None where the hours say nothing.

    `made`: the pieces that there are for it of what was made ahead, by item.
    Raises `PlaceFull` where the place takes no more.
    """
    tasks = await tasks_of(connection, place.id)
    n_waiting = sum(not task.is_made(now) for task in tasks)
    if place.max_queue is not None and n_waiting >= place.max_queue:
        raise PlaceFull(place_id=str(place.id), n_waiting=n_waiting)
    new = Task(
        order_id=NEW,
        preparation=preparation(lines, place, made),
        placed_at=now,
        opens_at=opens_at,
        asked_ready_at=asked,
    )
    return ready_times(place, [*tasks, new], now).get(NEW)


async def take(
    desk: Desk, order: Order, place: Place, lines: Sequence[Line], *, asked: datetime | None, made: Mapping[str, int]
) -> None:
    """
    The place has an order to make that was just placed.

    `asked`: when the order itself says that it is ready; `made`: its pieces of what was made ahead, by item.
    """
    needs: Preparation = preparation(lines, place, made)
    told = [{"item": line.item, "quantity": line.quantity, "minutes": line.minutes} for line in lines]
    await desk.connection.execute(
        queries["place_tasks.add"],
        *(order.id, to_json(told), needs.duration_s, needs.batch, needs.amount, needs.shelf_s, asked),
    )


async def ask(desk: Desk, order_id: OrderId, ready_at: datetime | None) -> None:
    """Somebody says of a held order when it is ready: its place has it ready no sooner."""
    await desk.connection.execute(queries["place_tasks.ask"], order_id, ready_at)


async def start(desk: Desk, place_id: UUID, order_id: UUID, *, said_at: datetime | None = None) -> Task:
    """The place begins. Said twice is said once. Raises as `_hold` does."""
    place, task, order = await _hold(desk, place_id, order_id)
    if task.state is not TaskState.WAITING:
        return task
    at = _said(said_at, desk.now, task.placed_at)
    # Whatever the clock of who said it: it is not ready before now.
    until = max(at + timedelta(seconds=task.preparation.duration_s), desk.now)
    task = replace(task, state=TaskState.STARTED, started_at=at, until_at=until, problem=None)
    return await _said_of(desk, place, task, order)


async def ready(desk: Desk, place_id: UUID, order_id: UUID, *, said_at: datetime | None = None) -> Task:
    """It can be collected. Said twice is said once. Raises as `_hold` does."""
    place, task, order = await _hold(desk, place_id, order_id, is_ready=True)
    if task.state is TaskState.READY:
        return task
    at = _said(said_at, desk.now, task.started_at or task.placed_at)
    begun = task.started_at or at
    task = replace(
        task, state=TaskState.READY, started_at=begun, ready_at=at, until_at=None, not_before=None, problem=None
    )
    task = await _said_of(desk, place, task, order)
    await _tell(desk, place, task, "place.task_ready", {"ready_at": at.isoformat()})
    return task


async def delay(desk: Desk, place_id: UUID, order_id: UUID, minutes: int, *, reason: str | None = None) -> Task:
    """It takes so much longer than was said. Raises as `_hold` does, and `OrderNotOpen` once it is ready."""
    place, task, order = await _hold(desk, place_id, order_id)
    if task.state is TaskState.READY:
        raise OrderNotOpen("It is ready: it is not late any more.", order_id=str(order_id), state=task.state.value)
    has_begun = task.state is TaskState.STARTED
    before = task.until_at if has_begun else task.order_ready_at
    later = max(before or desk.now, desk.now) + timedelta(minutes=minutes)
    task = replace(task, until_at=later) if has_begun else replace(task, not_before=later)
    task = await _said_of(desk, place, task, order)
    facts = {"ready_at": later.isoformat(), "minutes": minutes, "reason": reason}
    await _tell(desk, place, task, "place.delayed", facts)
    return task


async def problem(desk: Desk, place_id: UUID, order_id: UUID, text: str) -> Task:
    """It cannot be made as it is: staff read why at the order, and decide. Raises as `_hold` does."""
    place, task, order = await _hold(desk, place_id, order_id)
    if task.state is TaskState.READY:
        raise OrderNotOpen("It is ready.", order_id=str(order_id), state=task.state.value)
    if task.problem == text:
        return task
    await desk.comment(order.id, f"{place.name}: {text}")
    task = replace(task, state=TaskState.WAITING, started_at=None, until_at=None, problem=text)
    return await _said_of(desk, place, task, order)


async def remake(desk: Desk, place: Place, task: Task, made: Mapping[str, int]) -> None:
    """What waits has got pieces that were made ahead: it takes less. `renew` tells of it."""
    needs = preparation(task.lines, place, made)
    await desk.connection.execute(
        queries["place_tasks.remake"], task.order_id, needs.duration_s, needs.batch, needs.amount
    )


async def renew(desk: Desk, place: Place) -> None:
    """Tell dispatch of a held place's ready times that are other ones now: it was paused, or works otherwise."""
    tasks = await tasks_of(desk.connection, place.id)
    await desk.lock_orders([task.order_id for task in tasks])
    await _follow(desk, place, await tasks_of(desk.connection, place.id))


async def _hold(desk: Desk, place_id: UUID, order_id: UUID, *, is_ready: bool = False) -> tuple[Place, Task, Order]:
    """
    The place, an order of it and what it makes, all held, with the other orders there.

    Raises `PlaceNotFound`, `OrderNotFound`, and `OrderNotOpen` where it was collected or is closed; `is_ready`: what
    was collected was ready.
    """
    place = await hold_place(desk.connection, place_id)
    others = [task.order_id for task in await tasks_of(desk.connection, place_id)]
    await desk.lock_orders([*others, order_id])
    row = await desk.connection.fetchrow(queries["place_tasks.find"], order_id, place_id)
    if row is None:
        raise OrderNotFound("The place has no such order.", order_id=str(order_id))
    order = await desk.get_order(OrderId(order_id))
    if order.state is OrderState.PICKED_UP and is_ready:
        return place, task_from_row(row), order
    if order.state not in OPEN_STATES or order.state is OrderState.PICKED_UP:
        raise OrderNotOpen("It was collected, or is closed.", order_id=str(order_id), state=order.state.value)
    return place, task_from_row(row), order


async def _said_of(desk: Desk, place: Place, task: Task, order: Order) -> Task:
    """Write what the place said of a task, and tell dispatch of the ready times that this moves."""
    await desk.connection.execute(
        queries["place_tasks.put"],
        *(task.order_id, task.state.value, task.not_before, task.until_at, task.started_at, task.ready_at),
        *(task.problem, desk.now),
    )
    if task.ready_at is not None and order.state is not OrderState.PICKED_UP:
        told = replace(order, ready_at=task.ready_at, ready_is_estimate=False, ready_error_s=0)
        await _change(desk, order, told)
    await _follow(desk, place, await tasks_of(desk.connection, place.id))
    row = await desk.connection.fetchrow(queries["place_tasks.find"], task.order_id, place.id)
    return task_from_row(row)


async def _follow(desk: Desk, place: Place, tasks: Sequence[Task]) -> None:
    """Move the ready times of held orders to when the place can have them ready."""
    times = ready_times(place, tasks, desk.now)
    for task in tasks:
        at = times.get(task.order_id)
        if at is None or (task.order_ready_at is not None and abs(at - task.order_ready_at) < TOLD_FROM):
            continue
        order = await desk.get_order(task.order_id)
        # How far such a time may be off is learned, by place and time of day.
        await _change(desk, order, replace(order, ready_at=at, ready_is_estimate=True, ready_error_s=None))


async def _change(desk: Desk, order: Order, told: Order) -> None:
    names = ("ready_at", "ready_is_estimate", "ready_error_s")
    changed = [name for name in names if getattr(order, name) != getattr(told, name)]
    if changed:
        await handover.change(desk, order, told, changed)


async def _tell(desk: Desk, place: Place, task: Task, kind: str, facts: Mapping[str, Any]) -> None:
    """Write an event for other systems, in the transaction of what it tells of."""
    told = {"place_id": place.id, "order_id": task.order_id, "external_id": task.external_id, "at": desk.now, **facts}
    await desk.connection.execute(queries["outbox.put"], kind, place.id, place.region, desk.now, to_json(told))


def _said(said_at: datetime | None, now: datetime, after: datetime) -> datetime:
    """When it was, as who says it believes, within what can be."""
    when = happened(said_at, now=now, after=after)
    return now if when is None else when.at
