"""A courier's way: `GET /v1/couriers/{id}/track`, streamed, in several formats."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlencode
from uuid import UUID

from litestar import Request, get
from litestar.datastructures import State
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIResponse, Operation, Schema
from litestar.openapi.spec.enums import OpenAPIType
from litestar.params import FromPath, QueryParameter
from litestar.response import Stream

from app.web.auth import Role, requires
from app.web.compression import COMPRESSED
from app.web.dependencies import Pool
from app.web.instants import From, To, instant_of
from app.web.looks import looks_at
from app.web.pages import cursor_of, key_of
from app.web.problems import BadInput
from app.wiring.intake import Intake
from app.wiring.matched_tracks import on_streets, told
from sql import queries
from tracking.batch import PositionColumns
from tracking.errors import CourierNotFound
from tracking.history.export import TrackFormat, columns_of, export_of, write
from tracking.history.tracks import PAGE, Reader, Resolution, resolution_for

LONGEST: Final = timedelta(days=3660)
DEFAULT_SPAN: Final = timedelta(days=1)
MATCHED_SPAN: Final = timedelta(days=1, hours=1)
"""A day is longer where clocks go back."""
PAGE_LIMIT: Final = 100_000
MEDIA_TYPES: Final = ("application/geo+json", "text/csv", "application/gpx+xml")


@dataclass
class TrackOperation(Operation):
    """One media type for each format."""

    def __post_init__(self) -> None:
        """Document them all."""
        if self.responses is not None and isinstance(found := self.responses.get("200"), OpenAPIResponse):
            found.content = {
                media_type: OpenAPIMediaType(
                    schema=Schema(type=OpenAPIType.OBJECT if media_type.endswith("json") else OpenAPIType.STRING)
                )
                for media_type in MEDIA_TYPES
            }


@get(
    "/v1/couriers/{courier_id:uuid}/track",
    opt=looks_at("courier.track") | COMPRESSED,
    operation_class=TrackOperation,
    guards=[requires(Role.VIEWER)],
    tags=["positions"],
    response_description="The track, as a GeoJSON Feature unless `format` says otherwise",
)
async def get_track(
    request: Request[Any, Any, Any],
    courier_id: FromPath[UUID],
    state: State,
    pool: Pool,
    from_text: From = None,
    to_text: To = None,
    resolution: Annotated[Literal["raw", "1m", "1h", "auto"], QueryParameter()] = "auto",
    file_format: Annotated[TrackFormat, QueryParameter(name="format")] = TrackFormat.GEOJSON,
    marked: Annotated[bool, QueryParameter(description="Include fixes marked as jumps or as poor.")] = False,
    limit: Annotated[int | None, QueryParameter(ge=1, le=PAGE_LIMIT, description="Points of a page; all.")] = None,
    cursor: Annotated[str | None, QueryParameter()] = None,
    matched: Annotated[bool, QueryParameter(description="On the streets, where a routing engine is there.")] = False,
) -> Stream:
    """
    Where a courier was, in order of time, from `from` (by default a day earlier) until before `to`.

    `resolution=auto` takes every fix of up to a day, minutes of up to a month, else hours. Without `limit` the whole
    track is streamed; with it, `Link: <…>; rel="next"` leads to the next page (also `properties.next` in GeoJSON).
    With `matched` (of a day at most, as a whole) the line follows the streets, its instants reckoned between the fixes;
    what no engine knows stays as it was measured, and `X-Matched` (`properties.matched` in GeoJSON) says how much that
    is.
    """
    intake: Intake = state.intake
    until = instant_of("to", to_text) or datetime.now(UTC)
    since = instant_of("from", from_text) or until - DEFAULT_SPAN
    if not timedelta(0) <= until - since <= LONGEST:
        raise BadInput("`from` must come before `to`, by ten years at most.", ("/from", "expected from <= to"))
    if await pool.fetchrow(queries["couriers.find_even_deleted"], courier_id) is None:
        raise CourierNotFound(courier_id=courier_id)
    level = resolution_for(until - since) if resolution == "auto" else Resolution(resolution)
    if matched:
        _check_matched(until - since, resolution, is_part=limit is not None or cursor is not None, marked=marked)
        level = Resolution.RAW
    key = key_of(cursor, tuple[datetime])
    pages = _Pages(intake.reader, courier_id, level, since, until, with_marked=marked)
    first = await pages.after(None if key is None else key[0], limit)
    if matched:
        points, facts = await on_streets(pages.from_page(first), state.matching)
        export = export_of(file_format, courier_id, with_marks=False, facts={"matched": facts})
        headers = {"X-Resolution": level.value, "X-Matched": told(facts)}
        return Stream(write(export, _only(points)), media_type=export.media_type, headers=headers)
    is_whole = limit is None or len(first.points) < limit
    more = None if is_whole else cursor_of(first.last_at)
    facts = {} if more is None else {"next": more}
    export = export_of(file_format, courier_id, with_marks=marked, facts=facts)
    headers = {"X-Resolution": level.value}
    if more is not None:
        query = urlencode({**dict(request.query_params.items()), "cursor": more})
        headers["Link"] = f'<{request.url.path}?{query}>; rel="next"'
    stream = pages.from_page(first) if limit is None else _only(first.points)
    return Stream(write(export, stream), media_type=export.media_type, headers=headers)


def _check_matched(span: timedelta, resolution: str, *, is_part: bool, marked: bool) -> None:
    wrong = [
        *([("/from", "expected a day at most of a matched track")] if span > MATCHED_SPAN else []),
        *([("/resolution", "expected raw or auto of a matched track")] if resolution not in {"raw", "auto"} else []),
        *([("/limit", "expected a matched track as a whole")] if is_part else []),
        *([("/marked", "expected false of a matched track")] if marked else []),
    ]
    if wrong:
        raise BadInput("A matched track is a day at most, of good fixes, as a whole.", *wrong)


class _Page:
    """Points, and the key after which the next ones come."""

    def __init__(self, points: PositionColumns, last_at: datetime | None) -> None:
        self.points = points
        self.last_at = last_at


class _Pages:
    """One track at one resolution."""

    def __init__(
        self,
        reader: Reader,
        courier_id: UUID,
        resolution: Resolution,
        since: datetime,
        until: datetime,
        *,
        with_marked: bool,
    ) -> None:
        self._reader = reader
        self._courier_id = courier_id
        self._resolution = resolution
        self._span = (since, until)
        self._with_marked = with_marked

    async def after(self, cursor: datetime | None, limit: int | None = None) -> _Page:
        """The points after the cursor; without a limit as many as the reader gives at once."""
        size = limit or PAGE
        if self._resolution is Resolution.RAW:
            points = await self._reader.fixes(
                self._courier_id, *self._span, after=cursor, with_marked=self._with_marked, limit=size
            )
            last_at = points.position(len(points) - 1).fix.fixed_at if len(points) else None
            return _Page(points, last_at)
        rollups = await self._reader.rollups(self._courier_id, self._resolution, *self._span, after=cursor, limit=size)
        return _Page(columns_of(self._courier_id, rollups), rollups[-1].bucket_at if rollups else None)

    async def from_page(self, page: _Page) -> AsyncIterator[PositionColumns]:
        """This page and all that follow."""
        while page.last_at is not None:
            yield page.points
            page = await self.after(page.last_at)


async def _only(points: PositionColumns) -> AsyncIterator[PositionColumns]:
    yield points


route_handlers: list[Any] = [get_track]
