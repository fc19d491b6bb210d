"""`GET /v1/audit`: who did, and who looked at, what."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Literal

import msgspec
from litestar import Request, Response, get
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIResponse, Operation, Schema
from litestar.openapi.spec.enums import OpenAPIType
from litestar.params import FromQuery, QueryParameter
from litestar.response import Stream

from app.web.auth import Role, requires
from app.web.csv_lines import csv_lines
from app.web.dependencies import Pool
from app.web.instants import From, To, instant_of
from app.web.pages import PAGE_LIMIT, Page, cursor_of, key_of
from sql import queries

CSV: Final = "text/csv"
MOST_ROWS: Final = 100_000
"""Of a file; who wants more asks for a shorter span."""


class AuditEntry(msgspec.Struct, kw_only=True):
    """One row of the audit log."""

    id: int
    at: datetime
    actor: str
    role: str
    action: str
    subject: str
    facts: dict[str, Any]
    ip: str | None
    trace_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """Which rows."""

    actor: str | None
    action: str | None
    subject: str | None
    since: datetime | None
    until: datetime | None

    async def before(self, pool: Any, key: int | None, limit: int) -> list[AuditEntry]:
        """The newest ones before that id."""
        rows = await pool.fetch(
            queries["audit_log.list"],
            *(self.actor or None, self.action or None, self.subject or None, key, limit, self.since, self.until),
        )
        return [AuditEntry(**{**row, "facts": msgspec.json.decode(row["facts"])}) for row in map(dict, rows)]


@dataclass
class AuditOperation(Operation):
    """JSON or CSV."""

    def __post_init__(self) -> None:
        """Document both."""
        if self.responses is not None and isinstance(found := self.responses.get("200"), OpenAPIResponse):
            assert found.content is not None
            found.content[CSV] = OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING))


@get("/v1/audit", guards=[requires(Role.ADMIN, Role.AUDITOR)], operation_class=AuditOperation, tags=["audit"])
async def list_audit(
    request: Request[Any, Any, Any],
    pool: Pool,
    actor: FromQuery[str | None] = None,
    action: FromQuery[str | None] = None,
    subject: FromQuery[str | None] = None,
    from_text: From = None,
    to_text: To = None,
    cursor: FromQuery[str | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=PAGE_LIMIT)] = 100,
    file_format: Annotated[
        Literal["json", "csv"] | None, QueryParameter(name="format", description="Unset: by the header Accept.")
    ] = None,
) -> Response[Page[AuditEntry]]:
    """
    Newest first; `actor`, `action` and `subject` must match exactly.

    As CSV all of them at once, 100,000 rows at most.
    """
    wanted = _Wanted(
        actor=actor,
        action=action,
        subject=subject,
        since=instant_of("from", from_text),
        until=instant_of("to", to_text),
    )
    before = key_of(cursor, tuple[int])
    key = before[0] if before else None
    form = file_format or ("csv" if request.accept.best_match(["application/json", CSV]) == CSV else "json")
    if form == "csv":
        headers = {"Content-Disposition": 'attachment; filename="audit.csv"', "cache-control": "no-store"}
        first = await wanted.before(pool, key, PAGE_LIMIT)
        lines = _lines(pool, wanted, first)
        return Stream(lines, media_type=CSV, headers=headers)  # type: ignore[return-value]
    items = await wanted.before(pool, key, limit)
    return Response(Page(items=items, next=cursor_of(items[-1].id) if len(items) == limit else None))


async def _lines(pool: Any, wanted: _Wanted, page: list[AuditEntry]) -> AsyncIterator[str]:
    names = AuditEntry.__struct_fields__
    yield csv_lines([names])
    for _ in range(MOST_ROWS // PAGE_LIMIT):
        cells = ([_told(getattr(entry, name)) for name in names] for entry in page)
        yield csv_lines(cells)
        if len(page) < PAGE_LIMIT:
            return
        page = await wanted.before(pool, page[-1].id, PAGE_LIMIT)


def _told(value: Any) -> Any:
    return msgspec.json.encode(value).decode() if isinstance(value, dict) else value


route_handlers: list[Any] = [list_audit]
