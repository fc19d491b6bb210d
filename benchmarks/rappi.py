"""
A real day with four modes of transport, in real coordinates, through the planner and the chain of travel times.

    python -m benchmarks.rappi ../shared/data/rappi/4 --json
    python -m benchmarks.rappi ../shared/data/rappi --osrm car=http://127.0.0.1:5000 --json

A folder is a day or holds days. Couriers travel as the chain says (benchmarks/rappi_day.py): the engine where one is
given and knows the place, else great circle × detour ÷ speed of the mode. Late is after the platform's own expected
drop-off, which knew nothing of our plan.
"""

import argparse
import asyncio
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from app.wiring.travel import by_mode
from benchmarks.rappi_day import Log, Simulation, read_day
from dispatch.planning.params import Params, Weights
from dispatch.travel.chain import TravelChain
from dispatch.travel.client import EngineClient
from dispatch.travel.great_circle import GreatCircle
from dispatch.travel.osrm import Osrm
from dispatch.travel.times import Source

PARAMS = Params(weights=Weights(travel=1, delivery=4, lateness=4), commit_lead_s=30)


async def run_day(folder: Path, *, osrm: str | None, limit: int | None) -> dict[str, Any]:
    """Live through one day and measure it; `limit`: only so many orders."""
    riders, parcels = read_day(folder)
    async with httpx.AsyncClient() as http:
        engines = [Osrm(client=EngineClient(source=Source.OSRM, http=http), urls=by_mode(osrm))] if osrm else []
        travel = TravelChain(engines=engines, great_circle=GreatCircle())
        simulation = Simulation(riders, parcels[:limit], travel, PARAMS, budget_s=0.5)
        log = await simulation.run()
    return {
        "couriers": dict(Counter(rider.mode.value for rider in riders)),
        "orders": len(parcels[:limit]),
        **measures(log),
    }


def measures(log: Log) -> dict[str, Any]:
    """Service, by mode, and how long it took to decide."""
    n = len(log.delivered) + log.n_lost
    click_to_door = [done.click_to_door_s / 60 for done in log.delivered]
    return {
        "undelivered_pct": round(100 * log.n_lost / max(1, n), 2),
        "click_to_door_mean": _mean(click_to_door),
        "click_to_door_p90": _percentile(click_to_door, 90),
        "ready_to_pickup_mean": _mean([done.ready_to_pickup_s / 60 for done in log.delivered]),
        "late_pct": _mean([100.0 * (done.late_s > 0) for done in log.delivered]),
        "shared_trip_pct": _mean([100.0 * (done.n_on_board > 1) for done in log.delivered]),
        "delivered_by_mode": dict(Counter(done.mode.value for done in log.delivered)),
        "n_decisions": len(log.decision_ms),
        "decision_p50_ms": _percentile(log.decision_ms, 50),
        "decision_p99_ms": _percentile(log.decision_ms, 99),
        "matrix_p50_ms": _percentile(log.matrix_ms, 50),
        "matrix_p99_ms": _percentile(log.matrix_ms, 99),
        "matrix_sources": log.sources,
    }


def _mean(values: list[float]) -> float | None:
    return round(float(np.mean(values)), 2) if values else None


def _percentile(values: list[float], share: float) -> float | None:
    return round(float(np.percentile(values, share)), 2) if values else None


def find_days(folders: list[Path]) -> list[Path]:
    """The folders that are a day, and the days in those that are not."""
    return [
        day
        for folder in folders
        for day in (
            [folder] if (folder / "orders.csv").exists() else sorted(p.parent for p in folder.glob("*/orders.csv"))
        )
    ]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, metavar="DIR")
    parser.add_argument("--osrm", help="an address, or mode=address,…")
    parser.add_argument("--limit", type=int, help="only the first orders of each day")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    days = find_days(options.folders)
    if not days:
        print("skipped: no day found; name a folder, such as ../shared/data/rappi", file=sys.stderr)
        print(json.dumps({"days": {}, "skipped": "no day found"}) if options.json else "")
        return
    result = {}
    for folder in days:
        result[folder.name] = asyncio.run(run_day(folder, osrm=options.osrm, limit=options.limit))
        print(f"{folder.name}: {result[folder.name]}", file=sys.stderr, flush=True)
    if options.json:
        print(json.dumps({"days": result}, indent=1))


if __name__ == "__main__":
    main()
