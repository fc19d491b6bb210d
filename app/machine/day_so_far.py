"""The demo's day so far: orders that were placed, given, collected and handed over before anybody looked."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg
from redis.asyncio import Redis

from app.simulation.day import Step, Story
from dispatch.orders.desk import Desk
from dispatch.orders.order import ENGINE, Actor, NewOrder, Order, OrderState, OrderStop, Window
from dispatch.orders.rows import order_from_row
from sql import queries
from tracking import events
from tracking.position import CourierId, Region

log = logging.getLogger(__name__)

CUSTOMER: Final = Actor(id="demo", role="service")
OFFERED_FOR: Final = timedelta(seconds=60)
OVER: Final = frozenset({Step.DELIVER, Step.CANCEL, Step.TAKE_BACK})
"""No route has the stops of what is over."""
AT_A_TIME: Final = 50
"""Stories a transaction: who dispatches meanwhile waits no longer for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diary:
    """Writes stories down as if each step had been told when it was made."""

    pool: asyncpg.Pool
    redis: Redis
    region: Region
    couriers: Sequence[CourierId]
    """By place in the fleet."""
    series: str
    """Of the orders' references."""

    async def now(self) -> datetime:
        """By the database's clock, by which everybody judges."""
        at: datetime = await self.pool.fetchval(queries["clock.now"])
        return at

    async def last_written(self) -> datetime | None:
        """When the newest order of the region was placed; None: there is none."""
        rows = await self.pool.fetch(queries["orders.list"], None, self.region, *[None] * 5, False, None, None, 1, None)
        return rows[0]["placed_at"] if rows else None

    async def close_old(self) -> int:
        """
        What an earlier demo left open ends as that day would have: handed over, or cancelled. Returns how many.

        Nobody can make up for the hours, or days, that the program was not running. What is to be collected later
        stays.
        """
        async with self.pool.acquire() as connection, connection.transaction():
            now = await connection.fetchval(queries["clock.now"])
            found = [
                order_from_row(row) for row in await connection.fetch(queries["orders.open_in_region"], self.region)
            ]
            desk = Desk(connection=connection, actor=CUSTOMER, now=now)
            old = [order for order in found if order.ready_at is None or order.ready_at <= now]
            for order in sorted(old, key=lambda order: order.id):
                held = await desk.lock_order(order.id)
                desk.now = min(now, held.last_step_at + timedelta(minutes=10))
                if held.state is OrderState.PICKED_UP:
                    await desk.deliver(held)
                elif held.state is OrderState.RETURNING:
                    await desk.take_back(held)
                else:
                    await desk.cancel(held.id, reason="the day was over")
        return len(old)

    async def write(self, stories: Iterable[Story], first: int, *, tells: bool) -> list[Order]:
        """
        Write them down; references count from `first`. Returns the orders as they are now.

        `tells` whoever listens of them: of what was over long ago there is no news.
        """
        listed, orders = list(stories), []
        for start in range(0, len(listed), AT_A_TIME):
            async with self.pool.acquire() as connection, connection.transaction():
                desk = Desk(connection=connection, actor=CUSTOMER, now=await connection.fetchval(queries["clock.now"]))
                for number, story in enumerate(listed[start : start + AT_A_TIME], first + start):
                    orders.append(await self._live(desk, self._new(story, number), story))
            if tells:
                await events.tell(self.redis, _newest(desk.events))
        return orders

    def _new(self, story: Story, number: int) -> NewOrder:
        return NewOrder(
            region=self.region,
            external_id=f"{self.series}-{number:04}",
            pickup=OrderStop(at=story.kitchen.at, address=story.kitchen.words or None, service_s=60),
            dropoff=OrderStop(
                at=story.home.at,
                address=story.home.words or None,
                contact=story.contact,
                instructions=story.instructions or None,
                window=Window(due_at=story.due_at),
                service_s=90,
            ),
            ready_at=story.ready_at,
            skills=story.skills,
        )

    async def _live(self, desk: Desk, new: NewOrder, story: Story) -> Order:
        desk.now, desk.actor = story.placed_at, CUSTOMER
        order = await desk.place(new)
        if story.courier is None:
            return order
        courier_id = self.couriers[story.courier]
        who = Actor(id=str(courier_id), role="courier")
        for step, at in story.steps:
            desk.now, desk.actor = at, ENGINE if step is Step.ASSIGN else who
            match step:
                case Step.ASSIGN:
                    order = await desk.move(order, OrderState.ASSIGNED, action="assign", courier_id=courier_id)
                    if story.steps[-1][0] not in OVER:
                        await desk.append_stops(order, courier_id)
                    await desk.make_offer(order, courier_id, expires_in=OFFERED_FOR, facts={})
                case Step.ACCEPT:
                    await desk.accept_offers([order], courier_id)
                    order = await desk.move(order, OrderState.ACCEPTED, action="accept")
                case Step.PICK_UP:
                    order = await desk.pick_up(order)
                case Step.DELIVER:
                    order = await desk.deliver(order, proof={"name": story.contact["name"]})
                case Step.CANCEL:
                    desk.actor = CUSTOMER
                    order = await desk.cancel(order.id, reason=story.reason)
                case Step.FAIL:
                    order = await desk.fail(order, reason=story.reason or "")
                case Step.TAKE_BACK:
                    order = await desk.take_back(order)
        return order


def _newest(told: Sequence[tuple[Region, str, dict[str, Any]]]) -> list[tuple[Region, str, dict[str, Any]]]:
    """Of each order and route the last that happened, once: an open page reads it, and the dispatcher wakes."""
    last: dict[tuple[str, str], tuple[Region, str, dict[str, Any]]] = {}
    for region, type_, facts in told:
        last[type_.split(".")[0], _about(facts)] = (region, type_, facts)
    return list(last.values())


def _about(facts: Mapping[str, Any]) -> str:
    return str(facts.get("order_id") or facts.get("courier_id"))
