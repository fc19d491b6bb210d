"""Where watchers tell each other, in Redis, how quiet their regions are."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import msgspec
from redis.asyncio import Redis

from dispatch.alerts.intake import Quiet
from tracking.position import Region

QUIET: Final = "pr:{intake}:quiet"
"""Region → what its watcher last saw; as many fields as there are regions."""

HOLDS_S: Final = 60
"""What a watcher said longer ago counts no more."""


class _Said(msgspec.Struct, frozen=True, array_like=True):
    at_us: int
    quiet: Quiet


_said_from: Final = msgspec.msgpack.Decoder(_Said)


class QuietBoard:
    """One for the installation."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def share(self, region: Region, quiet: Quiet, *, now_us: int) -> Mapping[Region, Quiet]:
        """Say how quiet a region is; how quiet the others are, as far as somebody has looked lately."""
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.hset(QUIET, region, msgspec.msgpack.encode(_Said(now_us, quiet)))
            pipe.hgetall(QUIET)
            _, raw = await pipe.execute()
        oldest_us = now_us - HOLDS_S * 1_000_000
        others: dict[Region, Quiet] = {}
        for name, value in raw.items():
            with suppress(msgspec.MsgspecError):  # a later release may say it otherwise
                said = _said_from.decode(value)
                if name.decode() != region and said.at_us >= oldest_us:
                    others[Region(name.decode())] = said.quiet
        return others
