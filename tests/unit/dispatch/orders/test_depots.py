"""When a depot is open, by the clock of its zone."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.orders.depots import Depot, at_depot
from dispatch.orders.order import NewOrder, OrderKind, OrderStop, Window
from tracking.position import LatLon

DEPOT = Depot(name="north", lat=41.15, lon=-8.61)
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
CLOCKS = st.times().map(lambda at: f"{at:%H:%M}")
INSTANTS = st.timedeltas(timedelta(days=-2000), timedelta(days=1200)).map(lambda since: NOON + since)
SOON = st.none() | st.timedeltas(timedelta(0), 40 * HOUR)


def open_from(opens, closes, timezone="UTC"):
    return Depot(name="north", lat=41.15, lon=-8.61, opens=opens, closes=closes, timezone=timezone)


def test_depot_without_hours_is_always_open():
    window = Window(opens_at=NOON, closes_at=NOON + HOUR)
    assert DEPOT.hours(NOON) is None
    assert DEPOT.window(window, NOON) == window


@pytest.mark.parametrize(
    ("depot", "opens_at", "closes_at"),
    [
        (open_from("08:00", "18:00"), "2026-11-23T08:00", "2026-11-23T18:00"),
        (open_from("13:00", "18:00"), "2026-11-23T13:00", "2026-11-23T18:00"),
        (open_from("08:00", "12:00"), "2026-11-24T08:00", "2026-11-24T12:00"),
        (open_from("20:00", "04:00"), "2026-11-23T20:00", "2026-11-24T04:00"),
        (open_from("20:00", "12:30"), "2026-11-22T20:00", "2026-11-23T12:30"),
        (open_from("08:00", "18:00", "Asia/Tokyo"), "2026-11-23T23:00", "2026-11-24T09:00"),
    ],
)
def test_hours_are_those_it_is_open_in_or_the_next_ones(depot, opens_at, closes_at):
    found = depot.hours(NOON)
    assert [f"{at:%Y-%m-%dT%H:%M}" for at in found] == [opens_at, closes_at]


@given(CLOCKS, CLOCKS, INSTANTS, st.sampled_from(["UTC", "Europe/Lisbon", "America/Sao_Paulo", "Asia/Kathmandu"]))
def test_hours_are_never_over_and_less_than_a_day_away(opens, closes, at, zone):
    opens_at, closes_at = open_from(opens, closes, zone).hours(at)
    assert at < closes_at
    assert opens_at < closes_at
    assert opens_at - at <= 50 * HOUR


@given(CLOCKS, CLOCKS, INSTANTS, SOON, SOON)
def test_window_at_a_depot_opens_and_closes_within_its_hours(opens, closes, at, opens_in, closes_in):
    depot = open_from(opens, closes)
    asked = Window(
        opens_at=None if opens_in is None else at + opens_in,
        closes_at=None if closes_in is None else at + (opens_in or timedelta(0)) + closes_in,
    )
    found = depot.window(asked, at)
    hours = depot.hours(max(at, asked.opens_at or at))
    assert hours[0] <= found.opens_at <= found.closes_at
    assert found.opens_at >= (asked.opens_at or found.opens_at)
    assert found.closes_at <= hours[1] or found.closes_at == found.opens_at


def in_waves(every_s, **hours):
    return Depot(name="north", lat=41.15, lon=-8.61, wave_every_s=every_s, **hours)


def test_without_waves_goods_leave_at_any_time():
    assert DEPOT.wave(NOON) == NOON
    assert DEPOT.waves(NOON, NOON + HOUR, 3) == ()


def test_waves_are_counted_from_opening_and_leave_within_the_hours():
    depot = in_waves(5400, opens="08:30", closes="12:00", timezone="Europe/Lisbon")
    morning = NOON.replace(hour=6)
    assert depot.wave(morning.replace(hour=9)) == morning.replace(hour=10)
    told = depot.waves(morning, morning + 40 * HOUR, 4)
    assert [f"{at:%d %H:%M}" for at in told] == ["23 08:30", "23 10:00", "23 11:30", "24 08:30"]
    assert (
        depot.waves(morning, morning.replace(hour=10), 4) == told[:1]
    )  # one that leaves at its end is of the next time


@given(st.integers(300, 86_400), INSTANTS, st.none() | CLOCKS)
def test_next_wave_is_soon_and_is_its_own_next_one(every_s, at, opens):
    depot = in_waves(every_s, opens=opens, closes=opens and ("00:00" if opens != "00:00" else "12:00"))
    leaves_at = depot.wave(at)
    assert timedelta(0) <= leaves_at - at < timedelta(seconds=every_s)
    later = depot.waves(at, at + 30 * HOUR, 5)
    assert sorted(set(later)) == list(later)
    assert all(at <= one < at + 30 * HOUR for one in later)


@pytest.mark.parametrize(
    ("kind", "depot", "facts", "opens_at"),
    [
        (OrderKind.DROPOFF, in_waves(3600), {}, NOON + HOUR),
        (OrderKind.DROPOFF, in_waves(3600), {"ready_at": NOON + 1.5 * HOUR}, NOON + 2 * HOUR),
        (OrderKind.DROPOFF, DEPOT, {}, None),
    ],
)
def test_drop_off_is_loaded_for_the_first_wave_after_it_is_placed_and_ready(kind, depot, facts, opens_at):
    stop = OrderStop(at=LatLon(41.16, -8.62))
    order = NewOrder(region="default", kind=kind, pickup=stop, dropoff=stop, **facts)
    placed_at = NOON + timedelta(minutes=10)
    assert at_depot(order, [depot], None, placed_at).pickup.window == Window(opens_at=opens_at)
