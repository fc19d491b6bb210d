"""The program on a Redis Cluster of three primaries with a replica each, one of which is killed in mid-flow."""

import asyncio
from contextlib import ExitStack
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import pytest

from app import roles
from app.machine import copied_log
from app.machine.check import check
from app.settings import Settings
from app.wiring.resources import open_redis
from tests.acceptance.test_orders import MINIMAL, RESTAURANT
from tests.cluster import Cluster
from tests.waiting import until
from tracking import events
from tracking.dead_letters import DeadLetters, Letter
from tracking.intake.pulse import BEAT
from tracking.log import HISTORY, WATCH, PositionLog, RegionKeys
from tracking.streams import Tails

ROLES = ("writer", "watch", "dispatch", "background")
PACE_S = 0.05
SOME = 5


@pytest.fixture(scope="module")
def cluster(servers_folder):
    with ExitStack() as stack:
        yield Cluster(stack, servers_folder / "cluster")


@pytest.fixture
def settings(database_url, cluster):
    cluster.flush()
    return Settings(database_url=database_url, redis_url=cluster.url, redis_replicas=1, redis_replicas_within_s=8.0)


@pytest.fixture
async def redis(settings):
    client = open_redis(settings, size=4)
    yield client
    await client.aclose()


@pytest.fixture
async def all_roles(settings):
    stop = asyncio.Event()
    tasks = [asyncio.create_task(roles.run(name, settings, stop)) for name in ROLES]
    yield
    stop.set()
    await asyncio.gather(*tasks)


class Phone:
    """Of a courier in a region of its own: sends what is refused again, as phones do."""

    def __init__(self, admin, region, courier_id):
        self.admin = admin
        self.region = region
        self.courier_id = courier_id
        self.taken = set()
        self.n_refused = 0

    async def send(self, stop):
        while not stop.is_set():
            at = datetime.now(UTC)
            fix = {"courier_id": self.courier_id, "fixed_at": at.isoformat(), **RESTAURANT}
            while True:
                answer = await self.admin.post("/v1/positions", json=fix)
                assert answer.status_code in {202, 503}, answer.text
                if answer.status_code == 202:
                    break
                self.n_refused += 1
                await asyncio.sleep(PACE_S)
            self.taken.add(at)
            await asyncio.sleep(PACE_S)

    async def goes_on(self):
        """Some more is taken."""
        n = len(self.taken) + SOME
        await until(lambda: len(self.taken) >= n)

    async def has_an_order_planned(self):
        placed = await self.admin.post("/v1/orders", json=MINIMAL | {"region": self.region})
        assert placed.status_code == 201, placed.text
        order_id = placed.json()["id"]

        async def is_planned():
            order = (await self.admin.get(f"/v1/orders/{order_id}")).json()
            return order["state"] in {"assigned", "offered"}

        await until(is_planned)
        assert (await self.admin.post(f"/v1/orders/{order_id}/cancel", json={"reason": "seen"})).status_code == 200


async def phones_of(admin, names):
    for name in names:
        made = await admin.post("/v1/regions", json={"name": name, "title": name})
        assert made.status_code == 201, made.text
        hired = await admin.post("/v1/couriers", json={"name": "Ana", "mode": "car", "region": name})
        yield Phone(admin, name, hired.json()["id"])


def entry_of(n):
    return {"n": n, "total": n, "fixes": b"", "quarantine": b"", "moved": b""}


async def test_check_looks_at_every_server_of_the_cluster(settings, cluster):
    async def found_everywhere():
        """A cluster names no replica before it has heard how far it is."""
        found = {one.what: one for one in await check(settings)}
        return found if sum(what.startswith("appendonly") for what in found) == 6 else None

    found = await until(found_everywhere)
    for node in (*cluster.primaries, *cluster.replicas):
        for what in ("appendonly", "maxmemory-policy", "cluster-require-full-coverage"):
            assert found[f"{what} (127.0.0.1:{node.port})"].ok
    assert [found[f"redis replicas (127.0.0.1:{node.port})"].ok for node in cluster.primaries] == [True] * 3
    assert found["dead letters"].found == "none"


async def test_a_copy_has_the_regions_of_all_servers(redis, cluster, tmp_path):
    log, names = PositionLog(redis), sorted(cluster.names())
    for n, name in enumerate(names):
        await redis.xadd(RegionKeys(name).log, entry_of(n))
        await log.ensure_group(HISTORY, name)
        await DeadLetters(redis).put(HISTORY, name, "0-1", [Letter(why="odd", n=1, fields={b"fixes": b"x"})])
    assert await copied_log.export(redis, tmp_path / "copy") == 3
    cluster.flush()
    assert await copied_log.is_empty(redis)
    assert await copied_log.restore(redis, tmp_path / "copy") == 3
    assert await log.regions() == names
    assert await DeadLetters(redis).regions() == names
    assert [[entry.n for entry in await log.read(HISTORY, "a", name, block_ms=0)] for name in names] == [[0], [1], [2]]


async def test_streams_of_one_slot_are_read_at_once_and_the_others_side_by_side(redis, cluster):
    names = cluster.names()
    tails = Tails(redis)
    with ExitStack() as stack:
        followed = [
            stack.enter_context(tails.follow({RegionKeys(name).log: "0-0", events.key(name): "0-0"})) for name in names
        ]
        await events.tell(redis, [(name, "order.placed", {"n": n}) for n, name in enumerate(names)])
        for n, name in enumerate(names):
            await redis.xadd(RegionKeys(name).log, entry_of(n))
        for name, tail in zip(names, followed, strict=True):
            found = set()
            while len(found) < 2:
                found |= {entry.key for entry in await tail.take(1.0)}
            assert found == {RegionKeys(name).log, events.key(name)}


async def test_a_region_whose_server_was_changed_is_found_there_also_behind_a_pipeline_and_a_wait(redis, cluster):
    name = cluster.names()[0]
    first, second = cluster.primaries[0], cluster.replicas[0]
    other = cluster.names()[1]

    async def add():
        async with redis.pipeline(transaction=False) as pipe:
            for one in (name, other):
                pipe.incr(RegionKeys(one).appended)
                pipe.execute_command("WAIT", 1, 10_000)
            return await pipe.execute()

    assert await add() == [1, 1, 1, 1]
    await until(lambda: second.info("replication")["master_link_status"] == "up")
    second.cluster("FAILOVER")
    await until(lambda: cluster.is_taken_over(0))
    await until(lambda: first.info("replication").get("master_link_status") == "up")
    assert await add() == [2, 1, 2, 1]
    async with redis.pipeline(transaction=True) as pipe:
        pipe.incr(RegionKeys(name).appended)
        pipe.get(RegionKeys(name).appended)
        assert await pipe.execute() == [3, b"3"]
    first.cluster("FAILOVER")
    await until(lambda: first.info("replication")["role"] == "master")
    await until(lambda: second.info("replication").get("master_link_status") == "up")
    assert await redis.incr(RegionKeys(name).appended) == 4


async def test_a_killed_primary_costs_no_fix_that_was_taken_and_the_other_regions_nothing(
    admin, settings, redis, cluster, all_roles
):
    phones = [phone async for phone in phones_of(admin, cluster.names())]
    place = cluster.place_of(BEAT)  # of all servers the one by which an API knows whether it could take anything
    struck, others = phones[place], [phone for i, phone in enumerate(phones) if i != place]
    over = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for phone in phones:
            group.create_task(phone.send(over))
        await asyncio.gather(*(phone.has_an_order_planned() for phone in phones))

        cluster.primaries[place].kill()
        assert (await admin.get("/health/ready")).status_code == 200
        refused = [phone.n_refused for phone in others]
        await asyncio.gather(*(phone.goes_on() for phone in others))
        await asyncio.gather(*(phone.has_an_order_planned() for phone in others))
        await until(lambda: cluster.is_taken_over(place))
        cluster.primaries[
            place
        ].start()  # as its supervisor does: the one that took over waits for a replica of its own
        await struck.goes_on()
        await struck.has_an_order_planned()
        assert [phone.n_refused for phone in others] == refused
        over.set()

    pool = await asyncpg.create_pool(settings.database_url, min_size=0, max_size=2)
    for phone in phones:

        async def is_stored(phone=phone):
            rows = await pool.fetch("SELECT fixed_at FROM positions WHERE courier_id = $1", UUID(phone.courier_id))
            assert len({row["fixed_at"] for row in rows}) == len(rows)
            return {row["fixed_at"] for row in rows} == phone.taken

        async def is_read(phone=phone):
            lags = {lag.group: lag.n_fixes for lag in await PositionLog(redis).lag(phone.region)}
            return lags == {HISTORY: 0, WATCH: 0}

        await until(is_stored)
        await until(is_read)
    await pool.close()
