"""What a place makes ahead of orders, at a desk: begun, skipped, ready; then it is goods that orders take."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from math import ceil
from typing import Final
from uuid import uuid4

from app.commands.collecting import goods_at
from app.web.problems import BadInput
from dispatch.errors import ItemNotFound
from dispatch.orders.desk import Desk
from dispatch.orders.happened import MAX_AGE, happened
from dispatch.places import counter, larder
from dispatch.places.larder import Begun
from dispatch.places.place import Place, Recipe, Task, TaskState
from dispatch.stock import reserving
from dispatch.stock.moving import Kind, Wanted, move
from dispatch.stock.reserving import Line
from dispatch.stop import OrderId
from sql import queries

LOT: Final = "ahead {:%Y-%m-%d %H:%M:%S}"
"""By the place's clock: who looks at the goods knows which pot it is."""


async def begin(
    desk: Desk, place: Place, item: str, amount: int, *, said_at: datetime | None = None, is_skipped: bool = False
) -> Begun:
    """
    A held place begins a go, or says that it will not; where one of the same is being made it is that one.

    Raises BadInput where the place makes none of that ahead.
    """
    recipe = recipe_of(place, item)
    at = _said(said_at, desk.now)
    until_at = max(at + timedelta(minutes=recipe.minutes * ceil(amount / recipe.batch)), desk.now)
    go = Begun(
        item=item,
        amount=amount,
        started_at=at,
        until_at=until_at,
        good_until=until_at + timedelta(minutes=recipe.shelf_life_minutes or 0),
        is_skipped=is_skipped,
    )
    return await larder.begin(desk.connection, place.id, go)


async def give_up(desk: Desk, place: Place, item: str) -> Begun:
    """Nothing comes of the go that was begun. Raises `ItemNotFound` where there is none."""
    go = await _begun(desk, place, item)
    await desk.connection.execute(queries["place_ahead.end"], place.id, item)
    return go


async def ready(desk: Desk, place: Place, item: str, *, said_at: datetime | None = None) -> Begun:
    """
    The go of a held place is ready: it is goods of the place, and orders that wait for such take of it first.

    Raises `ItemNotFound` where there is none.
    """
    tasks = await counter.tasks_of(desk.connection, place.id)
    await desk.lock_orders([task.order_id for task in tasks])  # before goods, as everybody does
    go = await give_up(desk, place, item)
    at = max(_said(said_at, desk.now), go.started_at)
    good_until = at + (go.good_until - go.until_at)
    here = goods_at(place, desk.now)
    await desk.connection.execute(queries["place_ahead.keep"], place.region, place.partner, item)
    received = Wanted(
        id=uuid4(),
        kind=Kind.RECEIVE,
        quantity=go.amount,
        item=item,
        lot=LOT.format(at.astimezone(place.zone)),
        best_before=good_until.astimezone(place.zone).date(),
        good_until=good_until,
        said_at=at,
    )
    await move(desk.connection, here, received, desk.actor, desk.now)
    waiting = [task for task in tasks if task.state is TaskState.WAITING and not task.is_made(desk.now)]
    await _give(desk, place, item, waiting, good_until)
    await counter.renew(desk, place)
    return Begun(item=item, amount=go.amount, started_at=go.started_at, until_at=at, good_until=good_until)


def recipe_of(place: Place, item: str) -> Recipe:
    """How something is made that the place may make ahead; raises BadInput."""
    recipe = place.ahead.get(item)
    if recipe is None:
        raise BadInput("The place makes none of that ahead.", ("/item", "expected a recipe with ahead_minutes"))
    return recipe


async def _begun(desk: Desk, place: Place, item: str) -> Begun:
    row = await desk.connection.fetchrow(queries["place_ahead.started"], place.id, item)
    if row is None:
        raise ItemNotFound("None of that is being made ahead.", item=item)
    return larder.begun_from_row(row)


async def _give(desk: Desk, place: Place, item: str, tasks: Sequence[Task], good_until: datetime) -> None:
    """Orders that wait for it have it, as they were placed; those that want it while it is good."""
    has = await _taken(desk, place, tasks)
    for task in tasks:
        wants = sum(line.quantity for line in task.lines if line.item == item) - has[task.order_id].get(item, 0)
        late_at = max((at for at in (task.opens_at, task.asked_ready_at) if at is not None), default=None)
        if wants <= 0 or (late_at is not None and late_at > good_until):
            continue
        goods = goods_at(place, desk.now)
        for one in await reserving.take(desk.connection, goods, [Line(item, wants)], is_must=False):
            made = {**has[task.order_id], item: has[task.order_id].get(item, 0) + one.quantity}
            await reserving.keep(desk.connection, place.id, task.order_id, [one._replace(quantity=made[item])])
            await counter.remake(desk, place, task, made)


async def _taken(desk: Desk, place: Place, tasks: Sequence[Task]) -> Mapping[OrderId, dict[str, int]]:
    found: dict[OrderId, dict[str, int]] = {task.order_id: {} for task in tasks}
    for row in await desk.connection.fetch(queries["place_ahead.taken"], list(found), list(place.ahead)):
        found[row["order_id"]][row["item"]] = row["quantity"]
    return found


def _said(said_at: datetime | None, now: datetime) -> datetime:
    when = happened(said_at, now=now, after=now - MAX_AGE)
    return now if when is None else when.at
