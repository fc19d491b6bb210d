"""
The long search in a process of its own: OR-Tools holds the interpreter for seconds, the event loop must not.

The process is started when first needed (importing OR-Tools takes seconds), and replaced when it dies or does not
answer.
"""

import asyncio
import logging
import multiprocessing
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.synchronize import Event
from typing import Any, TypeVar

from dispatch.planning.params import Params
from dispatch.planning.proposal import Plan
from dispatch.planning.snapshot import Snapshot
from dispatch.region.worker_process import WorkerProcess

log = logging.getLogger(__name__)

T = TypeVar("T")

ANSWER_MARGIN_S = 10.0
"""A search that takes so much longer than its budget is taken for dead; covers the first import of OR-Tools."""

HALT_WITHIN_S = 0.05
"""A search that was halted may answer within this; then its answer is not waited for: a courier is."""

_stop: Event | None = None


class SearchProcess:
    """Runs `propose` with a time budget, one search at a time."""

    def __init__(self) -> None:
        self._halt = multiprocessing.get_context("spawn").Event()
        self._process: WorkerProcess | None = None
        self._running: Future[Plan] | None = None

    def warm(self) -> None:
        """Start the process and let it import OR-Tools, so that the first search does not wait for that."""
        self._submit(_import)

    async def propose(self, snapshot: Snapshot, params: Params, halt: asyncio.Event) -> Plan | None:
        """
        The plan found within `params.search_s`, or by the time `halt` is set.

        None when the search failed, did not answer (soon after `halt`), or is still busy with another region:
        whatever is in force stays.
        """
        if self._running is not None and not self._running.done():
            return None
        self._halt.clear()
        self._running = running = self._submit(_propose, snapshot, params)
        answer, halted = asyncio.wrap_future(running), asyncio.create_task(halt.wait())
        # An answer that is not waited for any more may be an error: it has been looked at.
        answer.add_done_callback(lambda done: done.cancelled() or done.exception())
        either: set[asyncio.Future[Any]] = {answer, halted}
        try:
            await asyncio.wait(either, timeout=params.search_s + ANSWER_MARGIN_S, return_when=asyncio.FIRST_COMPLETED)
            self._halt.set()
            if halted.done():
                await asyncio.wait({answer}, timeout=HALT_WITHIN_S)
            if answer.done():
                return answer.result()
            if not halted.done():
                log.warning("search did not answer", extra={"event": "search_lost"})
                self.close()
        except BrokenProcessPool:
            log.warning("search process died", extra={"event": "search_lost"})
            self.close()
            self.warm()
        except Exception:
            # A defect of the search: what is in force stays, and the quick plan goes on.
            log.exception("search failed", extra={"event": "search_failed"})
        finally:
            halted.cancel()
        return None

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.end()
            self._process = None

    def _submit(self, work: Callable[..., T], *arguments: Any) -> "Future[T]":
        """Hand work to the process; one that died while it was idle is replaced first."""
        try:
            return self._running_process().submit(work, *arguments)
        except BrokenProcessPool:
            log.warning("search process died", extra={"event": "search_lost"})
            self.close()
            return self._running_process().submit(work, *arguments)

    def _running_process(self) -> WorkerProcess:
        if self._process is None:
            self._process = WorkerProcess(_take_halt, self._halt)
        return self._process


def _take_halt(halt: Event) -> None:
    global _stop  # noqa: PLW0603 - the one thing a worker process is told at its start
    _stop = halt


def _import() -> None:

    import dispatch.planning.propose  # noqa: F401, PLC0415


def _propose(snapshot: Snapshot, params: Params) -> Plan:
    # Imported here: the parent needs none of it.
    from dispatch.planning.propose import propose  # noqa: PLC0415

    assert _stop is not None
    return propose(snapshot, params, _stop.is_set)
