"""How the writer paces itself."""

from hypothesis import given
from hypothesis import strategies as st

from tracking.history.writer import AT_FULL_PACE, MOST_LINGER_S, MOST_TRIM_S, Pace

REGIONS = st.integers(0, 10_000)


@given(REGIONS, REGIONS)
def test_more_regions_are_never_taken_faster_and_nothing_waits_longer_than_the_most(some, more):
    fewer, many = Pace().at(min(some, more)), Pace().at(max(some, more))
    assert Pace().linger_s <= fewer.linger_s <= many.linger_s <= MOST_LINGER_S
    assert Pace().trim_every_s <= fewer.trim_every_s <= many.trim_every_s <= MOST_TRIM_S


def test_few_regions_are_taken_at_full_pace_and_a_hundred_at_a_quarter_of_it():
    assert Pace().at(AT_FULL_PACE) == Pace().at(0) == Pace()
    slow = Pace().at(4 * AT_FULL_PACE)
    assert (slow.linger_s, slow.trim_every_s) == (4 * Pace().linger_s, 4 * Pace().trim_every_s)


def test_a_pace_that_is_slower_already_stays():
    patient = Pace(linger_s=10.0, trim_every_s=10.0)
    assert patient.at(10_000) == patient
