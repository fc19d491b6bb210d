"""How far a courier has come: along a way, beside it, standing, arrived."""

from dataclasses import replace
from math import exp
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.arrivals.progress import STILL_S, Path, advance, depart, leg_ahead
from dispatch.learning.conformal import Band
from dispatch.stop import OrderId, PlannedStop, StopKind
from dispatch.visits import from_fixes
from dispatch.visits.at_stop import AT_STOP
from dispatch.visits.from_fixes import ArrivalFix, RouteStop
from tracking.position import LatLon

STOP = PlannedStop(OrderId(UUID(int=1)), StopKind.PICKUP)
BAND = Band(low=-0.2, middle=0.0, high=0.3)
START, END = LatLon(41.15, -8.62), LatLon(41.15, -8.60)
"""About 1,670 m apart, west to east."""


def between(share, *, north_m=0.0):
    return LatLon(START.lat + north_m / 111_195, START.lon + share * (END.lon - START.lon))


STREET = Path(points=(START, between(0.3), between(0.7), END))


def on_the_way(path=STREET):
    return depart(STOP, END, at=START, fixed_at=0.0, path=path)


@given(st.floats(0, 1), st.floats(-80, 80))
def test_the_share_done_is_that_of_the_nearest_point_of_the_way(share, north_m):
    done, away_m = STREET.locate(between(share, north_m=north_m))
    assert done == pytest.approx(share, abs=0.002)
    assert away_m == pytest.approx(abs(north_m), abs=1.0)


def test_a_way_there_and_back_is_not_cut_short():
    there_and_back = Path(points=(START, END, START))
    assert there_and_back.locate(between(0.5))[0] == pytest.approx(0.25, abs=0.01)
    assert there_and_back.locate(between(0.5), not_before=0.6)[0] == pytest.approx(0.75, abs=0.01)


def test_a_way_of_no_length_is_done():
    assert Path(points=(END, END)).locate(END)[0] == 1.0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_what_is_done_stays_done(shares):
    progress = on_the_way()
    for number, share in enumerate(shares):
        after = advance(progress, between(share), 10.0 * (number + 1))
        assert after.done >= progress.done
        progress = after


def test_a_late_fix_changes_nothing():
    progress = advance(on_the_way(), between(0.5), 100.0)
    assert advance(progress, between(0.1), 50.0) is progress


def test_off_the_way_is_noticed_and_counts_as_no_progress():
    progress = advance(on_the_way(), between(0.5, north_m=400), 100.0)
    assert progress.off_route
    assert progress.done == 0.0


def test_standing_still_is_noticed_after_a_red_light():
    progress = advance(on_the_way(), between(0.4), 100.0)
    shuffling = [advance(progress, between(0.4, north_m=8), 100.0 + seconds) for seconds in (30, STILL_S)]
    assert [p.standing for p in shuffling] == [False, True]
    assert not advance(shuffling[1], between(0.5), 200.0).standing


def test_arriving_needs_to_be_near_and_slow_for_a_moment():
    rolling = advance(on_the_way(), between(0.98), 200.0)
    assert rolling.arrived_at is None
    stopped = advance(rolling, between(0.983), 205.0)
    assert stopped.arrived_at is None
    stays = advance(stopped, between(0.985), 215.0)
    assert stays.arrived_at == 205.0
    assert advance(stays, between(0.985), 300.0).arrived_at == 205.0
    gone = advance(advance(stays, between(0.5), 400.0), between(0.4), 405.0)
    assert gone.arrived_at is None


@given(st.lists(st.tuples(st.integers(1, 60), st.floats(0.9, 1.0)), min_size=1, max_size=30))
def test_an_arrival_is_told_exactly_while_the_visit_of_the_stop_says_so(steps):
    progress, at_s, visits = on_the_way(), 0.0, from_fixes.EMPTY
    stop = RouteStop(STOP.order_id, STOP.kind, END)
    visits, _ = from_fixes.step(visits, ArrivalFix(0, START.lat, START.lon), [stop], AT_STOP)
    for seconds, share in steps:
        at_s, at = at_s + seconds, between(share)
        progress = advance(progress, at, at_s)
        visits, _ = from_fixes.step(visits, ArrivalFix(round(at_s * 1e6), at.lat, at.lon), [stop], AT_STOP)
        arrived_us = visits.arrived_us((STOP.order_id, STOP.kind))
        assert progress.arrived_at == (None if arrived_us is None else arrived_us / 1e6)


def test_a_slow_courier_is_expected_to_stay_somewhat_slow():
    progress = advance(on_the_way(), between(0.5), 400.0)
    ahead = leg_ahead(progress, expected_s=400.0, left_s=200.0, band=BAND, source="osrm")
    assert 200.0 < ahead.p50_s < 400.0
    on_time = advance(on_the_way(), between(0.5), 200.0)
    assert leg_ahead(on_time, expected_s=400.0, left_s=200.0, band=BAND, source="osrm").p50_s == pytest.approx(
        200, 0.01
    )


@given(st.floats(0, 1), st.floats(1, 10_000))
def test_the_pace_is_bounded(share, elapsed_s):
    progress = advance(on_the_way(None), between(share), elapsed_s)
    progress = replace(progress, door=from_fixes.EMPTY)
    ahead = leg_ahead(progress, expected_s=600.0, left_s=100.0, band=BAND, source="learned")
    assert 100 * exp(-0.7) <= ahead.p50_s <= 100 * exp(0.7)


def test_nothing_is_left_of_the_leg_at_the_stop():
    arrived = advance(advance(advance(on_the_way(), END, 300.0), END, 305.0), END, 320.0)
    assert leg_ahead(arrived, expected_s=400.0, left_s=5.0, band=BAND, source="osrm").p50_s == 0.0
