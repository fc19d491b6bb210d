"""Where a courier stayed and how the courier got there: `/v1/couriers/{id}/stops`, and arrivals at route stops."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import get
from litestar.exceptions import PermissionDeniedException
from litestar.params import FromPath, QueryParameter

from app.web.auth import Role, requires, requires_any
from app.web.dependencies import CurrentCaller, Pool
from app.web.instants import From, To, instant_of
from app.web.pages import Page
from app.web.problems import BadInput
from dispatch.orders import courier_life
from dispatch.stop import StopKind
from sql import queries
from tracking.batch import E7, instant, microseconds
from tracking.watching.motion import DEFAULT_PARAMS, Gap, Sample, Segment, Stay, Trip, segments

LONGEST_SPAN = timedelta(days=7)
MARGIN = timedelta(hours=2)
"""Read before and after the span, so that a stay at its ends is whole."""
MOST_FIXES = 1_000_000


class Place(msgspec.Struct, frozen=True):
    """WGS 84 degrees."""

    lat: float
    lon: float


class StayView(msgspec.Struct, kw_only=True, frozen=True, tag_field="kind", tag="stay"):
    """The courier remained in one place."""

    arrived_at: datetime
    departed_at: datetime | None
    """None while it goes on."""
    duration_s: float
    """Until now, while it goes on."""
    lat: float
    lon: float
    n_fixes: int


class TripView(msgspec.Struct, kw_only=True, frozen=True, tag_field="kind", tag="trip"):
    """The courier moved."""

    began_at: datetime
    ended_at: datetime | None
    """None while it goes on."""
    duration_s: float
    distance_m: float
    n_fixes: int
    origin: Place
    destination: Place


class GapView(msgspec.Struct, kw_only=True, frozen=True, tag_field="kind", tag="gap"):
    """No fix came; where the courier went is not known."""

    began_at: datetime
    ended_at: datetime
    duration_s: float
    straight_m: float
    """Between the fixes before and after."""


SegmentView = StayView | TripView | GapView
"""By `kind`: `stay`, `trip` or `gap`."""


class VisitView(msgspec.Struct, kw_only=True, frozen=True):
    """An arrival at a stop of the route as the fixes show it, beside what the courier pressed."""

    order_id: UUID
    kind: StopKind
    arrived_at: datetime
    departed_at: datetime | None
    pressed_at: datetime | None
    """When the courier said `picked-up` or `delivered`."""


@get("/v1/couriers/{courier_id:uuid}/stops", guards=[requires(Role.VIEWER)], tags=["couriers"])
async def list_stops(
    courier_id: FromPath[UUID],
    pool: Pool,
    from_text: From = None,
    to_text: To = None,
) -> Page[SegmentView]:
    """
    Stays, trips and gaps, in order, of a day or of `from` to `to` (7 days at most).

    Found in what history holds, so the answer does not depend on the order in which fixes came.
    """
    courier = await courier_life.get(pool, courier_id)
    since, until = _span(from_text, to_text)
    fixes = await pool.fetch(queries["recounts.between"], courier_id, since - MARGIN, until + MARGIN, MOST_FIXES)
    samples = (Sample(microseconds(f["fixed_at"]), f["lat_e7"] / E7, f["lon_e7"] / E7) for f in fixes)
    found = segments(samples, DEFAULT_PARAMS[courier.mode])
    from_us, to_us = microseconds(since), microseconds(until)
    inside = [s for s in found if (ends := _ends_us(s))[1] >= from_us and ends[0] < to_us]
    return Page(items=[segment_view(segment) for segment in inside])


@get("/v1/couriers/{courier_id:uuid}/visits", guards=[requires_any], tags=["couriers"])
async def list_visits(
    courier_id: FromPath[UUID],
    pool: Pool,
    caller: CurrentCaller,
    from_text: From = None,
    to_text: To = None,
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 200,
) -> Page[VisitView]:
    """Arrivals at the stops of the courier's routes; the courier's app asks "arrived?" for those not pressed."""
    if not caller.is_at_least(Role.VIEWER) and caller.courier_id != courier_id:
        raise PermissionDeniedException(detail="A courier sees only their own visits.")
    await courier_life.get(pool, courier_id)
    since, until = _span(from_text, to_text)
    rows = await pool.fetch(queries["stop_visits.of_courier"], courier_id, since, until, limit)
    return Page(items=[VisitView(**{**dict(row), "kind": StopKind(row["kind"])}) for row in rows])


def segment_view(segment: Segment) -> SegmentView:
    """As the API shows it."""
    began_us, ended_us = _ends_us(segment)
    duration_s = round((ended_us - began_us) / 1_000_000, 3)
    match segment:
        case Stay():
            return StayView(
                arrived_at=instant(began_us),
                departed_at=None if segment.open else instant(ended_us),
                duration_s=duration_s,
                lat=round(segment.lat, 7),
                lon=round(segment.lon, 7),
                n_fixes=segment.n_fixes,
            )
        case Trip():
            return TripView(
                began_at=instant(began_us),
                ended_at=None if segment.open else instant(ended_us),
                duration_s=duration_s,
                distance_m=round(segment.distance_m, 1),
                n_fixes=segment.n_fixes,
                origin=Place(segment.from_lat, segment.from_lon),
                destination=Place(segment.to_lat, segment.to_lon),
            )
        case Gap():
            return GapView(
                began_at=instant(began_us),
                ended_at=instant(ended_us),
                duration_s=duration_s,
                straight_m=round(segment.straight_m, 1),
            )


def _ends_us(segment: Segment) -> tuple[int, int]:
    if isinstance(segment, Stay):
        return segment.arrived_us, segment.departed_us
    return segment.began_us, segment.ended_us


def _span(from_text: str | None, to_text: str | None) -> tuple[datetime, datetime]:
    """The span asked for, by default the day before its end, which is by default now."""
    until = instant_of("to", to_text) or datetime.now(UTC)
    since = instant_of("from", from_text) or until - timedelta(days=1)
    if not since < until <= since + LONGEST_SPAN:
        raise BadInput("The span is too long or backwards.", ("/from", "expected from < to, at most 7 days apart"))
    return since, until


route_handlers: list[Any] = [list_stops, list_visits]
