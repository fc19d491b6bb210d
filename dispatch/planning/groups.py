"""
Orders of one pickup that are collected together: one courier gets all of a group, in one stay, or none of it; no I/O.

A group is split only where nobody has the room for all of it, and then into as few parts as fill up; what a courier
has accepted stays, and the rest of its group comes to it. Once with a courier a group moves as a whole, to whoever does
it for less: its orders are no others' business one by one, so that the steps that move single orders leave them alone.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from dispatch.planning import cost
from dispatch.planning.draft import Draft
from dispatch.planning.in_force import bound_worker
from dispatch.planning.insertion import best_in_route, nearest
from dispatch.planning.params import ShouldEnd
from dispatch.planning.problem import Stops
from dispatch.planning.reasons import refusers
from dispatch.planning.schedule import price

Allowed = npt.NDArray[np.bool_]


def gather(draft: Draft, allowed: Allowed, should_end: ShouldEnd) -> None:
    """Put the orders of groups together that are not, where that breaks no hard rule and is worth its cost."""
    problem = draft.problem
    horizon = problem.now + problem.params.horizon_s
    for members in problem.groups:
        if should_end():
            return
        holders = [bound_worker(problem, job_no) for job_no in members]
        bound = {holder for holder in holders if holder is not None}
        free = [job_no for job_no, holder in zip(members, holders, strict=True) if holder is None]
        is_locked = any(draft.worker_of[job_no] >= 0 and not _may_go(draft, job_no) for job_no in free)
        with_whom = {draft.worker_of[job_no] for job_no in members}
        if len(with_whom) == 1 and -1 not in with_whom:
            continue
        if is_locked or max(problem.opens_at[2 * job_no] for job_no in members) > horizon:
            continue
        _place(draft, allowed, free, sorted(bound))


def transfer(draft: Draft, allowed: Allowed, members: Sequence[int]) -> bool:
    """Move a group that one worker has, and nothing of it is held, to where it costs less, by `min_gain` at least."""
    problem = draft.problem
    with_whom = {draft.worker_of[job_no] for job_no in members}
    if len(with_whom) > 1 or -1 in with_whom:
        return False
    if any(bound_worker(problem, job_no) is not None or not _may_go(draft, job_no) for job_no in members):
        return False
    [worker_no] = with_whom
    before = draft.routes[worker_no]
    rest = tuple(stop for stop in before if stop >> 1 not in members)
    saved = draft.cost[worker_no] - price(problem, worker_no, rest)[0]
    draft.put(worker_no, rest)
    _, best = _cheapest(draft, allowed, members, limit=saved - problem.params.min_gain + 1)
    draft.put(*(best or (worker_no, before)))
    return best is not None


def _may_go(draft: Draft, job_no: int) -> bool:
    worker_no = draft.worker_of[job_no]
    return all(stop >> 1 != job_no for stop in draft.routes[worker_no][: draft.problem.n_locked[worker_no]])


def _place(draft: Draft, allowed: Allowed, free: Sequence[int], bound: Sequence[int]) -> None:
    """The free orders of a group: with those who have some of it, else with whoever takes all for least."""
    with_whom = {draft.worker_of[job_no] for job_no in free}
    before = {worker_no: draft.routes[worker_no] for worker_no in with_whom if worker_no >= 0}
    for worker_no in before:
        draft.put(worker_no, tuple(stop for stop in draft.routes[worker_no] if stop >> 1 not in free))
    left = list(free)
    for worker_no in bound:
        left = _fill_up(draft, allowed, worker_no, left)
    if not left:
        return
    can, best = _cheapest(draft, allowed, left, limit=sum(cost.unassigned(draft.problem, job_no) for job_no in left))
    if best is not None:
        draft.put(*best)
    elif -1 not in with_whom and not bound:
        for worker_no, stops in before.items():  # nobody can take all of it: as it was is as good
            draft.put(worker_no, stops)
    elif not can:
        while (rest := _most(draft, allowed, left)) != left:
            left = rest


def _may(draft: Draft, allowed: Allowed, jobs: Iterable[int]) -> Allowed:
    may: Allowed = np.ones(len(draft.problem.workers), dtype=np.bool_)
    for job_no in jobs:
        may &= allowed[job_no]
        may[refusers(draft.problem, job_no)] = False
    return may


def _cheapest(
    draft: Draft, allowed: Allowed, jobs: Sequence[int], *, limit: int
) -> tuple[bool, tuple[int, Stops] | None]:
    """Whether anybody can take all of some orders, and who does for least, if that is less than `limit`."""
    worker_nos, _ = nearest(draft, jobs[0], _may(draft, allowed, jobs))
    best: tuple[int, Stops] | None = None
    n_able = 0
    for worker_no in worker_nos:
        if n_able >= draft.problem.params.n_candidates:
            break
        stops, taken = _with_as_many(draft, worker_no, jobs)
        if len(taken) == len(jobs):
            n_able += 1
            delta = price(draft.problem, worker_no, stops)[0] - draft.cost[worker_no]
            if delta < limit:
                best, limit = (worker_no, stops), delta
    return n_able > 0, best


def _most(draft: Draft, allowed: Allowed, jobs: Sequence[int]) -> list[int]:
    """Give as many as anybody has the room for to whoever that is; the others are answered."""
    best: tuple[tuple[int, int], int, Stops, list[int]] | None = None
    for worker_no in range(len(draft.problem.workers)):
        willing = [job_no for job_no in jobs if _may(draft, allowed, [job_no])[worker_no]]
        stops, taken = _with_as_many(draft, worker_no, willing)
        delta = price(draft.problem, worker_no, stops)[0] - draft.cost[worker_no]
        rank = (-len(taken), delta)
        is_worth = delta < sum(cost.unassigned(draft.problem, job_no) for job_no in taken)
        if taken and is_worth and (best is None or rank < best[0]):
            best = (rank, worker_no, stops, taken)
    if best is None:
        return list(jobs)
    _, worker_no, stops, taken = best
    draft.put(worker_no, stops)
    return [job_no for job_no in jobs if job_no not in taken]


def _fill_up(draft: Draft, allowed: Allowed, worker_no: int, jobs: Sequence[int]) -> list[int]:
    """Give as many as fit to somebody who has some of the group; the others are answered."""
    willing = [job_no for job_no in jobs if _may(draft, allowed, [job_no])[worker_no]]
    stops, taken = _with_as_many(draft, worker_no, willing)
    draft.put(worker_no, stops)
    return [job_no for job_no in jobs if job_no not in taken]


def _with_as_many(draft: Draft, worker_no: int, jobs: Sequence[int]) -> tuple[Stops, list[int]]:
    """The route of a worker with as many of some orders of a group as fit, collected in one stay."""
    problem, before = draft.problem, draft.routes[worker_no]
    allowance, stops = draft.excess[worker_no], before
    taken: list[int] = []
    for job_no in jobs:
        group = problem.group_of[job_no]
        beside = [i for i, stop in enumerate(stops) if not stop & 1 and problem.group_of.get(stop >> 1) == group]
        if not beside:
            found = best_in_route(draft, worker_no, job_no)
            longer = None if found is None else found.stops
        else:
            longer = _joined(draft, worker_no, stops, job_no, beside[-1] + 1, allowance)
        if longer is not None:
            stops = longer
            taken.append(job_no)
    return stops, taken


def _joined(draft: Draft, worker_no: int, stops: Stops, job_no: int, at: int, allowance: int) -> Stops | None:
    """The route with an order collected at that place in it and dropped off where that costs least."""
    if at < draft.problem.n_locked[worker_no]:
        return None
    tries = [(*stops[:at], 2 * job_no, *stops[at:j], 2 * job_no + 1, *stops[j:]) for j in range(at, len(stops) + 1)]
    priced = [(*price(draft.problem, worker_no, longer), longer) for longer in tries]
    return min(((paid, longer) for paid, excess, longer in priced if excess <= allowance), default=(0, None))[1]
