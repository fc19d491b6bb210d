"""
What watching finds, in the database: stays and fence events, written so that saying it twice changes nothing.

Every method returns only what was new, and recent enough to tell somebody (NOTIFY_WITHIN_S): what is found in fixes
that came late is recorded and wakes nobody.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg

from sql import queries
from tracking import lease as leases
from tracking.batch import E7, instant, microseconds
from tracking.lease import Lease
from tracking.parts import Part, part_of
from tracking.position import CourierId, Mode, Region
from tracking.watching.fence import FenceId, FenceIndex
from tracking.watching.fix_columns import TrackFix
from tracking.watching.geofence import FenceEvent, FenceState, inside_since
from tracking.watching.motion import Began, Closed, Stay
from tracking.watching.track import Said

NOTIFY_WITHIN_S: Final = 900
"""Older events are recorded and told to nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Something to tell: an event of `tracking.events`."""

    type: str
    at: datetime
    facts: Mapping[str, Any]


@dataclass(slots=True)
class Batch:
    """Changes of several couriers that are written together."""

    stays: dict[tuple[CourierId, int], Stay | None] = field(default_factory=dict)
    """By courier and arrival; None: it was not so."""
    fences: dict[tuple[CourierId, FenceEvent], bool] = field(default_factory=dict)
    """Whether it was so."""

    def add(self, courier_id: CourierId, said: Iterable[Said], withdrawn: Iterable[Said]) -> None:
        """Note what a track says now, and what no longer; the last word counts."""
        for event in withdrawn:
            if isinstance(event, FenceEvent):
                self.fences[courier_id, event] = False
            elif (stay := stay_of(event)) is not None:
                self.stays[courier_id, stay.arrived_us] = None
        for event in said:
            if isinstance(event, FenceEvent):
                self.fences[courier_id, event] = True
            elif (stay := stay_of(event)) is not None:
                self.stays[courier_id, stay.arrived_us] = stay

    def by_courier(self) -> dict[CourierId, "Batch"]:
        """The changes of each courier on their own."""
        found: dict[CourierId, Batch] = {}
        for key, stay in self.stays.items():
            found.setdefault(key[0], Batch()).stays[key] = stay
        for event, was in self.fences.items():
            found.setdefault(event[0], Batch()).fences[event] = was
        return found

    def __bool__(self) -> bool:
        return bool(self.stays or self.fences)


def stay_of(event: Said) -> Stay | None:
    """The stay that began or ended, if one did."""
    if isinstance(event, Began):
        return event.stay
    return event.segment if isinstance(event, Closed) and isinstance(event.segment, Stay) else None


class Findings:
    """Stays and fence events in PostgreSQL."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def apply(self, lease: Lease, batch: Batch, *, now: datetime) -> list[Happening]:
        """Write a batch, all or nothing; raises `LeaseLost`."""
        if not batch:
            return []
        async with leases.held(self._pool, lease) as connection:
            await _withdraw(connection, batch)
            return await _put(connection, lease.region, batch, now=now)

    async def replace(
        self,
        lease: Lease,
        courier_id: CourierId,
        said: Sequence[Said],
        *,
        from_us: int,
        known: FenceIndex,
        noted_at: datetime | None = None,
        now: datetime,
    ) -> list[Happening]:
        """
        Make what stands from an instant on the same as `said`, all or nothing.

        Events of fences that are not `known` (deleted ones) stay. `noted_at`: the note in `recounts` that this settles.
        Raises `LeaseLost`.
        """
        batch = Batch()
        batch.add(courier_id, said, ())
        async with leases.held(self._pool, lease) as connection:
            since = instant(from_us)
            for row in await connection.fetch(queries["stays.of_courier_since"], courier_id, since):
                batch.stays.setdefault((courier_id, microseconds(row["arrived_at"])), None)
            gone = []
            for row in await connection.fetch(queries["fence_events.of_courier_since"], courier_id, since):
                key = (row["fence_id"], row["kind"], microseconds(row["at"]))
                if row["fence_id"].int in known.fences and key not in {_key(e) for _, e in batch.fences}:
                    gone.append((courier_id, row["fence_id"], row["kind"], row["at"]))
            if gone:
                await connection.execute(queries["fence_events.withdraw_many"], *map(list, zip(*gone, strict=True)))
            await _withdraw(connection, batch)
            happenings = await _put(connection, lease.region, batch, now=now)
            if noted_at is not None:
                await connection.execute(queries["recounts.done"], courier_id, noted_at)
            return happenings

    async def fixes(self, courier_id: CourierId, since: datetime) -> list[TrackFix]:
        """A courier's fixes from history that are not poor, in order."""
        rows = await self._pool.fetch(queries["recounts.fixes"], courier_id, since)
        return [
            TrackFix(
                microseconds(row["fixed_at"]),
                row["lat_e7"] / E7,
                row["lon_e7"] / E7,
                None if row["accuracy_dm"] is None else row["accuracy_dm"] / 10,
            )
            for row in rows
        ]

    async def inside_before(self, courier_id: CourierId, at_us: int, index: FenceIndex) -> FenceState:
        """The fences a courier was in at an instant, as the recorded events have it."""
        rows = await self._pool.fetch(queries["fence_events.inside_before"], courier_id, instant(at_us))
        return inside_since({FenceId(row["fence_id"]): (microseconds(row["at"]), row["dwelt"]) for row in rows}, index)

    async def stay_before(self, courier_id: CourierId, at_us: int) -> Stay | None:
        """The last stay that had begun at an instant, as it is recorded."""
        row = await self._pool.fetchrow(queries["stays.before"], courier_id, instant(at_us))
        if row is None:
            return None
        departed_at = row["departed_at"]
        return Stay(
            arrived_us=microseconds(row["arrived_at"]),
            departed_us=microseconds(row["arrived_at"] if departed_at is None else departed_at),
            lat=row["lat"],
            lon=row["lon"],
            n_fixes=row["n_fixes"],
            open=departed_at is None,
        )

    async def note_late(self, region: Region, late: Mapping[CourierId, int], *, now: datetime) -> None:
        """Note couriers to be counted again from an instant on (microseconds); once too often does no harm."""
        if late:
            since = [instant(us) for us in late.values()]
            await self._pool.execute(queries["recounts.note_many"], region, list(late), since, now)

    async def settle(self, lease: Lease, courier_id: CourierId, noted_at: datetime) -> None:
        """Forget a note; a later one stays. Raises `LeaseLost`."""
        async with leases.held(self._pool, lease) as connection:
            await connection.execute(queries["recounts.done"], courier_id, noted_at)

    async def due(
        self, where: Region | Part, *, before: datetime, limit: int
    ) -> list[tuple[CourierId, datetime, datetime, Mode]]:
        """Couriers of a region or a part noted before an instant: (courier, from when, when noted, how they travel)."""
        part = part_of(where)
        rows = await self._pool.fetch(queries["recounts.due"], part.region, before, limit, part.k, part.n)
        return [
            (CourierId(row["courier_id"]), row["from_at"], row["noted_at"], Mode(row["mode"] or Mode.CAR))
            for row in rows
        ]


async def _withdraw(connection: Any, batch: Batch) -> None:
    stays = [key for key, stay in batch.stays.items() if stay is None]
    if stays:
        await connection.execute(
            queries["stays.withdraw_many"], [key[0] for key in stays], [instant(key[1]) for key in stays]
        )
    fences = [(courier_id, *_key(event)) for (courier_id, event), was in batch.fences.items() if not was]
    if fences:
        couriers, ids, kinds, at = map(list, zip(*fences, strict=True))
        await connection.execute(
            queries["fence_events.withdraw_many"], couriers, ids, kinds, [instant(us) for us in at]
        )


async def _put(connection: Any, region: Region, batch: Batch, *, now: datetime) -> list[Happening]:
    since = now - timedelta(seconds=NOTIFY_WITHIN_S)
    found: list[Happening] = []
    # In one order everywhere, so that two writers do not wait for each other in a circle.
    stays = sorted(
        ((c, s) for (c, _), s in batch.stays.items() if s is not None), key=lambda x: (x[0], x[1].arrived_us)
    )
    if stays:
        rows = await connection.fetch(
            queries["stays.put_many"],
            region,
            [courier_id for courier_id, _ in stays],
            [instant(s.arrived_us) for _, s in stays],
            [None if s.open else instant(s.departed_us) for _, s in stays],
            [s.lat for _, s in stays],
            [s.lon for _, s in stays],
            [s.n_fixes for _, s in stays],
        )
        found += [h for row in rows for h in _told_stay(row) if h.at >= since]
    fences = sorted(((c, e) for (c, e), was in batch.fences.items() if was), key=lambda x: (x[0], *_key(x[1])))
    if fences:
        rows = await connection.fetch(
            queries["fence_events.put_many"],
            region,
            [courier_id for courier_id, _ in fences],
            [e.fence_id for _, e in fences],
            [e.kind.value for _, e in fences],
            [instant(e.at_us) for _, e in fences],
            [e.lat for _, e in fences],
            [e.lon for _, e in fences],
            [e.passed for _, e in fences],
            [e.active for _, e in fences],
        )
        found += [
            Happening(
                type=f"fence.{row['kind']}",
                at=row["at"],
                facts={"courier_id": row["courier_id"], "fence_id": row["fence_id"], "passed": row["passed"]},
            )
            for row in rows
            if row["active"] and row["at"] >= since
        ]
    return sorted(found, key=lambda happening: happening.at)


def _told_stay(row: Any) -> list[Happening]:
    facts = {"courier_id": row["courier_id"], "arrived_at": row["arrived_at"]}
    told = []
    if row["is_new"]:
        told.append(Happening(type="stay.began", at=row["arrived_at"], facts=facts))
    if row["departed_at"] is not None:
        ended = facts | {"departed_at": row["departed_at"]}
        told.append(Happening(type="stay.ended", at=row["departed_at"], facts=ended))
    return told


def _key(event: FenceEvent) -> tuple[UUID, str, int]:
    return event.fence_id, event.kind.value, event.at_us
