"""
What a geofence is, and which of many are near a place; no I/O.

`FenceIndex` finds fences by H3 cell, so that the number of fences elsewhere costs nothing. A fence is covered by cells
of the finest resolution that needs no more than CELLS_PER_FENCE; cells that lie deep inside are marked, so that most
fixes in a large fence need no geometry at all.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NewType
from uuid import UUID
from zoneinfo import ZoneInfo

import h3.api.basic_int as h3
import shapely
from shapely.geometry.base import BaseGeometry

from tracking.watching.area import Area

FenceId = NewType("FenceId", UUID)
MICROS = 1_000_000
RESOLUTIONS = (10, 9, 7, 5, 3, 1)
"""H3 resolutions of the index, hexagon edges of 76 m, 200 m, 1.4 km, 9.9 km, 69 km, 480 km (842 cells in all)."""
CELLS_PER_FENCE = 1200
"""About so many cells cover a fence, at most: the finest resolution is taken that needs no more."""
BUFFER_M = 30.0
"""A fix farther outside than this may not find the fence in the index; ways are looked up every twice this."""
_ROUGH_M = 3.0
"""Corners smaller than this do not matter to the index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveHours:
    """A daily span, in the fence's time zone; over midnight when it ends before it begins."""

    weekdays: frozenset[int] = frozenset(range(7))
    """Days on which it begins; 0 is Monday."""
    from_minute: int
    """Minutes after midnight, 0 to 1439."""
    to_minute: int
    """Minutes after midnight, 1 to 1440; not included."""

    def contains(self, weekday: int, minute: int) -> bool:
        """Whether it is going on at this minute of this day."""
        if self.from_minute < self.to_minute:
            return weekday in self.weekdays and self.from_minute <= minute < self.to_minute
        return (weekday in self.weekdays and minute >= self.from_minute) or (
            (weekday - 1) % 7 in self.weekdays and minute < self.to_minute
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """An area that matters to somebody."""

    id: FenceId
    name: str
    area: Area
    tags: frozenset[str] = frozenset()
    active: tuple[ActiveHours, ...] = ()
    """When its events matter; empty: always."""
    timezone: str = "UTC"
    dwell_s: int | None = None
    """A courier inside for so long makes a dwell event; None: never."""
    since_us: int = 0
    """It exists from here on: earlier fixes know nothing of it."""
    version: int = 1
    """Another one is another shape, or other hours."""

    @property
    def key(self) -> int:
        """The id as a plain integer, which is hashed five times as fast as a UUID."""
        return self.id.int

    def is_active(self, at_us: int) -> bool:
        """Whether an event of this moment matters."""
        if not self.active:
            return True
        local = datetime.fromtimestamp(at_us / MICROS, UTC).astimezone(ZoneInfo(self.timezone))
        return any(span.contains(local.weekday(), local.hour * 60 + local.minute) for span in self.active)


Entry = tuple[int, Fence, bool]
"""In the index: key, fence that reaches into the cell (or nearly), whether the cell lies deep inside."""


@dataclass(slots=True)
class FenceIndex:
    """The fences of a region by H3 cell; rebuilt when one changes (10,000 fences take seconds, off the hot path)."""

    fences: dict[int, Fence] = field(default_factory=dict)
    """By their key."""
    _cells: dict[int, dict[int, tuple[Entry, ...]]] = field(default_factory=dict)
    """By resolution and cell."""

    @classmethod
    def of(cls, fences: Iterable[Fence]) -> "FenceIndex":
        """Index of these fences."""
        index = cls()
        for fence in fences:
            index.add(fence)
        return index

    def add(self, fence: Fence) -> None:
        """Add one fence, or replace the one of the same id."""
        if fence.key in self.fences:
            self.remove(fence)
        self.fences[fence.key] = fence
        resolution, cells = _cover(fence.area)
        at_resolution = self._cells.setdefault(resolution, {})
        for cell, deep in cells.items():
            at_resolution[cell] = (*at_resolution.get(cell, ()), (fence.key, fence, deep))

    def take_over(self, other: "FenceIndex") -> None:
        """Become the same as another index, which was built aside; who holds this one need not know."""
        self.fences, self._cells = other.fences, other._cells  # noqa: SLF001 - of its own class

    def remove(self, fence: Fence) -> None:
        """Forget one fence."""
        del self.fences[fence.key]
        for resolution, cells in list(self._cells.items()):
            for cell in [c for c, found in cells.items() if any(e[0] == fence.key for e in found)]:
                if kept := tuple(e for e in cells[cell] if e[0] != fence.key):
                    cells[cell] = kept
                else:
                    del cells[cell]
            if not cells:
                del self._cells[resolution]

    @property
    def n_cells(self) -> int:
        """Cells that hold a fence: what the index costs in memory."""
        return sum(map(len, self._cells.values()))

    def near(self, lat: float, lon: float) -> tuple[Entry, ...]:
        """Every fence that is not farther than BUFFER_M, and some that are."""
        found: tuple[Entry, ...] = ()
        for resolution, cells in self._cells.items():
            if here := cells.get(h3.latlng_to_cell(lat, lon, resolution)):
                found = found + here if found else here
        return found

    def inside(self, lat: float, lon: float) -> tuple[FenceId, ...]:
        """Fences that contain this point."""
        return tuple(f.id for _, f, deep in self.near(lat, lon) if deep or f.area.depth_m(lat, lon) >= 0)


def _cover(area: Area) -> tuple[int, dict[int, bool]]:
    """Resolution, cells that reach into the area or within BUFFER_M of it, and which of them lie deep inside."""
    # Fewer vertices make the cover much cheaper; what simplifying may cut off is added to the buffer.
    rough = area.geometry.simplify(_ROUGH_M)
    wide = rough.buffer(BUFFER_M + _ROUGH_M, quad_segs=4)
    for resolution in RESOLUTIONS:
        edge_m = h3.average_hexagon_edge_length(resolution, unit="m")
        cell_m2 = h3.average_hexagon_area(resolution, unit="m^2")
        if resolution == RESOLUTIONS[-1] or wide.area / cell_m2 + wide.length / edge_m <= CELLS_PER_FENCE:
            break
    cells = dict.fromkeys(_cells(area, wide, resolution, "overlap"), False)
    deep = rough.buffer(-BUFFER_M - _ROUGH_M, quad_segs=4)
    if deep.area > cell_m2:
        cells.update(dict.fromkeys(_cells(area, deep, resolution, "full"), True))
    return resolution, cells


def _cells(area: Area, geometry: BaseGeometry, resolution: int, contain: str) -> set[int]:
    found: set[int] = set()
    for polygon in shapely.get_parts(geometry):
        if polygon.is_empty or polygon.geom_type != "Polygon":
            continue
        rings = [[area.latlon(x, y) for x, y in r.coords] for r in (polygon.exterior, *polygon.interiors)]
        found.update(h3.h3shape_to_cells_experimental(h3.LatLngPoly(*rings), resolution, contain))
    return found
