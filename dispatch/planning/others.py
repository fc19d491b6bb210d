"""Who else could do what a plan offers somebody, for regions that ask several couriers at once; no I/O."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from dispatch.planning.draft import Draft
from dispatch.planning.insertion import best_in_route, earliest_pickups
from dispatch.planning.params import Params, ShouldEnd, never
from dispatch.planning.problem import Problem, lay_out
from dispatch.planning.proposal import Plan
from dispatch.planning.reasons import Exclusions, exclusions, refusers
from dispatch.planning.snapshot import Snapshot
from dispatch.stop import OrderId, StopKind
from tracking.position import CourierId


def others_to_ask(
    snapshot: Snapshot,
    params: Params,
    plan: Plan,
    *,
    n: int,
    barred: Collection[CourierId] = (),
    should_end: ShouldEnd = never,
) -> Mapping[OrderId, tuple[CourierId, ...]]:
    """
    For what a plan fixes now, `n` more couriers at most who could do it: all of what is fixed for one courier together.

    Those it would cost least with, beside what they have to do by the plan. Nobody is asked for two things at once, nor
    who is `barred`, turned it down before, or is given something by the plan itself.
    """
    problem = lay_out(snapshot, params)
    draft = Draft(problem, [_route_of(problem, plan, worker.courier_id) for worker in problem.workers])
    table = exclusions(problem)
    bundles: dict[CourierId, list[int]] = {}
    for given in plan.assignments:
        job_no = problem.job_no[given.order_id]
        if given.commit and _is_new(problem, job_no):
            bundles.setdefault(given.courier_id, []).append(job_no)
    taken = {problem.worker_no[courier_id] for courier_id in (*bundles, *barred) if courier_id in problem.worker_no}
    found: dict[OrderId, tuple[CourierId, ...]] = {}
    for courier_id, job_nos in bundles.items():
        if should_end():
            break
        trial = draft.copy()
        for job_no in job_nos:
            trial.put(problem.worker_no[courier_id], trial.without(job_no))
        asked = _cheapest(trial, table, job_nos, taken, n)
        taken.update(asked)
        also = tuple(problem.workers[worker_no].courier_id for worker_no in asked)
        found |= {problem.jobs[job_no].order_id: also for job_no in job_nos if also}
    return found


def _cheapest(trial: Draft, table: Exclusions, job_nos: Sequence[int], taken: set[int], n: int) -> list[int]:
    problem = trial.problem
    possible = np.flatnonzero((table[job_nos] == 0).all(axis=0)).tolist()
    refused = {worker_no for job_no in job_nos for worker_no in refusers(problem, job_no)}
    arrives_at = earliest_pickups(trial, job_nos[0])
    soonest = sorted((one for one in possible if one not in taken | refused), key=lambda one: int(arrives_at[one]))
    costs: dict[int, int] = {}
    for worker_no in soonest[: problem.params.n_candidates]:
        if (added := _adds(trial, worker_no, job_nos)) is not None:
            costs[worker_no] = added
    return sorted(costs, key=lambda one: (costs[one], one))[:n]


def _adds(trial: Draft, worker_no: int, job_nos: Sequence[int]) -> int | None:
    """What the jobs together add to a worker's route; None where they do not fit."""
    worker, before, total = trial.problem.workers[worker_no], trial.routes[worker_no], 0
    if not worker.takes_more or worker.in_trouble or worker.is_paused:
        return None
    try:
        for job_no in job_nos:
            found = best_in_route(trial, worker_no, job_no)
            if found is None:
                return None
            trial.put(worker_no, found.stops)
            total += found.delta
    finally:
        trial.put(worker_no, before)
    return total


def _is_new(problem: Problem, job_no: int) -> bool:
    """Nobody has been shown it yet: what is accepted moves to one courier only."""
    job = problem.jobs[job_no]
    return job.pinned_to is None and job.onboard_of is None and problem.shown_to[job_no] < 0


def _route_of(problem: Problem, plan: Plan, courier_id: CourierId) -> tuple[int, ...]:
    for route in plan.routes:
        if route.courier_id == courier_id:
            return tuple(
                2 * problem.job_no[row.stop.order_id] + (row.stop.kind is StopKind.DROPOFF) for row in route.stops
            )
    return ()
