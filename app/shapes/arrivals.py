"""An arrival as it is answered."""

from datetime import UTC, datetime

import msgspec

from dispatch.arrivals.eta import Eta


class EtaShape(msgspec.Struct, kw_only=True):
    """When the courier arrives, and how sure that is."""

    p50: datetime
    """As likely earlier as later."""
    p90: datetime | None
    """Nine of ten arrivals are earlier; null: only the plan's own schedule is known."""
    computed_at: datetime
    source: str
    """The weakest source of travel times on the way: an engine's name, `learned`, `default`; `schedule`; `recorded`."""
    confidence: float
    """Probability of arriving within 5 minutes of p50, lowered while the position is stale: 0 to 1."""
    warnings: list[str]
    """What to know of it, and why it moved later: see `dispatch.arrivals.eta.Note`."""


class OrderEtaShape(msgspec.Struct, kw_only=True):
    """When an order arrives; null while nobody carries it and nobody is meant to."""

    p50: datetime | None
    p90: datetime | None
    computed_at: datetime
    source: str | None
    confidence: float
    warnings: list[str]
    pickup: EtaShape | None = None
    """When the courier reaches the pickup, until the order was collected."""


def eta_shape(eta: Eta) -> EtaShape:
    """An arrival, to the second."""
    return EtaShape(
        p50=instant(eta.p50),
        p90=instant(eta.p90),
        computed_at=instant(eta.computed_at),
        source=eta.source,
        confidence=round(eta.confidence, 2),
        warnings=[note.value for note in eta.warnings],
    )


def instant(unix_s: float) -> datetime:
    """To the second."""
    return datetime.fromtimestamp(round(unix_s), UTC)
