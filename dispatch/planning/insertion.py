"""
Cheapest feasible insertion of an order into the routes of a draft, with the exact difference in cost; no I/O.

For the method see N. Wilson et al., "Scheduling Algorithms for a Dial-a-Ride System", MIT 1971, and, for bundles of one
pickup place, D. Reyes et al., "The Meal Delivery Routing Problem", Optimization Online 2018, section 3.2.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dispatch.planning.draft import Draft
from dispatch.planning.params import Bundling
from dispatch.planning.problem import Problem, Stops
from dispatch.planning.schedule import broken, finish, walk
from dispatch.planning.snapshot import FOREVER, UnixS


@dataclass(frozen=True, slots=True, kw_only=True)
class Insertion:
    """A job put into a worker's route, and what that adds to the cost of the route."""

    worker_no: int
    stops: Stops
    delta: int


def positions(problem: Problem, worker_no: int, stops: Stops, job_no: int) -> Iterator[tuple[int, int]]:
    """
    Where a job may go under the rule of bundling: its pickup before stop i, its drop-off before stop j >= i.

    A job of one stop has no pickup: the stop goes before stop j, and i == j.
    """
    first, n = problem.n_locked[worker_no], len(stops)
    is_any = problem.params.bundling is Bundling.ON_THE_WAY
    if problem.onboard[job_no] or (is_any and problem.single[job_no]):
        yield from ((j, j) for j in range(first, n + 1))
        return
    if is_any:
        yield from ((i, j) for i in range(first, n + 1) for j in range(i, n + 1))
        return
    n_on_board = sum(problem.onboard[stop >> 1] for stop in stops)
    for i in range(n + 1):
        if n_on_board == 0 and i >= first:
            yield i, i
        if i == n:
            return
        if stops[i] >> 1 not in problem.lone:
            n_on_board += -1 if stops[i] & 1 else 1
        if problem.single[job_no]:
            continue
        if problem.params.bundling is Bundling.SAME_PICKUP and _may_join(problem, stops, i, job_no):
            end = next((j for j in range(i + 1, n) if not stops[j] & 1), n)
            yield from ((i + 1, j) for j in range(max(i + 1, first), end + 1) if i + 1 >= first)


def _may_join(problem: Problem, stops: Stops, i: int, job_no: int) -> bool:
    """Whether stop i is the last pickup of a bundle at the job's pickup place."""
    is_last_pickup = not stops[i] & 1 and (i + 1 == len(stops) or bool(stops[i + 1] & 1))
    return is_last_pickup and problem.place[stops[i]] == problem.place[2 * job_no]


def best_in_route(
    draft: Draft, worker_no: int, job_no: int, below: int = FOREVER, allowance: int = 0
) -> Insertion | None:
    """
    The cheapest way to put a job into one route, if it adds less than `below` to the cost and at most `allowance` to
    the excess: 0 for what is free to go elsewhere, FOREVER for what must be in this route.

    A pickup position is skipped when the way there and straight to the door is dear enough already. That is quick, not
    exact: it counts the whole way to a pickup that lies on a leg of the route, of which only the detour is new, so an
    insertion nearly as dear as `below` may be missed.
    """
    problem, stops, states = draft.problem, draft.routes[worker_no], draft.states[worker_no]
    worker = problem.workers[worker_no]
    if not allowance and len(stops) >= worker.max_orders and sum(stop & 1 for stop in stops) >= worker.max_orders:
        return None
    new = problem.stops_for(job_no)
    old_cost, old_excess = draft.cost[worker_no], draft.excess[worker_no] + allowance
    best: Stops | None = None
    best_cost = min(old_cost + below, FOREVER)
    is_free = not worker.capacity and not problem.ride_s and not problem.groups
    grows = not worker.breaks and not problem.params.weights.waiting
    collected_before, state, hopeless = -1, states[0], False
    for i, j in positions(problem, worker_no, stops, job_no):
        if i != collected_before:  # the first leg is common to all drop-off positions
            state = walk(problem, worker_no, states[i], new[:-1])
            collected_before = i
            at_least = state.cost - states[i].cost + _to_door(problem, worker_no, job_no, state.leaves_at)
            hopeless = state.excess > old_excess or (grows and old_cost + at_least >= best_cost)
        if hopeless:
            continue
        rest = (*stops[i:j], new[-1], *stops[j:])
        cost, excess = finish(
            problem, worker_no, walk(problem, worker_no, state, rest, best_cost if grows else FOREVER)
        )
        if cost < best_cost and excess <= old_excess:
            whole = (*stops[:i], *new[:-1], *rest)
            if is_free or excess + broken(problem, worker_no, whole) <= old_excess:
                best, best_cost = whole, cost
    if best is None:
        return None
    return Insertion(worker_no=worker_no, stops=best, delta=best_cost - old_cost)


def _to_door(problem: Problem, worker_no: int, job_no: int, leaves_at: UnixS) -> int:
    """Least cost of a drop-off by a courier who leaves the pickup then."""
    dropoff, pace = 2 * job_no + 1, problem.clocks[worker_no][1] or 1.0
    direct_s = problem.durations_s[worker_no].item(problem.place[2 * job_no], problem.place[dropoff])
    drops_at = max(leaves_at + int(direct_s * pace * problem.fastest), problem.opens_at[dropoff])
    late_s = max(drops_at - problem.due_at[dropoff], 0)
    return problem.delivery_rate[job_no] * (drops_at - problem.ready_at[job_no]) + problem.late_rate[dropoff] * late_s


def earliest_pickups(draft: Draft, job_no: int) -> npt.NDArray[np.int64]:
    """By worker: when it could be at the job's pickup at the earliest, from any point of its route; or FOREVER."""
    problem = draft.problem
    legs_s = problem.legs_s(draft.place, problem.jobs[job_no].pickup.place)
    earliest: npt.NDArray[np.int64] = (draft.leaves_at + legs_s).min(axis=1)
    return earliest


def nearest(
    draft: Draft, job_no: int, allowed: npt.NDArray[np.bool_], below: int = FOREVER
) -> tuple[list[int], list[int]]:
    """
    Allowed workers, those first who could be at the pickup soonest (then those with the shortest way), and for each
    the least that taking the job can add to its route; those for whom that is not less than `below` are left out.
    """
    problem = draft.problem
    pickup, dropoff = 2 * job_no, 2 * job_no + 1
    legs_s = problem.legs_s(draft.place, problem.place[pickup])
    starts_at = np.maximum(draft.leaves_at + legs_s, problem.opens_at[pickup])
    score = (starts_at + legs_s).min(axis=1)
    here = np.full(len(problem.workers), problem.place[pickup], dtype=np.int32)
    direct_s = problem.legs_s(here, problem.place[dropoff])
    if problem.fastest < 1.0:  # what is left later may take less
        starts_at = np.maximum(draft.leaves_at + (problem.fastest * legs_s).astype(np.int64), problem.opens_at[pickup])
        direct_s = (problem.fastest * direct_s).astype(np.int64)
    drops_at = starts_at.min(axis=1) + problem.service_s[pickup] + direct_s
    drops_at = np.maximum(drops_at, problem.opens_at[dropoff])
    late_s = np.maximum(drops_at - problem.due_at[dropoff], 0)
    bound = problem.delivery_rate[job_no] * (drops_at - problem.ready_at[job_no]) + problem.late_rate[dropoff] * late_s
    (possible,) = np.nonzero(allowed & (score < FOREVER) & (bound < below))
    order = possible[np.argsort(score[possible], kind="stable")]
    return order.tolist(), bound[order].tolist()


def cheapest(
    draft: Draft, job_no: int, allowed: npt.NDArray[np.bool_], below: int = FOREVER, *, thorough: bool = True
) -> Insertion | None:
    """
    The cheapest feasible insertion of a job over the allowed workers that adds less than `below`.

    Tries the `n_candidates` nearest first; when thorough, all others too if none of these can.
    """
    worker_nos, bounds = nearest(draft, job_no, allowed, below)
    n_candidates = draft.problem.params.n_candidates
    best: Insertion | None = None
    for tried, (worker_no, bound) in enumerate(zip(worker_nos, bounds, strict=True)):
        if tried >= n_candidates and (best is not None or not thorough):
            break
        if best is None or bound < best.delta:
            found = best_in_route(draft, worker_no, job_no, below if best is None else best.delta)
            best = found or best
    return best
