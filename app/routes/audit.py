"""`GET /v1/audit`: who did, and who looked at, what."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import get
from litestar.params import FromQuery, QueryParameter

from app.web.auth import Role, requires
from app.web.dependencies import Pool
from app.web.pages import PAGE_LIMIT, Page, cursor_of, key_of
from sql import queries


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


@get("/v1/audit", guards=[requires(Role.ADMIN, Role.AUDITOR)], tags=["audit"])
async def list_audit(
    pool: Pool,
    actor: FromQuery[str | None] = None,
    action: FromQuery[str | None] = None,
    subject: FromQuery[str | None] = None,
    cursor: FromQuery[str | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=PAGE_LIMIT)] = 100,
) -> Page[AuditEntry]:
    """Newest first; `actor`, `action` and `subject` must match exactly."""
    before = key_of(cursor, tuple[int])
    rows = await pool.fetch(queries["audit_log.list"], actor, action, subject, before[0] if before else None, limit)
    items = [AuditEntry(**{**row, "facts": msgspec.json.decode(row["facts"])}) for row in map(dict, rows)]
    return Page(items=items, next=cursor_of(items[-1].id) if len(items) == limit else None)


route_handlers: list[Any] = [list_audit]
