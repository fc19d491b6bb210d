"""What staff are told of an order that nobody has."""

from dataclasses import replace
from datetime import timedelta

import pytest

from dispatch.alert_kind import AlertKind
from dispatch.orders.courier import Shift
from dispatch.orders.order import OrderState, OrderStop, Window
from dispatch.region.nobody import Ability, OrderAlertParams, Story, judge, left_on_board
from tests.unit.dispatch.region.test_world import DOOR, HOUR, KITCHEN, NOON, courier, order
from tracking.position import Mode

MINUTE = timedelta(minutes=1)
PARAMS = OrderAlertParams()
ANYBODY = Ability(mode=Mode.BICYCLE, skills=frozenset({"cold"}), capacity=())


def told(one, story=None, abilities=(ANYBODY,), now=NOON):
    return {kind: facts for kind, facts in judge(one, story or Story(), abilities, PARAMS, now).items() if facts}


def test_order_without_a_courier_is_told_by_its_age_since_it_can_be_collected():
    assert not told(order(1), now=NOON + 9 * MINUTE)
    found = told(order(1), Story(reasons={"max_orders": 2}), now=NOON + 10 * MINUTE)
    assert found[AlertKind.UNASSIGNED]["reasons"] == {"max_orders": 2}
    assert not told(order(1, ready_at=NOON + HOUR), now=NOON + HOUR)
    assert AlertKind.UNASSIGNED in told(order(1, ready_at=NOON + HOUR), now=NOON + HOUR + 10 * MINUTE)


def test_order_without_a_courier_is_told_when_little_is_left_of_what_was_promised():
    soon = order(1, dropoff=OrderStop(at=DOOR, window=Window(due_at=NOON + 17 * MINUTE)))
    assert not told(soon, now=NOON + MINUTE)
    assert AlertKind.UNASSIGNED in told(soon, now=NOON + 3 * MINUTE)
    new = replace(soon, dropoff=OrderStop(at=DOOR, window=Window(due_at=NOON + 10 * MINUTE)))
    assert not told(new, now=NOON + MINUTE / 2)  # it has hardly been looked at


def test_order_that_is_offered_leaves_the_alert_as_it_is_and_one_accepted_ends_it():
    later = NOON + HOUR
    assert AlertKind.UNASSIGNED not in judge(order(1, state=OrderState.ASSIGNED), Story(), [], PARAMS, later)
    verdicts = judge(order(1, state=OrderState.ACCEPTED), Story(n_expired=9), [], PARAMS, later)
    assert set(verdicts.values()) == {None}
    assert set(verdicts) == {AlertKind.UNASSIGNED, AlertKind.UNACCEPTED, AlertKind.IMPOSSIBLE}


def test_offers_that_ran_out_or_were_refused_are_counted_together():
    assert not told(order(1), Story(n_expired=1, n_rejected=1))
    assert told(order(1), Story(n_expired=1, n_rejected=2)) == {AlertKind.UNACCEPTED: {"expired": 1, "rejected": 2}}


@pytest.mark.parametrize(
    ("facts", "story", "reasons"),
    [
        ({"pickup": OrderStop(at=KITCHEN, window=Window(closes_at=NOON))}, Story(), ["pickup_window"]),
        ({"dropoff": OrderStop(at=DOOR, window=Window(closes_at=NOON))}, Story(), ["dropoff_window"]),
        ({"skills": frozenset({"cold", "crane"})}, Story(), ["skills"]),
        ({"modes": frozenset({Mode.CAR})}, Story(), ["mode"]),
        ({}, Story(reasons={"too_far": 2, "no_fresh_position": 1}), ["too_far"]),
        ({}, Story(reasons={"out_of_area": 1, "mode": 1}), ["mode", "out_of_area"]),
        ({"max_on_board_s": 60}, Story(reasons={"max_on_board": 2, "mode": 1}), ["max_on_board", "mode"]),
        ({"max_on_board_s": 60}, Story(reasons={"max_on_board": 2, "max_orders": 1}), None),
        ({}, Story(reasons={"too_far": 2, "max_orders": 1}), None),
        ({}, Story(reasons={"mode": 2}), None),  # of those at work; others of the region could
        ({}, Story(reasons={"a code of another version": 2}), None),
    ],
)
def test_what_nobody_can_do_is_impossible_and_says_why(facts, story, reasons):
    found = told(order(1, **facts), story).get(AlertKind.IMPOSSIBLE)
    assert (found and found["reasons"]) == reasons


def test_size_that_no_courier_carries_is_impossible():
    small = replace(ANYBODY, capacity=(2,))
    assert told(order(1, size={"units": 3}), abilities=[small])[AlertKind.IMPOSSIBLE] == {"reasons": ["capacity"]}
    assert not told(order(1, size={"units": 3}), abilities=[small, ANYBODY])
    assert not told(order(1, size={"units": 3}), abilities=[])


def test_goods_are_left_on_board_some_time_after_the_shift():
    ended = Shift(starts_at=NOON - 2 * HOUR, ends_at=NOON)
    one = courier(shifts=(ended,))
    assert left_on_board(one, PARAMS, NOON + MINUTE) is None
    assert left_on_board(one, PARAMS, NOON + 5 * MINUTE) == {"shift_ended_at": NOON.isoformat()}
    again = replace(one, shifts=(ended, Shift(starts_at=NOON + 4 * MINUTE, ends_at=NOON + HOUR)))
    assert left_on_board(again, PARAMS, NOON + 5 * MINUTE) is None
    assert left_on_board(courier(), PARAMS, NOON + 5 * MINUTE) is None
