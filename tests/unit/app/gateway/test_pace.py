"""What fails is tried again for three days, with growing waits; then no more."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from app.gateway.pace import LONGEST_REST, SPREAD, WAITS, rest_after, wait_after

CHANCE = st.floats(0, 1)


@given(st.integers(1, len(WAITS)), CHANCE)
def test_a_wait_is_spread_around_its_length(attempts, chance):
    wait = wait_after(attempts, chance)
    assert wait is not None
    assert (1 - SPREAD) * WAITS[attempts - 1] <= wait <= (1 + SPREAD) * WAITS[attempts - 1] + timedelta(microseconds=1)


def test_it_is_given_up_after_days_and_not_before():
    assert wait_after(len(WAITS) + 1, 0.5) is None
    assert timedelta(days=3) < sum(WAITS, timedelta()) < timedelta(days=4)


@given(st.integers(1, 2**31), CHANCE)
def test_a_receiver_rests_never_longer_than_it_may(failures, chance):
    assert timedelta() < rest_after(failures, chance) <= LONGEST_REST * (1 + SPREAD) + timedelta(microseconds=1)
