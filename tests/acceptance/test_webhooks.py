"""Events to other systems: each once in effect, of one order in order, signed; whoever fails keeps nobody waiting."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import jsonschema_rs
import pytest
import pytest_asyncio
import redis.asyncio as aioredis

from app.gateway.sender import Sender
from app.gateway.ways import TAKEN
from app.gateway.webhooks import Webhooks
from app.simulation.sink import sink as demo_sink
from tests.acceptance.test_orders import HOME, Town, town  # noqa: F401 - fixtures
from tests.receiver import Receiver, receiver
from tests.waiting import PATIENCE_S, until


@pytest.fixture
def settings(settings):
    """The receivers of the tests are on this machine."""
    return replace(settings, webhooks_private=True)


@pytest_asyncio.fixture
async def pool(settings) -> AsyncIterator[asyncpg.Pool]:
    async with asyncpg.create_pool(settings.database_url, min_size=0, max_size=8) as made:
        yield made


@asynccontextmanager
async def sending(settings, pool, *, allow_private: bool = True) -> AsyncIterator[Sender]:
    """A gateway at work."""
    stop = asyncio.Event()
    redis = aioredis.Redis.from_url(settings.redis_url)
    async with Webhooks(allow_private=allow_private) as webhooks:
        sender = Sender(pool, redis, {"webhook": webhooks}, chance=lambda: 0.5)
        task = asyncio.create_task(sender.run(stop))
        yield sender
        stop.set()
        await task
    await redis.aclose()


@pytest_asyncio.fixture
async def sink() -> AsyncIterator[Receiver]:
    async with receiver() as made:
        yield made


async def add(admin, sink: Receiver, **facts: Any) -> dict[str, Any]:
    answer = await admin.post("/v1/webhooks", json={"url": sink.url} | facts)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def live_a_day(town: Town) -> tuple[str, dict[str, Any]]:  # noqa: F811
    """An order from its placing to its delivery; the courier's id and the order."""
    ana, phone = await town.hire("Ana")
    order = await town.place(external_id="A-1")
    given = await town.staff.post(f"/v1/orders/{order['id']}/reassign", json={"courier_id": ana, "reason": "near"})
    assert given.status_code == 200, given.text
    assert (await phone.post(f"/v1/offers/{await town.offered(phone, order['id'])}/accept")).status_code == 200
    for step in ("picked-up", "delivered"):
        assert (await phone.post(f"/v1/orders/{order['id']}/{step}")).status_code == 200
    return ana, await town.order(order["id"])


async def test_an_orders_whole_day_arrives_in_order_each_step_once_and_signed(town, admin, settings, pool, sink):  # noqa: F811
    webhook = await add(admin, sink, types=["postrider.order.*"])
    assert "secret" not in (await admin.get(f"/v1/webhooks/{webhook['id']}")).json()
    _, order = await live_a_day(town)
    async with sending(settings, pool):
        await until(lambda: "order.delivered" in sink.types())
        steps = ["placed", "assigned", "offered", "accepted", "picked_up", "delivered"]
        assert sink.types() == [f"order.{step}" for step in steps]
    assert [event["sequence"] for event in sink.events] == [1, 2, 3, 4, 5, 6]
    assert len({event["id"] for event in sink.events}) == 6
    last = sink.events[-1]
    assert last["subject"] == order["id"]
    assert (last["specversion"], last["source"], last["region"]) == ("1.0", "/postrider/regions/default", "default")
    told = {name: value for name, value in last["data"].items() if name != "change"}
    assert told == {name: value for name, value in order.items() if name != "decision"}
    assert last["data"]["change"]["action"] == "delivered"
    assert "actor" not in last["data"]["change"]
    assert [event["data"]["state"] for event in sink.events[:2]] == ["placed", "assigned"]
    assert all(sink.is_signed(webhook["secret"], i) for i in range(6))
    described = (await admin.get("/schema/events")).json()
    for event in sink.events:
        message = {"$ref": f"#/components/messages/{event['type']}/payload"}
        jsonschema_rs.Draft202012Validator(described | message).validate(event)
    deliveries = (await admin.get(f"/v1/webhooks/{webhook['id']}/deliveries")).json()["items"]
    assert [item["event"]["id"] for item in deliveries] == [event["id"] for event in reversed(sink.events)]
    assert {item["status"] for item in deliveries} == {204}


async def test_the_demos_own_system_shows_what_it_is_told_and_takes_nothing_unsigned(town, admin, settings, pool):  # noqa: F811
    for _ in range(2):  # the second one takes the place of the first
        async with demo_sink(admin) as url, httpx.AsyncClient(timeout=PATIENCE_S) as anybody, sending(settings, pool):
            order = await town.place()

            async def is_shown(url=url, anybody=anybody, order=order):
                return f"postrider.order.placed           {order['id']} #1" in (await anybody.get(url)).text

            await until(is_shown)
            assert (await anybody.post(url, content=b'{"type": "made.up"}')).status_code == 401
            assert "made.up" not in (await anybody.get(url)).text
    assert len((await admin.get("/v1/webhooks")).json()["items"]) == 1


async def test_couriers_and_alerts_are_told_and_what_is_undone_is_not(town, admin, settings, pool, sink):  # noqa: F811
    await add(admin, sink, types=["postrider.courier.*", "postrider.alert.raised", "postrider.alert.acknowledged"])
    ana, phone = await town.hire("Ana")
    assert (await phone.post(f"/v1/couriers/{ana}/breaks/start", json={})).status_code in {200, 201}
    assert (await phone.post(f"/v1/couriers/{ana}/breaks/end", json={})).status_code == 200
    assert (await town.staff.post(f"/v1/couriers/{ana}/off-duty")).status_code == 200
    alert_id = await pool.fetchval(
        "INSERT INTO alerts (kind, region, courier_id, raised_at) VALUES ('stuck', 'default', $1, now()) RETURNING id",
        UUID(ana),
    )
    assert (await town.staff.post(f"/v1/alerts/{alert_id}/acknowledge")).status_code == 200
    async with pool.acquire() as connection:
        undone = connection.transaction()
        await undone.start()
        await connection.execute("UPDATE couriers SET on_duty = true WHERE id = $1", UUID(ana))
        await undone.rollback()
    async with sending(settings, pool):
        await until(lambda: "alert.acknowledged" in sink.types() and "courier.off_duty" in sink.types())
    about = [event["type"].removeprefix("postrider.courier.") for event in sink.events if event["subject"] == ana]
    assert about == ["on_duty", "break_started", "break_ended", "off_duty"]
    assert [event["type"] for event in sink.events if event["subject"] == str(alert_id)] == [
        "postrider.alert.raised",
        "postrider.alert.acknowledged",
    ]


async def test_who_fails_or_hangs_gets_it_later_and_keeps_nobody_waiting(town, admin, settings, pool, sink):  # noqa: F811
    async with AsyncExitStack() as stack:
        failing = await stack.enter_async_context(receiver())
        hanging = await stack.enter_async_context(receiver())
        moved = await stack.enter_async_context(receiver())
        failing.answer, hanging.silence, moved.answer = lambda _: 500, True, lambda _: 302
        for one in (failing, hanging, moved, sink):
            await add(admin, one, types=["postrider.order.placed", "postrider.order.cancelled"])
        order = await town.place()
        cancelled = await town.staff.post(f"/v1/orders/{order['id']}/cancel", json={"reason": "changed mind"})
        assert cancelled.status_code == 200, cancelled.text
        await stack.enter_async_context(sending(settings, pool))
        await until(lambda: sink.types() == ["order.placed", "order.cancelled"])
        await until(lambda: failing.events and hanging.events and moved.events)
        # The later step of an order waits for the earlier one.
        assert {*failing.types()} == {"order.placed"}
        failing.answer = lambda _: 200
        await pool.execute("UPDATE outbox_queue SET due_at = now()")
        await pool.execute("UPDATE event_targets SET rests_until = NULL")
        await until(lambda: "order.cancelled" in failing.types())
        *attempts, last = failing.events
        assert len(attempts) > 1
        assert all(attempt == attempts[0] for attempt in attempts)  # the same id: who has it already can tell
        assert last["type"] == "postrider.order.cancelled"
        for one in (hanging, moved):
            assert {*one.types()} == {"order.placed"}  # redirects lead nowhere


async def test_two_gateways_send_nothing_twice_and_one_follows_the_other(town, admin, settings, pool, sink):  # noqa: F811
    await add(admin, sink, types=["postrider.order.placed"])
    async with sending(settings, pool), AsyncExitStack() as other:
        await other.enter_async_context(sending(settings, pool))
        first = {(await town.place())["id"] for _ in range(20)}
        await until(lambda: {event["subject"] for event in sink.events} >= first)
        assert len(sink.events) == 20
        # What a process that was killed leaves behind: a claim that runs out.
        await pool.execute("UPDATE event_targets SET holder = 'gone', held_until = now() + interval '1 second'")
        last = (await town.place())["id"]
        await until(lambda: last in {event["subject"] for event in sink.events})
    assert len(sink.events) == 21


async def test_an_event_that_cannot_be_read_is_left_out_and_the_others_go(town, admin, settings, pool, sink):  # noqa: F811
    await add(admin, sink)
    order = await town.place()
    await pool.execute("UPDATE outbox SET data = '{\"order\": 7}' WHERE subject = $1", UUID(order["id"]))
    good = await town.place()
    async with sending(settings, pool):
        await until(lambda: good["id"] in {event["subject"] for event in sink.events})
        await until(lambda: _nothing_waits(pool))
    assert order["id"] not in {event["subject"] for event in sink.events}


async def _nothing_waits(pool) -> bool:
    return await pool.fetchval("SELECT count(*) FROM outbox_queue") == 0


async def test_who_takes_nothing_for_days_is_turned_off_told_and_on_again(town, admin, settings, pool, sink):  # noqa: F811
    webhook = await add(admin, sink, types=["postrider.order.placed"])
    sink.answer = lambda _: 500
    await town.place()
    await pool.execute("UPDATE outbox_queue SET attempts = 10")
    await pool.execute("UPDATE event_targets SET failing_since = now() - interval '4 days'")
    async with sending(settings, pool):
        await until(lambda: _is_off(admin, webhook["id"]))
        [alert] = await until(lambda: _open_alerts(admin))
        assert (alert["kind"], alert["facts"]["webhook_id"]) == ("webhook_off", webhook["id"])
        missed = await town.place()  # nobody collects for who is off
        sink.answer = lambda _: 200
        assert (await admin.patch(f"/v1/webhooks/{webhook['id']}", json={"enabled": True})).json()["enabled"]
        assert await _open_alerts(admin) == []
        order = await town.place()
        await until(lambda: order["id"] in {event["subject"] for event in sink.events})
        assert missed["id"] not in {event["subject"] for event in sink.events}
        sink.answer = lambda _: 410
        await town.place()
        await until(lambda: _is_off(admin, webhook["id"]))


async def _is_off(admin, webhook_id: str) -> bool:
    return not (await admin.get(f"/v1/webhooks/{webhook_id}")).json()["enabled"]


async def _open_alerts(admin) -> list[Any]:
    return (await admin.get("/v1/alerts", params={"state": "open"})).json()["items"]


async def test_test_button_resend_and_a_new_secret_beside_the_old_one(admin, settings, pool, sink):
    webhook = await add(admin, sink, types=["postrider.order.placed"])
    path = f"/v1/webhooks/{webhook['id']}"
    async with sending(settings, pool):
        assert (await admin.post(f"{path}/test")).status_code == 202
        await until(lambda: sink.types() == ["test"])
        [delivery] = await until(lambda: _deliveries(admin, path))
        assert (await admin.post(f"{path}/deliveries/{delivery['id']}/resend")).status_code == 202
        await until(lambda: len(sink.events) == 2)
        assert sink.events[0] == sink.events[1]
        rotated = (await admin.post(f"{path}/rotate")).json()
        await admin.post(f"{path}/test")
        await until(lambda: len(sink.events) == 3)
        assert sink.is_signed(rotated["secret"])
        assert sink.is_signed(webhook["secret"])
        await pool.execute("UPDATE event_targets SET old_secret_until = now() - interval '1 second'")
        await admin.post(f"{path}/test")
        await until(lambda: len(sink.events) == 4)
        assert sink.is_signed(rotated["secret"])
        assert not sink.is_signed(webhook["secret"])
    assert (await admin.delete(path)).status_code == 204
    assert (await admin.get(path)).status_code == 404


async def _deliveries(admin, path: str) -> list[Any]:
    return (await admin.get(f"{path}/deliveries")).json()["items"]


WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


class Deleting:
    """A way out on which somebody deletes a thing while it is told."""

    at_once = 8
    longest_rest = timedelta(seconds=1)
    has_log = True

    def __init__(self, delete) -> None:
        self._delete = delete
        self.n_sent = 0

    async def send(self, target, letters, now):
        await self._delete(target, letters)
        self.n_sent += len(letters)
        return [TAKEN] * len(letters)


async def test_what_is_deleted_while_it_is_told_is_no_error_and_the_others_are_told(
    town,  # noqa: F811
    admin,
    settings,
    pool,
    caplog,
):
    """The webhook itself, and a person's event: both by staff, in the middle of the attempt."""

    both = asyncio.Barrier(2)

    async def delete(target, letters):
        if way.n_sent < both.parties:
            await both.wait()
        if target["url"].endswith("/gone"):
            assert (await admin.delete(f"/v1/webhooks/{target['id']}")).status_code == 204
        else:
            await pool.execute("DELETE FROM outbox WHERE n = $1", letters[0].row["n"])

    way = Deleting(delete)
    ids = [
        (await admin.post("/v1/webhooks", json={"url": f"http://127.0.0.1:1/{name}"})).json()["id"]
        for name in ("gone", "stays")
    ]
    await town.place()
    redis = aioredis.Redis.from_url(settings.redis_url)
    sender, stop = Sender(pool, redis, {"webhook": way}), asyncio.Event()
    task = asyncio.create_task(sender.run(stop))
    await until(lambda: way.n_sent == 2)
    await town.place()
    await until(lambda: way.n_sent == 3)
    stop.set()
    await task
    await redis.aclose()
    assert (await admin.get(f"/v1/webhooks/{ids[0]}")).status_code == 404
    assert await pool.fetchval("SELECT count(*) FROM outbox_queue") == 0
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


async def test_who_is_deleted_meanwhile_keeps_no_order_from_being_placed(town, admin, settings, pool):  # noqa: F811
    """A webhook and a channel, in a transaction that is not over when the order comes."""
    await admin.post("/v1/webhooks", json={"url": "http://127.0.0.1:1/gone"})
    await pool.execute("INSERT INTO channels (url, service, audience) VALUES ('x://{phone}', 'x', 'recipients')")
    contact = {"contact": {"name": "Rui", "phone": "+351 912 345 678"}}
    for table in ("event_targets", "channels"):
        connection = await asyncpg.connect(settings.database_url)
        deletion = connection.transaction()
        await deletion.start()
        await connection.execute(f"DELETE FROM {table}")
        placing = asyncio.create_task(town.place(dropoff=HOME | contact))
        await until(lambda: pool.fetchval(WAITING))
        await deletion.commit()
        await connection.close()
        assert (await placing)["state"] == "placed"


async def test_a_name_that_stands_for_a_private_address_is_not_called(town, admin, settings, pool, sink):  # noqa: F811
    """Judged where it is connected: what the name stood for when it was given says nothing."""
    webhook = await add(admin, sink, url=sink.url.replace("127.0.0.1", "localhost"), types=["postrider.order.placed"])
    await town.place()
    async with sending(settings, pool, allow_private=False):
        [delivery] = await until(lambda: _deliveries(admin, f"/v1/webhooks/{webhook['id']}"))
    assert "not a public address" in delivery["error"]
    assert sink.events == []
