"""What may be promised beside what was promised."""

import pytest

from dispatch.planning.proposal import Plan, ProposedRoute, ScheduledStop, Unassigned
from dispatch.region.preview import can_be_promised
from tests.unit.dispatch.planning.worlds import NOW, courier_id, dropoff, order_id

OURS = order_id(0)


def plan(late_s, left=()):
    """A plan with drop-offs of orders that are so late, by number, and others left without a courier."""
    stops = tuple(
        ScheduledStop(stop=dropoff(n), place=0, arrives_at=NOW, starts_at=NOW, leaves_at=NOW, late_s=late)
        for n, late in late_s.items()
    )
    unassigned = tuple(Unassigned(order_id=order_id(n), reasons={}, example={}) for n in left)
    route = ProposedRoute(courier_id=courier_id(0), stops=stops, cost={})
    return Plan(routes=(route,), assignments=(), unassigned=unassigned, cost=0, source="insertion")


@pytest.mark.parametrize(
    ("then", "now", "is_promised"),
    [
        (plan({0: 0, 1: 0}), plan({1: 0}), True),
        (plan({0: 0, 1: -60}), plan({1: 0}), True),
        (plan({0: 0, 1: 90}), plan({1: 90}), True),  # it was late before
        (plan({0: 0, 1: 90}), plan({0: 900, 1: 90}), True),  # our own delay is over
        (plan({0: 60, 1: 0}), plan({0: 60, 1: 0}), False),  # itself late
        (plan({1: 0}, [0]), plan({1: 0}, [0]), False),  # nobody takes it
        (plan({1: 0}), plan({1: 0}), False),  # it cannot be planned at all
        (plan({0: 0, 1: 90}), plan({1: 0}), False),  # another is delayed
        (plan({0: 0}, [1]), plan({1: 0}, [0]), False),  # another is dropped
    ],
)
def test_a_window_is_promised_where_it_is_kept_and_nobody_elses_is_broken(then, now, is_promised):
    assert can_be_promised(then, now, OURS) is is_promised
