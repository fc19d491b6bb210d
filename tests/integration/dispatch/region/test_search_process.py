"""The search in a process of its own: answers, gives way, dies and is replaced."""

import asyncio
import os
import signal
import uuid

import numpy as np
import pytest

from dispatch.planning.params import Params
from dispatch.planning.snapshot import Job, Snapshot, TravelMatrix, Visit, Worker
from dispatch.region import search_process
from dispatch.region.search_process import SearchProcess
from tests.waiting import PATIENCE_S, until
from tracking.position import Mode

NOW = 1_000_000


@pytest.fixture
def snapshot():
    travel = np.array([[0, 300, 0], [300, 0, 0], [60, 300, 0]], dtype=np.int32)
    job = Job(
        order_id=uuid.UUID(int=1), pickup=Visit(place=0), dropoff=Visit(place=1), placed_at=NOW, ready_at=NOW, size=(1,)
    )
    worker = Worker(courier_id=uuid.UUID(int=2), mode=Mode.BICYCLE, start=2, available_at=NOW)
    return Snapshot(
        region="default",
        now=NOW,
        jobs=(job,),
        workers=(worker,),
        travel=TravelMatrix(durations_s={Mode.BICYCLE: travel}, distances_m={Mode.BICYCLE: travel * 4}),
    )


@pytest.fixture
def search(monkeypatch):
    monkeypatch.setattr(search_process, "ANSWER_MARGIN_S", PATIENCE_S)  # a busy machine imports OR-Tools slowly
    process = SearchProcess()
    process.warm()
    yield process
    process.close()


async def answer(search, snapshot, halt=None):
    return await search.propose(snapshot, Params(search_s=0.2), halt or asyncio.Event())


async def test_search_answers_from_its_own_process(search, snapshot):
    plan = await answer(search, snapshot)
    assert [given.order_id for given in plan.assignments] == [snapshot.jobs[0].order_id]


async def test_halted_search_is_not_waited_for(search, snapshot):
    """Its process may still import OR-Tools, or stand still as here: the offer that is due does not wait for that."""
    assert await answer(search, snapshot) is not None
    os.kill(search._process.pid, signal.SIGSTOP)
    halt = asyncio.Event()
    halt.set()
    async with asyncio.timeout(PATIENCE_S):
        assert await search.propose(snapshot, Params(search_s=10 * PATIENCE_S), halt) is None


async def test_search_process_that_was_killed_is_replaced(search, snapshot):
    assert await answer(search, snapshot) is not None
    os.kill(search._process.pid, signal.SIGKILL)
    await answer(search, snapshot)
    assert await answer(search, snapshot) is not None


async def test_search_process_that_was_killed_while_idle_is_replaced_at_once(search, snapshot):
    assert await answer(search, snapshot) is not None
    process = search._process
    os.kill(process.pid, signal.SIGKILL)
    await until(lambda: process._pool._broken)
    assert await answer(search, snapshot) is not None
    assert search._process is not process
