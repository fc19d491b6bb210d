"""What is foretold of an order is held against what came of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from benchmarks.ready import BEGINS, Seen, errors, of_days, simulated
from benchmarks.ready_habits import QUEUE, Made, learn
from tracking.position import LatLon

AT = LatLon(7.12, -73.11)


def seen(n, place=1, n_before=0, took_min=10.0):
    placed_at = datetime(2020, 9, 14, 12, tzinfo=UTC) + timedelta(minutes=3 * n)
    return Seen(place_id=UUID(int=place), at=AT, placed_at=placed_at, n_before=n_before, took_s=60 * took_min)


def test_what_differs_by_place_and_queue_is_known_by_both():
    day = [seen(n, place=n % 2, n_before=n // 2 % 2, took_min=10 + 20 * (n % 2) + 8 * (n // 2 % 2)) for n in range(400)]
    found = errors(day, day)
    assert list(found) == [
        "a constant for all",
        "a constant per place",
        "one per place and three hours of the day",
        "one per place and queue",
    ]
    assert found["a constant for all"] == 10
    assert 3.9 < found["a constant per place"] < 4.1
    assert found["one per place and queue"] < 0.5


def test_days_of_other_cities_teach_nothing():
    here = [seen(n) for n in range(100)]
    far = [replace(one, at=LatLon(4.8, -75.7)) for one in here]
    names = [name for name, _ in of_days({"a": here, "b": here, "far": far})]
    assert [name.split(",")[0] for name in names[:2]] == ["day a taught", "day b taught"]
    assert len(names) == 5


def test_a_kitchen_makes_what_it_is_asked_in_the_sequence_it_was_asked():
    some, again, other = [simulated(seed, starts=True, places=2, days=2) for seed in (1, 1, 2)]
    assert some == again != other
    assert all(one.took_s > 0 and one.placed_at >= BEGINS for one in some)
    assert {one.n_before for one in some} >= {0, 1, 2}


def test_one_order_says_little_and_a_longer_queue_than_was_seen_is_as_the_longest():
    now = datetime(2026, 3, 2, 12, tzinfo=UTC)
    once = Made(place_id=UUID(int=1), placed_at=now, n_before=0, off_s=600)
    [habit] = learn([once], now).values()
    assert 0 < habit.off_s(0) < 590
    often = [replace(once, n_before=QUEUE + 4, off_s=1200)] * 50
    assert abs(learn(often, now)[once.place_id].off_s(99) - 1200) < 60
