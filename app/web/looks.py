"""
Whoever looks at where couriers were is on record: one rule for every route, marked `opt=looks_at("courier.track")`.

One row per viewer, action, courier (or region, or all) and hour. A courier who looks at the courier's own is no viewer.
While the database is away, looks wait in memory, a bounded number of them, and are written when it is back.
"""

import asyncio
import logging
from datetime import UTC, datetime
from typing import Any, Final

import asyncpg
from litestar.connection import Request
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from prometheus_client import Counter

from app.logs import current_address, current_trace_id
from app.web.auth import Caller
from sql import queries
from tracking import outages
from tracking.memo import Memo
from tracking.pause import pause

log = logging.getLogger(__name__)

LOST = Counter("postrider_looks_lost_total", "Looks at whereabouts that could not be put on record.")

KNOWN: Final = 100_000
"""Looks that one process remembers to have written."""
WAITING: Final = 10_000
"""Looks that wait for the database; a further one is counted as lost."""
EVERY_S: Final = 5.0
WRITE_S: Final = 2.0
"""So long an answer waits for its look to be on record; later it is written without it."""
HOUR_S: Final = 3600

_Look = tuple[str, str, str, str, datetime, str | None, str]
"""Actor, role, action, subject, hour, address, trace id."""


def looks_at(action: str) -> dict[str, str]:
    """The mark of a route that answers with whereabouts; `action` is how the audit log calls it."""
    return {"looks_at": action}


class Looks:
    """Puts looks on record."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._known: Memo[tuple[str, str, str, datetime], bool] = Memo(KNOWN)
        self._waiting: dict[tuple[str, str, str, datetime], _Look] = {}

    async def note(self, caller: Caller, action: str, subject: str, now: datetime) -> None:
        """Put a look on record before it is answered, or as soon as the database is back."""
        hour = now.replace(minute=0, second=0, microsecond=0)
        key = (caller.actor, action, subject, hour)
        if self._known.get(key) is not None or key in self._waiting:
            return
        if len(self._waiting) >= WAITING:
            LOST.inc()
            return
        self._waiting[key] = (
            caller.actor, caller.role.value, action, subject, hour, current_address(), current_trace_id()
        )  # fmt: skip
        await self._write()

    async def run(self, stop: asyncio.Event) -> None:
        """Write what waits, until `stop`."""
        while not stop.is_set():
            await pause(stop, EVERY_S)
            await self._write()

    async def _write(self) -> None:
        looks = dict(self._waiting)
        if not looks:
            return
        try:
            await self._pool.executemany(queries["audit_log.look"], list(looks.values()), timeout=WRITE_S)
        except outages.DRIVERS as exc:
            outages.tell(log, "looks not on record yet", exc, event="looks_wait", n=len(looks))
            return
        for key in looks:
            self._waiting.pop(key, None)
            self._known.put(key, True, key[3].timestamp() + HOUR_S)


class LookMiddleware:
    """Notes a look when it is answered."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Put what is answered with 2xx on record before the first byte."""
        action = scope["route_handler"].opt.get("looks_at") if scope["type"] == ScopeType.HTTP else None
        if action is None:
            await self.app(scope, receive, send)
            return
        request: Request[Any, Any, Any] = Request(scope)

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 400:
                caller: Caller = request.user
                if caller.courier_id is None:
                    await request.app.state.looks.note(caller, action, _subject(request), datetime.now(UTC))
            await send(message)

        await self.app(scope, receive, noted)


def _subject(request: Request[Any, Any, Any]) -> str:
    courier_id = request.path_params.get("courier_id") or request.query_params.get("courier_id")
    if courier_id is not None:
        return f"courier:{courier_id}"
    region = request.query_params.get("region")
    return "couriers" if region is None else f"region:{region}"
