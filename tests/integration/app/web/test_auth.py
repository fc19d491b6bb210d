"""What a process remembers of tokens: checked many at a time, trusted while the database is down."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from time import monotonic

import asyncpg
import pytest
from redis.asyncio import Redis

from app.web.auth import AuthenticationUnavailable, Authenticator, Role, hash_of, redis_key
from app.web.tokens import add_token
from tests.waiting import until


@asynccontextmanager
async def remembering(database_url, redis_url, ttl_s=0.3):
    pool = await asyncpg.create_pool(database_url, min_size=0, max_size=2)
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


async def test_revoked_token_is_forgotten_and_the_others_stay_remembered(database_url, redis_url):
    async with remembering(database_url, redis_url) as (pool, authenticator):
        kept, gone = [(await add_token(pool, Role.VIEWER, name))[0].token for name in ("kept", "gone")]
        for token in (kept, gone):
            assert await authenticator.caller(token)
        await pool.execute("UPDATE tokens SET revoked_at = now() WHERE name = 'gone'")
        await until(lambda: authenticator.remembered(gone) is None)
        await until(lambda: authenticator.remembered(kept))
        assert await authenticator.caller(gone) is None


async def test_what_changed_is_known_anew_and_what_did_not_is_not_sent_again(database_url, redis_url):
    async with remembering(database_url, redis_url, ttl_s=60) as (pool, authenticator):
        tokens = [(await add_token(pool, Role.VIEWER, name))[0].token for name in ("same", "other")]
        for token in tokens:
            assert await authenticator.caller(token)
        await pool.execute("UPDATE tokens SET role = 'support', regions = '{north}' WHERE name = 'other'")
        digests = [hash_of(token) for token in tokens]
        versions = [authenticator.remembered(token).version for token in tokens]
        assert list(await authenticator._changed(digests, versions, timeout_s=60)) == digests[1:]
        await authenticator._check_all()
        same, other = map(authenticator.remembered, tokens)
        assert (same.role, same.version) == (Role.VIEWER, versions[0])
        assert (other.role, other.regions) == (Role.SUPPORT, ("north",))
        assert await authenticator._changed(digests, [same.version, other.version], timeout_s=60) == {}


async def test_remembered_tokens_are_trusted_while_the_database_is_down(own_postgres, redis_url):
    postgres = own_postgres()
    async with remembering(postgres.url, redis_url) as (pool, authenticator):
        token = (await add_token(pool, Role.VIEWER, "kept"))[0].token
        assert await authenticator.caller(token)
        postgres.kill()
        await asyncio.sleep(0.7)  # longer than the cache time
        await until(lambda: authenticator.remembered(token))


class CountingPool:
    """Counts queries."""

    def __init__(self, pool):
        self.pool = pool
        self.n_queries = 0

    async def fetch(self, *args, **more):
        self.n_queries += 1
        return await self.pool.fetch(*args, **more)


async def test_thousands_of_phones_that_come_at_once_cost_a_few_queries(database_url, redis_url):
    async with remembering(database_url, redis_url) as (pool, _):
        tokens = [(await add_token(pool, Role.VIEWER, f"phone {i}"))[0].token for i in range(300)]
        counting, redis = CountingPool(pool), Redis.from_url(redis_url)
        authenticator = Authenticator(counting, redis, ttl_s=60)
        # Each asks twice at once, and a stranger is among them.
        callers = await asyncio.gather(*(authenticator.caller(token) for token in [*tokens, *tokens, "nobody"]))
        assert [caller.name for caller in callers[:300]] == [f"phone {i}" for i in range(300)]
        assert callers[:300] == callers[300:600]
        assert callers[-1] is None
        assert counting.n_queries <= 2
        await redis.aclose()


async def test_known_token_is_honoured_after_a_restart_while_the_database_is_down(own_postgres, redis_url):
    postgres = own_postgres()
    async with remembering(postgres.url, redis_url) as (pool, before):
        token = (await add_token(pool, Role.VIEWER, "kept"))[0].token
        assert await before.caller(token)
        await is_in_redis(redis_url, token)
        postgres.kill()
        async with remembering(postgres.url, redis_url) as (_, after):
            assert (await after.caller(token)).name == "kept"
            with pytest.raises(AuthenticationUnavailable):
                await after.caller("nobody")


async def is_in_redis(redis_url, token):
    """Wait until other processes can find what one of them has learned."""
    async with Redis.from_url(redis_url) as redis:
        await until(lambda: redis.exists(redis_key(hash_of(token))))


IN_TWO_HOURS = timedelta(hours=2)


class Later(datetime):
    """The clock two hours from now."""

    @classmethod
    def now(cls, tz=None):
        return datetime.now(tz) + IN_TWO_HOURS


async def test_expired_token_does_not_work_while_the_database_is_down(own_postgres, redis_url, monkeypatch):
    """Neither where a process knows it by heart, nor where only Redis does."""
    postgres = own_postgres()
    async with remembering(postgres.url, redis_url, ttl_s=86_400) as (pool, before):
        soon = datetime.now(UTC) + IN_TWO_HOURS / 2
        token = (await add_token(pool, Role.VIEWER, "for a moment", expires_at=soon))[0].token
        assert await before.caller(token)
        await is_in_redis(redis_url, token)
        postgres.kill()
        assert before.remembered(token)
        monkeypatch.setattr("app.web.auth.datetime", Later)
        monkeypatch.setattr("app.web.auth.monotonic", lambda: monotonic() + IN_TWO_HOURS.total_seconds())
        assert before.remembered(token) is None
        assert await before.caller(token) is None
        async with remembering(postgres.url, redis_url) as (_, after):
            assert await after.caller(token) is None


async def test_made_up_tokens_push_no_phone_out_and_the_busiest_stays(database_url, redis_url, monkeypatch):
    monkeypatch.setattr("app.web.auth.CACHE_SIZE", 5)
    async with remembering(database_url, redis_url, ttl_s=60) as (pool, authenticator):
        busy, *others = [(await add_token(pool, Role.VIEWER, f"phone {i}"))[0].token for i in range(20)]
        assert await authenticator.caller(busy)
        await asyncio.gather(*(authenticator.caller(f"made up {i}") for i in range(100)))
        for token in others:
            assert authenticator.remembered(busy)
            assert await authenticator.caller(token)
        assert authenticator.remembered(busy)
