"""
The method, on one page: from a snapshot to a proposed plan; no I/O.

    1. keep      the plan in force, less what can no longer be done                    (never worse than before)
    2. shed      what makes a courier break a hard rule, if it is free to go
    3. gather    groups of one pickup, each with one courier                           (groups.py)
       fill      jobs nobody has, each where it adds least                             (an answer within milliseconds)
    4. rematch   all movable jobs anew as chains of trips: a min-cost flow, several trips ahead
       relocate  jobs one by one to where they cost less; 2 to 4 until nothing changes
    5. search    OR-Tools and ruin and recreate from there, given a time budget        (search/solver.py)
    6. report    times, cost by term, who must be told now, and why the rest has nobody (report.py)

What is on board stays with its courier, pinned orders stay, the leg being driven stays: none of the steps can touch
them. A step that is stopped, fails or finds nothing better leaves the draft of the step before.
"""

from collections.abc import Collection
from dataclasses import replace

from dispatch.planning.demand import moves
from dispatch.planning.draft import Draft
from dispatch.planning.improve import force, regret, settle
from dispatch.planning.in_force import bound_worker, kept_routes, movable_jobs
from dispatch.planning.params import Params, ShouldEnd, never
from dispatch.planning.problem import lay_out
from dispatch.planning.proposal import Plan
from dispatch.planning.reasons import exclusions
from dispatch.planning.report import report
from dispatch.planning.snapshot import Snapshot
from dispatch.stop import OrderId


def propose(
    snapshot: Snapshot, params: Params, should_end: ShouldEnd = never, again: Collection[OrderId] | None = None
) -> Plan:
    """
    Routes for all couriers of a snapshot, and reasons for the orders that have none.

    Pure: the same snapshot, params and seed give the same plan, unless `should_end` cuts it short; it is asked between
    steps and ends the improvement, never the answer. `again`: of the orders in the plan in force only these are tried
    elsewhere, for nothing has changed around the others; None: all.
    """
    problem = lay_out(snapshot, params)
    table = exclusions(problem)
    allowed = table == 0
    draft = Draft(problem, kept_routes(problem, table))
    before = list(draft.routes)
    for job_no in draft.unassigned():
        holder = bound_worker(problem, job_no)
        if holder is not None:
            force(draft, holder, job_no)

    tried = None if again is None else {problem.job_no[order_id] for order_id in again if order_id in problem.job_no}
    draft = settle(draft, allowed, should_end, tried)
    found = draft
    if regret(draft) >= params.search_above:
        from dispatch.planning.search.solver import search  # noqa: PLC0415 - OR-Tools, for those processes that plan

        found = search(draft, allowed, movable_jobs(draft), should_end)
    idle = [number for number, stops in enumerate(found.routes) if not stops]
    plan = report(found, table, before, "insertion" if found is draft else "search", should_end)
    return replace(plan, moves=moves(snapshot, params, idle))
