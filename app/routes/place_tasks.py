"""What a place makes, and what it says of that: `/v1/places/{id}/tasks`."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.params import FromPath, JSONBody

from app.shapes.orders import Instant, OrderLine
from app.shapes.places import TaskShape, check_own
from app.web.actors import actor_of
from app.web.audit import audit
from app.web.auth import Caller, Role, requires
from app.web.dependencies import Arriving, CurrentCaller, Pool, RedisClient
from app.web.idempotency import IdempotencyKey, answered_before, remember_answer
from app.web.instants import check_instants
from app.web.pages import Page
from app.wiring.slotting import Planned, Slots, couriers_to
from dispatch.arrivals.answers import Arrivals
from dispatch.orders.desk import Desk, at_desk
from dispatch.places import counter
from dispatch.places.place import Place, Task

OWN = requires(Role.SUPPORT, Role.PLACE)


class Said(msgspec.Struct, kw_only=True):
    """When it was, by the clock of who says it; none: now."""

    at: Instant | None = None


class Delay(msgspec.Struct, kw_only=True):
    """How much longer it takes."""

    minutes: Annotated[int, msgspec.Meta(ge=1, le=720)]
    reason: Annotated[str, msgspec.Meta(max_length=500)] | None = None


class Trouble(msgspec.Struct, kw_only=True):
    """What is wrong, for staff."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=500, pattern=r"\S")]


@get("/v1/places/{place_id:uuid}/tasks", guards=[requires(Role.VIEWER, Role.PLACE)], tags=["places"])
async def list_tasks(
    place_id: FromPath[UUID], pool: Pool, caller: CurrentCaller, arrivals: Arriving, slotting: Slots
) -> Page[TaskShape]:
    """
    What the place has to make, with its slots, and what waits there for a courier; as it is to be begun.

    A slot begins as late as still meets the courier, within hours and capacity; of an order that nobody has, what
    dispatch was told.
    """
    check_own(place_id, caller)
    place = await counter.get_place(pool, place_id)
    return await _board(pool, place, arrivals, slotting)


@post("/v1/places/{place_id:uuid}/tasks/{order_id:uuid}/start", guards=[OWN], status_code=200, tags=["places"])
async def start_task(
    place_id: FromPath[UUID],
    order_id: FromPath[UUID],
    pool: Pool,
    redis: RedisClient,
    caller: CurrentCaller,
    data: JSONBody[Said | None] = None,
) -> TaskShape:
    """It is being made. Saying it again changes nothing."""
    check_own(place_id, caller)
    async with at_desk(pool, redis, actor_of(caller)) as desk:
        task = await counter.start(desk, place_id, order_id, said_at=_at(data))
        await _note(desk, caller, "start", task)
    return task_shape(task)


@post("/v1/places/{place_id:uuid}/tasks/{order_id:uuid}/ready", guards=[OWN], status_code=200, tags=["places"])
async def finish_task(
    place_id: FromPath[UUID],
    order_id: FromPath[UUID],
    pool: Pool,
    redis: RedisClient,
    caller: CurrentCaller,
    data: JSONBody[Said | None] = None,
) -> TaskShape:
    """It can be collected. Saying it again changes nothing."""
    check_own(place_id, caller)
    async with at_desk(pool, redis, actor_of(caller)) as desk:
        task = await counter.ready(desk, place_id, order_id, said_at=_at(data))
        await _note(desk, caller, "ready", task)
    return task_shape(task)


@post("/v1/places/{place_id:uuid}/tasks/{order_id:uuid}/delay", guards=[OWN], status_code=200, tags=["places"])
async def delay_task(
    place_id: FromPath[UUID],
    order_id: FromPath[UUID],
    data: JSONBody[Delay],
    pool: Pool,
    redis: RedisClient,
    caller: CurrentCaller,
    idempotency_key: IdempotencyKey = None,
) -> TaskShape:
    """It takes so much longer; what waits behind it is ready later, too."""
    check_own(place_id, caller)
    async with at_desk(pool, redis, actor_of(caller)) as desk:
        before = await answered_before(desk.connection, caller, idempotency_key, [str(order_id), data])
        if before is not None:
            return msgspec.convert(before, TaskShape)
        task = await counter.delay(desk, place_id, order_id, data.minutes, reason=data.reason)
        await _note(desk, caller, "delay", task)
        shape = task_shape(task)
        await remember_answer(desk.connection, caller, idempotency_key, 200, shape)
    return shape


@post("/v1/places/{place_id:uuid}/tasks/{order_id:uuid}/problem", guards=[OWN], status_code=200, tags=["places"])
async def report_problem(
    place_id: FromPath[UUID],
    order_id: FromPath[UUID],
    data: JSONBody[Trouble],
    pool: Pool,
    redis: RedisClient,
    caller: CurrentCaller,
) -> TaskShape:
    """It cannot be made as it is: staff read why among the order's comments. Saying `start` or `ready` ends that."""
    check_own(place_id, caller)
    async with at_desk(pool, redis, actor_of(caller)) as desk:
        task = await counter.problem(desk, place_id, order_id, data.text)
        await _note(desk, caller, "problem", task)
    return task_shape(task)


def task_shape(task: Task, planned: Planned | None = None, courier_at: datetime | None = None) -> TaskShape:
    """A task as it is answered; without a plan its slot is what the place itself said."""
    slot = None if planned is None else planned.slots.get(task.order_id)
    starts_at, ends_at = slot or (None, None)
    cannot = None if planned is None else planned.left_out.get(task.order_id)
    return TaskShape(
        order_id=task.order_id,
        external_id=task.external_id,
        state=task.state.value,
        lines=[OrderLine(item=line.item, quantity=line.quantity, minutes=line.minutes) for line in task.lines],
        placed_at=task.placed_at,
        starts_at=task.started_at or starts_at,
        ends_at=task.ready_at or ends_at or task.until_at,
        courier_at=courier_at,
        ready_at=task.order_ready_at,
        cannot=None if cannot is None else cannot.value,
        problem=task.problem,
    )


async def _board(pool: Any, place: Place, arrivals: Arrivals, slotting: Any) -> Page[TaskShape]:
    tasks = await counter.tasks_of(pool, place.id)
    couriers = await couriers_to(place, tasks, arrivals)
    planned = await slotting.of(place, tasks, couriers, datetime.now(UTC))
    shapes = [task_shape(task, planned, couriers.get(task.order_id)) for task in tasks]
    return Page(items=sorted(shapes, key=lambda one: (one.starts_at or one.placed_at, one.placed_at)))


async def _note(desk: Desk, caller: Caller, what: str, task: Task) -> None:
    await audit(desk.connection, caller, f"place.{what}", f"order:{task.order_id}")


def _at(data: Said | None) -> datetime | None:
    if data is None:
        return None
    check_instants(data)
    return data.at


route_handlers: list[Any] = [list_tasks, start_task, finish_task, delay_task, report_problem]
