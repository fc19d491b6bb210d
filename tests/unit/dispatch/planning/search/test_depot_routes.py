"""Laws of routes from a depot, beside the search that knows all rules."""

from dataclasses import replace
from math import ceil, hypot
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from dispatch.planning.search.day_ahead import Cooling, Fleet
from dispatch.planning.search.day_task import Kind, Task
from dispatch.planning.search.depot_routes import shortest
from tests.unit.dispatch.planning.search.test_day_ahead import assert_feasible, tasks


def counted(n):
    """Ends after n iterations."""
    left = iter(range(n))
    return lambda: next(left, None) is None


def from_depot(task, weights):
    return replace(task, loaded=frozenset(range(task.n_orders)), weight=weights[: task.n_orders])


@settings(max_examples=80, deadline=None)
@given(
    tasks(n_kinds=2).flatmap(
        lambda task: st.lists(st.sampled_from([1, 10, 1000]), min_size=7, max_size=7).map(
            lambda weights: from_depot(task, weights)
        )
    ),
    st.integers(0, 5),
)
def test_routes_keep_every_rule_and_leave_out_no_more_than_the_other_search(task, seed):
    """Windows, loads in each dimension, what a vehicle may take, how many there are, where they begin and end."""
    found = shortest(task, seed=seed, should_end=counted(100))
    assert found is not None
    assert_feasible(task, found)
    fleet = Fleet(task, cooling=Cooling(fewest=False), seed=seed)
    left_out, _, length = fleet.worth(found)
    least, _, shortest_found = fleet.worth(fleet.solve(seconds=0.0, steps=100))
    assert left_out <= least
    assert length <= 1.5 * shortest_found or left_out < least


def test_a_hundred_parcels_go_a_shorter_way_than_by_the_other_search():
    chance = Random(3)
    points = [(chance.randrange(1000), chance.randrange(1000)) for _ in range(201)]
    distance = [[ceil(hypot(a[0] - b[0], a[1] - b[1])) for b in points] for a in points]
    opens = [chance.randrange(4000) for _ in range(200)]
    vans = Kind(count=100, distance=distance, start=200, end=200, opens=0, closes=10_000, capacity=(12,))
    task = Task(
        opens=opens,
        closes=[at + 2000 for at in opens],
        service=[10] * 200,
        size=[(1,)] * 100,
        kinds=[vans],
        loaded=frozenset(range(100)),
    )
    found = shortest(task, seed=1, should_end=counted(200))
    assert found is not None
    assert_feasible(task, found)
    fleet = Fleet(task, cooling=Cooling(fewest=False), seed=1)
    assert fleet.worth(found) < fleet.worth(fleet.solve(seconds=0.0, steps=200))


@given(tasks(n_kinds=2), st.integers(0, 5))
@settings(max_examples=10, deadline=None)
def test_the_same_number_of_steps_gives_the_same_routes(task, seed):
    task = from_depot(task, [1] * task.n_orders)
    assert shortest(task, seed=seed, should_end=counted(30)) == shortest(task, seed=seed, should_end=counted(30))


@given(tasks(n_kinds=2))
@settings(max_examples=10, deadline=None)
def test_without_vehicles_everything_is_left(task):
    task = replace(from_depot(task, [1] * task.n_orders), kinds=[replace(kind, count=0) for kind in task.kinds])
    found = shortest(task, seed=1, should_end=counted(1))
    assert found is not None
    assert (found.routes, found.left) == ([], list(range(task.n_orders)))
