"""
What was told of orders' arrivals, as far as a person would notice: the first word, and each that is another; no I/O.

An arrival is told anew every few seconds, and mostly says the same. Kept is what support has to answer for: "you said
two o'clock". What is to be kept waits here, a bounded number of words, until somebody takes it and writes it down.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from dispatch.arrivals.eta import Eta
from dispatch.arrivals.steady import CAUSES
from dispatch.stop import OrderId

MOVED_S: Final = 180.0
"""A move of p50 that people notice: times are shown to the minute, with a spread of some."""
AT_MOST: Final = 40
"""Words of one order: what never settles is told by the last of them."""
MOST_WAITING: Final = 5_000
"""Words that wait to be written; a further one is let go, and the next move of its order is kept again."""
LATEST: Final = 7_258_118_400.0
"""The year 2200, in seconds since the Unix epoch: no instant that can be written is later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What was told of an order."""

    order_id: OrderId
    at: datetime
    p50: datetime
    p90: datetime
    because: str | None


@dataclass(slots=True)
class History:
    """What was told of the orders of a region."""

    last: dict[OrderId, tuple[float, int]] = field(default_factory=dict)
    """p50 of the last word that is kept, and how many are."""
    _waiting: list[Word] = field(default_factory=list)

    @classmethod
    def of(cls, kept: Mapping[OrderId, tuple[float, int]]) -> "History":
        """Goes on from what was kept before."""
        return cls(dict(kept))

    def heard(self, told: Iterable[Eta], now: float) -> None:
        """Arrivals of one route were told; the last stop of an order stands for it."""
        for order_id, eta in {eta.stop.order_id: eta for eta in told}.items():
            before, n = self.last.get(order_id, (None, 0))
            is_news = before is None or abs(eta.p50 - before) >= MOVED_S
            if not is_news or n >= AT_MOST or len(self._waiting) >= MOST_WAITING:
                continue
            self.last[order_id] = (eta.p50, n + 1)
            because = None if before is None else _cause(eta, is_later=eta.p50 > before)
            self._waiting.append(
                Word(order_id=order_id, at=_instant(now), p50=_instant(eta.p50), p90=_instant(eta.p90), because=because)
            )

    def take(self) -> list[Word]:
        """What is to be written down; it does not wait any more."""
        taken, self._waiting = self._waiting, []
        return taken

    def forget_all_but(self, open_orders: Collection[OrderId]) -> None:
        """Of orders that are over nothing is told any more."""
        for order_id in self.last.keys() - open_orders:
            del self.last[order_id]


def _cause(eta: Eta, *, is_later: bool) -> str | None:
    if is_later and eta.later_by is not None:
        return eta.later_by.value
    return next((note.value for note in eta.warnings if note in CAUSES), None)


def _instant(unix_s: float) -> datetime:
    return datetime.fromtimestamp(round(min(max(unix_s, 0.0), LATEST)), UTC)
