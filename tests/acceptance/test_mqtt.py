"""MQTT, by clients as they are: aiomqtt as a phone with OwnTracks, mosquitto as a company's broker that bridges."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiomqtt
import msgspec
import pytest

from app.doors import role
from app.machine.servers import free_port
from app.machine.tokens import make_token
from app.settings import Settings
from app.web.auth import Role
from tests.acceptance.test_orders import dispatcher, town
from tests.acceptance.test_phones import quarantined_in_log
from tests.waiting import PATIENCE_S, until

__all__ = ["dispatcher", "town"]

ROOT = Path(__file__).parents[2]
HOME = "owntracks/ana/phone"


def location(at=None, **facts):
    at = at or datetime.now(UTC)
    return msgspec.json.encode(
        {"_type": "location", "tid": "AN", "lat": 41.15, "lon": -8.61, "acc": 5, "tst": int(at.timestamp()), **facts}
    )


def token_of(http):
    return http.headers["Authorization"].removeprefix("Bearer ")


def client(port, token, **more):
    return aiomqtt.Client(
        "127.0.0.1",
        port,
        username="courier",
        password=token,
        timeout=PATIENCE_S,
        protocol=aiomqtt.ProtocolVersion.V311,
        **more,
    )


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


async def test_a_position_is_acknowledged_when_it_is_stored_and_odd_messages_are_set_aside(api, port, town, client_of):
    ana, http = await town.hire("Ana", None, external_id="ana")
    await town.hire("Eve", None, external_id="eve")
    began = datetime.now(UTC) - timedelta(minutes=1)
    async with phone(port, http) as device:
        await device.publish(HOME, location(began), qos=1)
        position = (await town.staff.get(f"/v1/couriers/{ana}/position")).json()
        assert (position["lat"], position["lon"]) == (41.15, -8.61)
        await device.publish(HOME, location(began + timedelta(seconds=5), lat=41.2), qos=2)
        assert (await town.staff.get(f"/v1/couriers/{ana}/position")).json()["lat"] == 41.2
        for topic, payload in (
            (HOME, b"nonsense"),
            (HOME, location(began, lat=99.0)),
            (HOME, b'{"_type":"encrypted","data":"x"}'),
            ("owntracks/eve/phone", location()),
        ):
            await device.publish(topic, payload, qos=1)
        await device.publish(f"{HOME}/status", b'{"_type":"status"}', qos=1)
        await device.publish(HOME, b"", qos=1, retain=True)
    async with phone(port, await client_of(Role.SERVICE)) as broker:
        await broker.publish("owntracks/ana/tracker", location(began + timedelta(seconds=9), lat=41.3), qos=1)
        assert (await town.staff.get(f"/v1/couriers/{ana}/position")).json()["lat"] == 41.3
        await broker.publish("owntracks/nobody/tracker", location(), qos=1)

    reasons = [reason for source, reason in await quarantined_in_log(api) if source == "mqtt"]
    assert reasons == ["unreadable", "out_of_range", "encrypted", "wrong_device", "unknown_courier"]


async def test_who_has_no_token_of_a_courier_or_service_is_not_let_in(port, town, client_of):
    _, http = await town.hire("Ana", None)
    for token in ("pr_c_nobody", token_of(await client_of(Role.VIEWER))):
        with pytest.raises(aiomqtt.MqttCodeError):
            async with client(port, token):
                pass
    with pytest.raises(aiomqtt.MqttCodeError):
        async with aiomqtt.Client(
            "127.0.0.1", port, password=token_of(http), username="x", protocol=aiomqtt.ProtocolVersion.V5
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


async def test_what_cannot_be_stored_is_not_acknowledged_and_comes_again(port, town, settings):
    ana, http = await town.hire("Ana", None)
    at = datetime.now(UTC)
    await town.redis.client_pause(600_000, all=False)
    with pytest.raises(aiomqtt.MqttError):
        async with phone(port, http) as device:
            await device.publish(HOME, location(at), qos=1)
    await town.redis.client_unpause()
    async with phone(port, http) as device:
        await device.publish(HOME, location(at), qos=1)
    assert (await town.staff.get(f"/v1/couriers/{ana}/position")).json()["lat"] == 41.15


class Plant:
    """The role and a broker that bridges to it; each can be killed and begun again."""

    def __init__(self, folder, database_url, redis_url, token):
        self.port, self.broker_port = free_port(), free_port()
        environ = {k: v for k, v in os.environ.items() if not k.startswith("POSTRIDER_")}
        environ |= {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "POSTRIDER_MQTT_PORT": str(self.port)}
        self._environ = environ
        self.kept = folder / "mosquitto.db"
        (folder / "mosquitto.conf").write_text(BROKER.format(folder=folder, token=token, **vars(self)))
        self._commands = {
            "doors": [sys.executable, "-m", "app", "doors"],
            "broker": [
                shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin"),
                "-c",
                folder / "mosquitto.conf",
            ],
        }
        self.running = {}

    def begin(self, name):
        self.running[name] = subprocess.Popen(self._commands[name], cwd=ROOT, env=self._environ)

    def kill(self, name):
        self.running[name].kill()
        self.running[name].wait()

    def end(self):
        for process in self.running.values():
            if process.poll() is None:
                process.terminate()
                process.wait(PATIENCE_S)


BROKER = """
listener {broker_port} 127.0.0.1
allow_anonymous true
user root
persistence true
persistence_location {folder}/
max_queued_messages 100000
connection postrider
address 127.0.0.1:{port}
bridge_protocol_version mqttv311
cleansession false
remote_username company
remote_password {token}
restart_timeout 1 2
topic owntracks/# out 1
"""


@pytest.fixture
async def plant(tmp_path, database_url, redis_url, town):
    token = await make_token(database_url, Role.SERVICE, "broker")
    made = Plant(tmp_path, database_url, redis_url, token)
    yield made
    made.end()


async def test_what_a_companys_broker_took_is_stored_once_though_both_are_killed(plant, town, writer):
    """mosquitto bridges to us; first we are killed in mid-flow, then it, while we are away."""
    ana, _ = await town.hire("Ana", None, external_id="ana")
    began = datetime.now(UTC) - timedelta(minutes=10)
    sent = 0

    async def publish(n):
        nonlocal sent
        async with aiomqtt.Client("127.0.0.1", plant.broker_port, timeout=PATIENCE_S) as company:
            for _ in range(n):
                at = began + timedelta(seconds=5 * sent)
                await company.publish(HOME, location(at, lat=41.15 + sent / 1e4), qos=1)
                sent += 1

    async def n_stored():
        span = {"from": began.isoformat(), "resolution": "raw", "format": "csv"}
        text = (await town.staff.get(f"/v1/couriers/{ana}/track", params=span)).text
        return len(text.splitlines()) - 1

    plant.begin("broker")
    plant.begin("doors")
    await until(lambda: can_connect(plant.broker_port))
    await publish(20)
    await until(n_stored)
    await publish(5)
    plant.kill("doors")
    await publish(20)
    plant.running["broker"].send_signal(signal.SIGUSR1)  # writes what it holds to its disk
    last = f"{41.15 + (sent - 1) / 1e4}".encode()
    await until(lambda: plant.kept.exists() and last in plant.kept.read_bytes())
    plant.kill("broker")
    plant.begin("broker")
    plant.begin("doors")

    async def all_are_there():
        return await n_stored() == sent

    await until(all_are_there)
    position = (await town.staff.get(f"/v1/couriers/{ana}/position")).json()
    assert position["lat"] == pytest.approx(41.15 + (sent - 1) / 1e4)


async def can_connect(port):
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
