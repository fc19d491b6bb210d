"""
Fewest vehicles, then the shortest way: pickup and delivery with hard time windows from one depot; no I/O.

For a day of parcels planned ahead, where routes are long and windows hard; what happens now is for propose.py.
Both take orders out by strings.py. Vehicles are saved by the sum of absences: orders that were often left out
are worth most. Source: J. Christiaens and G. Vanden Berghe, "Slack Induction by String Removals for Vehicle Routing
Problems", Transportation Science 54 (2), 2020, sections 5.3 to 5.5, here for pairs of stops.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from math import log
from random import Random
from time import perf_counter
from typing import Final

from dispatch.planning.params import ShouldEnd, never
from dispatch.planning.problem import StopNo, Stops
from dispatch.planning.search.strings import Tuning, remove_strings

BLINK: Final = 0.01
"""Share of routes overlooked when an order is put back (the paper's beta): without it the same comes out every time."""
LEFT_OUT: Final = 3
"""What an order costs while it is left out, in mean distances of an order."""
N_CYCLES: Final = 3
"""Times the temperature falls: what froze in a poor basin gets another chance."""
MAX_REMEMBERED: Final = 300_000
"""Insertions and timings remembered; when full they start again empty. About 150 MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Orders j with the stops 2j and 2j + 1; the depot comes after the last stop. Whole numbers, lists by stop."""

    distance: list[list[int]]
    """Between all stops and the depot; also the travel time, in the same unit."""
    opens: list[int]
    closes: list[int]
    """Service may start within; of the depot: vehicles leave and return within."""
    service: list[int]
    demand: list[int]
    """Taken up at the pickup, the same set down (negative) at the drop-off; 0 at the depot."""
    capacity: int
    n_vehicles: int
    """At most so many."""

    @property
    def depot(self) -> StopNo:
        """Its number."""
        return len(self.demand) - 1

    @property
    def n_orders(self) -> int:
        """How many orders there are."""
        return self.depot // 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Cooling:
    """Simulated annealing: a longer way is accepted with probability exp(-longer / temperature)."""

    start: float
    end: float
    """Both in units of distance."""
    fleet_share: float = 0.2
    """Part of the time for saving vehicles."""
    tuning: Tuning = field(default_factory=Tuning)


class Timing:
    """What insertion must know about a route with the depot at both ends; lists by position."""

    __slots__ = ("latest", "leaves", "length", "loads", "stops")

    def __init__(self, task: Task, route: Stops) -> None:
        distance, opens, closes, service = task.distance, task.opens, task.closes, task.service
        self.stops = stops = [task.depot, *route, task.depot]
        self.leaves = leaves = [opens[task.depot]]
        self.loads = loads = [0]
        self.length = 0
        for a, b in pairwise(stops):
            self.length += distance[a][b]
            leaves.append(max(leaves[-1] + distance[a][b], opens[b]) + service[b])
            loads.append(loads[-1] + task.demand[b])
        self.latest = latest = [closes[task.depot]] * len(stops)
        """Service must start by then, or some later stop is late."""
        for i in range(len(stops) - 2, -1, -1):
            a = stops[i]
            latest[i] = min(closes[a], latest[i + 1] - distance[a][stops[i + 1]] - service[a])


Found = tuple[int, Stops]
"""What an insertion adds to the length, and the new route."""


class Insertions:
    """The cheapest insertion of an order into a route; remembered, because most routes are the same step after step."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._timings: dict[Stops, Timing] = {}
        self._found: dict[tuple[int, Stops], Found | None] = {}

    def timing(self, route: Stops) -> Timing:
        """Times, loads and length of a route."""
        timing = self._timings.get(route)
        if timing is None:
            if len(self._timings) >= MAX_REMEMBERED:
                self._timings.clear()
            timing = self._timings[route] = Timing(self._task, route)
        return timing

    def best(self, order: int, route: Stops) -> Found | None:
        """None: nowhere in this route."""
        key = (order, route)
        try:
            return self._found[key]
        except KeyError:
            if len(self._found) >= MAX_REMEMBERED:
                self._found.clear()
            found = self._found[key] = self._search(2 * order, route)
            return found

    def _search(  # noqa: C901, PLR0912 - one loop nest, run a hundred thousand times a second
        self, pickup: StopNo, route: Stops
    ) -> Found | None:
        """
        Every pickup position, every drop-off position after it, until time or load forbids going on.

        A detour that is longer than the best whole insertion ends the inner loop early: the triangle inequality.
        """
        task, timing = self._task, self.timing(route)
        distance, opens, closes, service = task.distance, task.opens, task.closes, task.service
        stops, leaves, latest, loads = timing.stops, timing.leaves, timing.latest, timing.loads
        dropoff = pickup + 1
        room = task.capacity - task.demand[pickup]
        to_dropoff = distance[pickup][dropoff]
        from_pickup, from_dropoff = distance[pickup], distance[dropoff]
        opens_pickup, closes_pickup, service_pickup = opens[pickup], closes[pickup], service[pickup]
        opens_dropoff, closes_dropoff, service_dropoff = opens[dropoff], closes[dropoff], service[dropoff]
        best, best_i, best_j = 1 << 60, -1, -1
        n = len(stops) - 1
        for i in range(n):
            if leaves[i] > closes_pickup:
                break
            a, b = stops[i], stops[i + 1]
            from_a = distance[a]
            at = leaves[i] + from_a[pickup]
            if loads[i] > room or at > closes_pickup:
                continue
            leaves_before = (max(opens_pickup, at)) + service_pickup
            added = from_a[pickup] + to_dropoff + from_dropoff[b] - from_a[b]
            if added < best:
                at = leaves_before + to_dropoff
                if at <= closes_dropoff:
                    leaves_dropoff = (max(opens_dropoff, at)) + service_dropoff
                    if leaves_dropoff + from_dropoff[b] <= latest[i + 1]:
                        best, best_i, best_j = added, i, i
            detour = from_a[pickup] + from_pickup[b] - from_a[b]
            if detour >= best:
                continue
            before = pickup
            for j in range(i + 1, n):
                a = stops[j]
                at = leaves_before + distance[before][a]
                if at > latest[j] or loads[j] > room:
                    break
                leaves_before = (max(opens[a], at)) + service[a]
                if leaves_before > closes_dropoff:
                    break
                before, b, from_a = a, stops[j + 1], distance[a]
                added = detour + from_a[dropoff] + from_dropoff[b] - from_a[b]
                if added < best:
                    at = leaves_before + from_a[dropoff]
                    if at <= closes_dropoff:
                        leaves_dropoff = (max(opens_dropoff, at)) + service_dropoff
                        if leaves_dropoff + from_dropoff[b] <= latest[j + 1]:
                            best, best_i, best_j = added, i, j
        if best_i < 0:
            return None
        return best, (*route[:best_i], pickup, *route[best_i:best_j], dropoff, *route[best_j:])


@dataclass(frozen=True, slots=True)
class _Tour:
    """Routes, and the orders in none of them."""

    routes: list[Stops]
    left: list[int]


class Fleet:
    """One search."""

    def __init__(self, task: Task, *, cooling: Cooling, seed: int) -> None:
        self._task = task
        self._cooling = cooling
        self._chance = Random(seed)  # noqa: S311 - reproducible on purpose
        self._insertions = Insertions(task)
        distance, stops = task.distance, range(task.depot)
        self._near = [sorted(stops, key=row.__getitem__) for row in distance[:-1]]
        out, back = distance[task.depot], [row[task.depot] for row in distance]
        self._far = [out[2 * order] + back[2 * order + 1] for order in range(task.n_orders)]

    def solve(self, *, seconds: float, steps: int | None = None, should_end: ShouldEnd = never) -> list[Stops] | None:
        """
        Routes that serve every order; None when none were found with `n_vehicles`.

        With `steps` the answer depends on the seed alone, not on the time; `should_end` ends the search with what it
        has.
        """
        share = self._cooling.fleet_share
        order = sorted(range(self._task.n_orders), key=lambda order: self._task.closes[2 * order + 1])
        tour = self._put_back([], order, self._task.n_vehicles)
        few = self._save_vehicles(tour, _Clock(seconds * share, _part(steps, share), should_end))
        if few is None:
            return None
        return self._shorten(few, _Clock(seconds * (1 - share), _part(steps, 1 - share), should_end))

    def length(self, routes: list[Stops]) -> int:
        """Distance of all routes."""
        return sum(self._insertions.timing(route).length for route in routes)

    def _save_vehicles(self, tour: _Tour, clock: "_Clock") -> list[Stops] | None:
        """The fewest routes found that leave nothing out."""
        absences = [0] * self._task.n_orders
        best: list[Stops] | None = None
        limit = self._task.n_vehicles
        while True:
            if not tour.left:
                best = tour.routes
                limit = len(best) - 1
                if limit < 1:
                    break
                # Give up the route whose orders were easiest to place so far.
                dropped = min(best, key=lambda route: (sum(absences[stop >> 1] for stop in route), len(route)))
                tour = _Tour([route for route in best if route is not dropped], list({stop >> 1 for stop in dropped}))
            if clock.is_over():
                break
            tried = self._step(tour, limit)
            worth, before = (sum(absences[order] for order in orders) for orders in (tried.left, tour.left))
            shorter = len(tried.left) <= len(tour.left) and self.length(tried.routes) < self.length(tour.routes)
            for order in tried.left:
                absences[order] += 1
            if len(tried.left) < len(tour.left) or worth < before or shorter:
                tour = tried
        return best

    def _shorten(self, routes: list[Stops], clock: "_Clock") -> list[Stops]:
        """Routes no more and no longer than `routes`, by simulated annealing."""
        start, end = self._cooling.start, self._cooling.end
        here = best = self.length(routes)
        # An order may be left out for a while: with few vehicles there is no other way from one good plan to the next.
        penalty = LEFT_OUT * best // self._task.n_orders
        tour, best_routes = _Tour(routes, []), routes
        while not clock.is_over():
            tried = self._step(tour, len(best_routes))
            there = self.length(tried.routes) + penalty * len(tried.left)
            temperature = start * (end / start) ** (clock.progress * N_CYCLES % 1.0)
            if there < here - temperature * log(1.0 - self._chance.random()):
                tour, here = tried, there
            if not tried.left and (len(tried.routes), there) < (len(best_routes), best):
                tour, here = tried, there
                best, best_routes = there, tried.routes
        return best_routes

    def _step(self, tour: _Tour, limit: int) -> _Tour:
        """Take out strings, put back what is left over."""
        route_of = {stop: number for number, route in enumerate(tour.routes) for stop in route}
        seed = self._chance.randrange(self._task.depot)
        gone = remove_strings(
            self._near[seed], tour.routes, lambda stop: route_of.get(stop, -1), self._cooling.tuning, self._chance
        )
        routes = list(tour.routes)
        for number in {route_of[2 * order] for order in gone}:
            routes[number] = tuple(stop for stop in routes[number] if stop >> 1 not in gone)
        return self._put_back([route for route in routes if route], gone + tour.left, limit)

    def _put_back(self, routes: list[Stops], orders: list[int], limit: int) -> _Tour:
        """Each order where it adds least, in one of several sequences; a new route only when no other will do."""
        random = self._chance.random
        best_of = self._insertions.best
        left = []
        for order in self._in_sequence(orders):
            best: Found | None = None
            best_number = -1
            for number, route in enumerate(routes):
                found = best_of(order, route)
                if found is not None and (best is None or found[0] < best[0]) and random() >= BLINK:
                    best, best_number = found, number
            if best is not None:
                routes[best_number] = best[1]
            elif len(routes) < limit and (found := best_of(order, ())) is not None:
                routes.append(found[1])
            else:
                left.append(order)
        return _Tour(routes, left)

    def _in_sequence(self, orders: list[int]) -> list[int]:
        """At random, the heaviest, the farthest, the nearest or the tightest first (the paper's section 5.3)."""
        task, far = self._task, self._far
        self._chance.shuffle(orders)
        keys: list[Callable[[int], int] | None] = [
            None,
            lambda order: -task.demand[2 * order],
            lambda order: -far[order],
            lambda order: far[order],
            lambda order: task.closes[2 * order + 1] - task.opens[2 * order],
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
            self.progress = (perf_counter() - self._began) / self._seconds
        self._n += 1
        return self.progress >= 1.0 or self._should_end()


def _part(steps: int | None, share: float) -> int | None:
    return None if steps is None else round(steps * share)
