"""Who the couriers are, as far as ingest must know: region and mode by id, remembered for a moment."""

import logging
from collections.abc import Collection
from contextlib import suppress
from time import monotonic
from typing import Final
from uuid import UUID

import asyncpg

from sql import queries
from tracking import outages
from tracking.batch import MODES
from tracking.errors import LogUnavailable
from tracking.intake.screening import Sender
from tracking.memo import Memo
from tracking.parts import MOST
from tracking.position import Mode, Region

log = logging.getLogger(__name__)

SIZE: Final = 100_000
"""Couriers, and as many device identifiers, one process remembers; the least recently asked for goes first."""
QUERY_TIMEOUT_S: Final = 2.0
MOST_DEVICES: Final = 16
"""Device identifiers of one request that are looked up."""
LONGEST_DEVICE: Final = 200
"""A longer device identifier is nobody's."""


class Roster:
    """Looks couriers up, and knows the usual ones by heart; an outage of the database makes it trust what it knows."""

    def __init__(self, pool: asyncpg.Pool, *, ttl_s: float = 15.0) -> None:
        self._pool = pool
        self._ttl_s = ttl_s
        self._couriers: Memo[UUID, Sender] = Memo(SIZE)
        self._owners: Memo[str, UUID] = Memo(SIZE)
        self._regions: tuple[list[Region], float] = ([], 0.0)
        self._log_parts: tuple[dict[Region, int], float] = ({}, 0.0)

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
                    self._couriers.put(courier_id, found.get(courier_id), now + self._ttl_s)
                    known[courier_id] = self._couriers.get(courier_id)
        return {courier_id: None if row is None else row[0] for courier_id, row in known.items()}

    async def find(self, courier_id: UUID) -> Sender | None:
        """One courier's region and mode, or None where there is no such courier."""
        return (await self.find_many([courier_id]))[courier_id]

    async def owners_of(self, devices: Collection[str]) -> dict[str, UUID]:
        """
        The couriers whose id or external id these are; whoever is nobody's is left out, while the database is down too.

        Looks up MOST_DEVICES of them at most, in one query: a phone has a few.
        """
        now = monotonic()
        asked = [device for device in sorted(devices) if _may_be_known(device)][:MOST_DEVICES]
        held = {device: self._owners.get(device) for device in asked}
        missing = [device for device, row in held.items() if row is None or row[1] < now]
        if missing:
            try:
                rows = await self._pool.fetch(
                    queries["couriers.find_by_any_id"], missing, _uuids(missing), timeout=QUERY_TIMEOUT_S
                )
            except outages.DRIVERS as exc:
                outages.tell(log, "owners not looked up", exc, event="owners_not_found")
            else:
                by_external_id = {row["external_id"]: row["id"] for row in rows}
                by_id = {str(row["id"]): row["id"] for row in rows}
                for device in missing:
                    owner = by_id.get(device) or by_external_id.get(device)
                    self._owners.put(device, owner, now + self._ttl_s)
                    held[device] = self._owners.get(device)
        return {device: row[0] for device, row in held.items() if row is not None and row[0] is not None}

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

    async def log_parts(self) -> dict[Region, int]:
        """How many parts each region's log shall have; nothing while the database is away."""
        parts, until = self._log_parts
        if until < monotonic():
            try:
                rows = await self._pool.fetch(queries["couriers.log_parts"], MOST, timeout=QUERY_TIMEOUT_S)
            except outages.DRIVERS as exc:
                outages.tell(log, "settings of logs not read", exc, event="log_parts_not_read")
                return {}
            parts = {Region(row["id"]): row["n"] for row in rows}
            self._log_parts = (parts, monotonic() + self._ttl_s)
        return parts

    def forget(self, courier_id: UUID) -> None:
        """Look this courier up again: it was changed."""
        self._couriers.forget(courier_id)


def _may_be_known(device: str) -> bool:
    return len(device) <= LONGEST_DEVICE and "\x00" not in device


def _uuids(devices: Collection[str]) -> list[UUID]:
    """Those of them that are written as we write ids."""
    found = []
    for device in devices:
        with suppress(ValueError):
            found.append(UUID(device))
    return found
