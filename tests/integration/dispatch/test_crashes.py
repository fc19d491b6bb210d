"""kill -9 of the dispatcher and of PostgreSQL in the middle of cycles: no assignment is lost, none is doubled."""

import asyncio
import gc
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from app.wiring.redis_client import open_client
from dispatch.region.cycle import Planning
from dispatch.region.loop import Dispatcher, LoopParams
from dispatch.region.params import CycleParams
from dispatch.region.whereabouts import Locator
from dispatch.travel.chain import TravelChain
from dispatch.travel.great_circle import GreatCircle
from tests.integration.dispatch.conftest import HOME, RESTAURANT, City
from tests.waiting import PATIENCE_S, until
from tracking.batch import PositionColumns
from tracking.live import LivePositions
from tracking.position import Fix, Position

ROOT = Path(__file__).parents[3]
N_ORDERS = 24


async def staff_up(city: City) -> None:
    """Four couriers at work, with room for everything."""
    now = datetime.now(UTC)
    couriers = [await city.hire(f"C{i}", max_orders=N_ORDERS) for i in range(4)]
    positions = [
        Position(courier_id=courier_id, fix=Fix(at=at, fixed_at=now), received_at=now)
        for courier_id, at in zip(couriers, [RESTAURANT, HOME] * 2, strict=True)
    ]
    await LivePositions(city.redis).refill("default", PositionColumns.from_positions(positions))


async def all_assigned(city: City) -> bool:
    left = await city.pool.fetchval("SELECT count(*) FROM orders WHERE state = 'placed'")
    return bool(left == 0)


async def check(city: City, placed: list) -> None:
    """What was placed is there, assigned once, and in exactly one route, the one of its courier."""
    rows = {row["id"]: row for row in await city.pool.fetch("SELECT * FROM orders")}
    assert set(placed) <= set(rows)
    assigned = await city.pool.fetch("SELECT order_id, count(*) FROM order_events WHERE action = 'assign' GROUP BY 1")
    assert {row["order_id"]: row["count"] for row in assigned} == dict.fromkeys(rows, 1)
    offers = await city.pool.fetch("SELECT order_id, courier_id FROM offers WHERE state = 'open'")
    assert {row["order_id"]: row["courier_id"] for row in offers} == {i: row["courier_id"] for i, row in rows.items()}
    assert len(offers) == len(rows)
    stops = await city.pool.fetch(
        "SELECT courier_id, stop ->> 'order_id' AS order_id, stop ->> 'kind' AS kind"
        " FROM routes, jsonb_array_elements(stops) AS stop"
    )
    found = sorted((row["order_id"], row["kind"], str(row["courier_id"])) for row in stops)
    assert found == sorted(
        (str(i), kind, str(row["courier_id"])) for i, row in rows.items() for kind in ("pickup", "dropoff")
    )
    versions = await city.pool.fetch(
        "SELECT order_id, array_agg(version ORDER BY id) AS seen FROM order_events GROUP BY 1"
    )
    assert {row["order_id"]: row["seen"] for row in versions} == {
        i: list(range(1, row["version"] + 1)) for i, row in rows.items()
    }


async def place_all(city: City, *, pause_s: float) -> list:
    """Ids of the orders whose placing was answered, whatever happened to the servers between."""
    placed = []
    while len(placed) < N_ORDERS:
        try:
            placed.append((await city.place()).id)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
            await asyncio.sleep(0.1)
        await asyncio.sleep(pause_s)
    return placed


@pytest.fixture
def start_dispatcher(database_url, redis_url):
    started: list[subprocess.Popen] = []

    def start() -> subprocess.Popen:
        environ = {
            **os.environ,
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "POSTRIDER_DISPATCH_LEASE_S": "0.6",
            "POSTRIDER_DISPATCH_TICK_S": "0.1",
            "POSTRIDER_DISPATCH_SEARCH_S": "0",
            "POSTRIDER_OFFER_FOR_S": "600",
        }
        process = subprocess.Popen([sys.executable, "-m", "app", "dispatch"], cwd=ROOT, env=environ)
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()


async def test_dispatcher_killed_again_and_again_loses_and_doubles_nothing(
    city: City, start_dispatcher: Callable[[], subprocess.Popen]
):
    await staff_up(city)
    dice = random.Random(7)
    placing = asyncio.create_task(place_all(city, pause_s=0.25))
    process, n_kills = start_dispatcher(), 0

    async def working() -> bool:
        """Whether the newest dispatcher holds the lease: it is in the middle of things."""
        holder = await city.pool.fetchval(
            "SELECT holder FROM leases WHERE job = 'dispatch' AND expires_at > clock_timestamp()"
        )
        return holder is not None and f":{process.pid}:" in holder

    for _ in range(3):
        await until(working)
        await asyncio.sleep(dice.uniform(0.0, 0.6))
        process.send_signal(signal.SIGKILL)
        process.wait()
        n_kills += 1
        process = start_dispatcher()
    placed = await placing
    await until(lambda: all_assigned(city))
    process.terminate()
    process.wait(PATIENCE_S)
    assert n_kills == 3
    await check(city, placed)


# asyncpg leaves sockets whose server died while they were being opened to the collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_postgres_killed_in_the_middle_loses_and_doubles_nothing(own_postgres, redis_url):
    server = own_postgres()
    redis = open_client(redis_url, size=16)
    async with asyncpg.create_pool(server.url, min_size=0, max_size=8) as pool:
        city = City(pool=pool, redis=redis)
        await staff_up(city)
        planning = Planning(
            pool=pool,
            redis=redis,
            travel=TravelChain(great_circle=GreatCircle()),
            locator=Locator(LivePositions(redis)),
            params=CycleParams(offer_for_s=600, search_s=0),
        )
        stop = asyncio.Event()
        params = LoopParams(tick_s=0.05, lease_s=1.0, retry_s=0.1)
        running = asyncio.create_task(Dispatcher(pool=pool, redis=redis, planning=planning, params=params).run(stop))
        placing = asyncio.create_task(place_all(city, pause_s=0.1))
        dice = random.Random(11)
        for _ in range(2):
            await asyncio.sleep(dice.uniform(0.3, 1.0))
            server.kill()
            await asyncio.to_thread(server.start)
        placed = await placing
        await until(lambda: all_assigned(city))
        stop.set()
        await running
        await check(city, placed)
    await redis.aclose()
    gc.collect()
