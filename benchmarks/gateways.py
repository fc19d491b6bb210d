"""
Events out and orders in: python -m benchmarks.gateways --json.

    outbox      orders placed at a rate, by transactions of a hundred; how long after each its event is at a consumer of
                RabbitMQ and of Kafka, both served by one gateway process
    webhooks    100 of them, 10 of which never answer: how long until the other 90 have an event
    offer       an order put into the queue, until its offer is on the courier's stream: the whole system

What needs a broker that is not installed is left out. Clients and brokers share the machine with the system.
"""

import asyncio
import json
import statistics
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import datetime
from pathlib import Path
from random import Random
from time import monotonic, time
from typing import Any

import asyncpg
import httpx
import redis.asyncio as aioredis

from app.gateway.brokers import note_brokers, ways_out
from app.gateway.sender import Sender
from app.gateway.signing import new_secret
from app.settings import Settings
from benchmarks.offer_latency import Run, courier, scattered
from benchmarks.whole import postrider_up
from benchmarks.world import engine_of, parser, report, world
from tests.brokers import KafkaServer, RabbitServer, missing_kafka, missing_rabbitmq
from tests.receiver import receiver

BATCH = 100
SETTLE_S = 60.0
PLACE = (
    "WITH made AS (INSERT INTO orders (region, state, pickup_lat, pickup_lon, pickup_service_s, dropoff_lat,"
    " dropoff_lon, dropoff_service_s, placed_at)"
    " SELECT 'default', 'placed', 41.15, -8.61, 60, 41.16, -8.62, 60, clock_timestamp() FROM generate_series(1, $1)"
    " RETURNING id)"
    " INSERT INTO order_events (order_id, version, action, to_state, actor, role, facts, at)"
    " SELECT id, 1, 'place', 'placed', 'bench', 'service', '{}', clock_timestamp() FROM made"
)


@contextmanager
def brokers() -> Iterator[tuple[RabbitServer | None, KafkaServer | None]]:
    """Those that are installed."""
    with tempfile.TemporaryDirectory(prefix="postrider-bench-", ignore_cleanup_errors=True) as folder:
        rabbit = None if missing_rabbitmq() else RabbitServer(Path(folder))
        kafka = None if missing_kafka() else KafkaServer()
        there = [one for one in (rabbit, kafka) if one is not None]
        try:
            for one in there:
                one.start()
            yield rabbit, kafka
        finally:
            for one in there:
                one.stop()


@asynccontextmanager
async def gateway(settings: Settings, pool: asyncpg.Pool) -> AsyncIterator[None]:
    """One process' sender, in this process."""
    stop = asyncio.Event()
    redis = aioredis.Redis.from_url(settings.redis_url)
    async with ways_out(settings) as ways:
        await note_brokers(settings, pool, ways)
        task = asyncio.create_task(Sender(pool, redis, ways).run(stop))
        try:
            yield
        finally:
            stop.set()
            await task
            await redis.aclose()


async def from_rabbitmq(url: str, seen: list[float]) -> None:
    """Ages of events when they come."""
    import aio_pika  # noqa: PLC0415 - an extra

    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await channel.set_qos(1000)
        queue = await channel.declare_queue("bench", exclusive=True)
        await queue.bind("postrider.events", "postrider.order.placed")
        await queue.consume(lambda message: note(message.body, seen), no_ack=True)
        await asyncio.Event().wait()


async def from_kafka(address: str, seen: list[float]) -> None:
    """The same."""
    from aiokafka import AIOKafkaConsumer  # noqa: PLC0415 - an extra

    consumer = AIOKafkaConsumer("postrider.events", bootstrap_servers=address, auto_offset_reset="earliest")
    await consumer.start()
    try:
        async for message in consumer:
            await note(message.value, seen)
    finally:
        await consumer.stop()


async def note(body: bytes, seen: list[float]) -> None:
    """How old an event is now."""
    seen.append(time() - datetime.fromisoformat(json.loads(body)["time"]).timestamp())


async def outbox(settings: Settings, rabbit: RabbitServer | None, kafka: KafkaServer | None, options: Any) -> Any:
    """Events at a rate, out over the brokers there are."""
    seen: dict[str, list[float]] = {}
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(asyncpg.create_pool(settings.database_url, min_size=0, max_size=8))
        await stack.enter_async_context(gateway(settings, pool))
        await pool.execute(PLACE, 1)  # exchange and topic are there
        await asyncio.sleep(3)
        tasks = []
        if rabbit is not None:
            tasks.append(asyncio.create_task(from_rabbitmq(rabbit.url, seen.setdefault("rabbitmq", []))))
        if kafka is not None:
            tasks.append(asyncio.create_task(from_kafka(kafka.address, seen.setdefault("kafka", []))))
        await asyncio.sleep(3)
        n, began = int(options.rate * options.seconds), monotonic()
        for ages in seen.values():
            ages.clear()
        for i in range(0, n, BATCH):
            await pool.execute(PLACE, BATCH)
            await asyncio.sleep(max(0.0, began + (i + BATCH) / options.rate - monotonic()))
        placed_s = monotonic() - began
        give_up_at = began + placed_s + SETTLE_S
        while any(len(ages) < n for ages in seen.values()) and monotonic() < give_up_at:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        drained_s = monotonic() - began
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    found: dict[str, Any] = {"orders": n, "placed_per_s": round(n / placed_s), "drained_after_s": round(drained_s, 1)}
    for way, ages in seen.items():
        found |= {f"{way}_n": len(ages), **{f"{way}_{name}": value for name, value in spread(ages).items()}}
    return found


async def webhooks(settings: Settings, options: Any) -> Any:
    """Ten of a hundred hang: how long the others wait."""
    settings = Settings(database_url=settings.database_url, redis_url=settings.redis_url, webhooks_private=True)
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(asyncpg.create_pool(settings.database_url, min_size=0, max_size=8))
        well = [await stack.enter_async_context(receiver()) for _ in range(90)]
        hanging = [await stack.enter_async_context(receiver()) for _ in range(10)]
        for one in hanging:
            one.silence = True
        rows = [(one.url, [new_secret()]) for one in (*well, *hanging)]
        await pool.executemany("INSERT INTO event_targets (url, secrets) VALUES ($1, $2)", rows)
        await stack.enter_async_context(gateway(settings, pool))
        ages: list[float] = []
        for i in range(options.events):
            began = monotonic()
            await pool.execute(PLACE, 1)
            waiting = {one.url: one for one in well}
            while waiting and monotonic() - began < SETTLE_S:
                for url in [url for url, one in waiting.items() if len(one.events) > i]:
                    ages.append(monotonic() - began)
                    del waiting[url]
                await asyncio.sleep(0.005)
    return {"webhooks": 100, "hanging": 10, "events": options.events, **spread(ages)}


async def offer(rabbit: RabbitServer, options: Any) -> Any:
    """From the queue to the courier's stream."""
    import aio_pika  # noqa: PLC0415 - an extra

    dice, run, over = Random(options.seed), Run(), asyncio.Event()
    told: dict[str, float] = {}
    with postrider_up({"POSTRIDER_RABBITMQ_URL": rabbit.url}) as whole:
        async with AsyncExitStack() as stack:
            headers = {"Authorization": f"Bearer {whole.token}"}
            staff = await stack.enter_async_context(httpx.AsyncClient(base_url=whole.url, headers=headers, timeout=30))
            connection = await stack.enter_async_context(await aio_pika.connect(rabbit.url))
            channel = await connection.channel()
            mine = await channel.declare_queue("placed", exclusive=True)
            await mine.bind("postrider.events", "postrider.order.placed")

            async def on_placed(message: Any) -> None:
                data = json.loads(message.body)["data"]
                run.posted[data["id"]] = told[data["external_id"]]

            await mine.consume(on_placed, no_ack=True)
            group = await stack.enter_async_context(asyncio.TaskGroup())
            for number in range(options.couriers):
                group.create_task(courier(whole.url, staff, run, scattered(dice), number, over))
            await asyncio.sleep(5 + options.couriers / 50)
            for number in range(options.orders):
                body = {
                    "specversion": "1.0",
                    "id": str(uuid.uuid4()),
                    "source": "bench",
                    "subject": f"B-{number}",
                    "type": "postrider.command.order.create",
                    "data": {"pickup": scattered(dice), "dropoff": scattered(dice)},
                }
                told[f"B-{number}"] = monotonic()
                await channel.default_exchange.publish(
                    aio_pika.Message(json.dumps(body).encode()), "postrider.commands", mandatory=False
                )
                await asyncio.sleep(dice.expovariate(options.per_second))
            began = monotonic()
            while len(run.offered) < options.orders and monotonic() - began < SETTLE_S / 4:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
            over.set()
    ages = [at - run.posted[order_id] for order_id, at in run.offered.items() if order_id in run.posted]
    return {"orders": options.orders, "offered": len(ages), **spread(ages)}


def spread(ages: Sequence[float]) -> dict[str, float]:
    """Median and 95th percentile, in milliseconds."""
    if len(ages) < 2:
        return {}
    cuts = statistics.quantiles(ages, n=20)
    return {"p50_ms": round(statistics.median(ages) * 1000), "p95_ms": round(cuts[18] * 1000)}


def main() -> None:
    """Each part by itself."""
    options = parser("gateways", __doc__)
    options.add_argument("--rate", type=float, default=1000.0, help="orders a second into the outbox")
    options.add_argument("--seconds", type=float, default=30.0)
    options.add_argument("--events", type=int, default=20, help="events to each webhook")
    options.add_argument("--couriers", type=int, default=100)
    options.add_argument("--orders", type=int, default=60, help="over the queue")
    options.add_argument("--per-second", type=float, default=2.0, help="of those")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--part", nargs="*", default=["outbox", "webhooks", "offer"])
    arguments = options.parse_args()
    results: dict[str, Any] = {}
    with brokers() as (rabbit, kafka), world() as servers:
        settings = Settings(
            database_url=servers.database_url,
            redis_url=servers.redis_url,
            rabbitmq_url="" if rabbit is None else rabbit.url,
            kafka_servers="" if kafka is None else kafka.address,
        )
        if "outbox" in arguments.part:
            results["outbox"] = asyncio.run(outbox(settings, rabbit, kafka, arguments))
        if "webhooks" in arguments.part:
            results["webhooks"] = asyncio.run(webhooks(settings, arguments))
        if "offer" in arguments.part and rabbit is not None:
            results["offer"] = asyncio.run(offer(rabbit, arguments))
        report("gateways", arguments, engine_of(servers), results)


if __name__ == "__main__":
    main()
