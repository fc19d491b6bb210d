"""
What is asked of an engine: unknown pairs, by cell, cut into requests it takes, the nearest first; no I/O.

Places of one H3 cell are asked once, by the first of them: resolution 11 is 29 m from centre to corner, a few seconds
of travel. Sorted cell numbers follow the hierarchy of cells, so neighbours in the list are neighbours in the city and a
block of consecutive origins and destinations is compact.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Final

import h3.api.basic_int as h3
import numpy as np
import numpy.typing as npt

from dispatch.travel.great_circle import great_circle_m
from dispatch.travel.times import UNKNOWN, UNROUTABLE, BoolMatrix, IntMatrix, Limits, Onwards, Pair
from tracking.position import LatLon

CELL_RESOLUTION: Final = 11


@dataclass(frozen=True, slots=True)
class Block:
    """One request: all pairs of these rows and columns of a CellTable."""

    rows: npt.NDArray[np.intp]
    columns: npt.NDArray[np.intp]


class CellTable:
    """
    The pairs of one question by cell: n distinct origin cells × m distinct destination cells.

    Pairs within one cell start as UNROUTABLE: they are below the resolution, the great circle answers them.
    """

    def __init__(self, origins: Sequence[LatLon], destinations: Sequence[LatLon]) -> None:
        self.rows, self.origins, self._row_of = _by_cell(origins)
        self.columns, self.destinations, self._column_of = _by_cell(destinations)
        self.durations_s: IntMatrix = np.full((len(self.rows), len(self.columns)), UNKNOWN, dtype=np.int32)
        self.distances_m: IntMatrix = self.durations_s.copy()
        self.durations_s[self.rows[:, None] == self.columns[None, :]] = UNROUTABLE
        self.fresh = np.zeros(self.durations_s.shape, dtype=np.bool_)
        """Pairs answered by the engine during this question, not by a cache."""
        self.wanted: BoolMatrix | None = None
        """Pairs an engine is asked about; None: all."""

    def narrow(self, n_nearest: int, also: Sequence[Pair]) -> None:
        """Have an engine asked only about the nearest of each place, and about these pairs of places."""
        self.wanted = np.zeros(self.durations_s.shape, dtype=np.bool_)
        if not self.wanted.size:
            return
        metres = great_circle_m(self.origins, self.destinations)
        metres[self.rows[:, None] == self.columns[None, :]] = np.inf
        for axis in (0, 1):
            n = min(n_nearest, metres.shape[axis])
            nearest = np.take(np.argpartition(metres, n - 1, axis=axis), range(n), axis=axis)
            np.put_along_axis(self.wanted, nearest, values=True, axis=axis)
        for origin, destination in also:
            self.wanted[self._row_of[origin], self._column_of[destination]] = True

    def restrict(self, only: Onwards, also: Sequence[Pair]) -> None:
        """Have an engine asked only about these destinations of some origins, and about these pairs of places."""
        everywhere = np.ones(len(self._row_of), dtype=np.bool_)
        everywhere[list(only)] = False
        self.wanted = np.zeros(self.durations_s.shape, dtype=np.bool_)
        self.wanted[self._row_of[everywhere]] = True
        columns: dict[int, npt.NDArray[np.intp]] = {}  # by identity: most origins share their destinations
        for origin, destinations in only.items():
            known = columns.get(id(destinations))
            if known is None:
                known = columns[id(destinations)] = self._column_of[list(destinations)]
            self.wanted[self._row_of[origin], known] = True
        for origin, destination in also:
            self.wanted[self._row_of[origin], self._column_of[destination]] = True

    def wanted_by_place(self) -> BoolMatrix:
        """Of the places as they were asked: the pairs that an engine is asked about."""
        cells = np.ix_(self._row_of, self._column_of)
        return np.ones(self.durations_s.shape, dtype=np.bool_)[cells] if self.wanted is None else self.wanted[cells]

    def put(self, block: Block, durations_s: IntMatrix, distances_m: IntMatrix) -> None:
        """Take over an engine's answer to `block`."""
        cells = np.ix_(block.rows, block.columns)
        same_cell = self.rows[block.rows][:, None] == self.columns[block.columns][None, :]
        self.durations_s[cells] = np.where(same_cell, UNROUTABLE, durations_s)
        self.distances_m[cells] = distances_m
        self.fresh[cells] = ~same_cell & (durations_s != UNKNOWN)

    def by_place(self) -> tuple[IntMatrix, IntMatrix]:
        """Durations and distances for the places as they were asked."""
        cells = np.ix_(self._row_of, self._column_of)
        return self.durations_s[cells], self.distances_m[cells]

    def blocks(self, limits: Limits) -> list[Block]:
        """Requests that cover every UNKNOWN pair, nearest first; known pairs are asked again only to fill a block."""
        missing = self.durations_s == UNKNOWN
        if self.wanted is not None:
            missing &= self.wanted
        rows = np.flatnonzero(missing.any(axis=1))
        if not rows.size:
            return []
        if limits.n_nearest is not None:
            found = [(self._nearness(block.rows, block.columns), block) for block in _dense(rows, missing, limits)]
            return [block for _, block in sorted(found, key=lambda pair: pair[0])]
        groups = [rows]
        if self.wanted is not None:
            # From where only some destinations matter apart: else all would be asked from there.
            is_whole = self.wanted[rows].all(axis=1)
            groups = [some for some in (rows[is_whole], rows[~is_whole]) if some.size]
        found = [
            (self._nearness(block.rows, block.columns), block)
            for some in groups
            for block in _compact(some, missing, limits)
        ]
        return [block for _, block in sorted(found, key=lambda pair: pair[0])]

    def _nearness(self, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]) -> float:
        """Distance in metres between the middle of the origins and the middle of the destinations."""
        middles = [
            LatLon(float(np.mean([p.lat for p in places])), float(np.mean([p.lon for p in places])))
            for places in ([self.origins[i] for i in rows], [self.destinations[j] for j in columns])
        ]
        return float(great_circle_m(middles[:1], middles[1:])[0, 0])


def _by_cell(places: Sequence[LatLon]) -> tuple[npt.NDArray[np.int64], list[LatLon], npt.NDArray[np.intp]]:
    """Distinct cells in order, a place of each, and for every place the index of its cell."""
    cells = np.array([h3.latlng_to_cell(p.lat, p.lon, CELL_RESOLUTION) for p in places], dtype=np.int64)
    distinct, first, cell_of = np.unique(cells, return_index=True, return_inverse=True)
    return distinct, [places[i] for i in first], cell_of.reshape(-1)


def _compact(rows: npt.NDArray[np.intp], missing: BoolMatrix, limits: Limits) -> Iterator[Block]:
    """Few blocks of neighbouring rows for what is missing: requests cost more than pairs."""
    n_columns = int(missing[rows].any(axis=0).sum())
    # Square blocks reuse each end most; a narrow question may be longer the other way.
    side = max(isqrt(limits.n_cells), limits.n_cells // max(1, min(limits.n_destinations, n_columns)))
    for some in _chunks(rows, min(limits.n_origins, side)):
        columns = np.flatnonzero(missing[some].any(axis=0))
        for others in _chunks(columns, min(limits.n_destinations, limits.n_cells // some.size)):
            needed = some[missing[np.ix_(some, others)].any(axis=1)]
            if needed.size:
                yield Block(needed, others)


def _dense(rows: npt.NDArray[np.intp], missing: BoolMatrix, limits: Limits) -> Iterator[Block]:
    """Blocks of neighbouring rows for what is missing, which is at least half of each: the rest is paid for, too."""
    some: list[int] = []
    columns = np.zeros(missing.shape[1], dtype=np.bool_)
    for row in rows.tolist():
        wider = columns | missing[row]
        n_cells = (len(some) + 1) * int(wider.sum())
        n_missing = int(missing[some].sum() + missing[row].sum())
        if some and (n_cells > limits.n_cells or len(some) >= limits.n_origins or 2 * n_missing < n_cells):
            yield from _cut(some, columns, limits)
            some, wider = [], missing[row].copy()
        some.append(row)
        columns = wider
    yield from _cut(some, columns, limits)


def _cut(rows: list[int], columns: BoolMatrix, limits: Limits) -> Iterator[Block]:
    for others in _chunks(np.flatnonzero(columns), min(limits.n_destinations, limits.n_cells // len(rows))):
        yield Block(np.array(rows, dtype=np.intp), others)


def _chunks(items: npt.NDArray[np.intp], size: int) -> list[npt.NDArray[np.intp]]:
    return [items[first : first + size] for first in range(0, items.size, max(1, size))]
