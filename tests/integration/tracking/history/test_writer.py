"""The writer between real servers: what is accepted is stored once, whatever dies on the way."""

import asyncio
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest
from redis.asyncio import Redis

from tests import waiting
from tests.waiting import PATIENCE_S
from tracking import outages
from tracking.batch import PositionColumns
from tracking.dead_letters import DeadLetters
from tracking.history.history import History
from tracking.history.neighbours import Heads
from tracking.history.refill import Refill
from tracking.history.writer import Pace, Writer
from tracking.intake.ingest import Ingest
from tracking.intake.reading import Reading
from tracking.intake.roster import Roster
from tracking.intake.screening import Sender, Unusable, Upload
from tracking.live import LivePositions
from tracking.log import HISTORY, PositionLog, RegionKeys
from tracking.position import CourierId, Fix, LatLon, Position, Region
from tracking.quality import Reason
from tracking.quarantine import QuarantineStore

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
CITY = Region("default")
ANNA = Sender(UUID(int=7 << 64), CITY, 1)
FAST = Pace(linger_s=0.01, block_ms=50, claim_idle_ms=100, claim_every_s=0.05, backoff_s=0.02, backoff_at_most_s=0.1)


def upload(*ages_s, unusable=()):
    readings = [Reading(fixed_at=NOW - timedelta(seconds=age_s), lat=41.15, lon=-8.61) for age_s in ages_s]
    return Upload(region=CITY, readings=readings, senders=[ANNA] * len(readings), unusable=unusable)


async def regions():
    return [CITY]


@asynccontextmanager
async def world(database_url, redis_url):
    pool = await asyncpg.create_pool(database_url, min_size=0, max_size=4)
    client = Redis.from_url(redis_url)
    try:
        yield pool, client
    finally:
        pool.terminate()
        await client.aclose()


@asynccontextmanager
async def writing(pool, client, history=None, **pace):
    """A running writer; pass `history` to stand in its way."""
    log, letters = PositionLog(client, keep_s=0), DeadLetters(client)
    writer = Writer(log, history or History(pool), QuarantineStore(pool), letters, regions, pace=FAST)
    stop = asyncio.Event()
    task = asyncio.create_task(writer.run(stop))
    try:
        yield task
    finally:
        stop.set()
        await asyncio.wait_for(task, PATIENCE_S)


async def rows(pool):
    return await pool.fetchval("SELECT count(*) FROM positions")


async def until(condition):
    """Servers may be down meanwhile."""

    async def holds():
        with suppress(*outages.DRIVERS):
            return await condition()

    await waiting.until(holds)


async def settled(client):
    lags = await PositionLog(client).lag(CITY)
    return bool(lags) and all(lag.n_fixes == 0 for lag in lags)


@pytest.fixture
def ingest_of():
    return lambda client: Ingest(client, clock=NOW.timestamp)


async def test_accepted_fixes_and_quarantine_are_stored_and_the_log_is_trimmed(database_url, redis_url, ingest_of):
    async with world(database_url, redis_url) as (pool, client):
        ingest = ingest_of(client)
        await ingest.accept(upload(*range(100), unusable=[Unusable(100, Reason.UNREADABLE, b"{", ANNA)]))
        await ingest.accept(upload(*range(50, 150)))
        async with writing(pool, client):
            await until(lambda: settled(client))
            assert await rows(pool) == 150
            [kept] = await QuarantineStore(pool).page()
            assert (kept.courier_id, kept.reason, kept.source, kept.payload) == (
                ANNA.courier_id,
                "unreadable",
                "api",
                b"{",
            )
            await until(lambda: _is_zero(client.xlen(RegionKeys(CITY).log)))


async def test_those_who_store_side_by_side_in_one_process_forget_nothing_between_turns(database_url, monkeypatch):
    """As the parts of a region's log do."""
    forgotten = []
    forget = Heads.forget
    monkeypatch.setattr(Heads, "forget", lambda self: (forgotten.append(self), forget(self)))
    couriers = [UUID(int=i << 64 | i) for i in range(1, 9)]
    async with asyncpg.create_pool(database_url, min_size=8, max_size=8) as pool:
        history = History(pool)

        async def store(courier_id, age_s):
            fix = Fix(at=LatLon(41.15, -8.61), fixed_at=NOW - timedelta(seconds=age_s))
            position = Position(courier_id=CourierId(courier_id), fix=fix, received_at=NOW)
            return await history.insert_many(PositionColumns.from_positions([position]), CITY)

        assert await store(couriers[0], 100) == 1
        heads = history._heads[CITY]
        forgotten.clear()
        for age_s in range(50, 30, -1):
            assert await asyncio.gather(*(store(courier_id, age_s) for courier_id in couriers)) == [1] * 8
        assert not any(one is heads for one in forgotten)


async def test_what_cannot_be_trimmed_is_stored_all_the_same(database_url, redis_url, ingest_of, monkeypatch):
    async def broken(*_):
        raise ValueError("cannot be trimmed")

    monkeypatch.setattr(PositionLog, "trim", broken)
    async with world(database_url, redis_url) as (pool, client):
        await ingest_of(client).accept(upload(1, 2, 3))
        async with writing(pool, client):
            await until(lambda: settled(client))
            assert await rows(pool) == 3


async def _is_zero(value):
    return await value == 0


async def test_entries_of_a_writer_that_died_are_stored_by_another(database_url, redis_url, ingest_of):
    async with world(database_url, redis_url) as (pool, client):
        await ingest_of(client).accept(upload(1, 2, 3))
        log = PositionLog(client)
        await log.ensure_group(HISTORY, CITY)
        assert await log.read(HISTORY, "died", CITY)
        async with writing(pool, client):
            await until(lambda: settled(client))
        assert await rows(pool) == 3


async def test_two_writers_at_once_store_nothing_twice(database_url, redis_url, ingest_of):
    async with world(database_url, redis_url) as (pool, client):
        ingest = ingest_of(client)
        async with writing(pool, client), writing(pool, client):
            for start in range(0, 400, 20):
                await ingest.accept(upload(*range(start, start + 40)))
            await until(lambda: settled(client))
        assert await rows(pool) == 420


async def test_writer_survives_both_servers_and_an_emptied_redis(own_postgres, own_redis, ingest_of):
    postgres, server = own_postgres(), own_redis()
    async with world(postgres.url, server.url) as (pool, client):
        ingest = ingest_of(client)
        async with writing(pool, client) as task:
            await ingest.accept(upload(1, 2))
            await until(lambda: settled(client))
            postgres.kill()
            await ingest.accept(upload(3, 4))  # PostgreSQL down: ingest goes on
            await asyncio.sleep(0.2)
            server.kill()
            await asyncio.sleep(0.2)
            assert not task.done()
            server.start()
            postgres.start()
            await until(lambda: settled(client))
            assert await rows(pool) == 4
            await client.flushall()
            await asyncio.sleep(0.3)
            await ingest.accept(upload(5))
            await until(lambda: _has(pool, 5))


async def _has(pool, n):
    return await rows(pool) == n


async def test_emptied_redis_gets_live_state_back_from_history(database_url, redis_url, ingest_of):
    async with world(database_url, redis_url) as (pool, client):
        async with writing(pool, client):
            await ingest_of(client).accept(upload(60, 50))
            await until(lambda: settled(client))
        await pool.execute(
            "INSERT INTO couriers (id, name, mode, region) VALUES ($1, 'Anna', 'car', 'default')", ANNA.courier_id
        )
        await client.flushall()
        live = LivePositions(client, clock=NOW.timestamp)
        refill = Refill(live, History(pool), Roster(pool, ttl_s=0))
        assert await refill.refill_where_needed() == 1
        assert (await live.get(ANNA.courier_id, CITY)).position.fix.fixed_at == NOW - timedelta(seconds=50)
        assert await refill.refill_where_needed() == 0
        await refill.prune()
        assert await live.get(ANNA.courier_id, CITY)
        await pool.execute("UPDATE couriers SET deleted_at = now()")
        await refill.prune()
        assert await live.get(ANNA.courier_id, CITY) is None
