"""
The long search in a process of its own: OR-Tools holds the interpreter for seconds, the event loop must not.

The process is started when first needed (importing OR-Tools takes seconds), ends with its parent, also when that is
killed, and is replaced when it dies or does not answer.
"""

import asyncio
import logging
import multiprocessing
import os
import threading
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.synchronize import Event

from dispatch.params import Params
from dispatch.snapshot import Plan, Snapshot

log = logging.getLogger(__name__)

ANSWER_MARGIN_S = 10.0
"""A search that takes so much longer than its budget is taken for dead; covers the first import of OR-Tools."""

_stop: Event | None = None


class SearchProcess:
    """Runs `propose` with a time budget, one search at a time."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._halt = self._context.Event()
        self._executor: ProcessPoolExecutor | None = None
        self._turn = asyncio.Lock()

    async def propose(self, snapshot: Snapshot, params: Params, halt: asyncio.Event) -> Plan | None:
        """
        The plan found within `params.search_s`, or sooner when `halt` is set.

        None when the search failed or did not answer: whatever is in force stays.
        """
        async with self._turn:
            self._halt.clear()
            watcher = asyncio.create_task(self._forward(halt))
            loop = asyncio.get_running_loop()
            try:
                async with asyncio.timeout(params.search_s + ANSWER_MARGIN_S):
                    return await loop.run_in_executor(self._process(), _propose, snapshot, params)
            except (BrokenProcessPool, TimeoutError) as exc:
                log.warning("search gave no answer", extra={"event": "search_lost", "error": type(exc).__name__})
                self.close()
                return None
            finally:
                watcher.cancel()
                self._halt.set()

    def close(self) -> None:
        """End the process."""
        if self._executor is None:
            return
        self._halt.set()
        for process in list(getattr(self._executor, "_processes", {}).values()):
            process.terminate()
        self._executor.shutdown(wait=False, cancel_futures=True)
        self._executor = None

    async def _forward(self, halt: asyncio.Event) -> None:
        await halt.wait()
        self._halt.set()

    def _process(self) -> Executor:
        if self._executor is None:
            self._executor = ProcessPoolExecutor(
                max_workers=1, mp_context=self._context, initializer=_begin, initargs=(self._halt,)
            )
        return self._executor


def _begin(halt: Event) -> None:
    global _stop  # noqa: PLW0603 - the one thing a worker process is told at its start
    _stop = halt
    os.nice(5)  # offers to couriers come first
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A pool's worker does not notice that its parent was killed: it would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _propose(snapshot: Snapshot, params: Params) -> Plan:
    # Imported here: the parent needs none of it.
    from dispatch.plan import propose  # noqa: PLC0415

    assert _stop is not None
    return propose(snapshot, params, _stop.is_set)
