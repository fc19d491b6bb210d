"""Lets go of what is remembered of places (balances.py) once what changed there is committed, as the outbox says."""

import asyncio
import logging
from typing import Final

import asyncpg
from redis.asyncio import Redis

from dispatch.stock import balances
from sql import queries
from tracking import periodic

log = logging.getLogger(__name__)

EVERY_S: Final = 0.25
AT_A_TIME: Final = 1_000


class Outbox:
    """Empties `stock_outbox`; several may run at once."""

    def __init__(self, pool: asyncpg.Pool, redis: Redis) -> None:
        self._pool = pool
        self._redis = redis

    async def run(self, stop: asyncio.Event) -> None:
        """Look four times a second, until `stop`; a server that is away is a reason to do it later."""
        await periodic.run(
            self.once,
            stop,
            every_s=EVERY_S,
            log=log,
            message="balances forgotten later",
            event="balances_forgotten_later",
            name="stock outbox",
        )

    async def once(self) -> None:
        """Everything that is told. What Redis did not take is told again. Raises what the drivers raise."""
        n = AT_A_TIME
        while n == AT_A_TIME:
            async with self._pool.acquire() as connection, connection.transaction():
                rows = await connection.fetch(queries["stock.take_told"], AT_A_TIME)
                n = len(rows)
                if rows:
                    await balances.forget(self._redis, {row["place_id"] for row in rows})
