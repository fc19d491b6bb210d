"""A process that thinks for another stands back, ends with its parent, and is ended whatever it does."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from dispatch.region.worker_process import NICE, WorkerProcess
from tests.processes import is_alive
from tests.waiting import until

PARENT = """
import os, sys
from dispatch.region.worker_process import WorkerProcess
from tests.integration.dispatch.region.test_worker_process import own_pid

if __name__ == "__main__":
    print(WorkerProcess().submit(own_pid).result(), flush=True)
    sys.stdin.read()
"""

_told = []


def own_pid():
    return os.getpid()


def niceness():
    return os.nice(0)


def take(told):
    _told.append(told)


def told():
    return _told[-1]


def sleep():
    time.sleep(600)


@pytest.fixture
def worker():
    made = WorkerProcess(take, "by the parent")
    yield made
    made.end()


async def test_it_stands_back_and_knows_what_it_was_told(worker):
    assert worker.pid is None
    assert await asyncio.wrap_future(worker.submit(niceness)) == min(19, os.nice(0) + NICE)
    assert await asyncio.wrap_future(worker.submit(told)) == "by the parent"
    assert await asyncio.wrap_future(worker.submit(own_pid)) == worker.pid != os.getpid()


@pytest.mark.parametrize("is_stopped", [False, True])
async def test_one_that_does_not_answer_is_ended_also_when_it_is_stopped(worker, is_stopped):
    pid = await asyncio.wrap_future(worker.submit(own_pid))
    busy = worker.submit(sleep)
    if is_stopped:
        os.kill(pid, signal.SIGSTOP)
    worker.end()
    with pytest.raises(BrokenProcessPool):
        await asyncio.wrap_future(busy)
    await until(lambda: not is_alive(pid))


async def test_it_ends_with_a_parent_that_is_killed():
    root = Path(__file__).parents[4]
    with subprocess.Popen(  # noqa: ASYNC220 - a parent of its own, to be killed
        [sys.executable, "-c", PARENT],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as parent:
        pid = int(await asyncio.to_thread(parent.stdout.readline))
        assert is_alive(pid)
        parent.kill()
        await until(lambda: not is_alive(pid))
