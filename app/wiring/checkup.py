"""What `postrider check` finds, for a page: looked at when somebody asks, once for all who ask meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import Final, Protocol

LOOK_S: Final = 20.0
"""So long a look may take: each server that does not answer is given up after five seconds."""
FRESH_S: Final = 15.0
"""So long a look is answered again: however often somebody asks, the servers are asked four times a minute."""


class Result(Protocol):
    """What was looked at, what was found, whether that will do, and what mends it."""

    @property
    def what(self) -> str: ...
    @property
    def found(self) -> str: ...
    @property
    def ok(self) -> bool: ...
    @property
    def mend(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look found, and when."""

    at: datetime
    results: Sequence[Result]


class Checkup:
    """Looks at the installation. One per process."""

    def __init__(self, look: Callable[[], Awaitable[Sequence[Result]]]) -> None:
        self._look = look
        self._last: tuple[float, Looked] | None = None
        self._turn = asyncio.Lock()

    async def looked(self) -> Looked:
        """What was found just now; raises TimeoutError."""
        async with self._turn:
            if self._last is not None and monotonic() < self._last[0]:
                return self._last[1]
            async with asyncio.timeout(LOOK_S):
                results = await self._look()
            looked = Looked(datetime.now(UTC), results)
            self._last = monotonic() + FRESH_S, looked
            return looked
