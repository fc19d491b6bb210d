"""
How long a decision takes when something happens: a new order, a rejection, a cancellation, a courier who is late.

    python -m benchmarks.replan --json

Two made-up cities (benchmarks/city.py) with a plan in force: `day` is the peak hour of 400 couriers and 3,000 orders a
day, with 300 orders open; `large` has 1,000 couriers and 1,500 open orders. Each event changes the city, the planner is
asked as in production (insertion and matching, no search), the plan is in force for the next event. `full` is a replan
of 200 couriers and 500 orders with all it can do in 2 s, against the plan of insertion alone. Travel times are made
before; the planner alone is timed.
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.city import NOW, City, in_force, under_way
from dispatch.planning.params import Params
from dispatch.planning.problem import lay_out
from dispatch.planning.proposal import Plan
from dispatch.planning.propose import propose
from dispatch.planning.schedule import price
from dispatch.planning.snapshot import Snapshot
from dispatch.stop import StopKind

CITIES = {"day": (400, 300), "large": (1000, 1500)}
FULL = (200, 500)
FULL_S = 2.0
PARAMS = Params()


def new_order(city: City, number: int) -> None:
    """An order is placed."""
    del number
    order = city.new_order()
    city.snapshot = replace(city.snapshot, jobs=(*city.snapshot.jobs, order))
    city.measure_travel()


def rejection(city: City, number: int) -> None:
    """A courier refuses an order."""
    snapshot = city.snapshot
    held = [
        (worker, stop.order_id) for worker in snapshot.workers for stop in worker.route if stop.kind is StopKind.PICKUP
    ]
    courier, order_id = held[(number * 7919) % len(held)]
    city.snapshot = replace(
        snapshot,
        jobs=tuple(
            replace(job, refused_by=job.refused_by | {courier.courier_id}) if job.order_id == order_id else job
            for job in snapshot.jobs
        ),
        workers=tuple(
            replace(
                worker,
                route=tuple(stop for stop in worker.route if stop.order_id != order_id),
                shown=worker.shown - {order_id},
            )
            for worker in snapshot.workers
        ),
    )


def cancellation(city: City, number: int) -> None:
    """A customer takes an order back."""
    gone = city.snapshot.jobs[(number * 7919) % len(city.snapshot.jobs)]
    city.snapshot = replace(city.snapshot, jobs=tuple(job for job in city.snapshot.jobs if job is not gone))


def late_courier(city: City, number: int) -> None:
    """A courier with work is held up for 20 minutes."""
    busy = [worker for worker in city.snapshot.workers if worker.route]
    late = busy[(number * 7919) % len(busy)]
    city.snapshot = replace(
        city.snapshot,
        workers=tuple(
            replace(worker, available_at=max(worker.available_at, NOW) + 1200) if worker is late else worker
            for worker in city.snapshot.workers
        ),
    )


EVENTS: dict[str, Callable[[City, int], None]] = {
    "new_order": new_order,
    "rejection": rejection,
    "cancellation": cancellation,
    "late_courier": late_courier,
}


def measure_events(*, n_couriers: int, n_orders: int, n_events: int, seed: int) -> dict[str, dict[str, float]]:
    """Decision times in ms by kind of event."""
    city = under_way(n_couriers=n_couriers, n_orders=n_orders, seed=seed, params=PARAMS)
    city.snapshot = in_force(city.snapshot, propose(city.snapshot, PARAMS))  # settled, and warm
    taken_ms: dict[str, list[float]] = {name: [] for name in EVENTS}
    for number in range(n_events):
        for name, happen in EVENTS.items():
            happen(city, number)
            began = perf_counter()
            plan = propose(city.snapshot, PARAMS)
            taken_ms[name].append(1000 * (perf_counter() - began))
            city.snapshot = in_force(city.snapshot, plan)
    taken_ms["all"] = [ms for values in taken_ms.values() for ms in values]
    return {
        name: {
            "n": len(values),
            "p50_ms": round(float(np.percentile(values, 50)), 1),
            "p99_ms": round(float(np.percentile(values, 99)), 1),
            "max_ms": round(max(values), 1),
        }
        for name, values in taken_ms.items()
    }


def measure_full(*, n_couriers: int, n_orders: int, seconds: float, seed: int) -> dict[str, Any]:
    """
    A replan of everything within `seconds`, from the plan that insertion and matching made, however long that took.

    `seconds` is all of it: laying out, a pass of insertion and matching, search, report.
    """
    city = City(n_couriers=n_couriers, n_orders=n_orders, seed=seed)
    began = perf_counter()
    quick = propose(city.snapshot, PARAMS)
    quick_s = perf_counter() - began
    snapshot = in_force(city.snapshot, quick)
    snapshot = replace(snapshot, workers=tuple(replace(worker, shown=frozenset()) for worker in snapshot.workers))
    # The next cycle searches from the plan in force.
    budget_s = 0.85 * seconds
    began = perf_counter()
    deep = propose(snapshot, replace(PARAMS, search_s=budget_s), lambda: perf_counter() - began > seconds)
    deep_s = perf_counter() - began
    return {
        "insertion": {"seconds": round(quick_s, 2), "cost": quick.cost, "unassigned": len(quick.unassigned)},
        "search": {
            "seconds": round(deep_s, 2),
            "cost": deep.cost,
            "unassigned": len(deep.unassigned),
            "feasible": is_feasible(snapshot, deep),
            "source": deep.source,
        },
        "gain_pct": round(100 * (1 - deep.cost / quick.cost), 2),
    }


def is_feasible(snapshot: Snapshot, plan: Plan) -> bool:
    """By the exact schedule, and every order once."""
    problem = lay_out(snapshot, PARAMS)
    seen: list[int] = []
    for worker_no, route in enumerate(plan.routes):
        stops = tuple(
            2 * problem.job_no[row.stop.order_id] + (row.stop.kind is StopKind.DROPOFF) for row in route.stops
        )
        seen += stops
        if price(problem, worker_no, stops)[1] > 0:
            return False
        if any(stop & 1 and stops.index(stop ^ 1) > stops.index(stop) for stop in stops):
            return False
    return len(set(seen)) == len(seen) == 2 * len(plan.assignments)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=50, help="of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cities", nargs="*", default=list(CITIES), choices=list(CITIES))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result: dict[str, Any] = {"events": {}}
    for name in options.cities:
        n_couriers, n_orders = CITIES[name]
        told = measure_events(n_couriers=n_couriers, n_orders=n_orders, n_events=options.events, seed=options.seed)
        result["events"][name] = {"couriers": n_couriers, "open_orders": n_orders, **told}
        for kind, row in told.items():
            print(f"{name:>6} {kind:>13} {row}", file=sys.stderr, flush=True)
    n_couriers, n_orders = FULL
    full = measure_full(n_couriers=n_couriers, n_orders=n_orders, seconds=FULL_S, seed=options.seed)
    result["full"] = {"couriers": n_couriers, "open_orders": n_orders, **full}
    print(f"  full {full}", file=sys.stderr)
    if options.json:
        print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
