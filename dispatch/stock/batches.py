"""Which batches goods are taken from: first expired, first out; no I/O."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Goods of one lot and date at a place."""

    id: UUID
    quantity: int
    lot: str = ""
    best_before: date | None = None
    """The last day on which it is good; None: no such day."""
    n: int = 0
    """Of two that are alike the one that came first has the lower number."""
    good_until: datetime | None = None
    """Of what the place has made itself; None: it was brought."""

    def is_good(self, today: date) -> bool:
        """Whether it may be given to somebody that day."""
        return self.best_before is None or self.best_before >= today


class Pick(NamedTuple):
    """What is taken from a batch."""

    batch: Batch
    quantity: int


class Picked(NamedTuple):
    """What is taken from which batches, and what there is not."""

    picks: tuple[Pick, ...]
    missing: int


def in_turn(batches: Sequence[Batch]) -> list[Batch]:
    """As they go: what expires first, of the same day what came first; at last what never does."""
    return sorted(batches, key=lambda one: (one.best_before is None, one.best_before or date.max, one.n))


def first_expired(batches: Sequence[Batch], quantity: int, today: date) -> Picked:
    """Take so much of what is good that day."""
    picks, left = [], quantity
    for batch in in_turn([one for one in batches if one.is_good(today) and one.quantity > 0]):
        if left <= 0:
            break
        taken = min(left, batch.quantity)
        picks.append(Pick(batch, taken))
        left -= taken
    return Picked(tuple(picks), max(0, left))


def good(batches: Sequence[Batch], today: date) -> int:
    """How much there is that may be given to somebody that day."""
    return sum(one.quantity for one in batches if one.is_good(today))
