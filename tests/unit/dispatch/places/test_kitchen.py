"""When a place works, by the clock on its wall."""

from datetime import UTC, datetime, timedelta

from dispatch.places.kitchen import AHEAD_S, Hours, open_spans

EVERY_DAY = frozenset(range(7))
HOUR = 3600


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_without_hours_it_always_works_and_after_a_pause_again():
    now = at("2026-03-02T10:00")
    assert open_spans((), "UTC", now) == ((0, AHEAD_S),)
    assert open_spans((), "UTC", now, paused_until=now + timedelta(minutes=20)) == ((1200, AHEAD_S),)
    assert open_spans((), "UTC", now, paused_until=now - timedelta(minutes=20)) == ((0, AHEAD_S),)
    assert open_spans((), "UTC", now, paused_until=now + timedelta(days=9)) == ()


def test_hours_are_those_of_the_place_and_go_over_midnight():
    evening = Hours(weekdays=EVERY_DAY, opens=18 * 60, closes=2 * 60)
    now = at("2026-03-02T00:30")  # 01:30 on Monday in Berlin: still open since Sunday
    spans = open_spans((evening,), "Europe/Berlin", now)
    assert spans[:2] == ((0, HOUR // 2), (HOUR * 33 // 2, HOUR * 49 // 2))


def test_only_on_its_days():
    mondays = Hours(weekdays=frozenset({0}), opens=9 * 60, closes=10 * 60)
    assert open_spans((mondays,), "UTC", at("2026-03-02T08:00")) == ((HOUR, 2 * HOUR),)
    assert open_spans((mondays,), "UTC", at("2026-03-03T08:00")) == ()


def test_the_day_on_which_the_clock_is_put_forward_is_shorter():
    day = Hours(weekdays=EVERY_DAY, opens=0, closes=24 * 60)
    assert open_spans((day,), "Europe/Berlin", at("2026-03-28T23:00")) == ((0, AHEAD_S),)
    breakfast = Hours(weekdays=EVERY_DAY, opens=7 * 60, closes=8 * 60)
    # From midnight of the 29th, when three o'clock comes at two: seven is six hours away.
    assert open_spans((breakfast,), "Europe/Berlin", at("2026-03-28T23:00"))[0] == (6 * HOUR, 7 * HOUR)


def test_spans_that_touch_are_one():
    morning = Hours(weekdays=EVERY_DAY, opens=8 * 60, closes=12 * 60)
    noon = Hours(weekdays=EVERY_DAY, opens=11 * 60, closes=15 * 60)
    assert open_spans((noon, morning), "UTC", at("2026-03-02T08:00"))[0] == (0, 7 * HOUR)
