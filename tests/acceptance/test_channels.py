"""Messages to people: alerts to staff, steps to recipients; each once, nobody kept waiting by who hangs."""

import asyncio
import json
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import http_ece
import pytest
import pytest_asyncio
import redis.asyncio as aioredis
from py_vapid import Vapid02

from app.messages.arriving import Notices
from app.messages.messenger import Messenger
from app.messages.push import Push
from app.messages.services import Services
from dispatch import alert_rows
from dispatch.alert_kind import AlertKind
from dispatch.alert_rows import AlertChange
from dispatch.arrivals.answers import OrderArrivals
from dispatch.arrivals.eta import Eta
from dispatch.stop import PlannedStop, StopKind
from tests.acceptance.test_orders import HOME, town  # noqa: F401 - fixture
from tests.receiver import receiver
from tests.unit.app.messages.test_push import browser
from tests.waiting import until
from tracking.position import Region


@asynccontextmanager
async def pushed():
    """A push service: its address, what came, and the status it answers."""
    came, status = [], [201]

    async def serve(reader, writer):
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in head[1:])}
                came.append((headers, await reader.readexactly(int(headers["content-length"]))))
                writer.write(f"HTTP/1.1 {status[0]} X\r\nContent-Length: 0\r\n\r\n".encode())
                await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/browser", came, status


PUSH = Push(allow_private=True, contact="mailto:nobody@example.com")
DOOR = HOME | {"contact": {"phone": "+351 912 345 678", "language": "ru"}}


@pytest.fixture
def settings(settings):
    """The services of the tests are on this machine."""
    return replace(settings, webhooks_private=True)


@pytest_asyncio.fixture
async def pool(settings):
    async with asyncpg.create_pool(settings.database_url, min_size=0, max_size=8) as made:
        yield made


@pytest_asyncio.fixture
async def services(api):
    """The API's and the gateway's: to start the processes costs more than the rest of a test."""
    made = Services(allow_private=True, within_s=60, at_once=2)
    api.state.services = made
    yield made
    await made.close()


async def raise_alert(pool, settings, kind, now):
    async with aioredis.Redis.from_url(settings.redis_url) as redis:
        change = AlertChange(kind=kind)
        await alert_rows.write(pool, redis, Region("default"), source="test", raised=[change], resolved=[], now=now)


async def add(admin, **facts):
    answer = await admin.post("/v1/channels", json=facts)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def said(messenger):
    await messenger.turn()
    await messenger.settle()


async def test_alerts_are_said_together_and_to_others_when_nobody_acknowledges(admin, pool, settings, services):
    clock = [datetime.now(UTC)]
    messenger = Messenger(pool, services, PUSH, public_url="", now=lambda: clock[0], chance=lambda: 0.5)
    async with receiver() as chat, receiver() as boss, receiver() as broken:
        url = chat.url.replace("http", "json")
        channel = await add(admin, url=f"{url}/SECRET-OF-THE-URL", description="the chat", group_s=30)
        await add(admin, url=boss.url.replace("http", "json"), after_s=600, group_s=0)
        await add(admin, url=broken.url.replace("http", "json"), kinds=["silent"], group_s=0)
        broken.answer = lambda _: 500
        assert "SECRET" not in (await admin.get("/v1/channels")).text
        assert "SECRET" not in (await admin.get("/v1/audit")).text
        assert (await admin.post(f"/v1/channels/{channel['id']}/test")).json() == {"sent": True}
        chat.events.clear()
        await raise_alert(pool, settings, AlertKind.SILENT, clock[0])
        await raise_alert(pool, settings, AlertKind.LATE, clock[0])
        await said(messenger)
        assert chat.events == []
        clock[0] += timedelta(seconds=60)
        await said(messenger)
        await said(messenger)
        [told] = chat.events
        assert told["message"].splitlines() == ["Silent", "Late"]
        assert "alerts: 2" in told["title"]
        assert boss.events == []
        [_, _, failing] = (await admin.get("/v1/channels")).json()["items"]
        assert (failing["n_waiting"], failing["last_error"]) == (1, "the service did not take it")

        [first, _] = (await admin.get("/v1/alerts")).json()["items"]
        await admin.post(f"/v1/alerts/{first['id']}/acknowledge")
        clock[0] += timedelta(seconds=700)
        broken.answer = lambda _: 200
        await said(messenger)
        [woken] = boss.events
        assert woken["message"].splitlines() == ["Silent" if first["kind"] == "late" else "Late"]
        rows = await pool.fetch("SELECT outcome, count(*) AS n FROM messages GROUP BY 1 ORDER BY 1")
        assert {row["outcome"] for row in rows} <= {"sent", "needless"}


async def test_a_service_that_hangs_keeps_nobody_waiting_and_at_night_nobody_is_woken(admin, pool, settings, services):
    now = datetime.now(UTC)
    messenger = Messenger(pool, services, PUSH, public_url="")
    async with receiver() as hanging, receiver() as well, receiver() as asleep:
        hanging.silence = True
        for one in (hanging, well):
            await add(admin, url=one.url.replace("http", "json"), group_s=0)
        night = {"from": f"{now - timedelta(hours=1):%H:%M}", "to": f"{now + timedelta(hours=1):%H:%M}"}
        await add(admin, url=asleep.url.replace("http", "json"), group_s=0, quiet=night)
        await raise_alert(pool, settings, AlertKind.LATE, now)

        async def turn():
            await messenger.turn()
            return well.events and await pool.fetchval("SELECT max(due_at) > now() + interval '30 min' FROM messages")

        await until(turn)
        await messenger.settle()
        assert (len(well.events), asleep.events) == (1, [])


async def test_a_recipient_is_told_each_step_once_in_their_language(town, admin, pool, settings, services):  # noqa: F811
    class Near:
        async def of_order(self, order_id):
            at = datetime.now(UTC).timestamp() + 500
            eta = Eta(
                stop=PlannedStop(order_id, StopKind.DROPOFF),
                p10=at,
                p50=at,
                p90=at,
                computed_at=at,
                source="",
                confidence=1,
            )
            return OrderArrivals(pickup=None, dropoff=eta)

    await admin.patch("/v1/regions/default", json={"settings": {"recipient": {"sender": "Acme"}}})
    messenger = Messenger(pool, services, PUSH, public_url="https://track.example.com/")
    async with receiver() as sms:
        refused = await admin.post(
            "/v1/channels", json={"url": sms.url.replace("http", "json"), "audience": "recipients"}
        )
        assert refused.status_code == 400
        url = sms.url.replace("http", "json") + "/{phone}"
        channel = await add(admin, url=url, audience="recipients")
        asked = await admin.post(f"/v1/channels/{channel['id']}/test", json={"phone": "1"})
        assert asked.json() == {"sent": True}
        sms.events.clear()
        ana, phone = await town.hire("Ana")
        shop = {"name": "Adega", "lat": 41.1496, "lon": -8.6109, "prepare_s": 0}
        place = (await town.staff.post("/v1/places", json=shop)).json()
        order = await town.place(dropoff=DOOR, pickup={"place_id": place["id"]}, lines=[{"item": "Cola"}])
        await town.place()  # nobody's number is known
        given = {"courier_id": ana, "reason": "test"}
        assert (await town.staff.post(f"/v1/orders/{order['id']}/reassign", json=given)).status_code == 200
        await phone.post(f"/v1/offers/{await town.offered(phone, order['id'])}/accept")
        await said(messenger)
        await phone.post(f"/v1/orders/{order['id']}/picked-up", json={"missing": [{"item": "Cola"}]})
        await said(messenger)
        for _ in range(2):
            await Notices(pool, Near()).once()
            await said(messenger)
        await phone.post(f"/v1/orders/{order['id']}/delivered")
        await said(messenger)
        said_so = [event["message"] for event in sms.events]
        assert [one.partition(" https")[0] for one in said_so] == [
            "Acme: Ваш заказ принят.",
            "Acme: Ваш заказ в пути. Без того, что закончилось: 1 × Cola.",
            "Acme: Ваш заказ будет примерно через 10 минут.",
            "Acme: Ваш заказ доставлен.",
        ]
        link = said_so[0].partition("https://track.example.com")[2]
        assert "delivered" in (await admin.get(link, headers={"Accept": "text/html"})).text
        assert "912345678" not in str(await pool.fetch("SELECT m::text FROM messages AS m"))


async def test_a_channel_is_changed_and_what_waited_is_said_where_it_points_now(admin, pool, settings, services):
    messenger = Messenger(pool, services, PUSH, public_url="")
    async with receiver() as broken, receiver() as chat:
        broken.answer = lambda _: 500
        night = {"from": "00:00", "to": "00:00"}
        channel = await add(admin, url=broken.url.replace("http", "json"), kinds=["late"], group_s=0)
        path = f"/v1/channels/{channel['id']}"
        await raise_alert(pool, settings, AlertKind.LATE, datetime.now(UTC))
        await said(messenger)
        for change, pointer in (
            ({"kinds": ["sleepy"]}, "/kinds/0"),
            ({"url": "nonsense://x"}, "/url"),
            ({"region": "atlantis"}, "/region"),
        ):
            answer = await admin.patch(path, json=change)
            assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)
        assert (await admin.patch(path, json={"quiet": night})).json()["quiet"] == night
        url = chat.url.replace("http", "json")
        told = {"url": f"{url}/SECRET-OF-THE-URL", "kinds": [], "quiet": None, "description": "chat"}
        changed = await admin.patch(path, json=told)
        assert changed.status_code == 200, changed.text
        assert "SECRET" not in changed.text + (await admin.get("/v1/audit")).text
        shown = changed.json()
        assert (shown["description"], shown["n_waiting"], shown.get("quiet"), shown.get("kinds", [])) == (
            "chat",
            1,
            None,
            [],
        )
        await said(messenger)
        assert [event["message"] for event in chat.events] == ["Late"]
    assert (await admin.patch(f"/v1/channels/{UUID(int=1)}", json={})).status_code == 404


async def test_what_is_no_service_is_refused_and_nothing_inside_is_reached(admin, services):
    for url in ("nonsense://x", "syslog://", "json://"):
        answer = await admin.post("/v1/channels", json={"url": url})
        assert (url, answer.status_code, answer.json()["code"]) == (url, 400, "bad-input")
    outside = Services(allow_private=False, at_once=1)
    async with receiver() as inside:
        told = await outside.send(inside.url.replace("http", "json"), "a", "b")
        assert (told.is_sent, inside.events) == (False, [])
    await outside.close()


async def test_a_courier_is_pushed_an_offer_and_a_browser_that_is_gone_is_forgotten(town, pool, services):  # noqa: F811
    push = Push(allow_private=True, contact="mailto:a@example.com")
    messenger = Messenger(pool, services, push, public_url="")
    ana, phone = await town.hire("Ana")
    async with pushed() as (url, came, status):
        key, auth, subscription = browser(url)
        await phone.put("/v1/me/push", json=subscription)
        assert (await phone.put("/v1/me/push", json=subscription)).status_code == 204
        assert (await phone.put("/v1/me/push", json=subscription | {"endpoint": "file:///etc"})).status_code == 400
        order = await town.place()
        given = {"courier_id": ana, "reason": "test"}
        assert (await town.staff.post(f"/v1/orders/{order['id']}/reassign", json=given)).status_code == 200
        await said(messenger)
        [(headers, body)] = came
        told = json.loads(http_ece.decrypt(body, private_key=key, auth_secret=auth, version="aes128gcm"))
        assert told == {"title": "New order", "body": "", "open": "/courier"}
        public_key = (await phone.get("/v1/me/push")).json()["public_key"]
        assert headers["authorization"].endswith(f"k={public_key}")
        assert Vapid02.verify(headers["authorization"])
        status[0] = 410
        other = await town.place()
        assert (await town.staff.post(f"/v1/orders/{other['id']}/reassign", json=given)).status_code == 200
        await said(messenger)
        assert len(came) == 2
        assert await pool.fetchval("SELECT count(*) FROM channels") == 0
        await push.close()
