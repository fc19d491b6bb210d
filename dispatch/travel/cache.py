"""
Travel times remembered: in Redis for all processes, and in this process in front of it.

By engine, mode, hour (where the engine knows traffic) and H3 cell of both ends. In Redis one hash per origin cell, so
that a row of a matrix is one HMGET: field is the destination cell, value both numbers packed. A cache that does not
answer is a miss, never an error.
"""

import asyncio
import logging
import struct
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from redis.asyncio import Redis

from dispatch.travel.blocks import CellTable
from dispatch.travel.metrics import CACHE_PAIRS
from dispatch.travel.times import UNKNOWN, Engine
from tracking import outages
from tracking.position import Mode

log = logging.getLogger(__name__)

N_LOCAL_CELLS: Final = 2048
"""Cells per engine, mode and hour kept in this process: two int32 matrices, 32 MiB; when full it starts again empty."""
N_LOCAL_TABLES: Final = 6
"""Engines × modes × hours kept in this process; the one unused longest is dropped."""
SAVE_S: Final = 0.25
"""At most so long is spent on writing to Redis, 0.05 s when the time for the question is over."""

_PAIR = struct.Struct("<ii")
Key = tuple[str, str, str]
Clock = Callable[[], float]


def slot(engine: Engine, departs_at: datetime) -> str:
    """The part of a key that tells times of day apart: the hour of the week, for engines that know traffic."""
    if not engine.depends_on_time:
        return "any"
    at = departs_at.astimezone(UTC)
    return f"{at.weekday()}-{at.hour:02}"


class LocalCache:
    """Known pairs of one engine, mode and hour, in this process."""

    def __init__(self, *, expires_at: float) -> None:
        self.expires_at = expires_at
        self._index: dict[int, int] = {}
        self._values: npt.NDArray[np.int32] = np.full((2, 64, 64), UNKNOWN, dtype=np.int32)

    def load(self, table: CellTable) -> None:
        """Fill what is known and still UNKNOWN in `table`."""
        rows, at_rows = self._places(table.rows)
        columns, at_columns = self._places(table.columns)
        if not rows.size or not columns.size:
            return
        here = np.ix_(rows, columns)
        known = self._values[:, at_rows[:, None], at_columns[None, :]]
        use = (table.durations_s[here] == UNKNOWN) & (known[0] != UNKNOWN)
        table.durations_s[here] = np.where(use, known[0], table.durations_s[here])
        table.distances_m[here] = np.where(use, known[1], table.distances_m[here])

    def save(self, table: CellTable, known: npt.NDArray[np.bool_]) -> None:
        """Remember the pairs of `table` where `known`."""
        if not known.any():
            return
        cells = np.unique(np.concatenate([table.rows, table.columns]))
        if cells.size > N_LOCAL_CELLS:
            return  # a question larger than the cache: Redis keeps it
        if len(self._index.keys() | set(cells.tolist())) > N_LOCAL_CELLS:
            self._index.clear()
            self._values[:] = UNKNOWN
        rows, columns = self._grow(table.rows), self._grow(table.columns)
        here = (rows[:, None], columns[None, :])
        for plane, values in enumerate((table.durations_s, table.distances_m)):
            self._values[plane][here] = np.where(known, values, self._values[plane][here])

    def _places(self, cells: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        at = np.array([self._index.get(int(cell), -1) for cell in cells], dtype=np.intp)
        found = np.flatnonzero(at >= 0)
        return found, at[found]

    def _grow(self, cells: npt.NDArray[np.int64]) -> npt.NDArray[np.intp]:
        at = np.array([self._index.setdefault(int(cell), len(self._index)) for cell in cells], dtype=np.intp)
        size = self._values.shape[1]
        if len(self._index) > size:
            larger = np.full((2, 2 * len(self._index), 2 * len(self._index)), UNKNOWN, dtype=np.int32)
            larger[:, :size, :size] = self._values
            self._values = larger
        return at


class TravelCache:
    """Both tiers. `redis=None`: this process only."""

    def __init__(self, *, redis: Redis | None = None, prefix: str = "pr:travel", clock: Clock = monotonic) -> None:
        self._redis = redis
        self._prefix = prefix
        self._clock = clock
        self._local: OrderedDict[Key, LocalCache] = OrderedDict()

    async def load(self, engine: Engine, mode: Mode, departs_at: datetime, table: CellTable, *, wait_s: float) -> None:
        """Fill `table` with what is remembered; waits for Redis at most `wait_s`."""
        if engine.cache_s <= 0 or not table.durations_s.size:
            return
        key = (engine.source.value, mode.value, slot(engine, departs_at))
        n_asked = _count_unknown(table)
        self._table(key, engine).load(table)
        n_left = _count_unknown(table)
        _count("process", n_hits=n_asked - n_left, n_misses=n_left)
        if self._redis is None or not n_left:
            return
        before = table.durations_s != UNKNOWN
        try:
            async with asyncio.timeout(wait_s):
                await self._load_redis(self._redis, key, table)
        except outages.DRIVERS as exc:
            outages.tell(log, "travel cache did not answer", exc, event="travel_cache_missed", level=logging.DEBUG)
        n_missing = _count_unknown(table)
        _count("redis", n_hits=n_left - n_missing, n_misses=n_missing)
        self._table(key, engine).save(table, (table.durations_s != UNKNOWN) & ~before)

    async def save(self, engine: Engine, mode: Mode, departs_at: datetime, table: CellTable, *, wait_s: float) -> None:
        """Remember what the engine has answered to this question."""
        if engine.cache_s <= 0 or not table.fresh.any():
            return
        key = (engine.source.value, mode.value, slot(engine, departs_at))
        self._table(key, engine).save(table, table.fresh)
        if self._redis is None:
            return
        try:
            async with asyncio.timeout(min(SAVE_S, max(0.05, wait_s))):
                await self._save_redis(self._redis, key, table, engine.cache_s)
        except outages.DRIVERS as exc:
            outages.tell(log, "travel cache not written", exc, event="travel_cache_missed", level=logging.DEBUG)

    def _table(self, key: Key, engine: Engine) -> LocalCache:
        now = self._clock()
        table = self._local.get(key)
        if table is None or table.expires_at <= now:
            table = self._local[key] = LocalCache(expires_at=now + engine.cache_s)
        self._local.move_to_end(key)
        while len(self._local) > N_LOCAL_TABLES:
            self._local.popitem(last=False)
        return table

    def _name(self, key: Key, cell: int) -> str:
        return f"{self._prefix}:{':'.join(key)}:{cell:x}"

    async def _load_redis(self, redis: Redis, key: Key, table: CellTable) -> None:
        for i in np.flatnonzero((table.durations_s == UNKNOWN).any(axis=1)).tolist():
            columns = np.flatnonzero(table.durations_s[i] == UNKNOWN)
            fields = [f"{cell:x}" for cell in table.columns[columns].tolist()]
            answer: list[Any] = await redis.hmget(self._name(key, int(table.rows[i])), fields)
            for j, value in zip(columns.tolist(), answer, strict=True):
                if value is not None:
                    table.durations_s[i, j], table.distances_m[i, j] = _PAIR.unpack(value)

    async def _save_redis(self, redis: Redis, key: Key, table: CellTable, cache_s: int) -> None:
        pipe = redis.pipeline(transaction=False)
        for i in np.flatnonzero(table.fresh.any(axis=1)).tolist():
            columns = np.flatnonzero(table.fresh[i])
            durations, distances = table.durations_s[i, columns].tolist(), table.distances_m[i, columns].tolist()
            name = self._name(key, int(table.rows[i]))
            packed = map(_PAIR.pack, durations, distances)
            pipe.hset(name, mapping=dict(zip((f"{c:x}" for c in table.columns[columns].tolist()), packed, strict=True)))
            pipe.expire(name, cache_s, nx=True)  # from the first pair on: nothing is kept longer than allowed
        await pipe.execute()


def _count_unknown(table: CellTable) -> int:
    return int((table.durations_s == UNKNOWN).sum())


def _count(tier: str, *, n_hits: int, n_misses: int) -> None:
    CACHE_PAIRS.labels(tier=tier, result="hit").inc(n_hits)
    CACHE_PAIRS.labels(tier=tier, result="miss").inc(n_misses)
