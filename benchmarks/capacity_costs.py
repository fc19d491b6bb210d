"""What one core does, by the other benchmarks' own ways, a few seconds each: for `benchmarks.capacity`."""

import asyncio
import time
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

import asyncpg
import numpy as np
import redis
from redis.asyncio import Redis

from benchmarks import city, nearby, page, replan, slope_paths, watching, writer
from benchmarks.geofence import fences
from benchmarks.ingest import appended, cpu_s, serving
from benchmarks.load import post
from benchmarks.world import World, hire
from dispatch.planning.propose import propose
from tracking.log import RegionKeys
from tracking.watching.fence import FenceIndex

Costs = dict[str, float]

UPLOADERS, CONNECTIONS, BATCH, SECONDS = 1_000, 64, 50, 4
STORED, PER_ENTRY = 200_000, 250
WATCHED, FIXES, FENCES = 50, 500, 1_000
ENDED_S: Final = 2.0
"""By then the writer's connections have ended, and what they took counts as their parent's."""
LIVE: Final = 20_000
"""Couriers whose room in Redis is taken."""
DECISIONS, TOGETHER = 4, 20
PAGES: Final = (5, 45)
PAGE_COURIERS: Final = 1_000
BOXES: Final = 100


def measured(servers: World, orders: Sequence[int]) -> dict[str, Costs]:
    """By kind, in the names of `benchmarks.capacity_fleet.Costs`."""
    return {
        "ingest": _ingest(servers),
        "store": asyncio.run(_store(servers)),
        "watch": _watch(),
        "plan": _plan(orders),
        "stream": _stream(servers),
    }


def _ingest(servers: World) -> Costs:
    phones, spent = hire(servers, UPLOADERS), []
    with serving(servers, "app", "api") as url:
        for batch in (1, BATCH):
            post(url, phones, batch=batch, connections=CONNECTIONS, seconds=2)  # warms up
            before = appended(servers, "default"), cpu_s(url), _redis_s(servers)
            post(url, phones, batch=batch, connections=CONNECTIONS, seconds=SECONDS)
            uploads = (appended(servers, "default") - before[0]) / batch
            spent.append([(cpu_s(url) - before[1]) / uploads * 1e6, (_redis_s(servers) - before[2]) / uploads * 1e6])
    (api, redis_), (api_batch, redis_batch) = spent
    each, each_redis = (max(0.0, (many - one) / (BATCH - 1)) for one, many in ((api, api_batch), (redis_, redis_batch)))
    with redis.Redis.from_url(servers.redis_url) as client:
        client.flushall()
    return {
        "upload_us": _rounded(api - each),
        "fix_us": _rounded(each),
        "upload_redis_us": _rounded(redis_ - each_redis),
        "fix_redis_us": _rounded(each_redis),
    }


async def _store(servers: World) -> Costs:
    now_us = int(time.time() * 1e6)
    each = STORED // UPLOADERS
    columns = writer.drives(
        UPLOADERS, each, 0, now_us - each * writer.FIX_S * 1_000_000, np.random.default_rng(1)
    )  # fmt: skip
    connection = await asyncpg.connect(servers.database_url)
    try:
        postmaster = _parent(await connection.fetchval("SELECT pg_backend_pid()"))
        async with Redis.from_url(servers.redis_url) as client:
            await writer.fill(client, columns, PER_ENTRY)
            in_log = await client.memory_usage(RegionKeys(writer.REGION).log, samples=0) or 0
        size = await connection.fetchval("SELECT pg_database_size(current_database())")
        before = time.process_time(), family_s(postmaster), _redis_s(servers)
        await writer.drain(servers, STORED)
        await asyncio.sleep(ENDED_S)
        spent = time.process_time() - before[0], family_s(postmaster) - before[1], _redis_s(servers) - before[2]
        size = await connection.fetchval("SELECT pg_database_size(current_database())") - size
    finally:
        await connection.close()
    with redis.Redis.from_url(servers.redis_url) as one:
        one.flushall()
        empty = int(one.info("memory")["used_memory"])
        await nearby.put(servers.redis_url, nearby.fleet(LIVE, np.random.default_rng(1)))
        in_redis = int(one.info("memory")["used_memory"]) - empty
        one.flushall()
    of_each = [_rounded(seconds / STORED * 1e6) for seconds in spent]
    return {
        **dict(zip(("writer_us", "postgres_us", "read_redis_us"), of_each, strict=True)),
        "history_bytes": _rounded(size / STORED),
        "log_bytes": _rounded(in_log / STORED),
        "courier_bytes": _rounded(in_redis / LIVE),
    }


def _watch() -> Costs:
    found = watching.measure("at work", WATCHED, FIXES, FenceIndex.of(fences(FENCES, Random(2))))
    return {
        "watch_us": _rounded(found["track_us"] + found["alerts_us"] + found["decode_us"]),
        "watch_kb": _rounded(found["track_kb"] + found["alerts_kb"]),
    }


def _plan(orders: Sequence[int]) -> Costs:
    found: Costs = {}
    one_us = many_us = 0.0
    for n in sorted(orders):
        couriers = round(n * slope_paths.COURIERS_PER_ORDER)
        made = city.under_way(n_couriers=couriers, n_orders=n, seed=1, params=replan.PARAMS)
        _decided(made, 1)  # the first settles the plan
        one_us, many_us = (
            sum(_decided(made, together) for _ in range(DECISIONS)) / DECISIONS for together in (1, TOGETHER)
        )
        found[f"decision_us {n}"] = _rounded(one_us)
    return found | {"each_more_us": _rounded(max(0.0, (many_us - one_us) / (TOGETHER - 1)))}


def _decided(made: city.City, together: int) -> float:
    """Microseconds for so many new orders; they are in the plan then."""
    for number in range(together):
        replan.new_order(made, number)
    before = time.process_time()
    plan = propose(made.snapshot, replan.PARAMS)
    took = time.process_time() - before
    made.snapshot = city.in_force(made.snapshot, plan)
    return took * 1e6


def _stream(servers: World) -> Costs:
    spent = []
    with serving(servers, "app", "api") as url:
        phones, tokens = hire(servers, PAGE_COURIERS, with_tokens=False), page.tokens_of(servers)
        for pages in PAGES:
            found: dict[str, Any] = page.followed(
                url, tokens, phones, Namespace(pages=pages, seconds=2 * SECONDS, bbox=None)
            )
            spent.append(found["api_processor_s_per_s"])
    shared, own = (
        slope_paths.viewer_costs(servers, (BOXES,))[f"a second of viewers of {what}"][0]
        for what in ("a whole region", "boxes of their own")
    )
    return {
        "page_us": _rounded(max(0.0, spent[1] - spent[0]) / (PAGES[1] - PAGES[0]) * 1e6),
        "page_couriers": PAGE_COURIERS,
        "box_us": _rounded(max(0.0, own - shared) / BOXES),
    }


def _redis_s(servers: World) -> float:
    with redis.Redis.from_url(servers.redis_url) as client:
        told = client.info("cpu")
    return float(told["used_cpu_user"]) + float(told["used_cpu_sys"])


def _parent(pid: int) -> int:
    return int(_stat(pid)[1])


def family_s(pid: int) -> float:
    """Processor time of a process, its children and those that have ended (Linux)."""
    ticks = sum(map(int, _stat(pid)[11:15]))
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = _stat(int(folder.name))
        except OSError:
            continue  # it has just ended
        if int(fields[1]) == pid:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / 100  # SC_CLK_TCK of Linux


def _stat(pid: int) -> list[str]:
    """From the third field on: state, parent, …"""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")
