"""
The objective, term by term; no I/O.

`route.walk` adds the same terms in one fused pass for speed; this module is the definition people read, and what a plan
reports for each route and assignment. A law in the tests holds the two together.
"""

from collections.abc import Callable, Mapping, Sequence

from dispatch.planning.problem import Problem, StopNo
from dispatch.planning.proposal import ScheduledStop
from dispatch.planning.schedule import schedule

Term = Callable[[Problem, int, Sequence[StopNo], Sequence[ScheduledStop]], int]


def travel(problem: Problem, worker_no: int, stops: Sequence[StopNo], times: Sequence[ScheduledStop]) -> int:
    """Seconds driven, the way to where the courier must end included."""
    del stops
    worker, driven_s = problem.workers[worker_no], sum(row.leg_s for row in times)
    if times and worker.end is not None:
        driven_s += problem.leg_s(worker_no, times[-1].place, worker.end, times[-1].leaves_at)
    return problem.params.weights.travel * driven_s


def delivery(problem: Problem, worker_no: int, stops: Sequence[StopNo], times: Sequence[ScheduledStop]) -> int:
    """Seconds from ready to drop-off, over the orders, dearer with priority."""
    del worker_no
    return sum(
        problem.delivery_rate[stop >> 1] * (row.starts_at - problem.ready_at[stop >> 1])
        for stop, row in zip(stops, times, strict=True)
        if stop & 1
    )


def lateness(problem: Problem, worker_no: int, stops: Sequence[StopNo], times: Sequence[ScheduledStop]) -> int:
    """Seconds after the due time of each stop, dearer with priority."""
    del worker_no
    return sum(problem.late_rate[stop] * row.late_s for stop, row in zip(stops, times, strict=True))


def overtime(problem: Problem, worker_no: int, stops: Sequence[StopNo], times: Sequence[ScheduledStop]) -> int:
    """Seconds after the end of the shift at which drop-offs start and the courier is back where it must end."""
    worker = problem.workers[worker_no]
    instants = [row.starts_at for stop, row in zip(stops, times, strict=True) if stop & 1]
    if times and worker.end is not None:
        left_at = times[-1].leaves_at
        instants.append(left_at + problem.leg_s(worker_no, times[-1].place, worker.end, left_at))
    late_s = sum(max(instant - worker.shift_ends_at, 0) for instant in instants)
    return problem.params.weights.overtime * late_s


def waiting(problem: Problem, worker_no: int, stops: Sequence[StopNo], times: Sequence[ScheduledStop]) -> int:
    """Seconds waited at stops for their windows to open."""
    del worker_no, stops
    return problem.params.weights.waiting * sum(row.starts_at - row.arrives_at for row in times)


def change(problem: Problem, worker_no: int, stops: Sequence[StopNo], times: Sequence[ScheduledStop]) -> int:
    """Orders collected by this courier that another one has been shown."""
    del times
    moved = sum(1 for stop in stops if problem.taken_from[stop] not in (worker_no, -1))
    return problem.params.weights.change * moved


def position(problem: Problem, worker_no: int, stops: Sequence[StopNo], times: Sequence[ScheduledStop]) -> int:
    """What it costs orders yet to come that the courier leaves its place."""
    del times
    return problem.idle_value[worker_no] if stops else 0


TERMS: Mapping[str, Term] = {
    "travel": travel,
    "delivery": delivery,
    "lateness": lateness,
    "overtime": overtime,
    "waiting": waiting,
    "change": change,
    "position": position,
}


def by_term(
    problem: Problem, worker_no: int, stops: Sequence[StopNo], times: Sequence[ScheduledStop] | None = None
) -> dict[str, int]:
    """Cost of a route by term; `times` are its scheduled stops where the caller has them."""
    if times is None:
        times = schedule(problem, worker_no, stops)
    return {name: term(problem, worker_no, stops, times) for name, term in TERMS.items()}


def unassigned(problem: Problem, job_no: int) -> int:
    """
    What it costs to leave an order without a courier: more with priority and with the time since it was placed.

    The delivery time and lateness that it has already are part of it: they come with any route that takes it, and would
    otherwise make an order the less worth taking the longer it waits.
    """
    weights, now = problem.params.weights, problem.now
    job = problem.jobs[job_no]
    left = (1 + max(job.priority, 0)) * (weights.unassigned + weights.ageing * max(now - job.placed_at, 0))
    had = problem.delivery_rate[job_no] * max(now - job.ready_at, 0)
    had += sum(problem.late_rate[stop] * max(now - problem.due_at[stop], 0) for stop in (2 * job_no, 2 * job_no + 1))
    taken_back = weights.change if problem.shown_to[job_no] >= 0 else 0
    return left + had + taken_back
