"""Who the couriers are, as far as ingest must know: region and mode by id, remembered for a moment."""

import logging
from collections import OrderedDict
from collections.abc import Collection
from time import monotonic
from typing import Final, TypeVar
from uuid import UUID

import asyncpg

from sql import queries
from tracking import outages
from tracking.batch import MODES
from tracking.errors import LogUnavailable
from tracking.intake.screening import Sender
from tracking.position import Mode, Region

log = logging.getLogger(__name__)

SIZE: Final = 100_000
"""Couriers, and as many device identifiers, one process remembers; the least recently asked for goes first."""
QUERY_TIMEOUT_S: Final = 2.0

K = TypeVar("K")
V = TypeVar("V")


class Roster:
    """Looks couriers up, and knows the usual ones by heart; an outage of the database makes it trust what it knows."""

    def __init__(self, pool: asyncpg.Pool, *, ttl_s: float = 15.0) -> None:
        self._pool = pool
        self._ttl_s = ttl_s
        self._couriers: OrderedDict[UUID, tuple[Sender | None, float]] = OrderedDict()
        self._owners: OrderedDict[str, tuple[UUID | None, float]] = OrderedDict()
        self._regions: tuple[list[Region], float] = ([], 0.0)

    async def find_many(self, courier_ids: Collection[UUID]) -> dict[UUID, Sender | None]:
        """
        Each courier's region and mode; None for one that does not exist.

        Raises LogUnavailable when the database does not answer and one of them is not known by heart.
        """
        now = monotonic()
        known = {courier_id: self._couriers.get(courier_id) for courier_id in courier_ids}
        missing = [courier_id for courier_id, row in known.items() if row is None or row[1] < now]
        if missing:
            try:
                rows = await self._pool.fetch(queries["couriers.find_many"], missing, timeout=QUERY_TIMEOUT_S)
            except outages.DRIVERS as exc:
                outages.tell(log, "senders not looked up", exc, event="senders_not_found")
                if any(known[courier_id] is None for courier_id in missing):
                    raise LogUnavailable("Nobody can say right now whose positions these are.") from exc
            else:
                found = {
                    row["id"]: Sender(row["id"], Region(row["region"]), MODES.index(Mode(row["mode"]))) for row in rows
                }
                for courier_id in missing:
                    held = (found.get(courier_id), now + self._ttl_s)
                    known[courier_id] = held
                    _remember(self._couriers, courier_id, held)
        return {courier_id: None if row is None else row[0] for courier_id, row in known.items()}

    async def find(self, courier_id: UUID) -> Sender | None:
        """One courier's region and mode, or None where there is no such courier."""
        return (await self.find_many([courier_id]))[courier_id]

    async def owner_of(self, device: str) -> UUID | None:
        """The courier whose id or external id this is, or None; None also while the database is down."""
        now = monotonic()
        held = self._owners.get(device)
        if held is None or held[1] < now:
            try:
                owner = await self._pool.fetchval(queries["couriers.find_by_any_id"], device, timeout=QUERY_TIMEOUT_S)
            except outages.DRIVERS as exc:
                outages.tell(log, "owner not looked up", exc, event="owner_not_found")
                return None if held is None else held[0]
            held = (owner, now + self._ttl_s)
            _remember(self._owners, device, held)
        return held[0]

    async def regions(self) -> list[Region]:
        """
        All regions.

        Raises what asyncpg raises when they are not known yet and the database is down.
        """
        regions, until = self._regions
        if until < monotonic():
            try:
                rows = await self._pool.fetch(queries["couriers.regions"], timeout=QUERY_TIMEOUT_S)
            except outages.DRIVERS as exc:
                outages.tell(log, "regions not read", exc, event="regions_not_read")
                if not regions:
                    raise
            else:
                regions = [Region(row["id"]) for row in rows]
                self._regions = (regions, monotonic() + self._ttl_s)
        return regions

    def forget(self, courier_id: UUID) -> None:
        """Look this courier up again: it was changed."""
        self._couriers.pop(courier_id, None)


def _remember(held: OrderedDict[K, tuple[V, float]], key: K, value: tuple[V, float]) -> None:
    held[key] = value
    held.move_to_end(key)
    while len(held) > SIZE:
        held.popitem(last=False)
