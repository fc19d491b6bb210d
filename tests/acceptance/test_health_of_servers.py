"""What an API says of servers that go away, or take nothing."""

import pytest
import redis

from app.settings import Settings
from tests.acceptance.test_health import ready_of
from tests.waiting import until


@pytest.fixture
def postgres(own_postgres):
    return own_postgres()


@pytest.fixture
def redis_of_its_own(own_redis):
    return own_redis()


@pytest.fixture
def settings(postgres, redis_of_its_own):
    return Settings(database_url=postgres.url, redis_url=redis_of_its_own.url)


async def test_ready_tells_the_engine_and_what_is_down(admin, postgres, redis_of_its_own):
    ready = (await admin.get("/health/ready")).json()
    assert (ready["status"], ready["database"]["engine"]) == ("ok", "postgresql")

    postgres.kill()
    degraded = await admin.get("/health/ready")
    assert (degraded.status_code, degraded.json()["status"]) == (200, "degraded")
    asked = await admin.get("/v1/couriers")
    assert (asked.status_code, asked.json()["code"]) == (503, "unavailable")
    assert asked.headers["retry-after"]

    redis_of_its_own.kill()
    assert (await admin.get("/health/ready")).status_code == 503
    assert (await admin.get("/health/live")).status_code == 200

    postgres.start()
    redis_of_its_own.start()
    await until(lambda: answers(admin, "/health/ready"))
    await until(lambda: answers(admin, "/v1/couriers"))


async def answers(admin, path):
    """As if nothing had been; the first to ask may meet a connection that has just ended."""
    answer = await admin.get(path)
    return answer.status_code == 200 and answer.json().get("status", "ok") == "ok"


async def test_a_redis_that_takes_no_writes_is_not_ready(admin, redis_of_its_own):
    with redis.Redis.from_url(redis_of_its_own.url) as client:
        client.execute_command("REPLICAOF", "127.0.0.1", "1")
        assert await ready_of(admin) == (503, "ok", "no_writes")
        client.execute_command("REPLICAOF", "NO", "ONE")
    assert await ready_of(admin) == (200, "ok", "ok")
