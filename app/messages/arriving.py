"""Recipients are told when their order is ten minutes away: nothing happens then, so somebody must look."""

import asyncio
import logging
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import asyncpg

from app.messages.text import ARRIVING
from dispatch.arrivals.answers import Arrivals
from dispatch.errors import DispatchError
from sql import queries
from tracking import periodic

log = logging.getLogger(__name__)

EVERY_S: Final = 20.0


class Notices:
    """Several may run at once: each order is told of once."""

    def __init__(self, pool: asyncpg.Pool, arrivals: Arrivals) -> None:
        self._pool = pool
        self._arrivals = arrivals

    async def run(self, stop: asyncio.Event) -> None:
        """Look until `stop`."""
        await periodic.run(
            self.once,
            stop,
            every_s=EVERY_S,
            log=log,
            message="notices postponed",
            event="notices_postponed",
            name="notices",
        )

    async def once(self) -> None:
        """Tell of every order on board that will be there soon."""
        soon: list[UUID] = []
        for row in await self._pool.fetch(queries["channels.not_told"]):
            try:
                arrival = (await self._arrivals.of_order(row["id"])).dropoff
            except DispatchError:  # closed meanwhile
                continue
            if arrival is not None and arrival.p50 - datetime.now(UTC).timestamp() <= ARRIVING.total_seconds():
                soon.append(row["id"])
        if soon:
            await self._pool.execute(queries["channels.say_arriving"], soon)
