"""Wait for what another task, thread or process brings about: by looking, not by sleeping as long as it should take."""

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any, Final

import httpx

PATIENCE_S: Final = 240.0
"""Nothing takes so long unless it never comes: how fast something is, is no test's business on a busy machine."""
LOOK_EVERY_S: Final = 0.02


async def until(condition: Callable[[], Any], within_s: float = PATIENCE_S) -> Any:
    """What `condition` answers, at once or awaited, as soon as it is true."""
    give_up_at = time.monotonic() + within_s
    while True:
        found = condition()
        if inspect.isawaitable(found):
            found = await found
        if found:
            return found
        assert time.monotonic() < give_up_at, f"not within {within_s:.0f} s: {_named(condition)}"
        await asyncio.sleep(LOOK_EVERY_S)


def wait_until(condition: Callable[[], Any], within_s: float = PATIENCE_S) -> Any:
    """The same where there is no event loop."""
    give_up_at = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < give_up_at, f"not within {within_s:.0f} s: {_named(condition)}"
        time.sleep(LOOK_EVERY_S)
    return found


def is_ready(url: str) -> bool:
    """Whether the program there says so."""
    try:
        return httpx.get(f"{url}/health/ready", timeout=PATIENCE_S / 4).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def _named(condition: Callable[[], Any]) -> str:
    return getattr(condition, "__qualname__", repr(condition))
