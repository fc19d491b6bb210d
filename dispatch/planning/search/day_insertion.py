"""The cheapest insertion of an order into a route of a day planned ahead; no I/O."""

from typing import Final

from dispatch.planning.problem import StopNo, Stops
from dispatch.planning.search.day_task import UNBOUNDED, Task, Timing

MAX_REMEMBERED: Final = 300_000
"""Insertions and timings remembered; when full they start again empty. About 150 MB."""

Route = tuple[int, Stops]
"""The number of its vehicle's kind, and the stops."""
Found = tuple[int, Stops]
"""What an insertion adds to the length, and the new stops."""


class Insertions:
    """The cheapest insertion of an order; remembered, because most routes are the same step after step."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._timings: dict[Route, Timing] = {}
        self._found: dict[tuple[int, int, Stops], Found | None] = {}

    def timing(self, kind_no: int, stops: Stops) -> Timing:
        """Times, loads and length of a route."""
        key = (kind_no, stops)
        timing = self._timings.get(key)
        if timing is None:
            if len(self._timings) >= MAX_REMEMBERED:
                self._timings.clear()
            timing = self._timings[key] = Timing(self._task, self._task.kinds[kind_no], stops)
        return timing

    def best(self, order: int, kind_no: int, stops: Stops) -> Found | None:
        """None: nowhere in this route."""
        key = (order, kind_no, stops)
        try:
            return self._found[key]
        except KeyError:
            if len(self._found) >= MAX_REMEMBERED:
                self._found.clear()
            found = self._found[key] = self._look(order, kind_no, stops)
            return found

    def _look(self, order: int, kind_no: int, stops: Stops) -> Found | None:
        may = self._task.kinds[kind_no].may
        if may is not None and order not in may:
            return None
        if order in self._task.loaded:
            return self._one_stop(2 * order + 1, kind_no, stops)
        return self._two_stops(2 * order, kind_no, stops)

    def _room(self, order: int, kind_no: int) -> list[int]:
        """By dimension, the load before its pickup with which the order still fits."""
        size = self._task.size[order]
        capacity = self._task.kinds[kind_no].capacity
        return [limit - (size[n] if n < len(size) else 0) for n, limit in enumerate(capacity)]

    def _one_stop(self, stop: StopNo, kind_no: int, route: Stops) -> Found | None:
        """Every position, until time or load forbids going on."""
        task, kind, timing = self._task, self._task.kinds[kind_no], self.timing(kind_no, route)
        rooms = self._room(stop >> 1, kind_no)
        distance, stops, leaves, latest = kind.distance, timing.stops, timing.leaves, timing.latest
        to_next, opens, closes, service = distance[stop], task.opens[stop], task.closes[stop], task.service[stop]
        # On board from the start: it must fit beside what is carried until it is set down; kept: from there to the end.
        first, n = 0, len(stops) - 1
        for room, loads in zip(rooms, timing.loads, strict=True):
            full = [i for i, load in enumerate(loads) if load > room]
            if full and stop >> 1 in task.kept:
                first = max(first, full[-1] + 1)
            elif full:
                n = min(n, full[0])
        best, best_i = UNBOUNDED, -1
        for i in range(first, n):
            if leaves[i] > closes:
                break
            a, b = stops[i], stops[i + 1]
            at = leaves[i] + distance[a][stop]
            if at > closes:
                continue
            added = distance[a][stop] + to_next[b] - distance[a][b]
            if added < best and max(opens, at) + service + to_next[b] <= latest[i + 1]:
                best, best_i = added, i
        return None if best_i < 0 else (best, (*route[:best_i], stop, *route[best_i:]))

    def _two_stops(  # noqa: C901, PLR0912 - one loop nest, run a hundred thousand times a second
        self, pickup: StopNo, kind_no: int, route: Stops
    ) -> Found | None:
        """
        Every pickup position, every drop-off position after it, until time or load forbids going on.

        A detour that is longer than the best whole insertion ends the inner loop early: the triangle inequality.
        """
        task, kind, timing = self._task, self._task.kinds[kind_no], self.timing(kind_no, route)
        distance, opens, closes, service = kind.distance, task.opens, task.closes, task.service
        stops, leaves, latest = timing.stops, timing.leaves, timing.latest
        rooms = self._room(pickup >> 1, kind_no)
        room, loads = (rooms[0], timing.loads[0]) if rooms else (0, [0] * len(stops))
        others = list(zip(rooms[1:], timing.loads[1:], strict=True))
        dropoff = pickup + 1
        to_dropoff = distance[pickup][dropoff]
        from_pickup, from_dropoff = distance[pickup], distance[dropoff]
        opens_pickup, closes_pickup, service_pickup = opens[pickup], closes[pickup], service[pickup]
        opens_dropoff, closes_dropoff, service_dropoff = opens[dropoff], closes[dropoff], service[dropoff]
        best, best_i, best_j = UNBOUNDED, -1, -1
        n = len(stops) - 1
        for i in range(n):
            if leaves[i] > closes_pickup:
                break
            a, b = stops[i], stops[i + 1]
            from_a = distance[a]
            at = leaves[i] + from_a[pickup]
            if loads[i] > room or at > closes_pickup or any(load[i] > least for least, load in others):
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
                if at > latest[j] or loads[j] > room or any(load[j] > least for least, load in others):
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
