"""Work that is done again and again: the database away is a reason to do it later, and never the end of it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from tracking import outages
from tracking.pause import pause


async def run(
    work: Callable[[], Awaitable[object]],
    stop: asyncio.Event,
    *,
    every_s: float,
    log: logging.Logger,
    message: str,
    event: str,
) -> None:
    """
    Do `work`, then wait `every_s` seconds, until `stop`.

    What the drivers of PostgreSQL and Redis raise is told in `log` (`message`, `event`); anything else is a defect and
    is raised, for whoever supervises the task.
    """
    while not stop.is_set():
        try:
            await work()
        except outages.DRIVERS as exc:
            outages.tell(log, message, exc, event=event)
        await pause(stop, every_s)
