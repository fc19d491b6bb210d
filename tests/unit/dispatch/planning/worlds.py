"""Small worlds for the planner's tests: named ones, and a Hypothesis strategy for random ones."""

from dataclasses import replace
from uuid import UUID

import numpy as np
from hypothesis import strategies as st

from dispatch.planning.snapshot import FOREVER, Break, Job, Snapshot, TravelMatrix, Visit, Worker
from dispatch.rhythm import Habits, Rhythm
from dispatch.stop import OrderId, PlannedStop, StopKind
from tracking.position import CourierId, Mode, Region

NOW = 1_000_000


def order_id(n: int) -> OrderId:
    return OrderId(UUID(int=n + 1))


def courier_id(n: int) -> CourierId:
    return CourierId(UUID(int=n + 1001))


def travel(points, speed_mps=5.0, modes=tuple(Mode)) -> TravelMatrix:
    """Straight lines between points in metres; bicycles at half, people on foot at a quarter of the speed."""
    at = np.array(points, dtype=float).reshape(-1, 2)
    metres = np.hypot(at[:, None, 0] - at[None, :, 0], at[:, None, 1] - at[None, :, 1])
    for via in range(len(at)):  # whole seconds, rounded up, break the triangle inequality; shortest paths do not
        metres = np.minimum(metres, metres[:, via, None] + metres[via])
    factor = {Mode.CAR: 1, Mode.MOTORCYCLE: 1, Mode.BICYCLE: 2, Mode.FOOT: 4}
    return TravelMatrix(
        durations_s={mode: np.ceil(metres / speed_mps * factor[mode]).astype(np.int32) for mode in modes},
        distances_m={mode: np.ceil(metres).astype(np.int32) for mode in modes},
    )


def job(n: int, pickup: int, dropoff: int, *, ready_at: int = NOW, due_at: int = NOW + 2400, **fields) -> Job:
    """An order placed five minutes before it is ready, with two minutes of service at both ends."""
    return Job(
        order_id=order_id(n),
        pickup=Visit(place=pickup, opens_at=ready_at, service_s=120),
        dropoff=Visit(place=dropoff, due_at=due_at, service_s=120),
        placed_at=ready_at - 300,
        ready_at=ready_at,
        **fields,
    )


def worker(n: int, start: int, **fields) -> Worker:
    fields.setdefault("mode", Mode.CAR)
    return Worker(courier_id=courier_id(n), start=start, available_at=NOW, **fields)


def world(points, jobs, workers, now: int = NOW) -> Snapshot:
    return Snapshot(region=Region("test"), now=now, jobs=tuple(jobs), workers=tuple(workers), travel=travel(points))


def pickup(n: int) -> PlannedStop:
    return PlannedStop(order_id(n), StopKind.PICKUP)


def dropoff(n: int) -> PlannedStop:
    return PlannedStop(order_id(n), StopKind.DROPOFF)


def with_plan(snapshot: Snapshot, plan) -> Snapshot:
    """The same world with a plan in force."""
    stops = {route.courier_id: tuple(row.stop for row in route.stops) for route in plan.routes}
    workers = tuple(replace(worker, route=stops[worker.courier_id]) for worker in snapshot.workers)
    return replace(snapshot, workers=workers)


@st.composite
def worlds(draw, max_jobs: int = 7, max_workers: int = 4) -> Snapshot:
    """Random worlds: modes, skills, capacities, ranges, windows, shifts, breaks, refusals, pins and goods on board."""
    n_jobs, n_workers = draw(st.integers(0, max_jobs)), draw(st.integers(0, max_workers))
    n_places = draw(st.integers(2, 8))
    coordinate = st.integers(0, 5000)
    points = draw(st.lists(st.tuples(coordinate, coordinate), min_size=n_places, max_size=n_places))
    place = st.integers(0, n_places - 1)
    workers = [draw(_workers(n, place)) for n in range(n_workers)]
    ids = [worker.courier_id for worker in workers]
    jobs = [draw(_jobs(n, place, ids)) for n in range(n_jobs)]
    snapshot = _with_routes(draw, world(points, jobs, workers))
    return replace(snapshot, travel=replace(snapshot.travel, habits=draw(_habits)))


_slowness = st.lists(st.sampled_from([1.0, 1.0, 0.7, 1.4]), min_size=1, max_size=4).map(tuple)
_rhythms = st.one_of(st.none(), st.builds(Rhythm, begins_at=st.just(NOW), slowness=_slowness))
_habits = st.dictionaries(st.sampled_from(list(Mode)), st.builds(Habits, rhythm=_rhythms), max_size=2)


@st.composite
def _workers(draw, n, place):
    breaks = ()
    if draw(st.integers(0, 3)) == 0:
        opens_at = NOW + draw(st.integers(0, 3000))
        breaks = (Break(opens_at=opens_at, closes_at=opens_at + 1200, duration_s=600),)
    return Worker(
        courier_id=courier_id(n),
        mode=draw(st.sampled_from(list(Mode))),
        start=draw(place),
        available_at=NOW + draw(st.sampled_from([0, 0, 300, 1500])),
        shift_ends_at=draw(st.sampled_from([FOREVER, NOW + 1200, NOW + 4000])),
        end=draw(st.one_of(st.none(), place)),
        capacity=draw(st.sampled_from([(), (2,), (3, 10)])),
        skills=draw(st.sampled_from([frozenset(), frozenset({"cold"})])),
        partner=draw(st.sampled_from([None, "acme"])),
        apart=draw(st.integers(0, 3)) == 0,
        max_orders=draw(st.sampled_from([1, 2, 8])),
        range_m=draw(st.sampled_from([None, None, 2500])),
        breaks=breaks,
        pace=draw(st.sampled_from([1.0, 1.0, 1.0, 0.8, 1.3])),
        has_fresh_position=draw(st.integers(0, 5)) > 0,
    )


@st.composite
def _jobs(draw, n, place, courier_ids):
    ready_at = NOW + draw(st.integers(-1200, 2400))
    some = st.sampled_from(courier_ids) if courier_ids else st.none()
    held = draw(st.sampled_from(["free"] * 6 + ["onboard", "pinned"]))
    only = None if held == "onboard" else draw(st.sampled_from([None, None, None, *StopKind]))
    if only is not None:
        return draw(_single_jobs(n, place, ready_at, only, draw(some) if held == "pinned" else None))
    return Job(
        order_id=order_id(n),
        pickup=Visit(
            place=draw(place),
            opens_at=ready_at,
            closes_at=draw(st.sampled_from([FOREVER, ready_at + 1500])),
            service_s=draw(st.sampled_from([0, 120])),
        ),
        dropoff=Visit(
            place=draw(place),
            due_at=ready_at + draw(st.integers(300, 2400)),
            closes_at=draw(st.sampled_from([FOREVER, ready_at + 3600])),
            service_s=draw(st.sampled_from([0, 180])),
        ),
        placed_at=ready_at - 600,
        ready_at=ready_at,
        ready_error_s=draw(st.sampled_from([0, 0, 0, 300])),
        size=draw(st.sampled_from([(), (1,), (2, 4), (5,)])),
        modes=draw(st.sampled_from([None, None, frozenset({Mode.CAR, Mode.BICYCLE})])),
        skills=draw(st.sampled_from([frozenset(), frozenset(), frozenset({"cold"})])),
        partner=draw(st.sampled_from([None, "acme"])),
        priority=draw(st.integers(0, 2)),
        onboard_of=draw(some) if held == "onboard" else None,
        pinned_to=draw(some) if held == "pinned" else None,
        max_on_board_s=draw(st.sampled_from([None, None, None, 300, 900])),
        group=draw(st.sampled_from([None, None, None, "a"])),
        refused_by=frozenset(draw(st.lists(st.sampled_from(courier_ids), max_size=2))) if courier_ids else frozenset(),
    )


@st.composite
def _single_jobs(draw, n, place, ready_at, only, pinned_to):
    """A drop-off of what is on board from the beginning, a visit (of no size), or a pickup of what stays on board."""
    visit = Visit(
        place=draw(place),
        opens_at=ready_at,
        due_at=ready_at + draw(st.integers(300, 2400)),
        closes_at=draw(st.sampled_from([FOREVER, ready_at + 3600])),
        service_s=draw(st.sampled_from([0, 900])),
    )
    return Job(
        order_id=order_id(n),
        only=only,
        pickup=Visit(place=visit.place, opens_at=ready_at),
        dropoff=visit,
        placed_at=ready_at - 600,
        ready_at=ready_at,
        size=draw(st.sampled_from([(), (1,), (2, 4)])),
        priority=draw(st.integers(0, 2)),
        pinned_to=pinned_to,
    )


def _with_routes(draw, snapshot: Snapshot) -> Snapshot:
    """Give some workers a plan in force: what they have on board, and some free orders, the first leg maybe locked."""
    routes = {worker.courier_id: [] for worker in snapshot.workers}
    for job_ in snapshot.jobs:
        if job_.onboard_of is not None:
            routes[job_.onboard_of].append(PlannedStop(job_.order_id, StopKind.DROPOFF))
    for job_ in snapshot.jobs:
        holder = job_.pinned_to or draw(st.one_of(st.none(), st.sampled_from(list(routes)))) if routes else None
        if job_.onboard_of is None and holder is not None:
            routes[holder] += [PlannedStop(job_.order_id, kind) for kind in StopKind if job_.only in {None, kind}]
    workers = tuple(
        replace(
            worker_,
            route=tuple(routes[worker_.courier_id]),
            n_locked=draw(st.integers(0, min(1, len(routes[worker_.courier_id])))),
            shown=frozenset(stop.order_id for stop in routes[worker_.courier_id][:2]),
        )
        for worker_ in snapshot.workers
    )
    return replace(snapshot, workers=workers)
