"""Counts of goods on the wire."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from app.shapes.orders import Instant
from app.shapes.stock import MOST, Code, Lot
from app.web.instants import check_instants
from app.web.problems import BadInput
from dispatch.stock import gs1
from dispatch.stock.counting import Counted, lines_of

Reason = Annotated[str, Meta(max_length=500)]


class NewCountLine(msgspec.Struct, kw_only=True):
    """How much of something was counted."""

    quantity: Annotated[int, Meta(ge=0, le=MOST)]
    item: Code | None = None
    barcode: Annotated[str, Meta(min_length=1, max_length=gs1.LONGEST)] | None = None
    """As scanned, GS1: goods, lot and date are read from it."""
    lot: Lot | None = None
    best_before: date | None = None
    """With neither lot nor date: all of the goods."""


class NewStockCount(msgspec.Struct, kw_only=True):
    """What was counted."""

    id: UUID
    """Yours: a count that is sent again is the same one."""
    lines: Annotated[list[NewCountLine], Meta(min_length=1, max_length=1000)]
    """Of goods, lot and date that are there twice the sum counts."""
    at: Instant | None = None
    """When it was, by the clock of who says it, up to 12 hours ago; null: now."""


class StockCounted(msgspec.Struct, kw_only=True):
    """A count as whoever counted sees it: nothing of what is expected."""

    id: UUID
    state: Literal["open", "approved", "rejected"]
    at: datetime
    n_lines: int


class StockCountLine(msgspec.Struct, kw_only=True):
    """What was counted, and what was expected at that time."""

    item_id: UUID
    item: str
    lot: str | None
    best_before: date | None
    counted: int
    expected: int
    difference: int


class StockCount(msgspec.Struct, kw_only=True):
    """A count as staff sees it."""

    id: UUID
    state: Literal["open", "approved", "rejected"]
    at: datetime
    actor: str
    lines: list[StockCountLine]
    decided_at: datetime | None
    decided_by: str | None
    reason: str | None


class CountDecision(msgspec.Struct, kw_only=True):
    """Why, for whoever reads it later."""

    reason: Reason | None = None


def counted_of(data: NewStockCount, today: date) -> list[Counted]:
    """What was counted, with what codes say; raises BadInput."""
    check_instants(data)
    return [_counted(one, n, today) for n, one in enumerate(data.lines)]


def _counted(line: NewCountLine, n: int, today: date) -> Counted:
    try:
        scanned = gs1.Scanned() if line.barcode is None else gs1.read(line.barcode, today=today)
    except ValueError as exc:
        raise BadInput("The code cannot be read.", (f"/lines/{n}/barcode", str(exc))) from exc
    if line.item is None and scanned.gtin is None:
        raise BadInput(
            "What is it?", (f"/lines/{n}/item", "expected the code of the goods, or a barcode with their GTIN")
        )
    return Counted(
        quantity=line.quantity,
        item=line.item,
        gtin=None if line.item is not None else scanned.gtin,
        lot=line.lot or scanned.lot,
        best_before=line.best_before or scanned.best_before,
    )


def counted_shape(row: Any) -> StockCounted:
    """For whoever counted."""
    return StockCounted(id=row["id"], state=row["state"], at=row["at"], n_lines=len(lines_of(row)))


def count_shape(row: Any) -> StockCount:
    """For staff."""
    lines = [
        StockCountLine(
            item_id=one.item_id,
            item=one.item,
            lot=one.lot,
            best_before=one.best_before,
            counted=one.counted,
            expected=one.expected,
            difference=one.difference,
        )
        for one in lines_of(row)
    ]
    names = ("id", "state", "at", "actor", "decided_at", "decided_by", "reason")
    return StockCount(lines=lines, **{name: row[name] for name in names})
