"""
Erased is gone: what is known of a courier leaves every table and every key, and nothing that is on the way comes back.

The database part is one transaction. What the rest is (Redis, or a step that failed) is done at once and gone over
again by housekeeping, until whatever was on the way when the courier was erased has arrived or expired: only then the
erasure is finished. The bare id stays where orders need it (deploy/privacy.md): it leads to a row named `erased`.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
from prometheus_client import Gauge
from redis.asyncio import Redis

from app.web.auth import redis_key
from dispatch.arrivals.book import EtaBook
from sql import queries
from tracking import outages, periodic
from tracking.dead_letters import DeadLetters
from tracking.history import history
from tracking.live import LivePositions
from tracking.log import PositionLog
from tracking.position import CourierId, Region

log = logging.getLogger(__name__)

UNFINISHED = Gauge(
    "postrider_erasures_unfinished",
    "Couriers erased whose traces are still gone over again.",
    multiprocess_mode="livemostrecent",
)

STEPS: Final = (
    "hold",
    "inbox",
    "inbox_heads",
    "outbox_refused",
    "courier",
    "audit_facts",
    "audit_actor",
    "order_events",
    "order_comments",
    "order_pictures",
    "courier_messages",
    "channels",
    "offers",
    "routes",
    "day_plans",
    "decisions",
    "shifts",
    "breaks",
    "learned_models",
    "tracked_stops",
    "answers",
    "invitations",
    "outbox",
    "deliveries",
    "outbox_orders",
)
"""Blocks of sql/queries/erasing.sql in order; those that look for names come before the one that takes names away."""
SETTLE: Final = timedelta(minutes=2)
"""Longer than a statement may last, and a token is trusted: whoever missed the erasure has written by then."""
EVERY_S: Final = 60.0


async def erase(connection: Any, courier_id: UUID) -> tuple[bytes, ...]:
    """
    Take a courier out of the database, within a transaction; the hashes of the courier's tokens.

    Writers of positions wait until that ends, so positions come last.
    """
    for step in STEPS:
        await connection.execute(queries[f"erasing.{step}"], courier_id)
    tokens = await connection.fetch(queries["erasing.tokens"], courier_id)
    await history.erase(connection, courier_id)
    return tuple(bytes(token["hash"]) for token in tokens)


class Erasing:
    """Finishes erasures; several may run at once."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        redis: Redis,
        *,
        settle: timedelta = SETTLE,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._pool = pool
        self._redis = redis
        self._live = LivePositions(redis)
        self._etas = EtaBook(redis)
        self._letters = DeadLetters(redis)
        self._log = PositionLog(redis)
        self._settle = settle
        self._now = now

    async def run(self, stop: asyncio.Event) -> None:
        """Go over what is not finished, until `stop`; an outage is a reason to do so later."""
        await periodic.run(
            self.once,
            stop,
            every_s=EVERY_S,
            log=log,
            message="erasures postponed",
            event="erasures_postponed",
            name="erasing",
        )

    async def once(self) -> None:
        """Go over every erasure that is due; one that fails keeps no other from its turn."""
        now = self._now()
        for row in await self._pool.fetch(queries["erasing.due"], now):
            # First: one that can never be gone over must not come first for ever.
            await self._pool.execute(queries["erasing.tried"], row["courier_id"], now)
            try:
                await self._again(row["courier_id"], row["erased_at"], now)
            except Exception as exc:  # noqa: BLE001 - told, as an outage or as a defect, and done again
                outages.tell(log, "erasure not finished", exc, event="erasure_unfinished", courier_id=row["courier_id"])
        left = await self._pool.fetchrow(queries["erasing.unfinished"])
        UNFINISHED.set(left["n"])

    async def _again(self, courier_id: UUID, erased_at: datetime, now: datetime) -> None:
        settled_at = erased_at + self._settle
        # Asked before, so that what arrives while this runs is gone over once more.
        is_last = now >= settled_at and await self._is_read_until(settled_at)
        async with self._pool.acquire() as connection, connection.transaction():
            tokens = await erase(connection, courier_id)
        await self.forget(courier_id, tokens)
        if is_last:
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute(queries["erasing.finish"], courier_id, now)
            log.info("erasure finished", extra={"event": "erasure_finished", "courier_id": str(courier_id)})

    async def forget(self, courier_id: UUID, tokens: tuple[bytes, ...]) -> None:
        """Take a courier out of Redis, in every region: one may have worked in several. Raises what redis raises."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for token in tokens:
                pipe.delete(redis_key(token))
            await pipe.execute()
        for region in await self._regions():
            await self._live.forget(courier_id, region)
            await self._etas.forget(region, courier_id)
        await self._letters.forget(CourierId(courier_id))

    async def _is_read_until(self, instant: datetime) -> bool:
        """Whether no log holds anything any more that came before."""
        for region in await self._regions():
            oldest = await self._log.oldest_at(region)
            if oldest is not None and oldest <= instant:
                return False
        return True

    async def _regions(self) -> list[Region]:
        return [Region(row["id"]) for row in await self._pool.fetch(queries["couriers.regions"])]
