"""Requests a minute: counted by each process, added up in Redis, and forgotten with the minute."""

from uuid import uuid4

import pytest
from redis.asyncio import Redis

from app.logs import begin_address
from app.settings import Settings
from app.web import rates
from app.web.auth import Caller, Role
from app.web.problems import TooManyRequests
from app.web.rates import Kind, Rates, limits_of

LIMITS = dict.fromkeys(Kind, 100) | {Kind.SERVICE: 0}


class Clock:
    now = 1_800_000_000.0  # the beginning of a minute

    def __call__(self):
        return self.now


def admitted(process, n, kind=Kind.COURIER, who="anna"):
    count = 0
    for _ in range(n):
        try:
            process.admit(kind, who)
        except TooManyRequests:
            continue
        count += 1
    return count


@pytest.fixture
async def redis(redis_url):
    async with Redis.from_url(redis_url) as client:
        yield client


async def test_a_flood_is_limited_and_nobody_else(redis):
    clock = Clock()
    process = Rates(redis, LIMITS, clock=clock)
    assert admitted(process, 1000) == 100
    assert admitted(process, 1000, who="rui") == 100
    assert admitted(process, 1000, Kind.SERVICE) == 1000
    clock.now += 59
    with pytest.raises(TooManyRequests) as refused:
        process.admit(Kind.COURIER, "anna")
    assert refused.value.retry_after_s == 1
    clock.now += 1
    assert admitted(process, 1000) == 100


async def test_processes_count_together(redis):
    clock = Clock()
    one, two = (Rates(redis, LIMITS, clock=clock) for _ in range(2))
    n = 0
    for _ in range(20):
        n += admitted(one, 10) + admitted(two, 10)
        for process in (one, two, one):
            await process.share()
    assert 100 <= n <= 120
    assert admitted(one, 10) == admitted(two, 10) == 0
    assert len(await redis.keys("pr:rate:*")) == 1
    assert 0 < await redis.ttl((await redis.keys("pr:rate:*"))[0]) <= 120


async def test_what_is_far_from_its_limit_costs_redis_nothing(redis):
    process = Rates(redis, limits_of(Settings()), clock=Clock())
    for phone in range(10_000):
        for _ in range(60):
            process.admit(Kind.COURIER, phone)
    await process.share()
    assert await redis.keys("pr:rate:*") == []


async def test_ten_thousand_phones_behind_one_address_are_never_limited(redis):
    process = Rates(redis, limits_of(Settings()), clock=Clock())
    phones = [Caller(token_id=uuid4(), role=Role.COURIER, name="") for _ in range(10_000)]
    begin_address("10.0.0.1")
    for _ in range(60):
        for phone in phones:
            process.admit_caller(phone)


async def test_addresses_counted_are_bounded(redis, monkeypatch):
    monkeypatch.setattr(rates, "MOST_KEYS", 10)
    process = Rates(redis, LIMITS, clock=Clock())
    assert admitted(process, 200, Kind.ADDRESS, "first") == 100
    for address in range(1000):
        process.admit(Kind.ADDRESS, address)
    assert admitted(process, 200, Kind.ADDRESS, "first") == 0
    assert admitted(process, 200, Kind.ADDRESS, "one too many to be counted") == 200
