"""Bodies are waited for, but not for ever."""

import asyncio

import pytest

from app.web import patience
from app.web.patience import Patience
from app.web.problems import BodyTooSlow


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch):
    monkeypatch.setattr(patience, "LOOK_EVERY_S", 0.01)


async def test_a_body_that_comes_is_given_and_one_that_does_not_is_too_slow():
    waiting, never = Patience(), asyncio.Event()

    async def prompt():
        await asyncio.sleep(0)
        return b"body"

    async def slow():
        with pytest.raises(BodyTooSlow):
            await waiting.wait(never.wait(), 0.02)
        await asyncio.sleep(0)  # the task goes on: it has an answer to send
        return "answered"

    assert await asyncio.gather(waiting.wait(prompt(), 60), *(asyncio.create_task(slow()) for _ in range(3))) == [
        b"body",
        "answered",
        "answered",
        "answered",
    ]
    assert not waiting._until


async def test_a_request_cancelled_by_others_stays_cancelled():
    waiting, never = Patience(), asyncio.Event()
    task = asyncio.create_task(waiting.wait(never.wait(), 60))
    await asyncio.sleep(0.03)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not waiting._until


async def test_no_timer_runs_while_nothing_is_waited_for():
    waiting = Patience()
    await waiting.wait(asyncio.sleep(0), 60)
    while waiting._timer is not None:
        await asyncio.sleep(0.01)
