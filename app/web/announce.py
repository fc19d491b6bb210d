"""Tell the other roles that something happened; the change itself is in the database already."""

import logging
from collections.abc import Mapping
from typing import Any

import redis.asyncio as aioredis
from redis.exceptions import RedisError

from tracking import events

log = logging.getLogger(__name__)


async def announce(redis: aioredis.Redis, region: str, type: str, facts: Mapping[str, Any]) -> None:  # noqa: A002 - the word of the contract
    """
    Publish an event, or say in the log that it could not be.

    A lost event delays the others until their timer, it loses nothing: so the request that caused it does not fail.
    """
    try:
        await events.publish(redis, region, type, facts)
    except (RedisError, OSError) as exc:
        log.warning("event not published", extra={"event": "event_lost", "type": type, "error": str(exc)})
