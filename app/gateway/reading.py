"""A queue is read as long as we run, with a new connection after whatever became of the old one."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Final

from tracking.pause import pause

log = logging.getLogger(__name__)

AGAIN_S: Final = 0.25
AGAIN_AT_MOST_S: Final = 5.0
"""To ask whether a broker is back costs one connection."""
STEADY_AFTER_S: Final = 30.0


async def keep_reading(
    way: str,
    read: Callable[[asyncio.Event], Awaitable[None]],
    stop: asyncio.Event,
    *,
    errors: tuple[type[Exception], ...],
) -> None:
    """
    Let `read` read until `stop`, again and again, after ever longer waits where it cannot.

    `errors`: what its broker's library raises for outages; anything else is a defect, for whoever supervises the task.
    """
    wait_s = AGAIN_S
    while not stop.is_set():
        began = monotonic()
        try:
            await read(stop)
        except errors as exc:
            facts = {"event": "queue_away", "way": way, "error": f"{type(exc).__name__}: {exc}"}
            log.warning("queue away", extra=facts)
        wait_s = AGAIN_S if monotonic() - began > STEADY_AFTER_S else min(wait_s * 2, AGAIN_AT_MOST_S)
        await pause(stop, wait_s)
