"""Where couriers are, told to other systems: the newest of each, to everybody who asked, whoever hangs or is killed."""

import asyncio
import os
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import aiomqtt
import asyncpg
import jsonschema_rs
import msgspec
import pytest
import pytest_asyncio

from app import roles
from app.gateway.brokers import keep_brokers
from app.gateway.events import POSITION
from app.gateway.forwarding import Forwarding
from app.gateway.webhooks import Webhooks
from tests.acceptance.test_orders import town
from tests.acceptance.test_webhooks import add
from tests.brokers import Mosquitto, missing_mosquitto
from tests.examples import said_by
from tests.receiver import receiver
from tests.waiting import until
from tracking.intake.roster import Roster
from tracking.lanes import LaneParams
from tracking.log import OUT, PositionLog
from tracking.position import Region

__all__ = ["town"]

REGION = Region("default")
BEGAN = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=10)


@pytest.fixture
def settings(settings):
    """The receivers of the tests are on this machine."""
    return replace(settings, webhooks_private=True)


@pytest_asyncio.fixture
async def pool(settings):
    async with asyncpg.create_pool(settings.database_url, min_size=0, max_size=8) as made:
        yield made


@asynccontextmanager
async def forwarding(pool, redis):
    """The gateway's part of it, until it is killed."""
    async with Webhooks(allow_private=True) as webhooks:
        lanes = LaneParams(lease_s=1.0, beat_s=0.05)
        part = Forwarding(pool, redis, {"webhook": webhooks}, Roster(pool).regions, hold_s=0.0, lanes=lanes)
        task = asyncio.create_task(part.run(asyncio.Event()))
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def report(phone, after_s):
    """The phone says where it is: the farther north, the later."""
    at = BEGAN + timedelta(seconds=after_s)
    fix = {"fixed_at": at.isoformat(), "lat": 41.15 + after_s / 1e5, "lon": -8.61, "accuracy_m": 5}
    answer = await phone.post("/v1/positions", json=fix)
    assert answer.json()["accepted"] == 1, answer.text


def seen(sink):
    """Of each courier, how many seconds after the beginning the told fixes were, in their order."""
    found = {}
    for event in sink.events:
        after = datetime.fromisoformat(event["data"]["fixed_at"]) - BEGAN
        found.setdefault(event["subject"], []).append(after.total_seconds())
    return found


async def has_groups(redis, n):
    """Whether so many read the log for other systems."""
    return len([lag for lag in await PositionLog(redis).lag(REGION) if lag.group.startswith(OUT)]) == n


async def test_everybody_who_asked_is_told_the_newest_and_who_hangs_holds_nobody(town, admin, pool):
    ana, phone = await town.hire("Ana", None)
    rui, other = await town.hire("Rui", None)
    async with receiver() as sink, receiver() as of_ana, receiver() as deaf, receiver() as picky:
        deaf.silence = True
        picky.answer = lambda event: 422 if event["subject"] == rui else 204
        every_s = {"every_s": 1}
        hook = await add(admin, sink, types=[POSITION], positions=every_s)
        assert hook["positions"] == every_s
        await add(admin, of_ana, types=[POSITION], positions=every_s | {"couriers": [ana]})
        gone = await add(admin, deaf, types=["postrider.*", POSITION], positions=every_s)
        await add(admin, picky, types=[POSITION], positions=every_s)
        for after_s in (0, 20, 10):
            await report(phone, after_s)
        await report(other, 5)
        async with forwarding(pool, town.redis):
            await until(lambda: len(sink.events) == 2)
            assert seen(sink) == {ana: [20], rui: [5]}
            await until(lambda: deaf.events)
            await report(phone, 30)
            await until(lambda: seen(sink)[ana][-1] == 30)
            await until(lambda: has_groups(town.redis, 4))
            await until(lambda: seen(picky).get(ana, [0])[-1] == 30)  # though it wants none of the other
            assert sink.is_signed(hook["secret"])
        await report(phone, 40)  # killed: nobody forwards this
        assert (await admin.delete(f"/v1/webhooks/{gone['id']}")).status_code == 204
        async with forwarding(pool, town.redis):
            for one in (sink, of_ana):
                await until(lambda one=one: seen(one).get(ana, [0])[-1] == 40)
                assert sorted(seen(one)[ana]) == seen(one)[ana]
            assert rui not in seen(of_ana)
            await until(lambda: has_groups(town.redis, 3))
        described = (await admin.get("/schema/events")).json()
        shape = jsonschema_rs.Draft202012Validator(described | {"$ref": f"#/components/messages/{POSITION}/payload"})
        for event in sink.events:
            shape.validate(event)
            assert event["id"] == next(one["id"] for one in sink.events if one["sequence"] == event["sequence"])


async def test_positions_are_for_who_names_them(admin, pool):
    async with receiver() as sink:
        answer = await admin.post("/v1/webhooks", json={"url": sink.url, "types": [], "positions": {"every_s": 5}})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/positions")
        hook = await add(admin, sink)
        path = f"/v1/webhooks/{hook['id']}"
        assert "positions" not in hook
        assert (await admin.patch(path, json={"positions": {"every_s": 5}})).status_code == 400
        changed = await admin.patch(path, json={"types": [POSITION], "positions": {"every_s": 5}})
        assert changed.json()["positions"] == {"every_s": 5}
        assert (await admin.patch(path, json={"description": "x"})).json()["positions"] == {"every_s": 5}
        assert (await admin.patch(path, json={"positions": {"every_s": 0}})).status_code == 400
        assert await pool.fetchval("SELECT count(*) FROM outbox_queue") == 0


@pytest.fixture
def broker(tmp_path):
    """A broker of somebody else's."""
    if reason := missing_mosquitto():
        pytest.skip(reason)
    made = Mosquitto(tmp_path)
    made.start()
    yield made
    made.stop()


@asynccontextmanager
async def listening(broker):
    """What a company's system hears at its broker, by topic; both come back after the broker was killed."""
    heard = {}

    async def listen():
        while True:
            with suppress(aiomqtt.MqttError):
                async with aiomqtt.Client(
                    "127.0.0.1",
                    broker.port,
                    identifier="company",
                    clean_session=False,
                    protocol=aiomqtt.ProtocolVersion.V311,
                ) as client:
                    await client.subscribe("fleet/#", qos=1)
                    async for message in client.messages:
                        heard.setdefault(str(message.topic), []).append(msgspec.json.decode(message.payload))
            await asyncio.sleep(0.1)

    task = asyncio.create_task(listen())
    await until(lambda: broker.kept.exists() and b"company" in broker.kept.read_bytes())
    yield heard
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_broker_of_others_is_told_over_mqtt_and_loses_nothing_though_it_is_killed(
    town, pool, settings, broker, caplog, tmp_path
):
    """Orders, and where one courier is, of whom it is to be told; also by the page's example."""
    ana, phone = await town.hire("Ana", None)
    _, other = await town.hire("Rui", None)
    stop, url = asyncio.Event(), f"mqtt://127.0.0.1:{broker.port}/fleet"
    told = replace(settings, mqtt_url=url, broker_positions_s=1, broker_couriers=ana)
    async with listening(broker) as heard:
        gateway = asyncio.create_task(roles.run("gateway", told, stop))
        await until(lambda: pool.fetchval("SELECT count(*) FROM event_targets WHERE way = 'mqtt' AND off_at IS NULL"))
        placed = f"fleet/default/order/placed/{(await town.place())['id']}"
        where = f"fleet/default/courier/position/{ana}"
        await until(lambda: placed in heard)
        await report(other, 5)
        await report(phone, 10)
        await until(lambda: where in heard)
        await asyncio.to_thread(broker.kill)
        meanwhile = f"fleet/default/order/placed/{(await town.place())['id']}"
        for after_s in (20, 30):
            await report(phone, after_s)
        await asyncio.to_thread(broker.start)
        await until(lambda: meanwhile in heard)
        last = (BEGAN + timedelta(seconds=30)).isoformat().replace("+00:00", "Z")
        await until(lambda: heard[where][-1]["data"]["fixed_at"] == last)
        environ = dict(os.environ) | {"BROKER": f"127.0.0.1:{broker.port}"}
        example, after_s = asyncio.create_task(said_by("fleet", tmp_path, environ, {})), 30
        while not example.done():
            after_s += 1
            await report(phone, after_s)
            await asyncio.wait([example], timeout=0.5)
        assert (await example)[0] == ana
        stop.set()
        await gateway
    assert {topic for topic in heard if "/position/" in topic} == {where}
    assert [event["sequence"] for event in heard[where]] == sorted(event["sequence"] for event in heard[where])
    assert "never retrieved" not in caplog.text


async def test_brokers_are_told_of_their_region_and_couriers_only(town, admin, pool, settings):
    """A region that is not there has no events; once it is, the brokers get what happens there."""
    ana, _ = await town.hire("Ana", None)
    chosen = replace(
        settings, rabbitmq_url="amqp://x", broker_positions_s=5, broker_region="north", broker_couriers=ana
    )
    stop = asyncio.Event()
    keeping = asyncio.create_task(keep_brokers(chosen, pool, {"webhook", "rabbitmq"}, stop, look_every_s=0.05))
    query = "SELECT region, position_couriers, position_every_s FROM event_targets WHERE way = 'rabbitmq'"
    made = await admin.post("/v1/regions", json={"name": "north", "title": "North", "timezone": "UTC"})
    assert made.status_code == 201, made.text
    await keeping
    assert tuple(await pool.fetchrow(query)) == ("north", [UUID(ana)], 5)
    await town.place(region="default")
    order = await town.place(region="north")
    assert [row["subject"] for row in await pool.fetch("SELECT subject FROM outbox_queue")] == [UUID(order["id"])]
    await keep_brokers(replace(chosen, broker_region="nowhere"), pool, {"rabbitmq"}, set_(), look_every_s=0)
    await town.place(region="north")
    assert await pool.fetchval("SELECT count(*) FROM outbox_queue") == 1


def set_():
    """An event that has happened: it is time to end."""
    stop = asyncio.Event()
    stop.set()
    return stop
