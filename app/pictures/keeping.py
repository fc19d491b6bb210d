"""Housekeeping of pictures: from the database to their store, and out of the store when their rows are gone."""

import asyncio
import logging
from typing import Final
from uuid import UUID

import asyncpg
from prometheus_client import Gauge

from app.pictures.store import PictureStore
from sql import queries
from tracking import outages
from tracking.pause import pause

log = logging.getLogger(__name__)

WAITING: Final = Gauge(
    "postrider_pictures_waiting",
    "Pictures that are to be moved to their store, or deleted there.",
    ["what"],
    multiprocess_mode="livemostrecent",
)
EVERY_S: Final = 2.0
FAILING_S: Final = 60.0
"""After something failed."""
MOST_ASIDE: Final = 1000
"""Pictures passed over in one round, for something was wrong with each; then the round ends."""


class PictureKeeping:
    """Several may run at once."""

    def __init__(self, pool: asyncpg.Pool, store: PictureStore) -> None:
        self._pool = pool
        self._store = store

    async def run(self, stop: asyncio.Event) -> None:
        """Move and delete, until `stop`."""
        while not stop.is_set():
            try:
                is_well = await self.once()
            except outages.DRIVERS as exc:
                outages.tell(log, "pictures not moved", exc, event="pictures_not_moved")
                is_well = False
            await pause(stop, EVERY_S if is_well else FAILING_S)

    async def once(self) -> bool:
        """Everything that is due; one that cannot be moved or deleted keeps no other. Whether nothing failed."""
        failed: list[UUID] = []
        while len(failed) < MOST_ASIDE and await self._move_one(failed):
            pass
        gone_failed: list[UUID] = []
        while len(gone_failed) < MOST_ASIDE and await self._delete_some(gone_failed):
            pass
        row = await self._pool.fetchrow(queries["proofs.waiting"])
        for what in ("to_move", "to_delete"):
            WAITING.labels(what).set(row[what])
        return not failed and not gone_failed

    async def _move_one(self, failed: list[UUID]) -> bool:
        """The row is held until its file is there: who deletes it meanwhile waits, and then deletes the file, too."""
        async with self._pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(queries["proofs.to_move"], failed)
            if row is None:
                return False
            try:
                await self._store.put(str(row["id"]), row["content"])
            except Exception as exc:  # noqa: BLE001 - whatever a store does; told, and tried again
                self._tell("picture not moved", exc, row["id"])
                failed.append(row["id"])
                return True
            await connection.execute(queries["proofs.moved"], row["id"])
        return True

    async def _delete_some(self, failed: list[UUID]) -> bool:
        rows = await self._pool.fetch(queries["proofs.gone"], failed)
        gone = []
        for row in rows:
            try:
                await self._store.delete(str(row["id"]))
            except Exception as exc:  # noqa: BLE001 - as above
                self._tell("picture not deleted", exc, row["id"])
                failed.append(row["id"])
            else:
                gone.append(row["id"])
        await self._pool.execute(queries["proofs.forget_gone"], gone)
        return bool(rows)

    def _tell(self, message: str, exc: Exception, picture_id: UUID) -> None:
        log.warning(
            message, extra={"event": "picture_kept_back", "picture_id": str(picture_id), "why": type(exc).__name__}
        )
