"""Laws of what a place makes before it is ordered, whatever was ordered in the weeks before and is ordered now."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from dispatch.places.ahead import (
    LEAST_WEEKS,
    LOOK_S,
    QUANTILE,
    WEEKS,
    Go,
    Left,
    Ordered,
    Want,
    expected,
    goes,
    left_at,
    left_of,
)
from dispatch.places.kitchen import Job, Kitchen, Slot
from dispatch.places.slots import timetable
from tests.unit.dispatch.places.test_slots import jobs, kitchens, load_at

MINUTE, HOUR = 60, 3600
SOUP = Want(item="soup", duration_s=15 * MINUTE, batch=6, shelf_s=2 * HOUR, n_weeks=WEEKS)
FREE = timetable([], Kitchen(capacity=1))


def weekly(*quantities, after_s=HOUR):
    """The same hour of the weeks before, the last one first."""
    return [Ordered(week, after_s, quantity) for week, quantity in enumerate(quantities, 1)]


def planned(want, made=(), kitchen=Kitchen(capacity=1)):  # noqa: B008 - frozen
    return goes([want], made, timetable(made, kitchen), kitchen)


@st.composite
def wants(draw):
    ordered = st.builds(Ordered, st.integers(1, WEEKS), st.integers(0, 8 * HOUR), st.integers(1, 6))
    left = st.builds(Left, st.integers(1, 9), st.none() | st.integers(0, 5 * HOUR))
    return [
        Want(
            item=str(n),
            duration_s=draw(st.integers(1, 60)) * MINUTE,
            batch=draw(st.integers(1, 8)),
            shelf_s=draw(st.integers(10, 500)) * MINUTE,
            ordered=draw(st.lists(ordered, max_size=60)),
            n_weeks=draw(st.integers(0, WEEKS + 2)),
            left=draw(st.lists(left, max_size=3)),
            until_s=draw(st.none() | st.none() | st.integers(0, 60).map(lambda m: m * MINUTE)),
        )
        for n in range(draw(st.integers(1, 3)))
    ]


@settings(max_examples=80, deadline=None)
@given(wants(), jobs(most=5), kitchens())
def test_what_is_made_ahead_is_wanted_while_it_is_good_and_takes_no_hand_that_an_order_needs(some, made, kitchen):
    table = timetable(made, kitchen)
    found = goes(some, made, table, kitchen)
    assert len({go.item for go in found}) == len(found)
    of = {want.item: want for want in some}
    for go in found:
        want, ends_s = of[go.item], go.slot.ends_s
        assert want.until_s is None, "one go after the other"
        assert ends_s - go.slot.starts_s == want.duration_s
        assert 0 <= go.slot.starts_s <= LOOK_S
        assert any(opens <= go.slot.starts_s and ends_s <= closes for opens, closes in kitchen.spans)
        assert want.batch <= 2 * go.amount <= 2 * want.batch
        assert go.amount <= expected(want, ends_s, ends_s + want.shelf_s), "past its shelf life it is of no use"
        assert go.amount <= expected(want, 0, ends_s + want.shelf_s) - left_at(want, ends_s)
        assert ends_s <= go.wanted_s <= ends_s + want.shelf_s
    begun = [Slot(0, want.until_s) for want in some if want.until_s is not None]
    for go in found:
        at = go.slot.starts_s
        theirs = sum(slot.starts_s <= at < slot.ends_s for slot in [*begun, *(one.slot for one in found)])
        assert load_at(at, table, made, kitchen) + theirs <= kitchen.capacity
        for slot in table.slots.values():
            if at <= slot.starts_s < go.slot.ends_s:
                ours = sum(one.slot.starts_s <= slot.starts_s < one.slot.ends_s for one in found)
                assert load_at(slot.starts_s, table, made, kitchen) + ours <= kitchen.capacity


@settings(max_examples=60, deadline=None)
@given(wants(), st.lists(st.integers(0, 6 * HOUR), min_size=3, max_size=3).map(sorted))
def test_more_time_brings_no_less_and_weeks_that_are_alike_bring_the_same(some, edges):
    first, middle, last = edges
    for want in some:
        known = expected(want, first, last)
        assert expected(want, first, middle) <= known
        assert expected(want, first, first) == 0
        if want.n_weeks < LEAST_WEEKS:
            assert known == 0
            continue
        alike = [one._replace(weeks_ago=week) for one in want.ordered for week in range(1, WEEKS + 1)]
        same = replace(want, ordered=alike)
        every = sum(one.quantity for one in want.ordered if first <= one.after_s < last)
        assert expected(same, first, last) == every, "all weeks alike"


def test_it_is_a_quantile_of_the_weeks_the_last_of_which_say_most():
    want = replace(SOUP, ordered=weekly(4, 9, 9, 9, 9, 9, 0, 0))
    assert expected(want, 0, 2 * HOUR) == 4
    assert expected(replace(want, ordered=weekly(0, 0, 9, 9, 9, 9, 9, 4)), 0, 2 * HOUR) == 0
    assert expected(replace(want, ordered=weekly(50)), 0, 2 * HOUR) == 0, "a feast is no habit"
    assert QUANTILE < 0.5, "what is said above is of less than the middle"


def test_a_place_that_is_known_for_too_short_a_time_makes_nothing_ahead():
    want = replace(SOUP, ordered=weekly(9, 9, 9, 9, 9, 9, 9, 9))
    assert planned(replace(want, n_weeks=LEAST_WEEKS - 1)) == []
    assert planned(want) != []


def test_a_go_is_begun_half_its_shelf_life_before_it_is_wanted():
    noon = replace(SOUP, ordered=weekly(*[9] * WEEKS, after_s=3 * HOUR))
    starts = 3 * HOUR - 15 * MINUTE - HOUR
    assert planned(noon) == [Go(item="soup", amount=6, slot=Slot(starts, starts + 15 * MINUTE), wanted_s=3 * HOUR)]


def test_what_there_is_is_made_no_second_time_unless_it_is_past_its_shelf_life_by_then():
    noon = replace(SOUP, ordered=weekly(*[9] * WEEKS, after_s=3 * HOUR))
    assert [go.amount for go in planned(replace(noon, left=[Left(5, 4 * HOUR)]))] == [4]
    assert planned(replace(noon, left=[Left(7, 4 * HOUR)])) == [], "less than half a go"
    assert [go.amount for go in planned(replace(noon, left=[Left(7, HOUR)]))] == [6]
    assert planned(replace(noon, until_s=300)) == [], "one go after the other"


def test_orders_go_first():
    soon = replace(SOUP, ordered=weekly(*[9] * WEEKS, after_s=20 * MINUTE))
    order = Job(key="a", duration_s=30 * MINUTE, wanted_s=30 * MINUTE)
    assert planned(soon, [order]) == [], "by then these have been ordered"
    (go,) = planned(soon, [order], Kitchen(capacity=2))
    assert go.slot == Slot(0, 15 * MINUTE)


def test_it_is_made_in_the_hours_and_orders_of_one_go_take_one_hand():
    soon = replace(SOUP, ordered=weekly(*[9] * WEEKS, after_s=50 * MINUTE))
    opens = Kitchen(capacity=1, spans=((10 * MINUTE, 20 * MINUTE), (30 * MINUTE, HOUR)))
    assert [go.slot.starts_s for go in planned(soon, kitchen=opens)] == [30 * MINUTE]
    oven = Kitchen(capacity=2, batches={"pizza": 4})
    pizzas = [Job(key=str(n), duration_s=HOUR, batch="pizza") for n in range(4)]
    assert [go.slot.starts_s for go in planned(soon, pizzas, oven)] == [0]
    assert planned(soon, [*pizzas, Job(key="a", duration_s=HOUR)], oven) == []


def test_what_orders_have_taken_comes_out_of_what_is_past_its_time_first():
    assert left_of([Left(4, None), Left(3, 600), Left(2, 60)], 4) == (Left(1, 600), Left(4, None))
    assert left_of([Left(4, 60)], 9) == ()
