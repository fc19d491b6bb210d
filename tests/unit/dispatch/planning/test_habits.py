"""A courier's own pace and the hour of a leg count in a plan."""

from dataclasses import replace

import pytest

from dispatch.planning.params import Params
from dispatch.planning.propose import propose
from dispatch.rhythm import STEP_S, Habits, Rhythm
from tests.unit.dispatch.planning.worlds import NOW, courier_id, job, worker, world
from tracking.position import Mode

KITCHEN, DOOR, NEAR, FAR = (0, 0), (0, 3000), (-1500, 0), (-2500, 0)


def two_couriers_one_order(**fields):
    return world([KITCHEN, DOOR, NEAR, FAR], [job(0, 0, 1)], [worker(0, 2, **fields), worker(1, 3)])


def arrivals(plan):
    return [row.arrives_at - NOW for route in plan.routes for row in route.stops]


def test_a_plan_reckons_with_the_couriers_own_pace():
    as_usual = propose(two_couriers_one_order(), Params())
    slow = propose(two_couriers_one_order(pace=1.1), Params())
    assert as_usual.routes[0].stops
    assert arrivals(as_usual) == [300, 300 + 120 + 600]
    assert slow.routes[0].stops
    assert arrivals(slow) == pytest.approx([330, 330 + 120 + 660], rel=0.02)


def test_who_is_nearer_but_slower_gets_nothing():
    assert propose(two_couriers_one_order(pace=1.6), Params()).routes[1].stops


def test_a_pace_is_of_the_courier_it_was_learned_of():
    habits = {Mode.CAR: Habits(paces={courier_id(0): 1.5})}
    travel = replace(two_couriers_one_order().travel, habits=habits)
    assert [travel.at_own_pace(worker(n, 2)).pace for n in (0, 1)] == [1.5, 1.0]
    assert travel.at_own_pace(worker(7, 2), courier_id(0)).pace == 1.5


def test_a_leg_takes_what_it_takes_at_the_hour_it_is_driven():
    """Ready in an hour, when the streets are full: the first leg is driven then, and so is the second."""
    rush = Rhythm(begins_at=NOW, slowness=(1.0, 1.0, 2.0))
    snapshot = two_couriers_one_order()
    snapshot = replace(snapshot, workers=(replace(snapshot.workers[0], available_at=NOW + 2 * STEP_S),))
    at_rush = replace(snapshot, travel=replace(snapshot.travel, habits={Mode.CAR: Habits(rhythm=rush)}))
    quiet = propose(snapshot, Params())
    busy = propose(at_rush, Params())
    assert arrivals(quiet) == [1800 + 300, 1800 + 300 + 120 + 600]
    assert arrivals(busy) == [1800 + 600, 1800 + 600 + 120 + 1200]
    assert busy.routes[0].cost["travel"] == 2 * quiet.routes[0].cost["travel"]


def test_a_leg_driven_now_is_not_longer_for_a_rush_to_come():
    rush = Rhythm(begins_at=NOW, slowness=(*[1.0] * 8, 2.0))
    snapshot = two_couriers_one_order()
    later = replace(snapshot, travel=replace(snapshot.travel, habits={Mode.CAR: Habits(rhythm=rush)}))
    assert arrivals(propose(later, Params())) == arrivals(propose(snapshot, Params()))
