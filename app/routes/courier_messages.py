"""Couriers write to support, and support answers: `/v1/couriers/{id}/messages`; about no order in particular."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from app.web import conditional
from app.web.audit import audit
from app.web.auth import Caller, Role, requires
from app.web.dependencies import CurrentCaller, Pool, RedisClient
from app.web.idempotency import IdempotencyKey, answered_before, remember_answer
from app.web.pages import PAGE_LIMIT, Page, cursor_of, key_of
from dispatch import alert_rows
from dispatch.alert_kind import AlertKind
from dispatch.alert_rows import AlertChange
from dispatch.errors import NotYours
from sql import queries
from tracking.errors import CourierNotFound
from tracking.position import CourierId

MOST_KEPT: Final = 500
"""Of a courier, the newest."""
SOURCE: Final = "messages"


class NewMessage(msgspec.Struct, kw_only=True):
    """What is said."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=4000, pattern=r"\S")]


class CourierMessage(msgspec.Struct, kw_only=True):
    """A message of a courier, or an answer."""

    id: int
    courier_id: UUID
    at: datetime
    actor: str
    role: str
    """`courier`, or that of whoever answered."""
    text: str


@get(
    "/v1/couriers/{courier_id:uuid}/messages",
    guards=[requires(Role.VIEWER, Role.AUDITOR, Role.COURIER)],
    tags=["courier"],
)
async def list_messages(
    courier_id: FromPath[UUID],
    request: Request[Any, Any, Any],
    pool: Pool,
    caller: CurrentCaller,
    cursor: FromQuery[str | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=PAGE_LIMIT)] = 50,
) -> Response[Page[CourierMessage]]:
    """What a courier and support wrote each other, the newest first; for both."""
    _own(courier_id, caller)
    before = key_of(cursor, tuple[int])
    rows = await pool.fetch(queries["courier_messages.list"], courier_id, None if before is None else before[0], limit)
    items = [_shape(row) for row in rows]
    return conditional.answer(request, Page(items=items, next=cursor_of(items[-1].id) if len(items) == limit else None))


@post("/v1/couriers/{courier_id:uuid}/messages", guards=[requires(Role.SUPPORT, Role.COURIER)], tags=["courier"])
async def write_message(
    courier_id: FromPath[UUID],
    data: JSONBody[NewMessage],
    pool: Pool,
    redis: RedisClient,
    caller: CurrentCaller,
    idempotency_key: IdempotencyKey = None,
) -> CourierMessage | dict[str, Any]:
    """
    The courier writes to support, which raises an alert `message`; or support answers, which ends it.

    Of each courier the last 500 are kept.
    """
    _own(courier_id, caller)
    async with pool.acquire() as connection, connection.transaction():
        if (before := await answered_before(connection, caller, idempotency_key, data)) is not None:
            return before  # type: ignore[no-any-return]
        region = await connection.fetchval(queries["courier_messages.region"], courier_id)
        values = (courier_id, caller.actor, caller.role.value, data.text)
        row = None if region is None else await connection.fetchrow(queries["courier_messages.insert"], *values)
        if row is None:
            raise CourierNotFound(courier_id=str(courier_id))
        await connection.execute(queries["courier_messages.keep"], courier_id, MOST_KEPT)
        shape = _shape(row)
        await audit(connection, caller, "courier.message", f"courier:{courier_id}", {"message_id": shape.id})
        await remember_answer(connection, caller, idempotency_key, 201, shape)
    change = [AlertChange(kind=AlertKind.MESSAGE, courier_id=CourierId(courier_id))]
    raised = change if caller.role is Role.COURIER else []
    await alert_rows.write(pool, redis, region, source=SOURCE, raised=raised, resolved=change, now=datetime.now(UTC))
    return shape


def _own(courier_id: UUID, caller: Caller) -> None:
    if caller.role is Role.COURIER and caller.courier_id != courier_id:
        raise NotYours(courier_id=str(courier_id))


def _shape(row: Any) -> CourierMessage:
    return CourierMessage(
        id=row["id"],
        courier_id=row["courier_id"],
        at=row["at"],
        actor=row["actor"],
        role=row["role"],
        text=row["body"],
    )


route_handlers: list[Any] = [list_messages, write_message]
