"""Tells other systems of arrivals that have changed, by the outbox; beside what people see, and never in its way."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

import asyncpg
import msgspec
from prometheus_client import Counter

from dispatch import aside as asides
from dispatch.arrivals.changes import Changes, EtaChange
from dispatch.arrivals.eta import Eta
from dispatch.arrivals.following import Following
from dispatch.aside import Aside
from dispatch.stop import OrderId, PlannedStop, StopKind
from sql import queries
from tracking.position import CourierId

REPORTED: Final = Counter("postrider_eta_changes_total", "Changed arrivals that other systems were told of.")

KINDS: Final = {kind.value: kind for kind in StopKind}
MOST: Final = 200
"""Events in one turn; the others wait for the next one."""


class Reporting:
    """Of one region, for as long as its arrivals are kept."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._changes = Changes()

    async def turn(self, followings: Iterable[Following], aside: Aside) -> None:
        """Put what has changed into the outbox, each by itself; what cannot be told is set aside until it changes."""
        said = {eta.stop: (following, eta) for following in followings for eta in _assigned(following)}
        self._changes.keep_only(said)
        await self._recall({stop.order_id for stop in said} - self._changes.recalled)
        n_told, now = 0, datetime.now(UTC)
        for following, eta in said.values():
            change = self._changes.of(eta, now.timestamp())
            if change is None:
                continue
            with aside.bearing(asides.order(eta.stop.order_id), doing="report an arrival"):
                await self._tell(eta.stop.order_id, following.itinerary.courier_id, change, now)
            self._changes.note(eta, change, now.timestamp())
            n_told += 1
            if n_told >= MOST:
                break
        REPORTED.inc(n_told)

    async def _tell(self, order_id: OrderId, courier_id: CourierId, change: EtaChange, now: datetime) -> None:
        text = msgspec.json.encode(change).decode()
        await self._pool.execute(queries["arrivals.report"], order_id, courier_id, now, text)

    async def _recall(self, unknown: set[OrderId]) -> None:
        """What whoever kept these arrivals before us has told."""
        if not unknown:
            return
        rows = await self._pool.fetch(queries["arrivals.reported"], list(unknown))
        self._changes.recalled |= unknown
        for row in rows:
            if (kind := KINDS.get(row["stop"])) is not None:
                self._changes.recall(PlannedStop(OrderId(row["subject"]), kind), row["data"], row["at"].timestamp())


def _assigned(following: Following) -> list[Eta]:
    """Of stops that the planner only intends nobody is told: they are not yet the courier's."""
    assigned = {call.stop for call in following.itinerary.calls if call.is_assigned}
    return [eta for eta in following.said if eta.stop in assigned]
