"""Plans of worlds that are not: loads a region, changes the copy, and lets the planner think about both."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from time import monotonic
from typing import Any

import asyncpg
from litestar.di import NamedDependency

from dispatch.planning.proposal import Plan
from dispatch.planning.propose import propose
from dispatch.region import store
from dispatch.region.cycle import look
from dispatch.region.params import CycleParams
from dispatch.region.settings import params_of
from dispatch.region.whereabouts import Locator
from dispatch.region.world import Stays, Whereabouts, World
from dispatch.travel.times import TravelTimes
from tracking.position import CourierId, Region

log = logging.getLogger(__name__)

PLAN_S = 1.0
"""Time for one plan of a preview; what is found by then counts."""
AT_ONCE = 2
"""Previews one API process computes at a time, and plans it applies; the others wait, so that offers and fixes do not,
and without a connection that somebody else needs."""

WAIT_S = 10.0
"""So long a request waits for its turn at either; then it is answered 503, and may be sent again."""

EMPTY = Plan(routes=(), assignments=(), unassigned=(), cost=0, source="kept")


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """Thinks about worlds."""

    pool: asyncpg.Pool
    travel: TravelTimes
    stays: Stays
    locator: Locator
    params: CycleParams
    slots: asyncio.Semaphore
    applying: asyncio.Semaphore

    async def offer_for(self, connection: Any, region: Region) -> timedelta:
        """How long a courier of the region may think about an offer that is made by hand."""
        return timedelta(seconds=(await params_of(connection, region, self.params)).offer_for_s)

    async def world(self, region: Region) -> World:
        """The region as it is."""
        params = await params_of(self.pool, region, self.params)
        return await store.load(self.pool, region, pauses=params.pauses)

    async def plans(self, worlds: Sequence[World], *, horizon_s: int | None = None) -> list[Plan]:
        """
        A plan for each of the worlds, which are variants of one region at one moment.

        `horizon_s`: how far ahead orders are planned, when farther than usual.
        """
        if not worlds:
            return []
        params = await params_of(self.pool, worlds[0].region, self.params)
        horizon_s = max(params.plan.horizon_s, horizon_s or 0)
        params = replace(params, plan=replace(params.quick_plan, horizon_s=horizon_s))
        seen = await self.locator.locate(worlds[0].region, worlds[0].now)
        async with in_turn(self.slots):
            return [await self._plan(world, seen, params) for world in worlds]

    async def cost(self, region: Region) -> int | None:
        """What the plan of the region as it is costs, in the planner's units; None when that cannot be told."""
        try:
            return (await self.plans([await self.world(region)]))[0].cost
        except Exception:
            # Told beside a change by hand, which it must never hinder.
            log.exception("plan not priced", extra={"event": "plan_not_priced", "region": region})
            return None

    async def _plan(self, world: World, seen: Mapping[CourierId, Whereabouts], params: CycleParams) -> Plan:
        if not world.orders:
            return EMPTY
        snapshot = await look(world, seen, self.travel, params, stays=self.stays)
        deadline = monotonic() + PLAN_S
        return await asyncio.to_thread(propose, snapshot, params.plan, lambda: monotonic() > deadline)


@asynccontextmanager
async def in_turn(slots: asyncio.Semaphore) -> AsyncIterator[None]:
    """One of the slots, within WAIT_S; raises TimeoutError."""
    async with asyncio.timeout(WAIT_S):
        await slots.acquire()
    try:
        yield
    finally:
        slots.release()


Thinker = NamedDependency[WhatIf]
"""Parameter `what_if` of a handler."""
