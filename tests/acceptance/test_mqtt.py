"""MQTT, by a client as it is: aiomqtt as a phone with OwnTracks."""

import asyncio
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import aiomqtt
import msgspec
import pytest

from app.doors import role
from app.machine.servers import free_port
from app.settings import Settings
from app.web.auth import Role
from tests.acceptance.test_orders import dispatcher, town
from tests.waiting import PATIENCE_S, until

__all__ = ["dispatcher", "town"]

ROOT = Path(__file__).parents[2]
HOME = "owntracks/ana/phone"


@pytest.fixture(autouse=True)
def unhurried():
    """The program's own limits: a server hangs in one of these tests."""


def location(at=None, **facts):
    at = at or datetime.now(UTC)
    return msgspec.json.encode(
        {"_type": "location", "tid": "AN", "lat": 41.15, "lon": -8.61, "acc": 5, "tst": int(at.timestamp()), **facts}
    )


def token_of(http):
    return http.headers["Authorization"].removeprefix("Bearer ")


def client(port, token, **more):
    more = {"protocol": aiomqtt.ProtocolVersion.V311, "timeout": PATIENCE_S} | more
    return aiomqtt.Client("127.0.0.1", port, username="courier", password=token, **more)


@pytest.fixture
def settings(database_url, redis_url):
    return Settings(database_url=database_url, redis_url=redis_url, token_cache_s=0.05, mqtt_port=free_port())


@pytest.fixture
async def port(api, settings):
    stop = asyncio.Event()
    server = asyncio.create_task(role.doors(settings, api)["mqtt"](stop))
    await until(lambda: can_connect(settings.mqtt_port))
    yield settings.mqtt_port
    stop.set()
    await server


@asynccontextmanager
async def phone(port, http, *topics):
    """A phone with these subscriptions; `await told(topic)` gives the next message there."""
    async with client(port, token_of(http)) as connected:
        for topic in topics:
            await connected.subscribe(topic, qos=1)

        async def told(topic):
            async with asyncio.timeout(PATIENCE_S):
                async for message in connected.messages:
                    if str(message.topic) == topic:
                        return msgspec.json.decode(message.payload)
            raise AssertionError(topic)

        connected.told = told
        yield connected


async def test_who_has_no_token_of_a_courier_or_service_is_not_let_in(port, town, client_of):
    _, http = await town.hire("Ana", None)
    for token in ("pr_c_nobody", token_of(await client_of(Role.VIEWER))):
        with pytest.raises(aiomqtt.MqttCodeError):
            async with client(port, token):
                pass
    with pytest.raises(aiomqtt.MqttCodeError):
        async with aiomqtt.Client(
            "127.0.0.1",
            port,
            password=token_of(http),
            username="x",
            protocol=aiomqtt.ProtocolVersion.V5,
            timeout=PATIENCE_S,
        ):
            pass


async def test_a_phone_is_told_its_stops_and_who_works_beside_it(port, town, dispatcher):
    """Cards of who is at work, where to go next as waypoints, and a wish to know where the courier is."""
    _, http = await town.hire("Ana Sousa", external_id="ana")
    await town.hire("Eve", None, external_id="eve")
    elsewhere = await town.hire("Rui", None, on_duty=False)
    async with phone(port, http, "owntracks/+/+/info", f"{HOME}/cmd") as device:
        seen = {}
        while len(seen) < 4:
            message = await anext(aiter(device.messages))
            seen.setdefault(str(message.topic), []).append(msgspec.json.decode(message.payload))
            assert elsewhere[0] not in str(message.topic)
        assert seen[f"{HOME}/info"] == [{"_type": "card", "name": "Ana Sousa", "tid": "AS"}]
        assert seen["owntracks/eve/courier/info"] == [{"_type": "card", "name": "Eve", "tid": "EV"}]
        assert seen[f"{HOME}/cmd"][0]["action"] == "reportLocation"
        order = await town.accepted(http)
        while True:
            command = await device.told(f"{HOME}/cmd")
            if command["action"] == "setWaypoints":
                break
        stops = command["waypoints"]["waypoints"]
        assert [(one["lat"], one["lon"]) for one in stops] == [
            (order[end]["lat"], order[end]["lon"]) for end in ("pickup", "dropoff")
        ]
        await town.staff.post(f"/v1/orders/{order['id']}/cancel")
        while (await device.told(f"{HOME}/cmd"))["action"] != "clearWaypoints":
            pass


async def test_what_cannot_be_stored_is_not_acknowledged_and_comes_again(port, town):
    ana, http = await town.hire("Ana", None)
    at = datetime.now(UTC)
    async with client(port, token_of(http)) as device:
        await town.redis.client_pause(600_000, all=False)
        sending = asyncio.create_task(device.publish(HOME, location(at), qos=1))
        with pytest.raises(aiomqtt.MqttError):
            await anext(aiter(device.messages))
        assert not sending.done()
        sending.cancel()
    await town.redis.client_unpause()

    async def comes_again():
        with suppress(aiomqtt.MqttError):
            async with client(port, token_of(http), timeout=5) as device:
                await device.publish(HOME, location(at), qos=1)
                return True

    await until(comes_again)
    assert (await town.staff.get(f"/v1/couriers/{ana}/position")).json()["lat"] == 41.15


async def can_connect(port):
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
