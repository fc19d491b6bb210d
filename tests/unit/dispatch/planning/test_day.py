"""A day planned ahead: hard windows, shifts that begin later, breaks, loads, depots; and why the rest has nobody."""

from dataclasses import replace

import pytest

from dispatch.planning.day import DayProgress, plan_day
from dispatch.planning.profiles import DAYS, PROFILES, Profile
from dispatch.planning.proposal import ReasonCode
from dispatch.planning.snapshot import Break, Visit
from dispatch.stop import StopKind
from tests.unit.dispatch.planning.worlds import NOW, courier_id, job, order_id, worker, world

HOUR = 3600
DEPOT, EAST, WEST, NORTH = range(4)
TOWN = [(0, 0), (3000, 0), (-3000, 0), (0, 3000)]


def parcel(n, dropoff, opens_at=NOW, closes_at=NOW + 12 * HOUR, **facts):
    """From the depot, to be delivered within a hard window."""
    wanted = job(n, DEPOT, dropoff, **facts)
    return replace(wanted, dropoff=Visit(place=dropoff, opens_at=opens_at, closes_at=closes_at, service_s=120))


def van(n, begins_at=NOW, ends_at=NOW + 12 * HOUR, **facts):
    facts = {"end": DEPOT, "max_orders": 1000, "shift_ends_at": ends_at} | facts
    return replace(worker(n, DEPOT, **facts), available_at=begins_at)


def planned(jobs, vans, *, profile=Profile.PARCEL, **how):
    return plan_day(world(TOWN, jobs, vans), PROFILES[profile], DAYS[profile], seconds=0, steps=60, **how)


def orders_of(plan):
    return {route.courier_id: {row.stop.order_id for row in route.stops} for route in plan.routes if route.stops}


def test_orders_go_to_those_whose_shift_has_begun_by_then():
    early, late = van(0, ends_at=NOW + 3 * HOUR), van(1, begins_at=NOW + 6 * HOUR)
    morning = parcel(0, EAST, closes_at=NOW + 2 * HOUR)
    evening = parcel(1, WEST, opens_at=NOW + 8 * HOUR, closes_at=NOW + 9 * HOUR)
    plan = planned([morning, evening], [early, late])
    assert orders_of(plan) == {courier_id(0): {order_id(0)}, courier_id(1): {order_id(1)}}
    starts = {row.stop: row.starts_at for route in plan.routes for row in route.stops}
    assert all(at >= NOW + 6 * HOUR for stop, at in starts.items() if stop.order_id == order_id(1))


def test_vans_are_back_at_the_depot_when_their_shift_ends():
    """The way back takes ten minutes: who drops off five minutes before the end is late."""
    wanted = parcel(0, EAST, opens_at=NOW + HOUR, closes_at=NOW + HOUR)
    ends_at = NOW + HOUR + 120
    (left,) = planned([wanted], [van(0, ends_at=ends_at + 599)]).unassigned
    assert left.reasons == {ReasonCode.SHIFT_END: 1}
    assert orders_of(planned([wanted], [van(0, ends_at=ends_at + 601)])) == {courier_id(0): {order_id(0)}}


@pytest.mark.parametrize(("capacity", "n_trips"), [((2,), 2), ((4,), 1)])
def test_van_loads_what_fits_and_comes_back_for_the_rest(capacity, n_trips):
    jobs = [parcel(n, EAST, size=(1,)) for n in range(4)]
    (route,) = [route for route in planned(jobs, [van(0, capacity=capacity)]).routes if route.stops]
    places = [row.place for row in route.stops]
    assert sum(a != DEPOT and b == DEPOT for a, b in zip(places, [*places[1:], DEPOT], strict=True)) == n_trips


def test_break_is_taken_within_its_window():
    pause = Break(opens_at=NOW + HOUR, closes_at=NOW + HOUR, duration_s=HOUR)
    wanted = parcel(0, EAST, opens_at=NOW + HOUR + 600, closes_at=NOW + HOUR + 1200)
    assert orders_of(planned([wanted], [van(0, breaks=(pause,))])) == {}
    late_enough = replace(wanted, dropoff=replace(wanted.dropoff, closes_at=NOW + 4 * HOUR))
    assert orders_of(planned([late_enough], [van(0, breaks=(pause,))])) == {courier_id(0): {order_id(0)}}


def test_what_nobody_can_take_says_why_and_hinders_nothing():
    jobs = [
        parcel(0, EAST),
        parcel(1, WEST, skills=frozenset({"ice"})),
        parcel(2, NORTH, size=(9,)),
        parcel(3, NORTH, closes_at=NOW + 10),
    ]
    plan = planned(jobs, [van(0, capacity=(4,))])
    assert orders_of(plan) == {courier_id(0): {order_id(0)}}
    assert {left.order_id: next(iter(left.reasons)) for left in plan.unassigned} == {
        order_id(1): ReasonCode.SKILLS,
        order_id(2): ReasonCode.CAPACITY,
        order_id(3): ReasonCode.DROPOFF_WINDOW,
    }


def test_nobody_on_shift_is_a_reason_and_no_orders_is_an_empty_plan():
    (left,) = planned([parcel(0, EAST)], []).unassigned
    assert left.reasons == {ReasonCode.NO_COURIERS: 0}
    assert planned([], [van(0)]).unassigned == ()


def test_parcels_take_few_vans_and_meals_take_all_that_helps():
    jobs = [parcel(n, place) for n, place in enumerate((EAST, WEST, NORTH, EAST, WEST, NORTH))]
    vans = [van(n) for n in range(3)]
    assert len(orders_of(planned(jobs, vans))) == 1
    far = [replace(one, start=place, end=None) for one, place in zip(vans, (EAST, WEST, NORTH), strict=True)]
    between = [
        replace(job(n, place, place), dropoff=Visit(place=place, closes_at=NOW + 12 * HOUR))
        for n, place in enumerate((EAST, WEST, NORTH))
    ]
    assert len(orders_of(planned(between, far, profile=Profile.MEAL))) == 3


def test_progress_is_told_and_the_search_can_be_ended():
    heard: list[DayProgress] = []
    jobs = [parcel(n, place) for n, place in enumerate((EAST, WEST, NORTH))]
    planned(jobs, [van(0)], tell=heard.append)
    assert heard[-1].n_orders == 3
    assert heard[-1].n_unassigned == 0
    assert heard[-1].travel_s > 0
    assert [one.share for one in heard] == sorted(one.share for one in heard)
    assert orders_of(planned(jobs, [van(0)], should_end=lambda: True)) == {
        courier_id(0): {order_id(0), order_id(1), order_id(2)}
    }


def single(n, place, only, **facts):
    visit = Visit(place=place, closes_at=NOW + 12 * HOUR, service_s=120)
    wanted = job(n, place, place, **facts)
    return replace(wanted, only=only, pickup=Visit(place=place), dropoff=visit)


@pytest.mark.parametrize(("only", "n_fit"), [(StopKind.DROPOFF, 2), (StopKind.PICKUP, 2)])
def test_what_is_loaded_before_or_kept_takes_its_room_all_day(only, n_fit):
    jobs = [single(n, place, only, size=(1,)) for n, place in enumerate((EAST, WEST, NORTH))]
    plan = planned(jobs, [van(0, capacity=(2,))])
    (route,) = [route for route in plan.routes if route.stops]
    assert {row.stop.kind for row in route.stops} == {only}
    assert (len(route.stops), len(plan.unassigned)) == (n_fit, 1)


def test_what_is_handed_over_makes_room_for_what_is_collected_and_visits_need_none():
    jobs = [
        single(0, EAST, StopKind.DROPOFF, size=(1,)),
        single(1, EAST, StopKind.PICKUP, size=(1,)),
        single(2, NORTH, StopKind.DROPOFF),
    ]
    plan = planned(jobs, [van(0, capacity=(1,))])
    (route,) = [route for route in plan.routes if route.stops]
    order = [row.stop.order_id for row in route.stops]
    assert plan.unassigned == ()
    assert order.index(order_id(0)) < order.index(order_id(1))
