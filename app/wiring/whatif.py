"""Plans of worlds that are not: loads a region, changes the copy, and lets the planner think about both."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any, TypeVar

import asyncpg
from litestar.di import NamedDependency

from app.wiring.thinking import Thinking
from app.wiring.turns import WAIT_S, Turns
from dispatch.orders import pauses
from dispatch.orders.order import Order, OrderState
from dispatch.orders.rows import order_from_row
from dispatch.planning.params import ShouldEnd
from dispatch.planning.proposal import Plan, ReasonCode
from dispatch.planning.snapshot import Snapshot
from dispatch.planning.weighing import Weighed, candidates, speaking_against, suggestions
from dispatch.region import preview, store
from dispatch.region.cycle import look
from dispatch.region.params import CycleParams
from dispatch.region.parts import around, is_large
from dispatch.region.settings import params_of
from dispatch.region.whereabouts import Locator
from dispatch.region.world import Stays, World
from dispatch.stop import OrderId
from dispatch.travel.times import TravelTimes
from sql import queries
from tracking.position import CourierId, LatLon, Region

T = TypeVar("T")

log = logging.getLogger(__name__)

AT_ONCE = 2
"""Previews one API process computes at a time, and plans it applies; the others wait, so that offers and fixes do not,
and without a connection that somebody else needs."""

THINK_S = 2.0
"""A question about one order or one courier is answered within this, with what is found by then."""
OFF_DUTY_AT_MOST = 200
"""Couriers off duty that are told among those who cannot take an order."""

APPLYING_SHARE = 1 / 3
"""Of the time a plan is applied at each of the two places; between them offers and fixes have the process."""
RECIPIENTS_SHARE = 1 / 3
"""Of the time the planner is asked by recipients, who may be many: staff is asked by somebody who waits on the line."""

EMPTY = Plan(routes=(), assignments=(), unassigned=(), cost=0, source="kept")


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """Thinks about worlds."""

    pool: asyncpg.Pool
    travel: TravelTimes
    stays: Stays
    locator: Locator
    params: CycleParams
    thinking: Thinking
    slots: asyncio.Semaphore
    applying: Turns
    recipients: Turns
    """Of those who ask behind a link."""

    async def offer_for(self, connection: Any, region: Region) -> timedelta | None:
        """How long a courier of the region may think about an offer that is made by hand; None: nobody is asked."""
        params = await params_of(connection, region, self.params)
        return timedelta(seconds=params.offer_for_s) if params.asks else None

    async def paused(
        self, connection: Any, region: Region, courier_ids: Sequence[CourierId]
    ) -> Mapping[CourierId, datetime]:
        """Those of a region's couriers who get nothing new for a while, and until when."""
        params = await params_of(connection, region, self.params)
        return await pauses.paused(connection, region, datetime.now(UTC), params.pauses, courier_ids)

    async def world(
        self,
        region: Region,
        *,
        places: Sequence[LatLon] = (),
        order_ids: Collection[OrderId] = (),
        courier_ids: Collection[CourierId] = (),
        horizon_s: int = 0,
    ) -> World:
        """
        The region as it is, as far as it matters to some places, orders and couriers.

        Orders that open later than is planned, or than `horizon_s`, are left out unless they are asked about; of a
        region too large for one plan what is nearest is looked at.
        """
        params = await params_of(self.pool, region, self.params)
        horizon_s = max(params.plan.horizon_s, horizon_s)
        world = await store.load(self.pool, region, horizon_s=horizon_s, pauses=params.pauses)
        there = {order.id for order in world.orders}
        rows = await self.pool.fetch(queries["orders.get_many"], [id_ for id_ in order_ids if id_ not in there])
        further = [order for order in map(order_from_row, rows) if order.region == region and order.is_open]
        world = replace(world, orders=(*world.orders, *store.usable(further)))
        if not is_large(world):
            return world
        seen = await self.locator.locate(region, world.now)
        return around(world, seen, places, frozenset(order_ids), frozenset(courier_ids))

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
            asked = [world for world in worlds if world.orders]
            snapshots = [await look(world, seen, self.travel, params, stays=self.stays) for world in asked]
            answers = iter(await self.thinking.plans(snapshots, params.plan) if snapshots else ())
            return [next(answers) if world.orders else EMPTY for world in worlds]

    async def cost(self, region: Region) -> int | None:
        """What the plan of the region as it is costs, in the planner's units; None when that cannot be told at once."""
        try:
            world, _ = await self._near(region)
            return None if is_large(world) else (await self.plans([world]))[0].cost
        except Exception:
            # Told beside a change by hand, which it must never hinder.
            log.exception("plan not priced", extra={"event": "plan_not_priced", "region": region})
            return None

    async def candidates(self, order: Order) -> tuple[list[Weighed], dict[CourierId, str]]:
        """An order with every courier of its region, the cheapest first, and their names; raises TimeoutError."""
        deadline = monotonic() + THINK_S
        world, params = await self._near(order.region)
        if all(order.id != known.id for known in world.orders):
            world = replace(world, orders=(*world.orders, *store.usable([order])))
        rows = await self.pool.fetch(queries["planning.off_duty"], order.region, OFF_DUTY_AT_MOST)
        snapshot = await self._look(preview.about(world, {order.id}), params)
        names = {courier.id: courier.name for courier in world.couriers} | {row["id"]: row["name"] for row in rows}
        if all(job.order_id != order.id for job in snapshot.jobs):
            aside = (ReasonCode.SET_ASIDE,)
            return [Weighed(courier_id=id_, order_id=order.id, reasons=aside) for id_ in names], names
        found = await self._think(deadline, lambda end: candidates(snapshot, params.plan, order.id, end))
        absent = (ReasonCode.NOT_AT_WORK,)
        seen = {one.courier_id for one in found}
        rest = [Weighed(courier_id=id_, order_id=order.id, reasons=absent) for id_ in names if id_ not in seen]
        return [*found, *rest], names

    async def suggestions(self, region: Region, courier_id: CourierId) -> tuple[list[Weighed], dict[OrderId, Order]]:
        """The orders that nobody has with one courier, the cheapest first; raises TimeoutError."""
        deadline = monotonic() + THINK_S
        world, params = await self._near(region, courier_id)
        free = {order.id: order for order in world.orders if order.state is OrderState.PLACED}
        world = preview.about(world, free.keys(), {courier_id})
        snapshot = await self._look(world, params)
        known = [job.order_id for job in snapshot.jobs if job.order_id in free]
        if all(worker.courier_id != courier_id for worker in snapshot.workers):
            return [], free
        found = await self._think(deadline, lambda end: suggestions(snapshot, params.plan, courier_id, known, end))
        return list(found), free

    async def speaking_against(
        self, order_ids: Sequence[OrderId], courier_id: CourierId
    ) -> dict[OrderId, tuple[ReasonCode, ...]]:
        """What speaks against giving orders to a courier by hand; nothing of those that are not in its region."""
        region = await self.pool.fetchval(queries["planning.courier_region"], courier_id)
        if region is None:
            return {}
        world, params = await self._near(region, courier_id)
        rows = await self.pool.fetch(queries["orders.get_many"], list(order_ids))
        there = {order.id for order in world.orders}
        further = [order_from_row(row) for row in rows if row["id"] not in there and row["region"] == region]
        open_ones = tuple(order for order in further if order.is_open)
        world = replace(world, orders=(*world.orders, *store.usable(open_ones)))
        snapshot = await self._look(preview.about(world, set(order_ids), {courier_id}), params)
        return await asyncio.to_thread(speaking_against, snapshot, params.plan, courier_id, order_ids)

    async def _near(self, region: Region, *asked: CourierId) -> tuple[World, CycleParams]:
        """The region but for orders that are not planned yet, and how it is run."""
        params = await params_of(self.pool, region, self.params)
        world = await store.load(
            self.pool,
            region,
            horizon_s=params.plan.horizon_s,
            collect_ahead_s=params.survey.collect_ahead_s,
            pauses=params.pauses,
            asked=asked,
        )
        return world, params

    async def _look(self, world: World, params: CycleParams) -> Snapshot:
        seen = await self.locator.locate(world.region, world.now)
        return await look(world, seen, self.travel, params, stays=self.stays)

    async def _think(self, deadline: float, question: Callable[[ShouldEnd], T]) -> T:
        """Ask a question in a thread, when its turn has come; it looks at no more once the deadline has passed."""
        async with asyncio.timeout(max(deadline - monotonic(), 0)):
            await self.slots.acquire()
        try:
            return await asyncio.to_thread(question, lambda: monotonic() > deadline)
        finally:
            self.slots.release()


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
