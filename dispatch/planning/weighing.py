"""
What an order would cost with each courier, and what speaks against the others; no I/O.

The same routes in force, rules and prices as `propose` uses, asked about one pair at a time: for people who decide.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from dispatch.planning.cost import by_term
from dispatch.planning.draft import Draft
from dispatch.planning.improve import force
from dispatch.planning.in_force import bound_worker, kept_routes
from dispatch.planning.insertion import best_in_route, earliest_pickups
from dispatch.planning.params import Params, ShouldEnd, never
from dispatch.planning.problem import Problem, lay_out
from dispatch.planning.proposal import ReasonCode
from dispatch.planning.reasons import exclusions, objections, obstacles
from dispatch.planning.schedule import schedule
from dispatch.planning.snapshot import FOREVER, Snapshot, UnixS, Worker
from dispatch.stop import OrderId
from tracking.position import CourierId

WITHOUT_POSITION = frozenset({ReasonCode.RANGE, ReasonCode.TOO_FAR, ReasonCode.PICKUP_WINDOW, ReasonCode.SHIFT_END})
"""Nothing of this can be told of a courier whose whereabouts nobody knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """A courier and an order: what it would cost, or what speaks against it."""

    courier_id: CourierId
    order_id: OrderId
    reasons: tuple[ReasonCode, ...] = ()
    """All constraints that exclude the pair; none: it is possible."""
    cost: Mapping[str, int] | None = None
    """What the order adds to the courier's route, by term; None where it is excluded."""
    pickup_at: UnixS | None = None
    """Arrival there; None when it is on board."""
    dropoff_at: UnixS | None = None
    late_s: int = 0
    """At both stops together."""
    refused: bool = False
    """The courier turned it down before."""

    @property
    def total(self) -> int:
        """The cost in one number."""
        return sum((self.cost or {}).values())


def candidates(
    snapshot: Snapshot, params: Params, order_id: OrderId, should_end: ShouldEnd = never
) -> tuple[Weighed, ...]:
    """
    The order with every courier of a snapshot, whoever has it now: those it costs least with first, then the excluded.

    What is on board stays with its courier. Pairs not looked at when it should end are said to be out of time.
    """
    problem, draft = _drafted(_freed(snapshot, {order_id}), params)
    found = _weigh(draft, problem.job_no[order_id], range(len(problem.workers)), should_end)
    return tuple(sorted(found, key=lambda one: (one.cost is None, one.total)))


def suggestions(
    snapshot: Snapshot,
    params: Params,
    courier_id: CourierId,
    order_ids: Iterable[OrderId],
    should_end: ShouldEnd = never,
) -> tuple[Weighed, ...]:
    """Orders that nobody has with one courier: those that cost least first, then the excluded ones."""
    asked = tuple(order_ids)
    problem, draft = _drafted(_freed(snapshot, set(asked)), params)
    worker_no = problem.worker_no[courier_id]
    found = [one for id_ in asked for one in _weigh(draft, problem.job_no[id_], [worker_no], should_end)]
    return tuple(sorted(found, key=lambda one: (one.cost is None, one.total)))


def speaking_against(
    snapshot: Snapshot, params: Params, courier_id: CourierId, order_ids: Sequence[OrderId]
) -> dict[OrderId, tuple[ReasonCode, ...]]:
    """
    What speaks against giving orders to a courier, each beside those before it; nothing where the courier has it.

    Orders and couriers that the snapshot does not have are left out.
    """
    problem, draft = _drafted(_freed(snapshot, set(order_ids)), params)
    worker_no = problem.worker_no.get(courier_id)
    found: dict[OrderId, tuple[ReasonCode, ...]] = {}
    for order_id in order_ids:
        job_no = problem.job_no.get(order_id)
        if worker_no is None or job_no is None:
            continue
        has_it = order_id in problem.workers[worker_no].shown
        [one] = _weigh(draft, job_no, [worker_no], never)
        found[order_id] = () if has_it else one.reasons
        if bound_worker(problem, job_no) is None and draft.worker_of[job_no] < 0:
            force(draft, worker_no, job_no)
    return found


def _drafted(snapshot: Snapshot, params: Params) -> tuple[Problem, Draft]:
    """The routes in force, as the planner begins with them."""
    problem = lay_out(snapshot, params)
    draft = Draft(problem, kept_routes(problem, exclusions(problem)))
    for job_no in draft.unassigned():
        holder = bound_worker(problem, job_no)
        if holder is not None and not problem.onboard[job_no]:
            force(draft, holder, job_no)
    return problem, draft


def _freed(snapshot: Snapshot, order_ids: set[OrderId]) -> Snapshot:
    """The snapshot with the orders in nobody's route; who has been shown them is remembered, for it costs."""
    jobs = tuple(replace(job, pinned_to=None) if job.order_id in order_ids else job for job in snapshot.jobs)
    workers = tuple(_without(worker, order_ids) for worker in snapshot.workers)
    return replace(snapshot, jobs=jobs, workers=workers)


def _without(worker: Worker, order_ids: set[OrderId]) -> Worker:
    route = tuple(stop for stop in worker.route if stop.order_id not in order_ids)
    n_locked = sum(stop.order_id not in order_ids for stop in worker.route[: worker.n_locked])
    return replace(worker, route=route, n_locked=n_locked)


def _weigh(draft: Draft, job_no: int, worker_nos: Iterable[int], should_end: ShouldEnd) -> list[Weighed]:
    problem = draft.problem
    by_pair, arrives_at = objections(problem, job_no), earliest_pickups(draft, job_no)
    job, found = problem.jobs[job_no], []
    for worker_no in worker_nos:
        worker = problem.workers[worker_no]
        reasons = list(by_pair[worker_no])
        if job.onboard_of is not None:
            reasons = [] if job.onboard_of == worker.courier_id else [ReasonCode.PINNED]
        elif should_end() and not reasons:
            reasons = [ReasonCode.OUT_OF_TIME]
        else:
            reasons += obstacles(draft, worker_no, job_no, int(arrives_at[worker_no]))
        if not worker.has_fresh_position:
            reasons = [code for code in reasons if code not in WITHOUT_POSITION]
        one = Weighed(
            courier_id=worker.courier_id,
            order_id=job.order_id,
            reasons=tuple(dict.fromkeys(reasons)),
            refused=worker.courier_id in job.refused_by,
        )
        found.append(one if reasons else _priced(draft, worker_no, job_no, one))
    return found


def _priced(draft: Draft, worker_no: int, job_no: int, one: Weighed) -> Weighed:
    """The pair at the best place in the route, which there is; what is on board is there whatever it breaks."""
    problem, before = draft.problem, draft.routes[worker_no]
    place = best_in_route(draft, worker_no, job_no, allowance=FOREVER if problem.onboard[job_no] else 0)
    assert place is not None
    times = schedule(problem, worker_no, place.stops)
    terms, old = by_term(problem, worker_no, place.stops, times), by_term(problem, worker_no, before)
    of_job = {stop & 1: row for stop, row in zip(place.stops, times, strict=True) if stop >> 1 == job_no}
    return replace(
        one,
        cost={name: value - old[name] for name, value in terms.items()},
        pickup_at=of_job[0].arrives_at if 0 in of_job else None,
        dropoff_at=of_job[1].starts_at,
        late_s=sum(row.late_s for row in of_job.values()),
    )
