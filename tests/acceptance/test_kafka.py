"""Events out over Kafka, and commands in: each once in effect, of one order in order, though the broker forgets."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError

from app import roles
from app.gateway import kafka
from app.gateway.inbox import LAG
from app.gateway.kafka import Kafka, ended
from tests.acceptance.test_orders import HOME, RESTAURANT, Town, town  # noqa: F401 - fixtures
from tests.brokers import KafkaServer, missing_kafka
from tests.examples import said_by
from tests.waiting import until

ENDS = {"pickup": RESTAURANT, "dropoff": HOME}


@pytest.fixture(scope="module")
def broker() -> Iterator[KafkaServer]:
    if reason := missing_kafka():
        pytest.skip(reason)
    server = KafkaServer()
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def settings(settings, broker, monkeypatch):
    """Topics of its own for each test: the broker outlives them."""
    # As many as this broker makes of a topic that it forgot, when a client that knew it asks for it before we make it:
    # what that client sends to a part beyond them is acknowledged, and read by nobody.
    monkeypatch.setattr(kafka, "PARTITIONS", 4)
    name = uuid4().hex
    names = {
        "kafka_events": f"events.{name}",
        "kafka_commands": f"commands.{name}",
        "kafka_dead_letters": f"dead.{name}",
    }
    return replace(settings, kafka_servers=broker.address, **names)


@pytest_asyncio.fixture
async def pool(settings) -> AsyncIterator[asyncpg.Pool]:
    async with asyncpg.create_pool(settings.database_url, min_size=0, max_size=8) as made:
        yield made


@pytest_asyncio.fixture
async def gateway(settings, pool) -> AsyncIterator[None]:
    """The role, for as long as the test lasts."""
    stop = asyncio.Event()
    role = asyncio.create_task(roles.run("gateway", settings, stop))
    await until(lambda: pool.fetchval("SELECT count(*) FROM event_targets WHERE way = 'kafka' AND off_at IS NULL"))
    yield
    stop.set()
    await role


class Shop:
    """A system elsewhere that reads our topics from their beginning, and tells us of orders."""

    def __init__(self, settings) -> None:
        self._kafka = Kafka.of(settings)
        self.events: list[dict[str, Any]] = []
        self.letters: list[dict[str, Any]] = []
        self._begins_anew = False

    def begin_anew(self) -> None:
        """Read from the beginning: a broker that forgot counts from nothing again."""
        self._begins_anew = True

    async def listen(self) -> None:
        while True:
            with suppress(KafkaError, OSError):
                await self._take()
            await asyncio.sleep(0.1)

    async def _take(self) -> None:
        await self._kafka.ensure_topics()
        topics = (self._kafka.events, self._kafka.dead)
        self._begins_anew = False
        consumer = AIOKafkaConsumer(*topics, **self._kafka.client(), auto_offset_reset="earliest")
        try:
            await consumer.start()
            while True:
                found = await consumer.getmany(timeout_ms=200)
                if self._begins_anew:
                    return
                for partition, messages in found.items():
                    told = self.events if partition.topic == self._kafka.events else self.letters
                    told += [json.loads(message.value) for message in messages]
                if not await self._is_there(consumer):
                    return
        finally:
            await ended(consumer.stop())

    async def _is_there(self, consumer: Any) -> bool:
        """Whether the broker still knows the topics; one that was killed knows nothing."""
        return self._kafka.events in await consumer.topics()

    def first_seen(self, name: str) -> list[tuple[int, str]]:
        """The steps of an order in the order in which each came first."""
        about = [event for event in self.events if event["data"].get("external_id") == name]
        steps = ((event["sequence"], event["type"].removeprefix("postrider.order.")) for event in about)
        return list(dict.fromkeys(steps))

    def command(self, kind: str, subject: str, data: dict[str, Any], **more: Any) -> bytes:
        """An event of the shop's; told again it is the same."""
        names = {"specversion": "1.0", "id": str(uuid4()), "source": "shop", "type": f"postrider.command.{kind}"}
        return json.dumps(names | {"subject": subject, "data": data} | more).encode()

    async def tell(self, *bodies: bytes) -> None:
        """Send them until the broker has them, keyed by their subject."""
        while True:
            producer = AIOKafkaProducer(**self._kafka.client(), acks="all")
            try:
                await self._kafka.ensure_topics()
                await producer.start()
                for body in bodies:
                    await producer.send_and_wait(self._kafka.commands, body, json.loads(body)["subject"].encode())
            except (KafkaError, OSError):
                await asyncio.sleep(0.1)
            else:
                return
            finally:
                await ended(producer.stop())


@pytest_asyncio.fixture
async def shop(settings) -> AsyncIterator[Shop]:
    made = Shop(settings)
    task = asyncio.create_task(made.listen())
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_shops_orders_come_in_once_and_every_step_goes_out_in_order_though_the_broker_forgets(
    pool, broker, shop, gateway
):
    def life(name: str) -> list[bytes]:
        created = shop.command("order.create", name, ENDS, sequence=1)
        changed = shop.command("order.change", name, {"priority": 3}, sequence=2)
        cancelled = shop.command("order.cancel", name, {"reason": "changed mind"}, sequence=3)
        return [created, cancelled, created, changed, cancelled]  # out of order, and twice

    lives = [life(f"A-{n}") for n in range(6)]
    wanted = [(1, "placed"), (2, "changed"), (3, "cancelled")]
    await shop.tell(*lives[0], *lives[1])
    for name in ("A-0", "A-1"):
        await until(lambda name=name: shop.first_seen(name) == wanted)
    more = asyncio.create_task(shop.tell(*lives[2], *lives[3]))
    broker.kill()
    shop.begin_anew()
    await asyncio.to_thread(broker.start)
    await more
    await shop.tell(*(body for life in lives for body in life))  # the shop knows what was forgotten, and tells all anew
    for n in (0, 1, 4, 5):
        await until(lambda name=f"A-{n}": shop.first_seen(name)[-1:] == wanted[-1:])
        assert shop.first_seen(f"A-{n}") == wanted
    ends = [(f"A-{n}", "cancelled", 3) for n in range(6)]

    async def have_ended():
        orders = await pool.fetch("SELECT external_id, state, priority FROM orders ORDER BY 1")
        return [tuple(row) for row in orders] == ends

    await until(have_ended)
    # A broker that lives in memory forgets what it has confirmed, too: of what was under way it may lack some.
    for n in (2, 3):
        assert shop.first_seen(f"A-{n}") == sorted(shop.first_seen(f"A-{n}"))
    await until(lambda: LAG.labels("kafka")._value.get() == 0)


async def test_what_a_shop_recorded_offline_leaves_the_same_as_told_on_time_and_poison_goes_to_its_topic(
    town,  # noqa: F811
    pool,
    shop,
    gateway,
):
    """Picked up and delivered hours ago, told in the wrong order, and twice."""
    began = datetime.now(UTC) - timedelta(hours=3)
    ana, phone = await town.hire("Ana")
    for name in ("on time", "offline"):
        order = await town.place(external_id=name)
        given = await town.staff.post(f"/v1/orders/{order['id']}/reassign", json={"courier_id": ana, "reason": "near"})
        assert given.status_code == 200, given.text
        assert (await phone.post(f"/v1/offers/{await town.offered(phone, order['id'])}/accept")).status_code == 200
    await pool.execute("UPDATE orders SET placed_at = $1, assigned_at = $1, accepted_at = $1", began)
    at = {"picked_up": began + timedelta(minutes=20), "delivered": began + timedelta(minutes=50)}

    def step(name: str, kind: str, **more: Any) -> bytes:
        return shop.command(f"order.{kind}", name, {}, time=at[kind].isoformat(), **more)

    await shop.tell(step("on time", "picked_up"), step("on time", "delivered"))
    last, first = step("offline", "delivered"), step("offline", "picked_up")
    await shop.tell(last, last, b'{"subject": "nonsense"}', first, first, step("offline", "picked_up"))
    query = "SELECT state, picked_up_at, delivered_at, courier_id FROM orders WHERE external_id = $1"
    for name in ("on time", "offline"):
        await until(lambda name=name: pool.fetchval(f"SELECT state = 'delivered' FROM ({query}) AS o", name))
    on_time, offline = [dict(await pool.fetchrow(query, name)) for name in ("on time", "offline")]
    assert on_time == offline
    assert (offline["picked_up_at"], offline["delivered_at"]) == (at["picked_up"], at["delivered"])
    await until(lambda: shop.letters)
    assert shop.letters[0]["data"]["subject"] == "nonsense"
    assert shop.letters[0]["type"] == "postrider.command.refused"


async def test_the_pages_example_places_an_order_and_hears_of_it(settings, gateway, pool, tmp_path):
    await Kafka.of(settings).ensure_topics()
    environ = dict(os.environ) | {"POSTRIDER_KAFKA_SERVERS": settings.kafka_servers}
    names = {"postrider.events": settings.kafka_events, "postrider.commands": settings.kafka_commands}
    assert await said_by("topic", tmp_path, environ, names) == ["postrider.order.placed"]
    assert await pool.fetchval("SELECT count(*) FROM orders WHERE external_id LIKE 'A-%'") == 1
