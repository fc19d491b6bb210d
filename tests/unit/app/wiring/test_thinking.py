"""Questions of what would be are answered in a process of their own, in bounded time and number."""

import asyncio
import os
import signal
from concurrent.futures.process import BrokenProcessPool

import pytest

from app.wiring.thinking import QUESTIONS, Thinking, think
from dispatch.errors import PlannerBusy
from dispatch.planning.params import Params
from tests.unit.dispatch.planning.worlds import job, worker, world

TOWN = [(0, 0), (1000, 0), (2000, 0)]
SNAPSHOT = world(TOWN, [job(0, 1, 2)], [worker(0, 0)])


async def ready(thinking):
    await thinking.plans([SNAPSHOT], Params())  # starts it, and is answered meanwhile
    await asyncio.wrap_future(thinking._process._ready)


async def test_answers_come_from_another_process_and_are_the_same():
    thinking = Thinking()
    try:
        await ready(thinking)
        process = thinking._process._process.pid
        assert process != os.getpid()
        assert await thinking.plans([SNAPSHOT, SNAPSHOT], Params()) == think([SNAPSHOT, SNAPSHOT], Params(), 2.0)
    finally:
        thinking.close()


async def test_a_process_that_died_is_not_waited_for_and_is_replaced():
    thinking = Thinking()
    try:
        await ready(thinking)
        process = thinking._process._process.pid
        os.kill(process, signal.SIGKILL)
        assert await thinking.plans([SNAPSHOT], Params()) == think([SNAPSHOT], Params(), 2.0)
        await ready(thinking)
        assert process != thinking._process._process.pid
    finally:
        thinking.close()


async def test_a_process_that_does_not_answer_is_ended_and_the_next_question_has_another():
    thinking = Thinking()
    try:
        await ready(thinking)
        process = thinking._process._process.pid
        os.kill(process, signal.SIGSTOP)
        with pytest.raises(TimeoutError):
            await thinking.plans([SNAPSHOT], Params(), seconds=0.1)
        assert await thinking.plans([SNAPSHOT], Params()) == think([SNAPSHOT], Params(), 2.0)
        await ready(thinking)
        assert process != thinking._process._process.pid
    finally:
        thinking.close()


async def test_more_questions_than_may_wait_are_told_to_come_again():
    thinking = Thinking()
    thinking._n = QUESTIONS
    with pytest.raises(PlannerBusy):
        await thinking.plans([SNAPSHOT], Params())


def test_every_plan_of_a_question_is_answered_also_without_time():
    for plan in think([SNAPSHOT] * 3, Params(), 0.0):
        assert {one.order_id for one in (*plan.assignments, *plan.unassigned)} == {SNAPSHOT.jobs[0].order_id}


async def test_a_process_that_died_before_it_was_ready_is_replaced():
    thinking = Thinking()
    try:
        await thinking.plans([SNAPSHOT], Params())
        process = thinking._process._process
        process.end()
        with pytest.raises(BrokenProcessPool):
            await asyncio.wrap_future(thinking._process._ready)
        await ready(thinking)
        assert thinking._process._process is not process
    finally:
        thinking.close()
