"""The fleet: `/v1/couriers`."""

import logging
from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, delete, get, patch, post
from litestar.params import FromPath, FromQuery, HeaderParameter, JSONBody, QueryParameter

from app.commands import erasing
from app.web.actors import actor_of
from app.web.announce import announce
from app.web.audit import audit
from app.web.auth import Role, requires
from app.web.compression import COMPRESSED
from app.web.dependencies import CurrentCaller, Pool, RedisClient, Tokens
from app.web.idempotency import IdempotencyKey, answered_before, remember_answer
from app.web.pages import PAGE_LIMIT, Page, cursor_of, key_of
from app.web.problems import BadInput, Conflict
from app.web.reach import partner_within_reach
from app.web.regions import known_region
from app.web.versions import version_of
from app.wiring.whatif import Thinker, WhatIf
from dispatch.orders import courier_life, goods
from dispatch.orders.courier_life import CourierFacts, CourierRecord
from dispatch.orders.desk import at_desk
from sql import queries
from tracking import outages
from tracking.live import LivePositions
from tracking.position import CourierId, LatLon, Mode, Region

log = logging.getLogger(__name__)

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
ExternalId = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
RegionId = Annotated[str, msgspec.Meta(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
Capacity = Annotated[list[Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]], msgspec.Meta(max_length=8)]
Skills = Annotated[list[Annotated[str, msgspec.Meta(min_length=1, max_length=64)]], msgspec.Meta(max_length=64)]
MaxOrders = Annotated[int, msgspec.Meta(ge=1, le=1000)]

AreaIds = Annotated[list[UUID], msgspec.Meta(max_length=32)]
Partner = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
RangeM = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]


class Home(msgspec.Struct, kw_only=True, frozen=True):
    """Where a courier's range counts from."""

    lat: Annotated[float, msgspec.Meta(ge=-90, le=90)]
    lon: Annotated[float, msgspec.Meta(ge=-180, le=180)]


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
    areas: AreaIds = []
    """Geofences the courier serves: both ends of an order lie in one of them; none: everywhere."""
    home: Home | None = None
    range_m: RangeM | None = None
    """Nothing farther from home; without a home, no pickup farther from where the courier is."""
    partner: Partner | None = None
    """Whose courier it is; null: our own."""
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
    areas: AreaIds | msgspec.UnsetType = msgspec.UNSET
    home: Home | msgspec.UnsetType | None = msgspec.UNSET
    range_m: RangeM | msgspec.UnsetType | None = msgspec.UNSET
    partner: Partner | msgspec.UnsetType | None = msgspec.UNSET
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
    areas: list[UUID]
    home: Home | None
    range_m: int | None
    partner: str | None
    attributes: dict[str, Any]
    version: int
    created_at: datetime
    updated_at: datetime
    paused_until: datetime | None = None
    """Let offers run out, one after the other: gets nothing new until then. Told of one or in a list."""


def _shape(courier: CourierRecord, paused_until: datetime | None = None) -> Courier:
    names = set(Courier.__struct_fields__) - {"paused_until", "home"}
    home = None if courier.home is None else Home(lat=courier.home.lat, lon=courier.home.lon)
    return Courier(**{name: getattr(courier, name) for name in names}, home=home, paused_until=paused_until)


async def _shapes(pool: Any, what_if: WhatIf, couriers: Sequence[CourierRecord]) -> list[Courier]:
    """Couriers with the pauses they are in."""
    paused: dict[CourierId, datetime] = {}
    for region in {courier.region for courier in couriers}:
        paused |= await what_if.paused(pool, region, [one.id for one in couriers if one.region == region])
    return [_shape(courier, paused.get(courier.id)) for courier in couriers]


def _facts(courier: NewCourier | Courier, region: Region) -> CourierFacts:
    names = {field.name for field in fields(CourierFacts)} - {"region", "home", "partner"}
    home = None if courier.home is None else LatLon(courier.home.lat, courier.home.lon)
    partner = partner_within_reach(courier.partner)
    return CourierFacts(region=region, home=home, partner=partner, **{name: getattr(courier, name) for name in names})


async def _check_areas(connection: Any, areas: Sequence[UUID], region: Region) -> None:
    unknown = {row["id"] for row in await connection.fetch(queries["planning.unknown_areas"], region, areas)}
    if unknown:
        wrong = [(f"/areas/{i}", "expected a geofence of the region") for i, one in enumerate(areas) if one in unknown]
        raise BadInput("The region has no such geofence.", *wrong)


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
        await _check_areas(connection, data.areas, region)
        added = await courier_life.add(connection, _facts(data, region))
        await audit(connection, caller, "courier.add", f"courier:{added.id}")
        courier = _shape(added)
        await remember_answer(connection, caller, idempotency_key, 201, courier)
    await announce(redis, region, "courier.changed", {"courier_id": added.id})
    return courier


@get("/v1/couriers", opt=COMPRESSED, guards=[requires(Role.VIEWER)], tags=["couriers"])
async def list_couriers(
    pool: Pool,
    what_if: Thinker,
    region: FromQuery[str | None] = None,
    mode: FromQuery[Mode | None] = None,
    external_id: FromQuery[str | None] = None,
    on_duty: FromQuery[bool | None] = None,
    q: FromQuery[str | None] = None,
    cursor: FromQuery[str | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=PAGE_LIMIT)] = 100,
) -> Page[Courier]:
    """Oldest first; `q` is a part of the name."""
    found = await courier_life.find_many(
        pool,
        region=region,
        mode=mode,
        external_id=external_id,
        on_duty=on_duty,
        name_part=q,
        after=key_of(cursor, tuple[datetime, UUID]),
        limit=limit,
        partner=partner_within_reach(None),
    )
    items = await _shapes(pool, what_if, found)
    more = cursor_of(items[-1].created_at, items[-1].id) if len(items) == limit else None
    return Page(items=items, next=more)


@get("/v1/couriers/{courier_id:uuid}", guards=[requires(Role.VIEWER)], tags=["couriers"])
async def get_courier(courier_id: FromPath[UUID], pool: Pool, what_if: Thinker) -> Response[Courier]:
    """One courier."""
    [courier] = await _shapes(pool, what_if, [await courier_life.get(pool, courier_id)])
    return _with_version(courier)


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
    """
    Change what is given; the rest stays.

    In another region the courier begins anew: what is not collected goes to others where it is, and goods on board must
    be handed over first (409); neither does a courier go off duty with them.
    """
    expected = version_of(if_match, None if data.version is msgspec.UNSET else data.version)
    wanted = {
        name: value
        for name in data.__struct_fields__
        if name != "version" and (value := getattr(data, name)) is not msgspec.UNSET
    }
    async with at_desk(pool, redis, actor_of(caller)) as desk:
        connection = desk.connection
        before = _shape(await courier_life.get(connection, courier_id))
        after = msgspec.structs.replace(before, **wanted)
        region = await known_region(connection, after.region)
        if region != before.region or after.areas != before.areas:
            await _check_areas(connection, after.areas, region)
        if before.on_duty and not after.on_duty:
            await goods.leave_behind(desk, {CourierId(courier_id): "off duty"})
        changed = await courier_life.change(
            connection, CourierId(courier_id), _facts(after, region), version=expected or before.version
        )
        if changed is None:
            raise Conflict(courier_id=courier_id, version=before.version)
        if region != before.region:
            await goods.move_courier(desk, CourierId(courier_id), region)
        facts = {"before": {name: getattr(before, name) for name in wanted}, "after": wanted}
        await audit(connection, caller, "courier.change", f"courier:{courier_id}", facts)
    authenticator.forget_courier(courier_id)
    if region != before.region:
        await LivePositions(redis).forget(CourierId(courier_id), Region(before.region))
        await announce(redis, before.region, "courier.changed", {"courier_id": courier_id, "deleted": True})
    await announce(redis, region, "courier.changed", {"courier_id": courier_id})
    return _with_version(_shape(changed))


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
    Remove a courier and refuse its tokens; `erase=true` removes the courier's positions, name and all else too.

    What is not collected goes to others, and goods on board must be handed over first (409). Erasing also works on a
    courier that was removed before. What is still on its way to us when this is answered is removed when it has come,
    within minutes.
    """
    async with at_desk(pool, redis, actor_of(caller)) as desk:
        connection = desk.connection
        await goods.leave_behind(desk, {CourierId(courier_id): "no courier any more"})
        if erase:
            await connection.execute(queries["erasing.hold"], courier_id)
        left = await courier_life.remove(connection, courier_id, even_removed=erase)
        tokens = await erasing.erase(connection, courier_id) if erase else left.token_hashes
        await audit(connection, caller, "courier.erase" if erase else "courier.remove", f"courier:{courier_id}")
    for token_hash in tokens:
        await authenticator.forget(token_hash)
    try:
        if erase:
            await erasing.Erasing(pool, redis).forget(courier_id, tokens)
        else:
            await LivePositions(redis).forget(courier_id, left.region)
    except outages.REDIS as exc:
        # The rows are the truth: housekeeping and the writer's look after live state do this again.
        outages.tell(log, "courier not forgotten yet", exc, event="courier_not_forgotten")
    await announce(redis, left.region, "courier.changed", {"courier_id": courier_id, "deleted": True})


def _with_version(courier: Courier) -> Response[Courier]:
    return Response(courier, headers={"ETag": f'"{courier.version}"'})


route_handlers: list[Any] = [add_courier, list_couriers, get_courier, change_courier, remove_courier]
