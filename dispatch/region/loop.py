"""
The dispatcher: one loop per region that holds the region's lease, plans, and wakes when something happens.

It wakes on new and changed orders, rejections, couriers who come, go or are in trouble, and on a timer; events only
save time, the timer alone would do. Nothing is kept in memory that a successor needs: after kill -9
another dispatcher takes over when the lease has run out, and goes on from the rows.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from time import monotonic
from typing import Final

import asyncpg
import redis.asyncio as aioredis
from prometheus_client import Counter

from dispatch.alert_kind import PLAN_KINDS
from dispatch.crews import Crew
from dispatch.region.cycle import Planning
from sql import queries
from tracking import events
from tracking.lanes import LaneParams, Lanes
from tracking.lease import Lease
from tracking.pause import first_to_end, pause_until
from tracking.position import Region
from tracking.streams import Tails

JOB: Final = "dispatch"
CYCLES = Counter("postrider_dispatch_cycles_total", "Cycles by how they ended.", ["outcome"])

URGENT: Final = frozenset(
    {"order.placed", "order.changed", "offer.rejected", "alert.raised", "plan.wanted", "region.changed"}
)
"""Somebody waits for what comes of these: a search is given up for them."""

WAKING: Final = URGENT | {
    "order.cancelled",
    "order.picked_up",
    "order.delivered",
    "order.failed",
    "order.returning",
    "order.returned",
    "alert.resolved",
    "courier.changed",
    "courier.break_started",
    "courier.break_ended",
    "courier.pause_ended",
}
"""What may make another plan better. What the dispatcher itself causes is not among it, or it would never sleep."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopParams:
    """When the loop does things."""

    tick_s: float = 5.0
    """Plans so often when nothing happens: times pass, couriers move, orders fall due."""
    lease_s: float = 8.0
    """So long after a crash another dispatcher may take over."""
    calm_s: float = 0.5
    """What is not urgent waits so long for company: ten deliveries in a moment are one cycle, not ten."""
    search_after_s: float = 5.0
    """Searches no sooner after the last search: it costs a core while it lasts."""
    search_every_s: float = 30.0
    """Searches again after this time even when nothing happened."""
    regions_every_s: float = 10.0
    """Looks for new regions so often."""
    retry_s: float = 1.0
    """Pause after a cycle that failed (a server away), growing to the tick."""


@dataclass(slots=True)
class _Region:
    """What the loop knows of a region it runs."""

    region: Region
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    urgent: asyncio.Event = field(default_factory=asyncio.Event)
    changed: bool = True
    """Something has happened since the last search."""
    searched_at: float = 0.0


class Dispatcher:
    """Plans every region whose lease it gets."""

    def __init__(
        self,
        *,
        pool: asyncpg.Pool,
        redis: aioredis.Redis,
        planning: Planning,
        params: LoopParams | None = None,
        tails: Tails | None = None,
        crew: Crew | None = None,
    ) -> None:
        """`crew`: whose regions it plans; None: all there are."""
        self._pool = pool
        self._redis = redis
        self._tails = tails or Tails(redis)
        self._planning = planning
        self._params = params = params or LoopParams()
        self.lanes = Lanes(
            pool,
            job=JOB,
            crew=None if crew is None else crew.name(JOB),
            regions=self._regions if crew is None else partial(crew.regions, JOB),
            work=self._plan,
            params=LaneParams(
                lease_s=params.lease_s,
                regions_every_s=params.regions_every_s,
                backoff_s=params.retry_s,
                backoff_at_most_s=max(params.retry_s, params.tick_s),
            ),
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Plan until `stop` is set, then give the leases back."""
        self._planning.warm()
        try:
            await self.lanes.run(stop)
        finally:
            self._planning.close()

    async def _regions(self) -> list[Region]:
        return [row["id"] for row in await self._pool.fetch(queries["planning.regions"])]

    async def _plan(self, lease: Lease, stop: asyncio.Event) -> None:
        """The loop of a region."""
        state = _Region(lease.region)
        listening = events.follow(
            self._redis, self._tails, lease.region, partial(_hear, state), retry_s=self._params.retry_s
        )
        try:
            await first_to_end(self._turns(state, lease, stop), listening)
        except Exception:
            CYCLES.labels("failed").inc()
            raise

    async def _turns(self, state: _Region, lease: Lease, stop: asyncio.Event) -> None:
        while not stop.is_set():
            state.wake.clear()
            state.urgent.clear()
            await self._turn(state, lease)
            await pause_until(self._params.tick_s, state.wake, stop)
            if not state.urgent.is_set():
                await pause_until(self._params.calm_s, state.urgent, stop)

    async def _turn(self, state: _Region, lease: Lease) -> None:
        cycle = await self._planning.at_once(lease, state.urgent)
        CYCLES.labels("planned").inc()
        if cycle.is_cut_short:
            state.wake.set()
            return
        pause_s = self._params.search_after_s if state.changed else self._params.search_every_s
        if monotonic() - state.searched_at > pause_s and not state.urgent.is_set():
            state.changed = False
            state.searched_at = monotonic()
            # What it has found when it is given up is committed, if it comes at once and still fits.
            await self._planning.search(lease, state.urgent)


def _hear(state: _Region, told: Sequence[events.Event]) -> None:
    """Wake the region's loop on events; without Redis the timer goes on alone."""
    if not told:
        state.wake.set()  # what happened before may have been missed
    for event in told:
        if _matters(event):
            state.changed = True
            if event.type in URGENT:
                state.urgent.set()
            state.wake.set()


def _matters(event: events.Event) -> bool:
    if event.type.startswith("alert."):
        return event.facts.get("kind") in PLAN_KINDS
    return event.type in WAKING
