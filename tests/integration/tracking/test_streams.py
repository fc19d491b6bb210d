"""Many streams over one connection, on a real Redis."""

import asyncio
from contextlib import ExitStack

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from tests.waiting import PATIENCE_S, until
from tracking import streams
from tracking.streams import GROUP, Tails


@pytest.fixture(params=[2, 3], ids=["resp2", "resp3"])
async def redis(request, redis_url):
    client = Redis.from_url(redis_url, protocol=request.param)
    yield client
    await client.aclose()


async def gathered(tail, n):
    found = []
    async with asyncio.timeout(PATIENCE_S):
        while len(found) < n:
            found += await tail.take(1.0)
    return [(entry.key, entry.fields[b"n"]) for entry in found]


async def has_blocked(redis, n):
    return (await redis.info("clients"))["blocked_clients"] == n


async def test_many_readers_cost_one_blocked_connection_and_none_when_they_have_left(redis):
    tails = Tails(redis)
    with ExitStack() as stack:
        followed = [stack.enter_context(tails.follow({f"s{i}": "0-0"})) for i in range(80)]
        for i in range(80):
            await redis.xadd(f"s{i}", {"n": i})
        assert [await gathered(tail, 1) for tail in followed] == [[(f"s{i}", b"%d" % i)] for i in range(80)]
        await until(lambda: has_blocked(redis, 1))
    await until(lambda: has_blocked(redis, 0))


async def test_two_readers_of_one_stream_each_get_everything_after_their_place(redis):
    ids = [await redis.xadd("s", {"n": i}) for i in range(4)]
    tails = Tails(redis)
    with tails.follow({"s": "0-0"}) as early, tails.follow({"s": ids[1].decode()}) as late:
        assert [n for _, n in await gathered(early, 4)] == [b"0", b"1", b"2", b"3"]
        assert [n for _, n in await gathered(late, 2)] == [b"2", b"3"]


async def test_a_reader_that_takes_nothing_is_bounded_delays_nobody_and_misses_nothing(redis, monkeypatch):
    monkeypatch.setattr(streams, "ROOM_BYTES", 1000)
    tails = Tails(redis)
    with tails.follow({"slow": "0-0"}) as slow, tails.follow({"quick": "0-0"}) as quick:
        for i in range(300):
            await redis.xadd("slow", {"n": b"%0100d" % i})
            await redis.xadd("quick", {"n": i})
        assert len(await gathered(quick, 300)) == 300
        assert slow._n_bytes <= 2 * 1000
        assert [int(n) for _, n in await gathered(slow, 300)] == list(range(300))


async def test_a_stream_that_is_refused_ends_its_own_reader_only(redis):
    await redis.set("bad", "no stream")
    tails = Tails(redis)
    with tails.follow({"good": "0-0"}) as good, tails.follow({"bad": "0-0"}) as bad:
        with pytest.raises(ResponseError):
            await bad.take(10)
        await redis.xadd("good", {"n": 1})
        assert await gathered(good, 1) == [("good", b"1")]


async def test_group_gives_each_entry_to_one_and_a_missing_group_concerns_its_stream_only(redis):
    await redis.xgroup_create("s", "g", id="0", mkstream=True)
    one, two = (Tails(redis, group="g", consumer=name) for name in "ab")
    with one.follow({"s": GROUP}) as a, two.follow({"s": GROUP}) as b, one.follow({"t": GROUP}) as missing:
        with pytest.raises(ResponseError, match="NOGROUP"):
            await missing.take(10)
        for i in range(20):
            await redis.xadd("s", {"n": i})
        found = []
        async with asyncio.timeout(PATIENCE_S):
            while len(found) < 20:
                found += [*await a.take(0.05), *await b.take(0.05)]
        assert sorted(int(entry.fields[b"n"]) for entry in found) == list(range(20))


async def test_readers_hear_of_an_outage_and_can_follow_again(own_redis):
    server = own_redis()
    redis = Redis.from_url(server.url)
    tails = Tails(redis)
    with tails.follow({"s": "0-0"}) as tail:
        await redis.xadd("s", {"n": 1})
        assert await gathered(tail, 1) == [("s", b"1")]
        server.kill()
        with pytest.raises((RedisError, OSError)):
            await tail.take(10)
    server.start()
    with tails.follow({"s": "0-0"}) as tail:
        assert await gathered(tail, 1) == [("s", b"1")]
    await redis.aclose()
