"""
What events speak of, as it is now: read once for all viewers of a process, instead of by every one of them.

An event names what changed and no more. Whoever shows it would have to ask, each page for each change; so the feed asks
once a tick and sends the answer along. What cannot be had in time is left out, and the viewers ask for it themselves.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from prometheus_client import Counter

from tracking import outages
from tracking.feed.crowd import NEVER, StreamId
from tracking.feed.view import Fresh

log = logging.getLogger(__name__)

NOT_SENT = Counter("postrider_live_rows_not_sent_total", "Changed rows that viewers had to ask for themselves.")

AT_MOST: Final = 200
"""Changes of one tick; of more, viewers had better read a list."""
WITHIN_S: Final = 2.0
LINGER_S: Final = 0.15
"""A tick waits so long for the rows of what it tells; later ones come with the next."""

Read = Callable[[Sequence[str]], Awaitable[bytes]]
"""JSON of the rows with these ids, one line."""


class Rows:
    """Gathers the rows of one region's changes; `event` is what viewers get them as, `fact` what names them."""

    def __init__(self, event: str, fact: str, read: Read) -> None:
        self._event = event
        self._fact = fact
        self._read = read
        self._changed: dict[str, None] = {}
        self._since = NEVER
        self._reading: asyncio.Task[Fresh | None] | None = None

    def note(self, facts: Mapping[str, Any]) -> None:
        """Something happened."""
        name = facts.get(self._fact)
        if isinstance(name, str) and len(self._changed) <= AT_MOST:
            self._changed[name] = None

    async def gather(self, upto: StreamId, *, is_wanted: bool) -> Fresh | None:
        """The rows that are there now; `upto` is the last event that was noted. Without viewers nothing is read."""
        if self._reading is None:
            ids, self._changed = list(self._changed), {}
            since, self._since = self._since, upto
            if not ids or not is_wanted:
                return None
            if len(ids) > AT_MOST:
                NOT_SENT.inc(len(ids))
                return None
            self._reading = asyncio.create_task(self._rows(ids, since))
        await asyncio.wait({self._reading}, timeout=LINGER_S)
        if not self._reading.done():
            return None
        read, self._reading = self._reading, None
        return read.result()

    def close(self) -> None:
        """Nobody waits any more."""
        if self._reading is not None:
            self._reading.cancel()

    async def _rows(self, ids: Sequence[str], since: StreamId) -> Fresh | None:
        try:
            async with asyncio.timeout(WITHIN_S):
                return Fresh(since, self._event, await self._read(ids))
        except Exception as exc:  # noqa: BLE001 - told; the viewers ask for themselves
            NOT_SENT.inc(len(ids))
            outages.tell(log, "rows not sent", exc, event="live_rows_not_sent", n_rows=len(ids))
            return None
