"""Positions in and out: `POST /v1/positions`, last position, nearby, quarantine."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.exceptions import PermissionDeniedException
from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIFormat, OpenAPIType
from litestar.params import FromPath, QueryParameter

from app.settings import Settings
from app.web.auth import Role, requires, requires_any
from app.web.dependencies import CurrentCaller, CurrentSettings
from app.web.looks import looks_at
from app.web.pages import PAGE_LIMIT, Page, cursor_of, key_of
from app.web.reach import couriers_within
from app.web.regions import within_reach
from app.wiring.intake import Intake
from tracking.errors import CourierNotFound, PositionNotFound
from tracking.live import LivePosition, presence
from tracking.position import LatLon, Mode, Presence, Region
from tracking.quality import Reason

MOST_NEAR: Final = 1000
"""Couriers that one question finds."""


class QuarantinedFix(msgspec.Struct, frozen=True):
    """A fix that cannot be used: its place in the upload, and why."""

    index: int
    reason: Reason


class Accepted(msgspec.Struct, frozen=True):
    """What became of an upload: so many fixes are stored, these cannot be used. Do not send any of it again."""

    accepted: int
    quarantined: list[QuarantinedFix]


class PositionView(msgspec.Struct, kw_only=True, frozen=True):
    """A courier's last good position, and what it is worth now."""

    courier_id: UUID
    fixed_at: datetime
    received_at: datetime
    lat: float
    lon: float
    accuracy_m: float | None
    speed_mps: float | None
    course_deg: float | None
    altitude_m: float | None
    battery_pct: float | None
    mode: Mode
    age_s: float
    """Since the fix."""
    contact_age_s: float
    """Since the device was last heard of, with a position or without."""
    status: Presence
    """online, stale or offline, by the age of the fix."""


class NearbyView(PositionView, kw_only=True, frozen=True):
    """A courier near a place."""

    distance_m: float


class Nearby(msgspec.Struct, frozen=True):
    """Couriers near a place, nearest first."""

    couriers: list[NearbyView]


class QuarantineView(msgspec.Struct, kw_only=True, frozen=True):
    """Something a known phone sent that cannot be used."""

    id: int
    courier_id: UUID | None
    received_at: datetime
    reason: str
    source: str
    payload: str | None
    """What was sent, as text, without secrets, cut to 8 KiB; null for those who are no administrators."""


FIX = Schema(
    title="Fix",
    description="One measurement; unknown members are ignored.",
    type=OpenAPIType.OBJECT,
    required=["fixed_at", "lat", "lon"],
    properties={
        "courier_id": Schema(
            type=[OpenAPIType.STRING, OpenAPIType.NULL],
            format=OpenAPIFormat.UUID,
            description="Whose fix it is: only, and always, with a service token.",
        ),
        "fixed_at": Schema(
            type=OpenAPIType.STRING,
            format=OpenAPIFormat.DATE_TIME,
            description="When the device measured it, by its clock; RFC 3339 with zone.",
        ),
        "lat": Schema(type=OpenAPIType.NUMBER, description="WGS 84 degrees north, -90 to 90."),
        "lon": Schema(type=OpenAPIType.NUMBER, description="WGS 84 degrees east, -180 to 180."),
        **{
            name: Schema(type=[OpenAPIType.NUMBER, OpenAPIType.NULL], description=description)
            for name, description in {
                "accuracy_m": "Radius in metres, 0 or more.",
                "speed_mps": "Metres a second, 0 or more.",
                "course_deg": "Direction of travel, degrees clockwise from true north, 0 to 360.",
                "altitude_m": "Metres above sea level.",
                "battery_pct": "0 to 100.",
            }.items()
        },
        "mock": Schema(type=OpenAPIType.BOOLEAN, description="The position was made up by an app on the device."),
    },
)


@dataclass
class UploadOperation(Operation):
    """The body is read by hand, for one bad fix must not spoil the others; so its shape is written by hand too."""

    def __post_init__(self) -> None:
        """Describe the three shapes of an upload."""
        many = Schema(type=OpenAPIType.ARRAY, items=FIX)
        envelope = Schema(type=OpenAPIType.OBJECT, required=["fixes"], properties={"fixes": many})
        schema = Schema(any_of=[FIX, many, envelope])
        self.request_body = RequestBody(required=True, content={"application/json": OpenAPIMediaType(schema=schema)})


@post(
    "/v1/positions",
    status_code=202,
    guards=[requires_any],
    opt={"keeps_anything": True},
    tags=["positions"],
    operation_class=UploadOperation,
)
async def post_positions(request: Request[Any, Any, Any], caller: CurrentCaller, state: State) -> Response[Accepted]:
    """
    Store one fix, an array of fixes, or `{"fixes": […]}`; the body may be gzip.

    The answer is sent when the fixes are in the append-only log. What cannot be used is kept in quarantine and named in
    the answer; it never refuses the rest, and there is no point in sending it again.
    In production `app.routes.positions_fast` serves this address without Litestar, in the same way.
    """
    if caller.courier_id is None and not caller.may_post_for_any_courier:
        raise PermissionDeniedException(detail="This needs a courier's device token or a service token.")
    intake: Intake = state.intake
    receipt = await intake.take_json(caller, await request.body(), request.headers.get("content-encoding"))
    return Response(Accepted(receipt.n_accepted, [QuarantinedFix(*item) for item in receipt.quarantined]))


@get(
    "/v1/couriers/{courier_id:uuid}/position",
    opt=looks_at("courier.position"),
    guards=[requires(Role.VIEWER)],
    tags=["positions"],
)
async def get_position(courier_id: FromPath[UUID], state: State, installation: CurrentSettings) -> PositionView:
    """The courier's last good position, its age, and the age of the last contact."""
    intake: Intake = state.intake
    sender = await intake.roster.find(courier_id)
    if sender is None:
        raise CourierNotFound(courier_id=courier_id)
    live = await intake.live.get(courier_id, sender.region)
    if live is None:
        contact_at = await intake.live.contact_at(courier_id, sender.region)
        raise PositionNotFound(courier_id=courier_id, contact_at=contact_at)
    return PositionView(**_view(live, datetime.now(UTC), installation))


@get("/v1/couriers/nearby", opt=looks_at("couriers.nearby"), guards=[requires(Role.VIEWER)], tags=["positions"])
async def list_nearby(
    lat: Annotated[float, QueryParameter(ge=-90, le=90)],
    lon: Annotated[float, QueryParameter(ge=-180, le=180)],
    state: State,
    installation: CurrentSettings,
    radius_m: Annotated[float, QueryParameter(gt=0, le=200_000)] = 5000.0,
    limit: Annotated[int, QueryParameter(ge=1, le=MOST_NEAR)] = 20,
    mode: Annotated[Mode | None, QueryParameter()] = None,
    max_age_s: Annotated[float | None, QueryParameter(gt=0, le=604_800)] = None,
) -> Nearby:
    """
    Couriers around a place, nearest first.

    Only fresh ones: the fix is not older than `max_age_s`, by default than the age from which a courier is offline.
    To a partner's people those of theirs among the thousand nearest.
    """
    intake: Intake = state.intake
    theirs = await couriers_within(state.pool)
    now = datetime.now(UTC)
    fresh_since = now - timedelta(seconds=installation.stale_within_s if max_age_s is None else max_age_s)
    found = await intake.live.nearest(
        [Region(one) for one in within_reach(await intake.roster.regions())],
        LatLon(lat, lon),
        radius_m=radius_m,
        limit=limit if theirs is None else MOST_NEAR,
        fresh_since=fresh_since,
        mode=mode,
    )
    if theirs is not None:
        found = [hit for hit in found if hit.live.position.courier_id in theirs][:limit]
    views = [(hit.distance_m, _view(hit.live, now, installation)) for hit in found]
    return Nearby([NearbyView(distance_m=distance_m, **view) for distance_m, view in views])


@get("/v1/quarantine", opt=looks_at("couriers.quarantine"), guards=[requires(Role.VIEWER)], tags=["positions"])
async def list_quarantine(
    state: State,
    caller: CurrentCaller,
    courier_id: Annotated[UUID | None, QueryParameter()] = None,
    reason: Annotated[Reason | None, QueryParameter()] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=PAGE_LIMIT)] = 100,
    cursor: Annotated[str | None, QueryParameter()] = None,
) -> Page[QuarantineView]:
    """
    What known phones sent and nobody can use, with the reason; the newest first, kept for a week.

    Administrators see what was sent, others that it was, when and why.
    """
    intake: Intake = state.intake
    key = key_of(cursor, tuple[int])
    rows = await intake.quarantine.page(
        courier_id=courier_id, reason=reason, before_id=None if key is None else key[0], limit=limit + 1
    )
    items = [
        QuarantineView(
            id=row.id,
            courier_id=row.courier_id,
            received_at=row.received_at,
            reason=row.reason,
            source=row.source,
            payload=row.payload.decode(errors="replace") if caller.is_at_least(Role.ADMIN) else None,
        )
        for row in rows[:limit]
    ]
    return Page(items=items, next=cursor_of(items[-1].id) if len(rows) > limit else None)


def _view(live: LivePosition, now: datetime, settings: Settings) -> dict[str, Any]:
    fix = live.position.fix
    age_s = (now - fix.fixed_at).total_seconds()
    status = presence(age_s, online_within_s=settings.online_within_s, stale_within_s=settings.stale_within_s)
    return {
        "courier_id": live.courier_id,
        "fixed_at": fix.fixed_at,
        "received_at": live.position.received_at,
        "lat": fix.at.lat,
        "lon": fix.at.lon,
        "accuracy_m": fix.accuracy_m,
        "speed_mps": fix.speed_mps,
        "course_deg": fix.course_deg,
        "altitude_m": fix.altitude_m,
        "battery_pct": fix.battery_pct,
        "mode": live.mode,
        "age_s": max(age_s, 0.0),
        "contact_age_s": max((now - live.contact_at).total_seconds(), 0.0),
        "status": status,
    }


route_handlers: list[Any] = [post_positions, get_position, list_nearby, list_quarantine]
