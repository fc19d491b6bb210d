"""
Which of several ways to do the same order costs least, such as from which depot; no I/O.

Each way is a job of the snapshot of its own, which nobody has. They are tried one after the other in the routes in
force, by the planner's own costs; what was chosen for one order stands where the next one is tried.
"""

from collections.abc import Collection, Mapping, Sequence

from dispatch.planning.draft import Draft
from dispatch.planning.in_force import bound_worker, kept_routes
from dispatch.planning.insertion import Insertion, cheapest
from dispatch.planning.params import Params, ShouldEnd, never
from dispatch.planning.problem import Problem, lay_out
from dispatch.planning.reasons import exclusions
from dispatch.planning.snapshot import FOREVER, Snapshot
from dispatch.stop import OrderId


def cheapest_of(
    snapshot: Snapshot, params: Params, ways: Mapping[OrderId, Collection[OrderId]], should_end: ShouldEnd = never
) -> dict[OrderId, OrderId]:
    """
    By order, the way that costs less than the one it has, by `params.min_gain` or more.

    `ways`: by order that nobody has been given, the other ways to do it, as they are named in the snapshot.
    """
    problem = lay_out(snapshot, params)
    table = exclusions(problem)
    allowed, draft, chosen = table == 0, Draft(problem, kept_routes(problem, table)), {}
    for order_id, others in ways.items():
        job_no = problem.job_no.get(order_id)
        if should_end():
            break
        if job_no is None or bound_worker(problem, job_no) is not None:
            continue
        if (worker_no := draft.worker_of[job_no]) >= 0:
            draft.put(worker_no, draft.without(job_no))
        numbers = [job_no, *(problem.job_no[other] for other in others if other in problem.job_no)]
        found = {number: cheapest(draft, number, allowed[number]) for number in numbers}
        costs = {number: _cost(problem, numbers, number, way) for number, way in found.items()}
        best = min(numbers, key=costs.__getitem__)
        if costs[best] > costs[job_no] - params.min_gain:
            best = job_no
        else:
            chosen[order_id] = problem.jobs[best].order_id
        if (way := found[best]) is not None:
            draft.put(way.worker_no, way.stops)
    return chosen


def _cost(problem: Problem, numbers: Sequence[int], number: int, way: Insertion | None) -> int:
    """What a way adds, and that it is ready later than the others: the planner counts from when goods can be had."""
    if way is None:
        return FOREVER
    waits_s = problem.ready_at[number] - min(problem.ready_at[other] for other in numbers)
    return way.delta + problem.delivery_rate[number] * waits_s
