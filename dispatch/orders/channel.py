"""
Wakes the streams of couriers: one reader of a region's events per process, however many couriers listen.

A subscription is a flag, not a queue: whoever wakes reads the rows, so nothing can pile up and nothing can be missed
for long. While Redis is away nobody is woken; streams look at the rows from time to time anyway.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import redis.asyncio as aioredis

from tracking import events, outages
from tracking.position import CourierId, Region

log = logging.getLogger(__name__)

READ_BLOCK_MS: Final = 2000
"""Below the Redis client's socket timeout."""
RETRY_S: Final = 1.0


@dataclass(slots=True)
class _Reader:
    """The listeners of a region and the task that wakes them."""

    flags: dict[str, set[asyncio.Event]] = field(default_factory=dict)
    task: asyncio.Task[None] | None = None


class CourierChannels:
    """Wakes whoever listens for a courier."""

    def __init__(self, redis: aioredis.Redis) -> None:
        self._redis = redis
        self._readers: dict[Region, _Reader] = {}
        self.is_ended = False
        """The process is about to end: listeners let go."""

    def end(self) -> None:
        """Let every listener go."""
        self.is_ended = True
        for reader in self._readers.values():
            _wake(flag for flags in reader.flags.values() for flag in flags)

    @asynccontextmanager
    async def listen(self, region: Region, courier_id: CourierId) -> AsyncIterator[asyncio.Event]:
        """A flag that is set whenever something may have changed for the courier; the listener clears it."""
        reader = self._readers.setdefault(region, _Reader())
        flag, key = asyncio.Event(), str(courier_id)
        reader.flags.setdefault(key, set()).add(flag)
        if reader.task is None or reader.task.done():
            reader.task = asyncio.create_task(self._read(region, reader))
        try:
            yield flag
        finally:
            reader.flags[key].discard(flag)
            if not reader.flags[key]:
                del reader.flags[key]
            if not reader.flags and reader.task is not None:
                reader.task.cancel()
                reader.task = None

    async def _read(self, region: Region, reader: _Reader) -> None:
        after: str | None = None
        while True:
            try:
                if after is None:
                    after = await events.last_id(self._redis, region)
                    _wake(flag for flags in reader.flags.values() for flag in flags)
                told = await events.read(self._redis, region, after=after, block_ms=READ_BLOCK_MS)
            except outages.DRIVERS as exc:
                outages.tell(log, "events not read", exc, event="events_not_read", region=region)
                after = None
                await asyncio.sleep(RETRY_S)
                continue
            for event in told:
                after = event.id
                _wake(reader.flags.get(str(event.facts.get("courier_id")), ()))


def _wake(flags: Iterable[asyncio.Event]) -> None:
    for flag in flags:
        flag.set()
