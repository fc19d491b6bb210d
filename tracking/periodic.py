"""Work that is done again and again: the database away is a reason to do it later, and never the end of it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from prometheus_client import Gauge

from tracking import outages
from tracking.pause import pause

SUCCESS: Final = Gauge(
    "postrider_job_success_timestamp_seconds",
    "When work that is done again and again last went well.",
    ["work"],
    multiprocess_mode="mostrecent",
)


async def run(
    work: Callable[[], Awaitable[object]],
    stop: asyncio.Event,
    *,
    every_s: float,
    log: logging.Logger,
    message: str,
    event: str,
    name: str,
) -> None:
    """
    Do `work`, then wait `every_s` seconds, until `stop`; `name` is the metrics' for it.

    What the drivers of PostgreSQL and Redis raise is told in `log` (`message`, `event`); anything else is a defect and
    is raised, for whoever supervises the task.
    """
    while not stop.is_set():
        try:
            await work()
            succeeded(name)
        except outages.DRIVERS as exc:
            outages.tell(log, message, exc, event=event)
        await pause(stop, every_s)


def succeeded(name: str) -> None:
    """Say that some work went well just now."""
    SUCCESS.labels(name).set_to_current_time()
