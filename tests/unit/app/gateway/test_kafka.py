"""Commands in over Kafka: what its client never comes back from is ended."""

import asyncio
from typing import Any, cast

import pytest

from app.gateway import kafka
from app.gateway.inbox import Inbox
from app.gateway.kafka import ERRORS, Kafka, KafkaCommands
from app.settings import Settings
from tests.waiting import PATIENCE_S


class NeverAssigned:
    """A consumer whose group gives it no part of the topic, nor an error."""

    async def start(self) -> None:
        await asyncio.Event().wait()


async def test_a_group_that_gives_nothing_is_joined_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka, "START_S", 0.01)
    monkeypatch.setattr(kafka, "JOIN_S", 0.01)
    settings = Settings(database_url="postgresql://x/x", redis_url="redis://x/0", kafka_servers="x:1")
    commands = KafkaCommands(Kafka.of(settings), cast("Inbox", None))
    work: Any = commands._work_off
    joining = asyncio.ensure_future(work(NeverAssigned()))
    await asyncio.wait([joining], timeout=PATIENCE_S)
    assert isinstance(joining.done() and joining.exception(), ERRORS)  # for which the reader makes a new client
