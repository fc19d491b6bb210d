"""When places make what: thought about beside the loop, one place at a time, and remembered for some seconds."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any, Final, NamedTuple
from uuid import UUID

from litestar.di import NamedDependency

from dispatch.arrivals.answers import Arrivals
from dispatch.places.kitchen import Cause, Job
from dispatch.places.larder import Habits, habits_of
from dispatch.places.place import Place, Task, TaskState
from dispatch.places.slots import Timetable, timetable
from dispatch.stop import OrderId, StopKind
from tracking.memo import Memo
from tracking.position import CourierId

REMEMBERED_S: Final = 20.0
"""Pages ask every some seconds, and a place may have several; each word of the place makes it another question."""
HABITS_S: Final = 60.0
"""What was ordered weeks ago is asked for once a minute, however often a page looks."""
PLACES: Final = 1_000
"""Whose slots one process remembers; the least recently used goes first."""


class Planned(NamedTuple):
    """When what is made, and why the rest is not."""

    slots: Mapping[OrderId, tuple[datetime, datetime]]
    left_out: Mapping[OrderId, Cause]
    at: datetime
    """The slots of `table` are in seconds from then."""
    jobs: Sequence[Job]
    table: Timetable


class Slotting:
    """Slots of places. One per process."""

    def __init__(self) -> None:
        self._known: Memo[UUID, tuple[object, Planned]] = Memo(PLACES)
        self._habits: Memo[UUID, tuple[object, Habits]] = Memo(PLACES)
        self._turn = asyncio.Semaphore(1)

    async def of(
        self, place: Place, tasks: Sequence[Task], couriers: Mapping[OrderId, datetime], now: datetime
    ) -> Planned:
        """The slots of what is not ready; `couriers`: when somebody comes for which order, where that is known."""
        # To the minute: a courier who comes some seconds later is no other question.
        question = (place, tuple(tasks), {one: int(at.timestamp()) // 60 for one, at in couriers.items()})
        known = self._known.get(place.id)
        if known is not None and known[0] is not None and known[1] > monotonic() and known[0][0] == question:
            return known[0][1]
        planned = await self._plan(place, tasks, couriers, now)
        self._known.put(place.id, (question, planned), monotonic() + REMEMBERED_S)
        return planned

    async def habits(self, connection: Any, place: Place, now: datetime) -> Habits:
        """What was ordered there in the weeks before. `connection` may be a pool."""
        question = (place.timezone, place.ahead)
        known = self._habits.get(place.id)
        if known is not None and known[0] is not None and known[1] > monotonic() and known[0][0] == question:
            return known[0][1]
        habits = await habits_of(connection, place, now)
        self._habits.put(place.id, (question, habits), monotonic() + HABITS_S)
        return habits

    async def _plan(
        self, place: Place, tasks: Sequence[Task], couriers: Mapping[OrderId, datetime], now: datetime
    ) -> Planned:
        made = [task for task in tasks if task.state is not TaskState.READY and task.problem is None]
        jobs = [task.job(now, courier_at=couriers.get(task.order_id)) for task in made]
        async with self._turn:
            # The solver lets go of the interpreter while it thinks, and ends by itself.
            table = await asyncio.to_thread(timetable, jobs, place.kitchen(now))
        ids = {str(task.order_id): task.order_id for task in made}
        return Planned(
            slots={
                ids[key]: (now + timedelta(seconds=slot.starts_s), now + timedelta(seconds=slot.ends_s))
                for key, slot in table.slots.items()
            },
            left_out={ids[key]: cause for key, cause in table.left_out.items()}
            | {task.order_id: Cause.PROBLEM for task in tasks if task.problem is not None},
            at=now,
            jobs=jobs,
            table=table,
        )


async def couriers_to(place: Place, tasks: Sequence[Task], arrivals: Arrivals) -> dict[OrderId, datetime]:
    """When somebody comes for which order, of those that somebody has."""
    theirs = {CourierId(task.courier_id) for task in tasks if task.courier_id is not None}
    told = await arrivals.of_couriers(place.region, sorted(theirs))
    found = {}
    for task in tasks:
        mine = None if task.courier_id is None else told.get(CourierId(task.courier_id))
        eta = None if mine is None else mine.find(task.order_id, StopKind.PICKUP)
        if eta is not None:
            found[task.order_id] = datetime.fromtimestamp(eta.p50, UTC)
    return found


Slots = NamedDependency[Slotting]
"""Parameter `slotting`."""
