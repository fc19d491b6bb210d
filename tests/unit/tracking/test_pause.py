"""Who goes on after every error ends all the same when told to, whatever becomes of the cancellation on its way."""

import ast
import asyncio
import logging
from contextlib import suppress

import pytest

from app.wiring.supervise import supervise
from tests.unit.source import trees
from tests.waiting import until
from tracking import periodic
from tracking.pause import first_to_end, pause, pause_until, rest
from tracking.streams import GROUP, Tail, Tails
from tracking.watching.observer import bearing

log = logging.getLogger(__name__)
LONG_S = 3600.0


class Work:
    """Ends with an error of the connection when it is cancelled, as a transaction does whose rollback fails."""

    n_begun = 0

    async def __call__(self, _stop=None):
        self.n_begun += 1
        try:
            await asyncio.sleep(LONG_S)
        finally:
            raise ConnectionError("unexpected connection_lost() call")


async def outlive(work, wait):
    while True:
        try:
            await work()
        except OSError:
            await wait()


def by(wait):
    return lambda work: outlive(work, wait)


def never():
    return asyncio.Event()


async def set_aside(work):
    """As a reader of the log does with what it cannot bear."""
    tail = Tail({"a": GROUP})
    while True:
        with bearing("default", "show fixes"):
            try:
                await work()
            except OSError as exc:
                raise ValueError from exc
        await tail.take(LONG_S)


OUTLIVING = {
    "pause": by(lambda: pause(never(), LONG_S)),
    "pause for no time": by(lambda: pause(never(), 0)),
    "pause until": by(lambda: pause_until(LONG_S, never())),
    "rest": by(lambda: rest(LONG_S)),
    "tail": by(lambda: Tail({"a": GROUP}).take(LONG_S)),
    "set aside": set_aside,
    "side by side": lambda work: first_to_end(outlive(work, lambda: rest(LONG_S)), rest(LONG_S)),
    "periodic": lambda work: periodic.run(
        work, never(), every_s=LONG_S, log=log, message="failed", event="failed", name="test"
    ),
    "supervised": lambda work: supervise("test", work, never()),
}


@pytest.mark.parametrize("how", OUTLIVING)
async def test_who_outlives_errors_ends_when_an_error_took_the_place_of_the_cancellation(how):
    work = Work()
    task = asyncio.create_task(OUTLIVING[how](work))
    await until(lambda: work.n_begun)
    task.cancel()
    await asyncio.wait([task], timeout=30)
    assert task.cancelled()
    assert work.n_begun == 1


async def test_a_supervised_task_begins_again_after_a_cancellation_that_was_not_its_own():
    """aiokafka's clients let one out when they are closed while their broker is away."""
    n_begun = 0

    async def work(_stop):
        nonlocal n_begun
        n_begun += 1
        theirs = asyncio.create_task(asyncio.sleep(LONG_S))
        theirs.cancel()
        await theirs

    supervised = asyncio.create_task(supervise("test", work, never()))
    await asyncio.wait([supervised, asyncio.create_task(until(lambda: n_begun > 1))], return_when="FIRST_COMPLETED")
    assert n_begun > 1
    supervised.cancel()
    await asyncio.wait([supervised], timeout=30)
    assert supervised.cancelled()


class OddRedis:
    """Answers at once, and drops a cancellation that comes in that moment, as `asyncio.wait_for` does."""

    n_asked = 0

    async def xread(self, places, **_):
        self.n_asked += 1
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0)
        return []


async def dropping(first):
    """A turn that begins with a command whose cancellation is dropped."""
    with suppress(asyncio.CancelledError):
        first.set()
        await asyncio.sleep(LONG_S)
    await first_to_end(rest(LONG_S), rest(LONG_S))


async def test_a_cancellation_that_a_driver_dropped_is_heard_by_what_runs_side_by_side():
    first = asyncio.Event()
    task = asyncio.create_task(dropping(first))
    await first.wait()
    task.cancel()
    await asyncio.wait([task], timeout=30)
    assert task.cancelled()


async def test_who_reads_streams_stops_reading_though_redis_dropped_the_cancellation():
    redis = OddRedis()
    tails = Tails(redis)
    with tails.follow({"a": "0-0"}):
        await until(lambda: redis.n_asked)
        [reader] = tails._readers.values()
        reading = reader._reading
    with tails.follow({"a": "0-0"}):  # somebody else follows at once, with a reading of their own
        await asyncio.wait([reading], timeout=30)
        assert reading.done()


async def test_a_time_limit_that_has_passed_cancels_no_pause_after_it():
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await rest(LONG_S)
    assert not await pause(never(), 0)


def test_nobody_waits_for_its_end_in_a_way_of_its_own():
    """`async with asyncio.timeout(...): await stop.wait()` does not heed a cancellation that was lost before."""
    found = [
        node.body
        for tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.AsyncWith) and _is_limit(node.items[0].context_expr)
    ]
    of_pause = 1
    assert sum("stop.wait()" in ast.unparse(body) for body in found) == of_pause


def _is_limit(context):
    return isinstance(context, ast.Call) and isinstance(context.func, ast.Attribute) and context.func.attr == "timeout"
