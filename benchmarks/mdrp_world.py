"""
A Grubhub instance and its day: what is known when, what couriers do once told; minutes and metres as published.

Rules (D. Reyes et al., "Meal Delivery Routing: The Grubhub Instances", 2018): an order and its ready time are known
from its placement on; half of each service time passes before a pickup or drop-off happens and half after; orders
share a trip only from one restaurant; a courier once sent is not diverted, does not collect after the off-time, may
deliver after it, and waits where the last trip ended. The longest click-to-door of 90 minutes is kept as well, though
the official evaluator does not check it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import numpy as np
import numpy.typing as npt

from dispatch.stop import OrderId
from tracking.position import CourierId

Minute = int


@dataclass(frozen=True, slots=True, kw_only=True)
class Meal:
    """An order of an instance."""

    name: str
    order_id: OrderId
    restaurant: str
    placed_at: Minute
    ready_at: Minute
    pickup_place: int
    dropoff_place: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rider:
    """A courier of an instance."""

    name: str
    courier_id: CourierId
    place: int
    on_at: Minute
    off_at: Minute


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One published day."""

    name: str
    meals: tuple[Meal, ...]
    """By placement."""
    riders: tuple[Rider, ...]
    travel_min: npt.NDArray[np.int32]
    """[place, place]: whole minutes, rounded up as published."""
    place_names: tuple[str, ...]
    pickup_min: int
    dropoff_min: int
    target_min: int
    latest_min: int
    """Longest click-to-door allowed: an order that cannot be delivered by then is not delivered."""
    pay_per_order: float
    pay_per_hour: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Trip:
    """A bundle a courier was sent for, and when everything happens."""

    rider: Rider
    meals: tuple[Meal, ...]
    """In the order of delivery."""
    assigned_at: Minute
    pickup_at: Minute
    dropoff_at: tuple[Minute, ...]
    moves: tuple[tuple[Minute, int, int], ...]
    """Departure, from place, to place."""
    free_at: Minute
    ends_at_place: int


def read_instance(folder: Path) -> Instance:
    """Read the four tab-separated files of an instance; raises OSError or ValueError when it is not one."""
    restaurants = _rows(folder / "restaurants.txt")
    orders = _rows(folder / "orders.txt")
    couriers = _rows(folder / "couriers.txt")
    (parameters,) = _rows(folder / "instance_parameters.txt")
    metres_per_minute, pickup_min, dropoff_min, target_min, latest_min, pay_per_order, pay_per_hour = parameters
    points = [(row[1], row[2]) for row in (*restaurants, *orders, *couriers)]
    place_of = {row[0]: number for number, row in enumerate(restaurants)}
    first_order, first_courier = len(restaurants), len(restaurants) + len(orders)
    meals = [
        Meal(
            name=name,
            order_id=OrderId(UUID(int=number + 1)),
            restaurant=restaurant,
            placed_at=int(placed_at),
            ready_at=int(ready_at),
            pickup_place=place_of[restaurant],
            dropoff_place=first_order + number,
        )
        for number, (name, _, _, placed_at, restaurant, ready_at) in enumerate(orders)
    ]
    riders = tuple(
        Rider(
            name=name,
            courier_id=CourierId(UUID(int=2**64 + number)),
            place=first_courier + number,
            on_at=int(on_at),
            off_at=int(off_at),
        )
        for number, (name, _, _, on_at, off_at) in enumerate(couriers)
    )
    return Instance(
        name=folder.name,
        meals=tuple(sorted(meals, key=lambda meal: meal.placed_at)),
        riders=riders,
        travel_min=_travel_min(points, float(metres_per_minute)),
        place_names=tuple(row[0] for row in (*restaurants, *orders, *couriers)),
        pickup_min=int(pickup_min),
        dropoff_min=int(dropoff_min),
        target_min=int(target_min),
        latest_min=int(latest_min),
        pay_per_order=float(pay_per_order),
        pay_per_hour=float(pay_per_hour),
    )


def _rows(path: Path) -> list[list[str]]:
    return [line.split("\t") for line in path.read_text().splitlines()[1:] if line.strip()]


def _travel_min(points: Sequence[tuple[str, str]], metres_per_minute: float) -> npt.NDArray[np.int32]:
    at = np.array(points, dtype=np.float64)
    metres = np.sqrt((at[:, None, 0] - at[None, :, 0]) ** 2 + (at[:, None, 1] - at[None, :, 1]) ** 2)
    minutes: npt.NDArray[np.int32] = np.ceil(metres / metres_per_minute).astype(np.int32)
    return minutes


def drive(
    instance: Instance, rider: Rider, place: int, now: Minute, meals: Sequence[Meal], *, waits_until: Minute = 0
) -> Trip:
    """
    What happens when a free rider at a place is sent now for meals of one restaurant, delivered in that order.

    `waits_until`: nothing is collected before, for the rider waits for more.
    """
    travel = instance.travel_min
    restaurant = meals[0].pickup_place
    moves = [(now, place, restaurant)]
    arrives_at = now + int(travel[place, restaurant])
    pickup_at = max(arrives_at + instance.pickup_min // 2, waits_until, *(meal.ready_at for meal in meals))
    clock, place = pickup_at + instance.pickup_min - instance.pickup_min // 2, restaurant
    dropoff_at = []
    for meal in meals:
        moves.append((clock, place, meal.dropoff_place))
        clock += int(travel[place, meal.dropoff_place]) + instance.dropoff_min // 2
        dropoff_at.append(clock)
        clock += instance.dropoff_min - instance.dropoff_min // 2
        place = meal.dropoff_place
    return Trip(
        rider=rider,
        meals=tuple(meals),
        assigned_at=now,
        pickup_at=pickup_at,
        dropoff_at=tuple(dropoff_at),
        moves=tuple(moves),
        free_at=clock,
        ends_at_place=place,
    )


def venture(
    instance: Instance, rider: Rider, place: int, now: Minute, meals: Sequence[Meal]
) -> tuple[Trip | None, list[Meal]]:
    """
    The same where nobody knew when meals would be ready: the trip, and what the rider waited for until the off-time.

    That is left behind, and may be collected by others. What cannot reach its recipient within the longest
    click-to-door any more is left behind as well, for good. No trip: nothing could be collected.
    """
    missed = [meal for meal in meals if meal.ready_at > rider.off_at]
    taken = [meal for meal in meals if meal.ready_at <= rider.off_at]
    waits_until = rider.off_at if missed else 0
    while taken:
        trip = drive(instance, rider, place, now, taken, waits_until=waits_until)
        too_late = [
            meal
            for meal, at in zip(trip.meals, trip.dropoff_at, strict=True)
            if at - meal.placed_at > instance.latest_min
        ]
        if not too_late:
            return trip, missed
        taken.remove(too_late[0])
    return None, missed
