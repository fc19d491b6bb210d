"""
Geofences: which areas a courier entered, left, passed through or dwelt in; no I/O.

`step` is a fold over a courier's fixes in order of time, like `tracking.motion.step`, and runs beside it. One fix never
makes an event: an enter needs `confirm_fixes` fixes inside in a row (or two, `confirm_s` apart), an exit as many that
lie outside by more than the larger of `exit_m` and the fix's own accuracy. The event then bears the time of crossing,
not of its confirmation. A way that leads through a fence between two fixes, or with too few fixes inside to confirm,
makes an enter and an exit marked `passed`, unless the courier came straight back, which is what a stray fix looks like.

`FenceIndex` finds the fences near a fix by H3 cell, so that the number of fences elsewhere costs nothing.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from math import ceil
from typing import NamedTuple, NewType
from uuid import UUID
from zoneinfo import ZoneInfo

import h3.api.basic_int as h3
import shapely
from shapely.geometry.base import BaseGeometry

from tracking.area import Area
from tracking.plane import d_lon_deg, metres

FenceId = NewType("FenceId", UUID)
MICROS = 1_000_000
RESOLUTIONS = (10, 9, 7, 5, 3)
"""H3 resolutions of the index, hexagon edges of 76 m, 200 m, 1.4 km, 9.9 km, 69 km."""
CELLS_PER_FENCE = 1200
"""About so many cells cover a fence: the finest resolution is taken that needs no more."""
BUFFER_M = 30.0
"""A fix farther outside than this may not find the fence in the index; ways are looked up every twice this."""
_ROUGH_M = 3.0
"""Corners smaller than this do not matter to the index."""
MAX_STEP_S = 60
"""A straight way between fixes farther apart in time says little about where the courier was."""


class FenceEventKind(StrEnum):
    """What happened at a fence."""

    ENTER = "enter"
    EXIT = "exit"
    DWELL = "dwell"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class FenceParams:
    """How much evidence an event needs."""

    max_accuracy_m: float = 100.0
    """Fixes that claim to be worse are not looked at."""
    exit_m: float = 20.0
    """Outside means outside by this much: hysteresis."""
    max_exit_m: float = 50.0
    """... or by the fix's accuracy, up to this."""
    confirm_fixes: int = 3
    confirm_s: int = 30
    gap_s: int = 300
    """Evidence does not reach over a gap."""

    def __post_init__(self) -> None:
        if not (0 <= self.exit_m <= self.max_exit_m and self.confirm_fixes >= 2):
            raise ValueError("expected 0 <= exit_m <= max_exit_m and confirm_fixes >= 2")


@dataclass(frozen=True, slots=True, kw_only=True)
class FenceEvent:
    """A courier crossed the edge of a fence, or dwelt in it."""

    fence_id: FenceId
    kind: FenceEventKind
    at_us: int
    """When it happened, between two fixes if need be; for dwell, when the time was up."""
    lat: float
    lon: float
    passed: bool = False
    """Too short inside to be confirmed by fixes: the courier went straight through."""
    active: bool = True
    """Within the fence's active hours; others are recorded, but notify nobody."""


class FenceFix(NamedTuple):
    """A fix, as little of it as fences need."""

    at_us: int
    lat: float
    lon: float
    accuracy_m: float | None = None


class _Sighting(NamedTuple):
    """What is known of one fence near a courier."""

    inside: bool
    """As confirmed."""
    since_us: int = 0
    """Of the enter, when inside."""
    dwelt: bool = False
    n: int = 0
    """Fixes in a row that speak against `inside`."""
    cross_us: int = 0
    """When the edge was crossed, if they are right."""
    first: FenceFix | None = None
    """The first of them."""
    before: FenceFix | None = None
    """The fix before that."""


_OUTSIDE = _Sighting(inside=False)


class _Passing(NamedTuple):
    """A way through a fence, to be believed when the next fix does not lie back where it came from."""

    key: int
    """Of the fence."""
    enter_us: int
    exit_us: int
    origin: FenceFix


class FenceState(NamedTuple):
    """Of one courier. Fences it is not in and shows no sign of entering are not in `near`."""

    last: FenceFix | None = None
    before: FenceFix | None = None
    near: Mapping[int, _Sighting] = {}
    """By the fence's key."""
    depths: Mapping[int, float] = {}
    """Depth of `last` in the fences found near it that it is not deep inside of; or a value nearer to 0."""
    passing: tuple[_Passing, ...] = ()


EMPTY = FenceState()

_Entry = tuple[int, Fence, bool]
"""In the index: key, fence that reaches into the cell (or nearly), whether the cell lies deep inside."""


@dataclass(slots=True)
class FenceIndex:
    """The fences of a region by H3 cell; rebuilt when one changes (10,000 fences take seconds, off the hot path)."""

    fences: dict[int, Fence] = field(default_factory=dict)
    """By their key."""
    _cells: dict[int, dict[int, tuple[_Entry, ...]]] = field(default_factory=dict)
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

    def near(self, lat: float, lon: float) -> tuple[_Entry, ...]:
        """Every fence that is not farther than BUFFER_M, and some that are."""
        found: tuple[_Entry, ...] = ()
        for resolution, cells in self._cells.items():
            if here := cells.get(h3.latlng_to_cell(lat, lon, resolution)):
                found = found + here if found else here
        return found

    def inside(self, lat: float, lon: float) -> tuple[FenceId, ...]:
        """Fences that contain this point."""
        return tuple(f.id for _, f, deep in self.near(lat, lon) if deep or f.area.depth_m(lat, lon) >= 0)


def inside_since(fences: Mapping[FenceId, tuple[int, bool]]) -> FenceState:
    """State of a courier who is in these fences, each since a moment, with dwelling told or not: to begin from."""
    return FenceState(
        near={
            fence_id.int: _Sighting(inside=True, since_us=since_us, dwelt=dwelt)
            for fence_id, (since_us, dwelt) in fences.items()
        }
    )


def step(
    state: FenceState, fix: FenceFix, index: FenceIndex, params: FenceParams
) -> tuple[FenceState, tuple[FenceEvent, ...]]:
    """Take one more fix, later than all before it; returns the new state and what is now known to have happened."""
    if fix.accuracy_m is not None and fix.accuracy_m > params.max_accuracy_m:
        return state, ()
    last = state.last
    if last is not None and fix.at_us - last.at_us > params.gap_s * MICROS:
        kept = {i: s._replace(n=0, first=None, before=None) for i, s in state.near.items() if s.inside}
        state, last = FenceState(near=kept), None
    here = index.near(fix.lat, fix.lon)
    is_quiet = not here and not state.near and not state.depths and not state.passing
    if is_quiet and (last is None or not _is_long(last, fix)):
        return FenceState(fix, last), ()
    way_m = 0.0 if last is None else metres(last.lat, last.lon, fix.lat, fix.lon)
    look = _Look(state, fix, way_m, index, params)
    look.believe()
    look.around(here)
    look.away()
    return FenceState(fix, last, look.near, look.depths, look.passing()), tuple(look.events)


class _Look:
    """One fix weighed for every fence it may concern."""

    __slots__ = ("depths", "events", "fix", "index", "near", "params", "state", "way_m")

    def __init__(self, state: FenceState, fix: FenceFix, way_m: float, index: FenceIndex, params: FenceParams) -> None:
        self.state = state
        self.fix = fix
        self.way_m = way_m
        self.index = index
        self.params = params
        self.near: dict[int, _Sighting] = {}
        self.depths: dict[int, float] = {}
        self.events: list[FenceEvent] = []

    def believe(self) -> None:
        """Make events of the ways through fences that this fix confirms by not lying back at their origin."""
        through = self.state.last
        for p in self.state.passing:
            fence = self.index.fences.get(p.key)
            if fence is not None and through is not None and _went_on(p.origin, through, self.fix):
                self.events.append(_event(fence, FenceEventKind.ENTER, p.enter_us, p.origin, passed=True))
                self.events.append(_event(fence, FenceEventKind.EXIT, p.exit_us, through, passed=True))

    def around(self, here: tuple[_Entry, ...]) -> None:
        """Weigh the fences that the index found here; the commonest cases first, without a call."""
        fix, before, depths, way_m = self.fix, self.state.near, self.state.depths, self.way_m
        sure_m = way_m + self.params.max_exit_m
        for key, fence, deep in here:
            sighting = before.get(key)
            if deep:
                if (
                    sighting is not None
                    and sighting.inside
                    and not sighting.n
                    and (sighting.dwelt or not fence.dwell_s)
                ):
                    self.near[key] = sighting
                elif fix.at_us >= fence.since_us:
                    self._weigh(fence, sighting or _OUTSIDE, BUFFER_M)
                continue
            # A depth changes by no more than the way: far from the edge it need not be measured.
            depth_m = depths.get(key, 0.0)
            if depth_m > sure_m:
                depth_m -= way_m
            elif depth_m < -sure_m:
                depth_m += way_m
            else:
                depth_m = fence.area.depth_m(fix.lat, fix.lon)
            self.depths[key] = depth_m
            if sighting is not None:
                self._weigh(fence, sighting, depth_m)
            elif depth_m >= 0 and fix.at_us >= fence.since_us:
                self._weigh(fence, _OUTSIDE, depth_m)

    def away(self) -> None:
        """Weigh the fences the courier was in or at, and is not near enough for the index to find."""
        for key, sighting in self.state.near.items():
            if key not in self.near and key not in self.depths:
                fence = self.index.fences.get(key)
                if fence is not None:
                    self._weigh(fence, sighting, fence.area.depth_m(self.fix.lat, self.fix.lon))

    def _weigh(self, fence: Fence, sighting: _Sighting, depth_m: float) -> None:
        fix = self.fix
        is_contrary = depth_m <= -self._margin_m() if sighting.inside else depth_m >= 0
        if not is_contrary:
            if sighting.inside:
                if sighting.n:
                    sighting = sighting._replace(n=0, first=None, before=None)
                self._remain(fence, sighting)
            else:
                self._pass_by_fix(fence, sighting)
        elif sighting.first is None:
            cross_us = _crossed_us(fence, self.state.last, fix, inside=sighting.inside)
            self._confirm(fence, sighting._replace(n=1, cross_us=cross_us, first=fix, before=self.state.last), fix)
        else:
            self._confirm(fence, sighting._replace(n=sighting.n + 1), sighting.first)

    def _confirm(self, fence: Fence, sighting: _Sighting, first: FenceFix) -> None:
        """Make an event when enough fixes in a row say so."""
        params = self.params
        is_long = sighting.n >= 2 and self.fix.at_us - first.at_us >= params.confirm_s * MICROS
        if sighting.n < params.confirm_fixes and not is_long:
            self.near[fence.key] = sighting
        elif sighting.inside:
            self.events.append(_event(fence, FenceEventKind.EXIT, sighting.cross_us, first))
        else:
            self.events.append(_event(fence, FenceEventKind.ENTER, sighting.cross_us, first))
            self._remain(fence, _Sighting(inside=True, since_us=sighting.cross_us))

    def _remain(self, fence: Fence, sighting: _Sighting) -> None:
        """Inside, and perhaps long enough to be dwelling."""
        if fence.dwell_s is not None and not sighting.dwelt:
            dwelt_us = sighting.since_us + fence.dwell_s * MICROS
            if self.fix.at_us >= dwelt_us:
                self.events.append(_event(fence, FenceEventKind.DWELL, dwelt_us, self.fix))
                sighting = sighting._replace(dwelt=True)
        self.near[fence.key] = sighting

    def _pass_by_fix(self, fence: Fence, sighting: _Sighting) -> None:
        """A fix or two inside, now outside: passed through, or a stray fix if the courier is back where it was."""
        before, first, fix = sighting.before, sighting.first, self.fix
        if before is None or first is None or fix.at_us - before.at_us > 2 * MAX_STEP_S * MICROS:
            return
        way_m = metres(before.lat, before.lon, fix.lat, fix.lon)
        if way_m >= 3 * self._margin_m() and _went_on(before, first, fix):
            exit_us = max(sighting.cross_us + 1, fix.at_us)
            self.events.append(_event(fence, FenceEventKind.ENTER, sighting.cross_us, first, passed=True))
            self.events.append(_event(fence, FenceEventKind.EXIT, exit_us, fix, passed=True))

    def _margin_m(self) -> float:
        """How far outside is outside, and a third of how long a way is surely one."""
        return max(self.params.exit_m, min(self.fix.accuracy_m or 0.0, self.params.max_exit_m))

    def passing(self) -> tuple[_Passing, ...]:
        """Fences that the straight way from the last fix leads through, though both ends lie outside."""
        a, b, before = self.state.last, self.fix, self.state.before
        if a is None or before is None or b.at_us - a.at_us > MAX_STEP_S * MICROS:
            return ()
        is_long = _is_long(a, b)
        if not is_long and not self.depths and not self.state.depths:
            return ()
        way_m = self.way_m
        depths_a, depths_b = self.state.depths, self.depths
        # The way can only reach a fence when it is at least as long as the two ends are far from it.
        reach_m = way_m - BUFFER_M
        likely = [k for k, depth_m in depths_b.items() if depth_m < 0 <= way_m + depth_m + depths_a.get(k, -BUFFER_M)]
        likely += [k for k, depth_m in depths_a.items() if depth_m < 0 <= reach_m + depth_m and k not in depths_b]
        if is_long:
            likely += [k for k in self._along(a, b, way_m) if k not in depths_a and k not in depths_b]
        if not likely or way_m < 2 * self._margin_m() or not _went_on(b, a, before):
            return ()
        found: list[_Passing] = []
        for key in sorted(set(likely)):
            fence = self.index.fences.get(key)
            if fence is None or key in self.near or key in self.state.near or depths_a.get(key, -1) >= 0:
                continue
            if a.at_us < fence.since_us:
                continue
            if (shares := fence.area.crossing(a.lat, a.lon, b.lat, b.lon)) is not None:
                enter_us, exit_us = (a.at_us + round(share * (b.at_us - a.at_us)) for share in shares)
                found.append(_Passing(key, enter_us, max(enter_us + 1, exit_us), a))
        return tuple(found)

    def _along(self, a: FenceFix, b: FenceFix, way_m: float) -> Iterator[int]:
        """Fences near the way, looked up so closely that none is missed."""
        n = ceil(way_m / (2 * BUFFER_M))
        d_lat, d_lon = b.lat - a.lat, d_lon_deg(a.lon, b.lon)
        for k in range(1, n):
            lon = (a.lon + d_lon * k / n + 180.0) % 360.0 - 180.0
            yield from (key for key, _, _ in self.index.near(a.lat + d_lat * k / n, lon))


def _went_on(a: FenceFix, b: FenceFix, c: FenceFix) -> bool:
    """Whether a, b, c look like a way, and b not like a stray fix: c is not back where a was."""
    return metres(a.lat, a.lon, c.lat, c.lon) >= metres(a.lat, a.lon, b.lat, b.lon) / 2


def _is_long(a: FenceFix, b: FenceFix) -> bool:
    """Whether the way is so long that a fence in its middle may be in the index of neither end."""
    # 1 degree of latitude is 111 km; the cheap test first.
    if abs(a.lat - b.lat) * 111_000 > 2 * BUFFER_M:
        return True
    return metres(a.lat, a.lon, b.lat, b.lon) > 2 * BUFFER_M


def _crossed_us(fence: Fence, last: FenceFix | None, fix: FenceFix, *, inside: bool) -> int:
    """When the edge was crossed between the last fix and this: by the distances to it; without a last fix, now."""
    if last is None or fix.at_us - last.at_us > MAX_STEP_S * MICROS:
        return fix.at_us
    before_m = fence.area.depth_m(last.lat, last.lon)
    if (before_m >= 0) != inside:
        return last.at_us if inside else fix.at_us  # already over the line, but within the margin
    depth_m = fence.area.depth_m(fix.lat, fix.lon)
    share = abs(before_m) / (abs(before_m) + abs(depth_m)) if before_m or depth_m else 1.0
    return last.at_us + round(share * (fix.at_us - last.at_us))


def _event(fence: Fence, kind: FenceEventKind, at_us: int, fix: FenceFix, *, passed: bool = False) -> FenceEvent:
    return FenceEvent(
        fence_id=fence.id,
        kind=kind,
        at_us=at_us,
        lat=fix.lat,
        lon=fix.lon,
        passed=passed,
        active=fence.is_active(at_us),
    )


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
