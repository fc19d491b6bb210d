"""
A process that thinks for another: how it begins, and how it ends.

Searches and plans hold the interpreter for seconds, so they have processes of their own, started by `spawn` (a fork
would share the event loop and the connections). Each stands back behind its parent, ends with it, also when that is
killed, and is killed when its owner does not wait for it any more: one that hangs, or is stopped, heeds nothing less.
"""

import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any, Final, TypeVar

T = TypeVar("T")

NICE: Final = 5
"""Offers to couriers and their fixes come first."""


def begin(nice: int = NICE) -> None:
    """To be called first in a process that thinks for another."""
    os.nice(nice)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A worker that waits for work does not notice that its parent was killed: it would wait for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


class WorkerProcess:
    """One process, which does one piece of work after another; it starts with the first, and when ended stays so."""

    def __init__(self, prepare: Callable[..., None] | None = None, *arguments: Any) -> None:
        """`prepare` is called with the arguments in the new process, before all work."""
        self._pool = ProcessPoolExecutor(
            max_workers=1,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_prepare,
            initargs=(prepare, arguments),
        )

    @property
    def pid(self) -> int | None:
        """None: it does not run."""
        return next(iter(self._processes), None)

    @property
    def _processes(self) -> dict[int, Any]:
        return dict(getattr(self._pool, "_processes", None) or {})

    def submit(self, work: Callable[..., T], *arguments: Any) -> "Future[T]":
        """Hand work to the process; raises BrokenProcessPool where it has died, and so does the future when it dies."""
        return self._pool.submit(work, *arguments)

    def end(self) -> None:
        """Kill it; whoever still waits for it is told that it is broken."""
        for process in self._processes.values():
            process.kill()
        self._pool.shutdown(wait=False)


def _prepare(prepare: Callable[..., None] | None, arguments: tuple[Any, ...]) -> None:
    begin()
    if prepare is not None:
        prepare(*arguments)
