"""What phones sent that cannot be used: the value in the log, and the table that keeps it for a week."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from sql import queries
from tracking.batch import instant


class Quarantined(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Something a known phone sent that cannot be used."""

    courier_id: UUID | None
    received_us: int
    reason: str
    source: str
    """Which door it came through: `api`, `osmand`, `owntracks`, `gpslogger`."""
    payload: bytes
    """What was sent, without secrets, cut to a bound."""
    digest: bytes | None = None
    """Of whose it is, the reason and the whole payload: the same thing sent again is not kept again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A row of the quarantine."""

    id: int
    courier_id: UUID | None
    received_at: datetime
    reason: str
    source: str
    payload: bytes


class QuarantineStore:
    """The quarantine in the database."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def insert_many(self, items: Sequence[tuple[str, int, Quarantined]]) -> None:
        """Keep items, each with the log entry it came in and its place there; repeating it changes nothing."""
        if not items:
            return
        await self._pool.execute(
            queries["quarantine.insert_many"],
            [item.courier_id for _, _, item in items],
            [instant(item.received_us) for _, _, item in items],
            [item.reason for _, _, item in items],
            [item.source for _, _, item in items],
            [item.payload for _, _, item in items],
            [entry for entry, _, _ in items],
            [place for _, place, _ in items],
            [item.digest for _, _, item in items],
        )

    async def page(
        self,
        *,
        courier_id: UUID | None = None,
        reason: str | None = None,
        before_id: int | None = None,
        limit: int = 100,
    ) -> list[Kept]:
        """The newest ones first."""
        rows = await self._pool.fetch(queries["quarantine.page"], courier_id, reason, before_id, limit)
        return [Kept(**dict(row)) for row in rows]
