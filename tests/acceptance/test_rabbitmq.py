"""Events out over RabbitMQ, and orders in: each once in effect, of one order in order, also when the broker dies."""

import asyncio
import json
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import aio_pika
import asyncpg
import pytest
import pytest_asyncio

from app import roles
from app.gateway.rabbitmq import ERRORS, close, connect, lost
from app.machine.command_letters import list_letters, replay
from app.simulation.queue_sink import take
from app.simulation.sink import Heard
from tests.acceptance.test_orders import HOME, RESTAURANT
from tests.brokers import RabbitServer, missing_rabbitmq
from tests.examples import said_by
from tests.waiting import PATIENCE_S, until


@pytest.fixture(scope="module")
def broker() -> Iterator[RabbitServer]:
    if reason := missing_rabbitmq():
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="postrider-rabbit-", ignore_cleanup_errors=True) as name:
        server = RabbitServer(Path(name))
        try:
            server.start()
            yield server
        finally:
            server.stop()


@pytest.fixture
def settings(settings, broker):
    """Names of its own for each test: the broker outlives them."""
    name = uuid4().hex
    return replace(
        settings, rabbitmq_url=broker.url, rabbitmq_exchange=f"events.{name}", rabbitmq_queue=f"commands.{name}"
    )


class Shop:
    """A system elsewhere, with a queue of its own for our events; it comes back whenever the broker does."""

    def __init__(self, settings) -> None:
        self._settings = settings
        self.events: list[dict[str, Any]] = []
        self.listens = asyncio.Event()

    async def listen(self) -> None:
        while True:
            with suppress(*ERRORS):
                await self._take()
            self.listens.clear()
            await asyncio.sleep(0.1)

    async def _take(self) -> None:
        connection = await connect(self._settings.rabbitmq_url, "shop")
        try:
            channel = await connection.channel()
            name = self._settings.rabbitmq_exchange
            exchange = await channel.declare_exchange(name, aio_pika.ExchangeType.TOPIC, durable=True)
            queue = await channel.declare_queue(f"shop of {name}", durable=True)
            await queue.bind(exchange, "postrider.#")
            await queue.consume(self._on_message)
            self.listens.set()
            await lost(connection)
        finally:
            await close(connection)

    async def _on_message(self, message: aio_pika.abc.AbstractIncomingMessage) -> None:
        self.events.append(json.loads(message.body))
        with suppress(*ERRORS):  # one that could not be acknowledged comes again
            await message.ack()

    def first_seen(self, name: str) -> list[tuple[int, str]]:
        """The steps of an order in the order in which each came first."""
        about = [event for event in self.events if event["data"].get("external_id") == name]
        steps = ((event["sequence"], event["type"].removeprefix("postrider.order.")) for event in about)
        return list(dict.fromkeys(steps))

    def told(self, kind: str) -> list[dict[str, Any]]:
        """The events of a type, each once."""
        return list({event["id"]: event for event in self.events if event["type"] == kind}.values())

    def command(self, kind: str, subject: str, data: dict[str, Any], **more: Any) -> bytes:
        """An event of ours; told again it is the same."""
        names = {"specversion": "1.0", "id": str(uuid4()), "source": "shop", "type": f"postrider.command.{kind}"}
        return json.dumps(names | {"subject": subject, "data": data} | more).encode()

    async def tell(self, *bodies: bytes) -> None:
        """Send them until the broker has them all."""
        url, queue = self._settings.rabbitmq_url, self._settings.rabbitmq_queue
        while True:
            with suppress(*ERRORS):
                async with asyncio.timeout(PATIENCE_S / 2), await aio_pika.connect(url) as connection:
                    channel = await connection.channel(on_return_raises=True)
                    for body in bodies:
                        message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
                        await channel.default_exchange.publish(message, queue)
                    return
            await asyncio.sleep(0.1)


@pytest_asyncio.fixture
async def shop(settings) -> AsyncIterator[Shop]:
    made = Shop(settings)
    task = asyncio.create_task(made.listen())
    await until(made.listens.is_set)
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest_asyncio.fixture
async def pool(settings) -> AsyncIterator[asyncpg.Pool]:
    async with asyncpg.create_pool(settings.database_url, min_size=0, max_size=8) as made:
        yield made


@pytest_asyncio.fixture
async def gateway(settings, pool) -> AsyncIterator[None]:
    """The role, for as long as the test lasts."""
    stop = asyncio.Event()
    role = asyncio.create_task(roles.run("gateway", settings, stop))
    await until(lambda: pool.fetchval("SELECT count(*) FROM event_targets WHERE way = 'rabbitmq' AND off_at IS NULL"))
    yield
    stop.set()
    await role


ENDS = {"pickup": RESTAURANT, "dropoff": HOME}


async def test_a_shops_orders_come_in_once_and_every_step_goes_out_in_order_though_the_broker_dies(
    admin, pool, broker, shop, gateway, settings
):
    """It is killed while the shop tells of one order after the other, and events happen while it is away."""
    names: list[str] = []
    is_closed = asyncio.Event()

    async def sell() -> None:
        while not is_closed.is_set():
            names.append(name := f"A-{len(names)}")
            created = shop.command("order.create", name, ENDS, sequence=1)
            changed = shop.command("order.change", name, {"priority": 3}, sequence=2)
            cancelled = shop.command("order.cancel", name, {"reason": "changed mind"}, sequence=3)
            await shop.tell(created, cancelled, created, changed, cancelled)  # out of order, and twice

    wanted = [(1, "placed"), (2, "changed"), (3, "cancelled")]
    selling = asyncio.gather(*(sell() for _ in range(3)))
    await until(lambda: shop.first_seen("A-0") == wanted)
    await until(lambda: broker.has_noted(settings.rabbitmq_queue))
    await asyncio.to_thread(broker.kill)
    answer = await admin.post("/v1/orders", json=ENDS | {"external_id": "by hand"})
    assert answer.status_code == 201, answer.text
    answer = await admin.post(f"/v1/orders/{answer.json()['id']}/cancel", json={"reason": "changed mind"})
    assert answer.status_code == 200, answer.text
    n_before = len(names)
    await asyncio.to_thread(broker.start)
    await until(lambda: len(names) > n_before)
    is_closed.set()
    await selling
    for name in names:
        await until(lambda name=name: len(shop.first_seen(name)) >= len(wanted))
        assert shop.first_seen(name) == wanted
    await until(lambda: shop.first_seen("by hand") == [(1, "placed"), (2, "cancelled")])
    orders = await pool.fetch("SELECT external_id, state, priority FROM orders WHERE external_id LIKE 'A-%'")
    assert sorted(tuple(row) for row in orders) == sorted((name, "cancelled", 3) for name in names)
    assert await pool.fetchval("SELECT count(*) FROM inbox WHERE state <> 'done'") == 0


async def test_poison_is_set_aside_told_and_brought_back_and_keeps_nobody_waiting(admin, pool, shop, gateway, settings):
    await shop.tell(b"{nonsense")
    await shop.tell(shop.command("order.eat", "B-1", {}))
    north = shop.command("order.create", "B-2", ENDS | {"region": "north"})
    for _ in range(2):
        await shop.tell(north)
    await shop.tell(shop.command("order.ready", "B-3", {}))  # before the order is there
    await shop.tell(shop.command("order.create", "B-3", ENDS))
    await until(lambda: pool.fetchval("SELECT ready_at FROM orders WHERE external_id = 'B-3'"))
    letters = await until(lambda: enough(list_letters(settings), 3))
    by_subject = {row["subject"]: row for row in letters}
    assert by_subject["B-1"]["reason"].startswith("There is no such command.")
    assert "/data/region" in by_subject["B-2"]["reason"] or "/region" in by_subject["B-2"]["reason"]
    assert "malformed" in by_subject[""]["reason"]
    await until(lambda: shop.told("postrider.command.refused")[2:])
    assert {event["data"]["subject"] for event in shop.told("postrider.command.refused")} == {"", "B-1", "B-2"}
    await until(lambda: pool.fetchval("SELECT count(*) FROM alerts WHERE source = 'inbox' AND resolved_at IS NULL"))
    made = await admin.post("/v1/regions", json={"name": "north", "title": "North", "timezone": "UTC"})
    assert made.status_code == 201, made.text
    assert await replay(settings) == 3
    await until(lambda: pool.fetchval("SELECT count(*) FROM orders WHERE external_id = 'B-2' AND region = 'north'"))
    await until(lambda: enough(list_letters(settings), 2))  # nobody has mended those
    await pool.execute("DELETE FROM inbox WHERE state = 'dead'")
    await until(lambda: pool.fetchval("SELECT count(*) FROM alerts WHERE source = 'inbox' AND resolved_at IS NOT NULL"))


async def enough(letters, n: int) -> Any:
    """The letters, once there are exactly so many."""
    found = await letters
    return found if len(found) == n else None


async def test_the_demos_queue_counts_and_shows_what_arrives(admin, settings, gateway):
    heard, stop, placed = Heard(), asyncio.Event(), []
    taking = asyncio.create_task(take(settings.rabbitmq_url, settings.rabbitmq_exchange, heard, stop))
    while not heard.n:  # it hears of nothing that happened before it listened
        answer = await admin.post("/v1/orders", json=ENDS)
        assert answer.status_code == 201, answer.text
        placed.append(answer.json()["id"])
        await asyncio.wait([taking], timeout=0.5)
    stop.set()
    await taking
    assert any(f"postrider.order.placed           {one} #1" in heard.lines()[0] for one in placed)


async def test_the_pages_example_places_an_order_and_hears_of_it(settings, gateway, pool, tmp_path):
    environ = dict(os.environ) | {"POSTRIDER_RABBITMQ_URL": settings.rabbitmq_url}
    names = {"postrider.events": settings.rabbitmq_exchange, "postrider.commands": settings.rabbitmq_queue}

    async def is_made():
        with suppress(*ERRORS):
            async with await aio_pika.connect(settings.rabbitmq_url) as connection:
                return await (await connection.channel()).declare_queue(settings.rabbitmq_queue, passive=True)

    await until(is_made)
    assert await said_by("rabbit", tmp_path, environ, names) == ["postrider.order.placed"]
    assert await pool.fetchval("SELECT count(*) FROM orders WHERE external_id LIKE 'A-%'") == 1
