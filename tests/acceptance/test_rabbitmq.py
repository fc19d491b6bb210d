"""Orders in over RabbitMQ, and events out; what can have no effect is set aside."""

import asyncio
import json
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
from aiormq.exceptions import AMQPError

from app import roles
from app.machine.command_letters import list_letters, replay
from tests.acceptance.test_orders import HOME, RESTAURANT
from tests.brokers import RabbitServer, missing_rabbitmq
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
    return replace(settings, rabbitmq_url=broker.url)


class Shop:
    """A system elsewhere, with a queue of its own for our events; it comes back whenever the broker does."""

    def __init__(self, broker: RabbitServer) -> None:
        self._broker = broker
        self.events: list[dict[str, Any]] = []
        self.listens = asyncio.Event()

    async def listen(self) -> None:
        while True:
            with suppress(AMQPError, OSError, RuntimeError):
                await self._take()
            self.listens.clear()
            await asyncio.sleep(0.1)

    async def _take(self) -> None:
        connection = await aio_pika.connect(self._broker.url, timeout=PATIENCE_S / 4)
        async with connection:
            channel = await connection.channel()
            exchange = await channel.declare_exchange("postrider.events", aio_pika.ExchangeType.TOPIC, durable=True)
            queue = await channel.declare_queue("shop", durable=True)
            await queue.bind(exchange, "postrider.#")
            lost = asyncio.ensure_future(connection.closed())
            await queue.consume(self._on_message)
            self.listens.set()
            await lost

    async def _on_message(self, message: aio_pika.abc.AbstractIncomingMessage) -> None:
        self.events.append(json.loads(message.body))
        await message.ack()

    def told(self, kind: str) -> list[dict[str, Any]]:
        """The events of a type, each once."""
        return list({event["id"]: event for event in self.events if event["type"] == kind}.values())

    def command(self, kind: str, subject: str, data: dict[str, Any], **more: Any) -> bytes:
        """An event of ours; told again it is the same."""
        names = {"specversion": "1.0", "id": str(uuid4()), "source": "shop", "type": f"postrider.command.{kind}"}
        return json.dumps(names | {"subject": subject, "data": data} | more).encode()

    async def tell(self, *bodies: bytes) -> None:
        """Send them until the broker has them all."""
        while True:
            with suppress(AMQPError, OSError, RuntimeError):
                async with await aio_pika.connect(self._broker.url, timeout=PATIENCE_S / 4) as connection:
                    channel = await connection.channel()
                    await channel.declare_queue("postrider.commands", passive=True)
                    for body in bodies:
                        message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
                        await channel.default_exchange.publish(message, "postrider.commands", timeout=PATIENCE_S / 4)
                    return
            await asyncio.sleep(0.1)


@pytest_asyncio.fixture
async def shop(broker) -> AsyncIterator[Shop]:
    made = Shop(broker)
    task = asyncio.create_task(made.listen())
    await made.listens.wait()
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
