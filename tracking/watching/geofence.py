"""
Geofences: which areas a courier entered, left, passed through or dwelt in; no I/O.

`step` is a fold over a courier's fixes in order of time, like `motion.step`, and runs beside it. One fix never
makes an event: an enter needs `confirm_fixes` fixes inside in a row (or two, `confirm_s` apart), an exit as many that
lie outside by more than the larger of `exit_m` and the fix's own accuracy. The event then bears the time of crossing,
not of its confirmation. A way that leads through a fence between two fixes, or with too few fixes inside to confirm,
makes an enter and an exit marked `passed`, unless the courier came straight back, which is what a stray fix looks like.

Which fences are near a fix is the business of `tracking.watching.fence.FenceIndex`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import ceil
from typing import NamedTuple

from tracking.plane import d_lon_deg, metres
from tracking.watching.fence import BUFFER_M, Entry, Fence, FenceId, FenceIndex

MICROS = 1_000_000
NEVER_US = 2**63
MAX_STEP_S = 60
"""A straight way between fixes farther apart in time says little about where the courier was."""
LONG_M = 2 * BUFFER_M
"""A fence in the middle of a longer way may be in the index of neither end."""


class FenceEventKind(StrEnum):
    """What happened at a fence."""

    ENTER = "enter"
    EXIT = "exit"
    DWELL = "dwell"


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
    dwells_us: int = NEVER_US
    """When it becomes dwelling, when inside and not dwelling yet."""
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


def inside_since(fences: Mapping[FenceId, tuple[int, bool]], index: FenceIndex) -> FenceState:
    """State of a courier who is in these fences, each since a moment, with dwelling told or not: to begin from."""
    near = {}
    for fence_id, (since_us, dwelt) in fences.items():
        fence = index.fences.get(fence_id.int)
        if fence is not None:
            is_over = dwelt or fence.dwell_s is None
            dwells_us = NEVER_US if is_over else since_us + (fence.dwell_s or 0) * MICROS
            near[fence.key] = _Sighting(inside=True, since_us=since_us, dwells_us=dwells_us)
    return FenceState(near=near)


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
    way_m = 0.0 if last is None else metres(last.lat, last.lon, fix.lat, fix.lon)
    is_quiet = not here and not state.near and not state.depths and not state.passing
    if is_quiet and way_m <= LONG_M:
        return FenceState(fix, last), ()
    look = _Look(state, fix, way_m, index, params)
    look.believe()
    look.around(here)
    look.away()
    return FenceState(fix, last, look.near, look.depths, look.passing()), tuple(look.events)


class _Look:
    """One fix weighed for every fence it may concern."""

    __slots__ = ("depths", "events", "fix", "index", "margin_m", "near", "params", "state", "way_m")

    def __init__(self, state: FenceState, fix: FenceFix, way_m: float, index: FenceIndex, params: FenceParams) -> None:
        self.state = state
        self.fix = fix
        self.way_m = way_m
        # How far outside is outside, and a third of how long a way is surely one.
        self.margin_m = max(params.exit_m, min(fix.accuracy_m or 0.0, params.max_exit_m))
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

    def around(self, here: tuple[Entry, ...]) -> None:
        """Weigh the fences that the index found here; the commonest cases first, without a call."""
        fix, before, depths, way_m = self.fix, self.state.near, self.state.depths, self.way_m
        sure_m = way_m + self.params.max_exit_m
        for key, fence, deep in here:
            sighting = before.get(key)
            if deep:
                depth_m = BUFFER_M
            else:
                # A depth changes by no more than the way: far from the edge it need not be measured.
                depth_m = depths.get(key, 0.0)
                if depth_m > sure_m:
                    depth_m -= way_m
                elif depth_m < -sure_m:
                    depth_m += way_m
                else:
                    depth_m = fence.area.depth_m(fix.lat, fix.lon)
                self.depths[key] = depth_m
            if sighting is None:
                if depth_m >= 0 and fix.at_us >= fence.since_us:
                    self._weigh(fence, _OUTSIDE, depth_m)
            elif depth_m >= 0 and sighting.inside and not sighting.n and fix.at_us < sighting.dwells_us:
                self.near[key] = sighting
            else:
                self._weigh(fence, sighting, depth_m)

    def away(self) -> None:
        """Weigh the fences the courier was in or at, and is not near enough for the index to find."""
        for key, sighting in self.state.near.items():
            if key not in self.near and key not in self.depths:
                fence = self.index.fences.get(key)
                if fence is not None:
                    self._weigh(fence, sighting, fence.area.depth_m(self.fix.lat, self.fix.lon))

    def _weigh(self, fence: Fence, sighting: _Sighting, depth_m: float) -> None:
        fix = self.fix
        is_contrary = depth_m <= -self.margin_m if sighting.inside else depth_m >= 0
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
            dwells_us = NEVER_US if fence.dwell_s is None else sighting.cross_us + fence.dwell_s * MICROS
            self._remain(fence, _Sighting(inside=True, since_us=sighting.cross_us, dwells_us=dwells_us))

    def _remain(self, fence: Fence, sighting: _Sighting) -> None:
        """Inside, and perhaps long enough to be dwelling."""
        if self.fix.at_us >= sighting.dwells_us:
            self.events.append(_event(fence, FenceEventKind.DWELL, sighting.dwells_us, self.fix))
            sighting = sighting._replace(dwells_us=NEVER_US)
        self.near[fence.key] = sighting

    def _pass_by_fix(self, fence: Fence, sighting: _Sighting) -> None:
        """A fix or two inside, now outside: passed through, or a stray fix if the courier is back where it was."""
        before, first, fix = sighting.before, sighting.first, self.fix
        if before is None or first is None or fix.at_us - before.at_us > 2 * MAX_STEP_S * MICROS:
            return
        way_m = metres(before.lat, before.lon, fix.lat, fix.lon)
        if way_m >= 3 * self.margin_m and _went_on(before, first, fix):
            exit_us = max(sighting.cross_us + 1, fix.at_us)
            self.events.append(_event(fence, FenceEventKind.ENTER, sighting.cross_us, first, passed=True))
            self.events.append(_event(fence, FenceEventKind.EXIT, exit_us, fix, passed=True))

    def passing(self) -> tuple[_Passing, ...]:
        """Fences that the straight way from the last fix leads through, though both ends lie outside."""
        a, b, before = self.state.last, self.fix, self.state.before
        if a is None or before is None or b.at_us - a.at_us > MAX_STEP_S * MICROS:
            return ()
        is_long = self.way_m > LONG_M
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
        if not likely or way_m < 2 * self.margin_m or not _went_on(b, a, before):
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
