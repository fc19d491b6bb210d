"""Counts of goods: `/v1/places/{id}/stock/counts`."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from app.commands.collecting import goods_at
from app.shapes.places import check_own
from app.shapes.stock_counts import (
    CountDecision,
    NewStockCount,
    StockCount,
    StockCounted,
    count_shape,
    counted_of,
    counted_shape,
)
from app.web.actors import actor_of
from app.web.audit import audit
from app.web.auth import Caller, Role, requires
from app.web.dependencies import CurrentCaller, Pool, RedisClient
from app.web.pages import PAGE_LIMIT, Page, cursor_of, key_of
from dispatch.places import counter
from dispatch.stock import counting
from dispatch.stock.balances import forget_now
from sql import queries


@post("/v1/places/{place_id:uuid}/stock/counts", guards=[requires(Role.SUPPORT, Role.PLACE)], tags=["stock"])
async def add_count(
    place_id: FromPath[UUID], data: JSONBody[NewStockCount], pool: Pool, caller: CurrentCaller
) -> StockCounted:
    """Tell what was counted, without knowing what is expected; nothing is booked until it is approved."""
    check_own(place_id, caller)
    now = datetime.now(UTC)
    place = await counter.get_place(pool, place_id)
    counted = counted_of(data, place.today(now))
    async with pool.acquire() as connection, connection.transaction():
        row = await counting.count(
            connection, goods_at(place, now), data.id, counted, actor_of(caller), now, said_at=data.at
        )
        await audit(connection, caller, "stock.count", f"place:{place_id}", {"count_id": data.id})
    return counted_shape(row)


@get("/v1/places/{place_id:uuid}/stock/counts", guards=[requires(Role.VIEWER)], tags=["stock"])
async def list_counts(
    place_id: FromPath[UUID],
    pool: Pool,
    state_text: Annotated[Literal["open", "approved", "rejected"] | None, QueryParameter(name="state")] = None,
    cursor: FromQuery[str | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=PAGE_LIMIT)] = 100,
) -> Page[StockCount]:
    """Counts with what was expected, newest first; not for who counts."""
    await counter.get_place(pool, place_id)
    before = key_of(cursor, tuple[int]) or (None,)
    rows = await pool.fetch(queries["stock.counts"], place_id, *before, limit, state_text)
    more = cursor_of(rows[-1]["n"]) if len(rows) == limit else None
    return Page(items=[count_shape(row) for row in rows], next=more)


@post(
    "/v1/places/{place_id:uuid}/stock/counts/{count_id:uuid}/approve",
    guards=[requires(Role.DISPATCHER)],
    status_code=200,
    tags=["stock"],
)
async def approve_count(
    place_id: FromPath[UUID],
    count_id: FromPath[UUID],
    pool: Pool,
    redis: RedisClient,
    caller: CurrentCaller,
    data: JSONBody[CountDecision | None] = None,
) -> StockCount:
    """Book what the count found more or less, by its difference at that time; all of it or nothing."""
    return await _decided(place_id, count_id, pool, redis, caller, data, is_approved=True)


@post(
    "/v1/places/{place_id:uuid}/stock/counts/{count_id:uuid}/reject",
    guards=[requires(Role.DISPATCHER)],
    status_code=200,
    tags=["stock"],
)
async def reject_count(
    place_id: FromPath[UUID],
    count_id: FromPath[UUID],
    pool: Pool,
    redis: RedisClient,
    caller: CurrentCaller,
    data: JSONBody[CountDecision | None] = None,
) -> StockCount:
    """Leave the books as they are."""
    return await _decided(place_id, count_id, pool, redis, caller, data, is_approved=False)


async def _decided(
    place_id: UUID,
    count_id: UUID,
    pool: Any,
    redis: Any,
    caller: Caller,
    data: CountDecision | None,
    *,
    is_approved: bool,
) -> StockCount:
    now = datetime.now(UTC)
    decide, action = (counting.approve, "stock.approve") if is_approved else (counting.reject, "stock.reject")
    async with pool.acquire() as connection, connection.transaction():
        place = goods_at(await counter.get_place(connection, place_id), now)
        reason = None if data is None else data.reason
        row, moved = await decide(connection, place, count_id, actor_of(caller), now, reason=reason)
        facts = {"count_id": count_id, "n_differences": len(moved)}
        await audit(connection, caller, action, f"place:{place_id}", facts)
    await forget_now(redis, {place_id})
    return count_shape(row)


route_handlers: list[Any] = [add_count, list_counts, approve_count, reject_count]
