"""Geofences and what happened at them: `/v1/geofences`, `/v1/fence-events`."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from litestar import Response, delete, get, patch, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from app.web.announce import announce
from app.web.audit import audit
from app.web.auth import Role, requires
from app.web.compression import COMPRESSED
from app.web.dependencies import CurrentCaller, Pool, RedisClient
from app.web.instants import From, To, instant_of
from app.web.looks import looks_at
from app.web.pages import PAGE_LIMIT, Page, cursor_of, key_of
from app.web.problems import BadInput, Conflict
from app.web.regions import known_region
from app.web.versions import IfMatch, version_of
from dispatch.errors import AreaInUse
from sql import queries
from tracking.errors import GeofenceNotFound
from tracking.watching.area import Area
from tracking.watching.fence_rows import check_timezone, hours_of
from tracking.watching.geofence import FenceEventKind

Clock = Annotated[str, msgspec.Meta(pattern="^[0-9]{2}:[0-9]{2}$", description="HH:MM, up to 24:00.")]


class ActiveSpan(msgspec.Struct, kw_only=True, rename={"from_": "from"}):
    """A daily span; over midnight when it ends before it begins."""

    from_: Clock
    to: Clock
    weekdays: Annotated[list[Annotated[int, msgspec.Meta(ge=0, le=6)]], msgspec.Meta(min_length=1, max_length=7)] = (
        msgspec.field(default_factory=lambda: list(range(7)))
    )
    """Days on which it begins; 0 is Monday."""


class Shape(msgspec.Struct, kw_only=True):
    """GeoJSON geometry: Polygon or MultiPolygon, holes and all, or a Point (with `radius_m` beside it)."""

    type: Literal["Polygon", "MultiPolygon", "Point"]
    coordinates: list[Any]


Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=r"\S")]
RadiusM = Annotated[float, msgspec.Meta(gt=0, le=100_000)]
Tags = Annotated[list[Annotated[str, msgspec.Meta(min_length=1, max_length=64)]], msgspec.Meta(max_length=32)]
ActiveSpans = Annotated[list[ActiveSpan], msgspec.Meta(max_length=32)]
TimeZone = Annotated[str, msgspec.Meta(max_length=64)]
DwellS = Annotated[int, msgspec.Meta(gt=0, le=7 * 86_400)]


class NewGeofence(msgspec.Struct, kw_only=True):
    """A fence to be; `region` defaults to the installation's only one."""

    name: Name
    geometry: Shape
    radius_m: RadiusM | None = None
    region: Annotated[str, msgspec.Meta(max_length=63)] | None = None
    tags: Tags = []
    active: ActiveSpans = []
    timezone: TimeZone = "UTC"
    dwell_s: DwellS | None = None


class GeofencePatch(msgspec.Struct, kw_only=True):
    """What shall change; `version` (or If-Match) refuses the change when somebody else was first."""

    name: Name | msgspec.UnsetType = msgspec.UNSET
    geometry: Shape | msgspec.UnsetType = msgspec.UNSET
    radius_m: RadiusM | msgspec.UnsetType | None = msgspec.UNSET
    tags: Tags | msgspec.UnsetType = msgspec.UNSET
    active: ActiveSpans | msgspec.UnsetType = msgspec.UNSET
    timezone: TimeZone | msgspec.UnsetType = msgspec.UNSET
    dwell_s: DwellS | msgspec.UnsetType | None = msgspec.UNSET
    version: Annotated[int, msgspec.Meta(ge=1, lt=2**31)] | msgspec.UnsetType = msgspec.UNSET


class Geofence(msgspec.Struct, kw_only=True):
    """A fence in force."""

    id: UUID
    region: str
    name: str
    geometry: dict[str, Any]
    radius_m: float | None
    tags: list[str]
    active: list[dict[str, Any]]
    timezone: str
    dwell_s: int | None
    created_at: datetime
    version: int


class FenceEventView(msgspec.Struct, kw_only=True):
    """A courier entered, left, or dwelt in a fence."""

    courier_id: UUID
    fence_id: UUID
    kind: FenceEventKind
    at: datetime
    """When the edge was crossed."""
    lat: float
    lon: float
    passed: bool
    """Went straight through."""
    active: bool
    """Within the fence's active hours."""
    recorded_at: datetime


def geofence_of(row: Any) -> Geofence:
    """The only place that knows the columns."""
    values = {name: row[name] for name in Geofence.__struct_fields__}
    values |= {name: msgspec.json.decode(row[name]) for name in ("geometry", "active")}
    return Geofence(**values)


@post("/v1/geofences", guards=[requires(Role.DISPATCHER)], tags=["geofences"])
async def add_geofence(data: JSONBody[NewGeofence], pool: Pool, redis: RedisClient, caller: CurrentCaller) -> Geofence:
    """Add a fence; couriers who are in it already enter it now."""
    _check(data)
    async with pool.acquire() as connection, connection.transaction():
        region = await known_region(connection, data.region)
        row = await connection.fetchrow(queries["geofences.add"], region, *_columns(data))
        await audit(connection, caller, "geofence.add", f"geofence:{row['id']}", {"name": data.name})
    await announce(redis, region, "fence.changed", {"fence_id": row["id"]})
    return geofence_of(row)


@patch("/v1/geofences/{fence_id:uuid}", guards=[requires(Role.DISPATCHER)], tags=["geofences"])
async def change_geofence(
    fence_id: FromPath[UUID],
    data: JSONBody[GeofencePatch],
    pool: Pool,
    redis: RedisClient,
    caller: CurrentCaller,
    if_match: IfMatch = None,
) -> Response[Geofence]:
    """
    Change what is given; the rest stays.

    Whom the new shape no longer holds leaves with the next fix, whom it newly holds enters then. What happened at it
    stays on record, and couriers who serve it serve the new shape.
    """
    expected = version_of(if_match, None if data.version is msgspec.UNSET else data.version)
    wanted = {
        name: value
        for name in data.__struct_fields__
        if name != "version" and (value := getattr(data, name)) is not msgspec.UNSET
    }
    async with pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(queries["geofences.lock"], fence_id)
        if row is None:
            raise GeofenceNotFound(fence_id=fence_id)
        before = geofence_of(row)
        if expected not in {None, before.version}:
            raise Conflict(fence_id=fence_id, version=before.version)
        kept = msgspec.to_builtins(before) | {name: msgspec.to_builtins(value) for name, value in wanted.items()}
        after = msgspec.convert(kept, NewGeofence)
        _check(after)
        changed = await connection.fetchrow(queries["geofences.change"], fence_id, *_columns(after))
        await audit(connection, caller, "geofence.change", f"geofence:{fence_id}", {"changed": sorted(wanted)})
    await announce(redis, before.region, "fence.changed", {"fence_id": fence_id})
    return _with_version(geofence_of(changed))


def _columns(data: NewGeofence) -> tuple[Any, ...]:
    """As the queries take them, from the name on."""
    return (
        data.name,
        msgspec.json.encode(data.geometry).decode(),
        data.radius_m,
        data.tags,
        msgspec.json.encode(data.active).decode(),
        data.timezone,
        data.dwell_s,
    )


def _with_version(fence: Geofence) -> Response[Geofence]:
    return Response(fence, headers={"ETag": f'"{fence.version}"'})


def _check(data: NewGeofence) -> None:
    geometry = msgspec.to_builtins(data.geometry)
    if (data.radius_m is None) == (geometry["type"] == "Point"):
        raise BadInput("A circle is a Point and a radius.", ("/radius_m", "expected beside a Point, and only there"))
    try:
        Area.from_geojson(geometry, radius_m=data.radius_m)
    except ValueError as exc:
        raise BadInput("The geometry is no area.", ("/geometry", str(exc))) from exc
    try:
        for span in msgspec.to_builtins(data.active):
            hours_of(span)
    except ValueError as exc:
        raise BadInput("The active hours make no sense.", ("/active", str(exc))) from exc
    try:
        check_timezone(data.timezone)
    except ValueError as exc:
        raise BadInput("The time zone is not known.", ("/timezone", str(exc))) from exc


@get("/v1/geofences", opt=COMPRESSED, guards=[requires(Role.VIEWER)], tags=["geofences"])
async def list_geofences(
    pool: Pool,
    region: FromQuery[str | None] = None,
    tag: FromQuery[str | None] = None,
    cursor: FromQuery[str | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=PAGE_LIMIT)] = 100,
) -> Page[Geofence]:
    """Fences in force, oldest first."""
    after = key_of(cursor, tuple[datetime, UUID]) or (None, None)
    rows = await pool.fetch(queries["geofences.list"], region, tag, *after, limit)
    items = [geofence_of(row) for row in rows]
    more = cursor_of(items[-1].created_at, items[-1].id) if len(items) == limit else None
    return Page(items=items, next=more)


@get("/v1/geofences/{fence_id:uuid}", guards=[requires(Role.VIEWER)], tags=["geofences"])
async def get_geofence(fence_id: FromPath[UUID], pool: Pool) -> Response[Geofence]:
    """One fence."""
    row = await pool.fetchrow(queries["geofences.get"], fence_id)
    if row is None:
        raise GeofenceNotFound(fence_id=fence_id)
    return _with_version(geofence_of(row))


@delete("/v1/geofences/{fence_id:uuid}", guards=[requires(Role.DISPATCHER)], tags=["geofences"])
async def remove_geofence(fence_id: FromPath[UUID], pool: Pool, redis: RedisClient, caller: CurrentCaller) -> None:
    """Remove a fence; what happened at it stays on record. One that couriers serve as their area stays: 409."""
    async with pool.acquire() as connection, connection.transaction():
        serve = await connection.fetch(queries["planning.serve"], fence_id)
        if serve:
            raise AreaInUse(fence_id=fence_id, courier_ids=[row["id"] for row in serve])
        row = await connection.fetchrow(queries["geofences.remove"], fence_id)
        if row is None:
            raise GeofenceNotFound(fence_id=fence_id)
        await audit(connection, caller, "geofence.remove", f"geofence:{fence_id}")
    await announce(redis, row["region"], "fence.changed", {"fence_id": fence_id})


@get("/v1/fence-events", opt=looks_at("couriers.fence_events"), guards=[requires(Role.VIEWER)], tags=["geofences"])
async def list_fence_events(
    pool: Pool,
    region: FromQuery[str | None] = None,
    fence_id: FromQuery[UUID | None] = None,
    courier_id: FromQuery[UUID | None] = None,
    from_text: From = None,
    to_text: To = None,
    cursor: FromQuery[str | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=PAGE_LIMIT)] = 100,
) -> Page[FenceEventView]:
    """What happened at fences, newest first; events found in late fixes are in their place."""
    since, until = instant_of("from", from_text), instant_of("to", to_text)
    after = key_of(cursor, tuple[datetime, UUID, UUID, str]) or (None, None, None, None)
    rows = await pool.fetch(queries["fence_events.list"], region, fence_id, courier_id, since, until, *after, limit)
    items = [FenceEventView(**{**dict(row), "kind": FenceEventKind(row["kind"])}) for row in rows]
    last = items[-1] if len(items) == limit else None
    return Page(
        items=items, next=None if last is None else cursor_of(last.at, last.courier_id, last.fence_id, last.kind.value)
    )


route_handlers: list[Any] = [
    add_geofence,
    list_geofences,
    get_geofence,
    change_geofence,
    remove_geofence,
    list_fence_events,
]
