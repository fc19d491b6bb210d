"""
What cannot be borne is set aside, so that the rest goes on; no I/O.

Every loop over many records, couriers or regions runs each of them within `bearing`: whatever one raises is noted, with
its cause, and the loop goes on. An outage is nobody's fault and passes through, for it would be noted for everybody.
`dispatch.asides` tells staff what was set aside twice.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from dispatch.stop import OrderId
from tracking.outages import is_outage, words
from tracking.position import CourierId

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What was set aside: an order, a courier, or with neither something of the region as a whole."""

    order_id: OrderId | None = None
    courier_id: CourierId | None = None

    @property
    def kind(self) -> str:
        """`order`, `courier` or `region`."""
        return "order" if self.order_id is not None else "courier" if self.courier_id is not None else "region"


REGION = Subject()


def order(order_id: OrderId) -> Subject:
    """That order."""
    return Subject(order_id=order_id)


def courier(courier_id: CourierId) -> Subject:
    """That courier."""
    return Subject(courier_id=courier_id)


@dataclass(slots=True)
class Aside:
    """What one turn has set aside, and why."""

    causes: dict[Subject, str] = field(default_factory=dict)

    @contextmanager
    def bearing(self, subject: Subject, *, doing: str = "") -> Iterator[None]:
        """Note what is raised within, unless it is an outage, and go on after it; `doing` says what was tried."""
        try:
            yield
        except Exception as exc:
            if is_outage(exc):
                raise
            self.put(subject, f"{doing}: {words(exc)}" if doing else words(exc))

    def put(self, subject: Subject, cause: str) -> None:
        """Note a cause; the first one of a subject stays."""
        self.causes.setdefault(subject, cause)

    def each(
        self, items: Iterable[Item], do: Callable[[Item], Result], about: Callable[[Item], Subject], *, doing: str = ""
    ) -> list[Result]:
        """`do` for every item that bears it."""
        done: list[Result] = []
        for item in items:
            with self.bearing(about(item), doing=doing):
                done.append(do(item))
        return done


def culprits(items: Sequence[Item], fails: Callable[[Sequence[Item]], bool]) -> list[Item]:
    """Those of the items that fail by themselves, found by halving: one among n in about 2 log2(n) tries."""
    if not items or not fails(items):
        return []
    if len(items) == 1:
        return list(items)
    middle = len(items) // 2
    return culprits(items[:middle], fails) + culprits(items[middle:], fails)
