"""Stays at stops: usual of the kind, the place, the courier; shrunk where little is known."""

import random
from datetime import UTC, datetime, timedelta
from math import exp
from uuid import UUID

import pytest

from dispatch.learning.service_times import PRIOR_MEDIAN_S, ServiceTimes, TrackedService, learn_services
from dispatch.stop import StopKind
from tracking.position import CourierId, LatLon

NOW = datetime(2026, 3, 20, tzinfo=UTC)
ANA, RUI = CourierId(UUID(int=1)), CourierId(UUID(int=2))
GRILL, ELSEWHERE = LatLon(41.15, -8.61), LatLon(41.17, -8.65)


def stays(n, seconds, *, at=ELSEWHERE, courier_id=ANA, kind=StopKind.PICKUP, seed=0, spread=0.1, age_days=1.0, **more):
    rng = random.Random(seed)
    return [
        TrackedService(
            courier_id=courier_id,
            kind=kind,
            at=at,
            began_at=NOW - timedelta(days=age_days),
            duration_s=seconds * exp(rng.gauss(0, spread)),
            **more,
        )
        for _ in range(n)
    ]


def test_nothing_learned_means_what_the_order_says_or_the_prior():
    nothing = ServiceTimes()
    assert nothing.expect(StopKind.PICKUP, GRILL, ANA)[0] == pytest.approx(PRIOR_MEDIAN_S[StopKind.PICKUP])
    median, band = nothing.expect(StopKind.DROPOFF, GRILL, None, declared_s=60)
    assert median == pytest.approx(60)
    assert band.low < 0 < band.high


def test_a_slow_kitchen_is_known_and_does_not_slow_the_others():
    times = learn_services(stays(60, 120) + stays(40, 600, at=GRILL, seed=1), now=NOW)
    assert times.expect(StopKind.PICKUP, GRILL, ANA)[0] > 1.8 * times.expect(StopKind.PICKUP, ELSEWHERE, ANA)[0]


def test_a_single_long_stay_moves_its_place_a_little():
    times = learn_services(stays(60, 120) + stays(1, 1200, at=GRILL, seed=1), now=NOW)
    assert 120 < times.expect(StopKind.PICKUP, GRILL, None)[0] < 220


def test_a_slow_courier_is_known():
    times = learn_services(stays(60, 120) + stays(60, 240, courier_id=RUI, at=GRILL), now=NOW)
    assert (
        times.expect(StopKind.PICKUP, LatLon(41.2, -8.6), RUI)[0]
        > times.expect(StopKind.PICKUP, LatLon(41.2, -8.6), ANA)[0]
    )


def test_kinds_are_told_apart():
    times = learn_services(stays(30, 300) + stays(30, 60, kind=StopKind.DROPOFF), now=NOW)
    assert times.expect(StopKind.PICKUP, ELSEWHERE, None)[0] == pytest.approx(300, rel=0.2)
    assert times.expect(StopKind.DROPOFF, ELSEWHERE, None)[0] == pytest.approx(60, rel=0.2)


def test_a_plan_adds_up_means_and_what_is_declared_where_no_stay_was_seen():
    assert ServiceTimes().mean_s(StopKind.PICKUP, GRILL, ANA, declared_s=60) == pytest.approx(60)
    times = learn_services(stays(400, 120, spread=0.6), now=NOW)
    mean_s = times.mean_s(StopKind.PICKUP, ELSEWHERE, None)
    assert mean_s == pytest.approx(120 * exp(0.6**2 / 2), rel=0.08)
    assert mean_s > 1.1 * times.expect(StopKind.PICKUP, ELSEWHERE, None)[0]
    wild = learn_services(stays(400, 120, spread=3.0), now=NOW)
    assert wild.mean_s(StopKind.PICKUP, ELSEWHERE, None) < 2 * wild.expect(StopKind.PICKUP, ELSEWHERE, None)[0]


def test_the_band_is_as_wide_as_the_stays_differ():
    narrow = learn_services(stays(200, 120, spread=0.05), now=NOW).expect(StopKind.PICKUP, ELSEWHERE, ANA)[1]
    wide = learn_services(stays(200, 120, spread=0.9), now=NOW).expect(StopKind.PICKUP, ELSEWHERE, ANA)[1]
    assert wide.high > 2 * narrow.high


def test_the_order_of_the_stays_changes_nothing():
    some = stays(20, 100) + stays(20, 300, at=GRILL, courier_id=RUI)
    one, other = (learn_services(order, now=NOW) for order in (some, some[::-1]))
    assert one.expect(StopKind.PICKUP, GRILL, RUI)[0] == pytest.approx(other.expect(StopKind.PICKUP, GRILL, RUI)[0])


def test_absurd_stays_are_cut_back():
    times = learn_services(stays(30, 100) + stays(1, 10_000_000), now=NOW)
    assert times.expect(StopKind.PICKUP, ELSEWHERE, None)[0] < 130


@pytest.mark.parametrize("n", [1, 9, 10, 11, 300])
def test_what_an_order_declares_counts_however_much_was_learned(n):
    """Half an hour for a wardrobe stays long, however many bags were handed over in two minutes."""
    times = learn_services(stays(n, 120, declared_s=120), now=NOW)
    assert times.expect(StopKind.PICKUP, ELSEWHERE, ANA, declared_s=1800)[0] > 1000
    assert times.expect(StopKind.PICKUP, ELSEWHERE, ANA, declared_s=120)[0] == pytest.approx(120, rel=0.1)


def test_declared_times_that_mean_nothing_are_believed_less():
    some = [stay for declared in (30, 120, 600) for stay in stays(40, 120, declared_s=declared, seed=declared)]
    times = learn_services(some, now=NOW)
    assert times.expect(StopKind.PICKUP, ELSEWHERE, None, declared_s=1800)[0] < 250


def test_declared_times_that_are_kept_are_believed():
    some = [stay for said in (30, 120, 600) for stay in stays(40, 1.5 * said, declared_s=said, seed=said)]
    times = learn_services(some, now=NOW)
    assert times.expect(StopKind.PICKUP, ELSEWHERE, None, declared_s=600)[0] == pytest.approx(900, rel=0.15)


def test_a_few_stays_move_the_usual_a_little_and_more_move_it_more():
    found = [
        learn_services(stays(n, 300, declared_s=120), now=NOW).expect(StopKind.PICKUP, ELSEWHERE, None, declared_s=120)[
            0
        ]
        for n in (1, 5, 10, 40)
    ]
    assert 120 < found[0] < found[1] < found[2] < found[3] < 330
