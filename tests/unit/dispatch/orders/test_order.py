"""The life of an order, as a machine that Hypothesis drives: only legal steps, whatever the sequence."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dispatch.errors import OrderNotOpen
from dispatch.orders.order import (
    ON_BOARD_STATES,
    TRANSITIONS,
    NewOrder,
    Order,
    OrderState,
    OrderStop,
    Window,
    check_transition,
    size_in,
)
from dispatch.stop import StopKind
from tracking.position import LatLon

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def order_in(state: OrderState, *, picked_up: bool = False) -> Order:
    place = OrderStop(at=LatLon(41.15, -8.61))
    return Order(
        id=UUID(int=1),
        region="default",
        pickup=place,
        dropoff=place,
        state=state,
        version=1,
        placed_at=NOON,
        picked_up_at=NOON if picked_up else None,
    )


class Life(RuleBasedStateMachine):
    """Any wish, in any state: it is granted exactly when the table says so."""

    def __init__(self):
        super().__init__()
        self.order = order_in(OrderState.PLACED)
        self.seen = [OrderState.PLACED]

    @rule(to=st.sampled_from(OrderState))
    def wish(self, to):
        before = self.order
        try:
            check_transition(before, to)
        except OrderNotOpen:
            return
        assert to in TRANSITIONS[before.state]
        collected = to is OrderState.PICKED_UP or before.picked_up_at is not None
        self.order = order_in(to, picked_up=collected and to is not OrderState.PLACED)
        self.seen.append(to)

    @precondition(lambda self: self.order.state is OrderState.DELIVERED)
    @invariant()
    def delivered_was_collected_and_accepted_before(self):
        for needed in (OrderState.ASSIGNED, OrderState.ACCEPTED, OrderState.PICKED_UP):
            assert needed in self.seen

    @precondition(lambda self: self.order.state is OrderState.RETURNED)
    @invariant()
    def returned_was_collected(self):
        assert OrderState.PICKED_UP in self.seen

    @invariant()
    def delivered_or_cancelled_stays_so(self):
        assert {OrderState.DELIVERED, OrderState.CANCELLED}.isdisjoint(self.seen[:-1])

    @invariant()
    def goods_on_board_are_never_forgotten(self):
        for before, after in pairwise(self.seen):
            if before in ON_BOARD_STATES:
                assert after in ON_BOARD_STATES | {OrderState.DELIVERED, OrderState.RETURNED}

    @invariant()
    def stops_left_match_the_state(self):
        on_board = self.order.state in ON_BOARD_STATES
        left = (StopKind.DROPOFF,) if on_board else (StopKind.PICKUP, StopKind.DROPOFF)
        assert self.order.open_stops == (left if on_board or self.order.is_open else ())


TestLife = Life.TestCase


def test_every_state_can_be_reached():
    reached, wave = {OrderState.PLACED}, {OrderState.PLACED}
    while wave:
        wave = {to for state in wave for to in TRANSITIONS[state]} - reached
        reached |= wave
    assert reached == set(OrderState)


def test_order_cancelled_before_pickup_cannot_be_returned():
    with pytest.raises(OrderNotOpen):
        check_transition(order_in(OrderState.CANCELLED), OrderState.RETURNED)


@given(st.lists(st.integers(0, 100), min_size=3, max_size=3))
def test_window_is_valid_exactly_when_its_bounds_are_in_order(minutes):
    opens_at, due_at, closes_at = (NOON + timedelta(minutes=m) for m in minutes)
    if minutes == sorted(minutes):
        assert Window(opens_at=opens_at, due_at=due_at, closes_at=closes_at).due_at == due_at
    else:
        with pytest.raises(ValueError, match="opens_at <= due_at"):
            Window(opens_at=opens_at, due_at=due_at, closes_at=closes_at)


def test_size_in_an_unknown_dimension_is_refused():
    place = OrderStop(at=LatLon(0, 0))
    with pytest.raises(ValueError, match="unknown dimension 'boxes'"):
        NewOrder(region="default", pickup=place, dropoff=place, size={"boxes": 1})


def test_size_is_numbered_in_the_order_of_the_dimensions():
    assert size_in({"volume_ml": 3, "units": 1}) == (1, 0, 3)
