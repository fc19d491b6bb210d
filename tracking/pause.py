"""Waiting that ends early when it is time to stop."""

import asyncio
from contextlib import suppress


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
