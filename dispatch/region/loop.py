"""
The dispatcher: one loop per region that holds the region's lease, plans, and wakes when something happens.

It wakes on new and changed orders, rejections, couriers who come, go or are in trouble, and on a timer; events only
save time, the timer alone would do. Nothing is kept in memory that a successor needs: after kill -9
another dispatcher takes over when the lease has run out, and goes on from the rows.
"""

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

import asyncpg
import redis.asyncio as aioredis
from prometheus_client import Counter, Gauge

from dispatch.errors import LeaseLost
from dispatch.region import lease as leases
from dispatch.region.cycle import Planning
from dispatch.region.lease import Lease
from sql import queries
from tracking import events, outages
from tracking.position import Region

log = logging.getLogger(__name__)

CYCLES = Counter("postrider_dispatch_cycles_total", "Cycles by how they ended.", ["outcome"])
LEASES = Gauge("postrider_dispatch_leases", "Regions this process plans.")

URGENT: Final = frozenset({"order.placed", "order.changed", "offer.rejected", "alert.raised", "plan.wanted"})
"""Somebody waits for what comes of these: a search is given up for them."""

WAKING: Final = URGENT | {
    "order.cancelled",
    "order.picked_up",
    "order.delivered",
    "order.failed",
    "alert.resolved",
    "courier.changed",
}
"""What may make another plan better. What the dispatcher itself causes is not among it, or it would never sleep."""

AILMENTS: Final = frozenset({"stuck", "silent", "offline", "frozen", "late", "late_risk"})
"""Alerts that concern the plan; the others are for people."""

READ_BLOCK_MS: Final = 2000
"""Longest wait of one read of the event stream; below the Redis client's socket timeout."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopParams:
    """When the loop does things."""

    tick_s: float = 5.0
    """Plans so often when nothing happens: times pass, couriers move, orders fall due."""
    lease_s: float = 15.0
    """So long after a crash another dispatcher may take over."""
    calm_s: float = 0.5
    """What is not urgent waits so long for company: ten deliveries in a moment are one cycle, not ten."""
    search_after_s: float = 5.0
    """Searches no sooner after the last search: it costs a core while it lasts."""
    search_every_s: float = 30.0
    """Searches again after this time even when nothing happened."""
    regions_every_s: float = 30.0
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
        self, *, pool: asyncpg.Pool, redis: aioredis.Redis, planning: Planning, params: LoopParams | None = None
    ) -> None:
        self._pool = pool
        self._redis = redis
        self._planning = planning
        self._params = params or LoopParams()
        self._holder = leases.new_holder()

    async def run(self, stop: asyncio.Event) -> None:
        """Plan until `stop` is set, then give the leases back."""
        running: dict[Region, asyncio.Task[None]] = {}
        self._planning.warm()
        try:
            async with asyncio.TaskGroup() as group:
                while not stop.is_set():
                    for region in await self._regions():
                        if region not in running or running[region].done():
                            running[region] = group.create_task(self._run_region(region, stop))
                    await _wait(stop, self._params.regions_every_s if running else self._params.retry_s)
        finally:
            self._planning.close()

    async def _regions(self) -> list[Region]:
        try:
            return [row["id"] for row in await self._pool.fetch(queries["planning.regions"])]
        except outages.DRIVERS as exc:
            outages.tell(log, "regions not read", exc, event="regions_not_read")
            return []

    async def _run_region(self, region: Region, stop: asyncio.Event) -> None:
        state = _Region(region)
        listener = asyncio.create_task(self._listen(state))
        retry_s = self._params.retry_s
        held = False
        try:
            while not stop.is_set():
                state.wake.clear()
                state.urgent.clear()
                try:
                    lease = await leases.take(self._pool, region, self._holder, ttl_s=self._params.lease_s)
                    held = await self._turn(state, lease, held=held)
                    retry_s = self._params.retry_s
                except Exception as exc:  # noqa: BLE001 - a region's trouble must not end the other regions' loops
                    _report_failure(region, exc)
                    await _wait(stop, retry_s)
                    retry_s = min(retry_s * 2, self._params.tick_s)
                    continue
                await _wait_any(state.wake, stop, self._params.tick_s if held else self._params.lease_s / 3)
                if not state.urgent.is_set():
                    await _wait_any(state.urgent, stop, self._params.calm_s)
        finally:
            listener.cancel()
            if held:
                LEASES.dec()
                with suppress(*outages.DATABASE):
                    await leases.release(self._pool, region, self._holder)

    async def _turn(self, state: _Region, lease: Lease | None, *, held: bool) -> bool:
        """One turn of a region's loop. Returns whether this dispatcher holds the lease."""
        if (lease is not None) != held:
            LEASES.inc(1 if lease is not None else -1)
            log.info(
                "lease taken" if lease is not None else "lease lost",
                extra={"event": "lease_changed", "region": state.region, "held": lease is not None},
            )
        if lease is None:
            return False
        await self._planning.at_once(lease)
        CYCLES.labels("planned").inc()
        pause_s = self._params.search_after_s if state.changed else self._params.search_every_s
        if monotonic() - state.searched_at > pause_s and not state.urgent.is_set():
            state.changed = False
            state.searched_at = monotonic()
            # What it has found when it is given up is committed, if it comes at once and still fits.
            await self._planning.search(lease, state.urgent)
        return True

    async def _listen(self, state: _Region) -> None:
        """Wake the region's loop on events. Without Redis the timer goes on alone."""
        after: str | None = None
        while True:
            try:
                if after is None:
                    after = await events.last_id(self._redis, state.region)
                    state.wake.set()  # what happened before may have been missed
                told = await events.read(self._redis, state.region, after=after, block_ms=READ_BLOCK_MS)
            except outages.DRIVERS as exc:
                outages.tell(log, "events not read", exc, event="events_not_read", region=state.region)
                after = None
                await asyncio.sleep(self._params.retry_s)
                continue
            for event in told:
                after = event.id
                if _matters(event):
                    state.changed = True
                    if event.type in URGENT:
                        state.urgent.set()
                    state.wake.set()


def _matters(event: events.Event) -> bool:
    if event.type.startswith("alert."):
        return event.facts.get("kind") in AILMENTS
    return event.type in WAKING


def _report_failure(region: Region, exc: Exception) -> None:
    CYCLES.labels("failed").inc()
    if isinstance(exc, LeaseLost):  # another dispatcher was faster
        log.warning("cycle failed", extra={"event": "cycle_failed", "region": region, "error": outages.words(exc)})
    else:
        outages.tell(log, "cycle failed", exc, event="cycle_failed", region=region)


async def _wait(event: asyncio.Event, timeout_s: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            await event.wait()


async def _wait_any(first: asyncio.Event, second: asyncio.Event, timeout_s: float) -> None:
    waits = [asyncio.create_task(first.wait()), asyncio.create_task(second.wait())]
    try:
        await asyncio.wait(waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
