"""Law of the board: what it finds among all routes at once is what looking at each of them finds."""

from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from dispatch.planning.search.day_board import Board
from dispatch.planning.search.day_insertion import Insertions
from dispatch.planning.search.day_task import Kind, Task
from tests.unit.dispatch.planning.search.test_day_ahead import tasks


@st.composite
def mixed(draw) -> Task:
    """Three kinds of vehicles; orders of two stops, of one that is brought, and of one that is collected and kept."""
    task = draw(tasks(max_orders=8, n_kinds=3))
    kept = frozenset(draw(st.sets(st.sampled_from(sorted(task.loaded))))) if task.loaded else frozenset()
    return replace(task, kept=kept)


def one_by_one(insertions: Insertions, order: int, routes, overlooked=()):
    """The first route in which the order adds least, by looking at each."""
    found = [
        (best[0], number, (kind_no, best[1]))
        for number, (kind_no, stops) in enumerate(routes)
        if number not in overlooked and (best := insertions.best(order, kind_no, stops)) is not None
    ]
    return min(found, key=lambda one: one[0], default=None)


def at_once(board: Board, order: int, routes, overlook=lambda: False):
    """The same by the board."""
    where = board.best(order, overlook)
    if where is None:
        return None
    added, number, at = where
    kind_no, stops = routes[number]
    return added, number, (kind_no, (*stops[:at], 2 * order + 1, *stops[at:]))


@settings(max_examples=300, deadline=None)
@given(mixed(), st.integers(0, 1000))
def test_what_the_board_finds_is_the_cheapest_place_of_all_routes(task, seed):
    chance, insertions = Random(seed), Insertions(task)
    board = Board(task, insertions)
    routes = [(kind_no, ()) for kind_no in range(len(task.kinds)) for _ in range(2)]
    board.show(routes)
    for _ in range(3 * task.n_orders):
        order = chance.randrange(task.n_orders)
        number = next((n for n, (_, stops) in enumerate(routes) if 2 * order + 1 in stops), None)
        if number is not None:  # taken out again, as a search does
            kind_no, stops = routes[number]
            routes[number] = (kind_no, tuple(stop for stop in stops if stop >> 1 != order))
            board.show(routes)
            continue
        expected = one_by_one(insertions, order, routes)
        if order in task.loaded:
            assert at_once(board, order, routes) == expected
            skip = iter([True, False])
            second = at_once(board, order, routes, lambda skip=skip: next(skip))
            assert second == (expected and one_by_one(insertions, order, routes, {expected[1]}))
        if expected is not None:
            routes[expected[1]] = expected[2]
            board.put(expected[1], expected[2])


def test_a_board_grows_with_its_routes():
    n = 100
    distance = [[abs(a - b) for b in range(2 * n + 1)] for a in range(2 * n + 1)]
    kind = Kind(count=n, distance=distance, start=2 * n, end=2 * n, opens=0, closes=10**9, capacity=())
    task = Task(
        opens=[0] * (2 * n),
        closes=[10**9] * (2 * n),
        service=[0] * (2 * n),
        size=[()] * n,
        kinds=[kind],
        loaded=frozenset(range(n)),
    )
    insertions = Insertions(task)
    board = Board(task, insertions)
    long = (0, tuple(2 * order + 1 for order in range(n // 2)))
    routes = [long, *((0, (2 * order + 1,)) for order in range(n // 2, n - 1))]
    board.show(routes[:1])
    board.show(routes)
    assert at_once(board, n - 1, routes) == one_by_one(insertions, n - 1, routes)
