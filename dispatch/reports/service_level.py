"""
How well a region was served: figures by hour, day, courier or pickup place, and in all.

Orders and offers are counted where they are, exactly; over more than a month those of times that are long over come
from `order_hours` (by day) and `order_days` (by courier and place), where they were counted the same way. The way and
the hours at work come from `courier_hours`, summed from the rollups of positions. Both engines answer the same.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import asyncpg
import numpy as np
import numpy.typing as npt

from sql import queries
from tracking.position import Region

HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
MOST_ROWS: Final = 1_000
"""Of one report; hours and days are bounded by `LONGEST`."""
SLACK: Final = 10
"""So many times more are read of each kind of figure, so that the largest rows have all of theirs."""


class By(StrEnum):
    """What a row is."""

    HOUR = "hour"
    DAY = "day"
    COURIER = "courier"
    PLACE = "place"


LONGEST: Final = {
    By.HOUR: timedelta(days=31, hours=1),
    By.DAY: timedelta(days=366, hours=1),
    By.COURIER: timedelta(days=366, hours=1),
    By.PLACE: timedelta(days=366, hours=1),
}
"""A report reaches so far; the hour is for a change of the clocks."""

FINE: Final = timedelta(days=31, hours=1)
FINE_S: Final = 0.1
COARSE_S: Final = 10.0
"""Percentiles are of times rounded to this; to the coarser one over more than a month, where there are very many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """Which row: an hour or a day that begins then, a courier (None: nobody), or a place in units of 1e-4 degrees."""

    at: datetime | None = None
    courier_id: UUID | None = None
    lat_e4: int | None = None
    lon_e4: int | None = None


Doors = tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]


@dataclass(slots=True, kw_only=True)
class Figures:
    """Counts, and what can be said of them; None where there is nothing to say it of."""

    placed: int = 0
    delivered: int = 0
    promised: int = 0
    """Delivered ones that had a latest time."""
    late: int = 0
    late_s: float = 0.0
    """Of the late ones together."""
    door_s: tuple[float, float] | None = None
    """From placed to delivered: p50, p90."""
    doors: list[Doors] = field(default_factory=list)
    """What that is made of: times, rounded, and how many took so long."""
    offers: int = 0
    answered: int = 0
    """Neither open nor withdrawn."""
    accepted: int = 0
    worked_s: float = 0.0
    """Tracked, or busy."""
    busy_s: float = 0.0
    distance_m: float = 0.0

    @property
    def size(self) -> tuple[float, ...]:
        """By which the largest rows are chosen."""
        return (self.placed + self.delivered, self.offers, self.worked_s)


_SUMMED: Final = tuple(name for name in Figures.__slots__ if name not in {"door_s", "doors"})


@dataclass(slots=True, kw_only=True)
class Line:
    """A row."""

    key: Key
    name: str | None = None
    """The courier's name, or an address of the place."""
    figures: Figures = field(default_factory=Figures)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Rows in order of time, or the largest first."""

    timezone: str
    lines: Sequence[Line]
    total: Figures
    left_out: int
    """Rows that did not fit, the smallest ones; of very many, at least so many."""


async def service_level(
    connection: Any,
    region: Region,
    timezone: str,
    since: datetime,
    until: datetime,
    by: By,
    partner: str | None = None,
) -> Report:
    """
    The figures from `since` until before `until`, in hours and days of the time zone (UTC where nobody knows it).

    Within a transaction. Placed orders count when they were placed, deliveries when they were made, offers when they
    were made; the hours at work are whole hours of UTC, each with the row in which it begins. With `partner` only that
    one's orders and couriers count; whoever else carried one has no name there.
    """
    await connection.execute(queries["reports.prepare"])
    timezone = await _known(connection, timezone)
    starts: list[datetime] = []
    if by in {By.HOUR, By.DAY}:
        starts = [row["at"] for row in await connection.fetch(queries["reports.buckets"], since, until, by, timezone)]
    lines = {key: Line(key=key) for key in (Key(at=start) for start in starts)}
    total = Figures()
    to_s = FINE_S if until - since <= FINE else COARSE_S
    kept = None if partner is not None else await _kept(connection, since, until, by, starts)
    for name, more in (("placed", ()), ("delivered", (to_s,)), ("offers", ()), ("worked", ())):
        for span in [(since, until)] if kept is None or name == "worked" else [(since, kept[0]), (kept[1], until)]:
            asked = (region, *span, by.value, starts, MOST_ROWS * SLACK + 1)
            for row in (
                await connection.fetch(queries[f"reports.{name}"], *asked, *more, partner) if span[0] < span[1] else ()
            ):
                if row["is_total"]:
                    _add(total, row, _doors(row))
                elif not (by is By.PLACE and name == "worked"):
                    _add_to(lines, row, _key(row, starts))
    if kept is not None:
        await _add_kept(connection, region, kept, by, starts, lines, total)
    await asyncio.to_thread(_finish, [total, *(line.figures for line in lines.values())], to_s)
    found = sorted(lines.values(), key=_order_of(by))
    await _name(connection, found[:MOST_ROWS], partner)
    return Report(timezone=timezone, lines=found[:MOST_ROWS], total=total, left_out=max(0, len(found) - MOST_ROWS))


async def _add_kept(
    connection: Any,
    region: Region,
    kept: tuple[datetime, datetime],
    by: By,
    starts: Sequence[datetime],
    lines: dict[Key, Line],
    total: Figures,
) -> None:
    """What was counted before."""
    if by is By.DAY:
        for row in await connection.fetch(queries["order_hours.of_region"], region, *kept, starts):
            _add(total, row, _doors(row))
            _add_to(lines, row, _key(row, starts))
        return
    for row in await connection.fetch(queries["order_days.of_region"], region, *kept, by.value, MOST_ROWS * SLACK + 1):
        if row["is_total"]:
            _add(total, row, _doors(row))
        else:
            _add_to(lines, row, _key(row, starts))


def _add_to(lines: dict[Key, Line], row: Mapping[str, Any], key: Key) -> None:
    line = lines.setdefault(key, Line(key=key))
    line.name = row.get("address") or line.name
    _add(line.figures, row, _doors(row))


def _key(row: Mapping[str, Any], starts: Sequence[datetime]) -> Key:
    return Key(
        at=None if row.get("bucket") is None else starts[row["bucket"] - 1],
        courier_id=row.get("courier_id"),
        lat_e4=row.get("lat_e4"),
        lon_e4=row.get("lon_e4"),
    )


async def _known(connection: Any, timezone: str) -> str:
    try:
        async with connection.transaction():  # a savepoint: what fails in it leaves the rest usable
            await connection.fetchval(queries["reports.knows_zone"], timezone)
    except asyncpg.InvalidParameterValueError:
        return "UTC"
    return timezone


async def _kept(
    connection: Any, since: datetime, until: datetime, by: By, starts: Sequence[datetime]
) -> tuple[datetime, datetime] | None:
    """Of which whole hours, or days, the counts that were kept are good for the report; None: of none."""
    if by is By.HOUR or until - since <= FINE:
        return None  # times to the door are kept to ten seconds
    if by is By.DAY and any(start != _whole(start, HOUR) for start in starts[1:]):
        return None  # kept hours are of UTC
    table, unit = ("order_hours", HOUR) if by is By.DAY else ("order_days", DAY)
    kept_until = await connection.fetchval(queries[f"{table}.kept_until"])
    first = _whole(since + unit - timedelta(microseconds=1), unit)
    last = _whole(min(until, max(kept_until, since)), unit)
    return (first, last) if first < last else None


def _whole(at: datetime, unit: timedelta) -> datetime:
    at = at.astimezone(UTC)
    return at - timedelta(microseconds=at.microsecond, seconds=at.second, minutes=at.minute, hours=at.hour) % unit


def _doors(row: Mapping[str, Any]) -> Doors | None:
    if packed := row.get("packed_doors"):
        pairs = np.frombuffer(packed, dtype=">i4").astype(np.int32).reshape(-1, 2)
        return pairs[:, 0], pairs[:, 1]
    if not row.get("doors"):
        return None
    return np.array(row["doors"], dtype=np.int32), np.array(row["n_doors"], dtype=np.int32)


def _add(figures: Figures, row: Mapping[str, Any], doors: Doors | None) -> None:
    if doors is not None:
        figures.doors.append(doors)
    for name in _SUMMED:
        if (value := row.get(name)) is not None:
            setattr(figures, name, getattr(figures, name) + value)


def _finish(found: Sequence[Figures], to_s: float) -> None:
    """Percentiles: of a year's million in a thread, beside the requests of others."""
    for figures in found:
        if figures.doors:
            times = np.concatenate([times for times, _ in figures.doors])
            p50, p90 = np.percentile(np.repeat(times, np.concatenate([n for _, n in figures.doors])), (50, 90))
            figures.door_s = (float(p50) * to_s, float(p90) * to_s)
            figures.doors.clear()


def _order_of(by: By) -> Any:
    if by in {By.HOUR, By.DAY}:
        return lambda line: line.key.at or datetime.min.replace(tzinfo=UTC)
    return lambda line: tuple(-value for value in line.figures.size)


async def _name(connection: Any, lines: Sequence[Line], partner: str | None) -> None:
    ids = [line.key.courier_id for line in lines if line.key.courier_id is not None]
    if ids:
        names = {row["id"]: row["name"] for row in await connection.fetch(queries["reports.names"], ids, partner)}
        for line in lines:
            if line.key.courier_id is not None:
                line.name = names.get(line.key.courier_id)
