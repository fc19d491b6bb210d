"""The routing engine dies in the middle of dispatching: the next cycle plans on from the fallback, later returns."""

import asyncio

import httpx

from dispatch.region import store
from dispatch.region.cycle import Planning
from dispatch.region.params import CycleParams
from dispatch.region.whereabouts import Locator
from dispatch.travel.cache import TravelCache
from dispatch.travel.chain import TravelChain
from dispatch.travel.client import EngineClient
from dispatch.travel.great_circle import GreatCircle
from dispatch.travel.guards import CircuitBreaker
from dispatch.travel.osrm import Osrm
from dispatch.travel.times import Source
from tests.integration.dispatch.conftest import HOME, RESTAURANT
from tests.integration.dispatch.region.test_cycle import Seen
from tests.waiting import PATIENCE_S
from tracking import lease
from tracking.position import Mode


async def test_plans_go_on_without_the_engine_and_return_to_it_by_themselves(city, own_osrm):
    server = own_osrm()
    seen = Seen()
    seen.places[await city.hire("Ana")] = RESTAURANT
    seen.places[await city.hire("Rui")] = HOME
    async with httpx.AsyncClient() as http:
        client = EngineClient(source=Source.OSRM, http=http, breaker=CircuitBreaker(n_failures=2, recovery_s=0.2))
        # Nothing is kept, so that every cycle shows whether the engine answered.
        osrm = Osrm(client=client, urls=dict.fromkeys(Mode, server.url), cache_s=0)
        travel = TravelChain(engines=[osrm], great_circle=GreatCircle(), cache=TravelCache(redis=city.redis))
        planning = Planning(
            pool=city.pool, redis=city.redis, travel=travel, locator=Locator(seen), params=CycleParams(map_budget_s=2.0)
        )
        held = await lease.take(city.pool, "dispatch", "default", "test", ttl_s=120)

        async def source():
            snapshot = await planning.snapshot(await store.load(city.pool, "default"))
            return snapshot.travel.sources[Mode.BICYCLE]

        async def offered_order():
            order = await city.place()
            await planning.at_once(held)
            return await city.open_offer(order.id) is not None

        assert await offered_order()
        assert await source() == "osrm"
        server.kill()
        assert await offered_order()
        assert await source() == "default"
        server.start()
        async with asyncio.timeout(PATIENCE_S):
            while await source() != "osrm":
                await asyncio.sleep(0.05)
        assert await offered_order()
