"""
Breaks that begin and end: told by the courier, or for the courier by the office; functions on a `Desk`.

Which of the planned ones a break was is found by its time (`dispatch.orders.courier.untaken`), and that one is not
planned again. While it lasts nobody asks the courier for anything; what was accepted waits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dispatch.errors import NoBreak, NotAtWork
from dispatch.orders import handover
from dispatch.orders.courier import Rest, ShiftBreak, planned_as, untaken
from dispatch.orders.desk import Desk
from dispatch.orders.happened import MAX_AGE, Happened, happened
from dispatch.orders.rows import rest_from_row, shift_from_row
from sql import queries
from tracking.errors import CourierNotFound
from tracking.position import CourierId

UNPLANNED_S = 900
"""How long a break is believed to last that was not planned, where nobody says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A break that began or ended."""

    rest: Rest
    planned: ShiftBreak | None = None
    """What of the shift it is."""
    when: Happened | None = None
    """What the phone said of the time; None: nothing, or it was told before."""


async def start(
    desk: Desk, courier_id: CourierId, *, said_at: datetime | None = None, duration_s: int | None = None
) -> Told:
    """
    A break begins; offers that wait for the courier's answer go to others. Told twice it is the same.

    Without `duration_s` it is meant to last as planned. Raises `CourierNotFound`, and `NotAtWork` off duty.
    """
    courier = await _on_duty(desk, courier_id)
    before = await _last(desk, courier_id)
    if before is not None and before.ended_at is None:
        return Told(rest=before)
    earliest = desk.now - MAX_AGE if before is None else before.until
    when = happened(said_at, now=desk.now, after=earliest)
    began_at = desk.now if when is None else when.at
    planned = await _planned(desk, courier_id, began_at)
    if duration_s is None:
        duration_s = UNPLANNED_S if planned is None else planned.duration_s
    await handover.withdraw_unanswered(desk, courier_id, reason="on a break")
    await desk.connection.execute(queries["routes.forget_breaks"], courier_id)
    row = await desk.connection.fetchrow(queries["breaks.start"], courier_id, duration_s, began_at)
    if row is None:  # told twice at the same time
        row = await desk.connection.fetchrow(queries["breaks.last"], courier_id)
    if row is None:
        raise CourierNotFound(courier_id=str(courier_id))
    desk.tell_break(courier["region"], courier_id, "started", row)
    return Told(rest=rest_from_row(row), planned=planned, when=when)


async def end(desk: Desk, courier_id: CourierId, *, said_at: datetime | None = None) -> Told:
    """The break ends. Told twice it is the same; raises `CourierNotFound`, and `NoBreak` when there was none."""
    region = await desk.connection.fetchval(queries["planning.courier_region"], courier_id)
    if region is None:
        raise CourierNotFound(courier_id=str(courier_id))
    before = await _last(desk, courier_id)
    if before is None:
        raise NoBreak(courier_id=str(courier_id))
    if before.ended_at is not None:
        return Told(rest=before)
    when = happened(said_at, now=desk.now, after=before.began_at)
    ended_at = desk.now if when is None else when.at
    row = await desk.connection.fetchrow(queries["breaks.end"], courier_id, ended_at)
    if row is None:  # told twice at the same time
        row = await desk.connection.fetchrow(queries["breaks.last"], courier_id)
    desk.tell_break(region, courier_id, "ended", row)
    return Told(rest=rest_from_row(row), when=when)


async def end_all(desk: Desk, courier_ids: Sequence[CourierId]) -> None:
    """Nobody rests who is not at work."""
    for row in await desk.connection.fetch(queries["breaks.end_many"], list(courier_ids), desk.now):
        desk.tell_break(row["region"], row["courier_id"], "ended", row)


async def list_breaks(
    connection: Any, courier_id: CourierId, *, ending_after: datetime | None, starting_before: datetime | None
) -> list[Rest]:
    """A courier's breaks, the earliest first. `connection` may be a pool."""
    rows = await connection.fetch(queries["breaks.list"], courier_id, ending_after, starting_before)
    return [rest_from_row(row) for row in rows]


async def _planned(desk: Desk, courier_id: CourierId, began_at: datetime) -> ShiftBreak | None:
    """The planned break that one is which begins then."""
    rows = await desk.connection.fetch(queries["shifts.of_courier"], courier_id, began_at, began_at)
    for shift in map(shift_from_row, rows):
        taken = await list_breaks(desk.connection, courier_id, ending_after=shift.starts_at, starting_before=None)
        return planned_as(untaken(shift, taken), began_at)
    return None


async def _last(desk: Desk, courier_id: CourierId) -> Rest | None:
    """The break that is going on, or else the last one."""
    row = await desk.connection.fetchrow(queries["breaks.last"], courier_id)
    return None if row is None else rest_from_row(row)


async def _on_duty(desk: Desk, courier_id: CourierId) -> Any:
    row = await desk.connection.fetchrow(queries["planning.duty"], courier_id)
    if row is None:
        raise CourierNotFound(courier_id=str(courier_id))
    if not row["on_duty"]:
        raise NotAtWork(courier_id=str(courier_id))
    return row
