"""What is asked of a real OSRM: from where couriers ride to the pickups, and nothing for those who stand."""

import random
from dataclasses import replace

import httpx
import pytest

from dispatch.orders.order import OrderStop
from dispatch.region.cycle import look
from dispatch.region.params import CycleParams
from dispatch.region.parts import MOST_COURIERS
from dispatch.region.world import Whereabouts, World
from dispatch.travel import Source
from dispatch.travel.chain import TravelChain
from dispatch.travel.client import EngineClient
from dispatch.travel.great_circle import GreatCircle
from dispatch.travel.metrics import REQUESTS
from dispatch.travel.osrm import LIMITS, Osrm
from tests.engines import PORTO_CENTRE
from tests.integration.dispatch.region.test_cycle import REGION, Seen, planning_of
from tests.unit.dispatch.region.test_parts import NOON, courier, order
from tests.waiting import PATIENCE_S
from tracking import lease
from tracking.position import LatLon, Mode

N_ORDERS = 8


def asked() -> float:
    return sum(one.value for one in REQUESTS.collect()[0].samples if one.name.endswith("_total"))


def somewhere(dice: random.Random) -> LatLon:
    return LatLon(PORTO_CENTRE.lat + dice.uniform(-0.008, 0.008), PORTO_CENTRE.lon + dice.uniform(-0.008, 0.008))


@pytest.fixture
async def travel(osrm_server):
    async with httpx.AsyncClient() as http:
        engine = Osrm(
            client=EngineClient(source=Source.OSRM, http=http, timeout_s=PATIENCE_S),
            urls=dict.fromkeys(Mode, osrm_server.url),
        )
        yield TravelChain(engines=[engine], great_circle=GreatCircle())


async def test_nothing_is_asked_for_couriers_whose_receivers_drift(city, travel):
    dice, seen = random.Random(1), Seen()
    planning = planning_of(city, seen, travel=travel, map_budget_s=PATIENCE_S, at_once_s=PATIENCE_S)
    held = await lease.take(city.pool, "dispatch", REGION, "test", ttl_s=3600)
    rows = await city.pool.fetch(
        "INSERT INTO couriers (name, mode, region)"
        " SELECT 'c', 'car', 'default' FROM generate_series(0, $1) RETURNING id",
        MOST_COURIERS,
    )

    seen.places = {row["id"]: somewhere(dice) for row in rows}
    for _ in range(N_ORDERS):
        await city.place(pickup=OrderStop(at=somewhere(dice)), dropoff=OrderStop(at=somewhere(dice)))

    async def turn() -> float:
        before = asked()
        # The orders are planned first; then all parts, as if they were old.
        planning._agendas.clear()
        await planning.at_once(held)
        return asked() - before

    assert await turn() > 0
    await turn()  # the other parts, cut elsewhere
    drifted = {id_: replace(at, lat=at.lat + dice.uniform(-2e-4, 2e-4)) for id_, at in seen.places.items()}
    seen.places = drifted
    assert await turn() == 0, "nobody has gone far: nothing new is to be known"


async def test_from_where_couriers_ride_a_question_is_asked_to_the_pickups_only(travel):
    dice = random.Random(2)
    couriers = tuple(courier(n) for n in range(LIMITS.n_origins - 10))
    orders = [order(n, somewhere(dice)) for n in range(LIMITS.n_destinations - 10)]
    orders = [replace(one, dropoff=OrderStop(at=somewhere(dice))) for one in orders]
    world = World(region=REGION, now=NOON, orders=tuple(orders), couriers=couriers)

    async def looked() -> float:
        before = asked()
        seen = {one.id: Whereabouts(at=somewhere(dice), age_s=3) for one in couriers}
        await look(world, seen, travel, CycleParams(map_budget_s=PATIENCE_S))
        return asked() - before

    assert await looked() > 1, "at first all doors"
    assert await looked() == 1, "their doors are more than one question has room for, their pickups are not"
