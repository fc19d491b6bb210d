"""When couriers work: going on and off duty, and their shifts; functions on a `Desk`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dispatch.errors import ShiftNotFound, ShiftOverlaps
from dispatch.orders import goods, handover
from dispatch.orders.courier import Shift, overlapping
from dispatch.orders.desk import Desk
from dispatch.orders.rows import shift_from_row, to_json
from sql import queries
from tracking.errors import CourierNotFound
from tracking.position import CourierId, LatLon


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """Whether a courier takes orders now."""

    on_duty: bool
    version: int
    """Of the courier."""


async def go_on_duty(desk: Desk, courier_id: CourierId) -> Duty:
    """The courier takes orders from now on; raises CourierNotFound."""
    return await _set_duty(desk, courier_id, on_duty=True)


async def go_off_duty(desk: Desk, courier_ids: Sequence[CourierId]) -> list[Duty]:
    """
    The couriers take no more orders: what is not collected goes to others.

    Raises CourierNotFound, and GoodsOnBoard while one of them has something to hand over.
    """
    await goods.leave_behind(desk, dict.fromkeys(courier_ids, "off duty"))
    return [await _set_duty(desk, courier_id, on_duty=False) for courier_id in courier_ids]


async def list_shifts(
    connection: Any, courier_id: CourierId, *, ending_after: datetime | None, starting_before: datetime | None
) -> list[Shift]:
    """A courier's shifts, the earliest first. `connection` may be a pool."""
    rows = await connection.fetch(queries["shifts.of_courier"], courier_id, ending_after, starting_before)
    return [shift_from_row(row) for row in rows]


async def add_shift(desk: Desk, courier_id: CourierId, shift: Shift) -> Shift:
    """Add a shift; raises CourierNotFound, and ShiftOverlaps when it shares time with another one."""
    [added] = await add_shifts(desk, courier_id, [shift])
    return added


async def add_shifts(desk: Desk, courier_id: CourierId, shifts: Sequence[Shift]) -> list[Shift]:
    """Add shifts that are in order and do not overlap, all of them or none; raises as `add_shift`."""
    courier = await _lock_courier(desk, courier_id)
    others = await list_shifts(
        desk.connection, courier_id, ending_after=shifts[0].starts_at, starting_before=shifts[-1].ends_at
    )
    for shift in shifts:
        if (other := overlapping(shift, others)) is not None:
            raise ShiftOverlaps(shift_id=other.id)
    await desk.connection.execute(queries["shifts.were_used"], courier_id)
    added = [await _insert(desk, courier_id, shift) for shift in shifts]
    desk.tell_courier(courier["region"], courier_id)
    return added


async def _insert(desk: Desk, courier_id: CourierId, shift: Shift) -> Shift:
    row = await desk.connection.fetchrow(
        queries["shifts.insert"],
        courier_id,
        shift.starts_at,
        shift.ends_at,
        to_json(shift.breaks),
        *_latlon(shift.end),
        *_latlon(shift.start),
        shift.series_id,
    )
    return shift_from_row(row)


def _latlon(at: LatLon | None) -> tuple[float | None, float | None]:
    return (None, None) if at is None else at.latlon


async def zone_of(desk: Desk, courier_id: CourierId) -> tzinfo:
    """The clock of the courier's region, UTC where that cannot be read; raises CourierNotFound."""
    name = await desk.connection.fetchval(queries["shifts.zone"], courier_id)
    if name is None:
        raise CourierNotFound(courier_id=courier_id)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


async def change_shift(desk: Desk, courier_id: CourierId, shift_id: UUID, change: Callable[[Shift], Shift]) -> Shift:
    """
    Change a shift; raises CourierNotFound, ShiftNotFound, and ShiftOverlaps when it shares time with another one then.

    What was to be collected goes to others, if it had begun and is not going on any more.
    """
    row = await desk.connection.fetchrow(queries["shifts.get"], shift_id, courier_id)
    if row is not None and (before := shift_from_row(row)).covers(desk.now) and not change(before).covers(desk.now):
        await handover.release(desk, {courier_id: "the shift was changed"})
    courier = await _lock_courier(desk, courier_id)
    row = await desk.connection.fetchrow(queries["shifts.get"], shift_id, courier_id)
    if row is None:
        raise ShiftNotFound(shift_id=str(shift_id), courier_id=str(courier_id))
    shift = change(shift_from_row(row))
    others = await list_shifts(desk.connection, courier_id, ending_after=shift.starts_at, starting_before=shift.ends_at)
    if (other := overlapping(shift, [one for one in others if one.id != shift_id])) is not None:
        raise ShiftOverlaps(shift_id=other.id)
    row = await desk.connection.fetchrow(
        queries["shifts.update"],
        shift_id,
        courier_id,
        shift.starts_at,
        shift.ends_at,
        to_json(shift.breaks),
        *_latlon(shift.end),
        *_latlon(shift.start),
    )
    desk.tell_courier(courier["region"], courier_id)
    return shift_from_row(row)


async def remove_shift(desk: Desk, courier_id: CourierId, shift_id: UUID) -> None:
    """
    Remove a shift; removing one that is gone does nothing. Raises CourierNotFound.

    What was to be collected in it goes to others, if it has begun: whoever has had shifts is off without one.
    """
    row = await desk.connection.fetchrow(queries["shifts.get"], shift_id, courier_id)
    if row is not None and shift_from_row(row).covers(desk.now):
        await handover.release(desk, {courier_id: "the shift was removed"})
    courier = await _lock_courier(desk, courier_id)
    await desk.connection.execute(queries["shifts.delete"], shift_id, courier_id)
    desk.tell_courier(courier["region"], courier_id)


async def remove_following(desk: Desk, courier_id: CourierId, shift_id: UUID) -> int:
    """Remove a shift and the later ones of its rule, as `remove_shift` does; how many."""
    rows = await desk.connection.fetch(queries["shifts.following"], shift_id, courier_id)
    for row in rows:
        await remove_shift(desk, courier_id, row["id"])
    return len(rows)


async def _set_duty(desk: Desk, courier_id: CourierId, *, on_duty: bool) -> Duty:
    row = await desk.connection.fetchrow(queries["planning.set_duty"], courier_id, on_duty, desk.now)
    if row is None:
        raise CourierNotFound(courier_id=courier_id)
    desk.tell_courier(row["region"], courier_id)
    return Duty(on_duty=row["on_duty"], version=row["version"])


async def _lock_courier(desk: Desk, courier_id: CourierId) -> Any:
    row = await desk.connection.fetchrow(queries["planning.lock_courier"], courier_id)
    if row is None:
        raise CourierNotFound(courier_id=courier_id)
    return row
