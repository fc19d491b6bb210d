"""
Waves from one depot (EURO Meets NeurIPS 2022, dynamic): every hour, which orders leave now and which wait.

    python -m benchmarks.waves ../shared/data/waves --seconds 60 --json

The planner knows an order from its epoch on, and the pool that orders are drawn from; it chooses as
`POST /v1/plans/day` with `waves` does in a region with the profile, which draws from the region's own history. Routes
are checked and priced by benchmarks/waves_rules.py, written apart from the planner. The files' own solutions stand in
results.tsv, where there is one; what is not known is null.
"""

import argparse
import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any, Final

import numpy as np

from benchmarks.waves_rules import Day, Driven, cost, read, violations
from dispatch.planning.profiles import DAYS, WAVES, Profile
from dispatch.planning.search.waves import UNLIMITED, Request, Team, can_leave, wave

PROFILE: Final = Profile.QUICK
"""Vehicles are not counted, seconds driven are."""
DRAWS: Final = 100
"""Orders drawn an epoch, as the competition says."""
HIGHER_IS_NO_TEAM: Final = ("name", "requests", "hindsight", "greedy", "lazy")


def main(argv: Sequence[str] | None = None) -> int:
    """The command; 1 when a day breaks a rule."""
    parser = argparse.ArgumentParser(prog="benchmarks.waves", description=__doc__.splitlines()[1] if __doc__ else None)
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("names", nargs="*", help="only these days")
    parser.add_argument("--seconds", type=float, default=60.0, help="for the decision of an epoch")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    files = [
        path for path in sorted(options.folder.glob("*.json.gz")) if not options.names or name(path) in options.names
    ]
    if not files:
        print("skipped: no day found; name a folder, such as ../shared/data/waves", file=sys.stderr)
        print(json.dumps({"instances": {}, "mean": {}, "skipped": "no day found"}) if options.json else "")
        return 0
    known = published(options.folder / "results.tsv")
    print(f"{options.seconds} s an epoch, seed {options.seed}, profile {PROFILE.value}", file=sys.stderr)
    rows: dict[str, dict[str, Any]] = {}
    broken = 0
    for path in files:
        day = read(path)
        routes, longest_s = live(day, seconds=options.seconds, seed=options.seed)
        faults = list(violations(day, routes))
        broken += len(faults)
        for fault in faults[:5]:
            print(f"{day.name}: {fault}", file=sys.stderr)
        rows[day.name] = row = {
            "cost": cost(day, routes),
            **known.get(day.name, dict.fromkeys(("hindsight", "greedy", "best"))),
            "routes": [{"epoch": one.epoch, "requests": list(one.request_ids)} for one in routes],
            "seconds_per_epoch": round(longest_s, 2),
        }
        above = f"{100 * (row['cost'] / row['hindsight'] - 1):+.2f} % to hindsight" if row["hindsight"] else ""
        print(f"{day.name} {row['cost']:8d} {above} {longest_s:.1f} s", file=sys.stderr, flush=True)
    told = {"instances": rows, "mean": mean(list(rows.values())), "profile": PROFILE.value, "seed": options.seed}
    if options.json:
        print(json.dumps(told))
    print(json.dumps(told["mean"]), file=sys.stderr)
    return 1 if broken else 0


def name(path: Path) -> str:
    """Of the day in a file."""
    return path.name.partition(".")[0]


def published(path: Path) -> dict[str, dict[str, int | None]]:
    """What is known of each day: hindsight, greedy, and the best that anybody reached."""
    if not path.exists():
        return {}
    with path.open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return {
        row["name"]: {
            "hindsight": int(row["hindsight"]),
            "greedy": int(row["greedy"]),
            "best": min(int(value) for team, value in row.items() if team not in HIGHER_IS_NO_TEAM),
        }
        for row in rows
    }


def mean(rows: Sequence[dict[str, Any]]) -> dict[str, float | None]:
    """Over the days; null where one of them is not known."""
    told: dict[str, float | None] = {}
    for key in ("cost", "hindsight", "greedy", "best", "seconds_per_epoch"):
        values = [row[key] for row in rows]
        told[key] = None if None in values else round(float(np.mean(values)), 2)
    told["routes"] = round(float(np.mean([len(row["routes"]) for row in rows])), 2)
    above = [100 * (row["cost"] / row["hindsight"] - 1) for row in rows if row["hindsight"]]
    told["above_hindsight_pct"] = round(float(np.mean(above)), 3) if above else None
    return told


def live(day: Day, *, seconds: float, seed: int) -> tuple[list[Driven], float]:
    """Live through a day, epoch by epoch; its routes, and how long the longest decision took."""
    team = Team(
        count=UNLIMITED,
        durations_s=np.array(day.durations_s, dtype=np.int32),
        capacity=(day.capacity,),
        closes_at=day.closes_s,
    )
    waiting: list[tuple[int, Request]] = []
    driven: list[Driven] = []
    longest_s = 0.0
    for epoch in range(day.first_epoch, day.last_epoch + 1):
        waiting += [
            (
                one.id,
                Request(
                    place=one.customer,
                    opens_at=one.window_s[0],
                    closes_at=one.window_s[1],
                    service_s=one.service_s,
                    size=(one.demand,),
                ),
            )
            for one in day.requests
            if one.epoch == epoch
        ]
        last = min(epoch + WAVES[PROFILE].ahead, day.last_epoch)
        leaves_at = [leaves(day, at) for at in range(epoch, last + 1)]
        began = perf_counter()
        decided = wave(
            [team],
            leaves_at,
            [request for _, request in waiting],
            lambda chance, leaves_at=leaves_at: draw(day, team, leaves_at, chance),  # type: ignore[misc]  # bound now
            cooling=DAYS[PROFILE],
            patience=WAVES[PROFILE],
            seconds=seconds,
            seed=seed + epoch,
        )
        longest_s = max(longest_s, perf_counter() - began)
        routes = [route for _, route in decided.routes]
        driven += [Driven(epoch=epoch, request_ids=tuple(waiting[n][0] for n in route)) for route in routes]
        gone = {n for route in routes for n in route}
        waiting = [one for n, one in enumerate(waiting) if n not in gone]
    return driven, longest_s


def leaves(day: Day, epoch: int) -> int:
    """When a route that is decided in an epoch leaves."""
    return day.epoch_s * epoch + day.margin_s


def draw(day: Day, team: Team, leaves_at: Sequence[int], chance: Random) -> list[Request]:
    """Orders of the following epochs, as the competition draws them."""
    pool = day.customers
    found = []
    for number, at in list(enumerate(leaves_at))[1:]:
        for _ in range(DRAWS):
            window, service = chance.choice(pool).window_s, chance.choice(pool).service_s
            request = Request(
                place=chance.randrange(len(pool)) + 1,
                opens_at=window[0],
                closes_at=window[1],
                service_s=service,
                size=(chance.choice(pool).demand,),
                first=number,
            )
            if can_leave([team], request, number, at):
                found.append(request)
    return found


if __name__ == "__main__":
    sys.exit(main())
