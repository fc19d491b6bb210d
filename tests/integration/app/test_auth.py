"""What a process remembers of tokens: checked many at a time, trusted while the database is down."""

import asyncio
from contextlib import asynccontextmanager

import asyncpg
from redis.asyncio import Redis

from app.auth import Authenticator, Role
from app.tokens import add_token


@asynccontextmanager
async def remembering(database_url, redis_url, ttl_s=0.3):
    pool = await asyncpg.create_pool(database_url, min_size=0, max_size=2, timeout=2)
    redis = Redis.from_url(redis_url)
    authenticator, stop = Authenticator(pool, redis, ttl_s=ttl_s), asyncio.Event()
    task = asyncio.create_task(authenticator.keep_fresh(stop))
    try:
        yield pool, authenticator
    finally:
        stop.set()
        await task
        pool.terminate()
        await redis.aclose()


async def until_forgotten(authenticator, token):
    for _ in range(500):
        if authenticator.remembered(token) is None:
            return
        await asyncio.sleep(0.02)
    raise TimeoutError


async def test_revoked_token_is_forgotten_and_the_others_stay_remembered(database_url, redis_url):
    async with remembering(database_url, redis_url) as (pool, authenticator):
        kept, gone = [(await add_token(pool, Role.VIEWER, name))[0].token for name in ("kept", "gone")]
        for token in (kept, gone):
            assert await authenticator.caller(token)
        await pool.execute("UPDATE tokens SET revoked_at = now() WHERE name = 'gone'")
        await until_forgotten(authenticator, gone)
        assert authenticator.remembered(kept)
        assert await authenticator.caller(gone) is None


async def test_remembered_tokens_are_trusted_while_the_database_is_down(own_postgres, redis_url):
    postgres = own_postgres()
    async with remembering(postgres.url, redis_url) as (pool, authenticator):
        token = (await add_token(pool, Role.VIEWER, "kept"))[0].token
        assert await authenticator.caller(token)
        postgres.kill()
        await asyncio.sleep(0.7)  # longer than the cache time
        assert authenticator.remembered(token)
