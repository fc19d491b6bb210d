"""
A day planned ahead: pickups and deliveries with hard windows, vehicles with shifts and places of their own; no I/O.

For parcels, where routes are long and windows hard; what happens now is for propose.py. As many orders as can be
served, then (where wanted) the fewest vehicles, then the shortest way. Both searches take orders out by strings.py; the
first places what is left out, or saves vehicles, by the sum of absences: orders often left out are worth most.
Source: J. Christiaens and G. Vanden Berghe, "Slack Induction by String Removals for Vehicle Routing Problems",
Transportation Science 54 (2), 2020, sections 5.3 to 5.5, here for pairs of stops.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import log
from random import Random
from time import perf_counter
from typing import Final

from dispatch.planning.params import ShouldEnd, never
from dispatch.planning.search.day_board import Board
from dispatch.planning.search.day_insertion import Insertions, Route
from dispatch.planning.search.day_task import Task
from dispatch.planning.search.strings import Tuning, remove_strings

BLINK: Final = 0.01
"""Share of routes overlooked when an order is put back (the paper's beta): without it the same comes out every time."""
LEFT_OUT: Final = 3
"""What an order costs while it is left out, in mean distances of an order."""
N_CYCLES: Final = 3
"""Times the temperature falls: what froze in a poor basin gets another chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cooling:
    """Simulated annealing: a longer way is accepted with probability exp(-longer / temperature)."""

    start: float = 4.0
    end: float = 0.04
    """Both in mean distances of an order: 100 and 1 of the paper on its instances."""
    fleet_share: float = 0.2
    """Part of the time for placing everything, and for saving vehicles."""
    fewest: bool = True
    """Whether a vehicle saved is worth any way; else an idle one is taken as soon as that is shorter."""
    tuning: Tuning = field(default_factory=Tuning)


@dataclass(frozen=True, slots=True)
class Tour:
    """Routes, and the orders in none of them."""

    routes: list[Route]
    left: list[int]


class Fleet:
    """One search."""

    def __init__(self, task: Task, *, cooling: Cooling, seed: int) -> None:
        self._task = task
        self._cooling = cooling
        self._chance = Random(seed)  # noqa: S311 - reproducible on purpose
        self._insertions = Insertions(task)
        self._board = Board(task, self._insertions) if task.loaded else None
        self._stops = [stop for order in range(task.n_orders) for stop in task.stops_of(order)]
        self._fleets: list[tuple[bool, int]] = [
            (False, number) if kind.fleet is None else (True, kind.fleet) for number, kind in enumerate(task.kinds)
        ]
        kind = task.kinds[0] if task.kinds else None
        self._near = {
            stop: sorted(self._stops, key=kind.distance[stop].__getitem__) if kind else [] for stop in self._stops
        }
        self._far = [
            kind.distance[kind.start][task.stops_of(order)[0]] + kind.distance[2 * order + 1][kind.end] if kind else 0
            for order in range(task.n_orders)
        ]

    def solve(
        self,
        *,
        seconds: float,
        steps: int | None = None,
        should_end: ShouldEnd = never,
        begin: Sequence[Route] = (),
        tell: Callable[[float, Tour], None] | None = None,
    ) -> Tour:
        """
        Routes that serve as many orders as could be placed, and the orders left out.

        With `steps` the answer depends on the seed alone, not on the time; `should_end` ends the search with what it
        has. `begin`: routes to begin with; `tell` hears the share of the time used and what is best now and then.
        """
        share = self._cooling.fleet_share
        there = {stop >> 1 for _, stops in begin for stop in stops}
        orders = [order for order in range(self._task.n_orders) if order not in there]
        # Farthest first makes the shortest way, soonest first leaves out least where vehicles are few.
        firsts: list[Callable[[int], int]] = [
            lambda order: -self._far[order],
            lambda order: self._task.closes[2 * order + 1],
        ]
        begun = [self._put_back(list(begin), sorted(orders, key=first), self._task.n_vehicles) for first in firsts]
        tour = min(begun, key=self.worth)
        if not self._stops:
            return tour
        placed = self._place(tour, _Clock(seconds * share, _part(steps, share), should_end))
        return self._shorten(placed, _Clock(seconds * (1 - share), _part(steps, 1 - share), should_end), tell)

    def length(self, routes: Iterable[Route]) -> int:
        """Distance of all routes."""
        return sum(self._insertions.timing(kind_no, stops).length for kind_no, stops in routes)

    def _weight(self, orders: Iterable[int]) -> int:
        weight = self._task.weight
        return sum(weight[order] for order in orders) if weight else len(list(orders))

    def _place(self, tour: Tour, clock: "_Clock") -> Tour:
        """As few left out as found, and where wanted in the fewest routes."""
        absences = [0] * self._task.n_orders
        best = tour
        limit = self._task.n_vehicles
        while True:
            if not tour.left:
                best = tour
                limit = len(best.routes) - 1
                if limit < 1 or not self._cooling.fewest:
                    break
                # Give up the route whose orders were easiest to place so far.
                dropped = min(
                    best.routes, key=lambda route: (sum(absences[stop >> 1] for stop in route[1]), len(route[1]))
                )
                tour = Tour(
                    [route for route in best.routes if route is not dropped], list({stop >> 1 for stop in dropped[1]})
                )
            if clock.is_over():
                break
            tried = self._step(tour, limit)
            worth, before = (sum(absences[order] for order in orders) for orders in (tried.left, tour.left))
            shorter = len(tried.left) <= len(tour.left) and self.length(tried.routes) < self.length(tour.routes)
            for order in tried.left:
                absences[order] += 1
            if len(tried.left) < len(tour.left) or worth < before or shorter:
                tour = tried
            if best.left and self._weight(tried.left) < self._weight(best.left):
                best = tried
        return best

    def _shorten(self, tour: Tour, clock: "_Clock", tell: Callable[[float, Tour], None] | None) -> Tour:
        """Nothing more left out, routes no more and no longer, by simulated annealing."""
        mean = max(1, self.length(tour.routes)) / max(1, self._task.n_orders - len(tour.left))
        start, end = self._cooling.start * mean, self._cooling.end * mean
        # An order may be left out for a while: with few vehicles there is no other way from one good plan to the next.
        penalty = max(1, round(LEFT_OUT * mean))
        best, best_worth = tour, self.worth(tour)
        here = self.length(tour.routes) + penalty * self._weight(tour.left)
        while not clock.is_over():
            tried = self._step(tour, len(best.routes) if self._cooling.fewest else self._task.n_vehicles)
            there = self.length(tried.routes) + penalty * self._weight(tried.left)
            temperature = start * (end / start) ** (clock.progress * N_CYCLES % 1.0)
            if there < here - temperature * log(1.0 - self._chance.random()):
                tour, here = tried, there
            if (worth := self.worth(tried)) < best_worth:
                tour, here = tried, there
                best, best_worth = tried, worth
            if tell is not None:
                tell(clock.progress, best)
        return best

    def worth(self, tour: Tour) -> tuple[int, int, int]:
        """What is left out, vehicles where they count, the way; less is better."""
        n_routes = len(tour.routes) if self._cooling.fewest else 0
        return self._weight(tour.left), n_routes, self.length(tour.routes)

    def _step(self, tour: Tour, limit: int) -> Tour:
        """Take out strings, put back what is left over."""
        route_of = {stop: number for number, (_, stops) in enumerate(tour.routes) for stop in stops}
        seed = self._chance.choice(self._stops)
        gone = remove_strings(
            self._near[seed],
            [stops for _, stops in tour.routes],
            lambda stop: route_of.get(stop, -1),
            self._cooling.tuning,
            self._chance,
        )
        routes = list(tour.routes)
        for number in {route_of[2 * order + 1] for order in gone}:
            kind_no, stops = routes[number]
            routes[number] = (kind_no, tuple(stop for stop in stops if stop >> 1 not in gone))
        return self._put_back([route for route in routes if route[1]], self._in_sequence(gone + tour.left), limit)

    def _put_back(self, routes: list[Route], orders: list[int], limit: int) -> Tour:
        """Each order in turn where it adds least; see `Cooling.fewest` for a new route."""
        board, kinds = self._board, self._task.kinds
        fleets = self._fleets
        in_use = Counter(fleets[kind_no] for kind_no, _ in routes)
        if board is not None:
            board.show(routes)
        left = []
        for order in orders:
            best = self._among(order, routes)
            if (best is None or not self._cooling.fewest) and len(routes) < limit:
                for kind_no, kind in enumerate(kinds):
                    if in_use[fleets[kind_no]] < kind.count:
                        found = self._insertions.best(order, kind_no, ())
                        if found is not None and (best is None or found[0] < best[0]):
                            best = (found[0], len(routes), (kind_no, found[1]))
            if best is None:
                left.append(order)
                continue
            _, number, route = best
            if number < len(routes):
                routes[number] = route
            else:
                routes.append(route)
                in_use[fleets[route[0]]] += 1
            if board is not None:
                board.put(number, route)
        return Tour(routes, left)

    def _among(self, order: int, routes: Sequence[Route]) -> tuple[int, int, Route] | None:
        """What an order adds at least to one of the routes, the number of that one, and how it is then."""
        random = self._chance.random
        if self._board is not None and order in self._task.loaded:
            where = self._board.best(order, lambda: random() < BLINK)
            if where is None:
                return None
            added, number, at = where
            kind_no, stops = routes[number]
            return added, number, (kind_no, (*stops[:at], 2 * order + 1, *stops[at:]))
        best: tuple[int, int, Route] | None = None
        for number, (kind_no, stops) in enumerate(routes):
            found = self._insertions.best(order, kind_no, stops)
            if found is not None and (best is None or found[0] < best[0]) and random() >= BLINK:
                best = (found[0], number, (kind_no, found[1]))
        return best

    def _in_sequence(self, orders: list[int]) -> list[int]:
        """At random, the heaviest, the farthest, the nearest or the tightest first (the paper's section 5.3)."""
        task, far = self._task, self._far
        self._chance.shuffle(orders)
        keys: list[Callable[[int], int] | None] = [
            None,
            lambda order: -max(task.size[order], default=0),
            lambda order: -far[order],
            lambda order: far[order],
            lambda order: task.closes[2 * order + 1] - task.opens[task.stops_of(order)[0]],
        ]
        (key,) = self._chance.choices(keys, weights=(4, 2, 2, 1, 1))
        return orders if key is None else sorted(orders, key=key)


class _Clock:
    """How much of the time or of the steps is used up."""

    def __init__(self, seconds: float, steps: int | None, should_end: ShouldEnd) -> None:
        self._began = perf_counter()
        self._seconds = seconds
        self._steps = steps
        self._should_end = should_end
        self._n = 0
        self.progress = 0.0

    def is_over(self) -> bool:
        """Asked once a step."""
        if self._steps is not None:
            self.progress = self._n / self._steps if self._steps else 1.0
        else:
            self.progress = (perf_counter() - self._began) / self._seconds if self._seconds > 0 else 1.0
        self._n += 1
        return self.progress >= 1.0 or self._should_end()


def _part(steps: int | None, share: float) -> int | None:
    return None if steps is None else round(steps * share)
