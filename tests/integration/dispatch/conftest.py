"""A migrated database and an empty Redis, and small worlds in them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import redis.asyncio as aioredis

from dispatch.orders.desk import at_desk
from dispatch.orders.order import Actor, NewOrder, Order, OrderStop
from tracking.position import LatLon

STAFF = Actor(id="dispatcher:test", role="dispatcher")
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
RESTAURANT = LatLon(41.1496, -8.6109)
HOME = LatLon(41.1579, -8.6291)


def new_order(**changes: Any) -> NewOrder:
    facts: dict[str, Any] = {"region": "default", "pickup": OrderStop(at=RESTAURANT), "dropoff": OrderStop(at=HOME)}
    return NewOrder(**(facts | changes))


@dataclass
class City:
    """The default region: places orders, hires couriers, reads rows."""

    pool: asyncpg.Pool
    redis: aioredis.Redis

    async def hire(self, name: str = "Ana", mode: str = "bicycle", **columns: Any) -> UUID:
        courier_id: UUID = await self.pool.fetchval(
            "INSERT INTO couriers (name, mode, region, max_orders, on_duty, capacity)"
            " VALUES ($1, $2, 'default', $3, $4, $5) RETURNING id",
            name,
            mode,
            columns.get("max_orders", 8),
            columns.get("on_duty", True),
            columns.get("capacity", []),
        )
        return courier_id

    async def place(self, **changes: Any) -> Order:
        async with self.desk() as desk:
            return await desk.place(new_order(**changes))

    def desk(self, actor: Actor = STAFF, now: datetime | None = None) -> Any:
        return at_desk(self.pool, self.redis, actor, now=now)

    async def order(self, order_id: UUID) -> Order:
        async with self.desk() as desk:
            return await desk.get_order(order_id)

    async def actions(self, order_id: UUID) -> list[str]:
        rows = await self.pool.fetch("SELECT action FROM order_events WHERE order_id = $1 ORDER BY id", order_id)
        return [row["action"] for row in rows]

    async def open_offer(self, order_id: UUID) -> UUID | None:
        found: UUID | None = await self.pool.fetchval(
            "SELECT id FROM offers WHERE order_id = $1 AND state = 'open'", order_id
        )
        return found

    async def stops(self, courier_id: UUID) -> list[tuple[str, str]]:
        rows = await self.pool.fetch(
            "SELECT stop ->> 'order_id' AS id, stop ->> 'kind' AS kind"
            " FROM routes, jsonb_array_elements(stops) AS stop WHERE courier_id = $1",
            courier_id,
        )
        return [(row["id"], row["kind"]) for row in rows]


@pytest.fixture
async def city(database_url: str, redis_url: str) -> AsyncIterator[City]:
    redis = aioredis.Redis.from_url(redis_url)
    async with asyncpg.create_pool(database_url, min_size=0, max_size=8) as pool:
        yield City(pool=pool, redis=redis)
    await redis.aclose()
