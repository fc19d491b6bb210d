"""
Kafka: events out to a topic, keyed by their subject; commands in from a topic, committed when they are taken.

A broker need not know idempotent producers: what is not acknowledged by all replicas is sent again, with the same id.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from ssl import create_default_context
from typing import Any, Final, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import CommitFailedError, KafkaError, MessageSizeTooLargeError

from app.gateway.commands import lane_of
from app.gateway.inbox import LAG, Inbox, keep_taking
from app.gateway.reading import AGAIN_AT_MOST_S, keep_reading
from app.gateway.ways import CONTENT_TYPE, TAKEN, Letter, Outcome, Row, away
from app.settings import Settings
from tracking.pause import first_to_end, heed_cancellation, rest

WAY: Final = "kafka"
REFUSED: Final = "postrider.command.refused"
WITHIN_S: Final = 5.0
"""A request to a broker."""
START_S: Final = 15.0
JOIN_S: Final = 40.0
"""A group answers who joins it when all have joined or were given up."""
SEND_S: Final = 30.0
"""All acknowledgements of what is sent at once, with what aiokafka sends again by itself."""
STOP_S: Final = 10.0
PARTITIONS: Final = 6
"""Of a topic that is not there yet."""
LANES: Final = 4
AT_ONCE: Final = 200
"""Messages between two commits."""
MEASURE_EVERY_S: Final = 5.0

ERRORS: Final = (KafkaError, OSError, RuntimeError)


@dataclass(frozen=True, slots=True)
class Kafka:
    """Where the brokers are, and the topics there."""

    servers: str
    security: str
    mechanism: str
    user: str
    password: str
    events: str
    commands: str
    dead: str

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """From the settings."""
        return cls(
            servers=settings.kafka_servers,
            security=settings.kafka_security,
            mechanism=settings.kafka_mechanism,
            user=settings.kafka_user,
            password=settings.kafka_password,
            events=settings.kafka_events,
            commands=settings.kafka_commands,
            dead=settings.kafka_dead_letters,
        )

    def client(self) -> dict[str, Any]:
        """What every client is made with."""
        sasl = {
            "sasl_mechanism": self.mechanism,
            "sasl_plain_username": self.user,
            "sasl_plain_password": self.password,
        }
        return {
            "bootstrap_servers": self.servers.split(),
            "client_id": "postrider",
            "security_protocol": self.security,
            "ssl_context": create_default_context() if self.security.endswith("SSL") else None,
            "request_timeout_ms": int(WITHIN_S * 1000),
            **(sasl if self.security.startswith("SASL") else {}),
        }

    async def ensure_topics(self) -> None:
        """Make what is not there; who may not make topics has them made by somebody else."""
        admin = AIOKafkaAdminClient(**self.client())
        try:
            async with asyncio.timeout(START_S):
                await admin.start()
                there = set(await admin.list_topics())
                missing = [name for name in (self.events, self.commands, self.dead) if name not in there]
                if missing:
                    await admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in missing])
        finally:
            await ended(admin.close())


async def ended(closing: Any) -> None:
    """Let a client end, whatever state it is in; one whose broker is away lets out cancellations of its own tasks."""
    with suppress(*ERRORS, asyncio.CancelledError):
        async with asyncio.timeout(STOP_S):
            await closing
    heed_cancellation()


class KafkaEvents:
    """Events to a topic; dead letters to a topic of their own."""

    at_once = 500
    longest_rest = timedelta(seconds=AGAIN_AT_MOST_S)
    has_log = False

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self._producer: Any = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._forget()

    async def send(self, _: Row, letters: Sequence[Letter], now: datetime) -> Sequence[Outcome]:
        """Hand over all, and wait for the acknowledgements; what went wrong closes the connections."""
        try:
            producer = await self._opened()
            async with asyncio.timeout(SEND_S):  # a batch that a broker's answer leaves out is never acknowledged
                acknowledgements = [await self._hand_over(producer, letter, now) for letter in letters]
                answers = await asyncio.gather(
                    *(one for one in acknowledgements if not isinstance(one, Outcome)), return_exceptions=True
                )
        except (*ERRORS, asyncio.CancelledError) as exc:  # of a task of the client's own, if not of ours
            heed_cancellation()
            await self._forget()
            return [away(f"{type(exc).__name__}: {exc}")] * len(letters)
        heed_cancellation()
        said = iter(answers)
        outcomes = [one if isinstance(one, Outcome) else _outcome_of(next(said)) for one in acknowledgements]
        if any(outcome.is_away for outcome in outcomes):
            await self._forget()
        return outcomes

    async def _hand_over(self, producer: Any, letter: Letter, now: datetime) -> Any:
        row = letter.row
        topic = self._kafka.dead if row["type"] == REFUSED else self._kafka.events
        headers = [("content-type", CONTENT_TYPE.encode())]
        at_ms = int(now.timestamp() * 1000)
        try:
            return await producer.send(
                topic, letter.body, str(row["subject"]).encode(), headers=headers, timestamp_ms=at_ms
            )
        except MessageSizeTooLargeError as exc:
            return Outcome(error=f"too large for the broker: {exc}", is_alone=True)

    async def _opened(self) -> Any:
        if self._producer is None:
            await self._kafka.ensure_topics()
            producer = AIOKafkaProducer(**self._kafka.client(), acks="all", linger_ms=5, max_batch_size=262_144)
            try:
                async with asyncio.timeout(START_S):
                    await producer.start()
            except BaseException:
                await ended(producer.stop())
                raise
            self._producer = producer
        return self._producer

    async def _forget(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await ended(producer.stop())


def _outcome_of(answer: Any) -> Outcome:
    if isinstance(answer, MessageSizeTooLargeError):
        return Outcome(error=f"too large for the broker: {answer}", is_alone=True)
    return away(f"{type(answer).__name__}: {answer}") if isinstance(answer, BaseException) else TAKEN


class KafkaCommands:
    """Commands from a topic, read by one group: what is committed had its effect, or is kept with us."""

    def __init__(self, kafka: Kafka, inbox: Inbox) -> None:
        self._kafka = kafka
        self._inbox = inbox

    async def run(self, stop: asyncio.Event) -> None:
        """Take until `stop`, with new connections after whatever went wrong."""
        await keep_reading(WAY, self._consume, stop, errors=ERRORS)

    async def _consume(self, stop: asyncio.Event) -> None:
        await self._kafka.ensure_topics()
        consumer = AIOKafkaConsumer(
            self._kafka.commands,
            **(self._kafka.client() | {"request_timeout_ms": int(JOIN_S * 1000)}),
            group_id="postrider",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_records=AT_ONCE,
        )
        try:
            await first_to_end(self._work_off(consumer), self._measure(consumer), stop.wait())
        finally:
            await ended(consumer.stop())

    async def _work_off(self, consumer: Any) -> None:
        async with asyncio.timeout(START_S + JOIN_S):  # aiokafka waits for its part of the topic for ever
            await consumer.start()
        while True:
            async with asyncio.timeout(START_S + JOIN_S):  # and again where the group shares out anew
                found = await consumer.getmany(timeout_ms=500)
            heed_cancellation()
            if not found:
                continue
            lanes: list[list[bytes]] = [[] for _ in range(LANES)]
            for messages in found.values():
                for message in messages:
                    body = message.value or b""
                    lanes[lane_of(body, LANES)].append(body)
            await asyncio.gather(*(self._take(lane) for lane in lanes))
            read = {partition: messages[-1].offset + 1 for partition, messages in found.items()}
            # The group has shared out anew, or its broker forgot it: aiokafka joins again; what comes twice is known.
            with suppress(CommitFailedError):
                async with asyncio.timeout(JOIN_S):
                    await consumer.commit(read)

    async def _take(self, bodies: Sequence[bytes]) -> None:
        for body in bodies:
            await keep_taking(self._inbox, WAY, body)

    async def _measure(self, consumer: Any) -> None:
        while True:
            await rest(MEASURE_EVERY_S)
            with suppress(KafkaError):  # it may lose a partition meanwhile
                async with asyncio.timeout(START_S + JOIN_S):  # without a position nothing is read, and nobody says so
                    lag = 0
                    for partition in consumer.assignment():
                        newest = consumer.highwater(partition)
                        if newest is not None:
                            lag += max(0, newest - await consumer.position(partition))
                LAG.labels(WAY).set(lag)
