"""The MQTT door on a socket, with a phone as it is (aiomqtt) and everything behind it made up."""

import asyncio
from types import SimpleNamespace
from uuid import uuid4

import aiomqtt
import msgspec
import pytest

from app.doors.inside import Inside
from app.doors.mqtt import client as client_module
from app.doors.mqtt import packets
from app.doors.mqtt.server import Clients
from app.settings import Settings
from app.web.auth import Caller, Role
from app.web.problems import TooManyRequests
from tests.waiting import PATIENCE_S, until
from tracking.errors import LogUnavailable

ANA = uuid4()
HOME = "owntracks/ana/phone"
FIX = msgspec.json.encode({"_type": "location", "lat": 41.15, "lon": -8.61, "tst": 1_750_000_000})


class Behind:
    """Tokens, the log and the API: what is stored, and when it may be."""

    def __init__(self):
        self.callers = {
            "ana": Caller(token_id=uuid4(), role=Role.COURIER, name="Ana", courier_id=ANA, region="porto", mode="car"),
            "company": Caller(token_id=uuid4(), role=Role.SERVICE, name="company"),
            "viewer": Caller(token_id=uuid4(), role=Role.VIEWER, name="viewer"),
        }
        self.uploads = []
        self.error = None
        self.may_store = asyncio.Event()
        self.may_store.set()
        self.admitted = 0
        self.limit = 1_000
        self.events = asyncio.Queue()
        self.intake = SimpleNamespace(
            authenticator=self, ingest=self, roster=self, settings=Settings(), some_region=self._some_region
        )
        self.rates = SimpleNamespace(admit_caller=self.admit)
        self.pool = self

    def remembered(self, token):
        return self.callers.get(token)

    async def caller(self, token):
        return self.callers.get(token)

    def admit(self, caller):
        self.admitted += 1
        if self.admitted > self.limit:
            raise TooManyRequests(retry_after_s=1)

    async def owners_of(self, devices):
        return {"ana": ANA} if "ana" in devices else {}

    async def find_many(self, courier_ids):
        return {ANA: SimpleNamespace(courier_id=ANA, region="porto", mode=1)}

    async def _some_region(self):
        return "porto"

    def accept(self, upload):
        async def stored():
            await self.may_store.wait()
            if self.error is not None:
                raise self.error
            self.uploads.append(upload)

        return asyncio.ensure_future(stored())

    async def fetch(self, *_):
        return [
            {"id": ANA, "external_id": "ana", "name": "Ana Sousa"},
            {"id": uuid4(), "external_id": "eve", "name": "Eve"},
        ]

    async def api(self, scope, receive, send):
        assert scope["path"] == f"/v1/couriers/{ANA}/route/stream"
        assert dict(scope["headers"])[b"authorization"] == b"Bearer ana"
        await send({"type": "http.response.start", "status": 200})
        while True:
            name, data = await self.events.get()
            text = b"event: %s\ndata: %s\n\n" % (name.encode(), msgspec.json.encode(data))
            await send({"type": "http.response.body", "body": text, "more_body": True})

    def reasons(self):
        return [item.reason.value for upload in self.uploads for item in upload.unusable]


@pytest.fixture
def behind():
    return Behind()


@pytest.fixture
async def door(behind, monkeypatch):
    """`async with door(token) as phone`, and `door.port`."""
    monkeypatch.setattr(client_module, "TURNED_AWAY_S", 0.0)
    clients = Clients(Settings(mqtt_clients=3), behind, Inside(behind.api))
    server = await asyncio.start_server(clients.accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    def phone(token, **more):
        more = {"protocol": aiomqtt.ProtocolVersion.V311, "timeout": PATIENCE_S} | more
        return aiomqtt.Client("127.0.0.1", port, username="ana", password=token, **more)

    phone.port = port
    yield phone
    server.close()
    await clients.end()


async def sent_in_vain(phone, before=lambda: None):
    """A message is sent, and the connection ends instead of an acknowledgement."""
    async with phone:
        before()
        sending = asyncio.create_task(phone.publish(HOME, FIX, qos=1))
        with pytest.raises(aiomqtt.MqttError):
            await anext(aiter(phone.messages))
        assert not sending.done()
        sending.cancel()


async def test_a_message_is_acknowledged_when_the_log_has_it(behind, door):
    behind.may_store.clear()
    async with door("ana") as phone:
        sending = [asyncio.create_task(phone.publish(HOME, FIX, qos=qos)) for qos in (1, 2)]
        await until(lambda: behind.admitted)
        assert not any(task.done() for task in sending)
        behind.may_store.set()
        await asyncio.gather(*sending)
    assert [upload.readings[0].lat for upload in behind.uploads] == [41.15, 41.15]
    assert {upload.source for upload in behind.uploads} == {"mqtt"}


@pytest.mark.parametrize("why", ["log", "rate"])
async def test_what_cannot_be_stored_now_is_not_acknowledged_and_the_connection_ends(behind, door, why):
    behind.error, behind.limit = (LogUnavailable(), 9) if why == "log" else (None, 0)
    await sent_in_vain(door("ana"))
    behind.error, behind.limit = None, 1_000
    assert behind.uploads == []
    async with door("ana") as phone:
        await phone.publish(HOME, FIX, qos=1)
    assert len(behind.uploads) == 1


async def test_what_nobody_can_use_is_acknowledged_and_set_aside(behind, door):
    async with door("ana") as phone:
        for payload in (b"nonsense", b'{"_type":"encrypted","data":""}', b'{"_type":"location"}', b"", b"\xff\x00"):
            await phone.publish(HOME, payload, qos=1)
        await phone.publish(HOME, FIX, qos=1)
    assert behind.reasons() == ["unreadable", "encrypted", "unreadable", "unreadable"]
    async with door("company") as broker:
        await broker.publish("owntracks/nobody/tracker", FIX, qos=1)
        await broker.publish("owntracks/ana/tracker", FIX, qos=1)
        await broker.publish("$SYS/broker/connection/x/state", b"1", qos=1)
    assert behind.reasons()[4:] == ["unknown_courier"]
    assert behind.uploads[-1].senders[0].courier_id == ANA


async def test_who_may_not_report_is_not_let_in(behind, door):
    for token, more in (("nobody", {}), ("viewer", {}), ("ana", {"protocol": aiomqtt.ProtocolVersion.V5})):
        with pytest.raises(aiomqtt.MqttError):
            async with door(token, **more):
                pass


async def test_a_token_that_is_revoked_ends_the_connection_and_stores_nothing(behind, door):
    await sent_in_vain(door("ana"), lambda: behind.callers.pop("ana"))
    assert behind.uploads == []


async def test_a_phone_is_told_who_works_beside_it_and_its_stops(behind, door):
    async with door("ana") as phone:
        await phone.subscribe("owntracks/+/+/info", qos=1)
        await phone.subscribe(f"{HOME}/cmd", qos=1)
        await behind.events.put(("route", {"stops": [{"kind": "pickup", "lat": 1.0, "lon": 2.0}]}))
        await behind.events.put(("offer", {"id": "o"}))
        await behind.events.put(("route", {"stops": []}))
        heard = {}
        async with asyncio.timeout(PATIENCE_S):
            async for message in phone.messages:
                heard.setdefault(str(message.topic), []).append(msgspec.json.decode(message.payload))
                if len(heard.get(f"{HOME}/cmd", ())) == 4 and "owntracks/eve/courier/info" in heard:
                    break
    assert [one["action"] for one in heard[f"{HOME}/cmd"]] == [
        *("reportLocation", "setWaypoints", "reportLocation", "clearWaypoints"),
    ]
    assert heard["owntracks/eve/courier/info"][0]["name"] == "Eve"


async def test_a_broker_is_told_nothing(door):
    async with door("company") as broker:
        [answer] = await broker.subscribe("#")
    assert answer.is_failure if hasattr(answer, "is_failure") else answer == packets.REFUSED


async def test_the_same_client_again_takes_the_place_of_the_first_and_others_have_a_bound(behind, door):
    async with door("ana", identifier="phone"):
        pass
    first = door("ana", identifier="phone")
    await first.__aenter__()
    async with door("ana", identifier="phone") as second:
        with pytest.raises(aiomqtt.MqttError):
            await anext(aiter(first.messages))
        await second.publish(HOME, FIX, qos=1)
        async with door("ana", identifier="a"), door("ana", identifier="b"):
            with pytest.raises(aiomqtt.MqttError):
                async with door("ana", identifier="c"):
                    pass


@pytest.mark.parametrize(
    "said", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + b"x" * 80, b"\xc0\x00", b"\x10\xff\xff\xff\xff"]
)
async def test_who_speaks_something_else_is_hung_up_on(door, said):
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(said)
    async with asyncio.timeout(PATIENCE_S):
        assert await reader.read() == b""
    writer.close()
