"""
A day planned ahead: from a snapshot of a day that has not begun to routes, and reasons for what is left out; no I/O.

    1. search    as many orders as fit hard windows, shifts, loads, ends; then the shortest way    (search/day_ahead.py)
    2. mend      by the exact schedule, which knows breaks and stays; what does not fit goes elsewhere, perhaps late
    3. polish    by the exact ruin and recreate, for the rest of the time                          (search/ruin.py)
    4. report    times, cost by term, and why the rest has nobody

Workers begin at `available_at`, the beginning of their shift.
"""

from array import array
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dispatch.planning import cost
from dispatch.planning.draft import Draft
from dispatch.planning.groups import gather
from dispatch.planning.insertion import cheapest
from dispatch.planning.params import Params, ShouldEnd, never
from dispatch.planning.problem import Problem, StopNo, Stops, at_gait, lay_out
from dispatch.planning.proposal import Plan, ReasonCode, Unassigned
from dispatch.planning.reasons import exclusions
from dispatch.planning.report import report
from dispatch.planning.search.day_ahead import Cooling, Fleet, Tour
from dispatch.planning.search.day_task import Kind, Task
from dispatch.planning.search.ruin import RuinRecreate
from dispatch.planning.snapshot import Place, Snapshot
from tracking.position import CourierId

SEARCH_SHARE: Final = 0.8
"""Part of the time for the search that does not know breaks; the rest is for the exact one."""
FAR_AHEAD_S: Final = 40 * 86_400
LEFT_OUT: Final = 10_000_000
"""Price of an order without a courier: above whatever a day's way and lateness cost."""
AFTER_SHIFT: Final = 1_000_000_000
"""Of a second after the end of a shift: above any number of orders, for a day ahead nobody is asked for overtime."""

Tell = Callable[["DayProgress"], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class DayProgress:
    """How far a plan is."""

    share: float
    """Of the time, up to 1."""
    n_orders: int
    n_unassigned: int
    travel_s: int


def plan_day(
    snapshot: Snapshot,
    params: Params,
    cooling: Cooling,
    *,
    seconds: float,
    steps: int | None = None,
    should_end: ShouldEnd = never,
    tell: Tell | None = None,
) -> Plan:
    """
    Routes for all workers of a day, and reasons for the orders that have none.

    With `steps` instead of seconds the same plan on every run. `should_end` ends the search, never the answer.
    """
    params = day_params(params)
    problem = lay_out(snapshot, params)
    table = exclusions(problem)
    allowed = table == 0
    draft = Draft(problem, [()] * len(problem.workers))
    before = list(draft.routes)
    if problem.jobs and problem.workers:
        task, workers_of = task_of(problem, allowed)
        fleet = Fleet(task, cooling=cooling, seed=params.seed)

        def heard(share: float, tour: Tour) -> None:
            if tell is not None:
                travel_s = fleet.length(tour.routes)
                n_orders, n_left = task.n_orders, len(tour.left)
                tell(DayProgress(share=SEARCH_SHARE * share, n_orders=n_orders, n_unassigned=n_left, travel_s=travel_s))

        tour = fleet.solve(seconds=SEARCH_SHARE * seconds, steps=steps, should_end=should_end, tell=heard)
        put(draft, tour, workers_of)
        gather(draft, allowed, should_end)
        place_rest(draft, allowed)
        movable = [job_no for job_no in range(len(problem.jobs)) if job_no not in problem.group_of]
        exact = RuinRecreate(draft, allowed, movable, Random(params.seed))  # noqa: S311 - reproducible on purpose
        exact.run(
            should_end,
            seconds=(1 - SEARCH_SHARE) * seconds,
            iterations=None if steps is None else round((1 - SEARCH_SHARE) * steps),
        )
        draft = exact.best
    plan = report(draft, table, before, "day", never)
    return replace(plan, unassigned=tuple(map(by_shift, plan.unassigned)))


def day_params(params: Params) -> Params:
    """The settings for a day: all of it is looked at, everything is worth serving, and nobody works overtime."""
    weights = replace(params.weights, unassigned=LEFT_OUT, overtime=AFTER_SHIFT)
    return replace(params, weights=weights, horizon_s=FAR_AHEAD_S, search_s=0.0, search_iterations=None)


def by_shift(left: Unassigned) -> Unassigned:
    """Whatever an order costs it is worth it, unless somebody would come home late: that is the reason then."""
    reasons: Counter[ReasonCode] = Counter()
    for code, n in left.reasons.items():
        reasons[ReasonCode.SHIFT_END if code is ReasonCode.NOT_WORTH_IT else code] += n
    example: dict[ReasonCode, CourierId] = {
        ReasonCode.SHIFT_END if code is ReasonCode.NOT_WORTH_IT else code: courier_id
        for code, courier_id in left.example.items()
    }
    return replace(left, reasons=dict(reasons.most_common()), example=example)


def task_of(problem: Problem, allowed: npt.NDArray[np.bool_]) -> tuple[Task, list[list[int]]]:
    """The task of a problem, and by kind of vehicle the numbers of its workers. `due_at` is taken for a hard bound."""
    jobs, workers = problem.jobs, problem.workers
    alike: dict[Hashable, list[int]] = {}
    for number, worker in enumerate(workers):
        may = allowed[:, number]
        key = (
            problem.gaits[number], worker.start, worker.end, worker.available_at, worker.shift_ends_at, worker.capacity,
            may.tobytes(),
        )  # fmt: skip
        alike.setdefault(key, []).append(number)
    places = list(problem.place)
    number_of: dict[Place | None, StopNo] = {}
    for worker in workers:
        for place in (worker.start, worker.end):
            if place not in number_of:
                number_of[place] = len(places)
                places.append(0 if place is None else place)
    nowhere = number_of.get(None)
    distances: Mapping[Any, list[Any]] = {
        gait: _rows(at_gait(problem.travel_s[gait[0]], gait), places, nowhere) for gait in sorted(set(problem.gaits))
    }
    kinds = []
    for numbers in alike.values():
        worker = workers[numbers[0]]
        (can,) = np.nonzero(allowed[:, numbers[0]])
        kinds.append(
            Kind(
                count=len(numbers),
                distance=distances[problem.gaits[numbers[0]]],
                start=number_of[worker.start],
                end=number_of[worker.end],
                opens=worker.available_at,
                closes=worker.shift_ends_at,
                capacity=worker.capacity,
                may=None if len(can) == len(jobs) else frozenset(can.tolist()),
            )
        )
    closes = [min(due, closes) for due, closes in zip(problem.due_at, problem.closes_at, strict=True)]
    task = Task(
        opens=problem.opens_at,
        closes=[max(close, opens) for close, opens in zip(closes, problem.opens_at, strict=True)],
        service=problem.service_s,
        size=[job.size for job in jobs],
        kinds=kinds,
        weight=[1 + max(job.priority, 0) for job in jobs],
        loaded=problem.lone,
        kept=problem.kept,
    )
    return task, list(alike.values())


def _rows(matrix: npt.NDArray[np.int32], places: Sequence[Place], nowhere: StopNo | None) -> list[Any]:
    """Travel times between numbers; to where a worker may end anywhere none."""
    chosen = matrix[np.ix_(places, places)].astype(np.int32)
    if nowhere is not None:
        chosen[:, nowhere] = 0
    return [array("i", row.tobytes()) for row in chosen]


def put(draft: Draft, tour: Tour, workers_of: Sequence[Sequence[int]]) -> None:
    """The routes of a tour, less what the exact schedule cannot keep."""
    free = [list(numbers) for numbers in workers_of]
    for kind_no, route in tour.routes:
        worker_no, stops = free[kind_no].pop(0), tuple(route)
        draft.put(worker_no, stops)
        while draft.excess[worker_no] > 0 and stops:
            stops = _without_worst(draft, worker_no, stops)
            draft.put(worker_no, stops)


def _without_worst(draft: Draft, worker_no: int, stops: Stops) -> Stops:
    """The route without the order whose absence helps most; of those that help as much, the last one."""
    orders = list(dict.fromkeys(stop >> 1 for stop in stops))
    shorter = [tuple(stop for stop in stops if stop >> 1 != order) for order in reversed(orders)]

    def excess(route: Stops) -> int:
        draft.put(worker_no, route)
        return draft.excess[worker_no]

    return min(shorter, key=excess)


def place_rest(draft: Draft, allowed: npt.NDArray[np.bool_]) -> None:
    """What nobody has goes where it costs least, if that is less than leaving it; the most urgent first."""
    problem = draft.problem
    rest = sorted(
        set(draft.unassigned()) - problem.group_of.keys(),
        key=lambda job_no: (-problem.jobs[job_no].priority, problem.due_at[2 * job_no + 1], job_no),
    )
    for job_no in rest:
        found = cheapest(draft, job_no, allowed[job_no], cost.unassigned(problem, job_no))
        if found is not None:
            draft.put(found.worker_no, found.stops)
