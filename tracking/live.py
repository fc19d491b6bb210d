"""
Live state in Redis: every courier's last good position, last contact, and who is near a place.

It is written in one place, `lua/commit.lua` (by `intake/ingest.py`), which moves a courier only forward in fix time;
here it is read, and put back from history when Redis lost its memory.
"""

import secrets
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import numpy as np
import numpy.typing as npt
from redis.asyncio import Redis

from tracking.batch import E7, MODES, UNKNOWN, UNKNOWN_ALTITUDE, PositionColumns, instant, microseconds
from tracking.log import RegionKeys
from tracking.position import CourierId, Fix, LatLon, Mode, Position, Presence, Region
from tracking.quality import distances_m
from tracking.script import Script

RECORD: Final = np.dtype(
    [
        # The scripts read these six.
        ("fixed_us", ">f8"),
        ("received_us", ">f8"),
        ("lat_e7", ">i4"),
        ("lon_e7", ">i4"),
        ("accuracy_dm", ">i4"),
        ("mode", "u1"),
        ("speed_cmps", ">i2"),
        ("course_ddeg", ">i2"),
        ("altitude_m", ">i2"),
        ("battery_pct", ">i2"),
    ]
)
"""A courier's live record: the columns of `tracking.batch`, big-endian and packed, as Lua reads them."""
_ROW: Final = struct.Struct(">ddiiiBhhhh")
"""The same for one record: numpy needs ten times as long for the numbers of a few."""
assert _ROW.size == RECORD.itemsize, "both read the same record"

FIRST_CIRCLE_M: Final = 250.0
"""Where `nearby` begins to look; a dense city has dozens of couriers in it."""
FEW: Final = 250
"""Couriers of a region among which `nearby` looks once, in the whole circle."""
INDEXED_FOR_S: Final = 660.0
"""A courier whose last fix is older is in no geo index: those of months would be walked over by everybody who asks. A
minute more than what counts as fresh by default, so that a question never needs the walk below for the time it took."""
MOST_WALKED: Final = 4_000
"""Couriers of one mode that one question looks at; so many stale ones between two rounds of `prune` are an outage."""
CHUNK: Final = 1000
"""Couriers per script call where all of them are walked: keeps Redis free for others between calls."""

_nearby = Script("nearby")
_refill = Script("refill")
_prune = Script("prune")


@dataclass(frozen=True, slots=True, kw_only=True)
class LivePosition:
    """The last good position of a courier, and how the courier travels."""

    position: Position
    mode: Mode
    contact_at: datetime
    """When the device was last heard of, with a position or without."""

    @property
    def courier_id(self) -> CourierId:
        """Whose."""
        return self.position.courier_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """A courier near a place."""

    live: LivePosition
    distance_m: float


def presence(age_s: float, *, online_within_s: float, stale_within_s: float) -> Presence:
    """How much a position of that age is worth."""
    if age_s < online_within_s:
        return Presence.ONLINE
    return Presence.STALE if age_s < stale_within_s else Presence.OFFLINE


def records_of(columns: PositionColumns) -> npt.NDArray[np.void]:
    """Live records, one per row."""
    records = np.empty(len(columns), dtype=RECORD)
    for name in RECORD.names or ():
        records[name] = getattr(columns, name)
    return records


def _columns_of(courier_ids: Sequence[bytes], records: Sequence[bytes]) -> PositionColumns:
    rows = np.frombuffer(b"".join(records), dtype=RECORD)
    n = len(rows)
    return PositionColumns(
        courier_ids=tuple(UUID(bytes=courier_id) for courier_id in courier_ids),
        courier=np.arange(n, dtype="<i4"),
        fixed_us=rows["fixed_us"].astype("<i8"),
        received_us=rows["received_us"].astype("<i8"),
        lat_e7=rows["lat_e7"].astype("<i4"),
        lon_e7=rows["lon_e7"].astype("<i4"),
        speed_cmps=rows["speed_cmps"].astype("<i2"),
        course_ddeg=rows["course_ddeg"].astype("<i2"),
        accuracy_dm=rows["accuracy_dm"].astype("<i2"),
        altitude_m=rows["altitude_m"].astype("<i2"),
        battery_pct=rows["battery_pct"].astype("<i2"),
        mode=rows["mode"].astype("<i1"),
        marks=np.zeros(n, dtype="<i1"),
    )


class LivePositions:
    """Reads live state; holds no state but the client."""

    def __init__(
        self, redis: Redis, *, indexed_for_s: float = INDEXED_FOR_S, clock: Callable[[], float] = time.time
    ) -> None:
        """`indexed_for_s`: as in `tracking.intake.ingest.Bounds`; `clock`: seconds since the Unix epoch."""
        self._redis = redis
        self._indexed_for_s = indexed_for_s
        self._clock = clock

    def _indexed_since(self) -> datetime:
        return datetime.fromtimestamp(self._clock() - self._indexed_for_s, UTC)

    async def get(self, courier_id: UUID, region: Region) -> LivePosition | None:
        """A courier's last good position, or None where none is known."""
        return (await self.get_many([courier_id], region)).get(CourierId(courier_id))

    async def get_many(self, courier_ids: Sequence[UUID], region: Region) -> Mapping[CourierId, LivePosition]:
        """The last good positions of those couriers that have one."""
        if not courier_ids:
            return {}
        keys, ids = RegionKeys(region), [courier_id.bytes for courier_id in courier_ids]
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.hmget(keys.live, ids)
            pipe.hmget(keys.contacts, ids)
            records, contacts = await pipe.execute()
        known = [(i, r, c) for i, r, c in zip(ids, records, contacts, strict=True) if r is not None]
        found = _live([row[0] for row in known], [row[1] for row in known], [row[2] for row in known])
        return {live.courier_id: live for live in found}

    async def contact_at(self, courier_id: UUID, region: Region) -> datetime | None:
        """When a courier's device was last heard of, also where no position is known."""
        contact = await self._redis.hget(RegionKeys(region).contacts, courier_id.bytes)
        return None if contact is None else _instant_of(contact)

    async def all(self, region: Region) -> Mapping[CourierId, LivePosition]:
        """Everybody's last good position; milliseconds per thousand couriers."""
        records, contacts = await self._all(region)
        found = _live(list(records), list(records.values()), [contacts.get(courier_id) for courier_id in records])
        return {live.courier_id: live for live in found}

    async def all_columns(self, region: Region) -> tuple[PositionColumns, dict[bytes, bytes]]:
        """The same as columns, and the contact times (milliseconds) by courier id."""
        records, contacts = await self._all(region)
        return _columns_of(list(records), list(records.values())), contacts

    async def _all(self, region: Region) -> tuple[dict[bytes, bytes], dict[bytes, bytes]]:
        keys = RegionKeys(region)
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.hgetall(keys.live)
            pipe.hgetall(keys.contacts)
            records, contacts = await pipe.execute()
        return records, contacts

    async def nearby(
        self,
        region: Region,
        at: LatLon,
        *,
        radius_m: float,
        limit: int,
        fresh_since: datetime,
        mode: Mode | None = None,
    ) -> list[Neighbour]:
        """
        Couriers within `radius_m` whose fix is not older than `fresh_since`, nearest first, at most `limit`.

        Milliseconds as long as `fresh_since` is no older than what is indexed; beyond that everybody's last position is
        read.
        """
        return await self.nearest([region], at, radius_m=radius_m, limit=limit, fresh_since=fresh_since, mode=mode)

    async def nearest(
        self,
        regions: Sequence[Region],
        at: LatLon,
        *,
        radius_m: float,
        limit: int,
        fresh_since: datetime,
        mode: Mode | None = None,
    ) -> list[Neighbour]:
        """The same of several regions together, in one round trip."""
        if fresh_since < self._indexed_since():
            everywhere = [
                hit
                for region in regions
                for hit in await self._nearby_of_all(region, at, radius_m, limit, fresh_since, mode)
            ]
            return sorted(everywhere, key=lambda hit: hit.distance_m)[:limit]
        lon = float(at.lon)
        lat = min(max(float(at.lat), -85.05), 85.05)  # Redis knows no places nearer to the poles
        since_us = microseconds(fresh_since)
        args = [lon, lat, radius_m, limit, since_us, FIRST_CIRCLE_M, MOST_WALKED, FEW]
        calls = []
        for region in regions:
            keys = RegionKeys(region)
            indices = keys.geo if mode is None else (keys.geo[MODES.index(mode) - 1],)
            calls.append(([keys.live, keys.contacts, *indices], args))
        hits = [hit for answer in await _nearby.run_many(self._redis, calls) for hit in answer]
        if len(calls) > 1:
            hits = sorted(hits, key=lambda hit: float(hit[1]))[:limit]
        found = _live([hit[0] for hit in hits], [hit[2] for hit in hits], [hit[3] for hit in hits])
        return [Neighbour(live=live, distance_m=float(hit[1])) for live, hit in zip(found, hits, strict=True)]

    async def _nearby_of_all(
        self, region: Region, at: LatLon, radius_m: float, limit: int, fresh_since: datetime, mode: Mode | None
    ) -> list[Neighbour]:
        records, contacts = await self._all(region)
        ids = list(records)
        columns = _columns_of(ids, list(records.values()))
        away_m = distances_m(columns.lat_e7 / 1e7, columns.lon_e7 / 1e7, np.array(at.lat), np.array(at.lon))
        wanted = (away_m <= radius_m) & (columns.fixed_us >= microseconds(fresh_since))
        if mode is not None:
            wanted &= columns.mode == MODES.index(mode)
        rows = np.flatnonzero(wanted)
        nearest = rows[np.argsort(away_m[rows], kind="stable")][:limit]
        return [
            Neighbour(
                live=_live_of(ids[i], records[ids[i]], contacts.get(ids[i])),
                distance_m=round(float(away_m[i]), 4),
            )
            for i in nearest.tolist()
        ]

    async def forget(self, courier_id: UUID, region: Region) -> None:
        """Remove a courier: deleted, erased, or moved to another region."""
        keys, member = RegionKeys(region), courier_id.bytes
        async with self._redis.pipeline(transaction=True) as pipe:
            for key in (keys.live, keys.suspects, keys.contacts):
                pipe.hdel(key, member)
            for key in keys.geo:
                pipe.zrem(key, member)
            await pipe.execute()

    async def is_complete(self, region: Region) -> bool:
        """False when Redis lost its memory (or never had it) and `refill` is due."""
        return bool(await self._redis.exists(RegionKeys(region).marker))

    async def refill(self, region: Region, columns: PositionColumns) -> int:
        """
        Put last positions back from history, keeping what is newer here; how many were put back.

        The geo indices get those that `nearby` looks for.
        """
        oldest_us = microseconds(self._indexed_since())
        keys = RegionKeys(region)
        records = records_of(columns)
        records["mode"] = np.maximum(records["mode"], 1)  # a mode that history does not know counts as a car's
        n = 0
        for start in range(0, len(columns), CHUNK):
            args: list[bytes | int] = [oldest_us]
            for i in range(start, min(start + CHUNK, len(columns))):
                member = columns.courier_ids[columns.courier[i]].bytes
                args += [member, records[i].tobytes(), int(columns.received_us[i]) // 1000]
            n += await _refill.run(self._redis, [keys.live, keys.contacts, *keys.geo], args)
        await self._redis.set(keys.marker, secrets.token_hex(8), nx=True)
        return n

    async def prune(self, region: Region, *, older_than: datetime | None = None) -> int:
        """Take couriers without a fix since then (or too long to be indexed) out of the geo indices; how many."""
        older_than = older_than or self._indexed_since()
        keys = RegionKeys(region)
        columns, _ = await self.all_columns(region)
        stale = np.flatnonzero(columns.fixed_us < microseconds(older_than))
        ids = [columns.courier_ids[i].bytes for i in stale]
        n = 0
        for start in range(0, len(ids), CHUNK):
            args: list[bytes | int] = [microseconds(older_than), *ids[start : start + CHUNK]]
            n += await _prune.run(self._redis, [keys.live, *keys.geo], args)
        return n


def _live(
    courier_ids: Sequence[bytes], records: Sequence[bytes], contacts: Sequence[bytes | None]
) -> list[LivePosition]:
    return [_live_of(*row) for row in zip(courier_ids, records, contacts, strict=True)]


def _live_of(courier_id: bytes, record: bytes, contact: bytes | None) -> LivePosition:
    fixed_us, received_us, lat_e7, lon_e7, accuracy_dm, mode, speed_cmps, course_ddeg, altitude_m, battery_pct = (
        _ROW.unpack(record)
    )
    fix = Fix(
        at=LatLon(lat_e7 / E7, lon_e7 / E7),
        fixed_at=instant(int(fixed_us)),
        accuracy_m=None if accuracy_dm == UNKNOWN else accuracy_dm / 10,
        speed_mps=None if speed_cmps == UNKNOWN else speed_cmps / 100,
        course_deg=None if course_ddeg == UNKNOWN else course_ddeg / 10,
        altitude_m=None if altitude_m == UNKNOWN_ALTITUDE else float(altitude_m),
        battery_pct=None if battery_pct == UNKNOWN else float(battery_pct),
    )
    received_at = instant(int(received_us))
    return LivePosition(
        position=Position(courier_id=CourierId(UUID(bytes=courier_id)), fix=fix, received_at=received_at),
        mode=MODES[mode] or Mode.CAR,
        contact_at=received_at if contact is None else max(received_at, _instant_of(contact)),
    )


def _instant_of(contact_ms: bytes | str) -> datetime:
    return datetime.fromtimestamp(int(contact_ms) / 1000, tz=UTC)
