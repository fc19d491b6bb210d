"""Rows of what changed are read once for all viewers, in time or not at all."""

import asyncio
import json

import pytest

from tracking.feed import rows as module
from tracking.feed.crowd import StreamId
from tracking.feed.rows import AT_MOST, Rows

EARLY, LATER, LAST = (StreamId((n, 0)) for n in (1, 2, 3))


class Source:
    """Answers as it is told to."""

    def __init__(self):
        self.asked = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.is_broken = False

    async def read(self, ids):
        self.asked.append(list(ids))
        await self.may_answer.wait()
        if self.is_broken:
            raise OSError("away")
        return json.dumps(sorted(ids)).encode()


@pytest.fixture
def source():
    return Source()


@pytest.fixture
def changes(source):
    return Rows("orders", "order_id", source.read)


async def test_what_changed_between_two_ticks_is_read_in_one_go(changes, source):
    await changes.gather(EARLY, is_wanted=True)
    for name in ("a", "b", "a"):
        changes.note({"order_id": name})
    changes.note({"courier_id": "c"})
    fresh = await changes.gather(LATER, is_wanted=True)
    assert (fresh.since, fresh.event, fresh.data) == (EARLY, "orders", b'["a", "b"]')
    assert await changes.gather(LAST, is_wanted=True) is None
    assert source.asked == [["a", "b"]]


async def test_nothing_is_read_while_nobody_looks_nor_of_more_than_a_list_would_bring(changes, source):
    changes.note({"order_id": "a"})
    assert await changes.gather(EARLY, is_wanted=False) is None
    for number in range(AT_MOST + 5):
        changes.note({"order_id": str(number)})
    assert await changes.gather(LATER, is_wanted=True) is None
    assert source.asked == []


async def test_slow_rows_hold_up_no_tick_and_come_with_a_later_one(changes, source, monkeypatch):
    monkeypatch.setattr(module, "LINGER_S", 0.0)
    source.may_answer.clear()
    changes.note({"order_id": "a"})
    assert await changes.gather(EARLY, is_wanted=True) is None
    changes.note({"order_id": "b"})
    assert await changes.gather(LATER, is_wanted=True) is None
    source.may_answer.set()
    monkeypatch.setattr(module, "LINGER_S", 60.0)
    assert (await changes.gather(LATER, is_wanted=True)).data == b'["a"]'
    fresh = await changes.gather(LAST, is_wanted=True)
    assert (fresh.since, fresh.data) == (EARLY, b'["b"]')


async def test_rows_that_cannot_be_read_are_left_out_and_later_ones_are_there(changes, source):
    source.is_broken = True
    changes.note({"order_id": "a"})
    assert await changes.gather(EARLY, is_wanted=True) is None
    source.is_broken = False
    changes.note({"order_id": "b"})
    assert (await changes.gather(LATER, is_wanted=True)).data == b'["b"]'
