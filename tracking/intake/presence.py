"""
Which fixes a region wants at all: where it says so, those of couriers on their shift only.

All ways in meet in `tracking.intake.ingest`, and there the others are dropped, before anything is kept of where they
are. Known from the database, every few seconds; what was known last is in Redis too, for an API process that starts
while the database is down. Until one of the two has told, uploads are answered 503 and come again.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec
import numpy as np
import numpy.typing as npt
from redis.asyncio import Redis

from sql import queries
from tracking import outages
from tracking.batch import PositionColumns
from tracking.errors import LogUnavailable
from tracking.pause import pause
from tracking.position import Region

log = logging.getLogger(__name__)

KEY: Final = "pr:presence"
EVERY_S: Final = 10.0
"""So soon a setting, a shift and a change of duty are in force."""
AHEAD: Final = timedelta(days=2)
"""Shifts known beforehand, to be right while the database is away."""
TIMEOUT_S: Final = 10.0

Bools = npt.NDArray[np.bool_]


class Shifts(msgspec.Struct, frozen=True):
    """When couriers may be followed, in the regions that follow them on shift only."""

    regions: frozenset[str]
    spans: dict[UUID, list[tuple[int, int]]]
    """Of each courier, from and until, in microseconds since the Unix epoch."""

    def is_wanted(self, region: Region, columns: PositionColumns) -> Bools | None:
        """Which rows were measured within such a span; None: all are wanted there."""
        if region not in self.regions:
            return None
        spans = [self.spans.get(courier_id, ()) for courier_id in columns.courier_ids]
        rows = zip(columns.courier.tolist(), columns.fixed_us.tolist(), strict=True)
        return np.array([_is_within(fixed_us, spans[courier]) for courier, fixed_us in rows], dtype=np.bool_)

    def is_wanted_now(self, region: Region, courier_id: UUID | None, now_us: int) -> bool:
        """Whether what cannot be used may be kept of that courier: it may say where somebody is."""
        if region not in self.regions:
            return True
        spans = self.spans.get(courier_id, ()) if courier_id is not None else ()
        return _is_within(now_us, spans)


class Presence:
    """Knows the shifts of those regions."""

    def __init__(self, pool: asyncpg.Pool, redis: Redis, *, back_s: float) -> None:
        """`back_s`: how old a fix may be."""
        self._pool = pool
        self._redis = redis
        self._back = timedelta(seconds=back_s)
        self._known: Shifts | None = None

    @property
    def shifts(self) -> Shifts:
        """What is known; raises LogUnavailable while nothing is."""
        if self._known is None:
            raise LogUnavailable
        return self._known

    async def run(self, stop: asyncio.Event) -> None:
        """Keep it known until `stop`."""
        while not stop.is_set():
            await self.refresh(datetime.now(UTC))
            await pause(stop, EVERY_S if self._known is not None else 0.5)

    async def refresh(self, now: datetime) -> None:
        """Ask once; while the database is away what was known stays, or is what Redis remembers."""
        try:
            known = await self._asked(now)
        except outages.DRIVERS as exc:
            outages.tell(log, "shifts not read", exc, event="shifts_not_read")
            if self._known is None:
                self._known = await self._remembered()
            return
        changed, self._known = known != self._known, known
        if changed:
            await self._remember(known)

    async def _asked(self, now: datetime) -> Shifts:
        regions = [row["id"] for row in await self._pool.fetch(queries["presence.regions"], timeout=TIMEOUT_S)]
        if not regions:
            return Shifts(frozenset(), {})
        since, until = now - self._back, now + AHEAD
        rows = await self._pool.fetch(queries["presence.spans"], regions, since, until, timeout=TIMEOUT_S)
        return Shifts(frozenset(regions), _spans_of(rows))

    async def _remembered(self) -> Shifts | None:
        try:
            raw: Any = await self._redis.get(KEY)
            return None if raw is None else msgspec.msgpack.decode(raw, type=Shifts)
        except outages.REDIS:
            return None
        except msgspec.MsgspecError:  # written by another version
            return None

    async def _remember(self, known: Shifts) -> None:
        try:
            await self._redis.set(KEY, msgspec.msgpack.encode(known))
        except outages.REDIS as exc:
            outages.tell(log, "shifts not remembered", exc, event="shifts_not_remembered")


def _is_within(instant_us: int, spans: Sequence[tuple[int, int]]) -> bool:
    return any(begins_us <= instant_us < ends_us for begins_us, ends_us in spans)


def _spans_of(rows: Sequence[Mapping[str, Any]]) -> dict[UUID, list[tuple[int, int]]]:
    spans: dict[UUID, list[tuple[int, int]]] = {}
    for row in rows:
        begins_us, ends_us = (int(row[name].timestamp() * 1e6) for name in ("begins_at", "ends_at"))
        if begins_us < ends_us:
            spans.setdefault(row["courier_id"], []).append((begins_us, ends_us))
    return spans
