"""The benchmark's day on a small instance: feasible by rules written apart from it, and nothing looked at too early."""

from dataclasses import replace

import pytest

from benchmarks.mdrp import MEAL, mean_preparation_min, simulate
from benchmarks.mdrp_rules import measure, violations, write_solution
from benchmarks.mdrp_world import drive, read_instance, venture

ORDERS = """order\tx\ty\tplacement_time\trestaurant\tready_time
o1\t1000\t0\t10\tr1\t25
o2\t1100\t0\t11\tr1\t26
o3\t4000\t3000\t20\tr2\t40
o4\t0\t2500\t95\tr1\t110
"""
COURIERS = """courier\tx\ty\ton_time\toff_time
c1\t0\t0\t0\t60
c2\t3000\t3000\t30\t90
"""
RESTAURANTS = "restaurant\tx\ty\nr1\t0\t500\nr2\t3000\t2500\n"
PARAMETERS = "a\tb\tc\td\te\tf\tg\n320\t4\t4\t40\t90\t10\t15\n"


@pytest.fixture
def instance(tmp_path):
    folder = tmp_path / "tiny"
    folder.mkdir()
    for name, text in (
        ("orders", ORDERS),
        ("couriers", COURIERS),
        ("restaurants", RESTAURANTS),
        ("instance_parameters", PARAMETERS),
    ):
        (folder / f"{name}.txt").write_text(text)
    return read_instance(folder)


def test_day_breaks_no_published_rule_and_serves_what_can_be_served(instance):
    day = simulate(instance)
    assert list(violations(instance, day.trips)) == []
    assert {meal.name for trip in day.trips for meal in trip.meals} == {"o1", "o2", "o3"}
    row = measure(instance, day.trips)
    assert row["undelivered_pct"] == 25
    # c2 comes on duty at 30, two minutes from r2, and waits for o3 to be ready at 40.
    (trip,) = [trip for trip in day.trips if trip.rider.name == "c2"]
    assert trip.pickup_at == 40


def test_trips_are_the_same_whatever_is_placed_later(instance):
    """Orders placed after a minute change nothing of what was decided until then: nothing later is looked at."""
    early = replace(instance, meals=tuple(meal for meal in instance.meals if meal.placed_at < 20))
    until = [trip for trip in simulate(instance).trips if trip.assigned_at < 20]
    assert until == [trip for trip in simulate(early).trips if trip.assigned_at < 20]


def test_where_only_the_mean_is_known_no_ready_time_is_looked_at(instance):
    """Whatever ready times will be, couriers are sent alike until the first of them is found not ready."""
    by_mean = simulate(instance, preparation_min=mean_preparation_min(instance))
    assert list(violations(instance, by_mean.trips)) == []
    later = replace(instance, meals=tuple(replace(meal, ready_at=meal.ready_at + 30) for meal in instance.meals))
    first, other = (
        min(simulate(one, preparation_min=15).trips, key=lambda trip: trip.assigned_at) for one in (instance, later)
    )
    assert (first.assigned_at, first.rider, first.meals[0].name) == (
        other.assigned_at,
        other.rider,
        other.meals[0].name,
    )
    assert other.pickup_at > first.pickup_at


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"pickup_at": 1}, "not ready"),
        ({"pickup_at": 5000}, "after the off-time"),
        ({"assigned_at": 0}, "not placed yet"),
        ({"dropoff_at": 200}, "longest click-to-door"),
        ({"dropoff_at": (1, 2)}, "before being there"),
        ({"moves": ()}, "one leg for each order"),
    ],
)
def test_checker_finds_a_broken_rule(instance, change, complaint):
    trips = simulate(instance, replace(MEAL)).trips
    trip = max(trips, key=lambda trip: len(trip.meals))
    if "moves" in change:
        change = {"moves": trip.moves[:-1]}
    if "dropoff_at" in change:
        at = 1 if isinstance(change["dropoff_at"], tuple) else change["dropoff_at"]
        change = {"dropoff_at": tuple(at for _ in trip.dropoff_at)}
    broken = [*(other for other in trips if other is not trip), replace(trip, **change)]
    assert any(complaint in text for text in violations(instance, broken))


def test_courier_in_two_trips_at_once_is_found(instance):
    trips = simulate(instance).trips
    rider = trips[0].rider
    assert list(violations(instance, [replace(trip, rider=rider) for trip in trips]))


def test_solution_files_hold_every_order_and_move(instance, tmp_path):
    trips = simulate(instance).trips
    write_solution(instance, trips, tmp_path / "out")
    lines = {
        name: (tmp_path / "out" / f"solution_info_{name}.txt").read_text().splitlines()
        for name in ("assignments", "orders", "couriers")
    }
    assert len(lines["assignments"]) == 1 + len(trips)
    assert len(lines["orders"]) == 1 + 3
    assert len(lines["couriers"]) == 1 + sum(len(trip.moves) for trip in trips)
    assert lines["couriers"][1].split()[2] == "0"


def test_goods_that_are_not_ready_within_the_shift_are_left_behind_and_collected_by_others(instance):
    """Who was sent in good faith waits until the off-time; with the rest of the bundle it is collected then."""
    [o1, o2, o3, _] = instance.meals
    late = replace(o2, ready_at=70)
    early, off = instance.riders
    trip, missed = venture(instance, early, early.place, 20, [o1, late])
    assert trip is not None
    assert (trip.meals, trip.pickup_at, missed) == ((o1,), early.off_at, [late])
    assert venture(instance, early, early.place, 20, [late]) == (None, [late])
    assert venture(instance, off, off.place, 30, [o3])[0] == drive(instance, off, off.place, 30, [o3])
    slow = replace(instance, meals=(o1, late, o3))
    day = simulate(slow, preparation_min=mean_preparation_min(instance))
    assert list(violations(slow, day.trips)) == []
    assert [trip.rider.name for trip in day.trips if late in trip.meals] in ([], ["c2"])


def test_what_cannot_be_there_in_time_any_more_is_left_behind_for_good(instance):
    hasty = replace(instance, latest_min=40)
    o1, o2, *_ = hasty.meals
    trip, missed = venture(hasty, hasty.riders[0], hasty.riders[0].place, 20, [replace(o1, ready_at=58), o2])
    assert missed == []
    assert trip is None or all(at - meal.placed_at <= 40 for meal, at in zip(trip.meals, trip.dropoff_at, strict=True))
    assert venture(hasty, hasty.riders[0], hasty.riders[0].place, 20, [replace(o1, ready_at=58)]) == (None, [])
