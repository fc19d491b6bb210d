"""
Batch matching of orders to couriers as a min-cost flow (OR-Tools); no I/O.

Every order may go to one of few couriers or stay unassigned at a price; the explicit stay-unassigned arc means that
one impossible order never empties the answer. `chains` lets orders follow orders as well: a courier's next order may
start where and when another one ends, so that one matching plans several trips ahead.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from dispatch.planning import cost
from dispatch.planning.draft import Draft
from dispatch.planning.problem import Floats, Problem, Stops
from dispatch.planning.schedule import RouteState, price, start, walk
from dispatch.planning.snapshot import FOREVER

Ints = npt.NDArray[np.int64]


def match(costs: Ints, skip: Ints, n_nearest: int = 20) -> Ints:
    """
    For each row the column it takes, or -1: each column once, least total cost, a row left out costs `skip[row]`.

    `costs[row, column]` is FOREVER or more where the pair is impossible. Each row keeps its `n_nearest` cheapest pairs.
    Of equally cheap matchings the same one comes out on every run.
    """
    n_rows, n_columns = costs.shape
    n_kept = min(n_nearest, n_columns)
    if n_rows == 0 or n_kept == 0:
        return np.full(n_rows, -1, dtype=np.int64)
    if n_kept < n_columns:
        columns = np.argpartition(costs, n_kept - 1, axis=1)[:, :n_kept].ravel()
    else:
        columns = np.tile(np.arange(n_columns), n_rows)
    rows = np.repeat(np.arange(n_rows), n_kept)
    prices = costs[rows, columns]
    useful = prices < skip[rows]
    rows, columns, prices = rows[useful], columns[useful], prices[useful]

    sink = n_rows + n_columns
    everyone, taken = np.arange(n_rows), np.unique(columns)
    tails = np.concatenate([rows, n_rows + taken, everyone])
    heads = np.concatenate([n_rows + columns, np.full(len(taken) + n_rows, sink)])
    unit_costs = np.concatenate([prices, np.zeros(len(taken), dtype=np.int64), skip])
    from ortools.graph.python import min_cost_flow  # noqa: PLC0415 - for those processes that plan

    flow = min_cost_flow.SimpleMinCostFlow()
    flow.add_arcs_with_capacity_and_unit_cost(tails, heads, np.ones(len(tails), dtype=np.int64), unit_costs)
    flow.set_nodes_supplies(everyone, np.ones(n_rows, dtype=np.int64))
    flow.set_node_supply(sink, -n_rows)
    chosen = np.full(n_rows, -1, dtype=np.int64)
    if flow.solve() == flow.OPTIMAL and len(rows):
        used = flow.flows(np.arange(len(rows))) > 0
        chosen[rows[used]] = columns[used]
    return chosen


def chains(draft: Draft, allowed: npt.NDArray[np.bool_], movable: Sequence[int]) -> list[Stops]:
    """
    Routes in which the movable jobs are matched anew, one trip after another, to workers and to each other.

    When a job ends is taken from its time in the draft, or from its opening where it has none: an estimate, so that the
    caller must judge the routes by their true cost. A route is cut where it would break a hard rule.
    """
    problem = draft.problem
    freed = set(movable)
    fixed = [tuple(stop for stop in stops if stop >> 1 not in freed) for stops in draft.routes]
    if not movable or not problem.workers:
        return fixed
    ends = [walk(problem, number, start(problem, number), stops) for number, stops in enumerate(fixed)]
    costs = np.hstack([_after_workers(problem, allowed, movable, ends), _after_jobs(draft, movable)])
    skip = np.array([cost.unassigned(problem, job_no) for job_no in movable], dtype=np.int64)
    n_workers = len(problem.workers)
    next_row = {int(source): row for row, source in enumerate(match(costs, skip)) if source >= 0}

    routes = []
    for worker_no, base in enumerate(fixed):
        stops = base
        allowance, row = price(problem, worker_no, stops)[1], next_row.get(worker_no)
        while row is not None and allowed[movable[row], worker_no]:
            longer = (*stops, *problem.stops_for(movable[row]))
            if price(problem, worker_no, longer)[1] > allowance:
                break
            stops, row = longer, next_row.get(n_workers + row)
        routes.append(stops)
    return routes


def _after_workers(
    problem: Problem, allowed: npt.NDArray[np.bool_], movable: Sequence[int], ends: Sequence[RouteState]
) -> Ints:
    """[movable job, worker]: cost of the job as the worker's next trip; FOREVER where it is impossible."""
    costs = np.full((len(movable), len(ends)), FOREVER, dtype=np.int64)
    leaves_at = np.array([end.leaves_at for end in ends], dtype=np.int64)
    places = np.array([end.place for end in ends])
    shift_ends_at = np.array([worker.shift_ends_at for worker in problem.workers], dtype=np.int64)
    for mode, numbers in problem.workers_of_mode.items():
        travel_s = problem.travel_s[mode]
        costs[:, numbers] = _trip_costs(
            problem,
            travel_s,
            movable,
            leaves_at=leaves_at[numbers],
            places=places[numbers],
            latest=shift_ends_at[numbers],
            paces=None if problem.paces is None else problem.paces[numbers],
        )
    costs += np.array([0 if end.kind >= 0 else problem.idle_value[number] for number, end in enumerate(ends)])
    costs[~allowed[movable]] = FOREVER
    return costs


def _after_jobs(draft: Draft, movable: Sequence[int]) -> Ints:
    """[movable job, movable job before it]: cost of a trip after another; only later after earlier, so no rings."""
    problem = draft.problem
    mode = max(problem.workers_of_mode, key=lambda mode: len(problem.workers_of_mode[mode]))
    travel_s = problem.travel_s[mode]
    starts_at = np.array([_start_in(draft, job_no) for job_no in movable], dtype=np.int64)
    pickups = np.array([problem.jobs[job_no].pickup.place for job_no in movable])
    dropoffs = np.array([problem.jobs[job_no].dropoff.place for job_no in movable])
    service_s = np.array([problem.service_s[2 * job_no] + problem.service_s[2 * job_no + 1] for job_no in movable])
    leaves_at = starts_at + service_s + travel_s[pickups, dropoffs]
    costs = _trip_costs(
        problem, travel_s, movable, leaves_at=leaves_at, places=dropoffs, latest=np.full(len(movable), FOREVER)
    )
    rank = np.empty(len(movable), dtype=np.int64)
    rank[np.argsort(starts_at, kind="stable")] = np.arange(len(movable))
    costs[rank[:, None] <= rank] = FOREVER
    return costs


def _start_in(draft: Draft, job_no: int) -> int:
    """When the job's pickup starts in the draft; its earliest when nobody has it."""
    problem, worker_no = draft.problem, draft.worker_of[job_no]
    opens_at = max(problem.opens_at[2 * job_no], problem.now)
    if worker_no < 0:
        return opens_at
    after = draft.routes[worker_no].index(problem.stops_for(job_no)[0]) + 1
    return max(draft.states[worker_no][after].arrived_at, opens_at)


def _trip_costs(
    problem: Problem,
    travel_s: npt.NDArray[np.int32],
    jobs: Sequence[int],
    *,
    leaves_at: Ints,
    places: Ints,
    latest: Ints,
    paces: Floats | None = None,
) -> Ints:
    """[job, source]: cost of driving from the source over the pickup to the drop-off, as `route.walk` counts it."""

    def column(values: list[int], offset: int) -> Ints:
        return np.array([values[2 * job_no + offset] for job_no in jobs], dtype=np.int64)[:, None]

    weights = problem.params.weights
    pickups, dropoffs = column(problem.place, 0), column(problem.place, 1)
    leg_s = travel_s[places, pickups].astype(np.int64)
    direct_s = travel_s[pickups, dropoffs].astype(np.int64)
    if paces is not None:
        leg_s, direct_s = (leg_s * paces).astype(np.int64), (direct_s * paces).astype(np.int64)
    starts_at = np.maximum(leaves_at + leg_s, column(problem.opens_at, 0))
    arrives_at = starts_at + column(problem.service_s, 0) + direct_s
    drops_at = np.maximum(arrives_at, column(problem.opens_at, 1))
    ready_at = np.array([problem.ready_at[job_no] for job_no in jobs], dtype=np.int64)[:, None]
    rate = np.array([problem.delivery_rate[job_no] for job_no in jobs], dtype=np.int64)[:, None]
    total: Ints = weights.travel * (leg_s + direct_s) + rate * (drops_at - ready_at)
    total += column(problem.late_rate, 0) * np.maximum(starts_at - column(problem.due_at, 0), 0)
    total += column(problem.late_rate, 1) * np.maximum(drops_at - column(problem.due_at, 1), 0)
    total += weights.overtime * np.maximum(drops_at - latest, 0)
    impossible = (starts_at > np.minimum(column(problem.closes_at, 0), latest)) | (
        drops_at > column(problem.closes_at, 1)
    )
    total[impossible] = FOREVER
    return total
