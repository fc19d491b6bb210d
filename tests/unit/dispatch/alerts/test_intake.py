"""It is us, not them: what tells an outage of ours from couriers in trouble."""

from hypothesis import given
from hypothesis import strategies as st

from dispatch.alerts.facts import AlertParams
from dispatch.alerts.intake import MICROS, Quiet, quiet_of, silence

PARAMS = AlertParams()
NOW_S = 1_000_000


def judged(ages_s, *, others=(), beat_age_s=None, params=PARAMS):
    """Why it is us, given how long ago each courier was last heard of."""
    contacts_us = [(NOW_S - age_s) * MICROS for age_s in ages_s]
    return silence(
        quiet_of(contacts_us, params, now_us=NOW_S * MICROS),
        others,
        params,
        newest_us=max(contacts_us, default=0),
        beat_us=None if beat_age_s is None else (NOW_S - beat_age_s) * MICROS,
        now_us=NOW_S * MICROS,
    )


def test_a_fleet_that_falls_silent_at_once_is_our_outage_before_anybody_is_silent():
    assert judged([61 + i / 5 for i in range(25)])["quiet"] == 25
    assert PARAMS.silent_after_s > 61 + 24 / 5


def test_half_a_fleet_that_falls_silent_at_once_is_our_outage():
    assert judged([130, 131, 132, 133, 1, 2, 3, 4])["because"] == "they fell silent together"


def test_couriers_who_fell_silent_one_after_another_are_judged_one_by_one():
    assert judged([130, 900, 2_000, 5_000, 9_000, 1, 2]) is None


def test_few_of_many_are_judged_one_by_one():
    assert judged([130] * 4 + [2] * 6) is None


def test_one_or_two_are_judged_by_themselves_while_the_api_is_there():
    assert judged([130, 131]) is None
    assert judged([130, 131], beat_age_s=3) is None


def test_one_is_enough_when_the_api_was_away_since():
    assert judged([130], beat_age_s=70)["because"] == "the API is away"


def test_an_api_that_says_nothing_is_there_when_couriers_are_heard():
    """One of an earlier release beats no more, or never did."""
    assert judged([130, 2], beat_age_s=5_000) is None


def test_a_small_region_is_silent_with_the_rest_of_the_installation():
    at_once = Quiet(100, 90, (NOW_S - 125) * MICROS)
    long_before = Quiet(100, 90, (NOW_S - 900) * MICROS)
    loud = Quiet(100, 0, 0)
    assert judged([130], others=[at_once])["because"] == "regions fell silent together"
    assert judged([130], others=[long_before]) is None
    assert judged([130], others=[loud]) is None
    assert judged([], others=[at_once]) is None


def test_a_region_that_went_home_yesterday_is_no_outage():
    assert judged([PARAMS.silent_at_most_s + 1] * 10) is None


@given(st.lists(st.floats(0, 50_000), max_size=40))
def test_never_more_are_quiet_together_than_are_quiet_at_all(ages_s):
    contacts_us = [int((NOW_S - age_s) * MICROS) for age_s in ages_s]
    seen = quiet_of(contacts_us, PARAMS, now_us=NOW_S * MICROS)
    at_all = [us for us in contacts_us if NOW_S * MICROS - us >= PARAMS.silent_after_s * MICROS // 2]
    assert 0 <= seen.quiet <= min(len(at_all), seen.n) <= len(ages_s)
    assert not seen.quiet or seen.fell_us in at_all
