from dataclasses import replace

import pytest
from redis.asyncio import Redis

from app.machine import dead_letters
from app.machine.check import check
from app.settings import Settings
from tracking.dead_letters import DeadLetters, Letter
from tracking.log import HISTORY, PositionLog, RegionKeys
from tracking.position import Region

OULU, VAASA = Region("oulu"), Region("vaasa")


@pytest.fixture
async def settings(redis_url):
    client = Redis.from_url(redis_url)
    for region in (OULU, VAASA):
        await PositionLog(client).ensure_group(HISTORY, region)
        letter = Letter(why="ValueError: expected packed columns", n=3, fields={b"fixes": b"junk", b"quarantine": b""})
        await DeadLetters(client).put(HISTORY, region, "7-0", [letter] * 150)
    yield Settings(redis_url=redis_url)
    await client.aclose()


async def test_list_shows_every_letter_and_replay_puts_a_regions_back_into_its_log(settings, redis_url):
    listed = await dead_letters.list_letters(settings)
    assert [region for region, _ in listed] == [OULU] * 150 + [VAASA] * 150
    assert {(kept.entry, kept.n, kept.why) for _, kept in listed} == {("7-0", 3, "ValueError: expected packed columns")}

    assert await dead_letters.replay(settings, OULU) == 150
    assert {region for region, _ in await dead_letters.list_letters(settings)} == {VAASA}
    async with Redis.from_url(redis_url) as client:
        assert await client.xlen(RegionKeys(OULU).log) == 150
        entries = await PositionLog(client).read(HISTORY, "test", OULU, count=200)
        assert (entries[-1].n, entries[-1].total, entries[-1].fields[b"fixes"]) == (3, 450, b"junk")
        [lag] = await PositionLog(client).lag(OULU)
        assert lag.n_fixes == 450
    assert await dead_letters.replay(settings) == 150
    assert await dead_letters.list_letters(settings) == []


async def test_check_complains_of_dead_letters(settings):
    found = {result.what: result for result in await check(settings)}
    assert not found["dead letters"].ok
    assert found["dead letters"].found.startswith("300 wait")
    await dead_letters.replay(settings)
    found = {result.what: result for result in await check(replace(settings))}
    assert found["dead letters"].ok
