"""Laws of fleet planning: every order served, pickup first, windows and load kept, never more than asked for."""

from itertools import pairwise
from math import ceil, hypot
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from dispatch.planning.search.day_ahead import Cooling, Fleet, Insertions, Task, Timing
from dispatch.planning.search.strings import Tuning, remove_strings

COOLING = Cooling(start=300.0, end=3.0)


@st.composite
def tasks(draw, max_orders=7):
    """Small tasks in which each order alone can be served."""
    n = draw(st.integers(1, max_orders))
    coordinate = st.integers(0, 100)
    points = draw(st.lists(st.tuples(coordinate, coordinate), min_size=2 * n + 1, max_size=2 * n + 1))
    distance = [[ceil(hypot(a[0] - b[0], a[1] - b[1])) for b in points] for a in points]
    demand = [amount for _ in range(n) for size in [draw(st.integers(1, 5))] for amount in (size, -size)]
    opens, closes = [], []
    for order in range(n):
        pickup, dropoff = 2 * order, 2 * order + 1
        opens_pickup = draw(st.integers(0, 300))
        there = max(distance[2 * n][pickup], opens_pickup) + 10 + distance[pickup][dropoff]
        opens_dropoff = draw(st.integers(0, 600))
        opens += [opens_pickup, opens_dropoff]
        closes += [
            max(distance[2 * n][pickup], opens_pickup) + draw(st.integers(0, 300)),
            max(there, opens_dropoff) + draw(st.integers(0, 300)),
        ]
    return Task(
        distance=distance,
        opens=[*opens, 0],
        closes=[*closes, 5000],
        service=[10] * (2 * n) + [0],
        demand=[*demand, 0],
        capacity=draw(st.integers(5, 12)),
        n_vehicles=n,
    )


def assert_feasible(task, routes):
    """Straight from the definition; shares nothing with the search."""
    assert sorted(stop for route in routes for stop in route) == list(range(task.depot))
    assert len(routes) <= task.n_vehicles
    for route in routes:
        at = load = 0
        for a, b in pairwise([task.depot, *route, task.depot]):
            at = max(at + task.distance[a][b], task.opens[b])
            assert at <= task.closes[b]
            at += task.service[b]
            load += task.demand[b]
            assert 0 <= load <= task.capacity
        assert all(route.index(stop) < route.index(stop + 1) for stop in route if stop % 2 == 0)


@settings(max_examples=60, deadline=None)
@given(tasks(), st.integers(0, 5))
def test_every_order_is_served_within_all_rules(task, seed):
    routes = Fleet(task, cooling=COOLING, seed=seed).solve(seconds=0, steps=60)
    assert routes is not None
    assert_feasible(task, routes)


@settings(max_examples=20, deadline=None)
@given(tasks(), st.integers(0, 5))
def test_same_seed_and_steps_give_the_same_routes(task, seed):
    one, other = (Fleet(task, cooling=COOLING, seed=seed).solve(seconds=0, steps=80) for _ in range(2))
    assert one == other


@settings(max_examples=60, deadline=None)
@given(tasks())
def test_insertion_adds_what_it_says_and_is_the_cheapest(task):
    insertions = Insertions(task)
    route = ()
    for order in range(task.n_orders):
        found = insertions.best(order, route)
        options = []
        for i in range(len(route) + 1):
            for j in range(i, len(route) + 1):
                stops = (*route[:i], 2 * order, *route[i:j], 2 * order + 1, *route[j:])
                timing = Timing(task, stops)
                in_time = all(
                    leaves - task.service[stop] <= task.closes[stop]
                    for stop, leaves in zip(timing.stops[1:], timing.leaves[1:], strict=True)
                )
                if in_time and max(timing.loads) <= task.capacity:
                    options.append(timing.length - Timing(task, route).length)
        assert (found[0] if found else None) == min(options, default=None)
        route = found[1] if found else route


def test_one_vehicle_is_enough_when_one_can_do_it_all():
    n = 5
    at = [(x, 0) for x in range(2 * n)] + [(0, 0)]
    task = Task(
        distance=[[abs(a[0] - b[0]) for b in at] for a in at],
        opens=[0] * (2 * n + 1),
        closes=[1000] * (2 * n + 1),
        service=[0] * (2 * n + 1),
        demand=[1, -1] * n + [0],
        capacity=1,
        n_vehicles=n,
    )
    fleet = Fleet(task, cooling=COOLING, seed=0)
    routes = fleet.solve(seconds=0, steps=400)
    assert len(routes) == 1
    assert fleet.length(routes) == 2 * (2 * n - 1)


def test_too_few_vehicles_are_not_hidden():
    task = Task(
        distance=[[0 if a == b else 10 for b in range(5)] for a in range(5)],
        opens=[0] * 5,
        closes=[10, 20, 10, 20, 100],
        service=[0] * 5,
        demand=[1, -1, 1, -1, 0],
        capacity=2,
        n_vehicles=1,
    )
    assert Fleet(task, cooling=COOLING, seed=0).solve(seconds=0, steps=50) is None


@given(st.lists(st.integers(1, 6), min_size=1, max_size=6), st.integers(0, 1000))
def test_strings_take_out_whole_orders_around_the_seed(sizes, seed):
    chance = Random(seed)
    routes, first = [], 0
    for size in sizes:
        stops = list(range(2 * first, 2 * (first + size)))
        chance.shuffle(stops)
        routes.append(tuple(stops))
        first += size
    route_of = {stop: number for number, route in enumerate(routes) for stop in route}
    near = list(range(2 * first))
    chance.shuffle(near)
    gone = remove_strings(near, routes, route_of.__getitem__, Tuning(), chance)
    assert gone
    assert len(set(gone)) == len(gone)
    touched = {route_of[2 * order] for order in gone}
    assert route_of[near[0]] in touched
