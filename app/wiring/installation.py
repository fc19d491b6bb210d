"""Whether PostgreSQL and Redis belong together: two installations on one Redis acknowledge each other's fixes."""

import asyncio
import logging
from typing import Any, Final

import asyncpg
from redis.asyncio import Redis

from sql import queries
from tracking import outages

log = logging.getLogger(__name__)

KEY: Final = "pr:installation"
LOOK_AT_MOST_S: Final = 3.0


async def stranger(pool: asyncpg.Pool, redis: Redis) -> str | None:
    """
    What to say where this Redis is another installation's; None: it is ours, or now becomes ours, for it was nobody's.

    A server that is away cannot be asked: nothing is said then.
    """
    try:
        async with asyncio.timeout(LOOK_AT_MOST_S):
            ours = str(await pool.fetchval(queries["installation.id"]))
            # In one step, so that of two that start at once one is refused. A Redis that lost its memory is nobody's.
            found: Any = await redis.set(KEY, ours, nx=True, get=True)
    except outages.DRIVERS as exc:
        outages.tell(log, "installation not compared", exc, event="installation_not_compared")
        return None
    theirs = ours if found is None else bytes(found).decode()
    if theirs == ours:
        return None
    return (
        f"REDIS_URL: this Redis holds the positions of another installation ({theirs}; the database's is {ours}): "
        f"take another server or database number, or delete its key {KEY} if the other one is gone"
    )
