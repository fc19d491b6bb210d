"""The doors beside HTTP are killed while phones, gateways and companies' brokers report by them: nothing is lost."""

import asyncio
import os
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import aiomqtt
import grpc
import pytest

from app.client import postrider_pb2 as pb
from app.machine.servers import free_port
from app.machine.tokens import make_token
from app.web.auth import Role
from tests.acceptance.test_grpc import ROOT, Phone, fix, phone_of, refused, told
from tests.acceptance.test_mqtt import client, location, token_of
from tests.acceptance.test_orders import town
from tests.brokers import Bridge, missing_mosquitto
from tests.waiting import PATIENCE_S, until

__all__ = ["town"]

PACE_S = 0.05
ANSWERED_WITHIN_S = 5
"""Then a phone gives its connection up, and sends again."""


class Doors:
    """The role, as it is run; it can be killed and begun again."""

    def __init__(self, settings):
        self.grpc_port, self.mqtt_port = free_port(), free_port()
        self._environ = {name: value for name, value in os.environ.items() if not name.startswith("POSTRIDER_")} | {
            "DATABASE_URL": settings.database_url,
            "REDIS_URL": settings.redis_url,
            "POSTRIDER_GRPC_PORT": str(self.grpc_port),
            "POSTRIDER_MQTT_PORT": str(self.mqtt_port),
        }
        self.begin()

    def begin(self):
        self._process = subprocess.Popen([sys.executable, "-m", "app", "doors"], cwd=ROOT, env=self._environ)

    def kill(self):
        self._process.kill()
        self._process.wait()

    def end(self):
        if self._process.poll() is None:
            self._process.terminate()
            assert self._process.wait(PATIENCE_S) == 0


@pytest.fixture
def doors(settings):
    made = Doors(settings)
    yield made
    made.end()


@pytest.fixture
async def token(settings):
    return await make_token(settings.database_url, Role.SERVICE, "company")


@pytest.fixture
def broker(doors, token, tmp_path):
    if reason := missing_mosquitto():
        pytest.skip(reason)
    made = Bridge(tmp_path, to_port=doors.mqtt_port, token=token)
    made.start()
    yield made
    made.stop()


async def test_what_was_answered_outlives_kill_9_and_what_was_not_is_sent_again(doors, broker, token, town, writer):
    ana, http = await town.hire("Ana", None)
    rui, _ = await town.hire("Rui", None, external_id="rui")
    eve, _ = await town.hire("Eve", None)
    began = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    answered = dict.fromkeys((ana, rui, eve), 0)
    is_over = asyncio.Event()

    def nth(n):
        return {"at": began + timedelta(seconds=n), "lat": 41.15 + n / 1e5}

    async def over_mqtt(courier_id, topic, port, password):
        while True:
            with suppress(aiomqtt.MqttError):
                async with client(port, password, timeout=ANSWERED_WITHIN_S) as device:
                    while True:
                        await device.publish(topic, location(**nth(answered[courier_id])), qos=1)
                        answered[courier_id] += 1
                        if is_over.is_set():
                            return
                        await asyncio.sleep(PACE_S)
            await asyncio.sleep(PACE_S)

    async def over_grpc(courier_id, gateway):
        async def some(first):
            for n in range(first, first + 3):
                yield pb.PositionsRequest(fixes=[fix(courier_id, **nth(n))])

        while not is_over.is_set():
            try:
                done = await gateway.Positions(some(answered[courier_id]))
            except grpc.aio.AioRpcError as exc:
                if exc.code() is not grpc.StatusCode.UNAVAILABLE:
                    raise
            else:
                assert done.accepted == 3
                answered[courier_id] += 3
            await asyncio.sleep(PACE_S)

    async def go_on():
        before = dict(answered)
        await until(lambda: all(answered[name] >= n + 5 for name, n in before.items()))

    async with grpc.aio.insecure_channel(f"127.0.0.1:{doors.grpc_port}") as channel:
        phone = phone_of(channel, http)
        stream = phone.WatchRoute(courier_id=ana)
        await told(stream, "route")
        reporting = asyncio.gather(
            over_mqtt(ana, "owntracks/ana/phone", doors.mqtt_port, token_of(http)),
            over_mqtt(rui, "owntracks/rui/tracker", broker.port, ""),
            over_grpc(eve, Phone(channel, token)),
        )
        await go_on()
        doors.kill()
        async with refused(grpc.StatusCode.UNAVAILABLE):
            await told(stream, "offer")
        doors.begin()
        stream = phone.WatchRoute(courier_id=ana)
        await told(stream, "route")
        await go_on()
        is_over.set()
        await reporting
        stream.cancel()

    async def stored(courier_id):
        span = {"from": began.isoformat(), "resolution": "raw", "format": "csv"}
        track = await town.staff.get(f"/v1/couriers/{courier_id}/track", params=span)
        return len(track.text.splitlines()) - 1

    for courier_id, n in answered.items():
        await until(lambda courier_id=courier_id, n=n: equals(stored(courier_id), n))
        position = (await town.staff.get(f"/v1/couriers/{courier_id}/position")).json()
        assert position["lat"] == pytest.approx(41.15 + (n - 1) / 1e5)


async def equals(found, wanted):
    return await found == wanted
