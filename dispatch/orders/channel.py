"""
Wakes the streams of couriers: one reader of a region's events per process, however many couriers listen.

A subscription is a flag, not a queue: whoever wakes reads the rows, so nothing can pile up and nothing can be missed
for long. While Redis is away nobody is woken; streams look at the rows from time to time anyway.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import redis.asyncio as aioredis

from tracking import events
from tracking.position import CourierId, Region
from tracking.streams import Tails

LOOKS_AT_ONCE: Final = 4
"""Streams of a process that read their rows at the same time: the others wait here, not for a connection that others
need; an event that was lost wakes thousands at once."""


@dataclass(slots=True)
class _Reader:
    """The listeners of a region and the task that wakes them."""

    flags: dict[str, set[asyncio.Event]] = field(default_factory=dict)
    task: asyncio.Task[None] | None = None


class CourierChannels:
    """Wakes whoever listens for a courier."""

    def __init__(self, redis: aioredis.Redis, tails: Tails) -> None:
        self._redis = redis
        self._tails = tails
        self._readers: dict[Region, _Reader] = {}
        self.turns = asyncio.Semaphore(LOOKS_AT_ONCE)
        """Whoever reads rows for a stream takes one."""
        self.n_listening = 0
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
        self.n_listening += 1
        if reader.task is None or reader.task.done():
            reader.task = asyncio.create_task(self._read(region, reader))
        try:
            yield flag
        finally:
            self.n_listening -= 1
            reader.flags[key].discard(flag)
            if not reader.flags[key]:
                del reader.flags[key]
            if not reader.flags and reader.task is not None:
                reader.task.cancel()
                reader.task = None
                self._readers.pop(region, None)

    async def _read(self, region: Region, reader: _Reader) -> None:
        def hear(told: Sequence[events.Event]) -> None:
            if not told:
                _wake(flag for flags in reader.flags.values() for flag in flags)
            for event in told:
                _wake(reader.flags.get(str(event.facts.get("courier_id")), ()))

        await events.follow(self._redis, self._tails, region, hear)


def _wake(flags: Iterable[asyncio.Event]) -> None:
    for flag in flags:
        flag.set()
