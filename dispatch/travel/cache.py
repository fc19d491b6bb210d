"""
Travel times remembered: in Redis for all processes, and in this process in front of it.

By engine, mode, hour (where the engine knows traffic) and H3 cell of both ends, in rows by origin cell. In Redis a row
is one hash, asked by one HMGET: field is the destination cell, value both numbers packed. A cache that does not
answer is a miss, never an error.
"""

import asyncio
import logging
import struct
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
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

N_LOCAL_PAIRS: Final = 4_000_000
"""Pairs kept in this process, 64 MB; when full, the origins unused longest go."""
N_ROWS_A_TRIP: Final = 64
"""Rows of a table that Redis is asked for in one round trip."""
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


@dataclass(slots=True)
class _Row:
    """What is known from one origin cell."""

    cells: npt.NDArray[np.int64]
    """Of the destinations, sorted."""
    values: npt.NDArray[np.int32]
    """Durations and distances to these, shape (2, n)."""
    expires_at: float


class LocalCache:
    """Known pairs in this process, by origin cell; each is forgotten when its source says so, the rest when full."""

    def __init__(self, n_pairs: int = N_LOCAL_PAIRS) -> None:
        self._most = n_pairs
        self._rows: OrderedDict[tuple[Key, int], _Row] = OrderedDict()
        self.n_pairs = 0

    def load(self, key: Key, table: CellTable, now_s: float) -> None:
        """Fill what is known and still UNKNOWN in `table`."""
        for i, cell in enumerate(table.rows.tolist()):
            row = self._rows.get((key, cell))
            if row is None:
                continue
            if row.expires_at <= now_s:
                self._drop((key, cell))
                continue
            self._rows.move_to_end((key, cell))
            at = np.minimum(np.searchsorted(row.cells, table.columns), row.cells.size - 1)
            use = (row.cells[at] == table.columns) & (table.durations_s[i] == UNKNOWN)
            table.durations_s[i, use] = row.values[0, at[use]]
            table.distances_m[i, use] = row.values[1, at[use]]

    def save(
        self, key: Key, table: CellTable, known: npt.NDArray[np.bool_], now_s: float, keep_s: Mapping[int, float]
    ) -> None:
        """Remember the pairs of `table` where `known`; by number of the row for how long, at most."""
        for i in np.flatnonzero(known.any(axis=1)).tolist():
            cells = table.columns[known[i]]
            values = np.stack([table.durations_s[i, known[i]], table.distances_m[i, known[i]]])
            expires_at = now_s + keep_s[i]
            name = (key, int(table.rows[i]))
            old = self._drop(name)
            if old is not None and old.expires_at > now_s:
                cells, first = np.unique(np.concatenate([cells, old.cells]), return_index=True)
                values = np.concatenate([values, old.values], axis=1)[:, first]
                expires_at = min(expires_at, old.expires_at)
            self._rows[name] = _Row(cells=cells, values=values, expires_at=expires_at)
            self.n_pairs += cells.size
        while self.n_pairs > self._most:
            self._drop(next(iter(self._rows)))

    def _drop(self, name: tuple[Key, int]) -> _Row | None:
        row = self._rows.pop(name, None)
        self.n_pairs -= 0 if row is None else row.cells.size
        return row


class TravelCache:
    """Both tiers. `redis=None`: this process only."""

    def __init__(
        self,
        *,
        redis: Redis | None = None,
        prefix: str = "pr:travel",
        clock: Clock = monotonic,
        n_local_pairs: int = N_LOCAL_PAIRS,
    ) -> None:
        self._redis = redis
        self._prefix = prefix
        self._clock = clock
        self._local = LocalCache(n_local_pairs)

    async def load(self, engine: Engine, mode: Mode, departs_at: datetime, table: CellTable, *, wait_s: float) -> None:
        """Fill `table` with what is remembered; waits for Redis at most `wait_s`."""
        if engine.cache_s <= 0 or not table.durations_s.size:
            return
        key = (engine.source.value, mode.value, slot(engine, departs_at))
        n_asked = _count_unknown(table)
        self._local.load(key, table, self._clock())
        n_left = _count_unknown(table)
        _count("process", n_hits=n_asked - n_left, n_misses=n_left)
        if self._redis is None or not n_left:
            return
        before = table.durations_s != UNKNOWN
        keep_s: dict[int, float] = {}
        try:
            async with asyncio.timeout(wait_s):
                await self._load_redis(self._redis, key, table, keep_s)
        except outages.DRIVERS as exc:
            outages.tell(log, "travel cache did not answer", exc, event="travel_cache_missed", level=logging.DEBUG)
        n_missing = _count_unknown(table)
        _count("redis", n_hits=n_left - n_missing, n_misses=n_missing)
        found = (table.durations_s != UNKNOWN) & ~before
        # What is half over in Redis is not new here.
        keep_s = {i: min(keep_s.get(i, 0.0), engine.cache_s) for i in np.flatnonzero(found.any(axis=1)).tolist()}
        self._local.save(key, table, found, self._clock(), keep_s)

    async def save(self, engine: Engine, mode: Mode, departs_at: datetime, table: CellTable, *, wait_s: float) -> None:
        """Remember what the engine has answered to this question."""
        if engine.cache_s <= 0 or not table.fresh.any():
            return
        key = (engine.source.value, mode.value, slot(engine, departs_at))
        keep_s = dict.fromkeys(range(len(table.rows)), float(engine.cache_s))
        self._local.save(key, table, table.fresh, self._clock(), keep_s)
        if self._redis is None:
            return
        try:
            async with asyncio.timeout(min(SAVE_S, max(0.05, wait_s))):
                await self._save_redis(self._redis, key, table, engine.cache_s)
        except outages.DRIVERS as exc:
            outages.tell(log, "travel cache not written", exc, event="travel_cache_missed", level=logging.DEBUG)

    def _name(self, key: Key, cell: int) -> str:
        return f"{self._prefix}:{':'.join(key)}:{cell:x}"

    async def _load_redis(self, redis: Redis, key: Key, table: CellTable, keep_s: dict[int, float]) -> None:
        """Fill what Redis knows; `keep_s` is told for how much longer each row is good."""
        open_rows = np.flatnonzero((table.durations_s == UNKNOWN).any(axis=1)).tolist()
        for first in range(0, len(open_rows), N_ROWS_A_TRIP):
            some = open_rows[first : first + N_ROWS_A_TRIP]
            asked = [np.flatnonzero(table.durations_s[i] == UNKNOWN) for i in some]
            async with redis.pipeline(transaction=False) as pipe:
                for i, columns in zip(some, asked, strict=True):
                    name = self._name(key, int(table.rows[i]))
                    pipe.hmget(name, [f"{cell:x}" for cell in table.columns[columns].tolist()])
                    pipe.pttl(name)
                answers: list[Any] = await pipe.execute()
            for i, columns, values, ttl_ms in zip(some, asked, answers[::2], answers[1::2], strict=True):
                keep_s[i] = ttl_ms / 1000
                for j, value in zip(columns.tolist(), values, strict=True):
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
