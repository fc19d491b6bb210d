"""Stays, trips and gaps of made-up walks."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.tracking.watching.tracks import MICROS, NOON_US, at, walk
from tracking.plane import metres
from tracking.watching.motion import (
    Began,
    Closed,
    Gap,
    MotionParams,
    Sample,
    Stay,
    Trip,
    current,
    ends_us,
    segments,
    step,
)

PARAMS = MotionParams()


def samples(fixes):
    return [Sample(f.at_us, f.lat, f.lon) for f in fixes]


def stays(fixes, params=PARAMS):
    return [s for s in segments(samples(fixes), params) if isinstance(s, Stay)]


def test_a_minute_at_a_door_is_a_stay_with_its_place_and_times():
    fixes = walk([(0, 0, 0), (600, 0, 60), (600, 0, 75), (1200, 0, 60)])
    before, stay, after = segments(samples(fixes), PARAMS)
    assert isinstance(stay, Stay)
    assert abs((stay.arrived_us - NOON_US) / MICROS - 60) <= 5
    assert abs((stay.departed_us - NOON_US) / MICROS - 135) <= 10
    door = at(600, 0, 0)
    assert metres(stay.lat, stay.lon, door.lat, door.lon) < 15
    assert isinstance(before, Trip)
    assert isinstance(after, Trip)
    assert before.distance_m == pytest.approx(600, rel=0.1)
    assert after.open


def test_half_a_minute_at_a_light_is_no_stay():
    assert stays(walk([(0, 0, 0), (600, 0, 60), (600, 0, 30), (1200, 0, 60)])) == []


def test_somebody_who_strolls_is_not_staying():
    assert stays(walk([(0, 0, 0), (500, 0, 400)])) == []


def test_one_stray_fix_does_not_end_a_stay():
    fixes = walk([(0, 0, 0), (0, 0, 300), (900, 0, 60)])
    fixes[30] = at(300, 0, 150)
    assert len(stays(fixes)) == 1


def test_stops_at_two_doors_are_two_stays():
    fixes = walk([(0, 0, 0), (0, 0, 120), (120, 0, 30), (120, 0, 120), (900, 0, 60)])
    assert len(stays(fixes)) == 2


def test_a_gap_is_a_gap_and_not_a_trip():
    fixes = [*walk([(0, 0, 0), (600, 0, 60)]), *(at(3000 + 10 * k, 0, 1000 + 5 * k) for k in range(20))]
    found = list(segments(samples(fixes), PARAMS))
    gap = next(s for s in found if isinstance(s, Gap))
    assert gap.straight_m == pytest.approx(2400, abs=20)
    driven_m = sum(s.distance_m for s in found if isinstance(s, Trip))
    assert driven_m < 1000


def test_a_stay_goes_on_until_the_courier_leaves():
    fixes = samples(walk([(0, 0, 0), (0, 0, 200)]))
    state, events = None, []
    for sample in fixes:
        state, new = step(state, sample, PARAMS)
        events.extend(new)
    assert [type(e) for e in events] == [Began]
    (stay,) = current(state)
    assert stay.open
    assert stay.departed_us == fixes[-1].at_us


def test_segments_follow_one_another_without_overlap():
    legs = [(0, 0, 0), (900, 0, 90), (900, 0, 130), (900, 800, 100), (900, 800, 70), (0, 0, 200), (0, 0, 400)]
    found = list(segments(samples(walk(legs)), PARAMS))
    ends = [(s.arrived_us, s.departed_us) if isinstance(s, Stay) else (s.began_us, s.ended_us) for s in found]
    assert all(a[1] == b[0] for a, b in pairwise(ends))


def test_a_stay_on_the_antimeridian_has_its_place_there():
    (stay,) = stays(walk([(0, 0, 0), (0, 0, 300)], noise_m=8, origin=(-16.5, 180.0)))
    assert 179.999 < abs(stay.lon) <= 180


def test_a_fix_out_of_order_is_refused():
    state, _ = step(None, Sample(10, 0.0, 0.0), PARAMS)
    with pytest.raises(ValueError, match="order of time"):
        step(state, Sample(10, 0.0, 0.0), PARAMS)


def test_closing_events_are_the_segments():
    fixes = samples(walk([(0, 0, 0), (600, 0, 60), (600, 0, 75), (1200, 0, 60)]))
    state, closed = None, []
    for sample in fixes:
        state, new = step(state, sample, PARAMS)
        closed += [e.segment for e in new if isinstance(e, Closed)]
    assert [*closed, *current(state)] == list(segments(fixes, PARAMS))


@settings(deadline=None)
@given(
    legs=st.lists(
        st.tuples(st.integers(-300, 300), st.integers(-300, 300), st.integers(20, 400)), min_size=2, max_size=6
    ),
    noise_m=st.sampled_from([1.0, 8.0, 30.0]),
    silence=st.tuples(st.integers(0, 200), st.integers(0, 100)),
)
def test_a_fold_that_begins_with_any_segment_comes_to_the_same_from_there_on(legs, noise_m, silence):
    fixes = samples(walk(legs, noise_m=noise_m))
    del fixes[silence[0] : silence[0] + silence[1]]
    whole = segments(fixes, PARAMS)
    for n, segment in enumerate(whole):
        began_us, _ = ends_us(segment)
        assert segments([s for s in fixes if s.at_us >= began_us], PARAMS) == whole[n:]


def as_traccar_client(fixes, *, interval_s=300, distance_m=75):
    """The fixes that an app with these settings sends, the seconds it is late included."""
    sent = [fixes[0]]
    for fix in fixes:
        silent_s = (fix.at_us - sent[-1].at_us) / MICROS
        if silent_s > interval_s or metres(sent[-1].lat, sent[-1].lon, fix.lat, fix.lon) >= distance_m:
            sent.append(fix)
    return sent


def test_a_phone_with_the_defaults_of_its_app_that_lies_still_for_two_hours_is_one_stay():
    legs = [(-3000, 0, 0), (0, 0, 400), (0, 0, 7200), (3000, 0, 400)]
    found = segments(samples(as_traccar_client(walk(legs, noise_m=6))), PARAMS)
    assert [type(s) for s in found] == [Trip, Stay, Trip]
    assert (found[1].departed_us - found[1].arrived_us) / MICROS == pytest.approx(7200, abs=310)


def test_a_silence_from_one_place_to_another_is_a_gap_as_ever_and_a_long_one_at_one_place_too():
    there = [at(0, 0, 5 * k) for k in range(20)]
    for x_m, silent_s, is_gap in ((0, 310, False), (0, 400, True), (200, 310, True), (200, 290, False)):
        later = [at(x_m, 0, 95 + silent_s + 5 * k) for k in range(20)]
        found = segments(samples([*there, *later]), PARAMS)
        assert any(isinstance(s, Gap) for s in found) is is_gap


@pytest.mark.parametrize("interval_s", [300, 600, 900, 1800])
def test_a_phone_that_lies_still_for_a_day_is_one_stay_at_any_interval_of_its_app(interval_s):
    """And is a little late each time, by another amount."""
    legs = [(-3000, 0, 0), (0, 0, 400), (0, 0, 86_400), (3000, 0, 400)]
    sent = as_traccar_client(walk(legs, noise_m=6), interval_s=interval_s)
    lying_still = range(NOON_US + 500 * MICROS, NOON_US + 86_700 * MICROS)
    late = [f._replace(at_us=f.at_us + n % 7 * 5 * MICROS * (f.at_us in lying_still)) for n, f in enumerate(sent)]
    found = segments(samples(late), PARAMS)
    left_unseen = [Gap] if interval_s > PARAMS.gap_s else []
    assert [type(s) for s in found] == [Trip, Stay, *left_unseen, Trip]
    assert (found[1].departed_us - found[1].arrived_us) / MICROS == pytest.approx(86_400, abs=interval_s + 40)


def test_a_silence_longer_than_the_interval_of_the_app_is_a_gap():
    silences_s = [900, 930, 910, 2100, 900, 890]
    times_s = [sum(silences_s[:n]) for n in range(len(silences_s) + 1)]
    found = segments(samples([at(0, 0, t) for t in times_s]), PARAMS)
    assert [type(s) for s in found] == [Stay, Gap, Stay]
    assert (found[1].ended_us - found[1].began_us) / MICROS == 2100


@given(
    silences_s=st.lists(st.sampled_from([5, 290, 340, 400, 450, 900, 1000, 2000, 4000]), min_size=1, max_size=14),
    places_m=st.lists(st.sampled_from([0, 0, 0, 20, 48, 55, 300]), min_size=15, max_size=15),
)
def test_what_is_an_interval_is_the_same_wherever_a_fold_begins(silences_s, places_m):
    times_s = [sum(silences_s[:n]) for n in range(len(silences_s) + 1)]
    fixes = samples([at(x_m, 0, t) for x_m, t in zip(places_m, times_s, strict=False)])
    whole = segments(fixes, PARAMS)
    assert all(a[1] == b[0] for a, b in pairwise(ends_us(s) for s in whole))
    for n, segment in enumerate(whole):
        began_us, _ = ends_us(segment)
        assert segments([s for s in fixes if s.at_us >= began_us], PARAMS) == whole[n:]
