"""Legs that are driven at another hour: who leaves later never arrives earlier, and what is steady is left alone."""

from hypothesis import given
from hypothesis import strategies as st

from dispatch.rhythm import N_SOON, STEP_S, Rhythm

NOW = 1_000_000
slowness = st.lists(st.floats(0.3, 3.0), min_size=1, max_size=12)


@given(slowness, st.integers(-2000, 12_000), st.integers(0, 4000), st.integers(0, 7200))
def test_who_leaves_later_never_arrives_earlier(steps, leaves_in_s, later_s, leg_s):
    rhythm = Rhythm(begins_at=NOW, slowness=tuple(steps))
    first, second = NOW + leaves_in_s, NOW + leaves_in_s + later_s
    assert first + rhythm.leg_s(first, leg_s) <= second + rhythm.leg_s(second, leg_s)


@given(slowness, st.integers(0, 12_000), st.integers(0, 7200))
def test_a_leg_takes_between_the_fastest_and_the_slowest_hour(steps, leaves_in_s, matrix_s):
    rhythm = Rhythm(begins_at=NOW, slowness=tuple(steps))
    leg_s = rhythm.leg_s(NOW + leaves_in_s, matrix_s)
    assert int(min(steps) * matrix_s) <= leg_s <= max(steps) * matrix_s + 1
    assert rhythm.fastest == min(1.0, *steps[:N_SOON])


@given(st.integers(0, 6), st.integers(0, 12_000), st.integers(0, 7200))
def test_while_it_is_steady_the_matrix_holds(n_steady, leaves_in_s, matrix_s):
    rhythm = Rhythm(begins_at=NOW, slowness=(*[1.0] * n_steady, 1.5))
    leaves_at = NOW + leaves_in_s
    if leaves_at + matrix_s <= rhythm.steady_until:
        assert rhythm.leg_s(leaves_at, matrix_s) == matrix_s
    assert Rhythm(begins_at=NOW, slowness=(1.0,)).leg_s(leaves_at, matrix_s) == matrix_s


def test_a_leg_across_the_change_is_driven_at_both_speeds():
    rhythm = Rhythm(begins_at=NOW, slowness=(1.0, 2.0))
    assert rhythm.leg_s(NOW + STEP_S - 60, 180) == 60 + 2 * 120
