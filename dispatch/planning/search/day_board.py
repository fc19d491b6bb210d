"""
The routes of a day side by side: where among all of them one more stop adds least, in one computation; no I/O.

For orders of one stop (parcels loaded at a depot, goods collected for it), of which a day has many in long routes.
"""

from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from dispatch.planning.search.day_insertion import Insertions, Route
from dispatch.planning.search.day_task import UNBOUNDED, Task

FIRST_ROWS: Final = 16
FIRST_WIDTH: Final = 16
"""Room at the beginning; doubled where it does not do."""

MAX_REMEMBERED: Final = 50_000
"""Lines; when full it starts again empty. About 60 MB where routes have twenty stops."""

Where = tuple[int, int, int]
"""What a stop adds, the number of the route, and the position in it before which it goes."""
Ints = npt.NDArray[np.int64]

BEFORE, AFTER, LEAVES, LATEST, DIRECT = range(5)
"""Of each position: the stop before it and the one after it, when the former is left, until when service at the latter
must have begun, and the way between them. Behind these: the highest load up to there, and from there on."""


class Board:
    """One line a route; kept from step to step, for most routes stay as they are."""

    def __init__(self, task: Task, insertions: Insertions) -> None:
        self._task = task
        self._insertions = insertions
        numbers = {stop for order in range(task.n_orders) for stop in task.stops_of(order)}
        numbers |= {place for kind in task.kinds for place in (kind.start, kind.end)}
        used = sorted(numbers)
        self._column = {number: column for column, number in enumerate(used)}
        matrices = {id(kind.distance): kind.distance for kind in task.kinds}
        gaits = {key: gait for gait, key in enumerate(matrices)}
        self._shift = [gaits[id(kind.distance)] * len(used) for kind in task.kinds]
        apart = np.array(
            [[np.asarray(rows[number], dtype=np.int32)[used] for number in used] for rows in matrices.values()],
            dtype=np.int32,
        ).reshape(len(matrices), len(used), len(used))
        self._to = np.ascontiguousarray(apart.transpose(2, 0, 1)).reshape(len(used), -1)
        self._from = np.ascontiguousarray(apart.transpose(1, 0, 2)).reshape(len(used), -1)
        self._n_loads = max((len(kind.capacity) for kind in task.kinds), default=0)
        self._capacity = np.array(
            [[*kind.capacity, *[UNBOUNDED] * (self._n_loads - len(kind.capacity))] for kind in task.kinds],
            dtype=np.int64,
        ).reshape(len(task.kinds), self._n_loads)
        self._may = np.array(
            [[kind.may is None or order in kind.may for order in range(task.n_orders)] for kind in task.kinds]
        ).reshape(len(task.kinds), task.n_orders)
        self._table: Ints = np.zeros((5 + 2 * self._n_loads, FIRST_ROWS, FIRST_WIDTH), dtype=np.int64)
        self._kind: Ints = np.zeros(FIRST_ROWS, dtype=np.int64)
        self._lines: dict[Route, Ints] = {}
        self._shown: list[Route] = []
        self._n = 0
        self._widest = 1

    def show(self, routes: Sequence[Route]) -> None:
        """What is there now."""
        self._n = len(routes)
        for number, route in enumerate(routes):
            if number >= len(self._shown) or self._shown[number] is not route:
                self.put(number, route)

    def put(self, number: int, route: Route) -> None:
        """One route has changed, or is the next new one."""
        line = self._lines.get(route)
        if line is None:
            if len(self._lines) >= MAX_REMEMBERED:
                self._lines.clear()
            line = self._lines[route] = self._line(route)
        n = line.shape[1]
        self._make_room(number + 1, n)
        self._table[:, number, :n] = line
        self._table[LATEST, number, n:] = -UNBOUNDED
        self._kind[number] = route[0]
        self._n = max(self._n, number + 1)
        if number < len(self._shown):
            self._shown[number] = route
        else:
            self._shown.append(route)

    def _line(self, route: Route) -> Ints:
        kind_no, stops = route
        kind, timing = self._task.kinds[kind_no], self._insertions.timing(kind_no, stops)
        n = len(timing.stops) - 1
        of = [self._shift[kind_no] + self._column[stop] for stop in timing.stops]
        loads = [*timing.loads, *[[0] * (n + 1)] * (self._n_loads - len(timing.loads))]
        return np.array(
            [
                of[:-1],
                of[1:],
                timing.leaves[:-1],
                timing.latest[1:],
                [kind.distance[a][b] for a, b in pairwise(timing.stops)],
                *(list(accumulate(load[:n], max)) for load in loads),
                *(list(accumulate(reversed(load), max))[::-1][:n] for load in loads),
            ],
            dtype=np.int64,
        )

    def best(self, order: int, overlook: Callable[[], bool]) -> Where | None:
        """
        Where the stop of an order of one stop adds least; None: nowhere.

        `overlook` is asked about each route that would be best: true takes the next best one.
        """
        task, stop = self._task, 2 * order + 1
        n, width = self._n, self._widest
        if not n:
            return None
        table, kinds, column = self._table[:, :n, :width], self._kind[:n], self._column[stop]
        to_stop = self._to[column].take(table[BEFORE])
        onward = self._from[column].take(table[AFTER])
        comes = table[LEAVES] + to_stop
        unfit = comes > task.closes[stop]
        unfit |= np.maximum(comes, task.opens[stop]) + (onward + task.service[stop]) > table[LATEST]
        first = 5 + (self._n_loads if order in task.kept else 0)
        for dimension, size in enumerate(task.size[order][: self._n_loads]):
            unfit |= table[first + dimension] > (self._capacity[kinds, dimension] - size)[:, None]
        unfit |= ~self._may[kinds, order][:, None]
        added = to_stop + onward - table[DIRECT]
        added[unfit] = UNBOUNDED
        while True:
            number, position = divmod(int(added.argmin()), width)
            least = int(added[number, position])
            if least >= UNBOUNDED:
                return None
            if not overlook():
                return least, number, position
            added[number] = UNBOUNDED

    def _make_room(self, n_rows: int, width: int) -> None:
        _, rows, columns = self._table.shape
        self._widest = max(self._widest, width)
        if n_rows <= rows and width <= columns:
            return
        more = np.zeros((self._table.shape[0], _doubled(rows, n_rows), _doubled(columns, width)), dtype=np.int64)
        more[LATEST] = -UNBOUNDED
        more[:, :rows, :columns] = self._table
        self._table = more
        self._kind = np.concatenate([self._kind, np.zeros(more.shape[1] - rows, dtype=np.int64)])


def _doubled(size: int, wanted: int) -> int:
    while size < wanted:
        size *= 2
    return size
