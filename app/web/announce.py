"""Tell the other roles that something happened; the change itself is in the database already."""

from collections.abc import Mapping
from typing import Any

import redis.asyncio as aioredis

from tracking import events


async def announce(redis: aioredis.Redis, region: str, type: str, facts: Mapping[str, Any]) -> None:  # noqa: A002 - the word of the contract
    """Publish an event, or say in the log that it could not be; never for longer than `events.PUBLISH_TIMEOUT_S`."""
    await events.tell(redis, [(region, type, facts)])
