"""What a phone says of the time is believed within bounds, and told where it is not."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.orders.happened import MAX_AGE, MAX_DRIFT, happened

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
spans = st.timedeltas(min_value=-48 * HOUR, max_value=48 * HOUR)


@given(said=spans, after=spans)
def test_what_is_believed_is_never_to_come_nor_before_the_step_before_nor_too_old(said, after):
    found = happened(NOW + said, now=NOW, after=NOW + after)
    assert min(NOW, NOW + after) <= found.at <= NOW
    assert found.at >= NOW - MAX_AGE
    if found.at != NOW + said:
        told = found.facts.get("said_at") == NOW + said
        assert told or timedelta(0) < said <= MAX_DRIFT


def test_nothing_said_is_nothing_to_believe():
    assert happened(None, now=NOW, after=NOW - HOUR) is None


def test_true_time_is_used_and_kept():
    found = happened(NOW - HOUR, now=NOW, after=NOW - 2 * HOUR)
    assert (found.at, found.facts) == (NOW - HOUR, {"happened_at": NOW - HOUR})


@pytest.mark.parametrize(
    ("said", "after", "at", "why"),
    [
        (NOW + HOUR, NOW - HOUR, NOW, "in the future"),
        (NOW - 2 * HOUR, NOW - HOUR, NOW - HOUR, "before the step before"),
        (NOW - 48 * HOUR, NOW - 72 * HOUR, NOW - MAX_AGE, "too old"),
    ],
)
def test_what_cannot_be_is_moved_to_the_nearest_that_can_and_told(said, after, at, why):
    found = happened(said, now=NOW, after=after)
    assert found.at == at
    assert found.facts == {"happened_at": at, "said_at": said, "not_believed": why}
