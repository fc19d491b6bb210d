"""Fixes that are answered when a replica has them, against a real one."""

import asyncio

import pytest
from redis.asyncio import Redis

from app.machine.servers import RedisServer
from app.settings import Settings
from app.wiring.params import bounds_of
from tests.integration.tracking.intake.test_ingest import ANNA, CITY, NOW, n_in_log, of_region, reading, upload
from tracking.errors import LogUnavailable
from tracking.intake.ingest import Bounds, Ingest
from tracking.log import RegionKeys

WITHIN_S = 30.0
"""A busy machine is slow; what is waited for comes, or never does."""


async def followed_by(primary: RedisServer, replica: RedisServer) -> None:
    """Make the second a replica of the first, and wait until it follows."""
    password = primary._password()
    async with Redis.from_url(replica.url) as client:
        await client.config_set("masterauth", password)
        await client.replicaof("127.0.0.1", primary.port)
        while (await client.info("replication"))["master_link_status"] != "up":
            await asyncio.sleep(0.05)


@pytest.fixture
def servers(own_redis):
    return own_redis(), own_redis()


def ingest_of(redis, **bounds):
    return Ingest(redis, bounds=Bounds(**bounds), clock=NOW.timestamp)


async def test_what_is_answered_is_at_the_replica_when_the_primary_dies(servers):
    primary, replica = servers
    await followed_by(primary, replica)
    async with Redis.from_url(primary.url) as redis:
        ingest = ingest_of(redis, replicas=1, replicas_within_s=WITHIN_S)
        for n in range(3):  # the first sends the script, the others call it
            assert (await ingest.accept(upload(ANNA, reading(10 - n)))).n_accepted == 1
    primary.kill()
    async with Redis.from_url(replica.url) as heir:
        assert [fields[b"n"] for _, fields in await heir.xrange(RegionKeys(CITY).log)] == [b"1"] * 3
        assert await heir.hexists(RegionKeys(CITY).live, ANNA.courier_id.bytes)


async def test_without_the_replica_nothing_is_promised_until_it_is_back(servers):
    primary, replica = servers
    await followed_by(primary, replica)
    async with Redis.from_url(primary.url) as redis:
        ingest = ingest_of(redis, replicas=1, replicas_within_s=0.2, pause_s=0)
        replica.kill()
        with pytest.raises(LogUnavailable):
            await ingest.accept(upload(ANNA, reading(5)))
        replica.start()
        await followed_by(primary, replica)
        patient = ingest_of(redis, replicas=1, replicas_within_s=WITHIN_S)
        assert (await patient.accept(upload(ANNA, reading(5)))).n_accepted == 1


async def test_several_regions_wait_for_the_replica_together(servers):
    primary, replica = servers
    await followed_by(primary, replica)
    async with Redis.from_url(primary.url) as redis:
        ingest = ingest_of(redis, replicas=1, replicas_within_s=WITHIN_S)
        for age_s in (5, 4):  # the first sends the script, the other calls it
            await asyncio.gather(*(ingest.accept(of_region(n, reading(age_s))) for n in range(3)))
        replica.kill()
        hasty = ingest_of(redis, replicas=1, replicas_within_s=0.2, pause_s=0)
        answers = await asyncio.gather(
            *(hasty.accept(of_region(n, reading(3))) for n in range(3)), return_exceptions=True
        )
    assert [type(answer) for answer in answers] == [LogUnavailable] * 3
    replica.start()
    async with Redis.from_url(replica.url) as heir:
        assert [await n_in_log(heir, n) for n in range(3)] == [2] * 3


async def test_by_default_nobody_waits_for_a_replica(servers):
    primary, _ = servers
    assert bounds_of(Settings()).replicas == 0
    async with Redis.from_url(primary.url) as redis:
        assert (await ingest_of(redis).accept(upload(ANNA, reading(5)))).n_accepted == 1


def test_the_setting_says_how_many_and_how_long():
    chosen = bounds_of(Settings(redis_replicas=2, redis_replicas_within_s=0.5))
    assert (chosen.replicas, chosen.replicas_within_s) == (2, 0.5)
