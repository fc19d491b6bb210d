"""
Filling a draft and making it better by small steps; no I/O.

Every step is judged by the exact difference in cost and breaks no hard rule, so that a draft only gets better; the
order of steps is fixed, so that the same draft comes out on every run.
"""

from collections.abc import Collection, Iterable

import numpy as np
import numpy.typing as npt

from dispatch.planning import cost
from dispatch.planning.draft import Draft
from dispatch.planning.groups import gather, transfer
from dispatch.planning.in_force import bound_worker, movable_jobs
from dispatch.planning.insertion import best_in_route, cheapest
from dispatch.planning.matching import chains
from dispatch.planning.params import ShouldEnd
from dispatch.planning.problem import Problem, Stops
from dispatch.planning.reasons import refusers
from dispatch.planning.schedule import price
from dispatch.planning.snapshot import FOREVER

Allowed = npt.NDArray[np.bool_]
"""[job, worker]: the pair is possible as far as it alone can tell."""

MAX_CHAIN_CELLS = 400_000
"""Jobs times sources that one matching of chains may have: about 30 ms on the machine of benchmarks/README.md."""


def settle(draft: Draft, allowed: Allowed, should_end: ShouldEnd, again: Collection[int] | None = None) -> Draft:
    """
    Improve a draft until no step changes anything, so that planning again in an unchanged world changes nothing.

    It ends: each step lowers what breaks hard rules, or else the cost, by whole units. `again`: of the jobs that
    somebody has only these are tried elsewhere, with what shares a route with them; None: all.
    """
    before = list(draft.routes)
    matched: list[Stops] = []
    settled: list[Stops] = []
    for _ in range(draft.problem.params.n_rounds):
        shed(draft)
        gather(draft, allowed, should_end)
        fill(draft, allowed, should_end)
        movable = movable_jobs(draft)
        together = movable if again is None else _sharing(draft, movable, again)
        while draft.routes != matched:
            matched = list(draft.routes)
            draft = rematched(draft, allowed, together, should_end) or draft
        if draft.routes == settled or should_end():
            break
        relocate(draft, allowed, movable if again is None else [n for n in movable if n in again], before, should_end)
        settled = list(draft.routes)
    return draft


def _sharing(draft: Draft, movable: Iterable[int], again: Collection[int]) -> list[int]:
    """Of the movable jobs these, and those of the same routes: a route is matched anew as a whole."""
    routes = {draft.worker_of[job_no] for job_no in again} - {-1}
    return [job_no for job_no in movable if job_no in again or draft.worker_of[job_no] in routes]


def shed(draft: Draft) -> None:
    """Take jobs that are free to go out of routes that break a hard rule, as long as that mends something."""
    problem = draft.problem
    for worker_no in range(len(problem.workers)):
        while draft.excess[worker_no] > 0:
            locked = {stop >> 1 for stop in draft.routes[worker_no][: problem.n_locked[worker_no]]}
            free = {stop >> 1 for stop in draft.routes[worker_no]} - locked
            shorter = [
                (price(problem, worker_no, rest)[1], job_no, rest)
                for job_no in sorted(free)
                if bound_worker(problem, job_no) is None
                for rest in [_without(draft, worker_no, job_no)]
            ]
            best = min(shorter, default=None)
            if best is None or best[0] >= draft.excess[worker_no]:
                break
            draft.put(worker_no, best[2])


def _without(draft: Draft, worker_no: int, job_no: int) -> Stops:
    """A route without a job, and without what is free of its group."""
    problem = draft.problem
    group = problem.group_of.get(job_no)
    if group is None:
        return draft.without(job_no)
    locked = {stop >> 1 for stop in draft.routes[worker_no][: problem.n_locked[worker_no]]}
    gone = {other for other in problem.groups[group] if bound_worker(problem, other) is None} - locked
    return tuple(stop for stop in draft.routes[worker_no] if stop >> 1 not in gone)


def fill(draft: Draft, allowed: Allowed, should_end: ShouldEnd) -> None:
    """Put jobs nobody has where they add least, the most urgent first; one that is not worth its cost stays out."""
    problem = draft.problem
    horizon = problem.now + problem.params.horizon_s
    wanted = [
        job_no
        for job_no in draft.unassigned()
        if problem.jobs[job_no].pickup.opens_at <= horizon and job_no not in problem.group_of
    ]
    wanted.sort(key=lambda job_no: (-problem.jobs[job_no].priority, problem.jobs[job_no].placed_at, job_no))
    for job_no in wanted:
        if should_end():
            return
        may = allowed[job_no].copy()
        may[refusers(problem, job_no)] = False
        limit = cost.unassigned(problem, job_no)
        found = cheapest(draft, job_no, may, limit)
        if found is None and problem.jobs[job_no].refused_by and cheapest(draft, job_no, may) is None:
            found = cheapest(draft, job_no, allowed[job_no], limit)
        if found is not None:
            draft.put(found.worker_no, found.stops)


def force(draft: Draft, worker_no: int, job_no: int) -> None:
    """Put a job into the route it must be in, whatever it breaks there."""
    found = best_in_route(draft, worker_no, job_no, allowance=FOREVER)
    if found is not None:
        draft.put(worker_no, found.stops)


def relocate(
    draft: Draft, allowed: Allowed, movable: Iterable[int], before: list[Stops], should_end: ShouldEnd
) -> None:
    """Move jobs one at a time, and whole groups, to where they cost less, by `min_gain` at least, until none moves."""
    for _ in range(draft.problem.params.n_rounds):
        moved = False
        for job_no in movable if draft.problem.params.thorough else worth_a_look(draft, movable, before):
            if should_end():
                return
            moved |= _relocate_one(draft, allowed, job_no)
        for members in draft.problem.groups:
            if should_end():
                return
            moved |= transfer(draft, allowed, members)
        if not moved:
            return


def worth_a_look(draft: Draft, movable: Iterable[int], before: list[Stops]) -> list[int]:
    """
    Jobs in routes that are not what they were, and jobs that are late: where a change of the world shows.

    In a world that did not change the first are none and the late ones were looked at when the plan was made.
    """
    problem = draft.problem
    late = {
        stop >> 1
        for stops, states in zip(draft.routes, draft.states, strict=True)
        for stop, state in zip(stops, states[1:], strict=True)
        if max(state.arrived_at, problem.opens_at[stop]) > problem.due_at[stop]
    }
    changed = {number for number, stops in enumerate(draft.routes) if stops != before[number]}
    return [job_no for job_no in movable if job_no in late or draft.worker_of[job_no] in changed]


def regret(draft: Draft) -> int:
    """What the draft costs beyond the least that each of its orders could cost by itself."""
    problem = draft.problem
    assigned = (job_no for job_no, worker_no in enumerate(draft.worker_of) if worker_no >= 0)
    return draft.total() - sum(least_cost(problem, job_no) for job_no in assigned)


def least_cost(problem: Problem, job_no: int) -> int:
    """What a job costs a courier who stands at the pickup in time and drives straight to the drop-off."""
    pickup, dropoff = 2 * job_no, 2 * job_no + 1
    direct_s = problem.direct_s[job_no]
    starts_at = max(problem.opens_at[pickup], problem.now)
    drops_at = max(starts_at + problem.service_s[pickup] + direct_s, problem.opens_at[dropoff])
    late_s = max(drops_at - problem.due_at[dropoff], 0)
    return (
        problem.params.weights.travel * direct_s
        + problem.delivery_rate[job_no] * (drops_at - problem.ready_at[job_no])
        + problem.late_rate[dropoff] * late_s
    )


def _relocate_one(draft: Draft, allowed: Allowed, job_no: int) -> bool:
    problem, worker_no = draft.problem, draft.worker_of[job_no]
    if worker_no < 0:
        return False
    before, rest = draft.routes[worker_no], draft.without(job_no)
    saved = draft.cost[worker_no] - price(problem, worker_no, rest)[0]
    if saved - least_cost(problem, job_no) < problem.params.min_gain:
        return False
    draft.put(worker_no, rest)
    may = allowed[job_no].copy()
    may[refusers(problem, job_no)] = False
    found = cheapest(draft, job_no, may, saved - problem.params.min_gain + 1, thorough=False)
    if found is None:
        draft.put(worker_no, before)
        return False
    draft.put(found.worker_no, found.stops)
    return True


def rematched(draft: Draft, allowed: Allowed, movable: list[int], should_end: ShouldEnd) -> Draft | None:
    """A draft in which the movable jobs are matched anew and the rest filled in; None when it is no better."""
    problem = draft.problem
    if not movable or len(movable) * (len(movable) + len(problem.workers)) > MAX_CHAIN_CELLS or should_end():
        return None
    may = allowed
    if any(problem.jobs[job_no].refused_by for job_no in movable):
        may = allowed.copy()
        for job_no in movable:
            may[job_no, refusers(problem, job_no)] = False
    other = draft.copy()
    for worker_no, stops in enumerate(chains(draft, may, movable)):
        if stops != other.routes[worker_no]:
            other.put(worker_no, stops)
    fill(other, allowed, should_end)
    if sum(other.excess) > sum(draft.excess) or other.total() > draft.total() - problem.params.min_gain:
        return None
    return other
