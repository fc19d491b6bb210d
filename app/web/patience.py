"""How long a request may take to arrive: its head is the server's matter (`app/machine/api.py`), its body is ours."""

import asyncio
from collections.abc import Awaitable
from time import monotonic
from typing import TypeVar

from litestar.types import HTTPReceiveMessage, HTTPRequestEvent, Receive

from app.web.problems import BodyTooSlow

T = TypeVar("T")
LOOK_EVERY_S = 1.0


def in_time(receive: Receive, limit_s: float) -> Receive:
    """The same `receive`, that raises BodyTooSlow where the whole body is not there `limit_s` after it is asked for."""
    deadline: float | None = None
    is_whole = False

    async def patient() -> HTTPReceiveMessage | HTTPRequestEvent:
        nonlocal deadline, is_whole
        if is_whole:
            return await receive()  # type: ignore[return-value]  # waits for the end of the connection
        if deadline is None:
            deadline = asyncio.get_running_loop().time() + limit_s
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError as exc:
            raise BodyTooSlow from exc
        is_whole = message["type"] != "http.request" or not message.get("more_body")
        return message  # type: ignore[return-value]

    return patient


class Patience:
    """
    Waits for bodies, but not for ever; all requests share one timer.

    `asyncio.timeout` makes three objects and a timer for each request, which costs more than to decode the fix in it.
    """

    def __init__(self) -> None:
        self._until: dict[asyncio.Task[object], float] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def wait(self, body: Awaitable[T], within_s: float) -> T:
        """What `body` gives; raises BodyTooSlow some time within LOOK_EVERY_S after `within_s`, and what it raises."""
        task = asyncio.current_task()
        assert task is not None
        self._until[task] = monotonic() + within_s
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LOOK_EVERY_S, self._look)
        try:
            return await body
        except asyncio.CancelledError as exc:
            if task not in self._until:  # we took it out
                task.uncancel()
                raise BodyTooSlow from exc
            raise
        finally:
            self._until.pop(task, None)

    def _look(self) -> None:
        now = monotonic()
        for task in [task for task, until in self._until.items() if until < now]:
            del self._until[task]
            task.cancel()
        self._timer = asyncio.get_running_loop().call_later(LOOK_EVERY_S, self._look) if self._until else None
