"""
Grubhub's meal delivery instances, simulated event by event through the planner that production uses.

    python -m benchmarks.mdrp ../shared/data/mdrp --json
    python -m benchmarks.mdrp ../shared/data/mdrp/0o50t100s1p100 --solutions /tmp/solutions
    python -m benchmarks.mdrp ../shared/data/mdrp --preparation mean --json

A folder is an instance or holds instances. The clock runs in minutes; the planner is asked when an order is placed, a
courier is free or comes on duty, and when a courier would have to leave. It sees what the rules let it see (see
benchmarks/mdrp_world.py), with `--preparation mean` no ready times but their mean; the day is checked by
benchmarks/mdrp_rules.py before it is measured.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from multiprocessing import Pool
from pathlib import Path

import numpy as np

from benchmarks.mdrp_rules import measure, violations, write_solution
from benchmarks.mdrp_world import Instance, Meal, Minute, Rider, Trip, drive, read_instance, venture
from dispatch.planning.demand import expected_per_hour
from dispatch.planning.params import Params
from dispatch.planning.profiles import Profile
from dispatch.planning.proposal import Plan
from dispatch.planning.propose import propose
from dispatch.planning.snapshot import Job, Snapshot, TravelMatrix, Visit, Worker
from dispatch.region.params import CycleParams
from dispatch.stop import PlannedStop, StopKind
from tracking.position import Mode, Region

LOOK_AHEAD_MIN = 60
"""Couriers whose shift starts, or whose trip ends, within this time are planned with."""

MEAL = CycleParams().by(Profile.MEAL).quick_plan
"""How a region plans at once that has chosen the profile `meal`, and sets nothing beside it."""


@dataclass(slots=True, kw_only=True)
class Day:
    """A simulated day so far."""

    instance: Instance
    now: Minute = 0
    open_meals: dict[str, Meal] = field(default_factory=dict)
    place: dict[str, int] = field(default_factory=dict)
    free_at: dict[str, Minute] = field(default_factory=dict)
    expected_free_at: dict[str, Minute] = field(default_factory=dict)
    """As far as the planner can know."""
    routes: dict[str, tuple[PlannedStop, ...]] = field(default_factory=dict)
    placed: list[tuple[int, int]] = field(default_factory=list)
    """The restaurant's place and the second of each order so far."""
    trips: list[Trip] = field(default_factory=list)
    decisions_s: list[float] = field(default_factory=list)

    left_behind: list[tuple[Minute, Meal]] = field(default_factory=list)
    """Not ready by the off-time of who waited for it: open again from then on."""
    preparation_min: int | None = None
    """All that is known of ready times: so long after the order on average. None: they are known."""
    preparation_error_s: int = 0
    """And how far off that is."""

    def seen(self, meal: Meal) -> Meal:
        """The order as the planner knows it; what is not ready when it was expected may be ready any minute."""
        if self.preparation_min is None:
            return meal
        return replace(meal, ready_at=max(meal.placed_at + self.preparation_min, self.now))

    def available_at(self, rider: Rider) -> Minute:
        """When a courier is free, as far as the planner can know."""
        if self.free_at[rider.name] <= self.now:
            return self.now
        return max(self.expected_free_at.get(rider.name, self.free_at[rider.name]), self.now)

    def demand(self) -> dict[int, float]:
        """Orders expected an hour at each restaurant, as the product forecasts them without a past."""
        return expected_per_hour(self.placed, 60 * self.now)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; 1 when a day breaks a rule."""
    parser = argparse.ArgumentParser(prog="benchmarks.mdrp", description=__doc__.splitlines()[1] if __doc__ else None)
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of a table")
    parser.add_argument(
        "--solutions", type=Path, help="write solution files in the evaluator's format below this folder"
    )
    parser.add_argument(
        "--preparation",
        choices=("known", "mean"),
        default="known",
        help="mean: of ready times only the mean preparation time of the day is known",
    )
    parser.add_argument("--jobs", type=int, default=1, help="processes side by side")
    options = parser.parse_args(argv)
    folders = [found for folder in options.folders for found in find_instances(folder)]
    if not folders:
        parser.error("no instance found")
    tasks = [(folder, options.solutions, options.preparation == "mean") for folder in folders]
    if options.jobs > 1:
        with Pool(options.jobs) as pool:
            results = dict(pool.imap(run_task, tasks))
    else:
        results = dict(map(run_task, tasks))
    broken = {name: row.pop("violations") for name, row in results.items()}
    mean = {key: float(np.mean([row[key] for row in results.values()])) for key in next(iter(results.values()))}
    if options.json:
        json.dump({"instances": results, "mean": mean}, sys.stdout, indent=1)
        print()
    else:
        print_table(results, mean)
    for name, n_broken in broken.items():
        if n_broken:
            print(f"{name}: {n_broken} violations of the rules", file=sys.stderr)
    return 1 if any(broken.values()) else 0


def find_instances(folder: Path) -> list[Path]:
    """The folder itself when it is an instance, otherwise the instances in it, by name."""
    if (folder / "orders.txt").exists():
        return [folder]
    return sorted(path.parent for path in folder.glob("*/orders.txt"))


def run_task(task: tuple[Path, Path | None, bool]) -> tuple[str, dict[str, float]]:
    """Simulate, check and measure one instance; `violations` counts broken rules."""
    folder, solutions, only_mean = task
    instance = read_instance(folder)
    day = simulate(instance, preparation_min=mean_preparation_min(instance) if only_mean else None)
    if solutions is not None:
        write_solution(instance, day.trips, solutions / instance.name)
    decisions_ms = 1000 * np.array(day.decisions_s)
    return instance.name, {
        **measure(instance, day.trips),
        "decision_p99_ms": float(np.percentile(decisions_ms, 99)),
        "decision_max_ms": float(decisions_ms.max()),
        "violations": sum(1 for _ in violations(instance, day.trips)),
    }


def mean_preparation_min(instance: Instance) -> int:
    """From an order to its being ready, on average over the day: what past days would say."""
    return round(float(np.mean([meal.ready_at - meal.placed_at for meal in instance.meals])))


def preparation_error_s(instance: Instance) -> int:
    """How far off the mean is: what an installation learns of its pickup places."""
    return round(60 * float(np.std([meal.ready_at - meal.placed_at for meal in instance.meals])))


def simulate(instance: Instance, params: Params = MEAL, *, preparation_min: int | None = None) -> Day:
    """Run the day from the first order until the last courier who may collect something has gone home."""
    day = Day(
        instance=instance,
        place={rider.name: rider.place for rider in instance.riders},
        free_at={rider.name: rider.on_at for rider in instance.riders},
        preparation_min=preparation_min,
        preparation_error_s=0 if preparation_min is None else preparation_error_s(instance),
    )
    travel = travel_matrix(instance)
    meals = list(reversed(instance.meals))
    ends_at = max(rider.off_at for rider in instance.riders)
    day.now = meals[-1].placed_at
    while day.now <= ends_at and (meals or day.open_meals or day.left_behind):
        while meals and meals[-1].placed_at <= day.now:
            meal = meals.pop()
            day.open_meals[meal.name] = meal
            day.placed.append((meal.pickup_place, 60 * meal.placed_at))
        day.open_meals |= {meal.name: meal for at, meal in day.left_behind if at <= day.now}
        day.left_behind = [(at, meal) for at, meal in day.left_behind if at > day.now]
        for meal in [meal for meal in day.open_meals.values() if meal.placed_at + instance.latest_min <= day.now]:
            del day.open_meals[meal.name]
        leaves_at = decide(day, travel, params)
        events = [meals[-1].placed_at] if meals else []
        again = (at for at, _ in day.left_behind)
        events += [minute for minute in (*day.free_at.values(), *again, leaves_at) if minute > day.now]
        day.now = min(events, default=ends_at + 1)
    return day


def decide(day: Day, travel: TravelMatrix, params: Params) -> Minute:
    """Ask the planner, send the couriers who must leave now; returns when the next one must leave at the earliest."""
    riders = [
        rider for rider in day.instance.riders if day.available_at(rider) <= min(rider.off_at, day.now + LOOK_AHEAD_MIN)
    ]
    if not day.open_meals or not riders:
        return day.now
    began_s = time.perf_counter()
    snapshot = Snapshot(
        region=Region("mdrp"),
        now=60 * day.now,
        jobs=tuple(as_job(day.instance, day.seen(meal), day.preparation_error_s) for meal in day.open_meals.values()),
        workers=tuple(as_worker(day, rider) for rider in riders),
        travel=travel,
        demand=day.demand(),
    )
    plan = propose(snapshot, params)
    day.decisions_s.append(time.perf_counter() - began_s)
    return carry_out(day, riders, plan)


def as_job(instance: Instance, meal: Meal, error_s: int = 0) -> Job:
    """An order in the planner's terms. A visit starts on arrival, half the service before the pickup or drop-off."""
    before_pickup, before_dropoff = instance.pickup_min // 2, instance.dropoff_min // 2
    return Job(
        order_id=meal.order_id,
        pickup=Visit(
            place=meal.pickup_place, opens_at=60 * (meal.ready_at - before_pickup), service_s=60 * instance.pickup_min
        ),
        dropoff=Visit(
            place=meal.dropoff_place,
            due_at=60 * (meal.placed_at + instance.target_min - before_dropoff),
            closes_at=60 * (meal.placed_at + instance.latest_min - before_dropoff),
            service_s=60 * instance.dropoff_min,
        ),
        placed_at=60 * meal.placed_at,
        ready_at=60 * meal.ready_at,
        ready_error_s=error_s,
    )


def as_worker(day: Day, rider: Rider) -> Worker:
    """A courier in the planner's terms: where and when the trip being driven ends."""
    return Worker(
        courier_id=rider.courier_id,
        mode=Mode.CAR,
        start=day.place[rider.name],
        available_at=60 * day.available_at(rider),
        shift_ends_at=60 * (rider.off_at - day.instance.pickup_min // 2),
        max_orders=1000,
        route=day.routes.get(rider.name, ()),
    )


def carry_out(day: Day, riders: Sequence[Rider], plan: Plan) -> Minute:
    """Send every free courier who must leave now; returns when the next one must leave."""
    by_id = {meal.order_id: meal for meal in day.open_meals.values()}
    fixed = {row.order_id for row in plan.assignments if row.commit}
    next_leave = 2**30
    for rider, route in zip(riders, plan.routes, strict=True):
        stops = tuple(row.stop for row in route.stops)
        if stops and day.free_at[rider.name] <= day.now and stops[0].order_id in fixed:
            n_bundle = next((n for n in range(1, len(stops) // 2 + 1) if stops[n].kind is StopKind.DROPOFF), 1)
            bundle = [by_id[stop.order_id] for stop in stops[n_bundle : 2 * n_bundle]]
            send(day, rider, bundle)
            for meal in bundle:
                del day.open_meals[meal.name]
            stops = stops[2 * n_bundle :]
        elif stops:
            first = route.stops[0]
            stay = max(row.starts_at for row in route.stops if row.arrives_at == first.arrives_at)
            leg = int(day.instance.travel_min[day.place[rider.name], first.place])
            # Where it is not known when goods are ready, couriers are sent earlier: ask every minute.
            leaves_at = day.now + 1 if day.preparation_error_s else stay // 60 - leg
            next_leave = min(next_leave, max(leaves_at, day.free_at[rider.name]))
        day.routes[rider.name] = stops
    return next_leave


def send(day: Day, rider: Rider, bundle: Sequence[Meal]) -> None:
    """A free courier goes for a bundle: as it was planned, or as it turns out."""
    instance, place = day.instance, day.place[rider.name]
    if day.preparation_min is None:
        trip: Trip | None = drive(instance, rider, place, day.now, bundle)
    else:
        trip, missed = venture(instance, rider, place, day.now, bundle)
        day.left_behind += [(rider.off_at, meal) for meal in missed]
    expected = drive(instance, rider, place, day.now, [day.seen(meal) for meal in bundle])
    day.expected_free_at[rider.name] = expected.free_at
    if trip is None:
        day.free_at[rider.name] = rider.off_at + 1  # and goes home: who waited in vain did so until the off-time
        return
    day.trips.append(trip)
    day.place[rider.name], day.free_at[rider.name] = trip.ends_at_place, trip.free_at


def travel_matrix(instance: Instance) -> TravelMatrix:
    """The published travel times, in seconds; distances are not used by the rules."""
    durations_s = 60 * instance.travel_min
    return TravelMatrix(durations_s={Mode.CAR: durations_s}, distances_m={Mode.CAR: durations_s})


def print_table(results: dict[str, dict[str, float]], mean: dict[str, float]) -> None:
    """One line an instance, and the mean."""
    print(
        f"{'':18}"
        + "".join(f"{key.replace('click_to_door', 'ctd').replace('ready_to_pickup', 'rtp'):>16}" for key in mean)
    )
    for name, row in [*results.items(), ("mean", mean)]:
        print(f"{name:18}" + "".join(f"{row[key]:16.2f}" for key in mean))


if __name__ == "__main__":
    sys.exit(main())
