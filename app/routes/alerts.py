"""Alerts: `/v1/alerts`. They are raised and resolved by the watcher; people acknowledge, assign and snooze them."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from app.web.announce import announce
from app.web.audit import audit
from app.web.auth import Role, requires
from app.web.compression import COMPRESSED
from app.web.dependencies import CurrentCaller, Pool, RedisClient
from app.web.instants import check_instants
from app.web.looks import looks_at
from app.web.pages import PAGE_LIMIT, Page, cursor_of, key_of
from app.web.problems import BadInput
from app.web.reach import partner_within_reach
from dispatch.alert_kind import AlertKind
from dispatch.alert_rows import told_of
from dispatch.errors import AlertNotFound, AlertResolved
from sql import queries

LONGEST_SNOOZE: Final = timedelta(days=7)


class AlertState(StrEnum):
    """Where an alert stands."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    """Somebody looks after it; its cause still holds."""
    RESOLVED = "resolved"
    """Its cause has ended."""


class Alert(msgspec.Struct, kw_only=True):
    """Something that somebody should look at."""

    id: UUID
    kind: AlertKind
    state: AlertState
    region: str
    courier_id: UUID | None
    """None: it is about the order, or with neither about the region as a whole."""
    order_id: UUID | None
    raised_at: datetime
    facts: dict[str, Any]
    """What was seen."""
    expected: dict[str, Any]
    """What would have been in order."""
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    assigned_to: str | None
    """The name of whoever looks after it."""
    snoozed_until: datetime | None
    """It rests until then, and is open again by itself afterwards."""
    resolved_at: datetime | None
    resolution: dict[str, Any] | None
    """What was seen when the cause had ended."""


class Assignment(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Whose an alert is."""

    to: Annotated[str, msgspec.Meta(min_length=1, max_length=200)] | None
    """A person's name, as `GET /v1/me` tells it; null: nobody's in particular."""


class Snooze(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How long an alert rests."""

    until: Annotated[datetime, msgspec.Meta(tz=True)] | None
    """Seven days ahead at most; null: it rests no longer."""


def alert_of(row: Any) -> Alert:
    """The only place that knows the columns."""
    if row["resolved_at"] is not None:
        state = AlertState.RESOLVED
    else:
        state = AlertState.OPEN if row["acknowledged_at"] is None else AlertState.ACKNOWLEDGED
    values = {name: row[name] for name in Alert.__struct_fields__ if name != "state"}
    values |= {name: None if row[name] is None else msgspec.json.decode(row[name]) for name in _JSON}
    return Alert(**{**values, "kind": AlertKind(row["kind"]), "state": state})


_JSON = ("facts", "expected", "resolution")


@get("/v1/alerts", opt=looks_at("couriers.alerts") | COMPRESSED, guards=[requires(Role.VIEWER)], tags=["alerts"])
async def list_alerts(
    pool: Pool,
    in_state: Annotated[AlertState | None, QueryParameter(name="state")] = None,
    kind: FromQuery[AlertKind | None] = None,
    region: FromQuery[str | None] = None,
    courier_id: FromQuery[UUID | None] = None,
    order_id: FromQuery[UUID | None] = None,
    cursor: FromQuery[str | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=PAGE_LIMIT)] = 100,
) -> Page[Alert]:
    """Newest first; `state=open` are all whose cause holds, acknowledged or not."""
    after = key_of(cursor, tuple[datetime, UUID]) or (None, None)
    who = (courier_id, order_id)
    rows = await pool.fetch(
        queries["alerts.list"], region, in_state, kind, *who, *after, limit, partner_within_reach(None)
    )
    items = [alert_of(row) for row in rows]
    more = cursor_of(items[-1].raised_at, items[-1].id) if len(items) == limit else None
    return Page(items=items, next=more)


@post("/v1/alerts/{alert_id:uuid}/acknowledge", status_code=200, guards=[requires(Role.SUPPORT)], tags=["alerts"])
async def acknowledge_alert(alert_id: FromPath[UUID], pool: Pool, redis: RedisClient, caller: CurrentCaller) -> Alert:
    """Say that somebody looks after it; the first to say so is remembered."""
    async with pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(queries["alerts.acknowledge"], alert_id, datetime.now(UTC), caller.actor)
        if row is None:
            raise AlertNotFound(alert_id=alert_id)
        await audit(connection, caller, "alert.acknowledge", f"alert:{alert_id}", {"kind": row["kind"]})
    await announce(redis, row["region"], "alert.acknowledged", told_of(row))
    return alert_of(row)


@post("/v1/alerts/{alert_id:uuid}/assign", status_code=200, guards=[requires(Role.SUPPORT)], tags=["alerts"])
async def assign_alert(
    alert_id: FromPath[UUID], data: JSONBody[Assignment], pool: Pool, redis: RedisClient, caller: CurrentCaller
) -> Alert:
    """Say whose it is. An alert that has ended is nobody's any more."""
    async with pool.acquire() as connection, connection.transaction():
        before = await _lock_open(connection, alert_id)
        row = await connection.fetchrow(queries["alerts.assign"], alert_id, data.to)
        told = {"before": before["assigned_to"], "after": data.to}
        await audit(connection, caller, "alert.assign", f"alert:{alert_id}", told)
    await announce(redis, row["region"], "alert.assigned", told_of(row))
    return alert_of(row)


@post("/v1/alerts/{alert_id:uuid}/snooze", status_code=200, guards=[requires(Role.SUPPORT)], tags=["alerts"])
async def snooze_alert(
    alert_id: FromPath[UUID], data: JSONBody[Snooze], pool: Pool, redis: RedisClient, caller: CurrentCaller
) -> Alert:
    """Let it rest until an instant, at which it is open again by itself; its cause may end before."""
    check_instants(data)
    now = datetime.now(UTC)
    if data.until is not None and not now < data.until <= now + LONGEST_SNOOZE:
        raise BadInput("It cannot rest until then.", ("/until", "expected an instant within the next 7 days"))
    async with pool.acquire() as connection, connection.transaction():
        before = await _lock_open(connection, alert_id)
        row = await connection.fetchrow(queries["alerts.snooze"], alert_id, data.until, caller.actor)
        told = {"before": before["snoozed_until"], "after": data.until}
        await audit(connection, caller, "alert.snooze", f"alert:{alert_id}", told)
    await announce(redis, row["region"], "alert.snoozed", told_of(row))
    return alert_of(row)


async def _lock_open(connection: Any, alert_id: UUID) -> Any:
    """What of it people may change. Raises AlertNotFound, AlertResolved."""
    row = await connection.fetchrow(queries["alerts.lock"], alert_id)
    if row is None:
        raise AlertNotFound(alert_id=alert_id)
    if row["resolved_at"] is not None:
        raise AlertResolved(alert_id=alert_id)
    return row


route_handlers: list[Any] = [list_alerts, acknowledge_alert, assign_alert, snooze_alert]
