"""Laws of fleet planning: every order served, pickup first, windows and load kept, never more than asked for."""

from dataclasses import replace
from itertools import pairwise
from math import ceil, hypot
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatch.planning.search.day_ahead import Cooling, Fleet
from dispatch.planning.search.day_insertion import Insertions
from dispatch.planning.search.day_task import Kind, Task, Timing
from dispatch.planning.search.strings import Tuning, remove_strings

COOLING = Cooling()


@st.composite
def tasks(draw, max_orders=7, n_kinds=1):
    """Small tasks in which each order alone can be served by a vehicle of the first kind."""
    n = draw(st.integers(1, max_orders))
    coordinate = st.integers(0, 100)
    points = draw(st.lists(st.tuples(coordinate, coordinate), min_size=2 * n + n_kinds, max_size=2 * n + n_kinds))
    distance = [[ceil(hypot(a[0] - b[0], a[1] - b[1])) for b in points] for a in points]
    loaded = frozenset(draw(st.sets(st.integers(0, n - 1)))) if n_kinds > 1 else frozenset()
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
    kinds = [
        Kind(
            count=n if number == 0 else draw(st.integers(0, 2)),
            distance=distance if number == 0 else [[2 * one for one in row] for row in distance],
            start=2 * n + number,
            end=2 * n + draw(st.integers(0, n_kinds - 1)),
            opens=0 if number == 0 else draw(st.integers(0, 300)),
            closes=5000 if number == 0 else draw(st.integers(300, 2000)),
            capacity=(draw(st.integers(5, 12)), *(draw(st.integers(5, 12)) for _ in range(n_kinds - 1))),
            may=None if number == 0 else frozenset(draw(st.sets(st.integers(0, n - 1)))),
        )
        for number in range(n_kinds)
    ]
    return Task(
        opens=opens,
        closes=closes,
        service=[10] * (2 * n),
        size=[tuple(draw(st.integers(1, 5)) for _ in range(n_kinds)) for _ in range(n)],
        kinds=kinds,
        loaded=loaded,
    )


def assert_feasible(task, tour):
    """Straight from the definition; shares nothing with the search."""
    wanted = {stop for n in range(task.n_orders) if n not in tour.left for stop in (2 * n, 2 * n + 1)}
    wanted -= {2 * order for order in task.loaded}
    assert sorted(stop for _, route in tour.routes for stop in route) == sorted(wanted)
    for kind_no, kind in enumerate(task.kinds):
        assert sum(number == kind_no for number, _ in tour.routes) <= kind.count
    for kind_no, route in tour.routes:
        kind = task.kinds[kind_no]
        at, load = kind.opens, [0] * len(kind.capacity)
        for stop in route:
            if stop >> 1 in task.loaded:
                load = [a + b for a, b in zip(load, task.size[stop >> 1], strict=True)]
        assert all(a <= b for a, b in zip(load, kind.capacity, strict=True))
        for a, b in pairwise([kind.start, *route]):
            at = max(at + kind.distance[a][b], task.opens[b])
            assert at <= task.closes[b]
            at += task.service[b]
            sign = -1 if b & 1 else 1
            load = [x + sign * y for x, y in zip(load, task.size[b >> 1], strict=True)]
            assert all(0 <= x <= y for x, y in zip(load, kind.capacity, strict=True))
        assert at + kind.distance[route[-1]][kind.end] <= kind.closes
        assert all(stop >> 1 in task.loaded or route.index(stop - 1) < route.index(stop) for stop in route if stop & 1)
        assert kind.may is None or {stop >> 1 for stop in route} <= kind.may


@settings(max_examples=60, deadline=None)
@given(tasks(), st.integers(0, 5))
def test_every_order_is_served_within_all_rules(task, seed):
    tour = Fleet(task, cooling=COOLING, seed=seed).solve(seconds=0, steps=60)
    assert not tour.left
    assert_feasible(task, tour)


@settings(max_examples=100, deadline=None)
@given(tasks(n_kinds=3), st.integers(0, 5), st.booleans())
def test_every_vehicle_keeps_its_own_shift_place_capacity_and_orders(task, seed, fewest):
    tour = Fleet(task, cooling=Cooling(fewest=fewest), seed=seed).solve(seconds=0, steps=60)
    assert_feasible(task, tour)
    served = {stop >> 1 for _, route in tour.routes for stop in route}
    assert served.isdisjoint(tour.left)
    assert len(served) + len(tour.left) == task.n_orders


@settings(max_examples=20, deadline=None)
@given(tasks(), st.integers(0, 5))
def test_same_seed_and_steps_give_the_same_routes(task, seed):
    one, other = (Fleet(task, cooling=COOLING, seed=seed).solve(seconds=0, steps=80) for _ in range(2))
    assert one == other


@settings(max_examples=60, deadline=None)
@given(tasks())
def test_insertion_adds_what_it_says_and_is_the_cheapest(task):
    insertions = Insertions(task)
    route, (kind,) = (), task.kinds
    for order in range(task.n_orders):
        found = insertions.best(order, 0, route)
        options = []
        for i in range(len(route) + 1):
            for j in range(i, len(route) + 1):
                stops = (*route[:i], 2 * order, *route[i:j], 2 * order + 1, *route[j:])
                timing = Timing(task, kind, stops)
                in_time = all(
                    leaves - task.service[stop] <= task.closes[stop]
                    for stop, leaves in zip(stops, timing.leaves[1:-1], strict=True)
                )
                if in_time and timing.leaves[-1] <= kind.closes and max(timing.loads[0]) <= kind.capacity[0]:
                    options.append(timing.length - Timing(task, kind, route).length)
        assert (found[0] if found else None) == min(options, default=None)
        route = found[1] if found else route


def line(n, *, closes, capacity=(1,), count=None):
    """Orders side by side on a street, the depot at its beginning."""
    at = [*range(2 * n), 0]
    distance = [[abs(a - b) for b in at] for a in at]
    van = Kind(
        count=n if count is None else count,
        distance=distance,
        start=2 * n,
        end=2 * n,
        opens=0,
        closes=1000,
        capacity=capacity,
    )
    return Task(opens=[0] * 2 * n, closes=closes, service=[0] * 2 * n, size=[(1,)] * n, kinds=(van,))


def test_one_vehicle_is_enough_when_one_can_do_it_all():
    n = 5
    fleet = Fleet(line(n, closes=[1000] * 2 * n), cooling=COOLING, seed=0)
    tour = fleet.solve(seconds=0, steps=400)
    assert len(tour.routes) == 1
    assert fleet.length(tour.routes) == 2 * (2 * n - 1)


@pytest.mark.parametrize(("weight", "left"), [([1, 3], [0]), ([3, 1], [1])])
def test_too_few_vehicles_are_not_hidden_and_what_counts_more_is_served(weight, left):
    """Either waits for its window at the one vehicle that has room for one."""
    task = replace(line(2, closes=[0, 9, 2, 3], count=1), opens=[0, 5, 0, 0], weight=weight)
    assert Fleet(task, cooling=COOLING, seed=0).solve(seconds=0, steps=100).left == left


def test_a_search_that_begins_with_routes_keeps_them_or_shortens_them():
    n = 5
    fleet = Fleet(line(n, closes=[1000] * 2 * n, count=1), cooling=COOLING, seed=0)
    begin = (0, (8, 9, 0, 1, 6, 7, 2, 3, 4, 5))
    assert fleet.solve(seconds=0, steps=0, begin=[begin]).routes == [begin]
    better = fleet.solve(seconds=0, steps=100, begin=[begin])
    assert fleet.length(better.routes) < fleet.length([begin])


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
