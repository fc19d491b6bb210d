"""Waiting that ends early when it is time to stop."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any


async def pause(stop: asyncio.Event, seconds: float) -> bool:
    """Sleep, but not past `stop`; whether it is set."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
    return stop.is_set()


async def pause_until(seconds: float, *any_of: asyncio.Event) -> None:
    """Sleep until one of the events is set, at most so long."""
    waits = [asyncio.create_task(event.wait()) for event in any_of]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def first_to_end(*work: Coroutine[Any, Any, None]) -> None:
    """Run side by side until one ends, then end the others; raises what that one raised."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
