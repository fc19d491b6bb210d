"""
Reading where couriers were: tracks as fixes, or rolled up by minute and hour; last positions; speeds seen in places.

Everything is read in pages by key, in order of time: a long track costs neither side its memory, and a page is one
short query, which also suits an engine whose clients share one session.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Protocol, TypeVar
from uuid import UUID

import asyncpg
import numpy as np

from sql import queries
from tracking.batch import E7, MODES, PositionColumns
from tracking.history.rows import from_copy, from_records, unpack_cell
from tracking.position import LatLon, Mode, Region

PAGE: Final = 20_000
"""Rows of a page: more than a courier's day of 5-second fixes, a megabyte on the wire."""
RAW_UP_TO: Final = timedelta(days=1)
BY_MINUTE_UP_TO: Final = timedelta(days=31)
Answer = TypeVar("Answer")
NO_COPY: Final = ("emcc", "emscripten", "wasm")
"""In the server's version: the WebAssembly build, which COPY crashes."""


class Resolution(StrEnum):
    """How finely a track is read."""

    RAW = "raw"
    MINUTE = "1m"
    HOUR = "1h"


def resolution_for(span: timedelta) -> Resolution:
    """What `auto` means: at most some 20,000 points for a phone that sends every 5 s, up to two years."""
    if span <= RAW_UP_TO:
        return Resolution.RAW
    return Resolution.MINUTE if span <= BY_MINUTE_UP_TO else Resolution.HOUR


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollup:
    """The good fixes of a courier within a minute or an hour; marked ones are left out."""

    bucket_at: datetime
    first_at: datetime
    last_at: datetime
    first: LatLon
    last: LatLon
    south_west: LatLon
    """With `north_east`, the bounding box; not meant for a bucket that crosses the antimeridian."""
    north_east: LatLon
    distance_m: float
    """Along the fixes of the bucket; the way from the bucket before is `last` to `first`."""
    n_fixes: int
    mean_speed_mps: float | None
    """Of the fixes whose device gave a speed."""
    top_speed_mps: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedSpeed:
    """Speeds that devices reported in an H3 cell (resolution 8) in one hour of the week."""

    cell: int
    """H3 index."""
    mode: Mode | None
    hour_of_week: int
    """UTC; 0 is Monday 00:00 to 01:00, 167 Sunday 23:00 to 24:00."""
    n_fixes: int
    mean_speed_mps: float
    """Standing included."""
    n_moving: int
    """Fixes at 1 m/s and faster."""
    moving_speed_mps: float | None
    moving_spread_mps: float | None
    """Standard deviation of the moving speeds."""


class Asks(Protocol):
    """Puts a question to a server that may answer it, and returns its answer."""

    async def __call__(self, question: Callable[[asyncpg.Pool], Awaitable[Answer]]) -> Answer:
        """May ask twice."""
        ...


class Reader:
    """Reads positions; several calls may run at the same time."""

    def __init__(self, pool: asyncpg.Pool, *, ask: Asks | None = None) -> None:
        """`ask`: chooses who is asked for tracks, which may be a little old; None: `pool`."""
        self._pool = pool
        self._ask = ask or self._ask_pool
        self._copies: bool | None = None

    async def track(
        self, courier_id: UUID, since: datetime, until: datetime, *, with_marked: bool = False
    ) -> AsyncIterator[PositionColumns]:
        """Every fix from `since` until before `until` in order of time, page by page."""
        after: datetime | None = None
        while len(page := await self.fixes(courier_id, since, until, after=after, with_marked=with_marked)):
            yield page
            if len(page) < PAGE:
                return
            after = page.position(len(page) - 1).fix.fixed_at

    async def fixes(
        self,
        courier_id: UUID,
        since: datetime,
        until: datetime,
        *,
        after: datetime | None = None,
        limit: int = PAGE,
        with_marked: bool = False,
    ) -> PositionColumns:
        """A page of a track: the fixes from `since` until before `until`, later than the cursor `after`."""
        arguments = (courier_id, since, until, after or since - timedelta(days=1), with_marked, limit)
        # Asked before a connection is taken: a full pool of callers that each wait for a second one would never move.
        copies = await self.can_copy()

        async def page(pool: asyncpg.Pool) -> PositionColumns:
            async with pool.acquire() as connection:
                if not copies:
                    return from_records(await connection.fetch(queries["positions.track"], *arguments), [courier_id])
                received = _Sink()
                # Rows of one layout, read by numpy: a day of fixes in a few milliseconds, without an object per value.
                await connection.copy_from_query(
                    queries["positions.track_copy"], *arguments, output=received.write, format="binary"
                )
                return from_copy(received.data(), courier_id)

        return await self._ask(page)

    async def rollups(
        self,
        courier_id: UUID,
        resolution: Resolution,
        since: datetime,
        until: datetime,
        *,
        after: datetime | None = None,
        limit: int = PAGE,
    ) -> tuple[Rollup, ...]:
        """
        A page of a track by minute or by hour: buckets from `since` until before `until`, later than the cursor.

        Raises KeyError for Resolution.RAW. On TimescaleDB, fixes later than two minutes come in with the next refresh.
        """
        query = {Resolution.MINUTE: "positions.by_minute", Resolution.HOUR: "positions.by_hour"}[resolution]
        arguments = (courier_id, since, until, after or since - timedelta(days=1), limit)

        async def page(pool: asyncpg.Pool) -> list[Any]:
            found: list[Any] = await pool.fetch(queries[query], *arguments)
            return found

        return tuple(_rollup(record) for record in await self._ask(page))

    async def last_positions(self, region: Region | str, since: datetime | None = None) -> PositionColumns:
        """
        The last unmarked fix of every courier of the region, not older than `since` (by default, 8 days).

        An older place is of no use to anybody, and looking for it would open every chunk there is.
        """
        records = await self._pool.fetch(queries["positions.last_of_region"], region, since)
        return from_records(records, list(dict.fromkeys(record["courier_id"] for record in records)))

    async def observed_speeds(
        self, since: datetime, until: datetime, mode: Mode | None = None
    ) -> tuple[ObservedSpeed, ...]:
        """Speeds by cell, mode and hour of the week, over whole hours from `since` until before `until`."""
        number = None if mode is None else MODES.index(mode)
        records = await self._pool.fetch(queries["positions.observed_speeds"], since, until, number)
        return tuple(_observed_speed(record) for record in records)

    async def can_copy(self) -> bool:
        """Whether the server bears COPY."""
        if self._copies is None:
            version = await self._pool.fetchval(queries["positions.server"])
            self._copies = not any(word in version for word in NO_COPY)
        return self._copies

    async def _ask_pool(self, question: Callable[[asyncpg.Pool], Awaitable[Answer]]) -> Answer:
        return await question(self._pool)


class _Sink:
    """Collects what COPY sends."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    async def write(self, piece: bytes) -> None:
        """Called by asyncpg for every piece."""
        self._pieces.append(piece)

    def data(self) -> bytes:
        """All of it."""
        return b"".join(self._pieces)


def _rollup(row: Any) -> Rollup:
    return Rollup(
        bucket_at=row["bucket"],
        first_at=row["first_at"],
        last_at=row["last_at"],
        first=_place(row["first_lat_e7"], row["first_lon_e7"]),
        last=_place(row["last_lat_e7"], row["last_lon_e7"]),
        south_west=_place(row["south_e7"], row["west_e7"]),
        north_east=_place(row["north_e7"], row["east_e7"]),
        distance_m=row["distance_m"],
        n_fixes=row["n_fixes"],
        mean_speed_mps=row["speeds_cmps"] / row["n_speeds"] / 100
        if row["n_speeds"] and row["speeds_cmps"] is not None
        else None,
        top_speed_mps=None if row["top_speed_cmps"] is None else row["top_speed_cmps"] / 100,
    )


def _observed_speed(row: Any) -> ObservedSpeed:
    n, mean, spread = row["n_moving"], None, None
    if n:
        mean = row["moving_cmps"] / n / 100
        spread = float(np.sqrt(max(0.0, row["moving_squares"] / n / 10_000 - mean**2)))
    return ObservedSpeed(
        cell=unpack_cell(row["cell"]),
        mode=MODES[row["mode"]],
        hour_of_week=row["hour_of_week"],
        n_fixes=row["n_speeds"],
        mean_speed_mps=row["speeds_cmps"] / row["n_speeds"] / 100,
        n_moving=n,
        moving_speed_mps=mean,
        moving_spread_mps=spread,
    )


def _place(lat_e7: int, lon_e7: int) -> LatLon:
    return LatLon(lat_e7 / E7, lon_e7 / E7)
