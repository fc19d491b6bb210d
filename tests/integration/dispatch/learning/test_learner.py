"""Stops that were done become legs and stays, these become models, and every process learns of them."""

import asyncio
import random
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import numpy as np
import pytest

from app.commands.erasing import erase
from dispatch.asides import Asides
from dispatch.learning.knowledge import Knowledge
from dispatch.learning.learner import Learner, LearnerParams
from dispatch.learning.travel_model import GREAT_CIRCLE, default_s
from dispatch.stop import StopKind
from dispatch.travel.great_circle import GreatCircle
from dispatch.travel.times import CODES, Matrix, Source
from tests.waiting import PATIENCE_S
from tracking.batch import PositionColumns
from tracking.history.history import History
from tracking.position import CourierId, Fix, LatLon, Mode, Position, Region

REGION = Region("default")
NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
SLOWNESS = 1.5
"""Couriers here take half as long again as the default expects."""


class Engine(GreatCircle):
    """A maps API that expects exactly the default times."""

    async def matrix(self, mode, origins, destinations, departs_at, *, budget_s=1.0, **_):
        base = self.matrix_now(mode, origins, destinations, departs_at)
        codes = np.full(base.sources.shape, CODES[Source.OSRM], dtype=np.uint8)
        return Matrix(durations_s=base.durations_s, distances_m=base.distances_m, sources=codes)


class Deliveries:
    """Orders that were carried out, with the tracks of it."""

    def __init__(self, city):
        self.city = city
        self.history = History(city.pool)
        self.rng = random.Random(1)

    async def carry_out(self, n, *, courier_id: UUID, ends_at=NOW - timedelta(hours=1), wait_s=180.0):
        positions, rows = [], []
        at = ends_at - timedelta(seconds=n * 4000)
        here = self._somewhere()
        for _ in range(n):
            order_id, pickup, dropoff = uuid4(), self._somewhere(), self._somewhere()
            assigned_at = at
            at = self._drive(positions, courier_id, here, pickup, at)
            picked_up_at = at = self._stay(positions, courier_id, pickup, at, wait_s)
            at = self._drive(positions, courier_id, pickup, dropoff, at)
            delivered_at = at = self._stay(positions, courier_id, dropoff, at, 60.0)
            here = dropoff
            rows.append(
                (order_id, courier_id, *pickup.latlon, *dropoff.latlon, assigned_at, picked_up_at, delivered_at)
            )
        await self.history.insert_many(PositionColumns.from_positions(positions), slot="default")
        await self.city.pool.executemany(
            "INSERT INTO orders (id, region, courier_id, state, pickup_lat, pickup_lon, pickup_service_s, dropoff_lat,"
            " dropoff_lon, dropoff_service_s, assigned_at, picked_up_at, delivered_at, closed_at)"
            " VALUES ($1, 'default', $2, 'delivered', $3, $4, 60, $5, $6, 60, $7, $8, $9, $9)",
            rows,
        )

    def _somewhere(self):
        return LatLon(41.15 + self.rng.uniform(-0.015, 0.015), -8.61 + self.rng.uniform(-0.015, 0.015))

    def _drive(self, positions, courier_id, start, end, at):
        n = max(2, int(default_s(Mode.BICYCLE, start, end) * SLOWNESS / 10))
        for k in range(n + 1):
            place = LatLon(start.lat + (end.lat - start.lat) * k / n, start.lon + (end.lon - start.lon) * k / n)
            positions.append(_position(courier_id, place, at + timedelta(seconds=10 * k)))
        return at + timedelta(seconds=10 * n)

    def _stay(self, positions, courier_id, place, at, seconds):
        positions.extend(_position(courier_id, place, at + timedelta(seconds=s)) for s in range(10, int(seconds), 10))
        return at + timedelta(seconds=seconds)


def _position(courier_id, place, at):
    return Position(courier_id=CourierId(courier_id), fix=Fix(at=place, fixed_at=at, accuracy_m=5.0), received_at=at)


@pytest.fixture
def deliveries(city):
    return Deliveries(city)


def learner_of(city, knowledge, travel=None, **params):
    async def regions():
        return [REGION]

    return Learner(
        city.pool,
        History(city.pool),
        travel or Engine(),
        regions,
        knowledge,
        asides=Asides(city.pool, city.redis, part="learning"),
        params=LearnerParams(**({"n_new": 10, "look_back_s": 30 * 86_400.0} | params)),
    )


async def test_what_couriers_need_is_learned_and_known_to_another_process(city, deliveries):
    courier_id = await city.hire()
    await deliveries.carry_out(30, courier_id=courier_id)
    assert await learner_of(city, Knowledge()).learn_region(REGION, NOW)

    elsewhere = Knowledge()
    assert await elsewhere.refresh(city.pool)
    here, there = LatLon(41.145, -8.605), LatLon(41.155, -8.615)
    (factor,) = elsewhere.factors(Mode.BICYCLE, [here], [there], NOW).flat
    assert factor == pytest.approx(SLOWNESS, rel=0.12)
    engine = elsewhere.model(Mode.BICYCLE, "osrm", here)
    assert engine is not None
    assert engine.estimate(here, there, NOW, 600.0).p50_s == pytest.approx(600 * SLOWNESS, rel=0.12)
    services = elsewhere.services(REGION)
    assert services.expect(StopKind.PICKUP, here, None)[0] == pytest.approx(180, rel=0.25)
    assert services.expect(StopKind.DROPOFF, here, None)[0] == pytest.approx(60, rel=0.4)
    assert not await elsewhere.refresh(city.pool)


async def test_a_stop_is_tracked_once_whoever_looks(city, deliveries):
    await deliveries.carry_out(6, courier_id=await city.hire())
    learners = [learner_of(city, Knowledge()) for _ in range(2)]
    await asyncio.gather(*(learner.track_stops(REGION, NOW) for learner in learners))
    assert await learners[0].track_stops(REGION, NOW) == 0
    assert await city.pool.fetchval("SELECT count(*) FROM tracked_stops") == 12


async def test_later_legs_carry_the_error_of_what_was_predicted_for_them(city, deliveries):
    courier_id = await city.hire()
    await deliveries.carry_out(25, courier_id=courier_id, ends_at=NOW - timedelta(days=3))
    learner = learner_of(city, Knowledge())
    await learner.learn_region(REGION, NOW - timedelta(days=2))
    await deliveries.carry_out(5, courier_id=courier_id)
    await learner.learn_region(REGION, NOW)
    first, later = await city.pool.fetch(
        "SELECT count(error_default) AS n, avg(abs(error_default)) AS size FROM tracked_stops"
        " GROUP BY done_at > $1 ORDER BY done_at > $1",
        NOW - timedelta(days=2),
    )
    assert first["n"] == 0
    assert later["n"] >= 9
    assert later["size"] < 0.2


async def test_nothing_new_makes_no_models(city, deliveries):
    await deliveries.carry_out(10, courier_id=await city.hire())
    learner = learner_of(city, Knowledge())
    assert await learner.learn_region(REGION, NOW)
    assert not await learner.learn_region(REGION, NOW + timedelta(minutes=1))


async def test_a_stop_waits_until_late_fixes_are_in(city, deliveries):
    await deliveries.carry_out(1, courier_id=await city.hire(), ends_at=NOW)
    delivered_at = await city.pool.fetchval("SELECT max(delivered_at) FROM orders")
    learner = learner_of(city, Knowledge(), settle_s=180.0)
    assert await learner.track_stops(REGION, delivered_at + timedelta(seconds=100)) == 1
    assert await learner.track_stops(REGION, delivered_at + timedelta(seconds=200)) == 1


async def test_a_stop_without_a_track_is_marked_and_teaches_nothing(city, deliveries):
    await deliveries.carry_out(6, courier_id=await city.hire())
    await city.pool.execute("DELETE FROM positions")
    assert await learner_of(city, Knowledge()).track_stops(REGION, NOW) == 12
    assert await city.pool.fetchval("SELECT count(*) FROM tracked_stops WHERE arrived_at IS NOT NULL") == 0


async def test_without_a_map_only_the_great_circle_is_corrected(city, deliveries):
    await deliveries.carry_out(20, courier_id=await city.hire())
    knowledge = Knowledge()
    await learner_of(city, knowledge, travel=GreatCircle()).learn_region(REGION, NOW)
    assert knowledge.model(Mode.BICYCLE, GREAT_CIRCLE, LatLon(41.15, -8.61)) is not None
    assert knowledge.model(Mode.BICYCLE, "osrm", LatLon(41.15, -8.61)) is None


async def test_bytes_nobody_understands_leave_the_rest_in_force(city, deliveries):
    await deliveries.carry_out(15, courier_id=await city.hire())
    await learner_of(city, Knowledge()).learn_region(REGION, NOW)
    await city.pool.execute("UPDATE learned_models SET body = 'rubbish' WHERE subject = 'services'")
    knowledge = Knowledge()
    assert await knowledge.refresh(city.pool)
    assert knowledge.model(Mode.BICYCLE, GREAT_CIRCLE, LatLon(41.15, -8.61)) is not None
    assert knowledge.services(REGION).counts == {}


async def test_models_are_made_anew_without_an_erased_courier(city, deliveries):
    ana, ben = await city.hire(), await city.hire()
    await deliveries.carry_out(12, courier_id=ana)
    await deliveries.carry_out(12, courier_id=ben)
    learner = learner_of(city, Knowledge())
    await learner.learn_region(REGION, NOW)

    async def knows(courier_id):
        return await city.pool.fetchval(
            "SELECT count(*) FROM learned_models WHERE position($1::bytea IN body) > 0", str(courier_id).encode()
        )

    assert await knows(ana)
    async with city.pool.acquire() as connection, connection.transaction():
        await erase(connection, ana)
    assert not await knows(ana)
    assert await learner.learn_region(REGION, NOW + timedelta(minutes=1))
    assert await knows(ben)
    assert not await knows(ana)


async def test_both_loops_end_when_told(city):
    stop = asyncio.Event()
    knowledge = Knowledge()
    loops = [
        asyncio.create_task(learner_of(city, knowledge, every_s=0.02).run(stop)),
        asyncio.create_task(knowledge.run(stop, city.pool, every_s=0.02)),
    ]
    await asyncio.sleep(0.1)
    stop.set()
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.gather(*loops)
