"""
What the fixes of a courier have shown, as far as alerts care; no I/O.

`step` is a fold over the fixes in order of time: where the courier stands still and since when, how many fixes in a row
lie off the route or outside the region, and the last impossible jump. `dispatch.alerts` judges it.
"""

from typing import NamedTuple

from dispatch.alerts.facts import MAX_SPEED_MPS, AlertParams, CourierFacts
from dispatch.alerts.route_line import RouteLine
from tracking.plane import d_lon_deg, metres
from tracking.quality import Limits, is_reachable

MICROS = 1_000_000
DEFAULT_LIMITS = Limits()


class AlertFix(NamedTuple):
    """A fix, as little of it as alerts need."""

    at_us: int
    lat: float
    lon: float
    accuracy_m: float | None = None
    battery_pct: float | None = None


class _Still(NamedTuple):
    """Fixes of a courier that does not move."""

    first: AlertFix
    sum_lat: float
    """Over the fixes, of degrees north of `first`."""
    sum_lon: float
    n: int
    moved: tuple[AlertFix, ...] = ()
    """Fixes in a row that lie elsewhere: noise, or the courier moving."""

    @property
    def middle(self) -> tuple[float, float]:
        return self.first.lat + self.sum_lat / self.n, self.first.lon + self.sum_lon / self.n


class Vigil(NamedTuple):
    """What the fixes of one courier have shown so far."""

    last: AlertFix | None = None
    """The last believable fix."""
    suspect: AlertFix | None = None
    """A fix that `last` cannot have led to; believed if the next one is near it."""
    still: _Still | None = None
    has_moved: bool = False
    """Movement was seen. Without, a vigil that has only begun cannot tell that a standstill is over."""
    battery_pct: float | None = None
    off_route_n: int = 0
    """Fixes in a row off the route when positive, on it when negative; 0: not known."""
    off_route_m: float = 0.0
    line: RouteLine | None = None
    """The route that `off_route_n` is about."""
    outside_n: int = 0
    """Fixes in a row outside the region when positive, inside when negative; 0: not known."""
    outside_m: float = 0.0
    jump_us: int | None = None
    """Fix time of the last impossible jump."""
    jump_m: float = 0.0
    jump_mps: float = 0.0


EMPTY = Vigil()


def step(
    vigil: Vigil, fix: AlertFix, facts: CourierFacts, params: AlertParams, limits: Limits = DEFAULT_LIMITS
) -> Vigil:
    """
    Take one more fix, later than all before it.

    What is believed is what moves the live position: `limits` say what can be reached. `params` say which of the leaps
    are worth an alert, and that depends on how the courier travels.
    """
    last, has_leapt = vigil.last, False
    if last is not None:
        way_m, mps = _leap(last, fix)
        if way_m > params.jump_m and mps > MAX_SPEED_MPS[facts.mode]:
            vigil = vigil._replace(jump_us=fix.at_us, jump_m=way_m, jump_mps=mps)
        if not _leads_to(last, fix, limits):
            if vigil.suspect is None or not _leads_to(vigil.suspect, fix, limits):
                return vigil._replace(suspect=fix)
            has_leapt = True  # two fixes agree: the courier really is there, however that came about
    accuracy_m = min(fix.accuracy_m or 0.0, 50.0)
    still = _still(None if has_leapt else vigil.still, fix, params)
    off_n, off_m, line = 0, 0.0, facts.line
    if line is not None:
        off_m = max(0.0, line.distance_m(fix.lat, fix.lon) - accuracy_m)
        counted = vigil.off_route_n if vigil.line is line or vigil.line == line else 0
        off_n = _count(counted, is_out=off_m > params.off_route_m, is_in=off_m < params.back_on_route_m)
    outside_n, outside_m = 0, 0.0
    if facts.region is not None:
        outside_m = -facts.region.depth_m(fix.lat, fix.lon) - accuracy_m
        outside_n = _count(vigil.outside_n, is_out=outside_m > params.outside_m, is_in=outside_m <= 0)
    return vigil._replace(
        last=fix,
        suspect=None,
        still=still,
        has_moved=vigil.has_moved or (vigil.still is not None and still.first is not vigil.still.first),
        battery_pct=vigil.battery_pct if fix.battery_pct is None else fix.battery_pct,
        off_route_n=off_n,
        off_route_m=off_m,
        line=line,
        outside_n=outside_n,
        outside_m=outside_m,
    )


def _still(still: _Still | None, fix: AlertFix, params: AlertParams) -> _Still:
    if still is None:
        return _Still(fix, 0.0, 0.0, 1)
    lat, lon = still.middle
    if metres(lat, lon, fix.lat, fix.lon) <= params.stuck_within_m:
        first = still.first
        return _Still(
            first,
            still.sum_lat + fix.lat - first.lat,
            still.sum_lon + d_lon_deg(first.lon, fix.lon),
            still.n + 1,
        )
    moved = (*still.moved, fix)
    if len(moved) < 2:
        return still._replace(moved=moved)
    # Two fixes elsewhere: the courier moved, and may stand still anew from the first of them.
    return _still(_Still(moved[0], 0.0, 0.0, 1), fix, params)


def _count(n: int, *, is_out: bool, is_in: bool) -> int:
    """Fixes in a row: up when out, down when in, unchanged between."""
    if is_out:
        return max(n, 0) + 1
    return min(n, 0) - 1 if is_in else n


def _leap(a: AlertFix, b: AlertFix) -> tuple[float, float]:
    """Metres and metres a second between two fixes; fix times are whole seconds on some phones, so at least one."""
    way_m = metres(a.lat, a.lon, b.lat, b.lon)
    return way_m, way_m / max(1.0, (b.at_us - a.at_us) / MICROS)


def _leads_to(a: AlertFix, b: AlertFix, limits: Limits) -> bool:
    way_m = metres(a.lat, a.lon, b.lat, b.lon)
    return is_reachable(way_m, (b.at_us - a.at_us) / MICROS, a.accuracy_m, b.accuracy_m, limits)
