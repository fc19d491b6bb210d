"""
The published rules and measures of the meal delivery problem, written apart from the planner and the simulation.

`violations` and `measure` look only at the trips driven and at the instance, so that an error of the planner or of the
simulation cannot hide. The official evaluator accepts the solution files that `write_solution` makes.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from math import ceil
from pathlib import Path

import numpy as np

from benchmarks.mdrp_world import Instance, Trip


def violations(instance: Instance, trips: Sequence[Trip]) -> Iterator[str]:
    """Every rule that is broken, in words; nothing for a feasible day."""
    counts = Counter(meal.name for trip in trips for meal in trip.meals)
    yield from (f"{name} is in {count} trips" for name, count in counts.items() if count > 1)
    for trip in trips:
        yield from _violations_of_trip(instance, trip)
    for rider in instance.riders:
        clock, place = rider.on_at, rider.place
        for trip in sorted((trip for trip in trips if trip.rider == rider), key=lambda trip: trip.assigned_at):
            if trip.assigned_at < clock:
                yield f"{rider.name} is sent at {trip.assigned_at} while busy until {clock}"
            for leaves_at, origin, destination in trip.moves:
                if leaves_at < clock or origin != place:
                    yield f"{rider.name} leaves {origin} at {leaves_at} but is at {place} at {clock}"
                clock, place = leaves_at + int(instance.travel_min[origin, destination]), destination
            clock = max(clock, trip.free_at)


def _violations_of_trip(instance: Instance, trip: Trip) -> Iterator[str]:
    who, before_pickup, before_dropoff = trip.rider.name, instance.pickup_min / 2, instance.dropoff_min / 2
    if len({meal.restaurant for meal in trip.meals}) != 1:
        yield f"{who} bundles orders of several restaurants"
    if trip.pickup_at > trip.rider.off_at:
        yield f"{who} collects at {trip.pickup_at}, after the off-time {trip.rider.off_at}"
    if any(trip.assigned_at < meal.placed_at for meal in trip.meals):
        yield f"{who} is sent at {trip.assigned_at} for an order not placed yet"
    if any(trip.pickup_at < meal.ready_at for meal in trip.meals):
        yield f"{who} collects at {trip.pickup_at} what is not ready"
    (leaves_at, origin, restaurant), *legs = trip.moves
    if leaves_at < trip.assigned_at or restaurant != trip.meals[0].pickup_place:
        yield f"{who} does not go to the restaurant after being sent"
    if trip.pickup_at < leaves_at + int(instance.travel_min[origin, restaurant]) + ceil(before_pickup):
        yield f"{who} collects before being there"
    for meal, dropoff_at in zip(trip.meals, trip.dropoff_at, strict=True):
        if dropoff_at - meal.placed_at > instance.latest_min:
            yield f"{who} delivers {meal.name} after the longest click-to-door"
    clock = trip.pickup_at + before_pickup
    if len(legs) != len(trip.meals):
        yield f"{who} does not make one leg for each order"
    for (leaves_at, origin, destination), meal, dropoff_at in zip(legs, trip.meals, trip.dropoff_at, strict=False):
        if destination != meal.dropoff_place or leaves_at < clock:
            yield f"{who} leaves too early, or for another place than that of {meal.name}"
        if dropoff_at < leaves_at + int(instance.travel_min[origin, destination]) + before_dropoff:
            yield f"{who} delivers {meal.name} before being there"
        clock = dropoff_at + before_dropoff


def measure(instance: Instance, trips: Sequence[Trip]) -> dict[str, float]:
    """The measures of the paper, over the orders delivered; minutes and dollars."""
    rows = [(meal, trip.pickup_at, at) for trip in trips for meal, at in zip(trip.meals, trip.dropoff_at, strict=True)]
    click_to_door = np.array([dropoff_at - meal.placed_at for meal, _, dropoff_at in rows], dtype=float)
    ready_to_pickup = np.array([pickup_at - meal.ready_at for meal, pickup_at, _ in rows], dtype=float)
    n_by_rider = Counter(trip.rider.name for trip in trips for _ in trip.meals)
    pay = sum(
        max(instance.pay_per_order * n_by_rider[rider.name], instance.pay_per_hour * (rider.off_at - rider.on_at) / 60)
        for rider in instance.riders
    )
    return {
        "undelivered_pct": 100 * (1 - len(rows) / len(instance.meals)),
        "click_to_door_mean": float(click_to_door.mean()),
        "click_to_door_p90": float(np.percentile(click_to_door, 90)),
        "overage_mean": float(np.maximum(click_to_door - instance.target_min, 0).mean()),
        "ready_to_pickup_mean": float(ready_to_pickup.mean()),
        "ready_to_pickup_p90": float(np.percentile(ready_to_pickup, 90)),
        "cost_per_order": pay / len(rows),
        "orders_per_bundle": len(rows) / len(trips),
    }


def write_solution(instance: Instance, trips: Sequence[Trip], folder: Path) -> None:
    """The three files that the official evaluator reads."""
    folder.mkdir(parents=True, exist_ok=True)
    names = instance.place_names
    trips = sorted(trips, key=lambda trip: trip.assigned_at)
    assignments = ["assignment_time pickup_time courier orders"]
    assignments += [
        f"{trip.assigned_at} {trip.pickup_at} {trip.rider.name} {' '.join(meal.name for meal in trip.meals)}"
        for trip in trips
    ]
    orders = ["order placement_time restaurant ready_time pickup_time dropoff_time courier"]
    orders += [
        " ".join(
            map(
                str,
                (
                    meal.name,
                    meal.placed_at,
                    meal.restaurant,
                    meal.ready_at,
                    trip.pickup_at,
                    dropoff_at,
                    trip.rider.name,
                ),
            )
        )
        for trip in trips
        for meal, dropoff_at in zip(trip.meals, trip.dropoff_at, strict=True)
    ]
    couriers = ["courier departure_time origin destination"]
    for rider in instance.riders:
        moves = [move for trip in trips if trip.rider == rider for move in trip.moves]
        couriers += [
            f"{rider.name} {leaves_at} {'0' if origin == rider.place else names[origin]} {names[destination]}"
            for leaves_at, origin, destination in moves
        ]
    for name, lines in (("assignments", assignments), ("orders", orders), ("couriers", couriers)):
        (folder / f"solution_info_{name}.txt").write_text("\n".join(lines) + "\n")
