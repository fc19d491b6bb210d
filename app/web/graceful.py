"""
Streams that end when the server does.

A server that is told to stop waits for what is under way, and an open stream is under way for ever. So the API's
supervisor, before it stops its workers, tells them to end their streams; viewers reconnect elsewhere and resume.
"""

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Final

END_STREAMS: Final = signal.SIGUSR2
"""From the supervisor to its workers."""


def warn_workers_first() -> None:
    """In the supervisor, once its own handlers of SIGINT and SIGTERM are in place: tell the workers before it stops."""
    for number in (signal.SIGINT, signal.SIGTERM):
        stop = signal.getsignal(number)
        assert callable(stop)

        def handler(number: int, frame: FrameType | None, stop: Callable[..., object] = stop) -> None:
            for worker in multiprocessing.active_children():
                if worker.pid is not None:
                    with suppress(ProcessLookupError):
                        os.kill(worker.pid, END_STREAMS)
            stop(number, frame)

        signal.signal(number, handler)


def when_streams_must_end(end: Callable[[], None]) -> None:
    """In a worker: call `end` when the supervisor says so. Does nothing where signals cannot be heard (a thread)."""
    with suppress(NotImplementedError, RuntimeError, ValueError):
        asyncio.get_running_loop().add_signal_handler(END_STREAMS, end)
