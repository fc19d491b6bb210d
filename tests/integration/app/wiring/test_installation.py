"""Two installations on one Redis are told apart."""

import asyncio

import asyncpg
import pytest
from redis.asyncio import Redis

from app import roles
from app.settings import Settings
from app.wiring.installation import KEY, stranger
from app.wiring.schema import Unfit, refuse_unfit


@pytest.fixture
async def pool(database_url):
    async with asyncpg.create_pool(database_url, min_size=0, max_size=2) as made:
        yield made


@pytest.fixture
async def redis(redis_url):
    client = Redis.from_url(redis_url)
    yield client
    await client.aclose()


async def test_a_redis_of_nobody_becomes_ours_and_stays_ours_also_when_it_lost_its_memory(pool, redis):
    assert await stranger(pool, redis) is None
    assert await stranger(pool, redis) is None
    await redis.flushdb()
    assert await stranger(pool, redis) is None
    assert (await redis.get(KEY)).decode() == str(await pool.fetchval("SELECT id FROM installation"))


async def test_another_installation_is_refused_in_a_line_and_changes_nothing(pool, redis, database_url, redis_url):
    await redis.set(KEY, "00000000-0000-0000-0000-000000000001")
    settings = Settings(database_url=database_url, redis_url=redis_url)
    for start in (roles.run("writer", settings, asyncio.Event()), refuse_unfit(settings)):
        with pytest.raises(Unfit, match="REDIS_URL: this Redis holds the positions of another installation") as told:
            await start
        assert "\n" not in str(told.value)
    assert await redis.keys() == [KEY.encode()]
    assert await redis.get(KEY) == b"00000000-0000-0000-0000-000000000001"


async def test_a_server_that_is_away_is_no_stranger(pool):
    away = Redis.from_url("redis://127.0.0.1:1", socket_connect_timeout=0.2)
    assert await stranger(pool, away) is None
    await away.aclose()
