"""A large region is run by a process of its own, so that no small one waits for it; who that is, the rows say."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dispatch.crews import Crew, large_crew, some_are_large
from sql import queries
from tests.integration.dispatch.conftest import RESTAURANT
from tests.processes import parent_of
from tests.waiting import PATIENCE_S, until
from tracking import lease as leases
from tracking.batch import MODES
from tracking.intake.ingest import Ingest
from tracking.intake.reading import Reading
from tracking.intake.screening import Sender, Upload
from tracking.position import Mode, Region

ROOT = Path(__file__).parents[3]
LARGE_FROM = 4
JOBS = ("dispatch", "arrivals")


async def crowd(city, n):
    """A region `large` with so many couriers at work."""
    await city.pool.execute("INSERT INTO regions (id, name) VALUES ('large', 'Large') ON CONFLICT DO NOTHING")
    couriers = [await city.hire(f"Ana {i}") for i in range(n)]
    await city.pool.execute("UPDATE couriers SET region = 'large' WHERE id = any($1::uuid[])", couriers)
    return couriers


async def lists(city, job="dispatch"):
    """What those with all regions and those with the large ones would run."""
    crews = [Crew(pool=city.pool, large_from=LARGE_FROM, is_large=is_large) for is_large in (False, True)]
    return [await crew.regions(job) for crew in crews]


async def join(city, job):
    """Somebody for the large regions lives."""
    await city.pool.execute(queries["leases.join"], large_crew(job), "somebody", 60.0)


@pytest.mark.parametrize("job", JOBS)
async def test_every_region_is_listed_for_one_crew_and_a_large_one_for_those_apart_only_while_they_live(city, job):
    await city.hire()
    await city.place()
    couriers = await crowd(city, 3)
    assert await lists(city, job) == [["default", "large"], []]
    await city.place(region="large")
    assert await some_are_large(city.pool, job, LARGE_FROM)
    assert await lists(city, job) == [["default", "large"], ["large"]]
    await join(city, job)
    assert await lists(city, job) == [["default"], ["large"]]
    await city.pool.execute("UPDATE couriers SET on_duty = false WHERE id = $1", couriers[0])
    assert await lists(city, job) == [["default", "large"], []]
    assert not await some_are_large(city.pool, job, LARGE_FROM)


async def test_a_region_about_the_bound_stays_with_those_who_have_it(city):
    couriers = await crowd(city, LARGE_FROM)
    await join(city, "dispatch")
    lease = await leases.take(city.pool, "dispatch", Region("large"), "somebody", ttl_s=60.0)
    await city.pool.execute("UPDATE couriers SET on_duty = false WHERE id = any($1::uuid[])", couriers[:2])
    assert await lists(city) == [["default"], ["large"]]
    await leases.release(city.pool, lease)
    assert await lists(city) == [["default", "large"], []]


async def test_orders_of_later_days_make_no_region_large_and_without_a_bound_none_is(city):
    await crowd(city, LARGE_FROM - 1)
    for _ in range(LARGE_FROM):
        order = await city.place(region="large")
        await city.pool.execute("UPDATE orders SET ready_at = now() + interval '1 day' WHERE id = $1", order.id)
    assert (await lists(city))[1] == []
    await city.place(region="large")
    assert (await lists(city))[1] == ["large"]
    assert not await some_are_large(city.pool, "dispatch", 0)


@pytest.fixture
def dispatcher(database_url, redis_url):
    environ = {
        **os.environ,
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "POSTRIDER_DISPATCH_LEASE_S": "4",
        "POSTRIDER_DISPATCH_LARGE_FROM": str(LARGE_FROM),
        "POSTRIDER_OFFER_FOR_S": "600",
    }
    process = subprocess.Popen([sys.executable, "-m", "app", "dispatch"], cwd=ROOT, env=environ)
    yield process
    process.terminate()
    process.wait(PATIENCE_S)


async def seen(city, courier_id, region):
    """The courier's phone says where it is."""
    ingest = Ingest(city.redis)
    reading = Reading(fixed_at=datetime.now(UTC), lat=RESTAURANT.lat, lon=RESTAURANT.lon, accuracy_m=5.0)
    sender = Sender(courier_id, region, MODES.index(Mode.BICYCLE))
    await ingest.accept(Upload(region=region, readings=[reading], senders=[sender]))
    await ingest.close()


async def test_a_large_region_has_a_process_apart_which_is_begun_again_when_it_is_killed(city, dispatcher):
    couriers = [(await city.hire(), Region("default"))] + [(c, Region("large")) for c in await crowd(city, LARGE_FROM)]

    async def holder(job, region):
        found = await city.pool.fetchval(
            "SELECT holder FROM leases WHERE job = $1 AND region = $2 AND expires_at > clock_timestamp()", job, region
        )
        return 0 if found is None else int(found.split(":")[1])

    async def run_apart():
        """The process that has the large region, a child of the one that has the small one; 0: it is not so."""
        pids = {await holder(job, "large") for job in JOBS}
        ours = {await holder(job, "default") for job in JOBS}
        apart = pids.pop()
        return apart if not pids and ours == {dispatcher.pid} and parent_of(apart) == dispatcher.pid else 0

    async def both_are_planned():
        orders = [await city.place(region=region) for region in ("default", "large")]

        async def given():
            for courier_id, region in couriers:
                await seen(city, courier_id, region)
            return all([(await city.order(order.id)).courier_id is not None for order in orders])

        await until(given)

    await until(run_apart)
    await both_are_planned()
    killed = await run_apart()
    os.kill(killed, signal.SIGKILL)
    await until(lambda: is_another(run_apart, killed))
    await both_are_planned()


async def is_another(run_apart, before):
    return await run_apart() not in {0, before}
