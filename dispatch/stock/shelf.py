"""Throws away what places have made ahead and nobody has ordered while it was good; as a movement of goods."""

import asyncio
import logging
from datetime import UTC, date, datetime
from typing import Any, Final
from uuid import uuid4

from prometheus_client import Counter

from dispatch.errors import DispatchError
from dispatch.orders.order import Actor
from dispatch.orders.rows import Row
from dispatch.stock.moving import At, Kind, Wanted, batches_of, hold, move
from sql import queries
from tracking import outages, periodic

log = logging.getLogger(__name__)

PAST: Final = Counter("postrider_stock_past_total", "Pieces that were made ahead and thrown away.")

EVERY_S: Final = 60.0
AT_A_TIME: Final = 200
WHY: Final = "past its shelf life"
SHELF: Final = Actor(id="shelf", role="system")


class Shelf:
    """Looks through the goods that are past their time; several may run at once."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    async def run(self, stop: asyncio.Event) -> None:
        """Look every minute, until `stop`; a server that is away is a reason to do it later."""
        await periodic.run(
            lambda: self.once(datetime.now(UTC)),
            stop,
            every_s=EVERY_S,
            log=log,
            message="nothing thrown away yet",
            event="nothing_thrown_away_yet",
            name="shelf",
        )

    async def once(self, now: datetime) -> int:
        """Throw away what is past; how many pieces. What orders have taken is theirs. Raises what the drivers raise."""
        async with self._pool.acquire() as connection:
            rows = await connection.fetch(queries["stock.past"], now, AT_A_TIME)
            return sum([await _throw_away(connection, row, now) for row in rows])


async def _throw_away(connection: Any, row: Row, now: datetime) -> int:
    place = At(row["place_id"], row["region"], row["partner"], now.date())
    try:
        async with connection.transaction():
            await hold(connection, [(place.place_id, row["item_id"])])
            batches = await batches_of(connection, place.place_id, row["item_id"], lot=row["lot"])
            (free,) = await connection.fetch(queries["stock.left_of"], place.place_id, [row["item_id"]], date.min)
            n_past: int = min(sum(batch.quantity for batch in batches), free["available"])
            if n_past <= 0:  # somebody else was here, or orders have taken it
                return 0
            wanted = Wanted(
                id=uuid4(), kind=Kind.ADJUST, quantity=-n_past, item=row["item"], lot=row["lot"], reason=WHY
            )
            await move(connection, place, wanted, SHELF, now)
    except DispatchError as exc:
        outages.tell(log, "not thrown away", exc, event="not_thrown_away", place_id=str(place.place_id))
        return 0
    PAST.inc(n_past)
    return n_past
