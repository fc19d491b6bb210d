"""
Waiting that ends early when it is time to stop; and here whoever outlives errors hears that it was told to end.

A cancellation may be lost on its way. What cleans up after a cancelled statement may fail itself, as a rollback does on
a connection that is gone: then its error takes the place of the cancellation, and is taken for an outage. And redis-py
sends by `asyncio.wait_for`, which until Python 3.12 drops one that comes in the moment of its answer. Who goes on then
outlives its end, and whoever waits for that end waits for ever. So whatever goes on for long waits by one of these.
"""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any


def heed_cancellation() -> None:
    """Raises CancelledError when this task was cancelled and runs all the same."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def rest(seconds: float) -> None:
    """Sleep."""
    heed_cancellation()
    await asyncio.sleep(seconds)


async def pause(stop: asyncio.Event, seconds: float) -> bool:
    """Sleep, but not past `stop`; whether it is set."""
    heed_cancellation()
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
    return stop.is_set()


async def pause_until(seconds: float, *any_of: asyncio.Event) -> None:
    """Sleep until one of the events is set, at most so long."""
    heed_cancellation()
    waits = [asyncio.create_task(event.wait()) for event in any_of]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def first_to_end(*work: Coroutine[Any, Any, object]) -> None:
    """Run side by side until one ends, then end the others; raises what that one raised."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        heed_cancellation()
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
