"""
The dispatcher's SQL on TimescaleDB.

The one in WebAssembly gives all clients one session and turns by transaction.
"""

import asyncio

import asyncpg
import pytest
import redis.asyncio as aioredis

from dispatch.orders import handover
from dispatch.orders.order import OrderState
from dispatch.region.cycle import Planning
from dispatch.region.loop import Dispatcher, LoopParams
from dispatch.region.params import CycleParams
from dispatch.region.whereabouts import Locator
from dispatch.travel.chain import TravelChain
from dispatch.travel.great_circle import GreatCircle
from tests.integration.dispatch.conftest import HOME, City
from tests.integration.dispatch.region.test_cycle import Seen, hire
from tests.waiting import until
from tracking import lease


async def leave_session_alone(_connection):
    """RESET ALL would set the search path of every client of a shared session."""


@pytest.fixture(params=["timescale_wasm_url", "timescale_native_url"])
async def city(request, redis_url):
    url = request.getfixturevalue(request.param)
    shared = request.param == "timescale_wasm_url"
    options = {"reset": leave_session_alone, "statement_cache_size": 0, "max_size": 3} if shared else {}
    redis = aioredis.Redis.from_url(redis_url)
    async with asyncpg.create_pool(url, min_size=0, **options) as pool:
        yield City(pool=pool, redis=redis)
        await pool.execute("TRUNCATE orders, offers, routes, leases CASCADE")
        await pool.execute("DELETE FROM couriers")
    await redis.aclose()


async def test_order_lives_from_placed_to_delivered_and_a_rejected_one_goes_on(city):
    seen = Seen()
    ana, rui = await hire(city, seen, "Ana"), await hire(city, seen, "Rui", HOME)
    planning = Planning(
        pool=city.pool,
        redis=city.redis,
        travel=TravelChain(great_circle=GreatCircle()),
        locator=Locator(seen),
        params=CycleParams(search_s=0),
    )
    stop = asyncio.Event()
    params = LoopParams(tick_s=0.3, lease_s=5.0, retry_s=0.1)
    running = asyncio.create_task(
        Dispatcher(pool=city.pool, redis=city.redis, planning=planning, params=params).run(stop)
    )
    order = await city.place()

    async def offered_to(courier_id):
        row = await city.pool.fetchrow(
            "SELECT id, courier_id FROM offers WHERE order_id = $1 AND state = 'open'", order.id
        )
        return row["id"] if row is not None and row["courier_id"] == courier_id else None

    offer_id = await until(lambda: offered_to(ana), 30)
    async with city.desk() as desk:
        await handover.reject(desk, offer_id, ana, reason="flat tyre")
    offer_id = await until(lambda: offered_to(rui), 30)
    async with city.desk() as desk:
        await handover.accept(desk, offer_id, rui)
    assert await lease.take(city.pool, "dispatch", "default", "somebody else", ttl_s=1) is None
    async with city.desk() as desk:
        await desk.pick_up(await desk.lock_order(order.id))
    async with city.desk() as desk:
        await desk.deliver(await desk.lock_order(order.id))
    stop.set()
    await running
    assert (await city.order(order.id)).state is OrderState.DELIVERED
    assert await city.actions(order.id) == [
        "place",
        "assign",
        "reject",
        "assign",
        "accept",
        "picked_up",
        "delivered",
    ]
    assert await city.stops(rui) == []
