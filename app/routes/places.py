"""Places where orders are prepared and collected: `/v1/places`."""

from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import asyncpg
import msgspec
from litestar import Response, delete, get, patch, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from app.shapes.places import (
    NewPlace,
    Pause,
    PlaceInfo,
    PlacePatch,
    check_own,
    columns_of,
    patched,
    place_shape,
    with_version,
)
from app.web.actors import actor_of
from app.web.audit import audit
from app.web.auth import Role, requires
from app.web.dependencies import CurrentCaller, Pool, RedisClient
from app.web.idempotency import IdempotencyKey, answered_before, remember_answer
from app.web.pages import PAGE_LIMIT, Page, cursor_of, key_of
from app.web.reach import partner_within_reach
from app.web.regions import known_region
from app.web.tokens import add_token
from app.web.versions import IfMatch, version_of
from dispatch.errors import ExternalIdInUse, PlaceInUse, PlaceNotFound, VersionConflict
from dispatch.orders.desk import at_desk
from dispatch.places import counter
from sql import queries


class PlaceToken(msgspec.Struct, kw_only=True):
    """Shown once."""

    id: UUID
    token: str
    prefix: str
    created_at: datetime


@post("/v1/places", guards=[requires(Role.DISPATCHER)], tags=["places"])
async def add_place(
    data: JSONBody[NewPlace], pool: Pool, caller: CurrentCaller, idempotency_key: IdempotencyKey = None
) -> Response[PlaceInfo]:
    """Add a place; orders name it as `pickup.place_id`."""
    columns = columns_of(data)
    async with pool.acquire() as connection, connection.transaction():
        before = await answered_before(connection, caller, idempotency_key, data)
        if before is not None:
            return with_version(msgspec.convert(before, PlaceInfo), status=201)
        region = await known_region(connection, data.region)
        try:
            place_id = await connection.fetchval(
                queries["places.add"], region, partner_within_reach(data.partner), *columns
            )
        except asyncpg.UniqueViolationError as exc:
            raise ExternalIdInUse("A place with this external_id exists.", external_id=data.external_id) from exc
        await audit(connection, caller, "place.add", f"place:{place_id}", {"name": data.name})
        shape = place_shape(await connection.fetchrow(queries["places.get"], place_id))
        await remember_answer(connection, caller, idempotency_key, 201, shape)
    return with_version(shape, status=201)


@get("/v1/places", guards=[requires(Role.VIEWER, Role.PLACE)], tags=["places"])
async def list_places(
    pool: Pool,
    caller: CurrentCaller,
    region: FromQuery[str | None] = None,
    cursor: FromQuery[str | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=PAGE_LIMIT)] = 100,
) -> Page[PlaceInfo]:
    """Places, oldest first; a place's token sees its own."""
    after = key_of(cursor, tuple[datetime, UUID]) or (None, None)
    only = caller.place_id if caller.role is Role.PLACE else None
    rows = await pool.fetch(queries["places.list"], region, partner_within_reach(None), only, *after, limit)
    items = [place_shape(row) for row in rows]
    more = cursor_of(items[-1].created_at, items[-1].id) if len(items) == limit else None
    return Page(items=items, next=more)


@get("/v1/places/{place_id:uuid}", guards=[requires(Role.VIEWER, Role.PLACE)], tags=["places"])
async def get_place(place_id: FromPath[UUID], pool: Pool, caller: CurrentCaller) -> Response[PlaceInfo]:
    """One place, for staff and for itself."""
    check_own(place_id, caller)
    return with_version(await _read(pool, place_id))


@patch("/v1/places/{place_id:uuid}", guards=[requires(Role.DISPATCHER)], tags=["places"])
async def change_place(
    place_id: FromPath[UUID],
    data: JSONBody[PlacePatch],
    pool: Pool,
    redis: RedisClient,
    caller: CurrentCaller,
    if_match: IfMatch = None,
) -> Response[PlaceInfo]:
    """Change what is given; the rest stays. What waits there is made by the new hours and capacity."""
    expected = version_of(if_match, None if data.version is msgspec.UNSET else data.version)
    async with at_desk(pool, redis, actor_of(caller)) as desk:
        await counter.hold_place(desk.connection, place_id)
        before = await _read(desk.connection, place_id)
        if expected not in {None, before.version}:
            raise VersionConflict(place_id=str(place_id), version=before.version, expected=expected)
        wanted, names = patched(before, data)
        try:
            async with desk.connection.transaction():
                await desk.connection.execute(queries["places.change"], place_id, *columns_of(wanted))
        except asyncpg.UniqueViolationError as exc:
            raise ExternalIdInUse("A place with this external_id exists.", external_id=wanted.external_id) from exc
        await audit(desk.connection, caller, "place.change", f"place:{place_id}", {"changed": names})
        await counter.renew(desk, await counter.get_place(desk.connection, place_id))
        shape = await _read(desk.connection, place_id)
    return with_version(shape)


@delete("/v1/places/{place_id:uuid}", guards=[requires(Role.DISPATCHER)], tags=["places"])
async def remove_place(place_id: FromPath[UUID], pool: Pool, caller: CurrentCaller) -> None:
    """Remove a place, with its tokens; 409 while orders are still to be collected there."""
    async with pool.acquire() as connection, connection.transaction():
        await counter.hold_place(connection, place_id)
        tasks = await counter.tasks_of(connection, place_id)
        if tasks:
            raise PlaceInUse(place_id=str(place_id), order_ids=[str(task.order_id) for task in tasks])
        await connection.execute(queries["places.remove"], place_id)
        await audit(connection, caller, "place.remove", f"place:{place_id}")


@post("/v1/places/{place_id:uuid}/pause", guards=[requires(Role.SUPPORT, Role.PLACE)], status_code=200, tags=["places"])
async def pause_place(
    place_id: FromPath[UUID], data: JSONBody[Pause], pool: Pool, redis: RedisClient, caller: CurrentCaller
) -> Response[PlaceInfo]:
    """
    Begin nothing new for some minutes; 0: go on now.

    What waits there, and what is ordered meanwhile, is ready after that; windows and promises follow.
    """
    check_own(place_id, caller)
    async with at_desk(pool, redis, actor_of(caller)) as desk:
        await counter.hold_place(desk.connection, place_id)
        until = desk.now + timedelta(minutes=data.minutes) if data.minutes else None
        await desk.connection.execute(queries["places.pause"], place_id, until)
        await audit(desk.connection, caller, "place.pause", f"place:{place_id}", {"minutes": data.minutes})
        await counter.renew(desk, await counter.get_place(desk.connection, place_id))
        shape = await _read(desk.connection, place_id)
    return with_version(shape)


@post("/v1/places/{place_id:uuid}/tokens", guards=[requires(Role.DISPATCHER)], tags=["places"])
async def issue_place_token(place_id: FromPath[UUID], pool: Pool, caller: CurrentCaller) -> PlaceToken:
    """A token for what the place has at its counter: it sees and says what is made there, and nothing else."""
    async with pool.acquire() as connection, connection.transaction():
        place = await counter.get_place(connection, place_id)
        made, token_id, created_at = await add_token(connection, Role.PLACE, place.name, place_id=place_id)
        await audit(connection, caller, "token.issue", f"place:{place_id}", {"prefix": made.prefix})
    return PlaceToken(id=token_id, token=made.token, prefix=made.prefix, created_at=created_at)


async def _read(connection: Any, place_id: UUID) -> PlaceInfo:
    row = await connection.fetchrow(queries["places.get"], place_id)
    if row is None:
        raise PlaceNotFound(place_id=str(place_id))
    return place_shape(row)


route_handlers: list[Any] = [
    add_place,
    list_places,
    get_place,
    change_place,
    remove_place,
    pause_place,
    issue_place_token,
]
