"""A courier's own pace, the hour of a leg, and how sure it is when goods are ready count in a plan."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.planning.params import Params
from dispatch.planning.profiles import PROFILES, Profile
from dispatch.planning.propose import propose
from dispatch.planning.schedule import expected_start
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


def test_goods_that_may_be_late_make_the_plan_later_and_never_earlier():
    sure = propose(two_couriers_one_order(), Params())
    snapshot = two_couriers_one_order()
    (only,) = snapshot.jobs
    unsure = propose(replace(snapshot, jobs=(replace(only, ready_error_s=600),)), Params())
    assert arrivals(unsure)[0] == arrivals(sure)[0] == 300
    # ready about now, and the courier there in 300 s: E[max(300, N(0, 600))] = 419
    assert arrivals(unsure)[1] - arrivals(sure)[1] == pytest.approx(119, abs=2)


@given(st.integers(0, 5000), st.integers(0, 900), st.integers(-3000, 3000), st.integers(1, 2000))
def test_service_is_expected_later_than_arrival_and_than_ready_and_in_the_order_of_arriving(
    at, later, ready_in, error_s
):
    ready_at = NOW + ready_in
    first = expected_start(NOW + at, ready_at, error_s)
    assert first >= NOW + at
    assert first >= ready_at - 1
    assert expected_start(NOW + at + later, ready_at, error_s) >= first


@pytest.mark.parametrize(("profile", "earlier_s"), [(Profile.MEAL, 505), (Profile.QUICK, 0), (Profile.PARCEL, 0)])
def test_a_courier_is_sent_the_earlier_the_dearer_goods_are_that_wait(profile, earlier_s):
    """Ready in an hour, give or take ten minutes: the order is fixed by how long before."""
    params = PROFILES[profile]
    snapshot = two_couriers_one_order()
    only = job(0, 0, 1, ready_at=NOW + 3600, due_at=NOW + 9000, ready_error_s=600)

    def is_fixed(in_s):
        now = NOW + in_s
        workers = tuple(replace(one, available_at=now) for one in snapshot.workers)
        plan = propose(replace(snapshot, now=now, jobs=(only,), workers=workers), params)
        return any(row.commit for row in plan.assignments)

    leaves_in_s = 3600 - earlier_s - 300 - params.commit_lead_s
    assert not is_fixed(leaves_in_s - 60)
    assert is_fixed(leaves_in_s + 60)
