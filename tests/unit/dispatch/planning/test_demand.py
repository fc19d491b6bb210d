"""How many orders are expected where, from the day so far and from past days."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.planning.demand import RECENT_S, expected_per_hour

NOW = 1_000_000
places = st.sampled_from("abcd")
placed = st.lists(st.tuples(places, st.integers(NOW - 40_000, NOW)), max_size=30)
usual = st.dictionaries(places, st.floats(0.1, 50))


@given(placed, usual)
def test_as_many_are_expected_as_came_in_the_last_half_hour(placed, usual):
    n_recent = sum(at > NOW - RECENT_S for _, at in placed)
    expected = expected_per_hour(placed, NOW, usual=usual)
    if n_recent:
        assert sum(expected.values()) == pytest.approx(n_recent * 3600 / RECENT_S)
    else:
        assert expected == usual


def test_they_are_spread_as_the_day_so_far():
    placed = [("a", NOW - 7200)] * 3 + [("b", NOW - 60)]
    assert expected_per_hour(placed, NOW) == {"a": 1.5, "b": 0.5}


def test_where_past_days_had_orders_some_are_expected_before_the_first_of_today():
    expected = expected_per_hour([("a", NOW - 60)], NOW, usual={"b": 3.0})
    assert expected == {"a": 0.5, "b": 1.5}
