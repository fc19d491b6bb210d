"""
One client of the MQTT door, from its first packet to its last.

A message is acknowledged when it is in the log. One that cannot be stored now is not, and the connection ends: the
client comes back, and sends again what was not acknowledged.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import msgspec
from prometheus_client import Counter

from app.doors.inside import Ask, Inside, events_of
from app.doors.mqtt import packets, phone, reports
from app.doors.mqtt.packets import Acknowledgement, Connect, Decoder, Kind, Packet, Publish, Sign, Subscribe, Welcome
from app.logs import begin_address, begin_trace
from app.web.auth import AuthenticationUnavailable, Authenticator, Caller
from app.web.problems import TooManyRequests
from app.web.rates import Rates
from app.wiring.intake import Intake
from tracking import outages
from tracking.pause import rest

log = logging.getLogger(__name__)

ENDED: Final = Counter("postrider_mqtt_clients_ended", "Connections that we ended, by why.", ["why"])

LARGEST_PACKET: Final = 262_144
"""OwnTracks' largest is its card with a picture."""
CHUNK: Final = 65_536
CONNECTS_WITHIN_S: Final = 10.0
SILENT_AT_MOST_S: Final = 3_600.0
"""Of a client that promises nothing."""
GRACE: Final = 1.5
"""Times the promised interval. Source: MQTT 3.1.1, section 3.1.2.10."""
TURNED_AWAY_S: Final = 2.0
"""Before a connection ends that is to come back: else it is back at once."""
TELL_AGAIN_S: Final = 5.0
MOST_FILTERS: Final = 64

Colleagues = Callable[[Caller], Awaitable[Sequence[Mapping[str, Any]]]]
"""Rows of the couriers at work around one: id, external id and name."""


class Ended(Exception):
    """The connection ends, for the reason that is counted."""


class Client:
    """A connection and who is at its other end."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        intake: Intake,
        rates: Rates,
        inside: Inside,
        colleagues: Colleagues,
    ) -> None:
        self._reader, self._writer = reader, writer
        self._intake, self._rates, self._inside, self._colleagues = intake, rates, inside, colleagues
        self._decoder = Decoder(LARGEST_PACKET)
        self._token = ""
        self._filters: set[str] = set()
        self._base: str | None = None
        self._fresh: set[str] = set()
        """Filters for which the phone has not been told anything yet."""
        self._asked, self._known = asyncio.Event(), asyncio.Event()
        self._telling: Sequence[asyncio.Task[None]] = ()
        self._silence_s = CONNECTS_WITHIN_S
        peer = writer.get_extra_info("peername") or ("", 0)
        self._address: tuple[str, int] = (str(peer[0]), int(peer[1]))

    async def run(self, welcome: Callable[[tuple[Any, str]], None]) -> None:
        """Serve it to its end; `welcome` is told who it is: by token and the client's own name."""
        begin_trace(None)
        begin_address(self._address[0])
        try:
            chunk = await self._begin(welcome)
            while chunk is not None:
                await self._take(chunk)
                chunk = await self._chunk()
        except packets.WrongVersion:
            ENDED.labels("version").inc()
            await self._say(packets.welcome(Welcome.WRONG_VERSION))
        except packets.Malformed:
            ENDED.labels("malformed").inc()
        except Ended as exc:
            ENDED.labels(str(exc)).inc()
        except (TooManyRequests, *reports.AGAIN) as exc:
            ENDED.labels("busy").inc()
            await rest(min(getattr(exc, "retry_after_s", TURNED_AWAY_S), TURNED_AWAY_S))
        except (ConnectionError, TimeoutError):  # it is gone, or silent for longer than it promised
            pass
        finally:
            self.close()
            for task in self._telling:
                task.cancel()
            await asyncio.gather(*self._telling, return_exceptions=True)

    def close(self) -> None:
        """Hang up."""
        self._writer.close()

    async def _chunk(self) -> list[Packet] | None:
        """The packets that are whole by now; None: the client has gone."""
        async with asyncio.timeout(self._silence_s):
            data = await self._reader.read(CHUNK)
        return list(self._decoder.feed(data)) if data else None

    async def _say(self, data: bytes) -> None:
        self._writer.write(data)
        with suppress(ConnectionError):
            await self._writer.drain()

    async def _begin(self, welcome: Callable[[tuple[Any, str]], None]) -> list[Packet] | None:
        """Who it is; returns what came with that."""
        chunk: list[Packet] | None = []
        while not chunk:
            if chunk is None:
                raise Ended("left")
            chunk = await self._chunk()
        first, *others = chunk
        if not isinstance(first, Connect):
            raise Ended("malformed")
        caller = await self._greet(first)
        welcome((caller.token_id, first.client_id or f"{self._address}"))
        return others

    async def _greet(self, connect: Connect) -> Caller:
        """The caller, once it is told that it is welcome; raises Ended."""
        self._token = connect.password or connect.user or ""
        try:
            caller = await self._caller()
        except AuthenticationUnavailable as exc:
            await self._say(packets.welcome(Welcome.UNAVAILABLE))
            raise Ended("unavailable") from exc
        except Ended:
            await self._say(packets.welcome(Welcome.WRONG_PASSWORD))
            raise
        if caller.courier_id is None and not caller.may_post_for_any_courier:
            await self._say(packets.welcome(Welcome.NOT_ALLOWED))
            raise Ended("not allowed")
        await self._say(packets.welcome(Welcome.ACCEPTED))
        self._silence_s = connect.keep_alive_s * GRACE or SILENT_AT_MOST_S
        return caller

    async def _caller(self) -> Caller:
        """Who the token says; raises Ended where it says nothing any more."""
        authenticator: Authenticator = self._intake.authenticator
        caller = authenticator.remembered(self._token) or await authenticator.caller(self._token)
        if caller is None:
            raise Ended("token")
        return caller

    async def _take(self, chunk: Sequence[Packet]) -> None:
        """Packets in their order; messages that came together are stored together."""
        together: list[Publish] = []
        for packet in chunk:
            if isinstance(packet, Publish):
                together.append(packet)
                continue
            await self._store(together)
            together = []
            await self._follow(packet)
        await self._store(together)

    async def _store(self, messages: Sequence[Publish]) -> None:
        if not messages:
            return
        caller, now = await self._caller(), datetime.now(UTC)
        for _ in messages:
            self._rates.admit_caller(caller)
        if self._base is None and (base := phone.base_of(messages[0].topic)) is not None:
            self._base = base
            self._known.set()
        await asyncio.gather(*(reports.store(self._intake, caller, one.topic, one.payload, now) for one in messages))
        kinds = {1: Kind.PUBACK, 2: Kind.PUBREC}
        answers = [packets.acknowledgement(kinds[one.qos], one.packet_id) for one in messages if one.qos]
        if answers:
            self._writer.write(b"".join(answers))
            await self._writer.drain()

    async def _follow(self, packet: Packet) -> None:
        match packet:
            case Sign(Kind.PINGREQ):
                await self._say(packets.pong())
            case Sign(Kind.DISCONNECT):
                raise Ended("left")
            case Acknowledgement(Kind.PUBREL, packet_id):  # of quality 2: a fix that came twice is one fix, too
                await self._say(packets.acknowledgement(Kind.PUBCOMP, packet_id))
            case Subscribe(packet_id, filters, True):
                self._filters -= set(filters)
                await self._say(packets.acknowledgement(Kind.UNSUBACK, packet_id))
            case Subscribe(packet_id, filters):
                await self._subscribe(packet_id, filters)
            case Connect():
                raise Ended("malformed")
            case _:
                return  # we send nothing that is acknowledged

    async def _subscribe(self, packet_id: int, filters: Sequence[str]) -> None:
        caller = await self._caller()
        answers = []
        for one in filters:
            is_granted = caller.courier_id is not None and len(self._filters) < MOST_FILTERS
            answers.append(0 if is_granted else packets.REFUSED)
            if is_granted:
                self._filters.add(one)
                self._fresh.add(one)
                if one.endswith(f"/{phone.FOR_COMMANDS}"):
                    self._base = phone.base_of(one) or self._base
        await self._say(packets.granted(packet_id, answers))
        if self._fresh and not self._telling:
            self._telling = [
                asyncio.create_task(self._keep(partial(self._introduce, caller)), name="mqtt cards"),
                asyncio.create_task(self._keep(partial(self._command, caller)), name="mqtt commands"),
            ]
        self._asked.set()
        self._known.set()

    async def _keep(self, tell: Callable[[], Awaitable[None]]) -> None:
        """Tell the phone something, again and again until cancelled, whatever happens."""
        while True:
            try:
                await tell()
            except ConnectionError:
                return
            except outages.DRIVERS as exc:
                outages.tell(log, "phone not told", exc, event="mqtt_not_told")
            except Exception:
                log.exception("phone not told", extra={"event": "mqtt_not_told"})
            await rest(TELL_AGAIN_S)

    async def _introduce(self, caller: Caller) -> None:
        """Cards of those who are at work, to whoever has just asked for them."""
        await self._asked.wait()
        self._asked.clear()
        fresh = set(self._fresh)
        rows = await self._colleagues(caller)
        told = phone.cards(rows)
        if self._base is not None:
            told += [phone.card(self._base, row["name"]) for row in rows if row["id"] == caller.courier_id]
        await self._send(phone.wanted(told, fresh))
        self._fresh -= fresh

    async def _command(self, caller: Caller) -> None:
        """The stops ahead as they change; and a wish to know where the courier is, now and with each offer."""
        while (base := self._base) is None or not phone.wanted([(f"{base}/{phone.FOR_COMMANDS}", b"")], self._filters):
            self._known.clear()
            await self._known.wait()
        topic = f"{base}/{phone.FOR_COMMANDS}"
        await self._send([(topic, phone.REPORT)])
        ask = Ask(
            method="GET",
            path=f"/v1/couriers/{caller.courier_id}/route/stream",
            headers=[("authorization", f"Bearer {self._token}")],
            client=self._address,
        )
        async with self._inside.open(ask) as stream:
            async for name, data in events_of(stream.chunks()):
                if name == "route":
                    now_s = int(datetime.now(UTC).timestamp())
                    await self._send([(topic, phone.stops_ahead(msgspec.json.decode(data), now_s))])
                elif name == "offer":  # where the courier is now decides what comes next
                    await self._send([(topic, phone.REPORT)])

    async def _send(self, messages: Sequence[phone.Message]) -> None:
        for topic, payload in messages:
            self._writer.write(packets.message(topic, payload))
        await self._writer.drain()
