"""
From what one core does to machines and money for a fleet, and what is full first; no I/O.

A fleet is shared out over installations (each with a PostgreSQL and a Redis of its own), its regions over the processes
of an installation. No process is planned to be busier than `Terms.busy` at the morning peak; the simulated days
(`benchmarks.capacity_days`) then say what that is worth.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Final

from benchmarks.capacity_fleet import (
    HOUR_S,
    LOG_FIXES,
    LOG_KEEP_S,
    OPEN_ORDERS,
    OUTAGE_S,
    PARTS_EVERY_S,
    READERS,
    Costs,
    Fleet,
    Terms,
    average_share,
)
from dispatch.region.parts import MOST_COURIERS, MOST_ORDERS
from tracking.feed.feed import MAX_REGIONS

STREAMS: Final = "have its log in several streams (`tracking.streams`), and as many watchers"
SPLIT: Final = "split the region: its parts are shared out over processes and machines"
ANOTHER: Final = "another installation for a part of the regions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Processes of each installation, and what they come to."""

    fleet: Fleet
    installations: int
    regions: int
    """Of the largest installation."""
    api: int
    writers: int
    watchers: int
    dispatchers: int
    postgres_cores: int
    redis_busy: float
    cores: int
    machines: int
    """Of all installations."""
    disk_gb: float
    month: float
    """Money, of all installations."""
    beyond: tuple[str, ...]
    """What one process cannot do for a region of this size, however many there are."""

    @property
    def couriers(self) -> int:
        """Of the largest installation."""
        return min(self.fleet.couriers, self.regions * self.fleet.per_region)


def fix_redis_us(costs: Costs, fleet: Fleet) -> float:
    """What Redis does for a fix, uploaded and read."""
    return costs.upload_redis_us / fleet.per_upload + costs.fix_redis_us + READERS * costs.read_redis_us


def upload_us(costs: Costs, fleet: Fleet) -> float:
    """What the API does for a fix."""
    return costs.upload_us / fleet.per_upload + costs.fix_us


def pages_s(costs: Costs, fleet: Fleet, couriers: int) -> float:
    """What the live map of so many couriers takes of the API, in cores."""
    return couriers / fleet.couriers_a_page * (costs.page_us + costs.box_us) / 1e6


def planned(costs: Costs, fleet: Fleet, terms: Terms) -> Plan:
    """As many installations and processes as the peak needs."""
    redis_s, postgres_s = fix_redis_us(costs, fleet) / 1e6, costs.postgres_us / 1e6
    installations = min(
        fleet.regions,
        max(
            ceil(fleet.fixes_per_s * redis_s / terms.busy),
            ceil(fleet.fixes_per_s * postgres_s / (terms.busy * terms.database_cores)),
            ceil(fleet.regions / MAX_REGIONS),
        ),
    )
    regions = ceil(fleet.regions / installations)
    couriers = min(fleet.couriers, regions * fleet.per_region)
    per_s, region_per_s = couriers / fleet.every_s, fleet.in_a_region / fleet.every_s
    api = ceil((per_s * upload_us(costs, fleet) / 1e6 + pages_s(costs, fleet, couriers)) / terms.busy)
    writers = ceil(per_s * costs.writer_us / 1e6 / terms.busy)
    at_once = max(1, int(terms.busy / (region_per_s * costs.watch_us / 1e6)))
    at_once_decided = regions_a_dispatcher(costs, fleet, terms)
    postgres = max(2, ceil(per_s * postgres_s / terms.busy))
    watchers, dispatchers = ceil(regions / at_once), ceil(regions / max(1, at_once_decided))
    beyond = tuple(
        what
        for what, is_beyond in {
            "watch": region_per_s * costs.watch_us / 1e6 > terms.busy,
            "dispatch": at_once_decided == 0,
            "Redis": per_s * redis_s > terms.busy,
            "the log": region_per_s * OUTAGE_S > LOG_FIXES,
        }.items()
        if is_beyond
    )
    # Each dispatcher has a process that searches; housekeeping, gateway and doors take two; Redis and PostgreSQL have
    # a replica each as large as they are.
    cores = api + writers + watchers + 2 * dispatchers + 2 + 2 * 2 + 2 * postgres
    machines = installations * (max(2, ceil(cores / terms.cores)) + 1)  # any one may be lost
    day_fixes = fleet.fixes_per_s * 86_400 * average_share()
    disk_gb = day_fixes * (2 * costs.history_bytes + max(0, terms.retention_days - 2) * terms.kept_bytes) * 2 / 1e9
    return Plan(
        fleet=fleet,
        installations=installations,
        regions=regions,
        api=api,
        writers=writers,
        watchers=watchers,
        dispatchers=dispatchers,
        postgres_cores=postgres,
        redis_busy=per_s * redis_s,
        cores=cores,
        machines=machines,
        disk_gb=disk_gb,
        month=machines * terms.machine_month + disk_gb * terms.disk_gb_month,
        beyond=beyond,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """What one region asks of its dispatcher at the peak."""

    parts: int
    part_s: float
    """A decision in one of them."""
    each_s: float
    """A further order in it."""
    orders_per_s: float

    @property
    def always(self) -> float:
        """Share of a core that goes into parts in which nothing happens."""
        return self.parts * self.part_s / PARTS_EVERY_S

    def busy(self) -> float:
        """Share of a core, all together."""
        return self.always + self.orders_per_s * (self.part_s + self.each_s)

    def cost_s(self, regions: int, orders: float) -> float:
        """How long one process that has so many of them takes to decide on so many new orders."""
        parts = min(max(1.0, orders), self.parts * regions)
        return (parts * self.part_s + orders * self.each_s) / (1 - min(0.99, regions * self.always))


def dispatched(costs: Costs, fleet: Fleet) -> Region:
    """A region of the fleet."""
    open_orders = fleet.in_a_region * OPEN_ORDERS
    parts = max(ceil(open_orders / MOST_ORDERS), ceil(fleet.in_a_region / MOST_COURIERS))
    return Region(
        parts=parts,
        part_s=costs.decision_s(open_orders / parts),
        each_s=costs.each_more_us / 1e6,
        orders_per_s=fleet.in_a_region * fleet.orders_an_hour / HOUR_S,
    )


def regions_a_dispatcher(costs: Costs, fleet: Fleet, terms: Terms) -> int:
    """So many regions one process has, and is not too busy, and in time (a round under way, and its own); 0: none."""
    region = dispatched(costs, fleet)
    n = int(terms.busy / region.busy())
    return n if 2 * region.cost_s(n, 1) <= terms.offer_s else 0


def limits(costs: Costs, fleet: Fleet, terms: Terms) -> Sequence[tuple[float, str, str, str]]:
    """Couriers at which something is full, whose it is, what it is, and what to do then; the first one first."""
    region = replace(fleet, couriers=1)
    n = 50
    while regions_a_dispatcher(costs, replace(region, couriers=n + 50, per_region=n + 50), terms):
        n += 50
    each = fleet.every_s
    tens = terms.busy * 1e6 / fix_redis_us(costs, replace(fleet, per_upload=10)) * each
    in_log_s = LOG_KEEP_S + OUTAGE_S
    found = [
        (n, "a region", "dispatch: one process plans a region", SPLIT),
        (terms.busy * 1e6 / costs.watch_us * each, "a region", "watch: one process reads a stream", STREAMS),
        (
            LOG_FIXES / OUTAGE_S * each,
            "a region",
            "the log of a region while the database is away for ten minutes (then: 503, and phones keep their fixes)",
            "a larger `POSTRIDER_LOG_LIMIT_FIXES`, or split the region",
        ),
        (
            terms.busy * 1e6 / fix_redis_us(costs, fleet) * each,
            "an installation",
            "Redis: one core",
            f"phones that send ten fixes at once ({float(f'{tens:.2g}'):,.0f}), or {ANOTHER}",
        ),
        (
            terms.busy * terms.database_cores * 1e6 / costs.postgres_us * each,
            "an installation",
            f"PostgreSQL with {terms.database_cores} cores stores",
            ANOTHER,
        ),
        (MAX_REGIONS * fleet.per_region, "an installation", f"{MAX_REGIONS} regions", ANOTHER),
        (
            terms.memory_gb * 1e9 / 2 / (in_log_s / each * costs.log_bytes + costs.courier_bytes),
            "an installation",
            f"Redis' memory ({terms.memory_gb / 2:g} GB for data) while the database is away for ten minutes",
            "more memory for Redis",
        ),
    ]
    return sorted(found)
