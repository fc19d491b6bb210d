"""Intervals are stretched by what became of those told before, and only by that."""

from uuid import UUID

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dispatch.arrivals.eta import Eta
from dispatch.arrivals.widths import EVERY_S, MOST_STOPS, Stage, Widths, unpack
from dispatch.stop import OrderId, PlannedStop, StopKind

NOW = 1_790_000_000.0
WAY, BEFORE = Stage.ON_THE_WAY, Stage.BEFORE


def stop(n=1):
    return PlannedStop(OrderId(UUID(int=n)), StopKind.DROPOFF)


def eta(n=1, *, ahead_s=500.0, side_s=100.0, now=NOW):
    return Eta(
        stop=stop(n),
        p10=now + ahead_s - side_s,
        p50=now + ahead_s,
        p90=now + ahead_s + side_s,
        computed_at=now,
        source="learned",
        confidence=0.5,
    )


def taught(late_s, *, n=300, stage=Stage.ON_THE_WAY, ahead_s=500.0):
    """Widths after arrivals that were late by what `late_s` says."""
    widths = Widths()
    for number in range(n):
        widths.hear(widths.widen([eta(number, ahead_s=ahead_s)], [stage]), [stage])
        widths.arrived(stop(number), NOW + ahead_s + late_s(number))
    return widths


def test_while_nothing_is_known_intervals_stay_as_they_are():
    told = [eta(1), eta(2, ahead_s=900.0)]
    assert Widths().widen(told, [WAY, BEFORE]) == told


def test_intervals_that_were_too_narrow_hold_afterwards():
    """Errors of a standard deviation of 300 s, told with sides of 100 s: 26 % held."""
    dice = np.random.default_rng(1)
    widths = taught(lambda _: dice.normal(0, 300), n=900)
    [told] = widths.widen([eta()], [WAY])
    errors = np.random.default_rng(2).normal(0, 300, 4000)
    held = np.mean((told.p10 <= told.p50 + errors) & (told.p50 + errors <= told.p90))
    assert 0.72 < held < 0.86
    assert told.p50 == eta().p50


def test_what_comes_late_only_is_stretched_late_only():
    """A stop is put in between for every third order."""
    [told] = taught(lambda n: 400.0 if n % 3 == 0 else 0.0).widen([eta()], [WAY])
    assert told.p90 - told.p50 > 350
    assert told.p50 - told.p10 < 110


def test_each_horizon_and_stage_is_learned_by_itself():
    widths = taught(lambda n: 500.0 * (-1) ** n)
    assert widths.widen([eta(ahead_s=2000.0)], [WAY]) == [eta(ahead_s=2000.0)]
    assert widths.widen([eta()], [BEFORE]) == [eta()]
    first, second = widths.widen([eta(1), eta(2, ahead_s=550.0)], [WAY, BEFORE])
    assert first.p90 > eta(1).p90
    assert second.p90 == first.p90, "not earlier than the stop before it"


def test_a_few_arrivals_change_little():
    [told] = taught(lambda n: 500.0 * (-1) ** n, n=4).widen([eta()], [WAY])
    assert told.p90 - told.p50 < 160


def test_nothing_is_learned_of_what_has_not_come():
    widths = Widths()
    for number in range(300):
        widths.hear(widths.widen([eta(number)], [WAY]), [WAY])
    assert widths.widen([eta()], [WAY]) == [eta()]
    assert not unpack(widths.pack()).scores


def test_what_is_told_of_a_stop_counts_once_a_minute():
    widths = Widths()
    for second in range(int(2 * EVERY_S)):
        widths.hear(widths.widen([eta(now=NOW + second, ahead_s=500.0 - second)], [WAY]), [WAY])
    widths.arrived(stop(), NOW + 500)
    widths.arrived(stop(), NOW + 900)
    assert [len(scores) for scores in widths.scores.values()] == [2]


def test_stops_that_nobody_comes_to_are_forgotten():
    widths = Widths()
    for number in range(MOST_STOPS + 10):
        widths.hear(widths.widen([eta(number)], [WAY]), [WAY])
    widths.arrived(stop(0), NOW)
    assert not widths.scores
    assert len(widths._heard_at) <= MOST_STOPS


def test_what_was_learned_is_the_same_after_a_restart():
    widths = taught(lambda n: 500.0 * (-1) ** n)
    assert unpack(widths.pack()).widen([eta()], [WAY]) == widths.widen([eta()], [WAY])


@given(st.binary(max_size=60))
def test_bytes_that_cannot_be_read_are_nothing_learned(packed):
    assert unpack(packed).widen([eta()], [WAY])


@given(
    st.lists(st.floats(-4000, 4000), min_size=1, max_size=40),
    st.lists(st.tuples(st.floats(0, 3000), st.floats(0, 900)), min_size=1, max_size=5),
    st.sampled_from(Stage),
)
def test_stretched_intervals_stay_in_order_and_after_now(late, ahead, stage):
    widths = Widths()
    for number, late_s in enumerate(late):
        told = widths.widen([eta(number, ahead_s=100.0 * number + 50, side_s=50.0)], [stage])
        widths.hear(told, [stage])
        widths.arrived(stop(number), NOW + 100 * number + 50 + late_s)
    route = sorted(ahead)
    told = widths.widen(
        [eta(n, ahead_s=ahead_s, side_s=min(side_s, ahead_s)) for n, (ahead_s, side_s) in enumerate(route)],
        [stage] * len(route),
    )
    assert all(NOW <= one.p10 <= one.p50 <= one.p90 for one in told)
