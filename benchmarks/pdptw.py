"""
Li & Lim's pickup and delivery with time windows: vehicles first, then distance; beside VROOM and PyVRP in one run.

    python -m benchmarks.pdptw FILE… --seconds 10 --json

All three get the same integers (hundredths, rounded up, so that what is feasible there is feasible in double
precision); feasibility and distance are then checked by benchmarks/lilim.py, in double precision. One after another on
one machine; VROOM uses two threads, the others one. Peers that are not installed are left out, and said.
"""

import argparse
import json
import sys
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from math import ceil
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.lilim import Instance, best_known, faults, length, read
from dispatch.planning.problem import Stops
from dispatch.planning.profiles import DAYS, Profile
from dispatch.planning.search.day_ahead import Fleet
from dispatch.planning.search.day_task import Kind, Task

SCALE = 100
PROFILE = Profile.PARCEL
"""What an installation chooses that has such days."""

Solver = Callable[[Task, float, int], list[Stops] | None]


def task_of(instance: Instance) -> tuple[Task, list[int]]:
    """The instance as a task, and the row of each of its stops."""
    rows = instance.rows
    row_of = [end for number, row in enumerate(rows) if row.dropoff for end in (number, row.dropoff)] + [0]
    depot = len(row_of) - 1
    vans = Kind(
        count=instance.n_vehicles,
        distance=[[ceil(instance.distance(a, b) * SCALE - 1e-9) for b in row_of] for a in row_of],
        start=depot,
        end=depot,
        opens=rows[0].opens * SCALE,
        closes=rows[0].closes * SCALE,
        capacity=(instance.capacity,),
    )
    task = Task(
        opens=[rows[row].opens * SCALE for row in row_of],
        closes=[rows[row].closes * SCALE for row in row_of],
        service=[rows[row].service * SCALE for row in row_of],
        size=[(rows[row].demand,) for row in row_of[:depot:2]],
        kinds=(vans,),
    )
    return task, row_of


def by_postrider(task: Task, seconds: float, seed: int) -> list[Stops] | None:
    tour = Fleet(task, cooling=DAYS[PROFILE], seed=seed).solve(seconds=seconds)
    return None if tour.left else [stops for _, stops in tour.routes]


def solvers() -> dict[str, Solver]:
    """Ours, and the peers that are installed."""
    found: dict[str, Solver] = {"postrider": by_postrider}
    if find_spec("vroom") and find_spec("pyvrp"):
        from benchmarks.pdptw_peers import by_pyvrp, by_vroom  # noqa: PLC0415 - not installed everywhere

        found["vroom"] = lambda task, seconds, _seed: by_vroom(task, seconds)
        found["pyvrp"] = lambda task, seconds, seed: by_pyvrp(task, seconds, seed=seed)
    return found


def measure(instance: Instance, solver: Solver, *, seconds: float, seed: int) -> dict[str, Any]:
    """One solver on one instance."""
    task, row_of = task_of(instance)
    began = perf_counter()
    found = solver(task, seconds, seed)
    took = perf_counter() - began
    routes = [tuple(row_of[stop] for stop in route) for route in found or []]
    return {
        "vehicles": len(routes),
        "distance": round(length(instance, routes), 2),
        "feasible": found is not None and not faults(instance, routes),
        "seconds": round(took, 2),
    }


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="*", help="of postrider, vroom, pyvrp")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    files = [path for path in options.files if path.exists()]
    if not files:
        print("skipped: no instances; name some, such as ../shared/data/lilim/pdptw100/*.txt", file=sys.stderr)
        print(json.dumps({"instances": {}, "skipped": "no instances"}) if options.json else "")
        return
    chosen = {name: solver for name, solver in solvers().items() if not options.only or name in options.only}
    versions = {
        name: version(package) for name, package in (("vroom", "pyvroom"), ("pyvrp", "pyvrp")) if name in chosen
    }
    print(f"{options.seconds} s each, seed {options.seed}, versions {versions}", file=sys.stderr)
    instances: dict[str, dict[str, Any]] = {}
    for path in files:
        instance = read(path)
        known = best_known(path.parent.parent / "BKS.tsv").get(instance.name)
        instances[instance.name] = row = {}
        for name, solver in chosen.items():
            row[name] = measure(instance, solver, seconds=options.seconds, seed=options.seed)
            told = row[name]
            mark = "" if told["feasible"] else " INFEASIBLE"
            result = f"{told['vehicles']:3d} {told['distance']:10.2f} {told['seconds']:6.2f} s{mark}"
            print(f"{instance.name:>8} {name:>9} {result}   best known {known}", file=sys.stderr, flush=True)
    if options.json:
        print(json.dumps({"instances": instances}, indent=1))
    print(summary(instances), file=sys.stderr)


def summary(instances: dict[str, dict[str, Any]]) -> str:
    """Where we stand against each peer, in words."""
    lines = []
    for peer in ("vroom", "pyvrp"):
        pairs = [(row["postrider"], row[peer]) for row in instances.values() if peer in row and "postrider" in row]
        if not pairs:
            continue
        more = sum(ours["vehicles"] > theirs["vehicles"] for ours, theirs in pairs)
        fewer = sum(ours["vehicles"] < theirs["vehicles"] for ours, theirs in pairs)
        equal = [
            100 * (ours["distance"] / theirs["distance"] - 1)
            for ours, theirs in pairs
            if ours["vehicles"] == theirs["vehicles"]
        ]
        worst = max(equal, default=0.0)
        mean = sum(equal) / max(1, len(equal))
        lines.append(
            f"against {peer}: {more} with more vehicles, {fewer} with fewer;"
            f" distance with as many: {mean:+.2f} % on average, {worst:+.2f} % at worst"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
