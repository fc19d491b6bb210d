"""Commands in and events out over Kafka: what its client never comes back from is ended."""

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import pytest
from aiokafka.errors import CommitFailedError

from app.gateway import kafka
from app.gateway.inbox import Inbox
from app.gateway.kafka import ERRORS, Kafka, KafkaCommands, KafkaEvents
from app.gateway.ways import Letter
from app.settings import Settings
from tests.waiting import PATIENCE_S

KAFKA = Kafka.of(Settings(database_url="postgresql://x/x", redis_url="redis://x/0", kafka_servers="x:1"))


@pytest.fixture(autouse=True)
def short_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("START_S", "JOIN_S", "SEND_S", "STOP_S", "MEASURE_EVERY_S"):
        monkeypatch.setattr(kafka, name, 0.01)


async def ends_as_an_outage(work: Coroutine[Any, Any, object]) -> bool:
    """For which the reader makes a new client."""
    task = asyncio.ensure_future(work)
    done, _ = await asyncio.wait([task], timeout=PATIENCE_S)
    task.cancel()
    return bool(done) and isinstance(task.exception(), ERRORS)


class NeverAssigned:
    """A consumer whose group gives it no part of the topic, nor an error."""

    async def start(self) -> None:
        await asyncio.Event().wait()


class Revoked:
    """One whose group shares out anew and never comes to an end: it waits for that, whatever its time limit."""

    async def start(self) -> None:
        pass

    async def getmany(self, *, timeout_ms: int) -> dict[int, list[Any]]:
        await asyncio.Event().wait()
        raise AssertionError


class WithoutPosition:
    """One that never learns where in its part to read on."""

    def assignment(self) -> set[int]:
        return {0}

    def highwater(self, _: int) -> int:
        return 7

    async def position(self, _: int) -> int:
        await asyncio.Event().wait()
        raise AssertionError


def commands_in() -> Any:
    return KafkaCommands(KAFKA, cast("Inbox", None))


async def test_a_group_that_gives_nothing_is_joined_again() -> None:
    assert await ends_as_an_outage(commands_in()._work_off(NeverAssigned()))


async def test_a_group_that_takes_our_part_and_gives_none_is_joined_again() -> None:
    assert await ends_as_an_outage(commands_in()._work_off(Revoked()))


async def test_a_part_without_a_position_is_asked_for_again() -> None:
    assert await ends_as_an_outage(commands_in()._measure(WithoutPosition()))


async def test_who_is_refused_a_commit_reads_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The group shares out anew: its client joins again by itself, and a client that left it waits for that."""
    commands = commands_in()
    taken: list[bytes] = []
    committed = asyncio.Event()

    class Refused:
        def __init__(self) -> None:
            self._n = 0

        async def start(self) -> None:
            pass

        async def getmany(self, *, timeout_ms: int) -> dict[int, list[Any]]:
            await asyncio.sleep(0)
            return {0: [SimpleNamespace(value=b"{}", offset=self._n)]}

        async def commit(self, offsets: dict[int, int]) -> None:
            self._n += 1
            if self._n == 1:
                raise CommitFailedError
            committed.set()

    async def take(_: object, way: str, body: bytes) -> None:
        taken.append(body)

    monkeypatch.setattr(kafka, "keep_taking", take)
    work = asyncio.ensure_future(commands._work_off(Refused()))
    await asyncio.wait([work, asyncio.ensure_future(committed.wait())], return_when=asyncio.FIRST_COMPLETED)
    assert committed.is_set()
    assert len(taken) > 1
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)


async def test_a_client_that_lets_out_the_end_of_its_own_tasks_ends_nothing_of_ours() -> None:
    theirs = asyncio.ensure_future(asyncio.Event().wait())
    theirs.cancel()
    await kafka.ended(theirs)


async def test_what_is_never_acknowledged_is_sent_again_later() -> None:
    """A broker's answer may leave a batch out: aiokafka waits for it without end."""

    class Silent:
        async def send(self, *_: object, **__: object) -> asyncio.Future[None]:
            return asyncio.get_running_loop().create_future()

        async def stop(self) -> None:
            pass

    events: Any = KafkaEvents(KAFKA)
    events._producer = Silent()
    letter = Letter(row={"type": "postrider.order.placed", "subject": uuid4()}, body=b"{}")
    sending = asyncio.ensure_future(events.send(None, [letter], datetime.now(UTC)))
    await asyncio.wait([sending], timeout=PATIENCE_S)
    assert sending.done()
    assert [outcome.is_away for outcome in sending.result()] == [True]
    assert events._producer is None  # the next attempt has a new one
