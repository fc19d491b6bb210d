"""Events over a real server, in both protocol versions of redis-py."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis

from tests.waiting import PATIENCE_S
from tracking import events


@pytest.fixture(params=[2, 3])
async def redis(redis_url: str, request: pytest.FixtureRequest) -> AsyncIterator[Redis]:
    client = Redis.from_url(redis_url, protocol=request.param)
    yield client
    await client.aclose()


async def test_events_are_read_in_the_order_they_happened(redis: Redis) -> None:
    for number in range(5):
        await events.publish(redis, "porto", "order.placed", {"number": number})
    await events.publish(redis, "lisboa", "order.placed", {"number": 99})
    first = await events.read(redis, "porto", after=events.START, count=3)
    rest = await events.read(redis, "porto", after=first[-1].id)
    assert [event.facts["number"] for event in (*first, *rest)] == [0, 1, 2, 3, 4]


async def test_a_reader_waits_for_the_next_event(redis: Redis) -> None:
    waiting = asyncio.create_task(events.read(redis, "porto", block_ms=5000))
    while not waiting.done():
        await asyncio.sleep(0.02)
        await events.publish(redis, "porto", "alert.raised", {"kind": "stuck"})
    assert [event.type for event in await waiting][:1] == ["alert.raised"]


async def test_nothing_new_is_an_empty_answer(redis: Redis) -> None:
    assert await events.read(redis, "porto", after=await events.last_id(redis, "porto"), block_ms=10) == []
    await events.publish(redis, "porto", "order.placed", {})
    assert await events.read(redis, "porto", after=await events.last_id(redis, "porto")) == []


async def test_a_pipeline_publishes_when_it_is_executed(redis: Redis) -> None:
    async with redis.pipeline(transaction=True) as pipe:
        await events.publish(pipe, "porto", "order.placed", {})
        assert await events.last_id(redis, "porto") == events.START
        await pipe.execute()
    assert len(await events.read(redis, "porto", after=events.START)) == 1


async def test_the_stream_stays_bounded(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MAX_EVENTS", 10)
    async with redis.pipeline(transaction=False) as pipe:
        for _ in range(1000):
            await events.publish(pipe, "porto", "order.placed", {})
        await pipe.execute()
    assert await redis.xlen(events.key("porto")) <= 200  # trimmed by whole nodes of about a hundred entries


async def test_events_are_given_up_when_redis_takes_a_connection_and_says_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The rows are the truth; whoever changed them does not wait for Redis."""
    monkeypatch.setattr(events, "PUBLISH_TIMEOUT_S", 0.05)
    talking = asyncio.Event()

    async def say_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await talking.wait()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    client = Redis(port=server.sockets[0].getsockname()[1])
    before = events.LOST._value.get()
    await asyncio.wait_for(events.tell(client, [("default", "order.placed", {})]), PATIENCE_S)
    assert events.LOST._value.get() == before + 1
    talking.set()
    await client.aclose()
    server.close()
    await server.wait_closed()


async def test_events_of_a_quiet_region_do_not_stay_for_ever(redis: Redis) -> None:
    await events.publish(redis, "porto", "order.placed", {})
    (told,) = await events.read(redis, "porto", after=events.START)
    at = datetime.fromtimestamp(int(told.id.partition("-")[0]) / 1000, UTC)
    await events.forget_old(redis, "porto", at + events.KEPT)
    assert await redis.xlen(events.key("porto")) == 1
    await events.forget_old(redis, "porto", at + events.KEPT + timedelta(milliseconds=1))
    assert await redis.xlen(events.key("porto")) == 0
