"""How far off ready times are: seen by who was there before, shrunk where few were, apart from handling."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from dispatch.learning.ready_errors import ReadyErrors, Wait, learn_ready_errors
from tracking.position import LatLon

NOON = datetime(2026, 3, 20, 12, tzinfo=UTC)
GRILL, BAKERY, NEW = LatLon(41.15, -8.61), LatLon(41.17, -8.65), LatLon(41.10, -8.60)


def waits(n, error_s, *, at=GRILL, was_early=True, ready_at=NOON, seed=0, late_s=600.0):
    """Handling of two minutes, give or take half a minute; goods are ready ten minutes late, give or take `error_s`."""
    rng = random.Random(seed)
    return [
        Wait(
            at=at,
            ready_at=ready_at,
            stay_s=rng.gauss(120, 30) + (max(rng.gauss(late_s, error_s), 0.0) if was_early else 0.0),
            was_early=was_early,
        )
        for _ in range(n)
    ]


LATE = waits(100, 0, was_early=False)


def test_nothing_seen_means_that_goods_are_ready_when_they_are_said_to_be():
    assert ReadyErrors().expect(GRILL, NOON) == 0
    assert learn_ready_errors(LATE).expect(GRILL, NOON) == 0
    assert learn_ready_errors(waits(100, 200)).expect(GRILL, NOON) == 0, "handling is not known"


def test_the_error_of_a_place_is_learned_and_handling_is_not_taken_for_it():
    known = learn_ready_errors([*LATE, *waits(300, 200)])
    assert known.expect(GRILL, NOON) == pytest.approx(200, rel=0.15)
    on_time = learn_ready_errors([*LATE, *waits(300, 0)])
    assert on_time.expect(GRILL, NOON) < 15


def test_a_new_place_is_taken_to_be_as_usual_and_few_waits_say_little():
    known = learn_ready_errors([*LATE, *waits(300, 200), *waits(3, 0, at=BAKERY)])
    assert known.expect(NEW, NOON) == pytest.approx(200, rel=0.2)
    assert 120 < known.expect(BAKERY, NOON) < known.expect(GRILL, NOON)
    few = learn_ready_errors([*LATE, *waits(3, 200)])
    assert few.expect(GRILL, NOON) < 150


def test_hours_of_a_place_are_told_apart():
    evening = NOON + timedelta(hours=8)
    known = learn_ready_errors([*LATE, *waits(200, 60), *waits(200, 300, ready_at=evening, seed=1)])
    assert known.expect(GRILL, evening) > 2 * known.expect(GRILL, NOON)
