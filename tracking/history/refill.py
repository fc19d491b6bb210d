"""
Looks after live state: puts it back when Redis lost its memory (at start, and whenever the marker key is missing),
takes couriers that have been silent for long out of the geo index, and those who are gone out of everything.
"""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Final, Protocol

from tracking import outages
from tracking.batch import PositionColumns
from tracking.errors import LogUnavailable
from tracking.intake.roster import Roster
from tracking.live import LivePositions
from tracking.pause import pause
from tracking.position import Region

log = logging.getLogger(__name__)

POSTPONING: Final[tuple[type[Exception], ...]] = (*outages.DRIVERS, LogUnavailable)
PRUNE_EVERY_S: Final = 60.0
CHUNK: Final = 5_000
"""Couriers that one query looks up."""


class LastPositions(Protocol):
    """Where they are found: `tracking.history.History`."""

    async def last_positions(self, region: str) -> PositionColumns:
        """The last unmarked position of every courier of the region."""
        ...


class Refill:
    """Watches the marker of every region; several may run, doing it twice is harmless."""

    def __init__(
        self,
        live: LivePositions,
        history: LastPositions,
        roster: Roster,
        *,
        every_s: float = 2.0,
    ) -> None:
        self._live = live
        self._history = history
        self._roster = roster
        self._every_s = every_s

    async def run(self, stop: asyncio.Event) -> None:
        """Look, refill where needed, until `stop`; an outage is a reason to look again."""
        pruned_at = monotonic()
        while not stop.is_set():
            try:
                await self.refill_where_needed()
                if monotonic() - pruned_at > PRUNE_EVERY_S:
                    pruned_at = monotonic()
                    await self.prune()
            except POSTPONING as exc:
                outages.tell(log, "refill postponed", exc, event="refill_postponed")
            await pause(stop, self._every_s)

    async def refill_where_needed(self) -> int:
        """How many couriers were put back."""
        n = 0
        for region in await self._roster.regions():
            with _waiting(region):
                n += await self._refill(region)
        return n

    async def _refill(self, region: Region) -> int:
        if await self._live.is_complete(region):
            return 0
        n = await self._live.refill(region, await self._history.last_positions(region))
        log.info("live state refilled", extra={"event": "live_refilled", "region": region, "n_couriers": n})
        return n

    async def prune(self) -> None:
        """Take silent couriers out of the geo indices, and who was removed or went to another region out of it all."""
        for region in await self._roster.regions():
            with _waiting(region):
                await self._prune(region)

    async def _prune(self, region: Region) -> None:
        await self._live.prune(region)
        columns, _ = await self._live.all_columns(region)
        for start in range(0, len(columns), CHUNK):
            # A removed courier's phone is heard for some seconds more, and puts its courier back on the map.
            members = await self._roster.find_many(columns.courier_ids[start : start + CHUNK])
            for courier_id, member in members.items():
                if member is None or member.region != region:
                    await self._live.forget(courier_id, region)


@contextmanager
def _waiting(region: Region) -> Iterator[None]:
    """Tell of an outage and go on with the next region: of a cluster other servers may work."""
    try:
        yield
    except POSTPONING as exc:
        outages.tell(log, "refill postponed", exc, event="refill_postponed", region=region)
