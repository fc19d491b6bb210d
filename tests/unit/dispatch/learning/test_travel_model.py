"""What is learned from legs: direction, shrinkage, independence of order, and what the travel chain reads."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from math import exp, log
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.learning.factors import LearnedFactors
from dispatch.learning.travel_model import (
    GREAT_CIRCLE,
    TrackedLeg,
    condense,
    courier_effects,
    hour_of_week,
    learn,
)
from tracking.position import CourierId, LatLon, Mode, Region

NOW = datetime(2026, 3, 20, tzinfo=UTC)
PORTO = LatLon(41.15, -8.61)
ANA, RUI = CourierId(UUID(int=1)), CourierId(UUID(int=2))


def legs(n, *, factor=1.0, noise=0.05, seed=0, courier_id=ANA, days=10):
    rng = random.Random(seed)
    found = []
    for _ in range(n):
        origin, destination = (
            LatLon(PORTO.lat + rng.uniform(-0.02, 0.02), PORTO.lon + rng.uniform(-0.02, 0.02)) for _ in range(2)
        )
        found.append(
            TrackedLeg(
                courier_id=courier_id,
                mode=Mode.CAR,
                origin=origin,
                destination=destination,
                departed_at=NOW - timedelta(days=rng.uniform(0.1, days)),
                duration_s=400 * factor * exp(rng.gauss(0, noise)),
                base_s=400.0,
            )
        )
    return found


def taught(some, **changes):
    return learn(some, region=Region("porto"), mode=Mode.CAR, base=GREAT_CIRCLE, now=NOW, **changes)


def test_a_systematic_delay_is_learned():
    model = taught(legs(200, factor=1.3))
    estimate = model.estimate(PORTO, LatLon(41.16, -8.60), NOW, 400.0)
    assert estimate.p50_s == pytest.approx(520, rel=0.05)
    assert estimate.p10_s < estimate.p50_s < estimate.p90_s
    assert estimate.n > 1


def test_a_rush_hour_is_learned_for_its_hours_only():
    quiet = [replace(leg, departed_at=leg.departed_at.replace(hour=11)) for leg in legs(150, seed=1)]
    rush = [replace(leg, departed_at=leg.departed_at.replace(hour=18)) for leg in legs(150, factor=1.5, seed=2)]
    model = taught(quiet + rush)
    weekday = datetime(2026, 3, 18, tzinfo=UTC)
    at_six, at_eleven = (
        model.estimate(PORTO, LatLon(41.16, -8.60), weekday.replace(hour=hour), 400.0).p50_s for hour in (18, 11)
    )
    assert at_six > 1.25 * at_eleven


def test_the_order_in_which_legs_are_told_changes_nothing():
    some = legs(80, seed=3)
    shuffled = random.Random(1).sample(some, len(some))
    one, other = (taught(order).estimate(PORTO, LatLon(41.16, -8.60), NOW, 400.0).p50_s for order in (some, shuffled))
    assert one == pytest.approx(other, rel=1e-9)


def test_few_legs_teach_nothing():
    assert taught(legs(4)) is None


def test_one_absurd_leg_moves_little():
    some = legs(100, seed=4)
    model = taught([*some, replace(some[0], duration_s=400_000.0)])
    assert model.estimate(PORTO, LatLon(41.16, -8.60), NOW, 400.0).p50_s == pytest.approx(400, rel=0.1)


def test_older_legs_count_less():
    old = [replace(leg, departed_at=leg.departed_at - timedelta(days=120)) for leg in legs(60, factor=2.0, seed=5)]
    model = taught(old + legs(60, factor=1.0, seed=6))
    assert model.estimate(PORTO, LatLon(41.16, -8.60), NOW, 400.0).p50_s < 440


def test_repeated_trips_of_a_pair_become_one_row():
    leg = legs(1)[0]
    rows = condense([replace(leg, departed_at=NOW, duration_s=400 * exp(x)) for x in (0.1, 0.3)], now=NOW)
    assert len(rows) == 1
    assert rows.n_legs[0] == pytest.approx(2.0)
    assert rows.log_factor[0] == pytest.approx(0.2)


def test_only_the_most_counting_rows_are_kept():
    assert len(condense(legs(50), now=NOW, n_most=10)) == 10


def test_a_slow_courier_is_known_after_some_legs():
    slow = [replace(leg, courier_id=RUI, error=0.3) for leg in legs(40, days=2)]
    one_leg = [replace(leg, error=0.3) for leg in legs(1, days=2)]
    effects = courier_effects(slow + one_leg, now=NOW)
    assert 0.2 < effects[RUI] < 0.3
    assert 0.0 < effects[ANA] < 0.05


def test_errors_of_earlier_predictions_set_the_interval():
    some = legs(60, noise=0.01)
    tight = taught([replace(leg, error=x) for leg, x in zip(some, np.linspace(-0.02, 0.02, 60), strict=True)])
    wide = taught([replace(leg, error=x) for leg, x in zip(some, np.linspace(-0.8, 0.8, 60), strict=True)])
    band = [m.estimate(PORTO, LatLon(41.16, -8.60), NOW, 400.0).band for m in (tight, wide)]
    assert band[1].high > 3 * band[0].high


def test_judging_a_leg_measures_the_error_of_the_prediction():
    model = taught(legs(100, factor=1.2))
    leg = legs(1, factor=1.2, noise=0.0, seed=99)[0]
    (judged,) = model.judged([leg])
    assert judged.error == pytest.approx(0.0, abs=0.1)
    assert model.judged([]) == []


@given(st.integers(0, 2**32), st.floats(-180, 180))
def test_hour_of_week_stays_in_the_week(unix_s, lon):
    assert 0 <= hour_of_week(datetime.fromtimestamp(unix_s, UTC), lon) < 168


def test_hour_of_week_counts_from_monday_by_the_sun():
    monday_noon_in_vladivostok = datetime(2026, 3, 16, 12, tzinfo=timezone(timedelta(hours=10)))
    assert hour_of_week(monday_noon_in_vladivostok, 131.9) == pytest.approx(12.0, abs=1.3)


def test_a_leg_without_duration_is_refused():
    with pytest.raises(ValueError, match="duration_s > 0"):
        replace(legs(1)[0], duration_s=0.0)


class TestLearnedFactors:
    def test_a_pair_has_the_same_factor_alone_and_among_others(self):
        learned = LearnedFactors([taught(legs(100, factor=1.4))])
        origins, destinations = [PORTO, LatLon(41.14, -8.60)], [LatLon(41.16, -8.60), LatLon(41.155, -8.62)]
        matrix = learned.factors(Mode.CAR, origins, destinations, NOW)
        for i, origin in enumerate(origins):
            for j, destination in enumerate(destinations):
                (alone,) = learned.factors(Mode.CAR, [origin], [destination], NOW).flat
                assert alone == pytest.approx(matrix[i, j], rel=1e-3)

    def test_unknown_modes_and_far_places_are_unknown(self):
        learned = LearnedFactors([taught(legs(100))])
        tokyo = [LatLon(35.68, 139.69)]
        assert np.isnan(learned.factors(Mode.FOOT, [PORTO], [PORTO], NOW)).all()
        assert np.isnan(learned.factors(Mode.CAR, tokyo, tokyo, NOW)).all()
        assert learned.factors(Mode.CAR, [], tokyo, NOW).shape == (0, 1)

    def test_few_legs_do_not_correct_the_default(self):
        assert np.isnan(LearnedFactors([taught(legs(10))]).factors(Mode.CAR, [PORTO], [PORTO], NOW)).all()

    def test_the_region_with_more_legs_speaks_for_a_place_both_reach(self):
        small, large = taught(legs(30, factor=2.0)), taught(legs(90, factor=1.0))
        (factor,) = LearnedFactors([small, large]).factors(Mode.CAR, [PORTO], [LatLon(41.16, -8.60)], NOW).flat
        assert log(factor) == pytest.approx(0.0, abs=0.1)


def in_quarters(n, *, at, seed, spread=0.25):
    """Legs within a few kilometres of a place, in a city where every quarter has a pace of its own."""
    rng = random.Random(seed)
    found = []
    while len(found) < n:
        ends = [LatLon(at.lat + rng.gauss(0, 0.008), at.lon + rng.gauss(0, 0.01)) for _ in range(2)]
        own = sum(random.Random(f"{round(end.lat * 90)} {round(end.lon * 70)}").gauss(0, spread) for end in ends)
        found.append(
            TrackedLeg(
                courier_id=ANA,
                mode=Mode.CAR,
                origin=ends[0],
                destination=ends[1],
                departed_at=NOW - timedelta(days=rng.uniform(0.1, 14)),
                duration_s=400 * exp(own + rng.gauss(0, 0.15)),
                base_s=400.0,
            )
        )
    return found


def coverage_pct(model, some):
    found = [model.estimate(leg.origin, leg.destination, leg.departed_at, leg.base_s) for leg in some]
    return 100 * np.mean([one.p10_s <= leg.duration_s <= one.p90_s for one, leg in zip(found, some, strict=True)])


def test_intervals_hold_after_some_hundred_legs_and_where_nobody_went():
    far = LatLon(PORTO.lat + 0.08, PORTO.lon + 0.08)
    known, unknown = [], []
    for seed in range(3):
        model = taught(in_quarters(300, at=PORTO, seed=seed))
        known.append(coverage_pct(model, in_quarters(300, at=PORTO, seed=seed + 100)))
        unknown.append(coverage_pct(model, in_quarters(300, at=far, seed=seed + 200)))
    assert 73 <= np.mean(known) <= 87
    assert 73 <= np.mean(unknown) <= 92


def test_who_was_somewhere_is_surer_there_than_elsewhere():
    model = taught(in_quarters(300, at=PORTO, seed=1))
    far = LatLon(PORTO.lat + 0.08, PORTO.lon + 0.08)
    here, there = model.novelty([PORTO, far], [PORTO, far])
    assert here < 0.9 * there
    assert there == pytest.approx(1.0, abs=0.01)


def test_the_rhythm_of_the_day_is_learned_for_legs_driven_later():
    """Of a model and of what the planner asks for: relative to the hour that its matrix is of."""
    quiet = [replace(leg, departed_at=leg.departed_at.replace(hour=11)) for leg in legs(150, seed=1)]
    rush = [replace(leg, departed_at=leg.departed_at.replace(hour=18)) for leg in legs(150, factor=1.5, seed=2)]
    at_eleven = datetime(2026, 3, 18, 11, tzinfo=UTC)
    rhythm = LearnedFactors([taught(quiet + rush)]).habits(Mode.CAR, PORTO, at_eleven).rhythm
    assert rhythm is not None
    assert rhythm.slowness[0] == 1.0
    assert rhythm.slowness[7 * 4] == pytest.approx(1.5, rel=0.12)
    assert LearnedFactors([taught(legs(150, noise=0.0))]).habits(Mode.CAR, PORTO, at_eleven).rhythm is None


def test_the_pace_of_a_courier_is_handed_on_to_the_planner():
    known = [replace(leg, error=0.2) for leg in legs(40, courier_id=RUI)]
    habits = LearnedFactors([taught(known)]).habits(Mode.CAR, PORTO, NOW)
    assert habits.paces[RUI] == pytest.approx(exp(0.2 * 40 / 48), rel=0.03)
    assert LearnedFactors([]).habits(Mode.CAR, PORTO, NOW).paces == {}
