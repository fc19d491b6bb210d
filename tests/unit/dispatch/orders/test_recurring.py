from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from dateutil import rrule
from hypothesis import given
from hypothesis import strategies as st

from dispatch.orders.courier import Shift, ShiftBreak
from dispatch.orders.recurring import FARTHEST, MOST, shifts_by

LISBON = ZoneInfo("Europe/Lisbon")


def shift(day, hour=10, hours=4, zone=LISBON, **facts):
    starts_at = datetime(*day, hour, tzinfo=zone)
    return Shift(starts_at=starts_at, ends_at=starts_at + timedelta(hours=hours), **facts)


def local(at, zone=LISBON):
    return at.astimezone(zone).strftime("%a %d %H:%M")


def test_shifts_are_on_the_same_hours_of_the_clock_where_it_is_put_back():
    pause = ShiftBreak(
        opens_at=datetime(2026, 10, 23, 11, tzinfo=LISBON),
        closes_at=datetime(2026, 10, 23, 12, tzinfo=LISBON),
        duration_s=1800,
    )
    found = shifts_by("FREQ=WEEKLY;BYDAY=FR,MO;COUNT=3", shift((2026, 10, 23), breaks=(pause,)), LISBON)
    assert [local(one.starts_at) for one in found] == ["Fri 23 10:00", "Mon 26 10:00", "Fri 30 10:00"]
    assert [local(one.breaks[0].opens_at) for one in found] == ["Fri 23 11:00", "Mon 26 11:00", "Fri 30 11:00"]
    assert found[0].starts_at.astimezone(UTC).hour == 9
    assert found[1].starts_at.astimezone(UTC).hour == 10


def test_an_hour_that_the_clock_leaves_out_is_the_next_one():
    found = shifts_by("FREQ=DAILY;COUNT=2", shift((2026, 3, 28), hour=1, hours=3), LISBON)
    assert [local(one.starts_at) for one in found] == ["Sat 28 01:00", "Sun 29 02:00"]
    assert [local(one.ends_at) for one in found] == ["Sat 28 04:00", "Sun 29 04:00"]


def test_a_rule_until_an_instant_ends_there():
    found = shifts_by("RRULE:FREQ=DAILY;INTERVAL=2;UNTIL=20261130T100000Z", shift((2026, 11, 26)), LISBON)
    assert [one.starts_at.astimezone(LISBON).date() for one in found] == [date(2026, 11, d) for d in (26, 28, 30)]


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("FREQ=DAILY", "COUNT or UNTIL"),
        ("FREQ=HOURLY;COUNT=2", "FREQ to be one of"),
        ("COUNT=2", "FREQ to be one of"),
        ("FREQ=DAILY;COUNT=0", "COUNT from 1"),
        ("FREQ=DAILY;INTERVAL=0;COUNT=2", "INTERVAL from 1"),
        ("FREQ=DAILY;COUNT=401", "at most 400"),
        ("FREQ=DAILY;UNTIL=20261201", "UTC"),
        ("FREQ=DAILY;UNTIL=20261101T000000Z", "some day"),
        ("FREQ=DAILY;UNTIL=20240229T000000Z", "some day"),
        ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;COUNT=1", "some day"),
        ("FREQ=DAILY;BYHOUR=1,2;COUNT=2", "each once"),
        ("FREQ=DAILY;COUNT=2\nEXDATE:20261126", "each once"),
        ("FREQ=DAILY;COUNT=2;COUNT=3", "each once"),
        ("FREQ=WEEKLY;BYDAY=XX;COUNT=2", "BYDAY"),
        ("FREQ=YEARLY;BYMONTH=13;COUNT=2", "some day"),
        ("", "each once"),
    ],
)
def test_a_rule_that_cannot_be_used_is_a_value_error_that_says_why(rule, why):
    with pytest.raises(ValueError, match=why):
        shifts_by(rule, shift((2026, 11, 26)), LISBON)


def test_shifts_longer_than_what_is_between_them_are_refused():
    with pytest.raises(ValueError, match="overlap"):
        shifts_by("FREQ=DAILY;COUNT=2", shift((2026, 11, 26), hours=25), LISBON)


texts = st.from_regex(
    r"FREQ=(DAILY|WEEKLY|MONTHLY|YEARLY)(;INTERVAL=[0-9]{1,4})?(;BY(DAY|MONTHDAY|YEARDAY|WEEKNO|MONTH|SETPOS)"
    r"=[A-Z0-9,+-]{1,8}){0,2};(COUNT=[0-9]{1,4}|UNTIL=20[0-9]{6}T[0-9]{6}Z)",
    fullmatch=True,
)


@given(texts)
def test_any_rule_gives_shifts_in_order_or_says_why_not(rule):
    try:
        found = shifts_by(rule, shift((2026, 11, 26)), LISBON)
    except ValueError:
        return
    assert 1 <= len(found) <= MOST
    assert list(found) == sorted(found, key=lambda one: one.starts_at)
    assert found[-1].starts_at <= found[0].starts_at + timedelta(days=401)


@pytest.mark.parametrize("zone", [LISBON, ZoneInfo("Asia/Tokyo")])
@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;INTERVAL=7;BYDAY=WE",
        "FREQ=MONTHLY;INTERVAL=12;BYMONTH=3",
        "FREQ=YEARLY;BYWEEKNO=1;BYMONTH=6",
    ],
)
def test_a_rule_that_no_day_follows_is_not_looked_for_until_the_end_of_time(rule, zone, monkeypatch):
    looked_through = []
    rebuild = rrule._iterinfo.rebuild
    monkeypatch.setattr(
        rrule._iterinfo, "rebuild", lambda self, *when: (looked_through.append(when[0]), rebuild(self, *when))[1]
    )
    with pytest.raises(ValueError, match="some day"):
        shifts_by(f"{rule};COUNT=1", shift((2026, 11, 26), zone=zone), zone)
    assert len(set(looked_through)) < 60


@given(
    day=st.dates(date(1990, 1, 1), date(2190, 1, 1)), step=st.integers(1, 3), freq=st.sampled_from(["DAILY", "WEEKLY"])
)
def test_shifts_are_as_the_calendar_of_their_own_years_has_them(day, step, freq):
    """By the library alone, of a rule that does find days."""
    began = datetime(day.year, day.month, day.day, 10, tzinfo=UTC)
    rule = f"FREQ={freq};INTERVAL={step};BYDAY=MO,TU,WE,TH,FR,SA,SU;COUNT=60"
    found = shifts_by(rule, shift((day.year, day.month, day.day), zone=UTC), UTC)
    assert [one.starts_at for one in found] == [
        at for at in rrule.rrulestr(rule, dtstart=began) if at < began + FARTHEST
    ]
