"""
Who cannot take what, and why: an exact pre-filter, and the reasons reported for orders left without a courier; no I/O.

`exclusions` looks at pairs of order and courier alone (mode, skills, range, …), for all pairs at once. What depends on
the route a courier already has (windows, shift, load on the way) is found by trying every position, in `explain`.
Neither asks the search why it did not do something: no solver can say.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from dispatch.planning.draft import Draft
from dispatch.planning.insertion import best_in_route, earliest_pickups, positions
from dispatch.planning.params import ShouldEnd
from dispatch.planning.problem import Problem, Stops
from dispatch.planning.proposal import ReasonCode, Unassigned
from dispatch.planning.schedule import overstay, size_in, walk
from dispatch.planning.snapshot import FOREVER, UnixS
from tracking.position import CourierId

CODES = tuple(ReasonCode)
Exclusions = npt.NDArray[np.int8]
"""[job, worker]: 0 when the pair is possible as far as it alone can tell, else 1 + the index of the reason in CODES."""


def number(code: ReasonCode) -> int:
    """How a reason is written in the table of exclusions."""
    return CODES.index(code) + 1


def exclusions(problem: Problem) -> Exclusions:
    """For every pair of job and worker the first constraint that excludes it whatever the routes are."""
    table = np.zeros((len(problem.jobs), len(problem.workers)), dtype=np.int8)
    if table.size:
        for rule in (*RULES, _exclude_fixed):
            rule(problem, table)
    return table


def objections(problem: Problem, job_no: int) -> list[list[ReasonCode]]:
    """By worker: all constraints that exclude a job whatever the routes are, not only the first."""
    found: list[list[ReasonCode]] = [[] for _ in problem.workers]
    for rule in RULES if problem.workers else ():
        table = np.zeros((len(problem.jobs), len(problem.workers)), dtype=np.int8)
        rule(problem, table)
        for worker_no in np.flatnonzero(table[job_no]).tolist():
            found[worker_no].append(CODES[table[job_no, worker_no] - 1])
    return found


def _exclude_stale(problem: Problem, table: Exclusions) -> None:
    stale = [not worker.has_fresh_position for worker in problem.workers]
    table[:, stale] = number(ReasonCode.NO_FRESH_POSITION)


def _exclude_by_mode_and_skills(problem: Problem, table: Exclusions) -> None:
    demands = [(job.modes, job.skills) for job in problem.jobs]
    for modes, skills in dict.fromkeys(demands):
        if modes is None and not skills:
            continue
        code = np.zeros(len(problem.workers), dtype=np.int8)
        for worker_no, worker in enumerate(problem.workers):
            if modes is not None and worker.mode not in modes:
                code[worker_no] = number(ReasonCode.MODE)
            elif not skills <= worker.skills:
                code[worker_no] = number(ReasonCode.SKILLS)
        rows = np.array([demand == (modes, skills) for demand in demands])[:, None]
        np.copyto(table, code, where=rows & (table == 0))


def _exclude_by_partner(problem: Problem, table: Exclusions) -> None:
    apart = np.array([worker.apart for worker in problem.workers])
    for partner in {job.partner for job in problem.jobs} if apart.any() else ():
        theirs = [job.partner == partner for job in problem.jobs]
        others = apart & [worker.partner != partner for worker in problem.workers]
        np.copyto(table, number(ReasonCode.PARTNER), where=np.outer(theirs, others) & (table == 0))


def _exclude_by_capacity(problem: Problem, table: Exclusions) -> None:
    for dimension in range(max(len(worker.capacity) for worker in problem.workers)):
        limits = np.array(
            [worker.capacity[dimension] if dimension < len(worker.capacity) else FOREVER for worker in problem.workers]
        )
        sizes = np.array([size_in(problem, job_no, dimension) for job_no in range(len(problem.jobs))])
        np.copyto(table, number(ReasonCode.CAPACITY), where=(sizes[:, None] > limits) & (table == 0))


def _exclude_by_range(problem: Problem, table: Exclusions) -> None:
    pickups = np.array([job.pickup.place for job in problem.jobs])
    for worker_no, worker in enumerate(problem.workers):
        if worker.range_m is not None:
            too_far = problem.distances_m[worker_no][worker.start, pickups] > worker.range_m
            table[too_far & (table[:, worker_no] == 0), worker_no] = number(ReasonCode.RANGE)


def _exclude_by_zone(problem: Problem, table: Exclusions) -> None:
    served = [(worker.serves, worker.in_range) for worker in problem.workers]
    for column, code in ((0, ReasonCode.OUT_OF_AREA), (1, ReasonCode.RANGE)):
        for places in {pair[column] for pair in served} - {None}:
            assert places is not None
            outside = [not {job.pickup.place, job.dropoff.place} <= places for job in problem.jobs]
            theirs = [pair[column] == places for pair in served]
            np.copyto(table, number(code), where=np.outer(outside, theirs) & (table == 0))


def _exclude_too_far(problem: Problem, table: Exclusions) -> None:
    furthest_s = problem.params.furthest_s
    pickups = np.array([job.pickup.place for job in problem.jobs])
    dropoffs = np.array([job.dropoff.place for job in problem.jobs])
    for worker_no, worker in enumerate(problem.workers):
        durations = problem.durations_s[worker_no]
        too_far = (durations[worker.start, pickups] > furthest_s) | (durations[pickups, dropoffs] > furthest_s)
        table[too_far & (table[:, worker_no] == 0), worker_no] = number(ReasonCode.TOO_FAR)


def _exclude_too_long_on_board(problem: Problem, table: Exclusions) -> None:
    for job_no, ride_s in problem.ride_s.items():
        pickup, dropoff = problem.place[2 * job_no], problem.place[2 * job_no + 1]
        for worker_no, durations in enumerate(problem.durations_s):
            if durations.item(pickup, dropoff) * problem.fastest > ride_s and table[job_no, worker_no] == 0:
                table[job_no, worker_no] = number(ReasonCode.MAX_ON_BOARD)


RULES: Sequence[Callable[[Problem, Exclusions], None]] = (
    _exclude_stale,
    _exclude_by_partner,
    _exclude_by_mode_and_skills,
    _exclude_by_capacity,
    _exclude_by_zone,
    _exclude_by_range,
    _exclude_too_far,
    _exclude_too_long_on_board,
)
"""What a pair alone can tell, but for who has the order now; each fills in where none before it has."""


def _exclude_fixed(problem: Problem, table: Exclusions) -> None:
    """What is on board or pinned stays with its courier, whatever else speaks against that courier."""
    for job_no, job in enumerate(problem.jobs):
        holder = job.onboard_of or job.pinned_to
        if holder is not None:
            table[job_no] = number(ReasonCode.PINNED)
            if holder in problem.worker_no:
                table[job_no, problem.worker_no[holder]] = 0


def refusers(problem: Problem, job_no: int) -> list[int]:
    """Workers who refused a job; asked again only when nobody else can take it."""
    return [problem.worker_no[courier] for courier in problem.jobs[job_no].refused_by if courier in problem.worker_no]


def explain(draft: Draft, table: Exclusions, job_no: int, should_end: ShouldEnd) -> Unassigned:
    """
    For a job left without a worker: the reasons counted over all workers, each with one of them as an example.

    What takes trying out positions is not done any more when it should end, and said so.
    """
    problem = draft.problem
    codes = [CODES[code - 1] if code else None for code in table[job_no]]
    if problem.jobs[job_no].pickup.opens_at > problem.now + problem.params.horizon_s:
        codes = [code or ReasonCode.NOT_YET for code in codes]
    elif should_end():
        codes = [code or ReasonCode.OUT_OF_TIME for code in codes]
    else:
        _explain_by_routes(draft, job_no, codes)
    counts = Counter(code for code in codes if code is not None)
    example: dict[ReasonCode, CourierId] = {}
    for worker, code in zip(problem.workers, codes, strict=True):
        if code is not None:
            example.setdefault(code, worker.courier_id)
    reasons = dict(counts.most_common()) if problem.workers else {ReasonCode.NO_COURIERS: 0}
    return Unassigned(order_id=problem.jobs[job_no].order_id, reasons=reasons, example=example)


def _explain_by_routes(draft: Draft, job_no: int, codes: list[ReasonCode | None]) -> None:
    """Fill in the reasons that depend on the routes."""
    problem = draft.problem
    refused = set(refusers(problem, job_no))
    arrives_at = earliest_pickups(draft, job_no)
    others_can = False
    for worker_no in range(len(problem.workers)):
        if codes[worker_no] is None:
            codes[worker_no] = next(obstacles(draft, worker_no, job_no, arrives_at[worker_no]), ReasonCode.NOT_WORTH_IT)
            others_can |= codes[worker_no] is ReasonCode.NOT_WORTH_IT and worker_no not in refused
    for worker_no in refused:
        if others_can and codes[worker_no] is ReasonCode.NOT_WORTH_IT:
            codes[worker_no] = ReasonCode.REJECTED


def obstacles(draft: Draft, worker_no: int, job_no: int, arrives_at: UnixS) -> Iterator[ReasonCode]:
    """What keeps a job out of a worker's route as it is; `arrives_at`: earliest arrival at its pickup."""
    problem, worker = draft.problem, draft.problem.workers[worker_no]
    has_room = True
    for is_so, code in (
        (not worker.takes_more, ReasonCode.NOT_AT_WORK),
        (worker.in_trouble, ReasonCode.IN_TROUBLE),
        (worker.is_paused, ReasonCode.PAUSED),
    ):
        if is_so:
            yield code
            has_room = False  # what they may carry is what they have: that is no reason of its own
    if has_room and sum(stop & 1 for stop in draft.routes[worker_no]) >= worker.max_orders:
        yield ReasonCode.MAX_ORDERS
        has_room = False
    if arrives_at > max(problem.jobs[job_no].pickup.closes_at, 0):
        yield ReasonCode.PICKUP_WINDOW
    elif arrives_at > worker.shift_ends_at:
        yield ReasonCode.SHIFT_END
    elif has_room and best_in_route(draft, worker_no, job_no) is None:
        yield obstacle(draft, worker_no, job_no)


def obstacle(draft: Draft, worker_no: int, job_no: int) -> ReasonCode:
    """What excludes a job from a route without a position for it: what the position that gets furthest meets."""
    problem, stops = draft.problem, draft.routes[worker_no]
    new = problem.stops_for(job_no)
    first = new[0]
    old_excess = draft.excess[worker_no]
    furthest = ReasonCode.PICKUP_WINDOW
    for i, j in positions(problem, worker_no, stops, job_no):
        state = walk(problem, worker_no, draft.states[worker_no][i], new[:-1])
        if state.excess > old_excess:
            too_late = max(state.arrived_at, problem.opens_at[first]) > problem.workers[worker_no].shift_ends_at
            if too_late and furthest is ReasonCode.PICKUP_WINDOW:
                furthest = ReasonCode.SHIFT_END
            continue
        rest: Stops = (*stops[i:j], new[-1], *stops[j:])
        if walk(problem, worker_no, state, rest).excess <= old_excess:
            if overstay(problem, worker_no, (*stops[:i], *new[:-1], *rest)) <= old_excess:
                return ReasonCode.CAPACITY
            furthest = ReasonCode.MAX_ON_BOARD
            continue
        if furthest is not ReasonCode.MAX_ON_BOARD:
            furthest = ReasonCode.PICKUP_WINDOW if job_no in problem.kept else ReasonCode.DROPOFF_WINDOW
    return furthest
