"""
RabbitMQ: events out to a topic exchange, with the event's type as routing key; commands in from a queue.

What the broker has not confirmed is sent again; its connection is made when there is something to send, and anew by the
next attempt after whatever went wrong with it: the sender's growing rests bound how often.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final, Self

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange, AbstractIncomingMessage, AbstractQueue
from aiormq.exceptions import AMQPChannelError, AMQPError
from pamqp.common import FieldTable

from app.gateway.commands import lane_of
from app.gateway.inbox import LAG, Inbox, keep_taking
from app.gateway.reading import AGAIN_AT_MOST_S, keep_reading
from app.gateway.ways import CONTENT_TYPE, Letter, Outcome, Row, away, each_confirmed
from tracking.pause import first_to_end, rest

WAY: Final = "rabbitmq"
CONNECT_S: Final = 15.0
CONFIRM_S: Final = 10.0
"""A few events must be confirmed by then: a broker that is short of memory or disk takes nothing and says nothing."""
CLOSE_S: Final = 2.0
PREFETCH: Final = 200
"""Messages that a process holds unacknowledged."""
LANES: Final = 4
"""Side by side; those of one subject in one lane."""
MEASURE_EVERY_S: Final = 5.0

ERRORS: Final = (AMQPError, OSError, RuntimeError)
"""OSError: also TimeoutError; RuntimeError: a channel that was closed under our hands."""


async def connect(url: str, name: str) -> AbstractConnection:
    """A connection; raises one of ERRORS."""
    async with asyncio.timeout(CONNECT_S):
        return await aio_pika.connect(url, timeout=CONNECT_S, client_properties={"connection_name": name})


async def close(connection: AbstractConnection | None) -> None:
    """End a connection, whatever state it is in."""
    if connection is not None:
        with suppress(*ERRORS):
            async with asyncio.timeout(CLOSE_S):
                await connection.close()


async def lost(connection: AbstractConnection) -> None:
    """Ends when the connection does, whoever ends it: its own `closed()` tells of an end that we have made only."""
    over = asyncio.Event()
    connection.close_callbacks.add(lambda *_: over.set())
    if connection.connected.is_set():
        await over.wait()


class RabbitEvents:
    """Events to an exchange; who wants some binds a queue to it."""

    at_once = 500
    longest_rest = timedelta(seconds=AGAIN_AT_MOST_S)
    has_log = False

    def __init__(self, url: str, exchange: str) -> None:
        self._url = url
        self._name = exchange
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None
        self._exchange: AbstractExchange | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._forget()

    async def send(self, _: Row, letters: Sequence[Letter], now: datetime) -> Sequence[Outcome]:
        """Publish side by side, and wait for the confirmations; what is not confirmed closes the connection."""
        try:
            exchange = await self._opened()
        except ERRORS as exc:
            await self._forget()
            return [away(f"{type(exc).__name__}: {exc}")] * len(letters)
        outcomes = await each_confirmed(
            [
                exchange.publish(_message(letter, now), letter.row["type"], mandatory=False, timeout=CONFIRM_S)
                for letter in letters
            ]
        )
        if not all(outcome.is_taken for outcome in outcomes):
            await self._forget()
        return outcomes

    async def _opened(self) -> AbstractExchange:
        if self._exchange is not None and self._channel is not None and not self._channel.is_closed:
            return self._exchange
        await self._forget()
        self._connection = await connect(self._url, "postrider events")
        async with asyncio.timeout(CONNECT_S):
            self._channel = await self._connection.channel(publisher_confirms=True)
            self._exchange = await self._channel.declare_exchange(self._name, aio_pika.ExchangeType.TOPIC, durable=True)
        return self._exchange

    async def _forget(self) -> None:
        connection, self._connection, self._exchange = self._connection, None, None
        await close(connection)


def _message(letter: Letter, now: datetime) -> aio_pika.Message:
    row = letter.row
    return aio_pika.Message(
        letter.body,
        content_type=CONTENT_TYPE,
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        message_id=str(row["id"]),
        type=row["type"],
        timestamp=now,
        app_id="postrider",
        headers={"subject": str(row["subject"]), "region": row["region"]},
    )


class RabbitCommands:
    """Orders of other systems from a queue: each is acknowledged when it has had its effect, or is kept with us."""

    def __init__(self, url: str, queue: str, inbox: Inbox) -> None:
        self._url = url
        self._name = queue
        self._inbox = inbox

    async def run(self, stop: asyncio.Event) -> None:
        """Take until `stop`, with a new connection whenever one is lost."""
        await keep_reading(WAY, self._consume, stop, errors=ERRORS)

    async def _consume(self, stop: asyncio.Event) -> None:
        connection = await connect(self._url, "postrider commands")
        try:
            async with asyncio.timeout(CONNECT_S):
                queue = await self._declared(connection)
                lanes = [asyncio.Queue[AbstractIncomingMessage](PREFETCH) for _ in range(LANES)]

                async def on_message(message: AbstractIncomingMessage) -> None:
                    await lanes[lane_of(message.body, LANES)].put(message)

                await queue.consume(on_message)
            work = [self._work_off(lane) for lane in lanes]
            await first_to_end(*work, self._measure(connection), lost(connection), stop.wait())
        finally:
            await close(connection)

    async def _work_off(self, lane: asyncio.Queue[AbstractIncomingMessage]) -> None:
        while True:
            message = await lane.get()
            await keep_taking(self._inbox, WAY, message.body)
            await message.ack()

    async def _declared(self, connection: AbstractConnection) -> AbstractQueue:
        """The queue as it is, or a new one: a quorum queue where the broker has those."""
        ways: Sequence[tuple[bool, FieldTable]] = ((True, {}), (False, {"x-queue-type": "quorum"}), (False, {}))
        for is_passive, arguments in ways:
            channel = await connection.channel(publisher_confirms=False)
            await channel.set_qos(prefetch_count=PREFETCH)
            with suppress(AMQPChannelError):
                return await channel.declare_queue(self._name, durable=True, passive=is_passive, arguments=arguments)
        raise OSError(f"the queue {self._name} can neither be found nor made")

    async def _measure(self, connection: AbstractConnection) -> None:
        channel = await connection.channel(publisher_confirms=False)
        while True:
            queue = await channel.declare_queue(self._name, passive=True)
            LAG.labels(WAY).set(queue.declaration_result.message_count or 0)
            await rest(MEASURE_EVERY_S)
