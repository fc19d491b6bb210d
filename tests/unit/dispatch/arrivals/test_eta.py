"""Laws of arrivals: ordered quantiles, ordered stops, time that passes, windows, steadiness, named causes."""

from dataclasses import replace
from itertools import pairwise
from math import exp
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatch.arrivals.eta import N_SCENARIOS, RECORDED, Eta, Journey, Note, Span, StopAhead, foresee, quantiles
from dispatch.arrivals.steady import CAUSES, HOLD_S, SETTLE_S, settle
from dispatch.learning.conformal import Band
from dispatch.stop import OrderId, PlannedStop, StopKind
from tracking.position import LatLon

NOW = 1_770_000_000.0
DOOR = LatLon(41.15, -8.61)


def band(spread):
    return Band(low=-spread, middle=0.0, high=spread)


def stop(number, *, leg_s=300.0, service_s=120.0, spread=0.3, source="osrm", at=None, kind=StopKind.DROPOFF, **more):
    return StopAhead(
        stop=PlannedStop(OrderId(UUID(int=number)), kind),
        at=at or LatLon(41.15, -8.61 + number / 1000),
        leg=Span(p50_s=leg_s, band=band(spread), source=source),
        service=Span(p50_s=service_s, band=band(spread), source="learned"),
        **more,
    )


def route(*stops, fixed_at=NOW, **more):
    return Journey(stops=tuple(stops), fixed_at=fixed_at, **more)


stops = st.builds(
    lambda number, leg_s, service_s, spread, opens_in, same, opens_error_s: stop(
        number,
        leg_s=leg_s,
        service_s=service_s,
        spread=spread,
        opens_at=NOW + opens_in,
        opens_error_s=opens_error_s,
        at=DOOR if same else None,
    ),
    st.integers(1, 999),
    st.floats(0, 4000),
    st.floats(0, 1500),
    st.floats(0, 1),
    st.floats(-1000, 5000),
    st.booleans(),
    st.sampled_from([0.0, 0.0, 300.0]),
)
routes = st.lists(stops, min_size=1, max_size=6)
laws = settings(max_examples=60, deadline=None)


@laws
@given(routes, st.one_of(st.none(), st.floats(-600, 0)), st.floats(0, 900))
def test_quantiles_and_stops_are_in_order_and_nothing_lies_in_the_past(some, fixed_in, later):
    now = NOW + later
    etas = foresee(route(*some, fixed_at=None if fixed_in is None else NOW + fixed_in), now=now)
    for eta in etas:
        assert now <= eta.p10 <= eta.p50 <= eta.p90
        assert 0 <= eta.confidence <= 1
    for first, second in pairwise(etas):
        assert (first.p10, first.p50, first.p90) <= (second.p10, second.p50, second.p90)


@laws
@given(routes, st.floats(0, 600), st.floats(0, 600), st.booleans())
def test_time_that_passes_without_progress_makes_nothing_earlier(some, wait_s, more_s, arrived):
    journey = route(*some, arrived_at=NOW - 30 if arrived else None)
    early, late = foresee(journey, now=NOW + wait_s), foresee(journey, now=NOW + wait_s + more_s)
    for before, after in zip(early, late, strict=True):
        assert after.p50 >= before.p50 - 1e-6
        assert after.p90 >= before.p90 - 1e-6


@laws
@given(routes, st.floats(1, 1000))
def test_a_longer_leg_makes_no_stop_earlier(some, more_s):
    slower = [replace(some[0], leg=replace(some[0].leg, p50_s=some[0].leg.p50_s + more_s)), *some[1:]]
    for quick, slow in zip(foresee(route(*some), now=NOW), foresee(route(*slower), now=NOW), strict=True):
        assert slow.p50 >= quick.p50 - 1e-6


def test_a_single_leg_has_the_quantiles_of_its_band():
    (eta,) = foresee(route(stop(1, leg_s=600.0, spread=0.5)), now=NOW)
    assert eta.p50 - NOW == pytest.approx(600, rel=0.01)
    assert eta.p90 - NOW == pytest.approx(600 * exp(0.5), rel=0.03)
    assert eta.p10 - NOW == pytest.approx(600 * exp(-0.5), rel=0.03)


def test_waiting_for_a_window_swallows_the_delay_before_it():
    early = stop(1, leg_s=300.0, spread=0.4, opens_at=NOW + 3600, service_s=60.0)
    _, second = foresee(route(early, stop(2, leg_s=300.0, spread=0.0)), now=NOW)
    assert second.p90 - second.p50 < 60


def test_orders_handed_over_at_one_door_are_one_stay():
    same = [stop(n, at=DOOR, service_s=120.0, spread=0.0) for n in (1, 2, 3)]
    etas = foresee(route(*same, stop(4, leg_s=100.0, spread=0.0)), now=NOW)
    assert [eta.p50 - NOW for eta in etas] == pytest.approx([300, 300, 300, 520])


def test_a_courier_at_the_stop_has_arrived_and_goes_on_after_the_service():
    first, second = foresee(route(stop(1), stop(2, spread=0.0), arrived_at=NOW - 60), now=NOW)
    assert (first.p10, first.p50, first.p90, first.source) == (NOW - 60, NOW - 60, NOW - 60, RECORDED)
    assert second.p50 - NOW > 300
    assert second.source == "osrm"


def test_a_service_that_lasts_long_is_expected_to_last_longer():
    journey = route(stop(1, service_s=120.0, spread=0.5), stop(2, spread=0.0), arrived_at=NOW)
    arrivals = [foresee(journey, now=NOW + wait)[1].p50 for wait in (0, 60, 120, 300, 900)]
    assert arrivals == sorted(arrivals)
    assert arrivals[-1] - (NOW + 900) > 300


def test_windows_at_risk_and_missed_are_told():
    (risk,) = foresee(route(stop(1, leg_s=600.0, promised_at=NOW + 700)), now=NOW)
    (missed,) = foresee(route(stop(1, leg_s=600.0, promised_at=NOW + 500)), now=NOW)
    (safe,) = foresee(route(stop(1, leg_s=600.0, promised_at=NOW + 3000)), now=NOW)
    assert risk.warnings == (Note.WINDOW_AT_RISK,)
    assert missed.warnings == (Note.WINDOW_MISSED,)
    assert safe.warnings == ()


def test_a_stale_position_is_told_and_costs_confidence_and_spread():
    fresh, stale = (foresee(route(stop(1, leg_s=900.0), fixed_at=NOW - age), now=NOW)[0] for age in (5, 400))
    assert Note.STALE_POSITION in stale.warnings
    assert Note.STALE_POSITION not in fresh.warnings
    assert stale.confidence < fresh.confidence
    assert stale.p90 - stale.p50 > fresh.p90 - fresh.p50


def test_no_position_is_told():
    (eta,) = foresee(route(stop(1), fixed_at=None), now=NOW)
    assert Note.NO_POSITION in eta.warnings


def test_the_weakest_source_on_the_way_is_told():
    etas = foresee(route(stop(1), stop(2, source="learned"), stop(3)), now=NOW)
    assert [eta.source for eta in etas] == ["osrm", "learned", "learned"]
    assert [Note.FALLBACK_USED in eta.warnings for eta in etas] == [False, True, True]
    quiet = foresee(route(stop(1, source="learned")), now=NOW, engine_expected=False)
    assert Note.FALLBACK_USED not in quiet[0].warnings


@given(st.lists(st.floats(0, 2e9), min_size=N_SCENARIOS, max_size=N_SCENARIOS))
def test_quantiles_are_those_of_numpy(arrivals):
    values = np.array(arrivals)
    assert quantiles(values) == pytest.approx(tuple(np.quantile(values, (0.1, 0.5, 0.9))))


def test_long_routes_are_foreseen_to_the_end():
    assert len(foresee(route(*[stop(n) for n in range(1, 91)]), now=NOW)) == 90


def said(p50, *, at=NOW, number=1, spread_s=120.0, warnings=()):
    return Eta(
        stop=PlannedStop(OrderId(UUID(int=number)), StopKind.DROPOFF),
        p10=p50 - spread_s / 2,
        p50=p50,
        p90=p50 + spread_s,
        computed_at=at,
        source="osrm",
        confidence=0.9,
        warnings=warnings,
    )


instants = st.floats(NOW + 100, NOW + 7200)
causes = st.one_of(st.none(), st.sampled_from(sorted(CAUSES)))


@laws
@given(instants, instants, st.floats(0, 120), causes)
def test_an_arrival_never_moves_later_without_a_cause_that_is_named(old, new, elapsed_s, cause):
    (now_said,) = settle([said(old)], [said(new, at=NOW + elapsed_s)], cause)
    if now_said.p50 > old:
        assert CAUSES & set(now_said.warnings)
        assert cause is None or cause in now_said.warnings


@laws
@given(instants, instants, st.floats(0, 60))
def test_an_arrival_moves_smoothly_and_never_past_what_was_found(old, new, elapsed_s):
    (now_said,) = settle([said(old)], [said(new, at=NOW + elapsed_s)])
    gap = abs(new - old)
    assert abs(now_said.p50 - old) <= max(elapsed_s, gap * (1 - exp(-elapsed_s / SETTLE_S))) + 1e-3
    assert min(old, new) - 1e-6 <= now_said.p50 <= max(old, new) + 1e-6


@laws
@given(st.lists(st.tuples(instants, instants), min_size=2, max_size=5), st.floats(0, 60), causes)
def test_what_is_said_keeps_stops_and_quantiles_in_order(pairs, elapsed_s, cause):
    olds, news = sorted(p[0] for p in pairs), sorted(p[1] for p in pairs)
    before = [said(old, number=n) for n, old in enumerate(olds)]
    result = settle(before, [said(new, at=NOW + elapsed_s, number=n) for n, new in enumerate(news)], cause)
    for first, second in pairwise(result):
        assert first.p50 <= second.p50
    assert all(eta.p10 <= eta.p50 <= eta.p90 for eta in result)


@given(instants, st.floats(-HOLD_S, HOLD_S))
def test_small_changes_are_not_shown(old, change):
    (now_said,) = settle([said(old)], [said(old + change, at=NOW + 5)])
    assert now_said.p50 == old


def test_a_changed_route_is_answered_at_once():
    (now_said,) = settle([said(NOW + 600)], [said(NOW + 1800, at=NOW + 5)], Note.ROUTE_CHANGED)
    assert now_said.p50 == NOW + 1800
    assert Note.ROUTE_CHANGED in now_said.warnings


def test_an_arrival_that_happened_is_told_at_once():
    arrived = replace(said(NOW - 10, at=NOW + 5, spread_s=0.0), source=RECORDED)
    assert settle([said(NOW + 300)], [arrived]) == (arrived,)


def test_repeated_settling_reaches_what_was_found():
    told = (said(NOW + 600),)
    for seconds in range(5, 600, 5):
        told = settle(told, [said(NOW + 1200, at=NOW + seconds)])
    assert told[0].p50 == pytest.approx(NOW + 1200, abs=HOLD_S)
