"""
Movements of goods: each is booked once, whole or not at all; no batch ever falls below zero.

Goods at a place are held (an advisory lock) while something happens to them, and so is the movement's id; whoever holds
several asks for all at once, after orders and places. A balance changes in the statement that writes its movement.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple
from uuid import UUID

from dispatch.errors import ItemNotFound, MovementReused, OrderNotFound, OutOfStock, PlaceNotFound, QuantityUnknown
from dispatch.orders.happened import MAX_AGE, happened
from dispatch.orders.order import Actor
from dispatch.orders.rows import Row, to_json
from dispatch.stock.batches import Batch, Pick, first_expired, good
from sql import queries


class Kind(StrEnum):
    """What happens to goods."""

    RECEIVE = "receive"
    SHIP = "ship"
    ADJUST = "adjust"
    """Up or down, by hand, for a reason."""
    MOVE = "move"
    """To another place."""
    RETURN = "return"
    COUNT = "count"
    """What a count found more or less."""


TAKES: Final = frozenset({Kind.SHIP, Kind.MOVE})


class At(NamedTuple):
    """A place whose goods they are."""

    place_id: UUID
    region: str
    partner: str | None
    today: date
    """By its clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A movement to be."""

    id: UUID
    kind: Kind
    quantity: int | None = None
    """In the unit of the goods, above 0, but for `adjust`; None: what the code says."""
    item: str | None = None
    gtin: str | None = None
    """Of one of both."""
    pieces: int | None = None
    weight_g: int | None = None
    """What the code says."""
    lot: str | None = None
    best_before: date | None = None
    """Of what goes out: None is whatever expires first."""
    good_until: datetime | None = None
    """Of what the place has made itself, and receives."""
    said_at: datetime | None = None
    order_id: UUID | None = None
    reason: str | None = None


class Part(NamedTuple):
    """What came to a batch or, below zero, went from it."""

    lot: str
    best_before: date | None
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A movement as it was booked."""

    id: UUID
    item_id: UUID
    item: str
    quantity: int
    """What came to the place or, below zero, went from it."""
    at: datetime
    parts: tuple[Part, ...]
    is_repeated: bool = False


async def move(
    connection: Any, place: At, wanted: Wanted, actor: Actor, now: datetime, *, to: At | None = None
) -> Moved:
    """
    Book a movement, within a transaction; one that was booked before is answered as it was. `to`: of a `move`, where.

    Raises `ItemNotFound`, `OutOfStock`, `QuantityUnknown`, `PlaceNotFound` where the goods of the other place are not
    the same, `OrderNotFound` where the order is another's, and `MovementReused`.
    """
    row = await connection.fetchrow(queries["stock.find_item"], place.region, place.partner, wanted.item, wanted.gtin)
    if row is None:
        raise ItemNotFound(item=wanted.item, gtin=wanted.gtin)
    if to is not None and ((to.region, to.partner) != (place.region, place.partner) or to.place_id == place.place_id):
        raise PlaceNotFound("Goods are moved to another place of the same region and partner.")
    quantity = _quantity(wanted, row)
    if wanted.order_id is not None and not await connection.fetchval(
        queries["stock.is_order_of"], wanted.order_id, place.place_id
    ):
        raise OrderNotFound("The place has no such order.", order_id=str(wanted.order_id))
    places = [place.place_id, *([] if to is None else [to.place_id])]
    await hold(connection, [*((one, row["id"]) for one in places), (wanted.id, wanted.id)])
    before = await connection.fetch(queries["stock.booked"], wanted.id)
    if before:
        return _repeated(before, place, wanted, row, quantity)
    when = happened(wanted.said_at, now=now, after=now - MAX_AGE)
    at, facts = (now, {}) if when is None else (when.at, when.facts)
    booking = _Booking(connection, wanted, actor, at, to_json(facts))
    if quantity > 0:
        facts_of = (wanted.lot or "", wanted.best_before, wanted.good_until)
        batch = await _batch(connection, place.place_id, row["id"], *facts_of)
        await booking.book(batch, quantity)
    else:
        for batch, taken in await _picks(connection, place, wanted, row, -quantity):
            await booking.book(batch, -taken)
            if to is not None:
                there = await _batch(connection, to.place_id, row["id"], batch.lot, batch.best_before, batch.good_until)
                await booking.book(there, taken, is_here=False)
        if wanted.order_id is not None and wanted.kind is Kind.SHIP:
            await connection.execute(queries["stock.take_reserved"], wanted.order_id, row["id"], -quantity)
    return Moved(
        id=wanted.id, item_id=row["id"], item=row["item"], quantity=quantity, at=at, parts=tuple(booking.parts)
    )


async def hold(connection: Any, keys: Sequence[tuple[UUID, UUID]]) -> None:
    """Hold goods at places, (place, item), until the transaction ends."""
    await connection.fetch(queries["stock.hold"], [place_id for place_id, _ in keys], [item_id for _, item_id in keys])


async def batches_of(
    connection: Any, place_id: UUID, item_id: UUID, *, lot: str | None = None, best_before: date | None = None
) -> list[Batch]:
    """The batches of goods at a place."""
    rows = await connection.fetch(queries["stock.batches"], place_id, item_id, lot, best_before)
    return [_batch_of(row) for row in rows]


def lack(item: str, wanted: int, available: int) -> dict[str, Any]:
    """How `OutOfStock` tells of some goods."""
    return {"item": item, "wanted": wanted, "available": available}


def _quantity(wanted: Wanted, item: Row) -> int:
    """What comes or, below zero, goes."""
    said = wanted.quantity
    if said is None:
        is_pieces = item["unit"] == "piece"
        said = (wanted.pieces or 1) if is_pieces else wanted.weight_g if item["unit"] == "g" else None
    if not said:
        raise QuantityUnknown(item=item["item"], unit=item["unit"])
    return -said if wanted.kind in TAKES else said


def _repeated(rows: Sequence[Row], place: At, wanted: Wanted, item: Row, quantity: int) -> Moved:
    here = [row for row in rows if row["place_id"] == place.place_id]
    is_same = (
        sum(row["quantity"] for row in here) == quantity
        and {(row["kind"], row["item_id"], row["order_id"]) for row in here}
        == {(wanted.kind.value, item["id"], wanted.order_id)}
        and (wanted.lot is None or {row["lot"] for row in here} == {wanted.lot})
    )
    if not is_same:
        raise MovementReused(id=str(wanted.id))
    return Moved(
        id=wanted.id,
        item_id=item["id"],
        item=item["item"],
        quantity=quantity,
        at=here[0]["at"],
        parts=tuple(Part(row["lot"], row["best_before"], row["quantity"]) for row in here),
        is_repeated=True,
    )


async def _picks(connection: Any, place: At, wanted: Wanted, item: Row, quantity: int) -> tuple[Pick, ...]:
    batches = await batches_of(connection, place.place_id, item["id"], lot=wanted.lot, best_before=wanted.best_before)
    # What is named, or thrown away, may be past its date.
    is_any = wanted.lot is not None or wanted.best_before is not None or wanted.kind in {Kind.ADJUST, Kind.COUNT}
    today = date.min if is_any else place.today
    found = first_expired(batches, quantity, today)
    if found.missing:
        raise OutOfStock(missing=[lack(item["item"], quantity, good(batches, today))])
    return found.picks


async def _batch(
    connection: Any, place_id: UUID, item_id: UUID, lot: str, best_before: date | None, good_until: datetime | None
) -> Batch:
    row = await connection.fetchrow(queries["stock.batch"], place_id, item_id, lot, best_before, good_until)
    return _batch_of(row)


def _batch_of(row: Row) -> Batch:
    return Batch(**{name: row[name] for name in ("id", "quantity", "lot", "best_before", "n", "good_until")})


class _Booking:
    """Writes the parts of one movement."""

    def __init__(self, connection: Any, wanted: Wanted, actor: Actor, at: datetime, facts: str) -> None:
        self._connection = connection
        self._wanted = wanted
        self._actor = actor
        self._at = at
        self._facts = facts
        self._n = 0
        self.parts: list[Part] = []
        """Of the place itself."""

    async def book(self, batch: Batch, quantity: int, *, is_here: bool = True) -> None:
        wanted = self._wanted
        booked = await self._connection.fetchval(
            queries["stock.book"],
            *(batch.id, wanted.id, self._n, wanted.kind.value, quantity, self._at, wanted.order_id, wanted.reason),
            *(self._actor.id, self._actor.role, self._facts),
        )
        if booked is None:  # the goods are held: nobody else can have taken it
            raise OutOfStock(missing=[lack(wanted.item or wanted.gtin or "", -quantity, batch.quantity)])
        self._n += 1
        if is_here:
            self.parts.append(Part(batch.lot, batch.best_before, quantity))
