"""
Turns at what costs a process much: a bounded number at a time, and a bounded share of the time.

A bound on how many run at once does not help those who wait for the same processor: behind each that ends the next one
begins. So a place stays empty after a turn in proportion to how long the turn took. Who comes alone waits for nothing.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic
from typing import Final

WAIT_S: Final = 10.0
"""So long a request waits for its turn; then it is answered 503, and may be sent again."""
REST_AT_MOST_S: Final = 2.0
"""A turn that waited long for others is no reason to keep everybody waiting."""


class Turns:
    """Places that are taken one after another."""

    def __init__(self, at_once: int, *, share: float) -> None:
        """`share`: of the time a place is taken, at most."""
        self._places = asyncio.Semaphore(at_once)
        self._share = share

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """A turn, within WAIT_S; raises TimeoutError."""
        async with asyncio.timeout(WAIT_S):
            await self._places.acquire()
        began = monotonic()
        try:
            yield
        finally:
            rest_s = min((monotonic() - began) * (1 / self._share - 1), REST_AT_MOST_S)
            asyncio.get_running_loop().call_later(rest_s, self._places.release)
