"""Goods on the wire: quantities are whole numbers of the unit of the goods."""

from datetime import date, datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from app.shapes.orders import Instant
from app.web.instants import check_instants
from app.web.problems import BadInput
from dispatch.stock import gs1
from dispatch.stock.balances import Balance
from dispatch.stock.moving import Kind, Moved, Wanted

MOST: Final = 1_000_000_000
Code = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"\S")]
ItemName = Annotated[str, Meta(max_length=200)]
Gtin = Annotated[str, Meta(pattern="^[0-9]{8}([0-9]{4,6})?$", description="GTIN with 8, 12, 13 or 14 digits.")]
Lot = Annotated[str, Meta(min_length=1, max_length=20)]
Unit = Literal["piece", "g", "ml"]


class NewStockItem(msgspec.Struct, kw_only=True):
    """Goods whose stock is kept; `region` defaults to the installation's only one."""

    item: Code
    """As lines of orders and recipes name it."""
    region: str | None = None
    partner: Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    """Whose they are: of the places of that partner; null: of those that are everybody's."""
    name: ItemName = ""
    gtin: Gtin | None = None
    unit: Unit = "piece"
    """What quantities count; lines of orders, too."""
    is_returnable: bool = True
    """What comes back from a delivery is stock again."""


class StockItemPatch(msgspec.Struct, kw_only=True):
    """What shall change."""

    name: ItemName | UnsetType = UNSET
    gtin: Gtin | UnsetType | None = UNSET
    is_returnable: bool | UnsetType = UNSET


class StockItem(msgspec.Struct, kw_only=True):
    """Goods whose stock is kept."""

    id: UUID
    region: str
    partner: str | None
    item: str
    name: str
    gtin: str | None
    """With 14 digits."""
    unit: Unit
    is_returnable: bool
    created_at: datetime
    updated_at: datetime


class StockBatch(msgspec.Struct, kw_only=True):
    """Goods of one lot and date."""

    lot: str | None
    best_before: date | None
    """The last day on which they may go out."""
    quantity: int
    is_good: bool
    """That day has not passed."""


class StockOfItem(msgspec.Struct, kw_only=True):
    """What there is of some goods at a place."""

    item_id: UUID
    item: str
    name: str
    gtin: str | None
    unit: Unit
    on_hand: int
    """All of it."""
    reserved: int
    """Of open orders that nobody has collected."""
    available: int
    """What may be given to somebody, and no order has taken."""
    batches: list[StockBatch]
    """In the sequence in which they go: first expired, first out."""


class NewStockMovement(msgspec.Struct, kw_only=True):
    """Something that happens, or happened, to goods."""

    id: UUID
    """Yours: a movement that is sent again is booked once."""
    kind: Literal["receive", "ship", "adjust", "move", "return"]
    item: Code | None = None
    barcode: Annotated[str, Meta(min_length=1, max_length=gs1.LONGEST)] | None = None
    """As scanned, GS1: goods, lot, date and quantity are read from it; what is said beside it counts more."""
    quantity: Annotated[int, Meta(ge=-MOST, le=MOST)] | None = None
    """Above 0; of `adjust` what comes or, below 0, goes. Null: what the code says, or one piece."""
    lot: Lot | None = None
    best_before: date | None = None
    """Of what goes out null, with no lot: what expires first, nothing that has."""
    at: Instant | None = None
    """When it was, by the clock of who says it, up to 12 hours ago; null: now."""
    to_place_id: UUID | None = None
    """Of a `move`."""
    order_id: UUID | None = None
    reason: Annotated[str, Meta(max_length=500)] | None = None
    """Of an `adjust` it must be said."""


class NewStockMovements(msgspec.Struct, kw_only=True):
    """Done one after the other; one that cannot be done keeps no other."""

    movements: Annotated[list[NewStockMovement], Meta(min_length=1, max_length=200)]


class StockMovementPart(msgspec.Struct, kw_only=True):
    """What came to a batch or, below 0, went from it."""

    lot: str | None
    best_before: date | None
    quantity: int


class StockMovementResult(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What became of a movement."""

    id: UUID
    status: int
    """200, or that of the problem."""
    item: str | None = None
    quantity: int | None = None
    """What came or, below 0, went."""
    at: datetime | None = None
    parts: list[StockMovementPart] = []
    repeated: bool = False
    """It was booked before."""
    problem: dict[str, Any] | None = None


class StockMovementsDone(msgspec.Struct, kw_only=True):
    """`results` as they were sent."""

    n_done: int
    n_failed: int
    results: list[StockMovementResult]


class StockMovement(msgspec.Struct, kw_only=True):
    """A movement of one batch, as it was booked."""

    n: int
    id: UUID
    item_id: UUID
    item: str
    kind: str
    """As it was asked for, or `carried`: the sum of those that are not kept any more."""
    quantity: int
    lot: str | None
    best_before: date | None
    at: datetime
    written_at: datetime
    order_id: UUID | None
    reason: str | None
    actor: str


def item_shape(row: Any) -> StockItem:
    """The only place that knows the columns."""
    return StockItem(**{name: row[name] for name in StockItem.__struct_fields__})


def movement_shape(row: Any) -> StockMovement:
    """The only place that knows the columns."""
    values: dict[str, Any] = {name: row[name] for name in StockMovement.__struct_fields__}
    values["lot"] = row["lot"] or None
    return StockMovement(**values)


def result_shape(moved: Moved) -> StockMovementResult:
    """What became of a movement that was done."""
    return StockMovementResult(
        id=moved.id,
        status=200,
        item=moved.item,
        quantity=moved.quantity,
        at=moved.at,
        parts=[
            StockMovementPart(lot=one.lot or None, best_before=one.best_before, quantity=one.quantity)
            for one in moved.parts
        ],
        repeated=moved.is_repeated,
    )


def stock_shape(balance: Balance, today: date) -> StockOfItem:
    """What there is of some goods that day."""
    shapes = [
        StockBatch(lot=one.lot or None, best_before=one.best_before, quantity=one.quantity, is_good=one.is_good(today))
        for one in balance.batches
    ]
    good = sum(one.quantity for one in shapes if one.is_good)
    return StockOfItem(
        **{name: getattr(balance, name) for name in ("item_id", "item", "name", "gtin", "unit", "reserved")},
        on_hand=sum(one.quantity for one in shapes),
        available=max(0, good - balance.reserved),
        batches=shapes,
    )


def gtin_of(text: str | None) -> str | None:
    """With 14 digits; raises BadInput where the check digit is another one."""
    if text is None:
        return None
    try:
        return gs1.gtin_of(text)
    except ValueError as exc:
        raise BadInput("That is no GTIN.", ("/gtin", str(exc))) from exc


def wanted_of(data: NewStockMovement, today: date) -> Wanted:
    """The movement, with what its code says; raises BadInput."""
    check_instants(data)
    scanned = _scanned(data, today)
    if data.item is None and scanned.gtin is None:
        raise BadInput("What is it?", ("/item", "expected the code of the goods, or a barcode with their GTIN"))
    kind = Kind(data.kind)
    if data.quantity is not None and (data.quantity == 0 or (data.quantity < 0 and kind is not Kind.ADJUST)):
        raise BadInput("That is no quantity.", ("/quantity", "expected more than 0, of `adjust` less than 0 as well"))
    if kind is Kind.ADJUST and (data.quantity is None or not (data.reason or "").strip()):
        raise BadInput("Why is there more or less of it?", ("/reason", "expected words, and a quantity"))
    if (kind is Kind.MOVE) != (data.to_place_id is not None):
        raise BadInput("Where does it go?", ("/to_place_id", "expected with `move`, and only there"))
    return Wanted(
        id=data.id,
        kind=kind,
        quantity=data.quantity,
        item=data.item,
        gtin=None if data.item is not None else scanned.gtin,
        pieces=scanned.quantity,
        weight_g=scanned.weight_g,
        lot=data.lot or scanned.lot,
        best_before=data.best_before or scanned.best_before,
        said_at=data.at,
        order_id=data.order_id,
        reason=data.reason,
    )


def _scanned(data: NewStockMovement, today: date) -> gs1.Scanned:
    if data.barcode is None:
        return gs1.Scanned()
    try:
        return gs1.read(data.barcode, today=today)
    except ValueError as exc:
        raise BadInput("The code cannot be read.", ("/barcode", str(exc))) from exc
