"""A draft as a plan for people and programs: times, cost by term, what to fix now, and reasons; no I/O."""

from statistics import NormalDist

from dispatch.planning.cost import by_term
from dispatch.planning.draft import Draft
from dispatch.planning.in_force import bound_worker
from dispatch.planning.params import ShouldEnd, never
from dispatch.planning.problem import Problem, StopNo, Stops
from dispatch.planning.proposal import Assignment, Plan, ProposedRoute, ScheduledStop
from dispatch.planning.reasons import Exclusions, explain
from dispatch.planning.schedule import schedule
from dispatch.planning.snapshot import FOREVER, UnixS

SOONEST = 0.2
"""No courier is sent so early that goods will be ready before with a smaller probability."""
NORMAL = NormalDist()


def report(
    draft: Draft,
    table: Exclusions,
    before: list[Stops],
    source: str = "insertion",
    should_end: ShouldEnd = never,
) -> Plan:
    """
    The plan that a draft stands for; `before` are the routes in force, to say whether anything changed.

    Routes are told whatever the time; reasons that must be tried out are given up when `should_end`.
    """
    problem = draft.problem
    routes, assignments = [], []
    for worker_no, worker in enumerate(problem.workers):
        stops = draft.routes[worker_no]
        times = schedule(problem, worker_no, stops)
        terms = by_term(problem, worker_no, stops, times)
        routes.append(ProposedRoute(courier_id=worker.courier_id, stops=times, cost=terms))
        due = due_now(draft, worker_no, times)
        for job_no in dict.fromkeys(stop >> 1 for stop in stops):
            rest = tuple(stop for stop in stops if stop >> 1 != job_no)
            without = by_term(problem, worker_no, rest) if rest else dict.fromkeys(terms, 0)
            assignments.append(
                Assignment(
                    order_id=problem.jobs[job_no].order_id,
                    courier_id=worker.courier_id,
                    cost={name: terms[name] - without[name] for name in terms},
                    commit=job_no in due,
                )
            )
    return Plan(
        routes=tuple(routes),
        assignments=tuple(assignments),
        unassigned=tuple(explain(draft, table, job_no, should_end) for job_no in draft.unassigned()),
        cost=draft.total(),
        source="kept" if draft.routes == before else source,
    )


def due_now(draft: Draft, worker_no: int, times: tuple[ScheduledStop, ...]) -> set[int]:
    """
    Jobs to be fixed now: held ones, and those of the next stay when the courier must leave for it within the lead time.

    The courier must leave so as to arrive when service can start, not earlier, nor only to wait at a door further on:
    until then another may turn out better.
    """
    problem, stops = draft.problem, draft.routes[worker_no]
    due = {stop >> 1 for stop in stops if bound_worker(problem, stop >> 1) == worker_no}
    due |= {stop >> 1 for stop in stops[: problem.n_locked[worker_no]]}
    if not stops:
        return due
    first = times[0]
    worker = problem.workers[worker_no]
    leg_s = problem.leg_s(worker_no, worker.start, first.place, problem.now)
    stay = [(stop, row) for stop, row in zip(stops, times, strict=True) if row.arrives_at == first.arrives_at]
    wanted_at = max(max(row.arrives_at, be_there_at(problem, stop)) for stop, row in stay)
    leave_by = max(wanted_at - leg_s, worker.available_at)
    leave_by += spare_s(problem, worker_no, stops, times)
    if leave_by <= problem.now + problem.params.commit_lead_s:
        due |= {stop >> 1 for stop, _ in stay}
    return due


def be_there_at(problem: Problem, stop: StopNo) -> UnixS:
    """
    When a courier should be at a stop: as it opens; where that is not sure, the sooner the dearer goods that wait are.

    The newsvendor's quantile: a second of a courier who waits is worth one driven or waited, but not so little that
    couriers would stand about for hours. Source: K. Arrow, T. Harris, J. Marschak, "Optimal Inventory Policy",
    Econometrica 19 (3), 1951.
    """
    opens_at, error_s = problem.opens_at[stop], problem.uncertain_s[stop]
    if not error_s:
        return opens_at
    weights, goods = problem.params.weights, problem.delivery_rate[stop >> 1]
    courier = max(weights.travel, weights.waiting)
    share = min(max(courier / (courier + goods), SOONEST), 0.5) if courier + goods else 0.5
    return opens_at + round(error_s * NORMAL.inv_cdf(share))


def spare_s(problem: Problem, worker_no: int, stops: Stops, times: tuple[ScheduledStop, ...]) -> int:
    """By how much more a route may begin later without any drop-off being later: what is waited at doors further on."""
    if all(not stop & 1 for stop in stops):
        return 0
    before_s, here_s, arrived_at, spare = 0, 0, times[0].arrives_at, FOREVER
    shift_ends_at = problem.workers[worker_no].shift_ends_at
    for stop, row in zip(stops, times, strict=True):
        if row.arrives_at != arrived_at:  # the next stay
            before_s, here_s, arrived_at = before_s + here_s, 0, row.arrives_at
        is_first = arrived_at == times[0].arrives_at
        if stop & 1:
            here_s = max(here_s, 0 if is_first else row.starts_at - row.arrives_at)
            spare = min(spare, before_s + (0 if is_first else row.starts_at - row.arrives_at))
        else:
            until = min(problem.due_at[stop], problem.closes_at[stop], shift_ends_at)
            spare = min(spare, before_s + max(until - row.starts_at, 0))
    return spare
