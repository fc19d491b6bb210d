"""Shifts and offers: valid by construction, and what they allow when."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.errors import OfferNotOpen
from dispatch.orders.courier import WINDOW_GRACE, Courier, Rest, Shift, ShiftBreak, overlapping, untaken
from dispatch.orders.offer import Offer, OfferState, check_answerable
from tracking.position import Mode

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
minutes = st.integers(0, 600).map(lambda n: NOON + timedelta(minutes=n))
shifts = (
    st.tuples(minutes, minutes)
    .filter(lambda pair: pair[0] < pair[1])
    .map(lambda pair: Shift(starts_at=pair[0], ends_at=pair[1]))
)


@given(shifts, shifts, minutes)
def test_shifts_overlap_exactly_when_they_share_a_moment(one, other, at):
    if one.covers(at) and other.covers(at):
        assert overlapping(one, [other]) is other
    if overlapping(one, [other]) is None:
        assert one.ends_at <= other.starts_at or other.ends_at <= one.starts_at


@given(st.lists(shifts, max_size=3), minutes, st.booleans())
def test_courier_works_on_duty_and_inside_the_shifts_if_there_are_any(all_shifts, at, on_duty):
    courier = Courier(id=UUID(int=1), region="default", mode=Mode.FOOT, on_duty=on_duty, shifts=tuple(all_shifts))
    inside = not all_shifts or any(shift.starts_at <= at < shift.ends_at for shift in all_shifts)
    assert courier.works_at(at) == (on_duty and inside)


def test_break_outside_the_shift_is_refused():
    pause = ShiftBreak(opens_at=NOON, closes_at=NOON + timedelta(hours=3), duration_s=600)
    with pytest.raises(ValueError, match="breaks within the shift"):
        Shift(starts_at=NOON, ends_at=NOON + timedelta(hours=2), breaks=(pause,))


@pytest.mark.parametrize("state", OfferState)
@pytest.mark.parametrize("after_s", [0, 59, 60, 61])
def test_offer_can_be_answered_only_while_open_and_in_time(state, after_s):
    offer = Offer(
        id=UUID(int=1),
        order_id=UUID(int=2),
        courier_id=UUID(int=3),
        region="default",
        state=state,
        offered_at=NOON,
        expires_at=NOON + timedelta(seconds=60),
    )
    now = NOON + timedelta(seconds=after_s)
    if state is OfferState.OPEN and after_s < 60:
        check_answerable(offer, now)
    else:
        with pytest.raises(OfferNotOpen):
            check_answerable(offer, now)


def pause(opens: float, closes: float, minutes: int = 30) -> ShiftBreak:
    return ShiftBreak(opens_at=NOON + opens * HOUR, closes_at=NOON + closes * HOUR, duration_s=60 * minutes)


def test_breaks_of_a_shift_stand_in_the_order_of_their_windows():
    later, sooner = pause(4, 5), pause(1, 2)
    assert Shift(starts_at=NOON, ends_at=NOON + 8 * HOUR, breaks=(later, sooner)).breaks == (sooner, later)


def test_break_taken_is_the_planned_one_in_whose_window_it_began_and_none_twice():
    coffee, lunch = pause(1, 1.5), pause(3, 5)
    shift = Shift(starts_at=NOON, ends_at=NOON + 8 * HOUR, breaks=(coffee, lunch))
    at_lunch = Rest(began_at=NOON + 3.5 * HOUR, duration_s=600, ended_at=NOON + 3.6 * HOUR)
    assert untaken(shift, [at_lunch]) == [coffee]
    assert untaken(shift, [at_lunch, replace(at_lunch, began_at=NOON + 4 * HOUR)]) == [coffee]
    assert untaken(shift, [replace(at_lunch, began_at=NOON + 2.2 * HOUR)]) == [coffee, lunch]
    early = replace(at_lunch, began_at=NOON + HOUR - WINDOW_GRACE)
    assert untaken(shift, [early]) == [lunch]


def test_break_that_was_taken_lies_not_ahead_any_more():
    shift = Shift(starts_at=NOON, ends_at=NOON + 8 * HOUR, breaks=(pause(1, 2), pause(4, 5)))
    rest = Rest(began_at=NOON + HOUR, duration_s=1800, ended_at=NOON + 1.4 * HOUR)
    courier = Courier(id=UUID(int=1), region="porto", mode=Mode.CAR, shifts=(shift,))
    assert courier.breaks_ahead(NOON + 1.5 * HOUR) == shift.breaks
    assert replace(courier, rests=(rest,)).breaks_ahead(NOON + 1.5 * HOUR) == shift.breaks[1:]
    assert courier.breaks_ahead(NOON + 3 * HOUR) == shift.breaks[1:]
