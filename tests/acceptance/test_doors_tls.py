"""gRPC and MQTT over TLS: who knows not the authority says nothing, and a renewed certificate is used at once."""

import asyncio
import ssl
from dataclasses import replace

import grpc
import pytest
import trustme

from app.doors import role
from app.machine.servers import free_port
from tests.acceptance.test_grpc import phone_of, told
from tests.acceptance.test_mqtt import HOME, can_connect, client, location, token_of
from tests.acceptance.test_orders import town
from tests.waiting import until

__all__ = ["town"]


class Certificate:
    """What an operator has in two files, and renews."""

    def __init__(self, folder):
        self.cert, self.key = folder / "cert.pem", folder / "key.pem"
        self.renew()

    def renew(self):
        self.authority = trustme.CA()
        issued = self.authority.issue_cert("127.0.0.1")
        self.key.write_bytes(issued.private_key_pem.bytes())
        self.cert.write_bytes(b"".join(part.bytes() for part in issued.cert_chain_pems))

    @property
    def root(self):
        return self.authority.cert_pem.bytes()


@pytest.fixture
def certificate(tmp_path):
    return Certificate(tmp_path)


@pytest.fixture
def settings(settings, certificate):
    ports = {"grpc_port": free_port(), "mqtt_port": free_port()}
    return replace(settings, **ports, doors_tls_cert=str(certificate.cert), doors_tls_key=str(certificate.key))


@pytest.fixture
async def doors(api, settings, monkeypatch):
    monkeypatch.setattr("app.doors.mqtt.server.RENEW_EVERY_S", 0.05)
    stop = asyncio.Event()
    servers = [asyncio.create_task(start(stop)) for start in role.doors(settings, api).values()]
    yield
    stop.set()
    await asyncio.gather(*servers)


async def is_trusted(settings, root):
    """Whether somebody who knows this authority talks with the MQTT door."""
    context = ssl.create_default_context(cadata=root.decode())
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", settings.mqtt_port, ssl=context)
    except ssl.SSLCertVerificationError:
        return False
    writer.close()
    return True


async def test_both_doors_speak_tls_with_the_certificate_as_it_is_now(doors, settings, certificate, town):
    ana, http = await town.hire("Ana", None)
    old = certificate.root

    async def watches(root):
        credentials = grpc.ssl_channel_credentials(root)
        async with grpc.aio.secure_channel(f"127.0.0.1:{settings.grpc_port}", credentials) as channel:
            stream = phone_of(channel, http).WatchRoute(courier_id=ana)
            await told(stream, "route")
            stream.cancel()

    async def reports(root, lat):
        context = ssl.create_default_context(cadata=root.decode())
        async with client(settings.mqtt_port, token_of(http), tls_context=context) as device:
            await device.publish(HOME, location(lat=lat), qos=1)
        assert (await town.staff.get(f"/v1/couriers/{ana}/position")).json()["lat"] == lat

    await until(lambda: can_connect(settings.mqtt_port))
    await watches(old)
    await reports(old, 41.15)
    assert not await is_trusted(settings, trustme.CA().cert_pem.bytes())
    certificate.renew()
    await until(lambda: is_trusted(settings, certificate.root))
    assert not await is_trusted(settings, old)
    await watches(certificate.root)
