"""Leases and lanes on a real database: one holder, renewed while it works, refused when it was too late."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace

import asyncpg
import pytest

from sql import queries
from tests.waiting import PATIENCE_S, until
from tracking import lease as leases
from tracking.errors import LeaseLost
from tracking.lanes import LaneParams, Lanes
from tracking.pause import pause

JOB = "test"
PARAMS = LaneParams(lease_s=1.0, beat_s=0.1, regions_every_s=0.2, backoff_s=0.02, backoff_at_most_s=0.05)
KEPT = replace(PARAMS, lease_s=4.0)
"""Where no lease is to run out because a busy machine stands still."""


@pytest.fixture
async def pool(database_url):
    async with asyncpg.create_pool(database_url, min_size=0, max_size=8) as opened:
        yield opened


async def take(pool, holder, region="a", ttl_s=60.0):
    return await leases.take(pool, JOB, region, holder, ttl_s=ttl_s)


@dataclass
class Worker:
    """Notes which regions it works on; what it does there is the test's."""

    pool: asyncpg.Pool
    regions: list[str]
    params: LaneParams = PARAMS
    at: dict[str, leases.Lease] = field(default_factory=dict)
    n_begun: int = 0
    act: object = None

    async def work(self, lease, stop):
        self.n_begun += 1
        self.at[lease.region] = lease
        try:
            if self.act is not None:
                await self.act(lease)
            await stop.wait()
        finally:
            del self.at[lease.region]

    @asynccontextmanager
    async def running(self):
        async def regions():
            return self.regions

        stop = asyncio.Event()
        self.lanes = Lanes(self.pool, job=JOB, regions=regions, work=self.work, params=self.params)
        task = asyncio.create_task(self.lanes.run(stop))
        try:
            yield task
        finally:
            stop.set()
            await asyncio.gather(task, return_exceptions=True)


async def test_a_lease_is_held_by_one_and_every_taking_has_a_new_token(pool):
    first = await take(pool, "a")
    assert await take(pool, "b") is None
    assert await take(pool, "b", region="another") is not None
    await leases.release(pool, first)
    second = await take(pool, "b")
    assert second.token > first.token
    await leases.release(pool, first)  # has nothing to give back any more
    assert await take(pool, "a") is None


async def test_what_the_holder_writes_counts_and_what_the_one_before_writes_is_refused(pool):
    first = await take(pool, "a", ttl_s=0.01)
    await asyncio.sleep(0.05)
    async with leases.held(pool, first):
        pass  # late, but nobody else has it
    second = await take(pool, "b")
    async with leases.held(pool, second):
        pass
    with pytest.raises(LeaseLost):
        async with leases.held(pool, first):
            pass


async def test_a_transaction_that_holds_a_lease_can_be_renewed_but_not_taken(pool):
    lease = await take(pool, "a", ttl_s=0.01)
    await asyncio.sleep(0.05)
    async with leases.held(pool, lease):
        taking = asyncio.create_task(take(pool, "b"))
        renewed = await pool.fetch(queries["leases.renew"], JOB, ["a"], [lease.token], 0.01, timeout=5)
        assert [row["region"] for row in renewed] == ["a"]
        await asyncio.sleep(0.1)
        assert not taking.done()
    assert (await taking).token > lease.token


async def test_a_holder_stopped_in_the_middle_of_its_transaction_keeps_nobody_waiting(pool, monkeypatch):
    monkeypatch.setattr(leases, "IDLE_MS", 300)
    lease = await take(pool, "a", ttl_s=0.01)

    async def stopped_in_the_middle():
        async with leases.held(pool, lease) as connection:
            assert await take(pool, "b") is not None  # waits until the server has ended the transaction
            await connection.execute("SELECT 1")

    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
        await stopped_in_the_middle()


async def test_a_turn_longer_than_the_lease_keeps_it(pool):
    async def long_turn(lease):
        expires_at = await pool.fetchval("SELECT expires_at FROM leases WHERE job = $1", JOB)
        await until(lambda: pool.fetchval("SELECT clock_timestamp() > $1", expires_at))
        async with leases.held(pool, lease):
            done.append(lease)

    done = []
    first, second = Worker(pool, ["a"], params=KEPT, act=long_turn), Worker(pool, ["a"], params=KEPT)
    async with first.running():
        await until(lambda: first.at)
        async with second.running():
            await until(lambda: done)
            assert second.n_begun == 0
    assert len(done) == first.n_begun == 1


async def test_a_lane_that_dies_is_begun_again_alone(pool):
    async def fail_in_a(lease):
        if lease.region == "a":
            raise ValueError("no polygon")

    worker = Worker(pool, ["a", "b"], act=fail_in_a)
    async with worker.running():
        await until(lambda: worker.n_begun > 5)
        assert "b" in worker.at


async def test_regions_that_come_get_a_lane_and_those_that_go_lose_it(pool):
    worker = Worker(pool, ["a"])
    async with worker.running():
        await until(lambda: set(worker.at) == {"a"})
        worker.regions = ["b"]
        await until(lambda: set(worker.at) == {"b"})


async def test_a_lane_whose_lease_passed_to_another_ends(pool):
    worker = Worker(pool, ["a"])
    async with worker.running():
        await until(lambda: worker.at)
        before = worker.at["a"]
        await pool.execute("UPDATE leases SET token = token + 1, holder = 'thief'")
        await until(lambda: worker.at.get("a") is not before)
        with pytest.raises(LeaseLost):
            async with leases.held(pool, before):
                pass


async def test_regions_are_shared_out_and_change_hands_when_processes_come_and_go(pool):
    regions = [f"region-{i}" for i in range(8)]
    workers = [Worker(pool, regions, params=KEPT) for _ in range(4)]
    async with AsyncExitStack() as stack:
        for worker in workers[:2]:
            await stack.enter_async_context(worker.running())
        await until(lambda: [len(w.at) for w in workers] == [4, 4, 0, 0])
        async with workers[2].running(), workers[3].running():
            await until(lambda: [len(w.at) for w in workers] == [2, 2, 2, 2])
            assert sorted(region for w in workers for region in w.at) == regions
        await until(lambda: [len(w.at) for w in workers] == [4, 4, 0, 0])
        n_begun = [w.n_begun for w in workers]
        await asyncio.sleep(5 * PARAMS.beat_s)
        assert [w.n_begun for w in workers] == n_begun


async def test_when_a_process_dies_another_takes_over(pool):
    first, second = Worker(pool, ["a", "b"]), Worker(pool, ["a", "b"])
    async with first.running() as task, second.running():
        await until(lambda: len(first.at) == len(second.at) == 1)
        task.cancel()  # without giving anything back
        await until(lambda: set(second.at) == {"a", "b"})


async def broken(lease):
    raise RuntimeError("a disk that is full here")


async def test_a_process_that_keeps_failing_at_a_region_leaves_it_to_another(pool):
    """One region is each one's share: the broken process gives up, and the sound one takes it over and keeps it."""
    sick = Worker(pool, ["a", "b"], params=KEPT, act=broken)
    sound = Worker(pool, ["a", "b"], params=KEPT)
    async with sick.running(), sound.running():
        await until(lambda: sick.n_begun)
        await until(lambda: set(sound.at) == {"a", "b"})
        begun = sick.n_begun
        await asyncio.sleep(0.5)
        assert (set(sound.at), sick.n_begun) == ({"a", "b"}, begun)


async def test_a_process_that_fails_alone_keeps_trying(pool):
    sick = Worker(pool, ["a"], act=broken)
    async with sick.running():
        await until(lambda: sick.n_begun > 2 * PARAMS.give_up_after)


async def test_a_region_left_to_another_is_tried_again_after_a_rest(pool):
    params = replace(PARAMS, rest_s=1.5)
    sick, other = Worker(pool, ["a"], params=params, act=broken), Worker(pool, ["a"], params=params, act=broken)
    async with sick.running(), other.running():
        await until(lambda: min(sick.n_begun, other.n_begun) > PARAMS.give_up_after)
        sick.act = other.act = None
        await until(lambda: sick.at or other.at)


async def away(lease):
    raise ConnectionRefusedError


async def test_a_region_that_all_have_left_is_tried_again_long_before_their_rest_is_over(pool):
    params = replace(PARAMS, outage_s=0.1, rest_s=10 * PATIENCE_S)
    sick, other = Worker(pool, ["a"], params=params, act=away), Worker(pool, ["a"], params=params, act=away)
    async with sick.running(), other.running():
        await until(lambda: min(sick.n_begun, other.n_begun) >= PARAMS.give_up_after)
        sick.act = other.act = None
        await until(lambda: sick.at or other.at)


@dataclass
class Dependent(Worker):
    """Fails while a server is gone."""

    gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def work(self, lease, stop):
        self.n_begun += 1
        self.at[lease.region] = lease
        try:
            while not await pause(stop, 0.02):
                if self.gone.is_set():
                    await away(lease)
        finally:
            del self.at[lease.region]


async def test_a_server_that_is_away_for_a_while_moves_no_region(pool):
    """Each lane fails more often than one may that fails alone."""
    both = [Dependent(pool, ["a", "b"], params=replace(KEPT, outage_s=600.0)) for _ in range(2)]
    async with both[0].running(), both[1].running():
        await until(lambda: [len(worker.at) for worker in both] == [1, 1])
        before = await pool.fetch(queries["leases.in_force"], JOB)
        for worker in both:
            worker.gone.set()
        enough = [worker.n_begun + 2 * PARAMS.give_up_after for worker in both]
        await until(lambda: all(worker.n_begun > n for worker, n in zip(both, enough, strict=True)))
        assert await pool.fetch(queries["leases.in_force"], JOB) == before
