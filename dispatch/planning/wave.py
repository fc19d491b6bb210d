"""
A wave from a depot: from a snapshot to the routes that leave now, and to what waits for a later wave, and why; no I/O.

    1. choose    who leaves now, by many days that may come                               (search/waves.py)
    2. mend      by the exact schedule, which knows breaks; what does not fit goes elsewhere, perhaps late
    3. report    times, cost by term, and why the rest has nobody

Orders yet to come are jobs of the snapshot as well: those of past weeks, as if they came again.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random

import numpy as np
import numpy.typing as npt

from dispatch.planning.day import SEARCH_SHARE, DayProgress, Tell, by_shift, day_params, place_rest, put
from dispatch.planning.draft import Draft
from dispatch.planning.groups import gather
from dispatch.planning.params import Params, ShouldEnd, never
from dispatch.planning.problem import Gait, Problem, at_gait, lay_out
from dispatch.planning.proposal import Plan
from dispatch.planning.reasons import exclusions
from dispatch.planning.report import report
from dispatch.planning.search.day_ahead import Cooling, Tour
from dispatch.planning.search.waves import Drawn, Patience, Request, Team, can_leave, wave
from dispatch.planning.snapshot import Snapshot, UnixS
from dispatch.stop import OrderId
from tracking.position import CourierId


class WaitReason(StrEnum):
    """Why an order does not leave with this wave."""

    COMPANY = "company"
    """A later wave is in time, and mostly better: with what is yet to come."""
    NOT_READY = "not_ready"
    """It cannot be loaded before a later wave."""
    NO_VEHICLE = "no_vehicle"
    """No vehicle has room for it now; a later wave is in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coming:
    """Waves, and what may come between them."""

    leaves_at: tuple[UnixS, ...]
    """When loading begins for this wave, and for the next ones."""
    past: tuple[tuple[OrderId, ...], ...] = ()
    """By past week: the jobs of the snapshot that are its orders, as if they came again."""

    @property
    def order_ids(self) -> frozenset[OrderId]:
        """All that are not there."""
        return frozenset(order_id for week in self.past for order_id in week)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """An order that does not leave now."""

    order_id: OrderId
    reason: WaitReason
    until: UnixS
    """The next wave that is in time for it."""
    share: float | None = None
    """In which share of the days that may come it left with this wave; None: that was not asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WavePlan:
    """Routes that leave now, and what waits."""

    plan: Plan
    waiting: tuple[Waiting, ...]


def plan_wave(
    snapshot: Snapshot,
    params: Params,
    cooling: Cooling,
    patience: Patience,
    coming: Coming,
    *,
    seconds: float,
    steps: int | None = None,
    should_end: ShouldEnd = never,
    tell: Tell | None = None,
) -> WavePlan:
    """
    What leaves now and what waits; with `steps` instead of seconds the same on every run.

    Workers are at the depot from `available_at` on. An order whose loading opens after the last wave waits for its own.
    """
    params = day_params(params)
    unborn = coming.order_ids
    jobs = sorted(snapshot.jobs, key=lambda job: job.order_id in unborn)
    known = [job for job in jobs if job.order_id not in unborn]
    problem = lay_out(replace(snapshot, jobs=tuple(jobs)), params)
    teams, workers_of, requests = _laid_out(problem, coming)
    # Loading is one stay, however much it is.
    loading_s = max((job.pickup.service_s for job in known), default=0)
    teams = [replace(team, begins_at=team.begins_at + loading_s) for team in teams]
    leaves_at = [at + loading_s for at in coming.leaves_at]

    def heard(share: float) -> None:
        if tell is not None:
            tell(DayProgress(share=SEARCH_SHARE * share, n_orders=len(known), n_unassigned=0, travel_s=0))

    decided = wave(
        teams,
        leaves_at,
        requests[: len(known)],
        _past(teams, leaves_at, {job.order_id: one for job, one in zip(jobs, requests, strict=True)}, coming),
        cooling=cooling,
        patience=patience,
        seconds=SEARCH_SHARE * seconds,
        steps=steps,
        seed=params.seed,
        groups=[there for members in problem.groups if (there := [n for n in members if n < len(known)])],
        should_end=should_end,
        tell=heard,
    )
    going = {job_no for _, route in decided.routes for job_no in route}
    until = {}
    for job_no, job in enumerate(known):
        later = [at for n, at in enumerate(leaves_at) if n and can_leave(teams, requests[job_no], n, at)]
        if later or requests[job_no].first:
            until[job.order_id] = max(later[0] - loading_s if later else 0, job.pickup.opens_at)
    waiting = {
        job.order_id: _why(requests[job_no], is_left=job_no in decided.left)
        for job_no, job in enumerate(known)
        if job_no not in going and job.order_id in until
    }
    plan = _exact(
        replace(snapshot, jobs=tuple(job for job in known if job.order_id not in waiting)),
        params,
        coming.leaves_at[0],
        [
            ([problem.workers[n].courier_id for n in workers_of[team]], [known[job_no].order_id for job_no in route])
            for team, route in decided.routes
        ],
    )
    waiting |= {left.order_id: WaitReason.NO_VEHICLE for left in plan.unassigned if left.order_id in until}
    share_of = {known[job_no].order_id: share for job_no, share in decided.shares.items()}
    return WavePlan(
        plan=replace(plan, unassigned=tuple(left for left in plan.unassigned if left.order_id not in waiting)),
        waiting=tuple(
            Waiting(order_id=order_id, reason=reason, until=until[order_id], share=share_of.get(order_id))
            for order_id, reason in waiting.items()
        ),
    )


def _why(request: Request, *, is_left: bool) -> WaitReason:
    if request.first:
        return WaitReason.NOT_READY
    return WaitReason.NO_VEHICLE if is_left else WaitReason.COMPANY


def _laid_out(problem: Problem, coming: Coming) -> tuple[list[Team], list[list[int]], list[Request]]:
    """Workers who are alike, their numbers, and the jobs as the search of waves sees them."""
    allowed = exclusions(problem) == 0
    times: dict[Gait, npt.NDArray[np.int32]] = {
        gait: at_gait(problem.travel_s[gait[0]], gait) for gait in sorted(set(problem.gaits))
    }
    alike: dict[Hashable, list[int]] = {}
    for number, one in enumerate(problem.workers):
        span = (one.available_at, one.shift_ends_at)
        key = (problem.gaits[number], one.start, one.end, *span, one.capacity, allowed[:, number].tobytes())
        alike.setdefault(key, []).append(number)
    workers_of = list(alike.values())
    teams = [
        Team(
            count=len(numbers),
            durations_s=times[problem.gaits[numbers[0]]],
            capacity=worker.capacity,
            closes_at=worker.shift_ends_at,
            start=worker.start,
            end=worker.end,
            begins_at=worker.available_at,
        )
        for numbers in workers_of
        for worker in [problem.workers[numbers[0]]]
    ]
    requests = []
    for job_no, job in enumerate(problem.jobs):
        door, opens_at = 2 * job_no + 1, problem.opens_at[2 * job_no]
        bound = min(problem.due_at[door], problem.closes_at[door])
        requests.append(
            Request(
                place=problem.place[door],
                opens_at=problem.opens_at[door],
                closes_at=max(bound, problem.opens_at[door]),
                service_s=problem.service_s[door],
                size=job.size,
                first=next((n for n, at in enumerate(coming.leaves_at) if opens_at <= at), len(coming.leaves_at)),
                takes=frozenset(n for n, numbers in enumerate(workers_of) if allowed[job_no, numbers[0]]),
                weight=1 + max(job.priority, 0),
            )
        )
    return teams, workers_of, requests


def _past(
    teams: Sequence[Team], leaves_at: Sequence[int], request_of: Mapping[OrderId, Request], coming: Coming
) -> Drawn:
    """Draws for each later wave as many orders as came for it in one of the weeks, from those of all of them."""
    weeks = [[request_of[order_id] for order_id in week if order_id in request_of] for week in coming.past]
    span = range(1, len(leaves_at))
    n_of = [[sum(one.first == number for one in week) for week in weeks] for number in span]
    pools = [
        [
            one
            for week in weeks
            for one in week
            if one.first == number and can_leave(teams, one, number, leaves_at[number])
        ]
        for number in span
    ]

    def drawn(chance: Random) -> list[Request]:
        found: list[Request] = []
        for counts, pool in zip(n_of, pools, strict=True):
            n = chance.choice(counts) if counts else 0
            found += chance.sample(pool, min(n, len(pool)))
        return [replace(one, weight=1) for one in found]

    return drawn


def _exact(
    snapshot: Snapshot, params: Params, leaves_at: UnixS, routes: Sequence[tuple[list[CourierId], list[OrderId]]]
) -> Plan:
    """The routes by the exact schedule, loaded in one stay, groups together, and for who is in none what is left."""
    here = [replace(one, available_at=leaves_at) for one in snapshot.workers if one.available_at <= leaves_at]
    problem = lay_out(replace(snapshot, workers=tuple(here)), params)
    table = exclusions(problem)
    draft = Draft(problem, [()] * len(problem.workers))
    before = list(draft.routes)
    numbers = [[problem.job_no[order_id] for order_id in order_ids] for _, order_ids in routes]
    loaded = [tuple(2 * n for n in jobs if not problem.single[n]) for jobs in numbers]
    tour = Tour(
        [
            (at, (*stops, *(2 * n + 1 for n in jobs)))
            for at, (stops, jobs) in enumerate(zip(loaded, numbers, strict=True))
        ],
        [],
    )
    free: set[CourierId] = {one.courier_id for one in here}
    chosen: list[list[int]] = []
    for who, _ in routes:
        courier_id = next(one for one in who if one in free)
        free.remove(courier_id)
        chosen.append([problem.worker_no[courier_id]])
    put(draft, tour, chosen)
    gather(draft, table == 0, never)
    place_rest(draft, table == 0)
    plan = report(draft, table, before, "wave", never)
    return replace(plan, unassigned=tuple(map(by_shift, plan.unassigned)))
