"""What one core does, who is to be served, and what machines cost; no I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, exp, log
from typing import Final, Self

LOG_FIXES: Final = 5_000_000
"""Unread ones of a region: `POSTRIDER_LOG_LIMIT_FIXES`."""
LOG_KEEP_S: Final = 300.0
"""`POSTRIDER_LOG_KEEP_S`."""
OPEN_ORDERS: Final = 1 / 0.75
"""For each courier at work: `benchmarks.slope_paths.COURIERS_PER_ORDER`."""
PARTS_EVERY_S: Final = 10.0
"""Each part of a region (`dispatch.region.parts`) has its turn so often at least."""
READERS: Final = 3
"""Of the log: history, watch, live map."""
DAY: Final = (
    (0.0, 0.03), (5.0, 0.03), (6.5, 0.2), (7.75, 0.5), (8.0, 1.0), (9.5, 1.0), (11.0, 0.8), (14.0, 0.8), (17.0, 0.95),
    (20.0, 0.9), (23.0, 0.1), (24.0, 0.03),
)  # fmt: skip
"""Hour, and which part of all couriers is at work: at eight a half comes within a quarter of an hour."""
HOUR_S: Final = 3600.0
OUTAGE_S: Final = 600.0
"""So long the database may be away, and no upload is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Processor time of one core in microseconds, and bytes: what `benchmarks.capacity` measures."""

    upload_us: float
    fix_us: float
    """Of the API, beside the upload's own."""
    upload_redis_us: float
    fix_redis_us: float
    read_redis_us: float
    """By each reader of the log."""
    writer_us: float
    postgres_us: float
    history_bytes: float
    log_bytes: float
    courier_bytes: float
    """In Redis."""
    watch_us: float
    watch_kb: float
    """A courier."""
    orders: tuple[int, ...]
    """Open in the region, for each of..."""
    decision_us: tuple[float, ...]
    each_more_us: float
    """A further order in the same decision, beside the most orders."""
    page_us: float
    """A second of a page of the live map that shows so many couriers as others see, too..."""
    page_couriers: int
    box_us: float
    """... and what it costs beside that to look at a part of the map of one's own."""

    @classmethod
    def of(cls, results: Mapping[str, Mapping[str, float]]) -> Self:
        """From the report."""
        found = {name: value for row in results.values() for name, value in row.items()}
        decided = {int(name.split()[1]): value for name, value in found.items() if name.startswith("decision_us ")}
        named = {name: value for name, value in found.items() if not name.startswith("decision_us ")}
        return cls(orders=tuple(decided), decision_us=tuple(decided.values()), **named)  # type: ignore[arg-type]

    def decision_s(self, n_orders: float) -> float:
        """With so many open orders in the plan: a power law between those measured, and beyond the last two."""
        points = list(zip(self.orders, self.decision_us, strict=True))
        if n_orders <= points[0][0]:
            return points[0][1] / 1e6
        (n, cost), (more, dearer) = next((pair for pair in pairwise(points) if n_orders <= pair[1][0]), points[-2:])
        return cost * exp(log(n_orders / n) * log(dearer / cost) / log(more / n)) / 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Who is to be served."""

    couriers: int
    per_region: int = 1_000
    every_s: float = 5.0
    """Between a courier's fixes."""
    per_upload: int = 1
    """Fixes of one request."""
    orders_an_hour: float = 2.0
    """For each courier at work."""
    couriers_a_page: float = 50.0
    """One who looks at the live map for so many couriers, each at a part of their own."""

    @property
    def regions(self) -> int:
        return ceil(self.couriers / self.per_region)

    @property
    def in_a_region(self) -> int:
        """Couriers, at most."""
        return min(self.couriers, self.per_region)

    @property
    def fixes_per_s(self) -> float:
        """When everybody is at work."""
        return self.couriers / self.every_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What machines are and cost, and what is expected of them. Prices: assumptions, to be replaced by one's own."""

    cores: int = 8
    memory_gb: float = 32.0
    machine_month: float = 250.0
    disk_gb_month: float = 0.1
    database_cores: int = 32
    """The largest that one PostgreSQL gets."""
    retention_days: int = 30
    kept_bytes: float = 13.4
    """A fix in TimescaleDB's columnstore (benchmarks/README.md); the last two days take what was measured."""
    busy: float = 0.7
    offer_s: float = 2.0
    """At the peak an order is decided on within it."""


def share_at(at_s: float) -> float:
    """Which part of the couriers is at work then."""
    hour = at_s / HOUR_S % 24
    for (since, before), (until, after) in pairwise(DAY):
        if since <= hour <= until:
            return before + (after - before) * (hour - since) / (until - since)
    raise ValueError("expected a day of 24 hours")


def average_share() -> float:
    """Over the day."""
    return sum((b - a) * (x + y) / 2 for (a, x), (b, y) in pairwise(DAY)) / 24
