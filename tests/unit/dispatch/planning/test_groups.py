"""Orders of one pickup: collected together by one courier, in one stay, and split only where nobody has the room."""

from dataclasses import replace

from hypothesis import given

from dispatch.planning.day import plan_day
from dispatch.planning.params import Bundling, Params
from dispatch.planning.problem import lay_out
from dispatch.planning.profiles import DAYS, PROFILES, Profile
from dispatch.planning.propose import propose
from dispatch.planning.snapshot import Visit
from dispatch.stop import StopKind
from tests.unit.dispatch.planning.test_propose import all_params, laws, routes_of
from tests.unit.dispatch.planning.worlds import courier_id, job, order_id, pickup, with_plan, worker, world, worlds

# A kitchen in the middle, doors at both ends of the street, a courier beside each.
STREET = [(0, 0), (2000, 0), (4000, 0)]
WEST, KITCHEN, EAST = range(3)


def party(n_west=2, n_east=2, **facts):
    doors = [WEST] * n_west + [EAST] * n_east
    return [job(n, KITCHEN, door, **({"group": "party", "size": (1,)} | facts)) for n, door in enumerate(doors)]


def orders_of(plan):
    return {route.courier_id: {row.stop.order_id for row in route.stops} for route in plan.routes if route.stops}


def test_group_goes_to_one_courier_where_each_of_its_orders_alone_would_not():
    beside = [worker(0, WEST), worker(1, EAST)]
    loose = propose(world(STREET, party(group=None), beside), Params())
    assert len(orders_of(loose)) == 2
    together = propose(world(STREET, party(), beside), Params(search_iterations=50))
    [(_, orders)] = orders_of(together).items()
    assert orders == {order_id(n) for n in range(4)}
    [route] = [route for route in together.routes if route.stops]
    assert [row.stop.kind for row in route.stops[:4]] == [StopKind.PICKUP] * 4
    assert propose(with_plan(world(STREET, party(), beside), together), Params()).source == "kept"


def test_group_is_split_only_where_nobody_has_the_room_and_into_parts_that_fill_up():
    vans = [worker(0, WEST, capacity=(3,)), worker(1, EAST, capacity=(1,))]
    plan = propose(world(STREET, party(), vans), Params(bundling=Bundling.NONE))
    assert {courier: len(orders) for courier, orders in orders_of(plan).items()} == {courier_id(0): 3, courier_id(1): 1}
    roomy = [vans[0], replace(vans[1], capacity=(4,))]
    assert list(orders_of(propose(world(STREET, party(), roomy), Params()))) == [courier_id(1)]


def test_rest_of_a_group_comes_to_who_has_accepted_some_of_it():
    jobs = party()
    jobs[0] = replace(jobs[0], pinned_to=courier_id(1))
    plan = propose(world(STREET, jobs, [worker(0, WEST), worker(1, EAST)]), Params())
    assert list(orders_of(plan)) == [courier_id(1)]


def test_group_moves_as_a_whole_to_who_does_it_for_less_and_only_while_nothing_of_it_is_held():
    first = world(STREET, party(), [worker(0, EAST)])
    plan = propose(first, Params())
    assert list(orders_of(plan)) == [courier_id(0)]
    in_force = with_plan(first, plan)
    nearer = replace(in_force, workers=(*in_force.workers, worker(1, KITCHEN)))
    moved = propose(nearer, Params())
    assert orders_of(moved) == {courier_id(1): {order_id(n) for n in range(4)}}
    assert propose(with_plan(nearer, moved), Params()).source == "kept"
    assert list(orders_of(propose(nearer, Params(min_gain=100_000)))) == [courier_id(0)]
    # What is accepted of it keeps all of it.
    held = replace(nearer, jobs=(replace(nearer.jobs[0], pinned_to=courier_id(0)), *nearer.jobs[1:]))
    assert list(orders_of(propose(held, Params()))) == [courier_id(0)]


def test_whole_group_goes_to_others_when_one_of_its_orders_was_refused():
    jobs = party()
    jobs[3] = replace(jobs[3], refused_by=frozenset({courier_id(0)}))
    plan = propose(world(STREET, jobs, [worker(0, KITCHEN), worker(1, EAST)]), Params())
    assert list(orders_of(plan)) == [courier_id(1)]


def test_group_is_given_away_at_once():
    plan = propose(world(STREET, party(), [worker(0, KITCHEN)]), Params())
    assert [row.commit for row in plan.assignments] == [True] * 4


def test_orders_of_another_pickup_place_are_no_part_of_it():
    jobs = [*party(), job(9, WEST, EAST, group="party")]
    problem = lay_out(world(STREET, jobs, [worker(0, WEST)]), Params())
    assert problem.groups == [(0, 1, 2, 3)]


def test_day_ahead_keeps_groups_together():
    jobs = [replace(one, dropoff=Visit(place=one.dropoff.place, service_s=60)) for one in party()]
    vans = [worker(n, place, end=place, capacity=(4,), max_orders=100) for n, place in enumerate((WEST, EAST))]
    plan = plan_day(world(STREET, jobs, vans), PROFILES[Profile.PARCEL], DAYS[Profile.PARCEL], seconds=0, steps=40)
    [(_, orders)] = orders_of(plan).items()
    assert len(orders) == 4


@laws
@given(worlds(), all_params)
def test_group_is_collected_in_one_stay_wherever_nothing_of_its_route_is_held(snapshot, params):
    plan = propose(snapshot, params)
    for problem, number, stops, rows in routes_of(snapshot, plan):
        worker_ = snapshot.workers[number]
        held = {job_.order_id for job_ in snapshot.jobs if job_.onboard_of or job_.pinned_to}
        held |= {stop.order_id for stop in worker_.route[: worker_.n_locked]}
        if any(row.stop.order_id in held for row in rows):
            continue
        for members in problem.groups:
            stays = {row.arrives_at for row in rows if any(row.stop == problem.planned(2 * n) for n in members)}
            assert len(stays) <= 1, (stops, pickup)
