"""The live feed on a real Redis, fed by the real ingest."""

import asyncio
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest
from prometheus_client import REGISTRY
from redis.asyncio import Redis

from tests.waiting import PATIENCE_S, until
from tracking import events
from tracking.errors import LogUnavailable
from tracking.feed.crowd import Cursor, format_id
from tracking.feed.feed import Feed, FeedParams
from tracking.feed.sightings import LogSightings
from tracking.feed.view import View
from tracking.feed.viewport import Viewport
from tracking.intake.ingest import Ingest
from tracking.intake.reading import Reading
from tracking.intake.screening import Sender, Upload
from tracking.live import LivePositions
from tracking.position import Region

CITY = Region("porto")
ANNA, BORIS = (Sender(UUID(int=i << 64 | i), CITY, 1) for i in (1, 2))
PARAMS = FeedParams(tick_s=0.02, first_wait_s=PATIENCE_S)
LONG_S = 2 * PARAMS.linger_s


@pytest.fixture
async def redis(redis_url):
    client = Redis.from_url(redis_url)
    yield client
    await client.aclose()


async def post(redis, sender, lat, lon=-8.61, age_s=0.0):
    reading = Reading(fixed_at=datetime.now(UTC) - timedelta(seconds=age_s), lat=lat, lon=lon)
    await Ingest(redis).accept(Upload(region=CITY, readings=[reading], senders=[sender]))


class Viewer:
    """Keeps what it is sent, as the page does."""

    def __init__(self, feed, view=None):
        self.feed = feed
        self.view = view or View()
        self.positions = {}
        self.events = []
        self.last_id = None
        self.n_resets = 0

    async def follow(self):
        region = await self.feed.region(CITY)
        async with aclosing(self.feed.watch(region, self.view)) as ticks:
            async for messages in ticks:
                for message in messages:
                    self.take(message)

    def take(self, message):
        data = msgspec.json.decode(message.data)
        self.last_id = str(message.cursor) if message.cursor else self.last_id
        if message.event == "reset":
            self.n_resets += 1
        elif "positions" in data:
            if message.event == "snapshot":
                self.positions = {}
            self.positions |= {position["courier_id"]: position["lat"] for position in data["positions"]}
            for courier_id in data.get("gone", ()):
                self.positions.pop(courier_id, None)
        else:
            self.events.append(data["type"])

    def lat(self, sender):
        return self.positions.get(str(sender.courier_id))


@asynccontextmanager
async def watching(redis, view=None, params=PARAMS):
    async with Feed(redis, LogSightings(redis), params) as feed:
        viewer = Viewer(feed, view)
        task = asyncio.create_task(viewer.follow())
        yield viewer
        task.cancel()


async def test_viewer_gets_who_was_there_before_and_who_moves_now(redis):
    await post(redis, ANNA, 41.1, age_s=30)
    async with watching(redis) as viewer:
        await until(lambda: viewer.lat(ANNA) == 41.1)
        await post(redis, BORIS, 41.2)
        await until(lambda: viewer.lat(BORIS) == 41.2)
        await post(redis, ANNA, 41.1001)
        await until(lambda: viewer.lat(ANNA) == 41.1001)


async def test_box_shows_who_is_inside_and_tells_who_left(redis):
    await post(redis, ANNA, 41.1, age_s=60)
    await post(redis, BORIS, 48.0, age_s=60)
    async with watching(redis, View(Viewport.parse("-9,41,-8,42"))) as viewer:
        await until(lambda: viewer.lat(ANNA) == 41.1)
        assert viewer.lat(BORIS) is None
        await post(redis, ANNA, 40.999)  # a minute ago 11 km north: the jump is believed once it is confirmed
        await post(redis, ANNA, 40.9991)
        await until(lambda: viewer.lat(ANNA) is None)


async def test_events_reach_the_viewer(redis):
    async with watching(redis) as viewer:
        await until(lambda: viewer.last_id is not None)
        await events.publish(redis, CITY, "alert.raised", {"kind": "stuck"})
        await until(lambda: viewer.events == ["alert.raised"])


async def test_viewer_that_comes_back_to_another_process_has_missed_nothing(redis):
    await post(redis, ANNA, 41.1, age_s=60)
    async with watching(redis) as viewer:
        await until(lambda: viewer.lat(ANNA) == 41.1)
    await post(redis, BORIS, 41.3)
    await events.publish(redis, CITY, "order.placed", {})
    async with watching(redis, View.resume(None, viewer.last_id)) as again:
        await until(lambda: again.events == ["order.placed"] and again.lat(BORIS) == 41.3)
        assert again.n_resets == 0


async def test_viewer_that_was_away_for_more_events_than_are_kept_is_reset(redis):
    first = await _publish(redis, "order.placed")
    for _ in range(5):
        await _publish(redis, "order.changed")
    params = FeedParams(tick_s=0.02, max_notices=3)
    view = View.resume(None, f"0-0_{first}")
    async with watching(redis, view, params) as viewer:
        await until(lambda: viewer.n_resets == 1)


async def test_deleted_courier_disappears_from_snapshots(redis):
    await post(redis, ANNA, 41.1)
    async with watching(redis) as viewer:
        await until(lambda: viewer.lat(ANNA) == 41.1)
        await LivePositions(redis).forget(ANNA.courier_id, CITY)
        await events.publish(redis, CITY, "courier.changed", {"courier_id": ANNA.courier_id, "deleted": True})
        await until(lambda: viewer.events == ["courier.changed"])
        newcomer = Viewer(viewer.feed)
        task = asyncio.create_task(newcomer.follow())
        await until(lambda: newcomer.last_id is not None)
        assert newcomer.positions == {}
        task.cancel()


async def test_feed_follows_again_by_itself_after_redis_was_killed(own_redis):
    server = own_redis()
    redis = Redis.from_url(server.url)
    await post(redis, ANNA, 41.1, age_s=60)
    async with watching(redis) as viewer:
        await until(lambda: viewer.lat(ANNA) == 41.1)
        region = await viewer.feed.region(CITY)
        server.kill()
        await until(lambda: not region.is_connected)
        stale_since = region.as_of
        server.start()
        await until(lambda: region.is_connected)
        assert region.as_of > stale_since
        await post(redis, ANNA, 41.1001)
        await until(lambda: viewer.lat(ANNA) == 41.1001)
        newcomer = Viewer(viewer.feed)
        task = asyncio.create_task(newcomer.follow())
        await until(lambda: newcomer.lat(ANNA) == 41.1001)
        task.cancel()
    await redis.aclose()


async def test_of_a_region_that_nobody_looks_at_no_reader_is_lost(own_redis, monkeypatch):
    """Also where several processes count together: there no label can be removed, and trying warns."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "/nowhere")
    server = own_redis()
    redis = Redis.from_url(server.url)

    def n_lost():
        return REGISTRY.get_sample_value("postrider_live_readers_lost", {"region": CITY})

    async with Feed(redis, LogSightings(redis), PARAMS) as feed:
        viewer = Viewer(feed)
        task = asyncio.create_task(viewer.follow())
        await until(lambda: viewer.last_id is not None)
        assert n_lost() == 0
        server.kill()
        await until(lambda: n_lost() == 1)
        following = next(iter(feed._tasks))
        await leave(feed, task)
        await until(following.done)
        assert following.exception() is None
        assert n_lost() == 0
    await redis.aclose()


async def test_feed_follows_again_when_redis_came_back_empty(own_redis):
    server = own_redis()
    redis = Redis.from_url(server.url)
    await post(redis, ANNA, 41.1, age_s=60)
    async with watching(redis) as viewer:
        await until(lambda: viewer.lat(ANNA) == 41.1)
        await redis.flushall()
        await post(redis, BORIS, 41.2)
        await until(lambda: viewer.lat(BORIS) == 41.2)
        assert viewer.lat(ANNA) == 41.1
    await redis.aclose()


async def test_region_that_cannot_be_read_is_refused_in_time():
    redis = Redis.from_url("redis://127.0.0.1:1", socket_connect_timeout=0.2)
    async with Feed(redis, LogSightings(redis), FeedParams(first_wait_s=0.1)) as feed:
        with pytest.raises(LogUnavailable):
            await feed.region(CITY)
    await redis.aclose()


async def test_viewer_that_does_not_read_delays_nobody_and_then_gets_the_latest_only(redis):
    await post(redis, ANNA, 41.1, age_s=60)
    async with watching(redis) as quick:
        region = await quick.feed.region(CITY)
        slow = View()
        async with aclosing(quick.feed.watch(region, slow)) as ticks:
            await anext(ticks)
            for step in range(1, 20):
                await post(redis, ANNA, 41.1 + step / 1e5)
                await until(lambda wanted=41.1 + step / 1e5: quick.lat(ANNA) == pytest.approx(wanted))
            (delta,) = await anext(ticks)
        (position,) = msgspec.json.decode(delta.data)["positions"]
        assert position["lat"] == pytest.approx(41.10019)


async def test_a_region_is_let_go_when_nobody_looks_any_more_and_followed_again_when_somebody_does(redis):
    await post(redis, ANNA, 41.1, age_s=60)
    async with Feed(redis, LogSightings(redis), PARAMS) as feed:
        for _ in range(2):
            viewer = Viewer(feed)
            task = asyncio.create_task(viewer.follow())
            await until(lambda viewer=viewer: viewer.lat(ANNA) == 41.1)
            feed._regions[CITY].asked_at -= LONG_S
            await asyncio.sleep(5 * PARAMS.tick_s)
            assert list(feed._regions) == [CITY]
            await leave(feed, task)
            await until(lambda: not feed._regions)
        await until(lambda: has_blocked(redis, 0))


async def test_eighty_regions_cost_one_waiting_connection(redis):
    """Each with a viewer, and uploads go on."""
    regions = [Region(f"city-{i}") for i in range(80)]
    async with Feed(redis, LogSightings(redis), PARAMS) as feed:
        followed = [await feed.region(region) for region in regions]
        views = [feed.watch(region, View()) for region in followed]
        assert [len(await anext(view)) for view in views] == [1] * 80
        await until(lambda: has_blocked(redis, 1))
        sender = Sender(ANNA.courier_id, regions[-1], 1)
        reading = Reading(fixed_at=datetime.now(UTC), lat=41.1, lon=-8.61)
        await Ingest(redis).accept(Upload(region=regions[-1], readings=[reading], senders=[sender]))
        async with asyncio.timeout(PATIENCE_S):
            while not await anext(views[-1]):
                pass
        for view in views:
            await view.aclose()


async def test_an_entry_that_cannot_be_read_is_left_out(redis):
    async with watching(redis) as viewer:
        await until(lambda: viewer.last_id is not None)
        region = await viewer.feed.region(CITY)
        await redis.xadd(events.key(CITY), {"e": "{}"})
        await redis.xadd(events.key(CITY), {"other": "x"})
        await events.publish(redis, CITY, "alert.raised", {"kind": "stuck"})
        await until(lambda: viewer.events == ["alert.raised"])
        assert region.is_connected


async def leave(feed, viewer):
    """The viewer ends, a long time ago."""
    region = feed._regions[CITY]
    viewer.cancel()
    await until(lambda: region.n_viewers == 0)
    region.asked_at -= LONG_S


async def has_blocked(redis, n):
    return (await redis.info("clients"))["blocked_clients"] == n


async def _publish(redis, kind):
    await events.publish(redis, CITY, kind, {})
    return await events.last_id(redis, CITY)


def test_cursor_is_written_as_redis_writes_ids():
    assert format_id(Cursor.parse("5-1_7-0").positions) == "5-1"
