"""The position log on a real Redis."""

import asyncio

from redis.asyncio import BlockingConnectionPool, Redis

from tests.waiting import PATIENCE_S
from tracking.log import HISTORY, PositionLog, RegionKeys
from tracking.position import Region


async def test_reads_that_wait_take_no_connection_from_what_cannot_wait(redis_url):
    pool = BlockingConnectionPool.from_url(redis_url, max_connections=1, timeout=PATIENCE_S)
    redis, blocking = Redis(connection_pool=pool), Redis.from_url(redis_url)
    log = PositionLog(redis, blocking=blocking)
    regions = [Region(f"r{i}") for i in range(40)]
    for region in regions:
        await log.ensure_group(HISTORY, region)
    waiting = [asyncio.create_task(log.read(HISTORY, "a", region, block_ms=60_000)) for region in regions]
    try:
        async with asyncio.timeout(PATIENCE_S):
            while (await redis.info("clients"))["blocked_clients"] < len(regions):
                await asyncio.sleep(0.01)
            assert [lag.group for lag in await log.lag(regions[0])] == [HISTORY]
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await blocking.aclose()
        await redis.aclose()
        await pool.aclose()


async def test_a_reader_whose_place_is_just_before_a_millisecond_keeps_nobody_from_trimming(redis_url):
    """As a restored copy has it."""
    redis = Redis.from_url(redis_url)
    log, region = PositionLog(redis, keep_s=0), Region("r")
    key = RegionKeys(region).log
    for entry_id in ("4-0", "5-0", "7-0"):
        await redis.xadd(key, {"n": 1, "total": 1}, id=entry_id)
    await redis.xgroup_create(key, HISTORY, id=f"5-{2**64 - 1}")
    assert await log.trim(region) == 2
    assert await redis.xlen(key) == 1
    await redis.aclose()
