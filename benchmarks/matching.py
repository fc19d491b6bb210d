"""
One batch of orders matched to couriers, in a random city of ten by ten kilometres.

    python -m benchmarks.matching --orders 1000 --couriers 1500 --json

Each figure is the time from the matrix of costs to the assignment: keeping the nearest couriers of each order, the flow
network, its solution by OR-Tools. `greedy_excess_pct`: by how much first come, first served would cost more.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from time import perf_counter

import numpy as np
import numpy.typing as npt

from dispatch.planning.matching import match

SIDE_M = 10_000
SKIP = 100_000
"""Cost of leaving an order out: more than any way in the city."""


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.matching")
    parser.add_argument("--orders", type=int, default=1000)
    parser.add_argument("--couriers", type=int, default=1500)
    parser.add_argument("--seeds", type=int, default=5, help="random cities")
    parser.add_argument("--repeats", type=int, default=5, help="matchings of each city")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    taken_ms, excess_pct, n_matched = [], [], []
    for seed in range(options.seeds):
        costs = random_costs(options.orders, options.couriers, seed)
        skip = np.full(options.orders, SKIP, dtype=np.int64)
        match(costs, skip)  # the first call of a process loads the library
        for _ in range(options.repeats):
            began = perf_counter()
            chosen = match(costs, skip)
            taken_ms.append(1000 * (perf_counter() - began))
        matched = chosen >= 0
        best = int(costs[matched, chosen[matched]].sum())
        excess_pct.append(100 * (greedy_cost(costs) / best - 1))
        n_matched.append(int(matched.sum()))
    result = {
        "orders": options.orders,
        "couriers": options.couriers,
        "matched": min(n_matched),
        "median_ms": float(np.median(taken_ms)),
        "max_ms": max(taken_ms),
        "greedy_excess_pct": float(np.mean(excess_pct)),
    }
    if options.json:
        json.dump(result, sys.stdout, indent=1)
        print()
    else:
        print(", ".join(f"{key} {value:.1f}" for key, value in result.items()))
    return 0


def random_costs(n_orders: int, n_couriers: int, seed: int) -> npt.NDArray[np.int64]:
    """Straight distances in metres between random orders and couriers."""
    rng = np.random.default_rng(seed)
    orders, couriers = rng.random((n_orders, 2)) * SIDE_M, rng.random((n_couriers, 2)) * SIDE_M
    apart = orders[:, None, :] - couriers[None, :, :]
    return np.hypot(apart[:, :, 0], apart[:, :, 1]).astype(np.int64)


def greedy_cost(costs: npt.NDArray[np.int64]) -> int:
    """Each order in turn takes the nearest courier still free, while there are any."""
    free = costs.astype(np.float64)
    total = 0.0
    for row in range(min(costs.shape)):
        column = int(free[row].argmin())
        total += free[row, column]
        free[:, column] = np.inf
    return int(total)


if __name__ == "__main__":
    sys.exit(main())
