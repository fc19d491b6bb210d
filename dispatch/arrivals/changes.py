"""
Which arrivals have changed so much that other systems are told, and what they are told; no I/O.

People see every change (the book); a system elsewhere hears the first arrival of a stop, then what differs by minutes
or is late now, and of one stop not more often than every EVERY_S.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import msgspec

from dispatch.arrivals.eta import Eta, Note
from dispatch.stop import OrderId, PlannedStop, StopKind

MOVED_S: Final = 120.0
"""Less than this is nobody's reason to do anything else."""
EVERY_S: Final = 60.0


class EtaChange(msgspec.Struct, kw_only=True):
    """What an event says, as it lies in the outbox. Instants are seconds since the Unix epoch."""

    stop: StopKind
    p50: float
    p90: float
    computed_at: float
    source: str
    confidence: float
    warnings: list[str]
    is_late: bool
    before: float | None
    """The p50 that was told before."""


@dataclass(frozen=True, slots=True)
class Told:
    """What other systems were told of a stop last."""

    p50: float
    is_late: bool
    at: float


@dataclass(slots=True)
class Changes:
    """What was told of each stop, in one region."""

    told: dict[PlannedStop, Told] = field(default_factory=dict)
    recalled: set[OrderId] = field(default_factory=set)
    """Orders of which is known what was told, by whomever."""

    def recall(self, stop: PlannedStop, packed: bytes | str, at: float) -> None:
        """Of an event that is in the outbox; one that cannot be read says nothing."""
        try:
            change = msgspec.json.decode(packed, type=EtaChange)
        except msgspec.DecodeError:
            return
        self.told[stop] = Told(change.p50, change.is_late, at)

    def keep_only(self, stops: Iterable[PlannedStop]) -> None:
        """Forget all other stops."""
        kept = set(stops)
        self.told = {stop: told for stop, told in self.told.items() if stop in kept}
        self.recalled &= {stop.order_id for stop in kept}

    def of(self, eta: Eta, now: float) -> EtaChange | None:
        """What to tell of an arrival now; None: nothing."""
        if eta.p90 <= eta.computed_at:  # it has happened: the order's own events say so
            return None
        before, is_late = self.told.get(eta.stop), Note.WINDOW_MISSED in eta.warnings
        if before is not None:
            has_changed = abs(eta.p50 - before.p50) >= MOVED_S or is_late != before.is_late
            if not has_changed or now - before.at < EVERY_S:
                return None
        return EtaChange(
            stop=eta.stop.kind,
            p50=eta.p50,
            p90=eta.p90,
            computed_at=eta.computed_at,
            source=eta.source,
            confidence=eta.confidence,
            warnings=[note.value for note in eta.warnings],
            is_late=is_late,
            before=None if before is None else before.p50,
        )

    def note(self, eta: Eta, change: EtaChange, now: float) -> None:
        """It was told."""
        self.told[eta.stop] = Told(change.p50, change.is_late, now)
