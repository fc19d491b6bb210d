"""
Where couriers were: stores positions and reads them back, on TimescaleDB and on plain PostgreSQL alike.

Storing takes turns per slot (a region): the marks of a fix depend on its neighbours, so two writers of one region never
store at the same time. A batch that continues every courier's track needs no look at the table; late fixes read what
lies around them.
"""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import numpy as np

from sql import queries
from tracking.batch import PositionColumns, instant, microseconds
from tracking.history import late_hours
from tracking.history.copying import COPY_COLUMNS, arrays, copy_binary
from tracking.history.neighbours import N_CONTEXT, Heads, distinct, merge, reach_us, spans
from tracking.history.rows import cells, from_records
from tracking.history.tracks import Reader
from tracking.quality import Limits

log = logging.getLogger(__name__)

IDLE_MS = 5000
"""A writer whose turn it is and that says nothing for so long is stopped or unreachable: its turn ends."""


class History(Reader):
    """Positions in the database. One instance per process; its methods may be called at the same time."""

    def __init__(self, pool: asyncpg.Pool, *, limits: Limits | None = None) -> None:
        super().__init__(pool)
        self._limits = limits or Limits()
        self._heads: dict[str, Heads] = {}
        self._turns: dict[str, int] = {}
        self._queues: dict[str, asyncio.Lock] = {}
        """Of this process: who waits here keeps no connection, and what is remembered holds from turn to turn."""

    async def insert_many(self, columns: PositionColumns, slot: str = "default") -> int:
        """
        Store fixes and return how many were new; all or nothing.

        Repeating a batch changes nothing. Marks (jumps) of the batch and of its stored neighbours are set here: the
        rows depend on the set of fixes stored, not on their order or on how they were cut into batches. Of different
        fixes for one instant the same one stays in whatever order they come. Fixes of erased couriers are dropped.
        `slot`: the region; writers of one slot take turns.
        Raises what asyncpg raises; after that the batch may be tried again.
        """
        if not len(columns):
            return 0
        batch = distinct(columns)
        try:
            return await self._store(batch, slot, copy=await self.can_copy())
        except asyncpg.UniqueViolationError:
            # Somebody stored without taking turns (a courier who changed regions, a restored backup).
            log.warning("positions were stored by somebody else", extra={"event": "turn_missed", "slot": slot})
            return await self._store(batch, slot, copy=False)

    async def _store(self, batch: PositionColumns, slot: str, *, copy: bool) -> int:
        async with self._queues.setdefault(slot, asyncio.Lock()):
            heads = self._heads.setdefault(slot, Heads())
            try:
                async with self._pool.acquire() as connection, connection.transaction():
                    turn = await connection.fetchval(queries["positions.take_turn"], slot, str(IDLE_MS))
                    if turn != self._turns.get(slot, -1) + 1:
                        heads.forget()
                    batch = await self._learn(connection, heads, batch)
                    n_stored = await self._write(connection, heads, batch, copy=copy)
            except BaseException:
                # Rolled back: what the heads were told is not so.
                heads.forget()
                self._turns.pop(slot, None)
                raise
            self._turns[slot] = turn
            return n_stored

    async def _write(self, connection: Any, heads: Heads, batch: PositionColumns, *, copy: bool) -> int:
        if not len(batch):
            return 0
        late_couriers = np.zeros(len(batch.courier_ids), dtype=bool)
        late_couriers[batch.courier[heads.is_late(batch)]] = True
        late = late_couriers[batch.courier]
        n_stored = 0
        if late.any():
            n_stored += await self._write_late(connection, batch.take(late), copy=copy)
            heads.drop({batch.courier_ids[i] for i in np.flatnonzero(late_couriers)})
        following = batch.take(~late)
        if len(following):
            context = heads.context(following)
            changes = merge(following, context, self._limits)
            n_stored += await _insert(connection, changes.new, copy=copy)
            await _mark(connection, changes.remarked)
            heads.follow(context, changes)
        await late_hours.note(connection, batch, datetime.now(UTC))
        return n_stored

    async def _write_late(self, connection: Any, batch: PositionColumns, *, copy: bool) -> int:
        await connection.execute(queries["positions.prepare_for_late"])
        around = spans(batch, self._limits)
        records = await connection.fetch(
            queries["positions.around"],
            [span.courier_id for span in around],
            [instant(span.first_us) for span in around],
            [instant(span.last_us) for span in around],
            timedelta(microseconds=reach_us(self._limits)),
            N_CONTEXT,
        )
        changes = merge(batch, from_records(records, [span.courier_id for span in around]), self._limits)
        n_stored = await _insert(connection, changes.new, copy=copy)
        await _mark(connection, changes.remarked)
        await _replace(connection, changes.replaced)
        return n_stored

    async def _learn(self, connection: Any, heads: Heads, batch: PositionColumns) -> PositionColumns:
        """Look up the couriers not remembered; returns the batch without those that were erased."""
        missing = heads.missing(batch.courier_ids)
        if not missing:
            return batch
        asked = [batch.courier_ids[i] for i in missing]
        gone = {row["courier_id"] for row in await connection.fetch(queries["positions.erased"], asked)}
        if gone:
            kept = np.array([courier_id not in gone for courier_id in batch.courier_ids])
            batch = batch.take(kept[batch.courier])
            missing = [i for i in missing if kept[i]]
            asked = [batch.courier_ids[i] for i in missing]
        # Nothing older than this can matter to the batch.
        first_us = np.full(len(batch.courier_ids), np.iinfo(np.int64).max)
        np.minimum.at(first_us, batch.courier, batch.fixed_us)
        since_us = [int(first_us[i]) - reach_us(self._limits) for i in missing if first_us[i] < np.iinfo(np.int64).max]
        asked = [batch.courier_ids[i] for i in missing if first_us[i] < np.iinfo(np.int64).max]
        since = [instant(us) for us in since_us]
        last_us = [us - 1 for us in since_us]
        for row in await connection.fetch(queries["positions.latest"], asked, since):
            last_us[row["i"]] = microseconds(row["fixed_at"])
        recent = await connection.fetch(queries["positions.recent"], asked, since, N_CONTEXT)
        heads.learn(asked, last_us, from_records(recent, asked))
        return batch


async def erase(connection: Any, courier_id: UUID) -> int:
    """
    Remove a courier's positions and all that was found in them for good, also what is still on the way; how many fixes.

    Within a transaction. Speeds by place stay: they name nobody.
    """
    await connection.execute(queries["positions.prepare_for_late"])
    # Waits for writers under way, and makes each look again who was erased.
    await connection.execute(queries["positions.take_all_turns"])
    await connection.execute(queries["positions.note_erased"], courier_id)
    status = await connection.execute(queries["positions.erase"], courier_id)
    await connection.execute(queries["positions.erase_rollups"], courier_id)
    for found in ("stays", "fence_events", "stop_visits", "recounts", "alerts", "quarantine", "courier_hours"):
        await connection.execute(queries[f"{found}.erase"], courier_id)
    return int(status.rpartition(" ")[2])


async def _insert(connection: Any, rows: PositionColumns, *, copy: bool) -> int:
    if not len(rows):
        return 0
    if copy:
        # Twice as fast as unnest. It knows no ON CONFLICT, and needs none: it is our turn, and these are new.
        await connection.copy_to_table(
            "positions", source=_Source(copy_binary(rows, cells(rows))), columns=COPY_COLUMNS, format="binary"
        )
        return len(rows)
    status = await connection.execute(queries["positions.insert_many"], *arrays(rows, cells(rows)))
    return int(status.rpartition(" ")[2])


class _Source:
    """Bytes as the asynchronous iterator that asyncpg reads from, in pieces."""

    PIECE = 1 << 18

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)

    def __aiter__(self) -> "_Source":
        return self

    async def __anext__(self) -> bytes:
        if not self._data:
            raise StopAsyncIteration
        piece, self._data = self._data[: self.PIECE], self._data[self.PIECE :]
        return bytes(piece)


async def _mark(connection: Any, rows: PositionColumns) -> None:
    if len(rows):
        await connection.executemany(
            queries["positions.mark"],
            [
                (rows.courier_ids[courier], instant(us), mark)
                for courier, us, mark in zip(rows.courier, rows.fixed_us.tolist(), rows.marks.tolist(), strict=True)
            ],
        )


async def _replace(connection: Any, rows: PositionColumns) -> None:
    if not len(rows):
        return
    ids, courier, us, *rest = arrays(rows, cells(rows))
    assert isinstance(ids, list)
    assert isinstance(courier, list)
    assert isinstance(us, list)
    await connection.executemany(
        queries["positions.replace"],
        [
            (ids[place - 1], instant(at), *values)
            for place, at, values in zip(courier, us, zip(*rest, strict=True), strict=True)
        ],
    )
