"""What is worth another try: what nobody has, what has changed, what is around it, and everything after a while."""

from dataclasses import replace

import pytest

from dispatch.planning.params import Params
from dispatch.planning.proposal import Plan, ProposedRoute, ScheduledStop
from dispatch.planning.propose import propose
from dispatch.region.tried import AGAIN_AFTER_S, SOON_AFTER_S, SPREAD_S, Tried
from dispatch.region.world import World
from tests.unit.dispatch.planning.worlds import (
    NOW,
    courier_id,
    dropoff,
    job,
    order_id,
    pickup,
    with_plan,
    worker,
    world,
)

N_NEAR = 2
# Three couriers in the west, three in the east, each with an order beside them; far between.
POINTS = [(x, y) for x in (0, 100_000) for y in (0, 300, 600)]
ALL = frozenset(order_id(n) for n in range(6))


@pytest.fixture
def snapshot():
    jobs = [job(n, n, (n + 1) % 3 + 3 * (n // 3)) for n in range(6)]
    workers = [worker(n, n, route=(pickup(n), dropoff(n))) for n in range(6)]
    return world(POINTS, jobs, workers)


VERSIONS = dict.fromkeys(ALL, 1)


def kept(snapshot):
    """The plan that changes nothing."""
    routes = tuple(
        ProposedRoute(
            courier_id=one.courier_id,
            stops=tuple(
                ScheduledStop(stop=stop, place=0, arrives_at=NOW, starts_at=NOW, leaves_at=NOW, late_s=0)
                for stop in one.route
            ),
            cost={},
        )
        for one in snapshot.workers
    )
    return Plan(routes=routes, assignments=(), unassigned=(), cost=0, source="kept")


def tried_all(snapshot):
    tried = Tried()
    assert tried.again(snapshot, VERSIONS, N_NEAR) == ALL, "nothing was tried before"
    tried.note(snapshot, kept(snapshot), VERSIONS, ALL)
    return tried


def test_in_an_unchanged_world_nothing_is_tried_again(snapshot):
    tried = tried_all(snapshot)
    later = replace(snapshot, now=NOW + AGAIN_AFTER_S - 1)
    assert tried.again(later, VERSIONS, N_NEAR) == frozenset()


def test_everything_is_tried_again_after_a_while_but_not_all_in_one_turn(snapshot):
    tried = tried_all(snapshot)
    found = [tried.again(replace(snapshot, now=NOW + AGAIN_AFTER_S + s), VERSIONS, N_NEAR) for s in range(SPREAD_S + 1)]
    assert found[-1] == ALL
    assert len({*found}) == len(ALL) + 1, "one after the other"


def test_a_plan_without_time_for_everything_is_made_again_soon(snapshot):
    tried = Tried()
    tried.note(snapshot, kept(snapshot), VERSIONS, ALL, is_cut_short=True)
    later = replace(snapshot, now=NOW + SOON_AFTER_S + SPREAD_S)
    assert tried.again(later, VERSIONS, N_NEAR) == ALL


def test_what_nobody_has_is_tried_in_every_plan(snapshot):
    tried = Tried()
    idle = replace(snapshot, workers=tuple(replace(one, route=()) for one in snapshot.workers))
    for _ in range(3):
        assert tried.again(idle, VERSIONS, N_NEAR) == ALL
        tried.note(idle, kept(idle), VERSIONS, ALL)


def test_an_order_that_was_changed_is_tried_again(snapshot):
    tried = tried_all(snapshot)
    assert tried.again(snapshot, VERSIONS | {order_id(4): 2}, N_NEAR) == {order_id(4)}


@pytest.mark.parametrize(
    "change", [{"route": ()}, {"max_orders": 0}, {"has_fresh_position": False}, {"shift_ends_at": NOW + 3600}]
)
def test_a_courier_who_changes_has_those_around_tried_again_and_nobody_else(snapshot, change):
    tried = tried_all(snapshot)
    changed = tuple(replace(w, **change) if w.courier_id == courier_id(0) else w for w in snapshot.workers)
    found = tried.again(replace(snapshot, workers=changed), VERSIONS, N_NEAR)
    assert order_id(0) in found
    assert order_id(1) in found, "the courier is one of the nearest to its pickup"
    assert found <= {order_id(n) for n in range(3)}, "the east is far"


def test_another_order_of_a_route_that_changed_is_tried_again_however_far_its_pickup_is(snapshot):
    far = replace(snapshot.workers[0], route=(pickup(0), dropoff(0), pickup(3), dropoff(3)))
    workers = (far, *snapshot.workers[1:3], replace(snapshot.workers[3], route=()), *snapshot.workers[4:])
    tried = tried_all(replace(snapshot, workers=workers))
    changed = (replace(far, route=(pickup(3), dropoff(3))), *workers[1:])
    assert order_id(3) in tried.again(replace(snapshot, workers=changed), VERSIONS, N_NEAR)


@pytest.mark.parametrize("is_cut_short", [False, True])
def test_what_a_plan_changes_itself_is_tried_again_only_where_it_had_no_time(snapshot, is_cut_short):
    tried = Tried()
    idle = replace(snapshot, workers=(*snapshot.workers[:5], replace(snapshot.workers[5], route=())))
    tried.note(idle, kept(snapshot), VERSIONS, ALL, is_cut_short=is_cut_short)
    found = tried.again(snapshot, VERSIONS, N_NEAR)
    assert (order_id(5) in found) == is_cut_short


def test_what_has_left_the_region_is_forgotten(snapshot):
    tried = tried_all(snapshot)
    tried.keep(World(region="test", now=None, orders=(), couriers=()))
    assert tried.again(snapshot, VERSIONS, N_NEAR) == ALL


def test_a_plan_of_an_unchanged_world_stays_however_it_is_asked_for(snapshot):
    first = propose(snapshot, Params())
    settled = with_plan(snapshot, first)
    assert propose(settled, Params(), again=()).routes == propose(settled, Params()).routes == first.routes
