"""Keeps a background task alive: a death is logged, counted and followed by a new start."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from time import monotonic

from prometheus_client import Counter

from tracking.pause import heed_cancellation, pause

log = logging.getLogger(__name__)

TASK_DEATHS = Counter("postrider_task_deaths_total", "Background tasks that ended with an error.", ["task"])

WAIT_S = 0.2
WAIT_AT_MOST_S = 10.0
STEADY_AFTER_S = 60.0
"""A task that ran this long is tried again at once."""


async def supervise(name: str, start: Callable[[asyncio.Event], Awaitable[None]], stop: asyncio.Event) -> None:
    """Run `start(stop)` until `stop` is set, again after every death, with growing pauses."""
    wait_s = WAIT_S
    while not stop.is_set():
        began = monotonic()
        try:
            await start(stop)
        except (Exception, asyncio.CancelledError) as exc:
            if isinstance(exc, asyncio.CancelledError):
                # If it was not for us, a library let out that of a task of its own, as aiokafka does when a client is
                # closed whose broker is away. Taken for ours, it would end the work for good, in silence.
                heed_cancellation()
            TASK_DEATHS.labels(name).inc()
            log.exception("task died", extra={"event": "task_died", "task": name, "again_in_s": wait_s})
        else:
            if not stop.is_set():
                log.warning("task ended early", extra={"event": "task_ended", "task": name})
        if monotonic() - began > STEADY_AFTER_S:
            wait_s = WAIT_S
        await pause(stop, wait_s)
        wait_s = min(wait_s * 2, WAIT_AT_MOST_S)
