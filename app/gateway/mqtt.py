"""
MQTT: events out to a broker of others, of quality 1, each under a topic that says of whom it is.

What the broker has not acknowledged is sent again, over a new connection. Its sessions keep nothing for us: what still
has to be sent lies in our queue.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from ssl import create_default_context
from typing import Any, Final, Self
from urllib.parse import unquote, urlsplit

import aiomqtt

from app.gateway.reading import AGAIN_AT_MOST_S
from app.gateway.ways import Letter, Outcome, Row, away, each_confirmed
from tracking.pause import first_to_end

CONNECT_S: Final = 15.0
CONFIRM_S: Final = 10.0
"""An event must be acknowledged by then."""
CLOSE_S: Final = 2.0
PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
TOPIC: Final = "postrider"
"""Under which all topics are, where the address names none."""

ERRORS: Final = (aiomqtt.MqttError, OSError, ValueError)
"""OSError: also TimeoutError; ValueError: a client whose socket was closed under its hands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a broker is, who we are there, and under which topic we speak."""

    host: str
    port: int
    is_tls: bool
    user: str | None
    password: str | None
    topic: str

    @classmethod
    def of(cls, url: str) -> Self:
        """Of `mqtt://user:password@host:port/topic`; `mqtts` with TLS."""
        parts = urlsplit(url)
        return cls(
            host=parts.hostname or "",
            port=parts.port or PORTS[parts.scheme],
            is_tls=parts.scheme == "mqtts",
            user=None if parts.username is None else unquote(parts.username),
            password=None if parts.password is None else unquote(parts.password),
            topic=unquote(parts.path).strip("/") or TOPIC,
        )

    def topic_of(self, row: Mapping[str, Any]) -> str:
        """`postrider/porto/courier/position/<id>`: who listens chooses by region, by type, or by whom it is about."""
        kind = row["type"].removeprefix("postrider.").replace(".", "/")
        return f"{self.topic}/{row['region'] or '-'}/{kind}/{row['subject']}"


class MqttEvents:
    """Events to a broker."""

    at_once = 200
    longest_rest = timedelta(seconds=AGAIN_AT_MOST_S)
    has_log = False

    def __init__(self, url: str) -> None:
        self._address = Address.of(url)
        self._client: aiomqtt.Client | None = None
        self._lost: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._forget()

    async def send(self, _: Row, letters: Sequence[Letter], now: datetime) -> Sequence[Outcome]:
        """Publish side by side, and wait for the acknowledgements; what is missing ends the connection."""
        del now
        try:
            client, lost = await self._opened()
        except ERRORS as exc:
            return [away(f"{type(exc).__name__}: {exc}")] * len(letters)
        outcomes: list[Outcome] = []

        async def confirm() -> None:
            topics = [self._address.topic_of(letter.row) for letter in letters]
            sent = zip(topics, letters, strict=True)
            outcomes.extend(
                await each_confirmed([client.publish(to, one.body, qos=1, timeout=CONFIRM_S) for to, one in sent])
            )

        await first_to_end(confirm(), asyncio.wait([lost]))
        if not outcomes or not all(outcome.is_taken for outcome in outcomes):
            await self._forget()
        return outcomes or [away("the connection was lost")] * len(letters)

    async def _opened(self) -> tuple[aiomqtt.Client, asyncio.Task[None]]:
        """The client, and the task that ends with its connection."""
        if self._client is not None and self._lost is not None and not self._lost.done():
            return self._client, self._lost
        await self._forget()
        address = self._address
        client = aiomqtt.Client(
            address.host,
            address.port,
            username=address.user,
            password=address.password,
            protocol=aiomqtt.ProtocolVersion.V311,
            tls_context=create_default_context() if address.is_tls else None,
            timeout=CONNECT_S,
        )
        client.pending_calls_threshold = self.at_once
        await client.__aenter__()
        self._client, self._lost = client, asyncio.create_task(_hear(client), name="mqtt out")
        return self._client, self._lost

    async def _forget(self) -> None:
        client, lost, self._client, self._lost = self._client, self._lost, None, None
        if client is None or lost is None:
            return
        lost.cancel()
        await asyncio.gather(lost, return_exceptions=True)
        with suppress(*ERRORS):
            async with asyncio.timeout(CLOSE_S):
                await client.__aexit__(None, None, None)


async def _hear(client: aiomqtt.Client) -> None:
    """Ends when the connection does; we have subscribed to nothing."""
    with suppress(aiomqtt.MqttError):
        async for _ in client.messages:
            pass
