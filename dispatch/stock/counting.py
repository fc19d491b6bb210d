"""
Counting goods: whoever counts does not learn what is expected; what differs is booked when somebody else says so.

What is booked is the difference at the time of the count, so that what comes and goes until it is approved stays right.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid5

from dispatch.errors import CountDecided, CountNotFound, ItemNotFound, MovementReused
from dispatch.orders.happened import MAX_AGE, happened
from dispatch.orders.order import Actor
from dispatch.orders.rows import Row, from_json, to_json
from dispatch.stock.moving import At, Kind, Moved, Wanted, hold, move
from sql import queries

NAMES: Final = UUID("b6a9f9d2-1b86-4c1c-8f4e-2f7d6a5f9c42")
"""Of the movements that are made of counts: approved again they are the same."""


class Counted(NamedTuple):
    """How much was counted."""

    quantity: int
    item: str | None = None
    gtin: str | None = None
    lot: str | None = None
    best_before: date | None = None
    """With neither: all of the goods, whatever their lot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountLine:
    """What was counted, and what was expected."""

    item_id: UUID
    item: str
    lot: str | None
    best_before: date | None
    counted: int
    expected: int

    @property
    def difference(self) -> int:
        """What there is more or, below zero, less than expected."""
        return self.counted - self.expected


async def count(
    connection: Any,
    place: At,
    count_id: UUID,
    counted: Sequence[Counted],
    actor: Actor,
    now: datetime,
    *,
    said_at: datetime | None = None,
) -> Row:
    """
    Note a count, within a transaction; told again it is the same one.

    Raises `ItemNotFound`, and `MovementReused` where the id is another place's count.
    """
    when = happened(said_at, now=now, after=now - MAX_AGE)
    at = now if when is None else when.at
    found: dict[tuple[UUID, str | None, date | None], int] = {}
    names: dict[UUID, str] = {}
    for one in counted:
        item = await connection.fetchrow(queries["stock.find_item"], place.region, place.partner, one.item, one.gtin)
        if item is None:
            raise ItemNotFound(item=one.item, gtin=one.gtin)
        key = (item["id"], one.lot, one.best_before)
        found[key] = found.get(key, 0) + one.quantity
        names[item["id"]] = item["item"]
    await hold(connection, [(place.place_id, item_id) for item_id in names])
    lines = [
        CountLine(
            item_id=item_id,
            item=names[item_id],
            lot=lot,
            best_before=best_before,
            counted=quantity,
            expected=await connection.fetchval(
                queries["stock.expected"], place.place_id, item_id, lot, best_before, at
            ),
        )
        for (item_id, lot, best_before), quantity in found.items()
    ]
    row: Row | None = await connection.fetchrow(
        queries["stock.add_count"], count_id, place.place_id, at, to_json(lines), actor.id, actor.role
    )
    row = row or await connection.fetchrow(queries["stock.count"], count_id, place.place_id)
    if row is None:
        raise MovementReused("A count of that id is another place's.", id=str(count_id))
    return row


async def approve(
    connection: Any, place: At, count_id: UUID, actor: Actor, now: datetime, *, reason: str | None = None
) -> tuple[Row, list[Moved]]:
    """
    Book what a count found more or less, within a transaction.

    Raises `CountNotFound`, `CountDecided`, and `OutOfStock` where what lacked has gone otherwise meanwhile.
    """
    row = await _open(connection, place, count_id)
    lines = lines_of(row)
    await hold(connection, [(place.place_id, line.item_id) for line in lines])
    moved = []
    for n, line in enumerate(lines):
        if line.difference != 0:
            wanted = Wanted(
                id=uuid5(NAMES, f"{count_id} {n}"),
                kind=Kind.COUNT,
                quantity=line.difference,
                item=line.item,
                lot=line.lot,
                best_before=line.best_before,
                reason=reason or "counted",
            )
            moved.append(await move(connection, place, wanted, actor, now))
    return await _decide(connection, count_id, "approved", actor, now, reason), moved


async def reject(
    connection: Any, place: At, count_id: UUID, actor: Actor, now: datetime, *, reason: str | None = None
) -> tuple[Row, list[Moved]]:
    """Leave the books as they are: nothing is moved. Raises `CountNotFound` and `CountDecided`."""
    await _open(connection, place, count_id)
    return await _decide(connection, count_id, "rejected", actor, now, reason), []


def lines_of(row: Mapping[str, Any]) -> list[CountLine]:
    """Of a row of `stock_counts`."""
    return [
        CountLine(
            item_id=UUID(one["item_id"]),
            item=one["item"],
            lot=one["lot"],
            best_before=None if one["best_before"] is None else date.fromisoformat(one["best_before"]),
            counted=one["counted"],
            expected=one["expected"],
        )
        for one in from_json(row["lines"])
    ]


async def _open(connection: Any, place: At, count_id: UUID) -> Row:
    row: Row | None = await connection.fetchrow(queries["stock.count"], count_id, place.place_id)
    if row is None:
        raise CountNotFound(id=str(count_id))
    if row["state"] != "open":
        raise CountDecided(id=str(count_id), state=row["state"], by=row["decided_by"])
    return row


async def _decide(connection: Any, count_id: UUID, state: str, actor: Actor, now: datetime, reason: str | None) -> Row:
    row: Row = await connection.fetchrow(queries["stock.decide_count"], count_id, state, now, actor.id, reason)
    return row
