"""Goods of places: what there is, what happens to it, and of which goods stock is kept."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from litestar import delete, get, patch, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import UNSET

from app.shapes.places import check_own
from app.shapes.stock import (
    NewStockItem,
    NewStockMovement,
    NewStockMovements,
    StockItem,
    StockItemPatch,
    StockMovement,
    StockMovementResult,
    StockMovementsDone,
    StockOfItem,
    gtin_of,
    item_shape,
    movement_shape,
    result_shape,
    stock_shape,
    wanted_of,
)
from app.web.actors import actor_of
from app.web.audit import audit
from app.web.auth import Caller, Role, requires
from app.web.dependencies import CurrentCaller, Pool, RedisClient
from app.web.pages import PAGE_LIMIT, Page, cursor_of, key_of
from app.web.problems import BadInput, part_problem
from app.web.reach import partner_within_reach
from app.web.regions import known_region
from dispatch.errors import DispatchError, ExternalIdInUse, ItemInStock, ItemNotFound
from dispatch.places import counter
from dispatch.places.place import Place
from dispatch.stock.balances import Part, balances_at, forget_now
from dispatch.stock.moving import At, move
from sql import queries

OWN = requires(Role.SUPPORT, Role.PLACE)
Limit = Annotated[int, QueryParameter(ge=1, le=PAGE_LIMIT)]
Items = Annotated[list[str] | None, QueryParameter(max_items=50)]


@get("/v1/stock/items", guards=[requires(Role.VIEWER, Role.PLACE)], tags=["stock"])
async def list_items(
    pool: Pool,
    caller: CurrentCaller,
    region: FromQuery[str | None] = None,
    gtin: FromQuery[str | None] = None,
    cursor: FromQuery[str | None] = None,
    limit: Limit = 100,
) -> Page[StockItem]:
    """Goods whose stock is kept, oldest first; a place's token sees those that may be its own."""
    after = key_of(cursor, tuple[datetime, UUID]) or (None, None)
    place_id = caller.place_id if caller.role is Role.PLACE else None
    rows = await pool.fetch(
        queries["stock.items"], region, partner_within_reach(None), place_id, gtin_of(gtin), *after, limit
    )
    items = [item_shape(row) for row in rows]
    return Page(items=items, next=cursor_of(items[-1].created_at, items[-1].id) if len(items) == limit else None)


@post("/v1/stock/items", guards=[requires(Role.DISPATCHER)], tags=["stock"])
async def add_item(data: JSONBody[NewStockItem], pool: Pool, caller: CurrentCaller) -> StockItem:
    """Keep the stock of some goods, at each place of the region and partner that has any."""
    columns = (data.item, data.name, gtin_of(data.gtin), data.unit, data.is_returnable)
    async with pool.acquire() as connection, connection.transaction():
        region = await known_region(connection, data.region)
        try:
            row = await connection.fetchrow(
                queries["stock.add_item"], region, partner_within_reach(data.partner), *columns
            )
        except asyncpg.UniqueViolationError as exc:
            raise _in_use(data.item, data.gtin) from exc
        await audit(connection, caller, "stock.add", f"item:{row['id']}", {"item": data.item})
    return item_shape(row)


@patch("/v1/stock/items/{item_id:uuid}", guards=[requires(Role.DISPATCHER)], tags=["stock"])
async def change_item(
    item_id: FromPath[UUID], data: JSONBody[StockItemPatch], pool: Pool, caller: CurrentCaller
) -> StockItem:
    """Change what is given; the rest stays."""
    names = [name for name in StockItemPatch.__struct_fields__ if getattr(data, name) is not UNSET]
    async with pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(queries["stock.hold_item"], item_id)
        if row is None:
            raise ItemNotFound(item_id=str(item_id))
        wanted = {name: row[name] for name in StockItemPatch.__struct_fields__} | {n: getattr(data, n) for n in names}
        try:
            row = await connection.fetchrow(
                queries["stock.change_item"],
                *(item_id, wanted["name"], gtin_of(wanted["gtin"]), wanted["is_returnable"]),
            )
        except asyncpg.UniqueViolationError as exc:
            raise _in_use(None, wanted["gtin"]) from exc
        await audit(connection, caller, "stock.change", f"item:{item_id}", {"changed": names})
    return item_shape(row)


@delete("/v1/stock/items/{item_id:uuid}", guards=[requires(Role.DISPATCHER)], tags=["stock"])
async def remove_item(item_id: FromPath[UUID], pool: Pool, caller: CurrentCaller) -> None:
    """Keep no stock of it any more; 409 while there is some somewhere."""
    async with pool.acquire() as connection, connection.transaction():
        if await connection.fetchrow(queries["stock.hold_item"], item_id) is None:
            raise ItemNotFound(item_id=str(item_id))
        found = await connection.fetch(queries["stock.places_with"], item_id)
        if found:
            raise ItemInStock(item_id=str(item_id), place_ids=[str(row["place_id"]) for row in found])
        await connection.execute(queries["stock.remove_item"], item_id)
        await audit(connection, caller, "stock.remove", f"item:{item_id}")


@get("/v1/places/{place_id:uuid}/stock", guards=[requires(Role.VIEWER, Role.PLACE)], tags=["stock"])
async def get_stock(
    place_id: FromPath[UUID],
    pool: Pool,
    redis: RedisClient,
    caller: CurrentCaller,
    item: Items = None,
    cursor: FromQuery[str | None] = None,
    limit: Limit = 100,
) -> Page[StockOfItem]:
    """
    What there is of each of the place's goods, by batch; also of those that have run out.

    `item`, as often as needed: of those goods only. What orders took a moment ago may still be told as there, for at
    most a minute and nearly always less than a second; whether an order gets it is decided when it is placed.
    """
    check_own(place_id, caller)
    item_after, id_after = key_of(cursor, tuple[str, UUID]) or (None, None)
    part = Part(after=id_after, after_item=item_after, items=tuple(item or ()), limit=limit)
    found = await balances_at(pool, redis, place_id, part)
    today = found.today(datetime.now(UTC))
    items = [stock_shape(one, today) for one in found.goods]
    return Page(items=items, next=cursor_of(items[-1].item, items[-1].item_id) if len(items) == limit else None)


@get("/v1/places/{place_id:uuid}/stock/movements", guards=[requires(Role.VIEWER, Role.PLACE)], tags=["stock"])
async def list_movements(
    place_id: FromPath[UUID],
    pool: Pool,
    caller: CurrentCaller,
    item_id: FromQuery[UUID | None] = None,
    newest: FromQuery[bool] = False,
    cursor: FromQuery[str | None] = None,
    limit: Limit = 100,
) -> Page[StockMovement]:
    """What happened to the place's goods, as it was written; with `newest=true` the last first."""
    check_own(place_id, caller)
    await counter.get_place(pool, place_id)
    (after,) = key_of(cursor, tuple[int]) or (None,)
    query = queries["stock.newest_movements" if newest else "stock.movements"]
    rows = await pool.fetch(query, place_id, after, limit, item_id)
    items = [movement_shape(row) for row in rows]
    return Page(items=items, next=cursor_of(items[-1].n) if len(items) == limit else None)


@post("/v1/places/{place_id:uuid}/stock/movements", guards=[OWN], status_code=200, tags=["stock"])
async def add_movements(
    place_id: FromPath[UUID], data: JSONBody[NewStockMovements], pool: Pool, redis: RedisClient, caller: CurrentCaller
) -> StockMovementsDone:
    """
    Book what happened to goods, as a scanner tells it: now or later, once however often it is sent.

    Each is done by itself, one after the other; one that cannot be done is told with its problem.
    """
    check_own(place_id, caller)
    now = datetime.now(UTC)
    place = await counter.get_place(pool, place_id)
    results = []
    async with pool.acquire() as connection:
        for n, one in enumerate(data.movements):
            results.append(await _book(connection, place, one, caller, now, n))
        n_done = sum(one.problem is None for one in results)
        facts = {"n_done": n_done, "n_failed": len(results) - n_done}
        await audit(connection, caller, "stock.move", f"place:{place_id}", facts)
    await forget_now(redis, {place_id, *(one.to_place_id for one in data.movements if one.to_place_id is not None)})
    return StockMovementsDone(n_done=n_done, n_failed=len(results) - n_done, results=results)


async def _book(
    connection: Any, place: Place, data: NewStockMovement, caller: Caller, now: datetime, n: int
) -> StockMovementResult:
    try:
        wanted = wanted_of(data, place.today(now))
        async with connection.transaction():
            to = None if data.to_place_id is None else await counter.get_place(connection, data.to_place_id)
            to_at = None if to is None else _at(to, now)
            return result_shape(await move(connection, _at(place, now), wanted, actor_of(caller), now, to=to_at))
    except (DispatchError, BadInput) as exc:
        problem = part_problem(exc)
        if problem is None:
            raise
        if isinstance(exc, BadInput):
            problem["errors"] = [
                {"pointer": f"/movements/{n}{pointer}", "detail": detail} for pointer, detail in exc.errors
            ]
        return StockMovementResult(id=data.id, status=int(str(problem["status"])), problem=problem)


def _at(place: Place, now: datetime) -> At:
    return At(place.id, place.region, place.partner, place.today(now))


def _in_use(item: str | None, gtin: str | None) -> ExternalIdInUse:
    return ExternalIdInUse("Stock is kept of goods with this code or GTIN already.", item=item, gtin=gtin)


route_handlers: list[Any] = [
    list_items,
    add_item,
    change_item,
    remove_item,
    get_stock,
    list_movements,
    add_movements,
]
