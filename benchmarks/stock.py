"""
The share of looks at what places have that Redis answers: python -m benchmarks.stock --json.

Kitchens and shops in a busy hour, at its true pace, on the code that the API and `housekeeping` run. Each order is
looked forward to: of four people who open a place's page one orders, and each asks twice, for all of it and for what is
in the basket. The place's own page asks every 30 seconds, as it does, and staff now and then. Orders reserve, couriers
collect, some cancel, and goods come in, each of which lets go of what is remembered. Looks of the first minute do not
count. Beside it, the share when what an order and a courier decide by, which is always the database's, counts as well.
"""

import argparse
import asyncio
import heapq
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import uuid4

import asyncpg
import redis.asyncio as aioredis
from prometheus_client import REGISTRY

from benchmarks.world import World, engine_of, parser, report, world
from dispatch.errors import OutOfStock
from dispatch.orders.desk import at_desk
from dispatch.orders.order import Actor, NewOrder, OrderStop
from dispatch.stock.balances import Part, balances_at, forget_now, key
from dispatch.stock.moving import At, Kind, Wanted, move
from dispatch.stock.outbox import Outbox
from dispatch.stock.reserving import Line, collect, keep, take
from dispatch.stop import OrderId
from tracking.position import LatLon, Region

AT = LatLon(41.15, -8.61)
WHO = Actor(id="benchmark", role="dispatcher")
LOOKS_AN_ORDER, OPEN_TO_ORDER = 2, 4
PAGE_EVERY_S = 30.0
STAFF_AN_HOUR = 2.0
CANCELLED = 0.05
NAME = "postrider_stock_reads_total"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sort:
    """A sort of places."""

    name: str
    goods: int
    orders_an_hour: float
    lines: int
    receipts_an_hour: float


KITCHEN = Sort(name="kitchen", goods=25, orders_an_hour=15, lines=3, receipts_an_hour=0.5)
SHOP = Sort(name="shop", goods=300, orders_an_hour=60, lines=5, receipts_an_hour=6)


@dataclass
class Shelf:
    """A place, and orders that wait for their couriers there."""

    sort: Sort
    at: At
    items: list[str]
    waiting: list[OrderId] = field(default_factory=list)


class Hour:
    """What happens."""

    def __init__(self, pool: asyncpg.Pool, redis: aioredis.Redis, seed: int) -> None:
        self._pool, self._redis = pool, redis
        self._random = random.Random(seed)
        self.done: dict[str, int] = {
            "looks": 0,
            "orders": 0,
            "refused": 0,
            "collected": 0,
            "cancelled": 0,
            "received": 0,
        }

    async def open(self, n: int, sort: Sort) -> list[Shelf]:
        """So many places of a sort, with goods, and orders that will be collected."""
        items = [f"{sort.name} {i}" for i in range(sort.goods)]
        await self._pool.executemany(
            "INSERT INTO stock_items (region, item, unit) VALUES ('default', $1, 'piece')", [(one,) for one in items]
        )
        shelves = []
        for i in range(n):
            place_id = await self._pool.fetchval(
                "INSERT INTO places (region, name, lat, lon) VALUES ('default', $1, $2, $3) RETURNING id",
                f"{sort.name} {i}", AT.lat, AT.lon,
            )  # fmt: skip
            shelf = Shelf(sort, At(place_id, "default", None, datetime.now(UTC).date()), items)
            await self._pool.execute(
                "INSERT INTO stock_batches (place_id, item_id, lot, quantity)"
                " SELECT $1, id, 'first', 200 FROM stock_items WHERE item = ANY($2)",
                place_id, items,
            )  # fmt: skip
            for _ in range(round(sort.orders_an_hour / 4)):
                await self.order(shelf)
            shelves.append(shelf)
        return shelves

    async def look(self, shelf: Shelf, n_items: int = 0) -> None:
        items = tuple(self._random.sample(shelf.items, n_items))
        await balances_at(self._pool, self._redis, shelf.at.place_id, Part(items=items, limit=100))
        self.done["looks"] += 1

    async def order(self, shelf: Shelf) -> None:
        lines = [Line(item, 1) for item in self._random.sample(shelf.items, shelf.sort.lines)]
        new = NewOrder(
            region=Region("default"), place_id=shelf.at.place_id, pickup=OrderStop(at=AT), dropoff=OrderStop(at=AT)
        )
        try:
            async with at_desk(self._pool, self._redis, WHO) as desk:
                order = await desk.place(new)
                await keep(desk.connection, shelf.at.place_id, order.id, await take(desk.connection, shelf.at, lines))
        except OutOfStock:
            self.done["refused"] += 1
        else:
            shelf.waiting.append(order.id)
            self.done["orders"] += 1

    async def leave(self, shelf: Shelf) -> None:
        """Somebody collects an order, or it is cancelled."""
        if not shelf.waiting:
            return
        order_id = shelf.waiting.pop(0)
        if self._random.random() < CANCELLED:
            async with at_desk(self._pool, self._redis, WHO) as desk:
                await desk.cancel(order_id, reason=None)
            self.done["cancelled"] += 1
            return
        async with self._pool.acquire() as connection, connection.transaction():
            await collect(connection, shelf.at, order_id, 1, WHO, datetime.now(UTC), missing={})
        self.done["collected"] += 1

    async def receive(self, shelf: Shelf) -> None:
        """Ten sorts of goods come in."""
        for item in self._random.sample(shelf.items, 10):
            wanted = Wanted(id=uuid4(), kind=Kind.RECEIVE, quantity=20, item=item, lot=f"{self._random.random():.6f}")
            async with self._pool.acquire() as connection, connection.transaction():
                await move(connection, shelf.at, wanted, WHO, datetime.now(UTC))
        await forget_now(self._redis, {shelf.at.place_id})
        self.done["received"] += 1

    def plan(self, shelves: list[Shelf], seconds: float) -> list[tuple[float, int, Callable[[], Awaitable[None]]]]:
        """What happens when, in seconds from the beginning, in that sequence."""
        happens: list[tuple[float, int, Callable[[], Awaitable[None]]]] = []
        n = count()

        def often(an_hour: float, act: Callable[[], Awaitable[None]]) -> None:
            at = self._random.expovariate(an_hour / 3600)
            while at < seconds:
                heapq.heappush(happens, (at, next(n), act))
                at += self._random.expovariate(an_hour / 3600)

        for shelf in shelves:
            rate = shelf.sort.orders_an_hour
            opened = rate * OPEN_TO_ORDER
            often(opened, lambda shelf=shelf: self.look(shelf))  # type: ignore[misc]
            often(
                opened * (LOOKS_AN_ORDER - 1),
                lambda shelf=shelf: self.look(shelf, shelf.sort.lines),  # type: ignore[misc]
            )
            often(STAFF_AN_HOUR, lambda shelf=shelf: self.look(shelf))  # type: ignore[misc]
            often(rate, lambda shelf=shelf: self.order(shelf))  # type: ignore[misc]
            often(rate, lambda shelf=shelf: self.leave(shelf))  # type: ignore[misc]
            often(shelf.sort.receipts_an_hour, lambda shelf=shelf: self.receive(shelf))  # type: ignore[misc]
            at = self._random.uniform(0, PAGE_EVERY_S)
            while at < seconds:
                heapq.heappush(happens, (at, next(n), lambda shelf=shelf: self.look(shelf)))  # type: ignore[misc]
                at += PAGE_EVERY_S
        return [heapq.heappop(happens) for _ in range(len(happens))]


def counted() -> dict[str, float]:
    """Looks so far, by where they came from."""
    told = {source: REGISTRY.get_sample_value(NAME, {"source": source}) for source in ("redis", "database")}
    return {source: n or 0 for source, n in told.items()}


async def run(servers: World, options: argparse.Namespace) -> dict[str, Any]:
    async with (
        asyncpg.create_pool(servers.database_url, min_size=4, max_size=16) as pool,
        aioredis.Redis.from_url(servers.redis_url) as redis,
    ):
        hour = Hour(pool, redis, options.seed)
        shelves = await hour.open(options.kitchens, KITCHEN) + await hour.open(options.shops, SHOP)
        stop = asyncio.Event()
        outbox = asyncio.create_task(Outbox(pool, redis).run(stop))
        began, before = time.monotonic(), counted()
        decided = 0
        happened: set[asyncio.Task[None]] = set()
        is_warm = False
        for at, _, act in hour.plan(shelves, options.warm_up + options.seconds):
            if at >= options.warm_up and not is_warm:
                is_warm, before = True, counted()
                decided = hour.done["orders"] + hour.done["refused"] + hour.done["collected"]
            await asyncio.sleep(max(0.0, began + at - time.monotonic()))
            task = asyncio.ensure_future(act())
            happened.add(task)
            task.add_done_callback(happened.discard)
        late_s = time.monotonic() - began - options.warm_up - options.seconds
        await asyncio.gather(*happened)
        after = counted()
        stop.set()
        await outbox
        redis_looks, database_looks = (after[source] - before[source] for source in ("redis", "database"))
        looks = redis_looks + database_looks
        decided = hour.done["orders"] + hour.done["refused"] + hour.done["collected"] - decided
        sizes = [await redis.memory_usage(key(shelf.at.place_id)) or 0 for shelf in shelves]
        largest = {
            sort.name: max((size for size, shelf in zip(sizes, shelves, strict=True) if shelf.sort is sort), default=0)
            for sort in (KITCHEN, SHOP)
        }
        return {
            "looks": {"n": looks, "from_redis": redis_looks, "share": round(redis_looks / looks, 3)},
            "with what decides": {"n": looks + decided, "share": round(redis_looks / (looks + decided), 3)},
            "happened": hour.done,
            "most bytes in Redis of a": largest,
            "behind time": {"s": round(max(0.0, late_s), 1)},
        }


def main() -> None:
    options = parser("stock", __doc__)
    options.add_argument("--kitchens", type=int, default=40)
    options.add_argument("--shops", type=int, default=10)
    options.add_argument("--seconds", type=float, default=180)
    options.add_argument("--warm-up", type=float, default=60)
    options.add_argument("--seed", type=int, default=1)
    arguments = options.parse_args()
    with world() as servers:
        engines = engine_of(servers)
        results = asyncio.run(run(servers, arguments))
    report("stock", arguments, engines, results)


if __name__ == "__main__":
    main()
