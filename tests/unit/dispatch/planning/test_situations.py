"""Named situations of a dispatcher's day: reasons, late commitment, bundles, refusals, priorities, calm."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from dispatch.planning.matching import match
from dispatch.planning.params import Bundling, Params, Weights
from dispatch.planning.proposal import ReasonCode
from dispatch.planning.propose import propose
from dispatch.planning.snapshot import FOREVER, Break, Visit
from tests.unit.dispatch.planning.worlds import (
    NOW,
    courier_id,
    dropoff,
    job,
    order_id,
    pickup,
    with_plan,
    worker,
    world,
)
from tracking.position import Mode

# A street: places 0 to 4, a kilometre (200 s by car) apart.
STREET = [(0, 0), (1000, 0), (2000, 0), (3000, 0), (4000, 0)]


def stops_of(plan, n: int):
    (route,) = [route for route in plan.routes if route.courier_id == courier_id(n)]
    return tuple(row.stop for row in route.stops)


def assignment(plan, n: int):
    (found,) = [row for row in plan.assignments if row.order_id == order_id(n)]
    return found


@pytest.mark.parametrize(
    ("order", "courier", "reason"),
    [
        ({}, {"has_fresh_position": False}, ReasonCode.NO_FRESH_POSITION),
        ({"modes": frozenset({Mode.BICYCLE})}, {}, ReasonCode.MODE),
        ({"skills": frozenset({"cold"})}, {}, ReasonCode.SKILLS),
        ({"partner": "acme"}, {"partner": "other", "apart": True}, ReasonCode.PARTNER),
        ({"partner": "acme"}, {"apart": True}, ReasonCode.PARTNER),
        ({}, {"partner": "acme", "apart": True}, ReasonCode.PARTNER),
        ({"size": (3,)}, {"capacity": (2,)}, ReasonCode.CAPACITY),
        ({}, {"range_m": 500}, ReasonCode.RANGE),
        ({}, {"takes_more": False, "max_orders": 0}, ReasonCode.NOT_AT_WORK),
        ({}, {"in_trouble": True, "max_orders": 0}, ReasonCode.IN_TROUBLE),
        ({}, {"shift_ends_at": NOW + 60}, ReasonCode.SHIFT_END),
        ({}, {"max_orders": 0}, ReasonCode.MAX_ORDERS),
        ({"pickup": Visit(place=1, closes_at=NOW + 60)}, {}, ReasonCode.PICKUP_WINDOW),
        ({"dropoff": Visit(place=4, closes_at=NOW + 400)}, {}, ReasonCode.DROPOFF_WINDOW),
        ({"max_on_board_s": 599}, {}, ReasonCode.MAX_ON_BOARD),
        ({"pickup": Visit(place=1, opens_at=NOW + 90_000)}, {}, ReasonCode.NOT_YET),
        ({"pinned_to": courier_id(7)}, {}, ReasonCode.PINNED),
    ],
)
def test_unassigned_order_names_the_constraint_that_excludes_the_courier(order, courier, reason):
    plan = propose(world(STREET, [replace(job(0, 1, 4), **order)], [worker(0, 0, **courier)]), Params())
    (left,) = plan.unassigned
    assert left.reasons == {reason: 1}
    assert left.example == {reason: courier_id(0)}


def test_reasons_are_counted_over_all_candidates_with_an_example_each():
    couriers = [
        worker(0, 0, has_fresh_position=False),
        worker(1, 0, mode=Mode.FOOT),
        worker(2, 0, mode=Mode.FOOT),
        worker(3, 0, range_m=10),
    ]
    plan = propose(world(STREET, [job(0, 1, 4, modes=frozenset({Mode.CAR}))], couriers), Params())
    (left,) = plan.unassigned
    assert left.reasons == {ReasonCode.MODE: 2, ReasonCode.NO_FRESH_POSITION: 1, ReasonCode.RANGE: 1}
    assert left.example[ReasonCode.MODE] == courier_id(1)


def test_load_of_the_route_excludes_a_courier_by_capacity():
    """The courier carries two units for the far end; a third fits nowhere before the window of the new order closes."""
    carried = job(0, 0, 4, size=(2,), onboard_of=courier_id(0))
    late = replace(job(1, 1, 2, size=(1,)), dropoff=Visit(place=2, closes_at=NOW + 600))
    plan = propose(world(STREET, [carried, late], [worker(0, 0, capacity=(2,), route=(dropoff(0),))]), Params())
    (left,) = plan.unassigned
    assert left.reasons == {ReasonCode.CAPACITY: 1}


def test_order_not_worth_its_cost_says_so():
    weights = Weights(unassigned=10, ageing=0)
    plan = propose(world(STREET, [job(0, 4, 0)], [worker(0, 0)]), Params(weights=weights))
    assert plan.unassigned[0].reasons == {ReasonCode.NOT_WORTH_IT: 1}


def test_nobody_on_duty_is_a_reason():
    plan = propose(world(STREET, [job(0, 1, 2)], []), Params())
    assert plan.unassigned[0].reasons == {ReasonCode.NO_COURIERS: 0}


def test_one_impossible_order_does_not_empty_the_answer():
    impossible = replace(job(0, 1, 4), dropoff=Visit(place=4, closes_at=NOW - 1))
    plan = propose(world(STREET, [impossible, job(1, 1, 2)], [worker(0, 0)]), Params())
    assert [row.order_id for row in plan.unassigned] == [order_id(0)]
    assert stops_of(plan, 0) == (pickup(1), dropoff(1))


def test_refused_order_goes_to_another_courier_and_back_only_when_nobody_else_can():
    refused = job(0, 1, 2, refused_by=frozenset({courier_id(0)}))
    near, far = worker(0, 1), worker(1, 4)
    assert assignment(propose(world(STREET, [refused], [near, far]), Params()), 0).courier_id == courier_id(1)
    off = replace(far, has_fresh_position=False)
    assert assignment(propose(world(STREET, [refused], [near, off]), Params()), 0).courier_id == courier_id(0)


def test_order_is_fixed_only_when_its_courier_must_leave_for_it():
    """The way is 200 s and the lead 120 s: an order ready in ten minutes is fixed after 280 s, not before."""
    snapshot = world(STREET, [job(0, 1, 2, ready_at=NOW + 600)], [worker(0, 0)])
    assert not assignment(propose(snapshot, Params()), 0).commit
    assert not assignment(propose(replace(snapshot, now=NOW + 279), Params()), 0).commit
    assert assignment(propose(replace(snapshot, now=NOW + 280), Params()), 0).commit


def test_look_ahead_waits_for_a_courier_who_will_be_near_and_free_in_time():
    soon_near = replace(worker(0, 1), available_at=NOW + 500)
    plan = propose(world(STREET, [job(0, 1, 2, ready_at=NOW + 600)], [soon_near, worker(1, 4)]), Params())
    assert assignment(plan, 0).courier_id == courier_id(0)
    assert not assignment(plan, 0).commit


def test_one_courier_is_given_trips_one_after_another_as_known_orders_allow():
    orders = [job(0, 0, 1), job(1, 1, 2, ready_at=NOW + 500), job(2, 2, 3, ready_at=NOW + 1000)]
    plan = propose(world(STREET, orders, [worker(0, 0)]), Params(bundling=Bundling.NONE))
    assert stops_of(plan, 0) == (pickup(0), dropoff(0), pickup(1), dropoff(1), pickup(2), dropoff(2))
    assert [row.commit for row in plan.assignments] == [True, False, False]


@pytest.mark.parametrize(
    ("bundling", "n_on_board"),
    [(Bundling.NONE, 1), (Bundling.SAME_PICKUP, 2), (Bundling.ON_THE_WAY, 2)],
)
def test_orders_of_one_place_share_a_trip_where_the_rule_allows_it(bundling, n_on_board):
    plan = propose(world(STREET, [job(0, 1, 4), job(1, 1, 4)], [worker(0, 0)]), Params(bundling=bundling))
    load = most = 0
    for stop in stops_of(plan, 0):
        load += 1 if stop.kind == "pickup" else -1
        most = max(most, load)
    assert most == n_on_board


def test_order_on_the_way_is_collected_while_another_is_on_board():
    orders = [job(0, 0, 4), job(1, 1, 2)]
    plan = propose(world(STREET, orders, [worker(0, 0)]), Params(bundling=Bundling.ON_THE_WAY))
    assert stops_of(plan, 0) == (pickup(0), pickup(1), dropoff(1), dropoff(0))
    same = propose(world(STREET, orders, [worker(0, 0)]), Params(bundling=Bundling.SAME_PICKUP))
    assert stops_of(same, 0)[1].kind == "dropoff"


def test_hot_food_is_on_board_for_no_longer_than_it_may_be():
    orders = [job(0, 0, 4), job(1, 1, 3)]
    assert stops_of(propose(world(STREET, orders, [worker(0, 0)]), Params()), 0)[:2] == (pickup(0), pickup(1))
    hot = [replace(orders[0], max_on_board_s=800), orders[1]]  # 800 s straight to the door
    plan = propose(world(STREET, hot, [worker(0, 0)]), Params())
    at = {row.stop: row for row in plan.routes[0].stops}
    assert at[dropoff(0)].starts_at - at[pickup(0)].leaves_at <= 800
    assert not plan.unassigned


@pytest.mark.parametrize("limits", [Params(search_iterations=200), Params()])
def test_order_that_would_be_on_board_for_too_long_with_anybody_says_so(limits):
    """The courier must be at the second door between the first order's pickup and its own drop-off."""
    held = job(1, 0, 3, pinned_to=courier_id(0))
    held = replace(held, dropoff=replace(held.dropoff, closes_at=NOW + 860))
    hot = replace(job(0, 2, 4, max_on_board_s=450), dropoff=Visit(place=4, closes_at=NOW + 1300))
    plan = propose(world(STREET, [hot, held], [worker(0, 0)]), limits)
    [left] = plan.unassigned
    assert (left.order_id, dict(left.reasons)) == (order_id(0), {ReasonCode.MAX_ON_BOARD: 1})


def test_urgent_order_goes_first_and_gets_the_only_courier():
    orders = [job(0, 1, 2), job(1, 1, 3, priority=3)]
    plan = propose(world(STREET, orders, [worker(0, 0)]), Params(bundling=Bundling.NONE))
    assert stops_of(plan, 0)[0] == pickup(1)
    alone = propose(world(STREET, orders, [worker(0, 0, max_orders=1)]), Params())
    assert [row.order_id for row in alone.unassigned] == [order_id(0)]


def test_order_that_was_not_worth_it_is_taken_when_it_has_waited():
    weights = Weights(unassigned=1000, ageing=4)
    fresh = replace(job(0, 4, 0, ready_at=NOW), placed_at=NOW, pickup=Visit(place=4, opens_at=NOW))
    snapshot = world(STREET, [fresh], [worker(0, 0)])
    assert propose(snapshot, Params(weights=weights)).unassigned
    assert not propose(replace(snapshot, now=NOW + 3600), Params(weights=weights)).unassigned


def test_shown_order_stays_until_moving_it_is_worth_the_change():
    shown = worker(0, 0, route=(pickup(0), dropoff(0)), shown=frozenset({order_id(0)}))
    better = worker(1, 1)
    snapshot = world(STREET, [job(0, 1, 2)], [shown, better])
    calm, restless = Params(weights=Weights(change=600)), Params(weights=Weights(change=0))
    assert assignment(propose(snapshot, calm), 0).courier_id == courier_id(0)
    assert propose(snapshot, calm).source == "kept"
    assert assignment(propose(snapshot, restless), 0).courier_id == courier_id(1)
    moved = assignment(propose(snapshot, Params(weights=Weights(change=10))), 0)
    assert moved.courier_id == courier_id(1)
    assert moved.cost["change"] == 10


def test_break_is_taken_within_its_window():
    pause = Break(opens_at=NOW + 100, closes_at=NOW + 500, duration_s=900)
    plan = propose(world(STREET, [job(0, 1, 2), job(1, 3, 4)], [worker(0, 0, breaks=(pause,))]), Params())
    rows = plan.routes[0].stops
    gaps = [after.arrives_at - before.leaves_at for before, after in pairwise(rows)]
    assert any(gap >= 900 for gap in gaps)
    assert rows[0].arrives_at == NOW + 200


def times(plan):
    return [(row.stop, row.arrives_at - NOW, row.break_s) for row in plan.routes[0].stops]


def test_break_blocks_no_more_than_itself():
    """Its window is open, and what can be delivered before it closes is delivered before."""
    pause = Break(opens_at=NOW - 1000, closes_at=NOW + 5000, duration_s=900)
    plan = propose(world(STREET, [job(0, 1, 2)], [worker(0, 0, breaks=(pause,))]), Params())
    assert times(plan) == [(pickup(0), 200, 0), (dropoff(0), 520, 0)]


def test_break_that_fits_into_a_wait_is_taken_there():
    pause = Break(opens_at=NOW, closes_at=NOW + 9000, duration_s=900)
    late = replace(job(0, 1, 2), pickup=Visit(place=1, opens_at=NOW + 1200, service_s=120))
    plan = propose(world(STREET, [late], [worker(0, 0, breaks=(pause,))]), Params())
    assert times(plan) == [(pickup(0), 1100, 900), (dropoff(0), 1520, 0)]
    assert plan.routes[0].stops[0].break_at == NOW


def test_break_comes_rather_before_a_pickup_than_with_the_goods_on_board():
    pause = Break(opens_at=NOW, closes_at=NOW + 400, duration_s=900)
    plan = propose(world(STREET, [job(0, 1, 2)], [worker(0, 0, breaks=(pause,))]), Params())
    assert times(plan) == [(pickup(0), 1100, 900), (dropoff(0), 1420, 0)]


def test_order_cancelled_or_collected_meanwhile_leaves_the_rest_of_the_route_as_it_was():
    snapshot = world(STREET, [job(0, 1, 2), job(1, 2, 3), job(2, 3, 4)], [worker(0, 0)])
    planned = with_plan(snapshot, propose(snapshot, Params(bundling=Bundling.NONE)))
    assert len(planned.workers[0].route) == 6
    rest = replace(planned, jobs=(replace(planned.jobs[0], onboard_of=courier_id(0)), planned.jobs[2]))
    plan = propose(rest, Params(bundling=Bundling.NONE))
    assert stops_of(plan, 0) == (dropoff(0), pickup(2), dropoff(2))
    assert plan.unassigned == ()


def test_courier_too_late_for_an_order_loses_it_to_another_who_can():
    order = replace(job(0, 1, 2), pickup=Visit(place=1, opens_at=NOW, closes_at=NOW + 300, service_s=60))
    delayed = replace(worker(0, 0, route=(pickup(0), dropoff(0))), available_at=NOW + 1000)
    plan = propose(world(STREET, [order], [delayed, worker(1, 2)]), Params())
    assert assignment(plan, 0).courier_id == courier_id(1)


def test_pinned_order_stays_even_where_it_is_too_late():
    order = replace(job(0, 1, 2, pinned_to=courier_id(0)), pickup=Visit(place=1, closes_at=NOW + 300))
    delayed = replace(worker(0, 0), available_at=NOW + 1000)
    plan = propose(world(STREET, [order], [delayed, worker(1, 2)]), Params())
    assert assignment(plan, 0).courier_id == courier_id(0)
    assert assignment(plan, 0).commit


def test_courier_who_is_missed_least_is_sent_when_several_are_in_time():
    """Both stand 1 km from the pickup; orders are expected where the first of them stands."""
    snapshot = world(STREET, [job(0, 2, 3, ready_at=NOW + 900)], [worker(0, 1), worker(1, 3)])
    params = Params(weights=Weights(position=5))
    assert assignment(propose(replace(snapshot, demand={1: 10.0}), params), 0).courier_id == courier_id(1)
    assert assignment(propose(replace(snapshot, demand={3: 10.0}), params), 0).courier_id == courier_id(0)


def test_idle_courier_is_sent_towards_expected_orders_only_where_that_is_set_and_nobody_is_near():
    snapshot = replace(world(STREET, [], [worker(0, 0), worker(1, 0)]), demand={4: 20.0})
    setting = Params(reposition_above_s=600)
    assert propose(snapshot, Params()).moves == ()
    (move,) = propose(snapshot, setting).moves  # one goes, and the other is then not needed there
    assert (move.courier_id, move.place) == (courier_id(0), 4)
    # 20 orders an hour are 8.33 in 1500 s; each waits 800 s less; the way is 800 s.
    assert move.saves_s == int(20 * 1500 / 3600 * 800 - 800)
    there = replace(snapshot, workers=(snapshot.workers[0], worker(1, 4)))
    assert propose(there, setting).moves == ()
    busy = replace(snapshot, jobs=(job(0, 1, 2), job(1, 1, 2)), workers=(worker(0, 0, max_orders=2),))
    assert propose(busy, setting).moves == ()


def test_matching_takes_each_courier_once_at_least_cost_and_leaves_out_what_is_too_dear():
    costs = np.array([[1, 5, FOREVER], [2, 9, FOREVER], [FOREVER, FOREVER, FOREVER], [50, 60, 70]], dtype=np.int64)
    chosen = match(costs, np.array([100, 100, 100, 40], dtype=np.int64))
    assert chosen.tolist() == [1, 0, -1, -1]


def test_matching_a_thousand_orders_is_the_same_every_time_and_close_to_no_order_left():
    rng = np.random.default_rng(0)
    orders, couriers = rng.random((1000, 2)) * 10_000, rng.random((1500, 2)) * 10_000
    costs = np.hypot(*(orders[:, None, :] - couriers[None]).transpose(2, 0, 1)).astype(np.int64)
    skip = np.full(1000, 100_000, dtype=np.int64)
    chosen = match(costs, skip)
    assert (chosen >= 0).all()
    assert len(set(chosen.tolist())) == 1000
    assert match(costs, skip).tolist() == chosen.tolist()


@pytest.mark.parametrize("far", ["pickup", "dropoff"])
def test_order_beyond_any_way_is_too_far_however_long_it_waits(far):
    """Coordinates swapped, or a sea between: 3,500 km."""
    places = {"pickup": [(0, 0), (3_500_000, 0), (3_501_000, 0)], "dropoff": [(0, 0), (100, 0), (3_500_000, 0)]}[far]
    old = replace(job(0, 1, 2, due_at=FOREVER), placed_at=NOW - 14 * 86_400)
    plan = propose(world(places, [old], [worker(0, 0)]), Params())
    assert [left.reasons for left in plan.unassigned] == [{ReasonCode.TOO_FAR: 1}]


def test_planner_out_of_time_says_so_and_not_that_waiting_is_better():
    """What needs no trying out is told as ever."""
    jobs = [job(0, 1, 2), job(1, 1, 2, modes=frozenset({Mode.BICYCLE}))]
    plan = propose(world([(0, 0), (100, 0), (200, 0)], jobs, [worker(0, 0), worker(1, 0)]), Params(), lambda: True)
    assert [left.reasons for left in plan.unassigned] == [{ReasonCode.OUT_OF_TIME: 2}, {ReasonCode.MODE: 2}]


def test_reasons_are_not_tried_out_any_more_once_time_is_up():
    """Each order asks: 800 of them with 120 couriers took 17 s after the second they were given."""
    asked = []

    def after_the_plan():
        asked.append(None)
        return len(asked) > n_before_reasons

    jobs = [job(n, 1, 2, priority=-100, due_at=NOW - 86_400) for n in range(3)]
    snapshot = world([(0, 0), (100, 0), (200, 0)], jobs, [worker(0, 0, max_orders=1, route=())])
    n_before_reasons = 10**9
    full = propose(snapshot, Params(), after_the_plan)
    assert ReasonCode.MAX_ORDERS in {code for left in full.unassigned for code in left.reasons}
    n_before_reasons, asked = len(asked) - len(full.unassigned) + 1, []
    cut = propose(snapshot, Params(), after_the_plan)
    codes = [set(left.reasons) for left in cut.unassigned]
    assert codes == [{ReasonCode.MAX_ORDERS}] + [{ReasonCode.OUT_OF_TIME}] * (len(codes) - 1)
    assert cut.routes == full.routes


def test_order_is_not_fixed_while_its_courier_would_only_wait_at_the_door():
    """Two legs of 200 s to a door that opens in an hour: until shortly before, somebody better may turn up."""
    late = Visit(place=2, opens_at=NOW + 3600)
    asked = world(STREET, [replace(job(0, 1, 2), dropoff=late, ready_at=NOW + 3600)], [worker(0, 0)])
    assert not assignment(propose(asked, Params()), 0).commit
    [route] = propose(asked, Params()).routes
    waits_s = route.stops[1].starts_at - route.stops[1].arrives_at
    at_last = replace(late, opens_at=NOW + 3600 - waits_s + 100)
    asked = world(STREET, [replace(job(0, 1, 2), dropoff=at_last, ready_at=NOW)], [worker(0, 0)])
    assert assignment(propose(asked, Params()), 0).commit


def test_order_that_waits_at_its_door_does_not_hold_up_what_is_due_on_the_way():
    late = Visit(place=4, opens_at=NOW + 3600)
    jobs = [replace(job(0, 1, 4), dropoff=late, ready_at=NOW + 3600), job(1, 1, 2)]
    plan = propose(world(STREET, jobs, [worker(0, 0)]), Params())
    assert assignment(plan, 1).commit
