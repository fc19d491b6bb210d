"""The simulated fleet against the real program: it posts, and takes what it is offered."""

import asyncio

from app.simulation.params import SimulateParams
from app.simulation.run import Counts
from app.simulation.run import run as simulate
from tests.waiting import PATIENCE_S


async def test_simulated_fleet_posts_takes_what_it_is_offered_and_has_tomorrow_planned(world):
    stop, counts = asyncio.Event(), Counts()
    params = SimulateParams(
        url=world.url,
        token=world.token,
        couriers=4,
        interval_s=0.3,
        radius_m=500,
        seed=5,
        orders_per_hour=7200,
        ready_in_s=(0, 1),
        think_s=(0, 0.1),
        lat=60.17,
        lon=24.94,
        on_shift=1,
        tomorrow=2,
    )
    running = asyncio.create_task(simulate(params, stop, counts))
    async with asyncio.timeout(PATIENCE_S):
        while not (counts.accepted_offers and counts.accepted > 10 and counts.planned_ahead):
            assert not running.done(), running.exception()
            await asyncio.sleep(0.1)
    stop.set()
    await asyncio.wait_for(running, PATIENCE_S)
    assert counts.quarantined == 0
    fleet = [item for item in world.client.get("/v1/couriers?limit=500").json()["items"] if item["external_id"]]
    assert len([item for item in fleet if item["external_id"].startswith("sim-5-")]) == 4


async def test_second_start_finds_the_same_couriers(world):
    params = SimulateParams(url=world.url, token=world.token, couriers=2, interval_s=0.2, seed=6, radius_m=400)
    for _ in range(2):
        stop, counts = asyncio.Event(), Counts()
        running = asyncio.create_task(simulate(params, stop, counts))
        async with asyncio.timeout(PATIENCE_S):
            while counts.accepted < 3:
                assert not running.done(), running.exception()
                await asyncio.sleep(0.05)
        stop.set()
        await asyncio.wait_for(running, PATIENCE_S)
    items = world.client.get("/v1/couriers?limit=500").json()["items"]
    assert len([item for item in items if str(item["external_id"]).startswith("sim-6-")]) == 2
