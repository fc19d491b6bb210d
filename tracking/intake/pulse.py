"""The API's pulse in Redis: when an API process was last there. Without it nobody can be heard of."""

import asyncio
import logging
import time
from typing import Any, Final

from redis.asyncio import Redis

from tracking import outages
from tracking.pause import pause

log = logging.getLogger(__name__)

BEAT: Final = "pr:{intake}:beat"
"""Milliseconds at which an API process last said that it is there."""

BEAT_EVERY_S: Final = 5.0


class Pulse:
    """Written by the API, read by watchers."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def keep(self, stop: asyncio.Event) -> None:
        """Say every few seconds that the API is there, until `stop`."""
        while not stop.is_set():
            try:
                await self.beat()
            except outages.REDIS as exc:  # nor can positions come in
                outages.tell(log, "pulse missed", exc, event="pulse_missed")
            await pause(stop, BEAT_EVERY_S)

    async def beat(self) -> None:
        """Say that the API is there. Raises what the driver raises."""
        await self._redis.set(BEAT, int(time.time() * 1000))

    async def beat_us(self) -> int | None:
        """When an API process was last there; None: none ever said so."""
        raw: Any = await self._redis.get(BEAT)
        return None if raw is None else int(raw) * 1000
