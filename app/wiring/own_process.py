"""
Work in a process of its own: a thread that computes in Python holds up who answers, for they share the interpreter.

The process starts with the first piece of work, which takes seconds; until it is ready, and after it died, a thread
does the work. It does one piece after another; how many may wait is for who asks to bound.
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from dispatch.region.worker_process import WorkerProcess

T = TypeVar("T")
log = logging.getLogger(__name__)


class OwnProcess:
    """Does work elsewhere, where that is there."""

    def __init__(self, name: str) -> None:
        """`name`: of the log's lines, when the process is lost."""
        self._name = name
        self._process: WorkerProcess | None = None
        self._ready: Future[None] = Future()
        """Of the process: it has imported what it needs."""

    async def ask(self, work: Callable[..., T], *arguments: Any, within_s: float) -> T:
        """
        What the work comes to; raises TimeoutError where the process did not answer in time: then it is ended.

        `work` is a function of a module, and is imported where it runs; the arguments and what it comes to are pickled.
        """
        if (asked := self._ready_process()) is not None:
            try:
                answer = asyncio.wrap_future(asked.submit(work, *arguments))
                async with asyncio.timeout(within_s):
                    return await answer
            except BrokenProcessPool:
                log.warning("process died", extra={"event": f"{self._name}_lost"})
                self._let_go(asked)
            except TimeoutError:
                # It hangs, or nobody would have waited longer than it works: the next one has another.
                log.warning("process did not answer", extra={"event": f"{self._name}_lost"})
                self._let_go(asked)
                raise
        return await asyncio.to_thread(work, *arguments)

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


def _import() -> None:
    """What is imported by now is what takes long."""
