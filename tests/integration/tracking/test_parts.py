"""A region's log in several parts, on a real Redis: a change is one instant for all, and nothing is lost in it."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest
from redis.asyncio import Redis

from tests.waiting import until
from tracking.dead_letters import DeadLetters, Letter
from tracking.errors import LogFull
from tracking.feed.feed import Feed, FeedParams
from tracking.feed.sightings import LogSightings
from tracking.feed.view import View
from tracking.intake.ingest import Bounds, Ingest
from tracking.intake.reading import Reading
from tracking.intake.screening import Sender, Unusable, Upload
from tracking.live import LivePositions
from tracking.log import HISTORY, WATCH, PositionLog, RegionKeys
from tracking.parts import Layout, Part, layout_key, parts_of
from tracking.position import Region
from tracking.quality import Reason

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
CITY = Region("porto")
COURIERS = [Sender(UUID(int=i << 64 | i), CITY, 1) for i in range(1, 9)]


@pytest.fixture
async def redis(redis_url):
    client = Redis.from_url(redis_url)
    yield client
    await client.aclose()


def ingest_of(redis, **bounds):
    return Ingest(redis, bounds=Bounds(**bounds), clock=NOW.timestamp)


async def post(ingest, age_s, couriers=COURIERS, **more):
    """A fix of each courier, in one upload."""
    readings = [Reading(fixed_at=NOW - timedelta(seconds=age_s), lat=41.15, lon=-8.61) for _ in couriers]
    return await ingest.accept(Upload(region=CITY, readings=readings, senders=couriers, **more))


async def read(log, part, group=HISTORY):
    """What the group has not got of a part, acknowledged at once."""
    entries = await log.read(group, "reader", part, block_ms=0, count=1000)
    await log.ack(group, part, [entry.id for entry in entries])
    return [
        (position.courier_id, (NOW - position.fix.fixed_at).seconds)
        for entry in entries
        for position in entry.columns().to_positions()
    ]


def of(part):
    return {sender.courier_id for sender in COURIERS if part.has(sender.courier_id)}


async def parted(log, n):
    """Everybody has read everything; the parts there were before are gone."""
    await until(lambda: _is(log, n))


async def _is(log, n):
    await log.trim(CITY)
    return await log.part(CITY, n) == Layout(n)


async def test_fixes_go_to_the_parts_of_their_couriers_and_live_state_stays_whole(redis):
    log = PositionLog(redis)
    await log.part(CITY, 4)
    receipt = await post(ingest_of(redis), 1, unusable=[Unusable(8, Reason.UNREADABLE, b"{", COURIERS[0])])
    assert (receipt.n_accepted, len(receipt.quarantined)) == (8, 1)
    n_quarantined = 0
    for part in parts_of(CITY, 4):
        await log.ensure_group(HISTORY, part)
        [entry] = await log.read(HISTORY, "reader", part, block_ms=0)
        assert set(entry.columns().courier_ids) == of(part)
        assert len(entry.moved()) == len(of(part)) > 0
        n_quarantined += len(entry.quarantined())
    assert n_quarantined == 1
    assert len(await LivePositions(redis, clock=NOW.timestamp).all(CITY)) == 8


async def test_whoever_goes_by_the_layout_before_appends_to_the_new_one(redis):
    log, early, late = PositionLog(redis, keep_s=0), ingest_of(redis), ingest_of(redis)
    [whole] = parts_of(CITY, 1)
    await log.ensure_group(HISTORY, whole)
    await post(early, 9)
    await post(late, 8)
    await log.part(CITY, 3)
    await post(early, 7)
    assert await log.due(HISTORY, CITY) == [whole]
    assert {age for _, age in await read(log, whole)} == {9, 8}
    assert await log.due(HISTORY, CITY) == parts_of(CITY, 3)
    await post(late, 6)
    assert await read(log, whole) == []
    found = [one for part in parts_of(CITY, 3) for one in await read(log, part)]
    assert sorted(found) == sorted((sender.courier_id, age) for sender in COURIERS for age in (7, 6))


async def test_a_group_reads_on_only_when_it_has_acknowledged_all_that_was_before(redis):
    log, ingest = PositionLog(redis, keep_s=0), ingest_of(redis)
    for group in (HISTORY, WATCH):
        await log.ensure_group(group, CITY)
    await post(ingest, 9)
    await log.part(CITY, 2)
    await read(log, Part(CITY))
    entries = await log.read(WATCH, "reader", Part(CITY), block_ms=0)
    assert await log.due(HISTORY, CITY) == parts_of(CITY, 2)
    assert await log.due(WATCH, CITY) == [Part(CITY)]
    await log.trim(CITY)
    assert await log.part(CITY, 2) == Layout(2, 1)
    await log.ack(WATCH, Part(CITY), [entry.id for entry in entries])
    assert await log.due(WATCH, CITY) == parts_of(CITY, 2)
    await parted(log, 2)
    assert not await redis.exists(Part(CITY).log, Part(CITY).appended, Part(CITY).settled)


async def test_back_to_one_part_has_the_usual_names_and_no_others(redis):
    log, ingest = PositionLog(redis, keep_s=0), ingest_of(redis)
    await log.ensure_group(HISTORY, CITY)
    for age_s, n in ((9, 4), (8, 2), (7, 1)):
        await post(ingest, age_s)
        for part in await log.due(HISTORY, CITY):
            await read(log, part)
        await log.part(CITY, n)
        for part in await log.due(HISTORY, CITY):
            await read(log, part)
        await parted(log, n)
        assert await log.regions() == [CITY]
    await post(ingest, 6)
    assert len(await read(log, Part(CITY))) == 8
    names = {key.decode() async for key in redis.scan_iter(match="*:log*")}
    assert names == {RegionKeys(CITY).log, RegionKeys(CITY).appended}


async def test_no_group_misses_what_comes_before_it_looks_at_the_new_parts(redis):
    """A part is not trimmed as if nobody but its first reader had been there."""
    log, ingest = PositionLog(redis, keep_s=0), ingest_of(redis)
    for group in (HISTORY, WATCH):
        await log.ensure_group(group, CITY)
    await log.part(CITY, 2)
    await post(ingest, 5)
    for part in (Part(CITY), *parts_of(CITY, 2)):
        await read(log, part)
    await log.trim(CITY)
    found = [one for part in (Part(CITY), *parts_of(CITY, 2)) for one in await read(log, part, WATCH)]
    assert sorted(found) == sorted((sender.courier_id, 5) for sender in COURIERS)


async def test_the_bound_counts_what_is_unread_in_all_parts_old_and_new(redis):
    log, ingest = PositionLog(redis, keep_s=0), ingest_of(redis, log_fixes=16, pause_s=0.0)
    await log.ensure_group(HISTORY, CITY)
    await post(ingest, 9)
    await log.part(CITY, 4)
    await post(ingest, 8)
    with pytest.raises(LogFull):
        await post(ingest, 7)
    await read(log, Part(CITY))
    await log.trim(CITY)
    assert (await post(ingest, 7)).n_accepted == 8


async def test_the_lag_of_a_region_is_that_of_its_parts_together(redis):
    log = PositionLog(redis)
    await log.ensure_group(HISTORY, CITY)
    await log.part(CITY, 4)
    await post(ingest_of(redis), 1)
    [lag] = await log.lag(CITY)
    assert (lag.group, lag.n_fixes, lag.is_behind) == (HISTORY, 8, True)
    for part in (Part(CITY), *parts_of(CITY, 4)):
        await read(log, part)
    [lag] = await log.lag(CITY)
    assert (lag.n_fixes, lag.is_behind) == (0, False)


async def test_a_redis_that_lost_its_memory_takes_fixes_and_is_parted_again(redis):
    log, ingest = PositionLog(redis, keep_s=0), ingest_of(redis)
    await log.part(CITY, 2)
    await post(ingest, 9)
    await redis.flushall()
    assert (await post(ingest, 8)).n_accepted == 8
    assert len(await read(log, Part(CITY))) == 0  # the group is made
    assert len(await read(log, Part(CITY))) == 8
    await log.part(CITY, 2)
    assert await log.layout(CITY) == Layout(2, 1)


async def test_a_layout_changes_once_however_many_change_it(redis):
    log = PositionLog(redis)
    await asyncio.gather(*(log.part(CITY, 4) for _ in range(8)))
    assert await redis.get(layout_key(CITY)) == b"1,4"
    assert await redis.xlen(Part(CITY).log) == 1


async def test_a_dead_letter_comes_back_to_the_parts_of_its_couriers(redis):
    log, letters = PositionLog(redis, keep_s=0), DeadLetters(redis)
    await log.ensure_group(HISTORY, CITY)
    await post(ingest_of(redis), 1)
    [entry] = await log.read(HISTORY, "reader", CITY, block_ms=0)
    await letters.put(HISTORY, CITY, entry.id, [Letter.of_entry(entry, "bad")])
    await log.part(CITY, 4)
    [kept] = [letter async for letter in letters.all(CITY)]
    assert await letters.replay(CITY, kept.id)
    assert not await letters.replay(CITY, kept.id)
    for part in parts_of(CITY, 4):
        assert {courier_id for courier_id, _ in await read(log, part)} == of(part)


async def test_the_live_map_goes_on_over_a_change(redis):
    log, ingest = PositionLog(redis), ingest_of(redis)
    await post(ingest, 9)
    async with Feed(redis, LogSightings(redis), FeedParams(tick_s=0.02)) as feed:
        region = await feed.region(CITY)
        view = View()
        messages = aiter(feed.watch(region, view))

        async def shown(second):
            """Somebody's fix so many seconds before NOW is shown."""
            text = (NOW - timedelta(seconds=second)).strftime("%H:%M:%S").encode()
            while not any(text in message.data for message in await anext(messages)):
                pass

        await shown(9)
        for age_s, n in ((8, 4), (7, 4), (6, 4)):
            await log.part(CITY, n)
            await post(ingest, age_s, COURIERS[-1:])
            await shown(age_s)


async def test_the_database_parts_couriers_alike(database_url):
    connection = await asyncpg.connect(database_url)
    try:
        for sender in COURIERS:
            for n in (2, 3, 32):
                k = await connection.fetchval(
                    "SELECT ('x' || right($1::uuid::text, 4))::bit(16)::int % $2::int", sender.courier_id, n
                )
                assert Part(CITY, k, n).has(sender.courier_id)
    finally:
        await connection.close()
