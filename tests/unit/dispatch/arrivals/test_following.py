"""A courier followed along a route: what is told, that it is steady, and what is named when it gets later."""

from dataclasses import replace
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatch.arrivals.eta import RECORDED, Note
from dispatch.arrivals.following import Following
from dispatch.arrivals.forecast import Forecaster, Way
from dispatch.arrivals.itinerary import Call, Itinerary, continues, windows_changed
from dispatch.arrivals.steady import CAUSES
from dispatch.learning.knowledge import Knowledge
from dispatch.stop import OrderId, PlannedStop, StopKind
from dispatch.travel.times import Leg, Source
from tracking.position import CourierId, LatLon, Mode, Region

NOW = 1_770_000_000.0
ANA = CourierId(UUID(int=7))
START = LatLon(41.15, -8.64)


def east(metres):
    return LatLon(START.lat, START.lon + metres / 83_700)


def call(number, metres, kind=StopKind.DROPOFF, **more):
    return Call(stop=PlannedStop(OrderId(UUID(int=number)), kind), at=east(metres), declared_s=60.0, **more)


def route(*calls, version=1):
    return Itinerary(courier_id=ANA, region=Region("porto"), mode=Mode.BICYCLE, version=version, calls=calls)


def following(*calls, **more):
    one = Following(route(*(calls or (call(1, 1500), call(2, 3000)))), **more)
    one.see(START, NOW)
    return one


def forecaster():
    return Forecaster(Knowledge())


def legs_of(one, factor=1.0):
    places = one.places()
    return places, [
        Leg(duration_s=int(300 * factor), distance_m=1500, geometry=(a, b), source=Source.OSRM)
        for a, b in pairwise(places)
    ]


def test_goods_of_which_it_is_not_sure_when_they_are_ready_make_what_comes_after_less_sure():
    """By what the order says; nothing was learned. The way to the kitchen is as sure as before."""

    def told(ready_error_s):
        kitchen = call(
            1,
            500,
            kind=StopKind.PICKUP,
            opens_at=NOW + 1800,
            opens_when_ready=True,
            ready_error_s=ready_error_s,
        )
        return following(kitchen, call(1, 1500)).tell(forecaster(), NOW)

    (kitchen, door), (same_kitchen, unsure_door) = told(None), told(600)
    assert same_kitchen == kitchen
    assert unsure_door.p90 - unsure_door.p10 > 2 * (door.p90 - door.p10)
    assert unsure_door.p50 == pytest.approx(door.p50, abs=60)


def test_every_stop_has_an_arrival_in_order():
    first, second = following().tell(forecaster(), NOW)
    assert NOW < first.p50 < second.p50
    assert first.source == "default"


def test_riding_as_expected_the_arrival_stays():
    one = following()
    places, legs = legs_of(one)
    one.find_ways(places, legs, asked_at=NOW)
    told = [one.tell(forecaster(), NOW)[0].p50]
    for seconds in range(5, 295, 5):
        one.see(east(5.0 * seconds), NOW + seconds)
        told.append(one.tell(forecaster(), NOW + seconds)[0].p50)
    assert max(told) - min(told) < 25
    assert one.said[0].source == "osrm"


def test_standing_still_is_named_when_the_arrival_moves_later():
    one = following()
    one.find_ways(*legs_of(one), asked_at=NOW)
    before = one.tell(forecaster(), NOW)[0]
    for seconds in range(5, 400, 5):
        one.see(START, NOW + seconds)
        after = one.tell(forecaster(), NOW + seconds)[0]
    assert after.p50 > before.p50 + 60
    assert Note.STANDING_STILL in after.warnings


def test_leaving_the_way_is_named_and_asks_for_another():
    one = following()
    one.find_ways(*legs_of(one), asked_at=NOW)
    one.tell(forecaster(), NOW)
    for seconds in range(5, 120, 5):
        one.see(LatLon(START.lat + seconds * 5 / 111_195, START.lon), NOW + seconds)
        told = one.tell(forecaster(), NOW + seconds)
    assert one.wants_ways
    assert Note.OFF_ROUTE in told[0].warnings


def test_a_route_that_changed_is_told_at_once_and_named():
    one = following()
    before = one.tell(forecaster(), NOW)
    one.change(route(call(9, 6000), call(1, 1500), call(2, 3000), version=2))
    after = {eta.stop: eta for eta in one.tell(forecaster(), NOW + 1)}
    moved = after[before[0].stop]
    assert moved.p50 > before[0].p50 + 300
    assert Note.ROUTE_CHANGED in moved.warnings


def test_a_stop_that_is_elsewhere_now_is_a_changed_route_and_a_new_way():
    one = following(call(1, 1500))
    one.tell(forecaster(), NOW)
    one.change(route(call(1, 6000), version=2))
    [eta] = one.tell(forecaster(), NOW + 1)
    assert Note.ROUTE_CHANGED in eta.warnings
    assert one.wants_ways
    assert eta.p50 == following(call(1, 6000)).tell(forecaster(), NOW + 1)[0].p50


def test_a_stop_done_or_added_at_the_end_is_no_changed_route():
    one = following(call(1, 1500, StopKind.PICKUP), call(1, 3000))
    one.tell(forecaster(), NOW)
    one.see(east(1500), NOW + 400)
    (_, before) = one.tell(forecaster(), NOW + 400)
    one.change(route(call(1, 3000), call(2, 4000), version=3))
    after = one.tell(forecaster(), NOW + 405)[0]
    assert Note.ROUTE_CHANGED not in after.warnings
    assert abs(after.p50 - before.p50) < 60


def test_at_the_stop_the_arrival_has_happened_and_a_long_stay_is_named():
    one = following()
    one.tell(forecaster(), NOW)
    for seconds in (350, 360, 370):
        one.see(east(1500), NOW + seconds)
    first, second = one.tell(forecaster(), NOW + 370)
    assert (first.p50, first.source) == (NOW + 360, RECORDED)
    for seconds in range(380, 1300, 10):
        one.see(east(1500), NOW + seconds)
        told = one.tell(forecaster(), NOW + seconds)
    assert told[1].p50 > second.p50
    assert Note.SERVICE_OVERRUN in told[1].warnings


def test_a_silent_courier_is_stale_and_arrivals_get_later_only_with_that_name():
    one = following()
    before = one.tell(forecaster(), NOW)[0]
    after = one.tell(forecaster(), NOW + 900)[0]
    assert after.p50 >= before.p50
    assert Note.STALE_POSITION in after.warnings


def test_a_courier_never_seen_has_arrivals_by_the_schedule():
    one = Following(route(call(1, 1500, scheduled_at=NOW + 700)))
    (eta,) = one.tell(forecaster(), NOW)
    assert eta.p50 == pytest.approx(NOW + 700, abs=20)
    assert Note.NO_POSITION in eta.warnings


def test_a_stop_only_intended_says_so():
    one = following(call(1, 1500, is_assigned=False))
    assert Note.NOT_ASSIGNED in one.tell(forecaster(), NOW)[0].warnings


def test_an_engine_that_does_not_answer_is_told():
    one = following(engine_expected=True)
    assert Note.FALLBACK_USED in one.tell(forecaster(), NOW)[0].warnings
    one.find_ways(*legs_of(one), asked_at=NOW)
    assert Note.FALLBACK_USED not in one.tell(forecaster(), NOW + 1)[0].warnings


def test_a_route_without_stops_has_no_arrivals():
    one = following()
    one.change(route(version=2))
    assert one.tell(forecaster(), NOW) == ()


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 40), st.floats(-100, 100), st.integers(1, 60)), min_size=1, max_size=25))
def test_whatever_a_courier_does_a_later_arrival_names_its_cause(steps):
    """Steps: metres a second to the east, metres to the north, seconds."""
    one = following()
    one.find_ways(*legs_of(one), asked_at=NOW)
    now, metres = NOW, 0.0
    told = one.tell(forecaster(), now)
    for speed, north, seconds in steps:
        now, metres = now + seconds, min(metres + speed * seconds, 3000.0)
        at = east(metres)
        one.see(LatLon(at.lat + north / 111_195, at.lon), now)
        for before, after in zip(told, one.tell(forecaster(), now), strict=True):
            assert after.p50 <= before.p50 + 1e-6 or CAUSES & set(after.warnings)
            assert after.p50 <= after.p90
        told = one.said


def test_what_continues_and_what_does_not():
    one, two, three = call(1, 1), call(2, 2), call(3, 3)
    before = route(one, two)
    assert all(continues(before, route(*calls)) for calls in ((one, two), (two,), (), (two, three), (one, two, three)))
    assert not any(continues(before, route(*calls)) for calls in ((two, one), (one,), (three,), (one, three, two)))
    assert windows_changed(before, route(replace(one, opens_at=5.0), two))
    assert not windows_changed(before, route(two))


def test_a_way_of_no_length_takes_no_time():
    (span,) = forecaster().legs(Mode.CAR, [Way(origin=START, destination=START)], NOW)
    assert span.p50_s == 0.0


def test_break_that_is_planned_delays_what_comes_after_it_and_says_so():
    one = following()
    first, second = one.tell(forecaster(), NOW)
    one.change(route(call(1, 1500), call(2, 3000, break_at=NOW, break_s=900.0)))
    same, later = one.tell(forecaster(), NOW + 1)
    assert same.p50 == first.p50
    assert later.p50 == pytest.approx(second.p50 + 900, abs=5)
    assert Note.ON_BREAK in later.warnings


def test_whoever_rests_comes_so_much_later_and_is_as_fast_as_before_after_it():
    one = following()
    first, _ = one.tell(forecaster(), NOW)
    one.change(replace(one.itinerary, rests_until=NOW + 1800))
    resting, _ = one.tell(forecaster(), NOW + 1)
    assert resting.p50 == pytest.approx(first.p50 + 1800, abs=5)
    assert Note.ON_BREAK in resting.warnings
    overrun, _ = one.tell(forecaster(), NOW + 2400)
    assert overrun.p50 == pytest.approx(first.p50 + 2400, abs=30)  # the position is old by then
    assert Note.ON_BREAK in overrun.warnings
    one.change(replace(one.itinerary, rests_until=None))
    one.see(START, NOW + 2400)
    after, _ = one.tell(forecaster(), NOW + 2400)
    assert after.p50 == pytest.approx(first.p50 + 2400, abs=5)
    assert Note.STANDING_STILL not in after.warnings


def test_without_a_cause_an_arrival_does_not_move_later():
    """Half a minute of walking the bicycle is no news; a minute behind is."""
    one = following()
    one.find_ways(*legs_of(one), asked_at=NOW)
    before = one.tell(forecaster(), NOW)[0]
    for seconds in range(5, 40, 5):
        one.see(east(0.5 * seconds), NOW + seconds)
        told = one.tell(forecaster(), NOW + seconds)[0]
    assert told.p50 == before.p50
    for seconds in range(40, 120, 5):
        one.see(east(0.5 * seconds), NOW + seconds)
        told = one.tell(forecaster(), NOW + seconds)[0]
    assert told.p50 > before.p50 + 20
    assert {Note.SLOWER_THAN_EXPECTED, Note.STANDING_STILL} & set(told.warnings)


def test_the_cause_stays_for_those_who_ask_now_and_then():
    one = following()
    before = one.tell(forecaster(), NOW)[0]
    one.change(route(call(9, 6000), call(1, 1500), call(2, 3000), version=2))
    one.tell(forecaster(), NOW + 1)
    one.see(east(900), NOW + 200)
    a_minute_later = one.tell(forecaster(), NOW + 200)[1]
    assert (a_minute_later.stop, a_minute_later.later_by) == (before.stop, Note.ROUTE_CHANGED)
    assert Note.ROUTE_CHANGED in a_minute_later.warnings


def test_what_was_told_of_an_order_is_held_against_its_next_courier():
    told = following().tell(forecaster(), NOW)
    other = Following(replace(route(call(1, 1500), call(2, 3000)), courier_id=CourierId(UUID(int=8))))
    other.see(east(9000), NOW)
    other.promise(told)
    for before, after in zip(told, other.tell(forecaster(), NOW + 5), strict=True):
        assert after.p50 > before.p50 + 300
        assert Note.ROUTE_CHANGED in after.warnings


def test_who_is_not_sent_yet_arrives_when_the_order_is_ready_however_long_that_is():
    """The plan sends couriers so that they are there in time; until then nothing gets later."""
    one = following(call(1, 1500, StopKind.PICKUP, is_assigned=False, opens_at=NOW + 1500), call(1, 3000))
    told = []
    for seconds in range(0, 800, 30):
        one.see(START, NOW + seconds)
        told.append(one.tell(forecaster(), NOW + seconds)[0].p50)
    assert max(told) - min(told) < 1
    assert told[0] == pytest.approx(NOW + 1500, abs=200)


def test_a_stop_done_much_later_than_told_is_named_at_the_next_one():
    one = following()
    one.find_ways(*legs_of(one), asked_at=NOW)
    (_, before) = one.tell(forecaster(), NOW)
    one.see(east(1400), NOW + 900)
    one.change(route(call(2, 3000), version=2))
    (after,) = one.tell(forecaster(), NOW + 900)
    assert after.p50 > before.p50
    assert {Note.SLOWER_THAN_EXPECTED, Note.SERVICE_OVERRUN} & set(after.warnings)


def test_the_way_on_from_a_stop_is_known_before_anybody_is_asked_again():
    one = following()
    one.find_ways(*legs_of(one), asked_at=NOW)
    (_, before) = one.tell(forecaster(), NOW)
    one.see(east(1500), NOW + 360)
    one.change(route(call(2, 3000), version=2))
    (after,) = one.tell(forecaster(), NOW + 360)
    assert after.source == "osrm"
    assert abs(after.p50 - before.p50) < 60
