"""A large region in parts: nothing is lost, what belongs together stays together, and everybody's turn comes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from dispatch.orders.courier import Courier
from dispatch.orders.order import Order, OrderState, OrderStop
from dispatch.planning.proposal import Plan, Unassigned
from dispatch.planning.reasons import ReasonCode
from dispatch.region.agenda import (
    FIRST_AMONG_COURIERS,
    FIRST_AMONG_ORDERS,
    FIRST_ORDERS,
    OLD_AFTER_S,
    PUT_OFF_AT_MOST,
    Agenda,
)
from dispatch.region.parts import MOST_COURIERS, MOST_ORDERS, around, split
from dispatch.region.world import RouteInForce, StopInForce, Whereabouts, World
from dispatch.stop import PlannedStop, StopKind
from tracking.position import LatLon, Mode

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
NOTHING = Plan(routes=(), assignments=(), unassigned=(), cost=0, source="kept")
places = st.tuples(st.floats(41.0, 41.2), st.floats(-8.7, -8.5)).map(lambda at: LatLon(*at))


def courier(number: int, **facts) -> Courier:
    return Courier(id=UUID(int=10_000 + number), region="city", mode=Mode.BICYCLE, **facts)


def order(number: int, at: LatLon, **facts) -> Order:
    known = {"state": OrderState.PLACED, "version": 1, "placed_at": NOON}
    stops = {"pickup": OrderStop(at=at), "dropoff": OrderStop(at=LatLon(41.1, -8.6))}
    return Order(id=UUID(int=number), region="city", **stops, **(known | facts))


def city(n_couriers: int, n_orders: int, at=None) -> tuple[World, dict]:
    """Couriers in a row from west to east, and orders along the same row."""
    couriers = [courier(number) for number in range(n_couriers)]
    seen = {
        one.id: Whereabouts(at=LatLon(41.1, -8.7 + 0.2 * number / n_couriers), age_s=3)
        for number, one in enumerate(couriers)
    }
    orders = [order(n, at or LatLon(41.1, -8.7 + 0.2 * n / max(1, n_orders))) for n in range(n_orders)]
    return World(region="city", now=NOON, orders=tuple(orders), couriers=tuple(couriers)), seen


@given(
    st.lists(places, min_size=1, max_size=30),
    st.lists(places, max_size=40),
    st.integers(0, 9),
    st.integers(1, 8),
    st.integers(1, 8),
)
def test_each_courier_and_each_order_is_in_exactly_one_part(couriers, orders, turn, most_couriers, most_orders):
    world = World(
        region="city",
        now=NOON,
        orders=tuple(order(number, at) for number, at in enumerate(orders)),
        couriers=tuple(courier(number) for number in range(len(couriers))),
    )
    seen = {one.id: Whereabouts(at=at, age_s=3) for one, at in zip(world.couriers, couriers, strict=True)}
    parts = split(world, seen, turn=turn, most_couriers=most_couriers, most_orders=most_orders)
    assert sorted(one.id for part in parts for one in part.couriers) == sorted(one.id for one in world.couriers)
    assert sorted(one.id for part in parts for one in part.orders) == sorted(one.id for one in world.orders)
    assert all(part.couriers for part in parts)
    assert all(len(part.couriers) <= most_couriers for part in parts)
    assert all(len(part.orders) <= most_orders or len(part.couriers) == 1 for part in parts)


def test_a_region_that_one_plan_can_bear_is_not_cut():
    world, seen = city(MOST_COURIERS, MOST_ORDERS)
    assert split(world, seen) == [world]


def test_orders_of_one_door_are_divided_among_the_couriers_around_it():
    world, seen = city(100, 90, at=LatLon(41.1, -8.6))
    parts = split(world, seen, most_couriers=100, most_orders=20)
    assert max(len(part.orders) for part in parts) <= 20
    assert min(len(part.couriers) for part in parts) > 5


def test_what_a_courier_has_or_is_planned_to_do_stays_with_the_courier():
    world, seen = city(20, 10)
    far = world.couriers[-1]
    held = replace(world.orders[0], state=OrderState.ACCEPTED, courier_id=far.id)
    stop = StopInForce(stop=PlannedStop(world.orders[1].id, StopKind.PICKUP))
    world = replace(
        world,
        orders=(held, *world.orders[1:]),
        routes={far.id: RouteInForce(version=1, stops=(stop,))},
    )
    for turn in range(5):
        (part,) = [p for p in split(world, seen, turn=turn, most_couriers=5) if far in p.couriers]
        assert {held.id, world.orders[1].id} <= {one.id for one in part.orders}


def test_an_order_that_only_somebody_far_away_can_take_gets_there_in_time():
    """One courier of many has the skill, at the other end of the city."""
    world, seen = city(200, 0)
    able = replace(world.couriers[-1], skills=frozenset({"alcohol"}))
    needy = order(1, LatLon(41.1, -8.7), skills=frozenset({"alcohol"}))
    world = replace(world, orders=(needy,), couriers=(*world.couriers[:-1], able))
    with_it = [
        able in part.couriers
        for tries in range(2)
        for part in split(world, seen, tries={needy.id: tries}, most_couriers=20)
        if needy in part.orders
    ]
    assert with_it == [False, True]


def test_an_order_that_found_nobody_is_put_among_ever_more_couriers():
    world, seen = city(200, 1)
    (needy,) = world.orders
    reached = set()
    for tries in range(30):
        parts = split(world, seen, turn=tries, tries={needy.id: tries}, most_couriers=45)
        reached |= {one.id for part in parts if needy in part.orders for one in part.couriers}
    assert reached == {one.id for one in world.couriers}


def test_the_neighbourhood_of_a_change_is_as_large_as_one_plan_can_bear():
    world, seen = city(3 * MOST_COURIERS, 3 * MOST_ORDERS)
    west = LatLon(41.1, -8.7)
    held = replace(world.orders[-1], state=OrderState.ACCEPTED, courier_id=world.couriers[-1].id)
    world = replace(world, orders=(*world.orders[:-1], held))
    near = around(world, seen, [west], frozenset({held.id}), frozenset({world.couriers[-2].id}))
    assert len(near.couriers) <= MOST_COURIERS
    assert len(near.orders) <= MOST_ORDERS
    assert held in near.orders
    assert {world.couriers[-1], world.couriers[-2]} <= set(near.couriers)
    assert world.couriers[0] in near.couriers


def large() -> tuple[World, dict]:
    return city(2 * MOST_COURIERS, 10)


def test_the_part_where_an_order_waits_is_planned_first_and_what_is_settled_not_at_all():
    world, seen = large()
    agenda = Agenda()
    for part in agenda.due(world, seen, 100.0):
        agenda.planned(part, NOTHING, frozenset(), 100.0)
    assert agenda.due(world, seen, 101.0) == []
    new = order(99, LatLon(41.1, -8.5))
    changed = replace(world.orders[0], state=OrderState.ACCEPTED, courier_id=world.couriers[0].id, version=2)
    world = replace(world, orders=(changed, *world.orders[1:], new))
    due = agenda.due(world, seen, 101.0)
    assert [new in part.orders for part in due] == [True, False]
    assert changed in due[1].orders


def test_of_many_orders_that_wait_the_most_urgent_are_planned_first_with_few_around_them():
    world, seen = city(2 * MOST_COURIERS, 3 * FIRST_ORDERS)
    later = [replace(one, ready_at=NOON + timedelta(hours=1)) if n % 3 else one for n, one in enumerate(world.orders)]
    world = replace(world, orders=tuple(later))
    agenda = Agenda()
    first = agenda.first(world, seen)
    assert {one.id for one in world.orders if one.ready_at is None} <= {one.id for one in first.orders}
    assert len(first.couriers) <= FIRST_AMONG_COURIERS
    assert len(first.orders) <= FIRST_AMONG_ORDERS
    agenda.planned(first, NOTHING, frozenset(), 100.0)
    assert {one.id for one in agenda.first(world, seen).orders} - {one.id for one in first.orders}


def test_what_was_planned_first_is_not_planned_again_in_the_same_turn():
    world, seen = city(2 * MOST_COURIERS, 3 * MOST_ORDERS)
    agenda = Agenda()
    first = agenda.first(world, seen)
    agenda.planned(first, NOTHING, frozenset(), 100.0)
    due = agenda.due(world, seen, 100.0, but=first)
    planned_first = {one.id for one in first.couriers}
    assert {one.id for part in due for one in part.couriers} == {one.id for one in world.couriers} - planned_first
    for part in due:
        agenda.planned(part, NOTHING, frozenset(), 100.0)
    assert agenda.first(world, seen) is None


def test_orders_of_a_group_are_planned_first_together():
    world, seen = city(2 * MOST_COURIERS, 2 * FIRST_ORDERS)
    far = [replace(one, group_id="wedding") for one in (world.orders[0], world.orders[-1])]
    urgent = replace(far[0], priority=1)
    world = replace(world, orders=(urgent, *world.orders[1:-1], far[1]))
    first = Agenda().first(world, seen)
    assert urgent in first.orders
    assert far[1] in first.orders


def test_what_was_planned_or_belongs_to_somebody_does_not_come_first():
    world, seen = large()
    agenda = Agenda()
    for part in agenda.due(world, seen, 100.0):
        agenda.planned(part, NOTHING, frozenset(), 100.0)
    assert agenda.first(world, seen) is None
    taken = replace(world.orders[0], state=OrderState.ACCEPTED, courier_id=world.couriers[0].id, version=2)
    world = replace(world, orders=(taken, *world.orders[1:]))
    assert agenda.first(world, seen) is None
    back = replace(world.orders[1], version=3)
    first = agenda.first(replace(world, orders=(taken, back, *world.orders[2:])), seen)
    assert back in first.orders


def test_what_was_dropped_waits_as_before_but_behind_what_was_never_tried():
    world, seen = city(2 * MOST_COURIERS, 2 * FIRST_ORDERS)
    agenda = Agenda()
    first = agenda.first(world, seen)
    agenda.planned(first, NOTHING, frozenset(), 100.0, dropped=frozenset(one.id for one in first.orders))
    new = order(99, LatLon(41.1, -8.7))
    again = agenda.first(replace(world, orders=(*first.orders, new)), seen)
    assert new in again.orders
    assert {one.id for one in first.orders} & {one.id for one in again.orders}


def test_after_a_takeover_only_what_is_in_nobodys_route_comes_first():
    world, seen = large()
    planned = [StopInForce(stop=PlannedStop(one.id, StopKind.PICKUP)) for one in world.orders[1:]]
    world = replace(world, routes={world.couriers[0].id: RouteInForce(version=1, stops=tuple(planned))})
    first = Agenda().first(world, seen)
    assert world.orders[0] in first.orders
    routed = replace(world, orders=world.orders[1:])
    assert Agenda().first(routed, seen) is None


def test_in_a_small_region_nothing_comes_before_the_whole():
    world, seen = city(MOST_COURIERS, MOST_ORDERS)
    assert Agenda().first(world, seen) is None


def test_every_part_is_planned_again_when_its_plan_is_old():
    world, seen = large()
    agenda = Agenda()
    for part in agenda.due(world, seen, 100.0):
        agenda.planned(part, NOTHING, frozenset(), 100.0)
    due = agenda.due(world, seen, 100.0 + OLD_AFTER_S)
    assert sum(len(part.couriers) for part in due) == len(world.couriers)


def test_what_an_offer_changed_is_no_news():
    world, seen = large()
    agenda = Agenda()
    for part in agenda.due(world, seen, 100.0):
        agenda.planned(part, NOTHING, frozenset({world.orders[0].id}), 100.0)
    asked = replace(world.orders[0], state=OrderState.ASSIGNED, courier_id=world.couriers[0].id, version=2)
    assert agenda.due(replace(world, orders=(asked, *world.orders[1:])), seen, 101.0) == []


def test_orders_that_there_was_no_time_for_wait_as_before_and_are_not_taken_elsewhere():
    world, seen = large()
    agenda = Agenda()
    left = tuple(Unassigned(order_id=one.id, reasons={ReasonCode.OUT_OF_TIME: 9}, example={}) for one in world.orders)
    (no_time, rest), late = agenda.due(world, seen, 100.0), replace(NOTHING, unassigned=left)
    agenda.planned(rest, NOTHING, frozenset(), 100.0)
    agenda.planned(no_time, late, frozenset(), 100.0)
    assert agenda.tries == {}
    assert {one.id for one in agenda.first(world, seen).orders} >= {one.id for one in no_time.orders}
    due = agenda.due(world, seen, 101.0)
    assert {one.id for one in no_time.couriers} & {one.id for part in due for one in part.couriers}
    for _ in range(PUT_OFF_AT_MOST):
        agenda.planned(no_time, late, frozenset(), 101.0)
    assert agenda.tries.keys() == {one.id for one in no_time.orders}
    assert agenda.first(world, seen) is None


def test_a_part_that_is_never_done_in_time_does_not_stand_before_all_others():
    world, seen = large()
    agenda = Agenda()
    left = tuple(Unassigned(order_id=one.id, reasons={ReasonCode.OUT_OF_TIME: 9}, example={}) for one in world.orders)
    late = replace(NOTHING, unassigned=left)
    n_waits, had_turn = 4 * PUT_OFF_AT_MOST, set()
    for turn in range(n_waits + 4):
        due = agenda.due(world, seen, 100.0 + 2 * OLD_AFTER_S * turn)
        agenda.planned(due[0], late, frozenset(), 100.0 + 2 * OLD_AFTER_S * turn)
        if turn >= n_waits:  # by then all have waited as often as they may
            had_turn |= {one.id for one in due[0].couriers}
    assert had_turn == {one.id for one in world.couriers}


def test_orders_that_found_nobody_are_counted_until_they_find_somebody():
    world, _ = city(5, 2)
    agenda = Agenda()
    left = tuple(Unassigned(order_id=one.id, reasons={ReasonCode.NO_COURIERS: 0}, example={}) for one in world.orders)
    agenda.planned(world, replace(NOTHING, unassigned=left), frozenset(), 100.0)
    agenda.planned(world, replace(NOTHING, unassigned=left[:1]), frozenset(), 101.0)
    assert agenda.tries == {world.orders[0].id: 2}
