"""
What of the plan in force still holds; no I/O.

Orders are delivered, cancelled, collected and pinned while a plan is in force, and couriers go off duty or fall behind:
`kept_routes` takes out what can no longer be done and leaves the rest as it is.
"""

from dispatch.planning.draft import Draft
from dispatch.planning.problem import Problem, Stops
from dispatch.planning.reasons import Exclusions


def bound_worker(problem: Problem, job_no: int) -> int | None:
    """The worker a job must stay with: it is on board there, or pinned to it. None: free, or the holder is off duty."""
    job = problem.jobs[job_no]
    courier = job.onboard_of or job.pinned_to
    return problem.worker_no.get(courier) if courier is not None else None


def is_movable(draft: Draft, job_no: int, horizon: int) -> bool:
    """Whether another courier may get a job: not held, not of a group, no stop of it locked, and not too far ahead."""
    problem, worker_no = draft.problem, draft.worker_of[job_no]
    job = problem.jobs[job_no]
    if job.onboard_of is not None or job.pinned_to is not None or job_no in problem.group_of:
        return False
    if worker_no < 0:
        return job.pickup.opens_at <= horizon
    return all(stop >> 1 != job_no for stop in draft.routes[worker_no][: problem.n_locked[worker_no]])


def movable_jobs(draft: Draft) -> list[int]:
    """The jobs that another courier may get."""
    horizon = draft.problem.now + draft.problem.params.horizon_s
    return [job_no for job_no in range(len(draft.problem.jobs)) if is_movable(draft, job_no, horizon)]


def kept_routes(problem: Problem, table: Exclusions) -> list[Stops]:
    """The routes in force, without orders that are closed, held by another, or excluded from their courier."""
    seen: set[int] = set()
    routes = []
    for worker_no, worker in enumerate(problem.workers):
        stops = problem.stops_of(worker)
        locked = {stop >> 1 for stop in stops[: problem.n_locked[worker_no]]}
        whole = {stop >> 1 for stop in stops if stop & 1 and (problem.single[stop >> 1] or stop ^ 1 in stops)} - seen
        held = {job_no for job_no in whole if bound_worker(problem, job_no) == worker_no}
        free = {job_no for job_no in whole if not table[job_no, worker_no]}
        kept = tuple(
            dict.fromkeys(
                stop
                for stop in stops
                if stop >> 1 in held | free | (locked & whole) and (stop & 1 or not problem.single[stop >> 1])
            )
        )
        seen |= {stop >> 1 for stop in kept}
        routes.append(kept)
    return routes
