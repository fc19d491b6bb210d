"""The fleet: `/v1/couriers`."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import asyncpg
import msgspec
import redis.asyncio as aioredis
from litestar import Response, delete, get, patch, post
from litestar.params import FromPath, FromQuery, HeaderParameter, JSONBody, QueryParameter

from app.web.announce import announce
from app.web.audit import audit
from app.web.auth import Role, requires
from app.web.dependencies import CurrentCaller, Pool, RedisClient, Tokens
from app.web.idempotency import IdempotencyKey, answered_before, remember_answer
from app.web.pages import PAGE_LIMIT, Page, cursor_of, key_of
from app.web.problems import Conflict
from app.web.regions import known_region
from app.web.versions import version_of
from sql import queries
from tracking.errors import CourierNotFound
from tracking.history.history import History
from tracking.live import LivePositions
from tracking.position import CourierId, Mode, Region

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
ExternalId = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
RegionId = Annotated[str, msgspec.Meta(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
Capacity = Annotated[list[Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]], msgspec.Meta(max_length=8)]
Skills = Annotated[list[Annotated[str, msgspec.Meta(min_length=1, max_length=64)]], msgspec.Meta(max_length=64)]
MaxOrders = Annotated[int, msgspec.Meta(ge=1, le=1000)]


class NewCourier(msgspec.Struct, kw_only=True):
    """A courier to be; `region` defaults to the installation's only one."""

    name: Name
    mode: Mode
    external_id: ExternalId | None = None
    region: RegionId | None = None
    capacity: Capacity = []
    skills: Skills = []
    max_orders: MaxOrders = 8
    on_duty: bool = True
    attributes: dict[str, Any] = {}


class CourierPatch(msgspec.Struct, kw_only=True):
    """What shall change; `version` (or If-Match) refuses the change when somebody else was first."""

    name: Name | msgspec.UnsetType = msgspec.UNSET
    mode: Mode | msgspec.UnsetType = msgspec.UNSET
    external_id: ExternalId | msgspec.UnsetType | None = msgspec.UNSET
    region: RegionId | msgspec.UnsetType = msgspec.UNSET
    capacity: Capacity | msgspec.UnsetType = msgspec.UNSET
    skills: Skills | msgspec.UnsetType = msgspec.UNSET
    max_orders: MaxOrders | msgspec.UnsetType = msgspec.UNSET
    on_duty: bool | msgspec.UnsetType = msgspec.UNSET
    attributes: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    version: Annotated[int, msgspec.Meta(ge=1, lt=2**31)] | msgspec.UnsetType = msgspec.UNSET


class Courier(msgspec.Struct, kw_only=True):
    """A courier of the fleet."""

    id: UUID
    external_id: str | None
    name: str
    mode: Mode
    region: str
    capacity: list[int]
    skills: list[str]
    max_orders: int
    on_duty: bool
    attributes: dict[str, Any]
    version: int
    created_at: datetime
    updated_at: datetime


def courier_of(row: Any) -> Courier:
    """The only place that knows the columns."""
    values = {name: row[name] for name in Courier.__struct_fields__}
    return Courier(**{**values, "mode": Mode(row["mode"]), "attributes": msgspec.json.decode(row["attributes"])})


def _values_of(courier: NewCourier | Courier, region: str) -> tuple[Any, ...]:
    return (
        courier.external_id,
        courier.name,
        courier.mode.value,
        region,
        courier.capacity,
        courier.skills,
        courier.max_orders,
        courier.on_duty,
        msgspec.json.encode(courier.attributes).decode(),
    )


@post("/v1/couriers", guards=[requires(Role.DISPATCHER)], tags=["couriers"])
async def add_courier(
    data: JSONBody[NewCourier],
    pool: Pool,
    redis: RedisClient,
    caller: CurrentCaller,
    idempotency_key: IdempotencyKey = None,
) -> Courier:
    """
    Add a courier.

    An `external_id` that is in use answers 409 and names it; a repeated `Idempotency-Key` answers as before.
    """
    async with pool.acquire() as connection, connection.transaction():
        before = await answered_before(connection, caller, idempotency_key, data)
        if before is not None:
            return msgspec.convert(before, Courier)
        region = await known_region(connection, data.region)
        try:
            async with connection.transaction():
                row = await connection.fetchrow(queries["couriers.add"], *_values_of(data, region))
        except asyncpg.UniqueViolationError as exc:
            raise Conflict("A courier with this external_id exists.", external_id=data.external_id) from exc
        await audit(connection, caller, "courier.add", f"courier:{row['id']}")
        courier = courier_of(row)
        await remember_answer(connection, caller, idempotency_key, 201, courier)
    await announce(redis, region, "courier.changed", {"courier_id": row["id"]})
    return courier


@get("/v1/couriers", guards=[requires(Role.VIEWER)], tags=["couriers"])
async def list_couriers(
    pool: Pool,
    region: FromQuery[str | None] = None,
    mode: FromQuery[Mode | None] = None,
    external_id: FromQuery[str | None] = None,
    on_duty: FromQuery[bool | None] = None,
    q: FromQuery[str | None] = None,
    cursor: FromQuery[str | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=PAGE_LIMIT)] = 100,
) -> Page[Courier]:
    """Oldest first; `q` is a part of the name."""
    after = key_of(cursor, tuple[datetime, UUID]) or (None, None)
    rows = await pool.fetch(queries["couriers.list"], region, mode, external_id, on_duty, q, *after, limit)
    items = [courier_of(row) for row in rows]
    more = cursor_of(items[-1].created_at, items[-1].id) if len(items) == limit else None
    return Page(items=items, next=more)


async def get_courier_row(pool: Any, courier_id: UUID) -> Any:
    """The row of a courier; raises CourierNotFound."""
    row = await pool.fetchrow(queries["couriers.find"], courier_id)
    if row is None:
        raise CourierNotFound(courier_id=courier_id)
    return row


@get("/v1/couriers/{courier_id:uuid}", guards=[requires(Role.VIEWER)], tags=["couriers"])
async def get_courier(courier_id: FromPath[UUID], pool: Pool) -> Response[Courier]:
    """One courier."""
    return _with_version(courier_of(await get_courier_row(pool, courier_id)))


@patch("/v1/couriers/{courier_id:uuid}", guards=[requires(Role.DISPATCHER)], tags=["couriers"])
async def change_courier(
    courier_id: FromPath[UUID],
    data: JSONBody[CourierPatch],
    pool: Pool,
    redis: RedisClient,
    caller: CurrentCaller,
    authenticator: Tokens,
    if_match: Annotated[str | None, HeaderParameter(name="If-Match")] = None,
) -> Response[Courier]:
    """Change what is given; the rest stays."""
    expected = version_of(if_match, None if data.version is msgspec.UNSET else data.version)
    wanted = {
        name: value
        for name in data.__struct_fields__
        if name != "version" and (value := getattr(data, name)) is not msgspec.UNSET
    }
    async with pool.acquire() as connection, connection.transaction():
        before = courier_of(await get_courier_row(connection, courier_id))
        after = msgspec.structs.replace(before, **wanted)
        region = await known_region(connection, after.region)
        try:
            async with connection.transaction():
                row = await connection.fetchrow(
                    queries["couriers.change"], courier_id, expected or before.version, *_values_of(after, region)
                )
        except asyncpg.UniqueViolationError as exc:
            raise Conflict("A courier with this external_id exists.", external_id=after.external_id) from exc
        if row is None:
            raise Conflict(courier_id=courier_id, version=before.version)
        facts = {"before": {name: getattr(before, name) for name in wanted}, "after": wanted}
        await audit(connection, caller, "courier.change", f"courier:{courier_id}", facts)
    authenticator.forget_courier(courier_id)
    if region != before.region:
        await LivePositions(redis).forget(courier_id, Region(before.region))
    await announce(redis, region, "courier.changed", {"courier_id": courier_id})
    return _with_version(courier_of(row))


@delete("/v1/couriers/{courier_id:uuid}", guards=[requires(Role.ADMIN)], tags=["couriers"])
async def remove_courier(
    courier_id: FromPath[UUID],
    pool: Pool,
    redis: RedisClient,
    caller: CurrentCaller,
    authenticator: Tokens,
    erase: FromQuery[bool] = False,
) -> None:
    """
    Remove a courier and refuse its tokens; `erase=true` removes the courier's positions and name too.

    Erasing also works on a courier that was removed before.
    """
    async with pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(queries["couriers.find_even_deleted"], courier_id)
        if row is None or (row["deleted_at"] is not None and not erase):
            raise CourierNotFound(courier_id=courier_id)
        await connection.execute(queries["couriers.remove"], courier_id)
        revoked = await connection.fetch(queries["couriers.revoke_tokens"], courier_id)
        if erase:
            await connection.execute(queries["couriers.anonymise"], courier_id)
        await audit(connection, caller, "courier.erase" if erase else "courier.remove", f"courier:{courier_id}")
    for token in revoked:
        await authenticator.forget(token["hash"])
    await _forget_positions(pool, redis, Region(row["region"]), CourierId(courier_id), erase=erase)
    await announce(redis, Region(row["region"]), "courier.changed", {"courier_id": courier_id, "deleted": True})


async def _forget_positions(
    pool: asyncpg.Pool, redis: aioredis.Redis, region: Region, courier_id: CourierId, *, erase: bool
) -> None:
    """Take the courier off the live map, and with `erase` out of history and quarantine."""
    if erase:
        await History(pool).erase(courier_id)
        await pool.execute(queries["quarantine.erase"], courier_id)
    await LivePositions(redis).forget(courier_id, region)


def _with_version(courier: Courier) -> Response[Courier]:
    return Response(courier, headers={"ETag": f'"{courier.version}"'})


route_handlers: list[Any] = [add_courier, list_couriers, get_courier, change_courier, remove_courier]
