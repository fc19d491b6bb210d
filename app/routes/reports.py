"""Reports: `GET /v1/reports/service-level`."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import asyncpg
from litestar import Request, Response, get
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIResponse, Operation, Schema
from litestar.openapi.spec.enums import OpenAPIType
from litestar.params import FromQuery, QueryParameter

from app.shapes.reports import ServiceLevel, as_csv, service_level_shape
from app.web.auth import Role, requires
from app.web.compression import COMPRESSED
from app.web.dependencies import Pool
from app.web.instants import From, To, instant_of
from app.web.problems import BadInput
from app.web.reach import partner_within_reach
from app.web.regions import known_region
from app.wiring.reads import NearReads
from dispatch import regions
from dispatch.reports.service_level import LONGEST, By, Report, service_level

CSV: Final = "text/csv"
DEFAULT_SPAN: Final = timedelta(days=1)


@dataclass
class ReportOperation(Operation):
    """JSON or CSV."""

    def __post_init__(self) -> None:
        """Document both."""
        if self.responses is not None and isinstance(found := self.responses.get("200"), OpenAPIResponse):
            assert found.content is not None
            found.content[CSV] = OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING))


@get(
    "/v1/reports/service-level",
    opt=COMPRESSED,
    guards=[requires(Role.VIEWER)],
    operation_class=ReportOperation,
    tags=["reports"],
)
async def get_service_level(
    request: Request[Any, Any, Any],
    pool: Pool,
    reads: NearReads,
    region: FromQuery[str | None] = None,
    from_text: From = None,
    to_text: To = None,
    by: FromQuery[By] = By.DAY,
    file_format: Annotated[
        Literal["json", "csv"] | None, QueryParameter(name="format", description="Unset: by the header Accept.")
    ] = None,
) -> Response[ServiceLevel]:
    """
    How well a region was served from `from` (by default a day earlier) until before `to`, by its own clock.

    A year at most, by hour a month; to a partner's people of their own orders and couriers. The way and the hours at
    work are whole hours of UTC; fixes that come late are in them some 15 minutes later.
    """
    until = instant_of("to", to_text) or datetime.now(UTC)
    since = instant_of("from", from_text) or until - DEFAULT_SPAN
    if not timedelta(0) < until - since <= LONGEST[by]:
        most = LONGEST[by].days
        raise BadInput(
            f"By {by}, expected `from` before `to`, by {most} days at most.", ("/from", "expected from < to")
        )
    known = await regions.get(pool, await known_region(pool, region))
    partner = partner_within_reach(None)

    async def report_of(asked: asyncpg.Pool) -> Report:
        async with asked.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            return await service_level(connection, known.name, known.facts.timezone, since, until, by, partner)

    report = await reads.ask(report_of)
    shape = service_level_shape(report, region=known.name, since=since, until=until, by=by, zone=_zone(report.timezone))
    wanted = file_format or ("csv" if request.accept.best_match(["application/json", CSV]) == CSV else "json")
    if wanted == "csv":
        name = f"service-level-{known.name}-{by}.csv"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(as_csv(shape), media_type=f"{CSV}; charset=utf-8", headers=headers)  # type: ignore[arg-type]
    return Response(shape)


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


route_handlers: list[Any] = [get_service_level]
