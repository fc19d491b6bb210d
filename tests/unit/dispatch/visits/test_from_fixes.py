"""Arrivals at stops: near and slow at the next one, dwelling at a later one."""

from uuid import UUID

from dispatch.stop import OrderId, StopKind
from dispatch.visits.at_stop import AT_STOP as PARAMS
from dispatch.visits.from_fixes import EMPTY, ArrivalFix, Arrived, Departed, RouteStop, step
from tests.unit.tracking.watching.tracks import MICROS, at, walk
from tracking.position import LatLon


def stop(n, x_m, y_m=0, kind=StopKind.DROPOFF):
    fix = at(x_m, y_m, 0)
    return RouteStop(OrderId(UUID(int=n)), kind, LatLon(fix.lat, fix.lon))


def seen(fixes, stops, *, done_after=None):
    """[(what, order number, seconds since the start)]; `done_after`: after this fix the first stop is done."""
    state, found = EMPTY, []
    for k, fix in enumerate(fixes):
        left = stops if done_after is None or k <= done_after else stops[1:]
        state, events = step(state, ArrivalFix(fix.at_us, fix.lat, fix.lon), left, PARAMS)
        found += [(type(e), e.key[0].int, (e.at_us - fixes[0].at_us) / MICROS) for e in events]
    return found


def test_arrival_and_departure_at_the_next_stop():
    fixes = walk([(-500, 0, 0), (0, 0, 100), (0, 0, 60), (500, 0, 100)], noise_m=2)
    (arrived, n, at_s), (departed, _, left_s) = seen(fixes, [stop(1, 10)])
    assert (arrived, n, departed) == (Arrived, 1, Departed)
    assert 95 <= at_s <= 110
    assert 160 <= left_s <= 185


def test_driving_past_is_no_arrival():
    assert seen(walk([(-500, 0, 0), (500, 0, 100)], noise_m=2), [stop(1, 10)]) == []


def test_a_light_before_a_later_stop_is_no_arrival_but_dwelling_there_is():
    fixes = walk([(-500, 0, 0), (0, 0, 100), (0, 0, 30), (500, 0, 100)], noise_m=2)
    assert seen(fixes, [stop(1, 3000), stop(2, 10)]) == []
    fixes = walk([(-500, 0, 0), (0, 0, 100), (0, 0, 90), (500, 0, 100)], noise_m=2)
    assert [(e, n) for e, n, _ in seen(fixes, [stop(1, 3000), stop(2, 10)])] == [(Arrived, 2), (Departed, 2)]


def test_two_orders_at_one_door_arrive_together():
    fixes = walk([(-500, 0, 0), (0, 0, 100), (0, 0, 40)], noise_m=2)
    assert sorted((e.__name__, n) for e, n, _ in seen(fixes, [stop(1, 10), stop(2, 15)])) == [
        ("Arrived", 1),
        ("Arrived", 2),
    ]


def test_the_departure_is_seen_after_the_stop_was_pressed_done():
    fixes = walk([(-500, 0, 0), (0, 0, 100), (0, 0, 60), (500, 0, 100)], noise_m=2)
    found = seen(fixes, [stop(1, 10), stop(2, 4000)], done_after=26)
    assert [e for e, n, _ in found if n == 1] == [Arrived, Departed]


def test_one_stray_fix_is_no_departure():
    fixes = walk([(-500, 0, 0), (0, 0, 100), (0, 0, 200)], noise_m=2)
    fixes[40] = at(400, 0, 200, 3.0)
    assert [e for e, _, _ in seen(fixes, [stop(1, 10)])] == [Arrived]
