"""
A region as the database has it at one moment, and how the planner sees it; no I/O.

`World` keeps what a commit needs to notice that something changed meanwhile: the versions of orders and routes.
`survey` turns it into the jobs, workers and places of a `Snapshot`; only the travel times are missing then.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from heapq import nlargest
from itertools import chain, pairwise, repeat
from math import inf
from typing import Protocol

from dispatch import aside as asides
from dispatch.aside import Aside
from dispatch.orders.courier import Courier
from dispatch.orders.depots import Depot
from dispatch.orders.order import COURIER_STATES, Order, OrderKind, OrderState, Window, size_in
from dispatch.planning.snapshot import FOREVER, Break, Job, Place, Snapshot, TravelMatrix, UnixS, Visit, Worker
from dispatch.region.matrix import Places
from dispatch.region.zones import Areas, Served
from dispatch.stop import OrderId, PlannedStop, StopKind
from tracking.position import CourierId, LatLon, Mode, Region

OVERRUN_S = 300
"""A break that has lasted longer than it was meant to is believed to go on for so long."""
LEFT_BY_S = 60
"""So much before one must leave for a stop one is taken to be on the way there: plans are renewed as often."""
LEG_LOCKED_WITHIN_S = 600
"""A first stop due to begin within this time is being driven to; one later still leaves room for something before."""


class Stays(Protocol):
    """What is known of stops; the learner's `Knowledge`."""

    def stay_s(
        self, region: Region, kind: StopKind, at: LatLon, courier_id: CourierId | None, declared_s: int
    ) -> float:
        """What a stay takes, with a courier if one is known; `declared_s`: what the order declares."""
        ...

    def ready_error_s(self, region: Region, at: LatLon, ready_at: datetime) -> float:
        """Standard deviation of the time at which goods of a place are to be ready."""
        ...


class _AsDeclared:
    """Nothing was learned: stays take what orders say, goods are ready when they say."""

    def stay_s(self, _: Region, __: StopKind, ___: LatLon, ____: CourierId | None, declared_s: int) -> float:
        return declared_s

    def ready_error_s(self, _: Region, __: LatLon, ___: datetime) -> float:
        return 0.0


as_declared: Stays = _AsDeclared()


COLLECT_AHEAD_S = 3600
"""Time to make a round of several orders before the first window opens; goods lie no longer with a courier."""
MOST_EXPECTED = 50
"""Places with expected orders that a plan looks at: each is one more that travel times are asked for."""
LATE_FOR_WORK_S = 600
"""So long after the beginning of a shift its courier is waited for with what was planned ahead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyParams:
    """Who may be given something new."""

    fresh_within_s: int = 120
    """An older position is not good enough: 24 missed fixes at one every 5 s."""
    at_rest_within_s: int = 1800
    """Of a courier who stood still at the last fix, for phones send none at rest, and whose phone is still heard of."""
    radius_m: int | None = None
    """Longest distance to a pickup; None: no limit."""
    move_accepted: bool = False
    """Accepted orders that are not pinned may go to another courier, at the cost of a change."""
    collect_ahead_s: int = COLLECT_AHEAD_S
    """What is to be handed over later is collected so long, and the way, before that: not earlier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopInForce:
    """A stop of the route in force, with the times it was planned for."""

    stop: PlannedStop
    arrives_at: UnixS | None = None
    starts_at: UnixS | None = None
    leaves_at: UnixS | None = None
    late_s: int = 0
    fixed: bool = False
    """A dispatcher put it in this place by hand."""
    break_at: UnixS | None = None
    """A break is to be taken before the way there, and begins then."""
    break_s: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteInForce:
    """What a courier is to do, in the version that is being looked at; version 0: there is none."""

    version: int = 0
    stops: tuple[StopInForce, ...] = ()

    @property
    def sequence(self) -> tuple[PlannedStop, ...]:
        """The stops without their times."""
        return tuple(stop.stop for stop in self.stops)


NO_ROUTE = RouteInForce()


@dataclass(frozen=True, slots=True, kw_only=True)
class Whereabouts:
    """Where a courier was last seen, and how long ago."""

    at: LatLon
    age_s: float
    contact_age_s: float = inf
    """Since the phone was last heard of, with a position or without."""
    at_rest: bool = False
    """Stood still when last seen."""

    def is_fresh(self, params: SurveyParams) -> bool:
        """Whether the courier is believed to be still about there."""
        rests = self.at_rest and self.contact_age_s <= params.fresh_within_s
        return self.age_s <= max(params.fresh_within_s, params.at_rest_within_s if rests else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Open orders, couriers and routes in force of a region at one moment."""

    region: Region
    now: datetime
    orders: tuple[Order, ...]
    couriers: tuple[Courier, ...]
    routes: Mapping[CourierId, RouteInForce] = field(default_factory=dict)
    refusals: Mapping[OrderId, Mapping[CourierId, datetime]] = field(default_factory=dict)
    troubled: frozenset[CourierId] = frozenset()
    """Stuck or silent: they get nothing new."""
    lost: frozenset[CourierId] = frozenset()
    """Troubled for good: what they have not collected goes to others; what is on board stays."""
    read_until: datetime | None = None
    """What opens later was not read; None: everything was."""
    paused: frozenset[CourierId] = frozenset()
    """They let offers run out, one after the other: they get nothing new for a while."""
    also_asked: Mapping[CourierId, int] = field(default_factory=dict)
    """Of how many orders that others have meanwhile a courier is asked as well: room is kept for them."""
    asked: frozenset[CourierId] = frozenset()
    """Somebody asks about them: in the picture even when they are not at work and have nothing."""
    demand: Mapping[LatLon, float] = field(default_factory=dict)
    """Orders expected an hour, by where they will be collected."""
    areas: Areas = field(default_factory=Areas)
    """Where couriers work."""
    depots: tuple[Depot, ...] = ()

    @property
    def versions(self) -> dict[OrderId, int]:
        """Of the orders."""
        return {order.id: order.version for order in self.orders}


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What a snapshot needs but for the travel times, and the places these are needed between."""

    region: Region
    now: UnixS
    jobs: tuple[Job, ...]
    workers: tuple[Worker, ...]
    places: tuple[LatLon, ...]
    """Stops come first, then where couriers are: nobody travels to these."""
    n_destinations: int
    """So many leading places are travelled to."""
    collect_ahead_s: int = COLLECT_AHEAD_S
    starts_at: Mapping[CourierId, UnixS] = field(default_factory=dict)
    """By courier: when the first stop of the route in force is to begin, where the courier has accepted it."""
    demand: Mapping[Place, float] = field(default_factory=dict)
    """Orders expected an hour at the places where most are."""

    @property
    def modes(self) -> tuple[Mode, ...]:
        """The modes travel times are needed for."""
        return tuple(sorted({worker.mode for worker in self.workers}))

    @property
    def ways(self) -> tuple[tuple[Place, Place], ...]:
        """
        From each pickup to its drop-off, along the routes in force, and to where couriers bring what they have on
        board: ways that matter however long they are.
        """
        jobs = {job.order_id: job for job in self.jobs}
        found = [(job.pickup.place, job.dropoff.place) for job in self.jobs]
        for worker in self.workers:
            stops = [jobs[stop.order_id].at(stop.kind) for stop in worker.route if stop.order_id in jobs]
            found += pairwise((worker.start, *stops))
        starts = {worker.courier_id: worker.start for worker in self.workers}
        carried = [(starts[job.onboard_of], job.dropoff.place) for job in self.jobs if job.onboard_of in starts]
        return tuple(dict.fromkeys((*found, *carried)))

    @property
    def onwards(self) -> Mapping[Mode, Mapping[Place, frozenset[Place]]]:
        """
        By mode, where couriers may go next from where they are, besides `ways`: to a pickup, or where orders are
        expected. Those of another mode go nowhere in this one.
        """
        ahead = frozenset(job.pickup.place for job in self.jobs if job.onboard_of is None) | self.demand.keys()
        ahead |= {worker.end for worker in self.workers if worker.end is not None}
        nowhere: frozenset[Place] = frozenset()
        starts = {(worker.start, worker.mode) for worker in self.workers if worker.start >= self.n_destinations}
        return {
            mode: dict.fromkeys((start for start, _ in starts), nowhere)
            | dict.fromkeys((start for start, theirs in starts if theirs == mode), ahead)
            for mode in self.modes
        }

    def snapshot(self, travel: TravelMatrix) -> Snapshot:
        """The snapshot, once the travel times between the places are known."""
        jobs = tuple(_in_time(job, travel, self.collect_ahead_s) for job in self.jobs)
        by_id = {job.order_id: job for job in jobs}
        workers = tuple(self._on_the_way(travel.at_own_pace(worker), by_id, travel) for worker in self.workers)
        return Snapshot(
            region=self.region,
            now=self.now,
            jobs=jobs,
            workers=workers,
            travel=travel,
            demand=self.demand,
            places=self.places,
        )

    def _on_the_way(self, worker: Worker, jobs: Mapping[OrderId, Job], travel: TravelMatrix) -> Worker:
        """A courier who must have left by now, to be there when planned, is driving: however long the leg is."""
        starts_at = self.starts_at.get(worker.courier_id)
        if worker.n_locked or starts_at is None:
            return worker
        job, is_pickup = jobs[worker.route[0].order_id], worker.route[0].kind is StopKind.PICKUP
        if job.pinned_to is None and job.onboard_of is None:
            return worker  # it may go to somebody else: only the last minutes of a leg to it are locked
        place = job.pickup.place if is_pickup else job.dropoff.place
        leg_s = int(travel.durations_s[worker.mode][worker.start, place])
        return replace(worker, n_locked=1) if self.now + leg_s + LEFT_BY_S >= starts_at else worker


def unix_s(at: datetime) -> UnixS:
    """Whole seconds since the epoch."""
    return int(at.timestamp())


def held_orders(orders: Iterable[Order]) -> dict[CourierId, list[Order]]:
    """The orders that each courier has: offered, accepted or on board."""
    held: dict[CourierId, list[Order]] = {}
    for order in orders:
        if order.courier_id is not None and order.state in COURIER_STATES:
            held.setdefault(order.courier_id, []).append(order)
    return held


def survey(
    world: World,
    whereabouts: Mapping[CourierId, Whereabouts],
    aside: Aside | None = None,
    *,
    params: SurveyParams | None = None,
    stays: Stays = as_declared,
) -> Survey:
    """
    Jobs, workers and places of a region.

    An order without a courier, or whose courier has disappeared, is open to everybody. A courier who is not at work
    stays in the picture while holding orders, with room for nothing more. What is set aside, here or before, is left
    out: an order with whoever has it, whose route then stays as it is.
    """
    aside = Aside() if aside is None else aside
    params = SurveyParams() if params is None else params
    places = Places()
    known = {courier.id: courier for courier in world.couriers}
    reserved = planned_ahead(world)
    depots = {depot.name: depot for depot in world.depots}
    orders = [
        order
        for order in world.orders
        if asides.order(order.id) not in aside.causes and order.id not in reserved and order.open_stops
    ]
    jobs = tuple(
        aside.each(
            orders,
            lambda order: _job(
                _in_hours(order, depots, world.now, params),
                places,
                world.refusals.get(order.id, {}),
                stays,
                may_move=params.move_accepted and _may_move(order, known, world, whereabouts, params),
            ),
            lambda order: asides.order(order.id),
            doing="plan",
        )
    )
    held = held_orders(world.orders)
    out = {subject.order_id for subject in aside.causes}
    couriers = [
        courier
        for courier in world.couriers
        if asides.courier(courier.id) not in aside.causes and out.isdisjoint(o.id for o in held.get(courier.id, ()))
    ]
    ends = {
        courier.id: shift.end
        for courier in couriers
        if (shift := courier.shift_at(world.now)) is not None and shift.end is not None
    }
    end_places = {courier_id: places.number(at) for courier_id, at in ends.items()}
    most = nlargest(MOST_EXPECTED, world.demand.items(), key=lambda one: one[1])
    demand = {places.number(at): per_hour for at, per_hour in most}
    n_destinations = len(places.known)
    served = Served(world.areas, places.known.copy())
    open_orders = {order.id: order for order in orders if asides.order(order.id) not in aside.causes}
    workers = tuple(
        aside.each(
            [c for c in couriers if c.id in held or c.works_at(world.now) or c.id in world.asked],
            lambda courier: _worker(
                courier,
                world,
                orders=held.get(courier.id, []),
                open_orders=open_orders,
                seen=whereabouts.get(courier.id),
                end=end_places.get(courier.id),
                places=places,
                params=params,
                served=served,
            ),
            lambda courier: asides.courier(courier.id),
            doing="plan",
        )
    )
    return Survey(
        region=world.region,
        now=unix_s(world.now),
        jobs=jobs,
        workers=workers,
        places=tuple(places.known),
        n_destinations=n_destinations,
        collect_ahead_s=params.collect_ahead_s,
        demand=demand,
        starts_at={
            worker.courier_id: first.starts_at
            for worker in workers
            if (first := next(iter(_route_left(worker.courier_id, world, open_orders)), None)) is not None
            and first.starts_at is not None
            and _is_driven_to(first, open_orders)
        },
    )


def _in_hours(order: Order, depots: Mapping[str, Depot], now: datetime, params: SurveyParams) -> Order:
    """
    The order with what its windows have in common with the hours of its depot, the next ones it can be made use of.

    What is loaded long before it can be handed over is loaded in the last hours that are in time for that.
    """
    depot = None if order.depot is None else depots.get(order.depot)
    if depot is None or order.state is OrderState.RETURNING:
        return order
    at = max(now, order.ready_at or now)
    if order.kind is OrderKind.PICKUP:
        at = max(at, order.pickup.window.opens_at or at)
        return replace(order, dropoff=replace(order.dropoff, window=depot.window(order.dropoff.window, at)))
    if order.is_on_board:
        return order
    if (opens_at := order.dropoff.window.opens_at) is not None:
        at = max(at, opens_at - timedelta(seconds=params.collect_ahead_s))
    return replace(order, pickup=replace(order.pickup, window=depot.window(order.pickup.window, at)))


def planned_ahead(world: World) -> set[OrderId]:
    """
    Orders that nobody has and that wait for the courier of a plan made ahead, whose shift is about to begin.

    A courier who has not come to work some time after that is not waited for any longer.
    """
    waiting = {order.id for order in world.orders if order.state is OrderState.PLACED and order.courier_id is None}
    now, reserved = unix_s(world.now), set()
    for courier in world.couriers:
        begins = [unix_s(shift.starts_at) for shift in courier.shifts]
        coming = min((at for at in begins if at > now - LATE_FOR_WORK_S), default=None)
        if courier.works_at(world.now) or coming is None:
            continue
        for stop in world.routes.get(courier.id, NO_ROUTE).stops:
            if stop.arrives_at is not None and stop.arrives_at >= coming:
                reserved.add(stop.stop.order_id)
    return reserved & waiting


def _may_move(
    order: Order,
    couriers: Mapping[CourierId, Courier],
    world: World,
    whereabouts: Mapping[CourierId, Whereabouts],
    params: SurveyParams,
) -> bool:
    """
    Whether an accepted order is free to go to another courier.

    Not while nobody knows how the one who has it is getting on: that is not the order's trouble, but the courier's.
    """
    holder = None if order.courier_id is None else couriers.get(order.courier_id)
    if order.state is not OrderState.ACCEPTED or order.pinned or holder is None:
        return False
    seen = whereabouts.get(holder.id)
    is_well = holder.works_at(world.now) and holder.rest is None and holder.id not in world.troubled
    return is_well and seen is not None and seen.is_fresh(params)


def _job(
    order: Order, places: Places, refused: Mapping[CourierId, datetime], stays: Stays, *, may_move: bool = False
) -> Job:
    def stay_s(kind: StopKind) -> int:
        stop = order.stop(kind)
        return round(stays.stay_s(order.region, kind, stop.at, order.courier_id, stop.service_s))

    # What nobody named a time for is ready from the start.
    ready_at = unix_s(order.ready_at or order.placed_at)
    only = None if order.is_on_board else order.only
    if only is None:
        pickup = _visit(order.pickup.window, places.number(order.pickup.at), stay_s(StopKind.PICKUP), ready_at)
        end = order.stop(StopKind.DROPOFF)
        dropoff = _visit(end.window, places.number(end.at), stay_s(StopKind.DROPOFF), 0)
    else:
        end = order.stop(only)
        dropoff = _visit(end.window, places.number(end.at), stay_s(only), ready_at)
        closes_at = dropoff.closes_at if only is StopKind.PICKUP else FOREVER
        pickup = Visit(place=dropoff.place, opens_at=dropoff.opens_at, closes_at=closes_at)
    if order.state is OrderState.PICKED_UP and order.max_on_board_s is not None and order.picked_up_at is not None:
        off_by = unix_s(order.picked_up_at) + order.max_on_board_s
        dropoff = replace(dropoff, closes_at=min(dropoff.closes_at, off_by))
    return Job(
        order_id=order.id,
        pickup=pickup,
        dropoff=dropoff,
        placed_at=unix_s(order.placed_at),
        ready_at=ready_at,
        ready_error_s=_ready_error_s(order, stays) if only is None else 0,
        size=() if order.kind is OrderKind.SERVICE else size_in(order.size),
        modes=order.modes,
        skills=order.skills,
        partner=order.partner,
        priority=order.priority,
        only=only,
        group=order.group_id,
        is_awaited=only is not None or order.kind is not OrderKind.PICKUP,
        max_on_board_s=order.max_on_board_s,
        onboard_of=order.courier_id if order.is_on_board else None,
        # While an offer is open its courier is being asked: nobody else is planned for the order.
        pinned_to=order.courier_id if order.state in COURIER_STATES and not may_move else None,
        refused_by=frozenset(refused),
    )


def _ready_error_s(order: Order, stays: Stays) -> int:
    """Of the time at which the pickup opens, where that is when the goods are to be ready: said, or else learned."""
    opens_at = order.pickup.window.opens_at
    if order.ready_at is None or (opens_at is not None and opens_at > order.ready_at):
        return 0
    if order.ready_error_s is not None:
        return order.ready_error_s
    return round(stays.ready_error_s(order.region, order.pickup.at, order.ready_at))


def _in_time(job: Job, travel: TravelMatrix, ahead_s: int) -> Job:
    """
    The job, collected so that it is at the drop-off when that opens, and not long before.

    Nobody waits for what cannot be there yet: delivery time counts from when it could be handed over. Whoever has been
    given it may collect it: that was decided when it was time.
    """
    opens_at = job.dropoff.opens_at
    job = replace(job, ready_at=max(job.ready_at, job.pickup.opens_at, opens_at))
    if job.max_on_board_s is not None and job.onboard_of is None:
        from_at = min(opens_at - job.max_on_board_s - job.pickup.service_s, job.pickup.closes_at)
        job = replace(job, pickup=replace(job.pickup, opens_at=max(job.pickup.opens_at, from_at)))
    if job.pinned_to is not None or not travel.durations_s:
        return job
    leg = (job.pickup.place, job.dropoff.place)
    modes = [mode for mode in travel.durations_s if job.modes is None or mode in job.modes]
    way_s = max((travel.durations_s[mode].item(*leg) for mode in modes), default=0)
    from_at = min(opens_at - way_s - job.pickup.service_s - ahead_s, job.pickup.closes_at)
    return replace(job, pickup=replace(job.pickup, opens_at=max(job.pickup.opens_at, from_at)))


def _visit(window: Window, place: Place, service_s: int, ready_at: UnixS) -> Visit:
    return Visit(
        place=place,
        opens_at=max(ready_at, 0 if window.opens_at is None else unix_s(window.opens_at)),
        due_at=FOREVER if window.due_at is None else unix_s(window.due_at),
        closes_at=FOREVER if window.closes_at is None else unix_s(window.closes_at),
        service_s=service_s,
    )


def _worker(
    courier: Courier,
    world: World,
    *,
    orders: Sequence[Order],
    open_orders: Mapping[OrderId, Order],
    seen: Whereabouts | None,
    end: Place | None,
    places: Places,
    params: SurveyParams,
    served: Served,
) -> Worker:
    now = unix_s(world.now)
    shift = courier.shift_at(world.now)
    takes_more = courier.works_at(world.now) and courier.id not in world.troubled | world.paused
    route = _route_left(courier.id, world, open_orders)
    at = seen.at if seen is not None else _believed_at(route, open_orders)
    from_here_m = courier.range_m if courier.home is None else None
    # What is on board and has no place to be brought to takes its room all the same.
    kept = [size_in(order.size) for order in orders if not order.open_stops]
    load = [sum(amounts) for amounts in zip(*kept, strict=True)]
    n_held, room = len(orders) - len(kept), max(courier.max_orders - len(kept), 0)
    return Worker(
        courier_id=courier.id,
        mode=courier.mode,
        # Without any idea where the courier is, any place does: without a fresh position nothing is planned from it.
        start=0 if at is None else places.number(at),
        available_at=_available_at(courier, now),
        shift_ends_at=FOREVER if shift is None else unix_s(shift.ends_at),
        end=end,
        capacity=tuple(
            max(limit - used, 0) for limit, used in zip(courier.capacity, chain(load, repeat(0)), strict=False)
        ),
        skills=courier.skills,
        partner=courier.partner,
        apart=courier.apart,
        max_orders=max(n_held, room - world.also_asked.get(courier.id, 0)) if takes_more else n_held,
        takes_more=courier.works_at(world.now),
        in_trouble=courier.id in world.troubled,
        is_paused=courier.id in world.paused,
        range_m=min((r for r in (params.radius_m, from_here_m) if r is not None), default=None),
        serves=served.by_area(courier),
        in_range=served.by_range(courier),
        breaks=_breaks(courier, world.now),
        has_fresh_position=seen is not None and seen.is_fresh(params),
        route=tuple(stop.stop for stop in route),
        n_locked=_n_locked(route, open_orders, now),
        shown=frozenset(order.id for order in orders),
    )


def _route_left(courier_id: CourierId, world: World, open_orders: Mapping[OrderId, Order]) -> tuple[StopInForce, ...]:
    """The stops of the route in force whose orders are still open and not somebody else's."""
    return tuple(
        stop
        for stop in world.routes.get(courier_id, NO_ROUTE).stops
        if (order := open_orders.get(stop.stop.order_id)) is not None and order.awaits(stop.stop.kind, courier_id)
    )


def _believed_at(route: Iterable[StopInForce], open_orders: Mapping[OrderId, Order]) -> LatLon | None:
    first = next(iter(route), None)
    if first is None:
        return None
    return open_orders[first.stop.order_id].stop(first.stop.kind).at


def _n_locked(route: Sequence[StopInForce], open_orders: Mapping[OrderId, Order], now: UnixS) -> int:
    """What a dispatcher put in place by hand, and the leg being driven, stay where they are."""
    n_fixed = next((index for index, stop in enumerate(route) if not stop.fixed), len(route))
    if n_fixed or not route:
        return n_fixed
    first = route[0]
    soon = first.starts_at is None or first.starts_at - now <= LEG_LOCKED_WITHIN_S
    return 1 if soon and _is_driven_to(first, open_orders) else 0


def _is_driven_to(stop: StopInForce, open_orders: Mapping[OrderId, Order]) -> bool:
    """Whether a courier goes there next, unless there is time left: the order was accepted."""
    return open_orders[stop.stop.order_id].state in COURIER_STATES - {OrderState.ASSIGNED}


def _available_at(courier: Courier, now: UnixS) -> UnixS:
    if courier.rest is None:
        return now
    until = unix_s(courier.rest.until)
    return until if until > now else now + OVERRUN_S


def _breaks(courier: Courier, now: datetime) -> tuple[Break, ...]:
    return tuple(
        Break(opens_at=unix_s(pause.opens_at), closes_at=unix_s(pause.closes_at), duration_s=pause.duration_s)
        for pause in courier.breaks_ahead(now)
    )
