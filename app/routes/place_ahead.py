"""What a place makes ahead of orders, as much as is nearly surely asked for: `/v1/places/{id}/ahead`."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.params import FromPath, JSONBody

from app.commands import ahead as commands
from app.shapes.orders import Instant
from app.shapes.places import GoShape, check_own
from app.web.actors import actor_of
from app.web.audit import audit
from app.web.auth import Caller, Role, requires
from app.web.dependencies import Arriving, CurrentCaller, Pool, RedisClient
from app.web.idempotency import IdempotencyKey, answered_before, remember_answer
from app.web.instants import check_instants
from app.web.pages import Page
from app.wiring.slotting import Planned, Slots, couriers_to
from dispatch.errors import ItemNotFound
from dispatch.orders.desk import Desk, at_desk
from dispatch.places import counter, larder
from dispatch.places.ahead import Go, goes
from dispatch.places.larder import Begun
from dispatch.places.place import Place
from dispatch.stock.balances import forget_now

OWN = requires(Role.SUPPORT, Role.PLACE)
Item = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=r"\S")]
Said = Literal["start", "ready", "skip"]


class GoSaid(msgspec.Struct, kw_only=True):
    """Of a go that is made ahead; when, by the clock of who says it: none is now."""

    item: Item
    at: Instant | None = None


class NewGo(GoSaid, kw_only=True):
    """A go, and how many pieces it is of."""

    amount: Annotated[int, msgspec.Meta(ge=1, le=10_000)]


@get("/v1/places/{place_id:uuid}/ahead", guards=[requires(Role.VIEWER, Role.PLACE)], tags=["places"])
async def list_ahead(
    place_id: FromPath[UUID], pool: Pool, caller: CurrentCaller, arrivals: Arriving, slotting: Slots
) -> Page[GoShape]:
    """
    What the place may make before it is ordered, and what of that it is making; as it is to be begun.

    Of recipes with `ahead_minutes`, what was ordered at this time of the week says how much; orders go first, in hours
    and hands, and none is ready later for it.
    """
    check_own(place_id, caller)
    place = await counter.get_place(pool, place_id)
    if not place.ahead:
        return Page(items=[])
    now = datetime.now(UTC)
    tasks = await counter.tasks_of(pool, place_id)
    planned = await slotting.of(place, tasks, await couriers_to(place, tasks, arrivals), now)
    begun = await larder.begun_at(pool, place, now)
    left = await larder.left_at(pool, place, place.ahead, now)
    wants = larder.wants(place, left, begun, await slotting.habits(pool, place, now), now)
    found = goes(wants, planned.jobs, planned.table, place.kitchen(planned.at))
    made = [go_shape(go, "started") for go in begun if not go.is_skipped]
    return Page(items=sorted([*made, *_suggested(place, found, planned)], key=lambda one: (one.starts_at, one.item)))


@post("/v1/places/{place_id:uuid}/ahead/start", guards=[OWN], status_code=200, tags=["places"])
async def start_ahead(
    place_id: FromPath[UUID],
    data: JSONBody[NewGo],
    pool: Pool,
    redis: RedisClient,
    caller: CurrentCaller,
    idempotency_key: IdempotencyKey = None,
) -> GoShape:
    """A go is being made ahead; while one of the same is, that is the one."""
    check_own(place_id, caller)
    async with at_desk(pool, redis, actor_of(caller)) as desk:
        return await _say(desk, place_id, caller, "start", data, data.amount, idempotency_key)


@post("/v1/places/{place_id:uuid}/ahead/ready", guards=[OWN], status_code=200, tags=["places"])
async def finish_ahead(
    place_id: FromPath[UUID],
    data: JSONBody[GoSaid],
    pool: Pool,
    redis: RedisClient,
    caller: CurrentCaller,
    idempotency_key: IdempotencyKey = None,
) -> GoShape:
    """The go is ready: so much is in stock, and orders of it take less time, first of all those that wait."""
    check_own(place_id, caller)
    async with at_desk(pool, redis, actor_of(caller)) as desk:
        shape = await _say(desk, place_id, caller, "ready", data, 0, idempotency_key)
    await forget_now(redis, {place_id})
    return shape


@post("/v1/places/{place_id:uuid}/ahead/skip", guards=[OWN], status_code=200, tags=["places"])
async def skip_ahead(
    place_id: FromPath[UUID],
    data: JSONBody[NewGo],
    pool: Pool,
    redis: RedisClient,
    caller: CurrentCaller,
    idempotency_key: IdempotencyKey = None,
) -> GoShape:
    """It is not made, or nothing came of it; so much is not asked for again until it would be past its shelf life."""
    check_own(place_id, caller)
    async with at_desk(pool, redis, actor_of(caller)) as desk:
        return await _say(desk, place_id, caller, "skip", data, data.amount, idempotency_key)


async def _say(
    desk: Desk, place_id: UUID, caller: Caller, what: Said, data: GoSaid, amount: int, key: str | None
) -> GoShape:
    check_instants(data)
    before = await answered_before(desk.connection, caller, key, [str(place_id), what, data])
    if before is not None:
        return msgspec.convert(before, GoShape)
    place = await counter.hold_place(desk.connection, place_id)
    match what:
        case "start":
            shape = go_shape(await commands.begin(desk, place, data.item, amount, said_at=data.at), "started")
        case "ready":
            shape = go_shape(await commands.ready(desk, place, data.item, said_at=data.at), "ready")
        case "skip":
            shape = go_shape(await _skip(desk, place, data, amount), "skipped")
    await audit(desk.connection, caller, f"place.ahead_{what}", f"place:{place_id}", {"item": data.item})
    await remember_answer(desk.connection, caller, key, 200, shape)
    return shape


async def _skip(desk: Desk, place: Place, data: GoSaid, amount: int) -> Begun:
    try:
        return await commands.give_up(desk, place, data.item)
    except ItemNotFound:
        return await commands.begin(desk, place, data.item, amount, said_at=data.at, is_skipped=True)


def go_shape(go: Begun, state: Literal["started", "skipped", "ready"]) -> GoShape:
    """A go that the place spoke of."""
    return GoShape(
        item=go.item,
        amount=go.amount,
        state=state,
        starts_at=go.started_at,
        ends_at=go.until_at,
        wanted_at=None,
        good_until=go.good_until,
    )


def _suggested(place: Place, found: Sequence[Go], planned: Planned) -> list[GoShape]:
    return [
        GoShape(
            item=go.item,
            amount=go.amount,
            state="suggested",
            starts_at=planned.at + timedelta(seconds=go.slot.starts_s),
            ends_at=(ends_at := planned.at + timedelta(seconds=go.slot.ends_s)),
            wanted_at=planned.at + timedelta(seconds=go.wanted_s),
            good_until=ends_at + timedelta(minutes=place.ahead[go.item].shelf_life_minutes or 0),
        )
        for go in found
    ]


route_handlers: list[Any] = [list_ahead, start_ahead, finish_ahead, skip_ahead]
