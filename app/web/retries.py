"""
Transactions that got in each other's way (a deadlock, a failed serialisation), or in a migration's, are tried again,
in this one place.

Such a transaction has done nothing: PostgreSQL rolled it back. So the whole request is run again with the same body;
only when it fails time and again does the caller hear of it, as 503 with Retry-After.
"""

from typing import Any

import asyncpg
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from prometheus_client import Counter

RETRIES = Counter("postrider_retried_requests_total", "Requests run again because their transaction met another.")

COLLISIONS = (
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.InvalidCachedStatementError,  # a migration changed what a prepared statement answers; it is prepared anew
)
AT_MOST = 3
"""Retries of one request; each waits until the other transaction is through, as locks do."""

_COLLIDED = "postrider.collided"


def note_collision(scope: Any, exc: Exception) -> None:
    """Called with what a request failed for; remembers whether to run it again."""
    if isinstance(exc, COLLISIONS):
        scope["state"][_COLLIDED] = True


class RetryMiddleware:
    """Runs a request again whose transaction collided with another."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hold back an answer that says there was a collision, and run the request again."""
        if scope["type"] != ScopeType.HTTP:
            await self.app(scope, receive, send)
            return
        heard: list[Any] = []
        for left in reversed(range(AT_MOST + 1)):
            replayed = iter(heard.copy())

            async def hear(replayed: Any = replayed) -> Any:
                message = next(replayed, None)
                if message is None:
                    message = await receive()
                    heard.append(message)
                return message

            async def say(message: Message, left: int = left) -> None:
                if not (left and scope["state"].get(_COLLIDED)):
                    await send(message)

            await self.app(scope, hear, say)
            if not (left and scope["state"].pop(_COLLIDED, False)):
                return
            RETRIES.inc()
