"""First expired, first out."""

from datetime import date, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from dispatch.stock.batches import Batch, first_expired, good, in_turn

TODAY = date(2026, 11, 27)
days = st.none() | st.integers(-3, 3).map(lambda n: TODAY + timedelta(days=n))


@st.composite
def shelves(draw):
    made = draw(st.lists(st.tuples(st.integers(0, 20), days), max_size=8))
    return [Batch(id=UUID(int=n), n=n, quantity=much, best_before=until) for n, (much, until) in enumerate(made)]


@given(batches=shelves(), wanted=st.integers(1, 60))
def test_as_much_is_taken_as_there_is_and_what_lacks_is_told(batches, wanted):
    found = first_expired(batches, wanted, TODAY)
    taken = sum(pick.quantity for pick in found.picks)
    assert taken == min(wanted, good(batches, TODAY))
    assert taken + found.missing == wanted
    assert all(0 < pick.quantity <= pick.batch.quantity for pick in found.picks)
    assert len({pick.batch.id for pick in found.picks}) == len(found.picks)


@given(batches=shelves(), wanted=st.integers(1, 60))
def test_nothing_expired_goes_out_and_nothing_stays_that_expires_before_what_went(batches, wanted):
    picks = first_expired(batches, wanted, TODAY).picks
    assert all(pick.batch.is_good(TODAY) for pick in picks)
    taken = {pick.batch.id: pick.quantity for pick in picks}
    turn = [one for one in in_turn(batches) if one.is_good(TODAY) and one.quantity > 0]
    left = [one.quantity - taken.get(one.id, 0) for one in turn]
    last = max((n for n, one in enumerate(turn) if one.id in taken), default=0)
    assert not any(left[:last]), "what comes before the last one is gone"


@given(batches=shelves(), wanted=st.integers(1, 60))
def test_the_sequence_of_rows_does_not_matter(batches, wanted):
    assert first_expired(batches[::-1], wanted, TODAY) == first_expired(batches, wanted, TODAY)
