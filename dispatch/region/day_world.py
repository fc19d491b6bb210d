"""
A day that has not begun, as the planner sees it: its orders and everybody with a shift in it; no I/O.

A courier begins where the shift does, else where it ends, for that is the depot; or, where no such place is known, at
the first pickup, or at the depot that is cheapest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid5

import numpy as np

from dispatch.aside import Aside
from dispatch.orders.courier import Courier, Shift
from dispatch.orders.depots import Depot
from dispatch.orders.order import DIMENSIONS, Order
from dispatch.planning.proposal import ProposedRoute
from dispatch.planning.snapshot import FOREVER, Break, Place, Snapshot, TravelMatrix, Worker
from dispatch.planning.wave import Coming
from dispatch.region.depot_ends import nearest, open_depots, with_nearest
from dispatch.region.matrix import Places, travel_matrix
from dispatch.region.world import Stays, World, as_declared, survey, unix_s
from dispatch.region.zones import Areas, Served
from dispatch.stop import OrderId
from dispatch.travel.times import TravelTimes
from tracking.position import CourierId, LatLon, Region

SECOND_SHIFT: Final = UUID("6f0d1f0e-4d0e-4d7b-9a53-5f2d0d1d2a3b")
"""Names a courier's further shifts of a day: to the planner each is somebody of its own."""
MANY: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class OnShift:
    """A courier in one shift of the day."""

    courier: Courier
    shift: Shift

    @property
    def name(self) -> CourierId:
        """What the planner calls it."""
        first = self.courier.shifts[0] if self.courier.shifts else self.shift
        if self.shift == first:
            return self.courier.id
        return CourierId(uuid5(SECOND_SHIFT, f"{self.courier.id} {self.shift.id}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Free:
    """Where and when somebody is done with what they have."""

    at: LatLon
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What a plan of a day is made from."""

    region: Region
    starts_at: datetime
    ends_at: datetime
    orders: tuple[Order, ...]
    couriers: tuple[Courier, ...]
    """With their shifts of that day only."""
    areas: Areas = field(default_factory=Areas)
    """Where they work."""
    depots: tuple[Depot, ...] = ()
    shifts_at_depots: bool = False
    """Shifts that name no place begin and end at the cheapest of these."""
    free: Mapping[CourierId, Free] = field(default_factory=dict)
    """Couriers who are busy before; a day that has not begun does not ask."""
    coming: Coming | None = None
    """Of one wave: when it and the next ones leave, and which of the orders are not there."""

    @property
    def known(self) -> tuple[Order, ...]:
        """The orders that are there."""
        unborn = frozenset[OrderId]() if self.coming is None else self.coming.order_ids
        return tuple(order for order in self.orders if order.id not in unborn)

    def starts(self, shift: Shift) -> tuple[Depot, ...]:
        """The depots one of which it may begin at; none: it is said where, or begins anywhere."""
        if not self.shifts_at_depots or shift.start is not None or shift.end is not None:
            return ()
        return open_depots(self.depots, max(shift.starts_at, self.starts_at))

    def ends(self, shift: Shift) -> tuple[Depot, ...]:
        """The same of its end."""
        if not self.shifts_at_depots or shift.end is not None:
            return ()
        return open_depots(self.depots, min(shift.ends_at, self.ends_at), ends=True)

    @property
    def on_shift(self) -> Mapping[CourierId, OnShift]:
        """Everybody who works that day, by what the planner calls them."""
        found = [OnShift(courier=courier, shift=shift) for courier in self.couriers for shift in courier.shifts]
        return {one.name: one for one in found}


async def snapshot_of(
    day: Day, travel: TravelTimes, *, budget_s: float, aside: Aside | None = None, stays: Stays = as_declared
) -> Snapshot:
    """The day with the travel times between its places; `aside` is told of orders that cannot be planned."""
    world = World(region=day.region, now=day.starts_at, orders=day.orders, couriers=(), depots=day.depots)
    seen = survey(world, {}, aside, stays=stays)
    places = Places()
    for at in seen.places:
        places.number(at)
    on_shift = day.on_shift
    ends = {name: places.number(end) for name, one in on_shift.items() if (end := one.shift.end) is not None}
    begun = {name: places.number(start) for name, one in on_shift.items() if (start := one.shift.start) is not None}
    starts = ends | begun
    done_at = {courier_id: places.number(free.at) for courier_id, free in day.free.items()}
    depots = {depot: places.number(depot.at) for depot in day.depots} if day.shifts_at_depots else {}
    known: Sequence[LatLon] = tuple(places.known)
    served = Served(day.areas, places.known)
    modes = sorted({one.courier.mode for one in day.on_shift.values()})
    matrix = await travel_matrix(travel, known, len(known), modes, day.starts_at, budget_s=budget_s)
    nowhere = len(known)
    members_of: dict[tuple[Place, ...], Place] = {}

    def one_of(some: Sequence[Depot]) -> Place | None:
        members = tuple(sorted({depots[depot] for depot in some}))
        return members_of.setdefault(members, nowhere + 1 + len(members_of)) if members else None

    starts |= {name: place for name, one in on_shift.items() if (place := one_of(day.starts(one.shift))) is not None}
    ends |= {name: place for name, one in on_shift.items() if (place := one_of(day.ends(one.shift))) is not None}
    matrix = _wider(matrix, 1 + len(members_of))
    return Snapshot(
        region=day.region,
        now=unix_s(day.starts_at),
        # A visit has no size, and is never on board.
        jobs=tuple(replace(job, size=_padded(job.size, 0, int(bool(job.size)))) for job in seen.jobs),
        workers=tuple(
            _back(_worker(name, one, day, starts.get(name, nowhere), ends.get(name), served), one, day, matrix, done_at)
            for name, one in day.on_shift.items()
        ),
        travel=with_nearest(matrix, {place: members for members, place in members_of.items()}),
        places=tuple(known),
    )


def depots_of(route: ProposedRoute, day: Day, snapshot: Snapshot) -> tuple[Depot | None, Depot | None]:
    """The depots at which a planned route begins and ends where that was to be chosen; None: it was not."""
    one = day.on_shift[route.courier_id]
    if not route.stops:
        return None, None
    first, last = route.stops[0].stop, route.stops[-1].stop
    return (
        nearest(snapshot, one.courier.mode, first, day.starts(one.shift)),
        nearest(snapshot, one.courier.mode, last, day.ends(one.shift), ends=True),
    )


def _worker(name: CourierId, one: OnShift, day: Day, start: Place, end: Place | None, served: Served) -> Worker:
    courier, shift = one.courier, one.shift
    return Worker(
        courier_id=name,
        mode=courier.mode,
        start=start,
        available_at=unix_s(max(shift.starts_at, day.starts_at)),
        shift_ends_at=unix_s(min(shift.ends_at, day.ends_at)),
        end=end,
        capacity=_padded(courier.capacity, FOREVER, courier.max_orders),
        skills=courier.skills,
        partner=courier.partner,
        apart=courier.apart,
        serves=served.by_area(courier),
        in_range=served.by_range(courier),
        max_orders=MANY,  # of a day; so many at once is the last dimension of the capacity
        breaks=tuple(
            Break(opens_at=unix_s(pause.opens_at), closes_at=unix_s(pause.closes_at), duration_s=pause.duration_s)
            for pause in shift.breaks
        ),
    )


def _back(worker: Worker, one: OnShift, day: Day, matrix: TravelMatrix, done_at: Mapping[CourierId, Place]) -> Worker:
    """The worker at their own pace, who begins when back from what the courier has to do before."""
    worker = matrix.at_own_pace(worker, one.courier.id)
    free = day.free.get(one.courier.id)
    if free is None:
        return worker
    way_s = int(matrix.durations_s[worker.mode][done_at[one.courier.id], worker.start])
    return replace(worker, available_at=max(worker.available_at, unix_s(free.since) + way_s))


def _padded(amounts: tuple[int, ...], unknown: int, last: int) -> tuple[int, ...]:
    """A number for every dimension, and one more: how many orders are on board."""
    return (*amounts, *[unknown] * (len(DIMENSIONS) - len(amounts)), last)


def _wider(matrix: TravelMatrix, n: int) -> TravelMatrix:
    """With so many places more, from which it is no way to anywhere."""

    def wider(values: Mapping[Any, Any]) -> dict[Any, Any]:
        return {mode: np.pad(rows, ((0, n), (0, n))) for mode, rows in values.items()}

    return replace(matrix, durations_s=wider(matrix.durations_s), distances_m=wider(matrix.distances_m))
