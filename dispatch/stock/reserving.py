"""
Goods of orders: taken when an order is placed, gone when somebody collects it, back when it comes back.

What nobody keeps the stock of at a place is not looked at. What is reserved is let go by the database when an order is
closed (sql/migrations/0069_stock_reservations.sql).
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid5

from dispatch.errors import OutOfStock
from dispatch.orders.order import Actor
from dispatch.orders.rows import Row
from dispatch.stock.batches import good
from dispatch.stock.moving import At, Kind, Wanted, batches_of, hold, lack, move
from sql import queries

NAMES: Final = UUID("3d2c7a53-6f0e-4f6e-9a4a-6c1f0f8a2b11")
"""Of the movements that are made for orders: told again they are the same."""


class Taken(NamedTuple):
    """Goods for an order to be."""

    item_id: UUID
    item: str
    quantity: int


class Line(NamedTuple):
    """Goods that an order names."""

    item: str
    quantity: int


async def take(
    connection: Any, place: At, lines: Iterable[Line], *, is_must: bool = True, made: Collection[str] = ()
) -> list[Taken]:
    """
    Hold what the lines name, of what is kept at the place, until the transaction ends.

    Raises `OutOfStock` where there is less, with all that lacks; not `is_must`: then it is what there is, and so it is
    of what nobody has brought, and of `made`, which the place makes where there is too little.
    """
    wanted: Counter[str] = Counter()
    for line in lines:
        wanted[line.item] += line.quantity
    rows = await connection.fetch(queries["stock.kept_at"], place.region, place.partner, place.place_id, list(wanted))
    if not rows:
        return []
    ids = [row["id"] for row in rows]
    await hold(connection, [(place.place_id, item_id) for item_id in ids])
    found = await connection.fetch(queries["stock.left_of"], place.place_id, ids, place.today)
    left = {row["item_id"]: max(0, row["available"]) for row in found}
    lacks = [
        lack(row["item"], wanted[row["item"]], left[row["id"]])
        for row in rows
        if row["is_brought"] and row["item"] not in made and left[row["id"]] < wanted[row["item"]]
    ]
    if lacks and is_must:
        raise OutOfStock(missing=lacks)
    taken = [Taken(row["id"], row["item"], min(wanted[row["item"]], left[row["id"]])) for row in rows]
    return [one for one in taken if one.quantity > 0]


async def keep(connection: Any, place_id: UUID, order_id: UUID, taken: Sequence[Taken]) -> None:
    """Reserve what was taken for an order."""
    if taken:
        values = [one.item_id for one in taken], [one.quantity for one in taken]
        await connection.execute(queries["stock.reserve"], order_id, place_id, *values)


async def collect(
    connection: Any,
    place: At,
    order_id: UUID,
    attempt: int,
    actor: Actor,
    at: datetime,
    *,
    missing: Mapping[str, int],
) -> list[dict[str, Any]]:
    """
    Ship what is reserved for an order but for what was missing; what else is reserved is free again.

    Whoever collected it has it: what the books have less of is told, as `OutOfStock` does.
    """
    rows = await connection.fetch(queries["stock.reserved"], order_id)
    await hold(connection, _keys(rows))
    lacks = []
    for row in await connection.fetch(queries["stock.reserved"], order_id):
        quantity = row["quantity"] - missing.get(row["item"], 0)
        there = good(await batches_of(connection, place.place_id, row["item_id"]), place.today)
        if there < quantity:
            lacks.append(lack(row["item"], quantity, there))
        if (shipped := min(quantity, there)) > 0:
            wanted = Wanted(
                id=_named(order_id, "ship", attempt, row["item_id"]),
                kind=Kind.SHIP,
                quantity=shipped,
                item=row["item"],
                order_id=order_id,
            )
            await move(connection, place, wanted, actor, at)
    await connection.execute(queries["stock.release"], order_id)
    return lacks


async def come_back(connection: Any, order_id: UUID, attempt: int, actor: Actor, at: datetime) -> None:
    """What an order took with it is stock again, in the batches that it came from."""
    await hold(connection, _keys(await connection.fetch(queries["stock.gone_with"], order_id)))
    for row in await connection.fetch(queries["stock.gone_with"], order_id):
        await connection.execute(
            queries["stock.book"],
            *(row["batch_id"], _named(order_id, "return", attempt, row["batch_id"]), 0, Kind.RETURN.value),
            *(row["quantity"], at, order_id, None, actor.id, actor.role, "{}"),
        )


def _keys(rows: Sequence[Row]) -> list[tuple[UUID, UUID]]:
    return [(row["place_id"], row["item_id"]) for row in rows]


def _named(order_id: UUID, what: str, attempt: int, about: UUID) -> UUID:
    return uuid5(NAMES, f"{order_id} {what} {attempt} {about}")
