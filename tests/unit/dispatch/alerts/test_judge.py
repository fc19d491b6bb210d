"""Alerts on made-up and recorded tracks with injected faults: found in time, and none without a fault."""

from dataclasses import replace
from itertools import pairwise
from uuid import UUID

import pytest

from dispatch.alert_kind import AlertKind
from dispatch.alerts.facts import AlertParams, CourierFacts, OpenStop
from dispatch.alerts.judge import decide, judge
from dispatch.alerts.route_line import RouteLine
from dispatch.alerts.vigil import EMPTY, AlertFix, step
from dispatch.stop import OrderId, StopKind
from tests.unit.tracking.watching.tracks import MICROS, at, geolife, walk
from tracking.plane import metres
from tracking.position import LatLon, Mode
from tracking.watching.area import Area
from tracking.watching.motion import MotionParams, Sample, Stay, segments
from tracking.watching.track import runs

PARAMS = AlertParams()
ORDER = OrderId(UUID(int=7))


def place(x_m, y_m):
    fix = at(x_m, y_m, 0)
    return LatLon(fix.lat, fix.lon)


def stop(where, order_id=ORDER, **times):
    return OpenStop(order_id=order_id, kind=StopKind.DROPOFF, at=where, **times)


def watched(fixes, facts, *, contacts=None, until_us=None, params=PARAMS, tick_s=5):
    """[(µs, raised or resolved, kind)] as a watcher would: every fix, and a look at the clock every few seconds."""
    vigil, open_keys, told = EMPTY, set(), []
    contacts = contacts if contacts is not None else {f.at_us: f.at_us for f in fixes}
    fixes = {f.at_us: f for f in fixes}
    moments = sorted({*fixes, *contacts, *_ticks(fixes, contacts, until_us, tick_s)})
    contact_us = None
    for now_us in moments:
        if now_us in contacts:
            contact_us = now_us
        if (fix := fixes.get(now_us)) is not None:
            vigil = step(vigil, AlertFix(fix.at_us, fix.lat, fix.lon, fix.accuracy_m), facts, params)
        verdicts = list(judge(vigil, facts, params, contact_us=contact_us, now_us=now_us))
        raised, resolved = decide(open_keys, verdicts, stops=facts.stops)
        told += [(now_us, "raised", v.kind) for v in raised] + [(now_us, "resolved", v.kind) for v in resolved]
        open_keys |= {(v.kind, v.order_id) for v in raised}
        open_keys -= {(v.kind, v.order_id) for v in resolved}
    return told


def _ticks(fixes, contacts, until_us, tick_s):
    first, last = min(fixes), max(*fixes, *contacts, until_us or 0)
    return range(first, last + 1, tick_s * MICROS)


def when(told, kind, what="raised"):
    return [t for t, w, k in told if k is kind and w == what]


# -- the recorded track


@pytest.fixture(scope="session")
def recorded(data_folder):
    """
    The longest real drive without gaps, an hour, and a route through where it went: its stays are the stops.
    """
    fixes = max(runs(geolife(data_folder), 60), key=_length_m)
    stays = [s for s in segments((Sample(f.at_us, f.lat, f.lon) for f in fixes), MotionParams()) if isinstance(s, Stay)]
    stops = tuple(stop(LatLon(s.lat, s.lon), OrderId(UUID(int=i))) for i, s in enumerate(stays))
    nowhere = stop(LatLon(fixes[-1].lat + 0.5, fixes[-1].lon), OrderId(UUID(int=999)))
    # Every 30th fix: the detours between are real ones, as an engine's line and the street differ.
    line = RouteLine([LatLon(f.lat, f.lon) for f in fixes[::30]])
    return fixes, CourierFacts(mode=Mode.CAR, stops=(*stops, nowhere), line=line)


def _length_m(run):
    return sum(metres(a.lat, a.lon, b.lat, b.lon) for a, b in pairwise(run))


def a_moving_part(fixes, n=60):
    """Where a stretch of n fixes begins that moves all the time, far from the ends."""
    for i in range(600, len(fixes) - 600):
        a, b = fixes[i], fixes[i + n]
        if metres(a.lat, a.lon, b.lat, b.lon) > 300:
            return i
    raise AssertionError("expected a moving part")


def test_the_untouched_track_raises_nothing(recorded):
    fixes, facts = recorded
    assert watched(fixes, facts) == []


def seconds_of_two_fixes(fixes, i):
    return max((fixes[i + k + 1].at_us - fixes[i + k].at_us) / MICROS for k in range(10)) * 2


def test_a_phone_frozen_in_place_is_stuck_in_time_and_resolves_when_it_moves(recorded):
    fixes, facts = recorded
    i = a_moving_part(fixes)
    still = [f._replace(lat=fixes[i].lat, lon=fixes[i].lon) if k > i else f for k, f in enumerate(fixes)]
    facts = replace(facts, stops=facts.stops[-1:])
    resumed = still[: i + 400] + fixes[i + 400 :]
    told = watched(resumed, facts)
    (raised,) = when(told, AlertKind.STUCK)[:1]
    late_s = (raised - fixes[i].at_us) / MICROS - PARAMS.stuck_after_s
    assert -30 <= late_s <= seconds_of_two_fixes(fixes, i)
    assert when(told, AlertKind.STUCK, "resolved")


def test_jitter_in_place_is_stuck(recorded):
    fixes, facts = recorded
    i = a_moving_part(fixes)
    noise = walk([(0, 0, 0), (0, 0, 5 * 3000)], noise_m=12, seed=3)
    first = noise[0]
    jittered = [
        f._replace(lat=fixes[i].lat + n.lat - first.lat, lon=fixes[i].lon + n.lon - first.lon)
        for f, n in zip(fixes[i:], noise, strict=False)
    ]
    told = watched(fixes[:i] + jittered, replace(facts, stops=facts.stops[-1:], line=None))
    raised = when(told, AlertKind.STUCK)
    late_s = (raised[0] - fixes[i].at_us) / MICROS - PARAMS.stuck_after_s
    assert -30 <= late_s <= seconds_of_two_fixes(fixes, i)
    assert len(raised) == 1
    assert when(told, AlertKind.STUCK, "resolved") == []


def test_a_fix_that_is_not_renewed_is_frozen_in_time(recorded):
    fixes, facts = recorded
    i = a_moving_part(fixes)
    contacts = {f.at_us: f.at_us for f in fixes}
    told = watched(fixes[: i + 1] + fixes[i + 200 :], facts, contacts=contacts)
    (raised,) = when(told, AlertKind.FROZEN)
    late_s = (raised - fixes[i].at_us) / MICROS - PARAMS.frozen_after_s
    assert 0 < late_s <= seconds_of_two_fixes(fixes, i) + 5
    assert when(told, AlertKind.FROZEN, "resolved") == [fixes[i + 200].at_us]
    assert when(told, AlertKind.SILENT) == []


def test_a_gap_is_silence_in_time(recorded):
    fixes, facts = recorded
    i = a_moving_part(fixes)
    told = watched(fixes[: i + 1] + fixes[i + 200 :], facts)
    (raised,) = when(told, AlertKind.SILENT)
    assert 0 < (raised - fixes[i].at_us) / MICROS - PARAMS.silent_after_s <= 10
    assert when(told, AlertKind.SILENT, "resolved") == [fixes[i + 200].at_us]
    assert when(told, AlertKind.FROZEN) == []


def test_a_detour_is_off_route_in_time(recorded):
    fixes, facts = recorded
    i = a_moving_part(fixes)
    aside = PARAMS.off_route_m / 111_195 * 2.0
    detour = [
        f._replace(lat=f.lat + aside * min(1, (k - i) / 20)) if i < k < i + 80 else f for k, f in enumerate(fixes)
    ]
    told = watched(detour, facts)
    (raised,) = when(told, AlertKind.OFF_ROUTE)
    assert facts.line is not None
    far = next(k for k, f in enumerate(detour) if k > i and facts.line.distance_m(f.lat, f.lon) > PARAMS.off_route_m)
    assert detour[far].at_us <= raised <= detour[far + PARAMS.off_route_fixes + 2].at_us
    assert len(when(told, AlertKind.OFF_ROUTE, "resolved")) == 1


def test_a_jump_is_impossible_at_once_and_over_after_its_time(recorded):
    fixes, facts = recorded
    i = a_moving_part(fixes)
    jumped = [f._replace(lat=f.lat + 0.05) if k == i else f for k, f in enumerate(fixes)]
    told = watched(jumped, facts)
    assert [(w, k) for _, w, k in told] == [
        ("raised", AlertKind.IMPOSSIBLE_JUMP),
        ("resolved", AlertKind.IMPOSSIBLE_JUMP),
    ]
    assert told[0][0] == fixes[i].at_us
    assert (told[1][0] - told[0][0]) / MICROS > PARAMS.jump_clear_s


# -- rules


def seen(fixes, facts=CourierFacts()):  # noqa: B008 - frozen
    vigil = EMPTY
    for fix in fixes:
        vigil = step(vigil, AlertFix(fix.at_us, fix.lat, fix.lon, fix.accuracy_m), facts, PARAMS)
    return vigil


def test_what_cannot_be_reached_is_no_movement_however_short_the_leap():
    stray = [at(1500 if k == 20 else 0, 0, 5 * k, 3.0) for k in range(40)]
    vigil = seen(stray)
    assert vigil.still.first.at_us == stray[0].at_us
    assert vigil.jump_us is None, "under `jump_m` nobody is told"
    assert watched(stray, CourierFacts()) == []


def test_a_leap_that_only_a_car_could_make_is_told_of_a_bicycle_and_believed():
    fixes = [at(40.0 * 60 * k, 0, 60 * k, 3.0) for k in range(4)]
    assert seen(fixes).jump_us is None
    cyclist = seen(fixes, CourierFacts(mode=Mode.BICYCLE))
    assert cyclist.jump_us == fixes[-1].at_us
    assert cyclist.last.at_us == fixes[-1].at_us


def test_standing_at_a_stop_is_work():
    fixes = walk([(-600, 0, 0), (0, 0, 60), (0, 0, 900)])
    assert watched(fixes, CourierFacts(stops=(stop(place(20, 20)),))) == []
    assert when(watched(fixes, CourierFacts(stops=(stop(place(900, 0)),))), AlertKind.STUCK)


def test_nobody_is_stuck_without_a_stop_on_a_break_or_off_duty():
    fixes = walk([(-600, 0, 0), (0, 0, 60), (0, 0, 900)])
    far = (stop(place(900, 0)),)
    assert watched(fixes, CourierFacts()) == []
    assert watched(fixes, CourierFacts(stops=far, on_break=True)) == []
    assert watched(fixes, CourierFacts(stops=far, on_duty=False)) == []


def test_waiting_before_the_order_came_does_not_count():
    fixes = walk([(0, 0, 0), (0, 0, 1200)])
    facts = CourierFacts(stops=(stop(place(900, 0)),), since_us=fixes[0].at_us + 900 * MICROS)
    assert when(watched(fixes, facts), AlertKind.STUCK)[0] >= facts.since_us + PARAMS.stuck_after_s * MICROS


def test_it_is_armed_again_after_it_was_resolved():
    fixes = walk([(0, 0, 0), (0, 0, 400), (900, 0, 100), (900, 0, 400), (1800, 0, 100)])
    told = watched(fixes, CourierFacts(stops=(stop(place(5000, 0)),)))
    assert [w for _, w, k in told if k is AlertKind.STUCK] == ["raised", "resolved", "raised", "resolved"]


def test_the_distance_counts_to_the_segments_not_to_the_vertices():
    fixes = walk([(0, 10, 0), (4000, 10, 300)])
    line = RouteLine([place(0, 0), place(4000, 0)])
    assert watched(fixes, CourierFacts(line=line)) == []
    assert line.distance_m(place(2000, 300).lat, place(2000, 300).lon) == pytest.approx(300, rel=0.01)
    many = RouteLine([place(100 * k, 0) for k in range(41)])
    assert many.distance_m(place(2050, 300).lat, place(2050, 300).lon) == pytest.approx(300, rel=0.01)


def test_late_risk_comes_before_late_and_ends_with_it():
    fixes = walk([(0, 0, 0), (3000, 0, 600)])
    promised_us = fixes[0].at_us + 300 * MICROS
    facts = CourierFacts(stops=(stop(place(9000, 0), promised_us=promised_us, p90_us=promised_us + 60 * MICROS),))
    told = watched(fixes, facts)
    assert [(w, k) for _, w, k in told] == [
        ("raised", AlertKind.LATE_RISK),
        ("raised", AlertKind.LATE),
        ("resolved", AlertKind.LATE_RISK),
    ]
    assert when(told, AlertKind.LATE)[0] > promised_us


def test_an_order_that_left_the_route_resolves_its_alerts():
    raised, resolved = decide({(AlertKind.LATE, ORDER), (AlertKind.STUCK, None)}, [], stops=())
    assert raised == []
    assert [(v.kind, v.order_id) for v in resolved] == [(AlertKind.LATE, ORDER)]


def test_low_battery_has_hysteresis():
    vigil, told = EMPTY, []
    open_keys = set()
    for k, pct in enumerate([50, 16, 15, 17, 14, 19, 20, 30]):
        fix = at(10 * k, 0, 5 * k)
        vigil = step(vigil, AlertFix(fix.at_us, fix.lat, fix.lon, 5.0, pct), CourierFacts(), PARAMS)
        verdicts = list(judge(vigil, CourierFacts(), PARAMS, contact_us=fix.at_us, now_us=fix.at_us))
        raised, resolved = decide(open_keys, verdicts, stops=())
        told += [("raised", pct) for _ in raised] + [("resolved", pct) for _ in resolved]
        open_keys |= {(v.kind, v.order_id) for v in raised}
        open_keys -= {(v.kind, v.order_id) for v in resolved}
    assert told == [("raised", 15), ("resolved", 20)]


def test_leaving_the_region_takes_several_fixes():
    region = Area.circle(place(0, 0), 1000)
    fixes = walk([(0, 0, 0), (3000, 0, 300), (0, 0, 300)])
    told = watched(fixes, CourierFacts(region=region))
    assert [(w, k) for _, w, k in told] == [
        ("raised", AlertKind.OUTSIDE_REGION),
        ("resolved", AlertKind.OUTSIDE_REGION),
    ]
    stray = walk([(0, 0, 0), (0, 0, 300)])
    stray[20] = at(1900, 0, 100, 3.0)
    assert watched(stray, CourierFacts(region=region)) == []


def test_a_courier_who_went_home_is_not_silent_for_ever():
    fix = at(0, 0, 0)
    vigil = step(EMPTY, AlertFix(fix.at_us, fix.lat, fix.lon), CourierFacts(), PARAMS)

    def is_silent(after_s):
        now_us = fix.at_us + after_s * MICROS
        verdicts = judge(vigil, CourierFacts(), PARAMS, contact_us=fix.at_us, now_us=now_us)
        return any(v.holds for v in verdicts if v.kind is AlertKind.SILENT)

    assert [is_silent(s) for s in (60, 600, 40_000, 50_000)] == [False, True, True, False]


def test_nothing_is_told_of_a_courier_never_heard_of():
    assert [v for v in judge(EMPTY, CourierFacts(), PARAMS, contact_us=None, now_us=0) if v.holds] == []


def test_thresholds_must_make_sense():
    with pytest.raises(ValueError, match="back_on_route_m"):
        AlertParams(back_on_route_m=200)
