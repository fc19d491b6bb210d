"""The paths that `benchmarks.slopes` measures: each function gives, by path, microseconds at each size."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from uuid import UUID

import asyncpg
import numpy as np
from redis.asyncio import Redis

from benchmarks import city, geofence, history, matching, nearby, replan
from benchmarks.world import World, redis_s
from dispatch.planning.matching import match
from dispatch.planning.propose import propose
from tracking.feed.crowd import Crowd, Sighting, StreamId
from tracking.feed.view import Frames, Freshness, View
from tracking.feed.viewport import Viewport
from tracking.history.history import History
from tracking.intake.ingest import Ingest
from tracking.intake.reading import Reading
from tracking.intake.screening import Sender, Upload
from tracking.live import LivePositions
from tracking.position import LatLon, Region
from tracking.watching.fence import FenceIndex

Costs = dict[str, list[float]]

AT_ONCE, GROUPS = 256, 40
"""Uploads of one fix that wait together, and how often."""
QUESTIONS = 60
FEW_COURIERS = 5_000
"""Of all regions together."""
HISTORY_COURIERS = 200
HISTORY_BATCH = 50_000
CROWD, MOVING, TICKS = 2_000, 400, 5
"""Couriers of the region that is looked at, how many of them report a second, and seconds."""
COURIERS_PER_ORDER = 0.75
DECISIONS = 5


async def spent_us(redis: Redis, n: int, work: Callable[[], Awaitable[None]]) -> float:
    """Processor time of this process and of Redis for one of `n` parts of the work."""
    before = time.process_time() + await redis_s(redis)
    await work()
    return (time.process_time() + await redis_s(redis) - before) / n * 1e6


def courier_costs(servers: World, sizes: Sequence[int]) -> Costs:
    """A fix accepted, and the 20 nearest, among so many couriers of one region."""
    return asyncio.run(_live_costs(servers, [(n, 1) for n in sizes]))


def region_costs(servers: World, sizes: Sequence[int]) -> Costs:
    """The same where 5,000 couriers are spread over so many regions."""
    return asyncio.run(_live_costs(servers, [(FEW_COURIERS, n) for n in sizes]))


async def _live_costs(servers: World, sizes: Sequence[tuple[int, int]]) -> Costs:
    costs: Costs = {"a fix accepted, one a request": [], "the 20 nearest couriers": []}
    for n_couriers, n_regions in sizes:
        rng, redis = np.random.default_rng(1), Redis.from_url(servers.redis_url)
        await redis.flushall()
        regions = [Region(f"region-{i}") for i in range(n_regions)]
        live, each = LivePositions(redis), n_couriers // n_regions
        for i, region in enumerate(regions):
            await live.refill(region, nearby.fleet(each, rng, first=1 + i * each))
        uploads = _uploads(regions, each, rng)
        ingest = Ingest(redis)
        accepting = partial(_accept, ingest, uploads)
        await accepting(3)  # warms up
        costs["a fix accepted, one a request"].append(
            await spent_us(redis, GROUPS * AT_ONCE, partial(accepting, GROUPS))
        )
        asking = partial(_ask, live, regions, rng)
        await asking(5)
        costs["the 20 nearest couriers"].append(await spent_us(redis, QUESTIONS, partial(asking, QUESTIONS)))
        await ingest.close()
        await redis.aclose()
    return costs


def _uploads(regions: Sequence[Region], each: int, rng: np.random.Generator) -> Callable[[], list[Upload]]:
    def make() -> list[Upload]:
        now = datetime.now(UTC)
        made = []
        for number in rng.integers(0, each * len(regions), AT_ONCE).tolist():
            region = regions[number // each]
            fix = Reading(fixed_at=now, lat=41.15 + number % 997 * 1e-4, lon=-8.61, accuracy_m=4.5, speed_mps=6.2)
            made.append(
                Upload(region=region, readings=(fix,), senders=(Sender(UUID(int=(number + 1) << 64 | 1), region, 1),))
            )
        return made

    return make


async def _accept(ingest: Ingest, uploads: Callable[[], list[Upload]], n: int) -> None:
    for _ in range(n):
        await asyncio.gather(*(ingest.accept(upload) for upload in uploads()))


async def _ask(live: LivePositions, regions: Sequence[Region], rng: np.random.Generator, n: int) -> None:
    fresh_since = datetime.now(UTC) - timedelta(minutes=10)
    for _ in range(n):
        at = LatLon(nearby.CENTRE.lat + float(rng.normal(0, 0.07)), nearby.CENTRE.lon + float(rng.normal(0, 0.09)))
        await live.nearest(regions, at, radius_m=nearby.RADIUS_M, limit=nearby.LIMIT, fresh_since=fresh_since)


def history_costs(servers: World, sizes: Sequence[int]) -> Costs:
    """A fix stored, and a courier's last hour read, where so many fixes are stored."""
    return asyncio.run(_history_costs(servers, sizes))


async def _history_costs(servers: World, sizes: Sequence[int]) -> Costs:
    costs: Costs = {"a fix stored": [], "a courier's hour": []}
    async with asyncpg.create_pool(servers.database_url, min_size=1, max_size=1, command_timeout=3600) as pool:
        store, pid = History(pool), await pool.fetchval("SELECT pg_backend_pid()")
        for size in sizes:
            await pool.execute("TRUNCATE positions")
            for columns in history.fleet(size, HISTORY_COURIERS, 1, HISTORY_BATCH):
                before = time.process_time() + _ran_s(pid)
                n = await store.insert_many(columns)
                spent_s = time.process_time() + _ran_s(pid) - before
            costs["a fix stored"].append(spent_s / n * 1e6)  # of the last batch, with all the others stored
            await pool.execute("VACUUM ANALYZE positions")
            until = await pool.fetchval("SELECT max(fixed_at) FROM positions") + timedelta(seconds=1)
            before = time.process_time() + _ran_s(pid)
            for i in range(QUESTIONS):
                await store.fixes(UUID(int=i % HISTORY_COURIERS + 1), until - timedelta(hours=1), until)
            costs["a courier's hour"].append((time.process_time() + _ran_s(pid) - before) / QUESTIONS * 1e6)
        await pool.execute("TRUNCATE positions")
    return costs


def _ran_s(pid: int) -> float:
    """Processor time of a PostgreSQL backend on this machine (Linux)."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def fence_costs(_: World, sizes: Sequence[int]) -> Costs:
    """A fix held against so many fences."""
    stream = geofence.fixes(10_000, 1_000, Random(1))
    costs = []
    for n in sizes:
        index = FenceIndex.of(geofence.fences(n, Random(2)))
        geofence.run(index, stream[:2_000], 1_000)  # warms up
        costs.append(1e6 / geofence.run(index, stream, 1_000)[0])
    return {"a fix watched": costs}


def viewer_costs(_: World, sizes: Sequence[int]) -> Costs:
    """What so many viewers of 2,000 couriers cost in a second, for each the same region or a box of its own."""
    costs: Costs = {"a second of viewers of a whole region": [], "a second of viewers of boxes of their own": []}
    for own, name in zip((False, True), costs, strict=True):
        for n in sizes:
            chance, crowd, second = Random(1), Crowd(5_000), 1
            crowd.begin(StreamId((second * 1000, 0)), StreamId((0, 0)))
            for number in range(CROWD):
                crowd.see(_sighting(number, second, chance), StreamId((second * 1000, number)))
            frames = Frames(crowd, Freshness(), datetime.now(UTC))
            views = [View(_box(chance) if own else None) for _ in range(n)]
            for view in views:
                view.messages(frames)
            spent_s = 0.0
            for second in range(2, 2 + TICKS):
                for number in chance.sample(range(CROWD), MOVING):
                    crowd.see(_sighting(number, second, chance), StreamId((second * 1000, number)))
                frames.renew(datetime.now(UTC))
                before = time.process_time()
                for view in views:
                    view.messages(frames)
                spent_s += time.process_time() - before
            costs[name].append(spent_s / TICKS * 1e6)
    return costs


def _sighting(number: int, second: int, chance: Random) -> Sighting:
    at = datetime.fromtimestamp(second, UTC)
    lat, lon = 41.15 + chance.uniform(-0.1, 0.1), -8.61 + chance.uniform(-0.1, 0.1)
    return Sighting(courier_id=str(UUID(int=number)), fixed_at=at, received_at=at, contact_at=at, lat=lat, lon=lon)


def _box(chance: Random) -> Viewport:
    """About a tenth of the city."""
    south, west = 41.05 + chance.uniform(0, 0.14), -8.71 + chance.uniform(0, 0.14)
    return Viewport(west=west, south=south, east=west + 0.06, north=south + 0.06)


def order_costs(_: World, sizes: Sequence[int]) -> Costs:
    """A new order decided on beside a plan of so many, with 0.75 couriers an order; so many matched at once."""
    costs: Costs = {"a decision on a new order": [], "orders matched at once": []}
    for n in sizes:
        made = city.under_way(n_couriers=round(n * COURIERS_PER_ORDER), n_orders=n, seed=1, params=replan.PARAMS)
        spent_s = 0.0
        for number in range(DECISIONS + 1):
            replan.new_order(made, number)
            before = time.process_time()
            plan = propose(made.snapshot, replan.PARAMS)
            spent_s += (time.process_time() - before) * bool(number)  # the first settles the plan
            made.snapshot = city.in_force(made.snapshot, plan)
        costs["a decision on a new order"].append(spent_s / DECISIONS * 1e6)
        matrix = matching.random_costs(n, round(n * COURIERS_PER_ORDER), 1)
        skip = np.full(n, matching.SKIP, dtype=np.int64)
        match(matrix[:10], skip[:10])  # the first call of a process loads the library
        before = time.process_time()
        match(matrix, skip)
        costs["orders matched at once"].append((time.process_time() - before) * 1e6)
    return costs
