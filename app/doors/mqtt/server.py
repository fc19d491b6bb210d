"""The MQTT server: its port, its bounds, and who is connected."""

import asyncio
import logging
import ssl
from collections.abc import Mapping, Sequence
from typing import Any, Final

from prometheus_client import Gauge

from app.doors.inside import Inside
from app.doors.mqtt import packets
from app.doors.mqtt.client import ENDED, Client
from app.doors.mqtt.packets import Welcome
from app.machine.api import BACKLOG, allow_files, refuse_taken_port
from app.settings import SettingError, Settings
from app.web.auth import Caller
from sql import queries
from tracking.pause import pause

log = logging.getLogger(__name__)

CLIENTS: Final = Gauge("postrider_mqtt_clients", "Clients that are connected.", multiprocess_mode="livesum")
MOST_COLLEAGUES: Final = 200
ASKED_AT_ONCE: Final = 2
"""Questions for colleagues, when thousands of phones come back at once."""
FILES_BESIDE: Final = 512
RENEW_EVERY_S: Final = 60.0


class Clients:
    """Serves whoever connects."""

    def __init__(self, settings: Settings, state: Any, inside: Inside) -> None:
        """`state`: the API's, within its lifespan."""
        self._room = settings.mqtt_clients
        self._state, self._inside = state, inside
        self._known: dict[tuple[Any, str], Client] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._questions = asyncio.Semaphore(ASKED_AT_ONCE)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a connection, in a task of its own."""
        if len(self._tasks) >= self._room:
            ENDED.labels("full").inc()
            writer.write(packets.welcome(Welcome.UNAVAILABLE))
            writer.close()
            return
        task = asyncio.create_task(self._serve(reader, writer), name="mqtt client")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        CLIENTS.inc()
        client = Client(
            reader,
            writer,
            intake=self._state.intake,
            rates=self._state.rates,
            inside=self._inside,
            colleagues=self._colleagues,
        )
        names: list[tuple[Any, str]] = []

        def welcome(name: tuple[Any, str]) -> None:
            names.append(name)
            if (other := self._known.get(name)) is not None:
                other.close()  # the same client, before it lost its connection. Source: MQTT 3.1.1, section 3.1.4
            self._known[name] = client

        try:
            await client.run(welcome)
        except Exception:
            log.exception("client failed", extra={"event": "mqtt_client_failed"})
        finally:
            CLIENTS.dec()
            for name in names:
                if self._known.get(name) is client:
                    del self._known[name]

    async def end(self) -> None:
        """Hang up on everybody; what was not acknowledged comes again."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _colleagues(self, caller: Caller) -> Sequence[Mapping[str, Any]]:
        async with self._questions:
            rows: Sequence[Mapping[str, Any]] = await self._state.pool.fetch(
                queries["couriers.colleagues"], caller.courier_id, MOST_COLLEAGUES
            )
        return rows


async def serve(settings: Settings, state: Any, inside: Inside, stop: asyncio.Event) -> None:
    """Serve until `stop`; raises PortTaken, and SettingError for a certificate that cannot be used."""
    refuse_taken_port(settings.host, settings.mqtt_port)
    allow_files(settings.mqtt_clients + FILES_BESIDE)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) if settings.doors_tls_cert else None
    if context is not None and (why := _renew(context, settings)) is not None:
        raise SettingError(f"POSTRIDER_DOORS_TLS_CERT, POSTRIDER_DOORS_TLS_KEY: {why}")
    clients = Clients(settings, state, inside)
    server = await asyncio.start_server(
        clients.accept, settings.host, settings.mqtt_port, ssl=context, backlog=BACKLOG, reuse_address=True
    )
    log.info("mqtt began", extra={"event": "mqtt_began", "port": settings.mqtt_port, "tls": context is not None})
    try:
        while not await pause(stop, RENEW_EVERY_S):
            if context is not None and (why := _renew(context, settings)) is not None:
                log.warning("certificate not read", extra={"event": "certificate_not_read", "why": why})
    finally:
        server.close()
        await clients.end()


def _renew(context: ssl.SSLContext, settings: Settings) -> str | None:
    """Take the certificate as it is now for new connections; why that is not possible."""
    try:
        context.load_cert_chain(settings.doors_tls_cert, settings.doors_tls_key)
    except (OSError, ssl.SSLError) as exc:
        return str(exc)
    return None
