"""Where a courier stayed and how the courier got there: `/v1/couriers/{id}/stops`, and arrivals at route stops."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import get
from litestar.datastructures import State as AppState
from litestar.exceptions import PermissionDeniedException
from litestar.params import FromPath, FromQuery, QueryParameter

from app.web.auth import Role, requires, requires_any
from app.web.dependencies import CurrentCaller, Pool
from app.web.instants import From, To, instant_of
from app.web.looks import looks_at
from app.web.pages import FIXES_AT_ONCE, LONGEST_SPAN, MOST_FIXES, PAGE_LIMIT, Page, cursor_of, key_of
from app.web.problems import BadInput
from app.wiring.folding import Folding
from dispatch.orders import courier_life
from dispatch.stop import StopKind
from sql import queries
from tracking.batch import instant, microseconds
from tracking.watching.motion import (
    DEFAULT_PARAMS,
    Gap,
    MotionParams,
    Segment,
    State,
    Stay,
    Trip,
    current,
    ends_us,
)

MARGIN = timedelta(hours=2)
"""Read before and after the span, so that a stay at its ends is whole."""
Instant = Annotated[datetime, msgspec.Meta(tz=True)]


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


@get(
    "/v1/couriers/{courier_id:uuid}/stops",
    opt=looks_at("courier.stops"),
    guards=[requires(Role.VIEWER)],
    tags=["couriers"],
)
async def list_stops(
    courier_id: FromPath[UUID],
    pool: Pool,
    state: AppState,
    from_text: From = None,
    to_text: To = None,
    cursor: FromQuery[str | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=PAGE_LIMIT)] = 500,
) -> Page[SegmentView]:
    """
    Stays, trips and gaps, in order, of a day or of `from` to `to` (7 days at most).

    Found in what history holds, so the answer does not depend on the order in which fixes came.
    """
    courier = await courier_life.get(pool, courier_id)
    place = key_of(cursor, tuple[Instant, str, str])
    since, until = _span(from_text, to_text) if place is None else _span(*place[1:])
    begins_at = since - MARGIN if place is None else max(place[0], since - MARGIN)
    page = _Segments(DEFAULT_PARAMS[courier.mode], microseconds(since), microseconds(until), state.folding)
    found, next_us = await page.read(pool, courier_id, begins_at, until + MARGIN, limit)
    following = None if next_us is None else cursor_of(instant(next_us), since.isoformat(), until.isoformat())
    return Page(items=[segment_view(segment) for segment in found], next=following)


class _Segments:
    """The segments of a span, a page at a time: the first fix of a segment is where a fold may begin anew."""

    def __init__(self, params: MotionParams, from_us: int, until_us: int, folding: Folding) -> None:
        self._params = params
        self._folding = folding
        self._from_us = from_us
        self._until_us = until_us

    async def read(
        self, pool: Any, courier_id: UUID, begins_at: datetime, before: datetime, limit: int
    ) -> tuple[list[Segment], int | None]:
        """At most `limit` segments of what begins at an instant, and where the next page begins, if there is one."""
        state: State = None
        found: list[Segment] = []
        n_read = 0
        while n_read < MOST_FIXES:
            span = courier_id, begins_at, before, FIXES_AT_ONCE
            state, closed, n, last_at = await self._folding.go_on(pool, state, span, self._params)
            found += filter(self._is_inside, closed)
            if len(found) > limit:
                return found[:limit], ends_us(found[limit])[0]
            if n < FIXES_AT_ONCE or last_at is None:
                found += filter(self._is_inside, current(state))
                return found[:limit], ends_us(found[limit])[0] if len(found) > limit else None
            n_read += n
            begins_at = last_at + timedelta(microseconds=1)
        going_on = current(state)
        if not found or not going_on:  # one segment of very many fixes: cut, or the next page would be this one again
            return [*found, *filter(self._is_inside, going_on)], microseconds(begins_at)
        return found, ends_us(going_on[0])[0]

    def _is_inside(self, segment: Segment) -> bool:
        began_us, ended_us = ends_us(segment)
        return ended_us >= self._from_us and began_us < self._until_us


@get("/v1/couriers/{courier_id:uuid}/visits", opt=looks_at("courier.visits"), guards=[requires_any], tags=["couriers"])
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
    began_us, ended_us = ends_us(segment)
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


def _span(from_text: str | None, to_text: str | None) -> tuple[datetime, datetime]:
    """The span asked for, by default the day before its end, which is by default now."""
    until = instant_of("to", to_text) or datetime.now(UTC)
    since = instant_of("from", from_text) or until - timedelta(days=1)
    if not since < until <= since + LONGEST_SPAN:
        raise BadInput("The span is too long or backwards.", ("/from", "expected from < to, at most 7 days apart"))
    return since, until


route_handlers: list[Any] = [list_stops, list_visits]
