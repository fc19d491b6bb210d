"""
Plans of worlds that are not, in a process of their own: seconds of Python must not hold up offers and fixes in the API.

The process starts with the first question, which takes seconds; until it is ready, and after it died, a thread
answers. One process and a bounded number of questions: who comes when that is full is told to come again.
"""

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from time import monotonic
from typing import Final

from dispatch.errors import PlannerBusy
from dispatch.planning.params import Params
from dispatch.planning.proposal import Plan
from dispatch.planning.propose import propose
from dispatch.planning.snapshot import Snapshot
from dispatch.region.worker_process import WorkerProcess

log = logging.getLogger(__name__)

THINK_S: Final = 2.0
"""Time for all plans of a question together; what is found by then counts."""
ANSWER_MARGIN_S: Final = 8.0
"""A question that takes so much longer is given up: reports come after the time, on a busy machine slowly."""
QUESTIONS: Final = 8
"""At once in a process, the one that is thought about among them."""


class Thinking:
    """Answers questions one after another."""

    def __init__(self) -> None:
        self._process: WorkerProcess | None = None
        self._ready: Future[None] = Future()
        """Of the process: it has imported what it needs."""
        self._n = 0

    async def plans(self, snapshots: Sequence[Snapshot], params: Params, *, seconds: float = THINK_S) -> list[Plan]:
        """A plan for each; raises PlannerBusy, and TimeoutError where no answer came: then the process is ended."""
        if self._n >= QUESTIONS:
            raise PlannerBusy
        self._n += 1
        try:
            if (asked := self._ready_process()) is not None:
                try:
                    return await self._in_process(asked, snapshots, params, seconds)
                except BrokenProcessPool:
                    log.warning("thinking process died", extra={"event": "thinking_lost"})
                    self._let_go(asked)
                except TimeoutError:
                    # It hangs, or nobody would have waited longer than it thinks: the next question has another.
                    log.warning("thinking process did not answer", extra={"event": "thinking_lost"})
                    self._let_go(asked)
                    raise
            return await asyncio.to_thread(think, snapshots, params, seconds)
        finally:
            self._n -= 1

    async def _in_process(
        self, process: WorkerProcess, snapshots: Sequence[Snapshot], params: Params, seconds: float
    ) -> list[Plan]:
        answer = asyncio.wrap_future(process.submit(think, snapshots, params, seconds))
        # Those before it have as long, and no longer.
        async with asyncio.timeout(self._n * seconds + ANSWER_MARGIN_S):
            return await answer

    def _ready_process(self) -> WorkerProcess | None:
        if self._process is not None and self._ready.done() and self._ready.exception() is not None:
            self._let_go(self._process)  # it died before it was ready
        if self._process is None:
            self._process = WorkerProcess()
            self._ready = self._process.submit(_import)
        return self._process if self._ready.done() else None

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._let_go(self._process)

    def _let_go(self, process: WorkerProcess) -> None:
        """End that process, and not one that was begun since."""
        process.end()
        if process is self._process:
            self._process = None


def think(snapshots: Sequence[Snapshot], params: Params, seconds: float) -> list[Plan]:
    """A plan for each, each with its share of the time that is left."""
    ends_at, plans = monotonic() + seconds, []
    for number, snapshot in enumerate(snapshots):
        left = max(0.0, ends_at - monotonic()) / (len(snapshots) - number)
        plans.append(_within(snapshot, params, monotonic() + left))
    return plans


def _within(snapshot: Snapshot, params: Params, deadline: float) -> Plan:
    return propose(snapshot, params, lambda: monotonic() > deadline)


def _import() -> None:
    """What is imported by now is what takes long."""
