"""
Alerts: what support should look at, from a courier's fixes, route and silence; no I/O.

`step` folds a courier's fixes, in order of time, into a `Vigil`. `judge` says at a moment, for every kind of alert,
whether its cause holds, has ended, or cannot be told (then whatever is open stays open). `decide` compares that with
the alerts that are open and names those to raise and to resolve. Causes are levels, not edges, so a watcher that
restarts, or two at once, come to the same alerts; that no two of a kind are open for a courier and order is held by a
unique index. Every kind has hysteresis: what ends a cause is weaker than what began it, or takes several fixes.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from dispatch.route_line import RouteLine
from dispatch.snapshot import OrderId, StopKind
from tracking.area import Area
from tracking.plane import d_lon_deg, metres
from tracking.position import LatLon, Mode

MICROS = 1_000_000


class AlertKind(StrEnum):
    """What may be wrong with a courier or an order."""

    STUCK = "stuck"
    SILENT = "silent"
    FROZEN = "frozen"
    OFF_ROUTE = "off_route"
    LATE_RISK = "late_risk"
    LATE = "late"
    LOW_BATTERY = "low_battery"
    OUTSIDE_REGION = "outside_region"
    IMPOSSIBLE_JUMP = "impossible_jump"


ORDER_KINDS = frozenset({AlertKind.LATE, AlertKind.LATE_RISK})
"""Raised for an order, not for a courier as such."""
TROUBLE_KINDS = frozenset({AlertKind.STUCK, AlertKind.SILENT})
"""While one of these is open, the courier is given nothing new; see `dispatch.store` for what is taken away."""
MAX_SPEED_MPS: Mapping[Mode, float] = {Mode.CAR: 70.0, Mode.MOTORCYCLE: 70.0, Mode.BICYCLE: 25.0, Mode.FOOT: 25.0}
"""Nobody is faster; on foot a courier may still take a bus."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertParams:
    """Thresholds of a region; `regions.settings -> 'alerts'` may hold any of them."""

    stuck_after_s: int = 300
    stuck_within_m: float = 50.0
    """No fix farther than this from the middle of the others: noise, not movement."""
    at_stop_m: float = 75.0
    """This close to an open stop a courier is at work, not stuck."""
    silent_after_s: int = 120
    frozen_after_s: int = 120
    off_route_m: float = 150.0
    back_on_route_m: float = 100.0
    off_route_fixes: int = 3
    late_risk_s: int = 0
    """Raised when the p90 of the arrival is later than promised by more than this."""
    late_risk_clear_s: int = 60
    """Ends when the p90 is earlier than promised by this."""
    late_after_s: int = 0
    low_battery_pct: float = 15.0
    battery_ok_pct: float = 20.0
    outside_m: float = 200.0
    outside_fixes: int = 3
    jump_m: float = 2_000.0
    """Shorter impossible jumps are bad reception: GeoLife 001 has six of 0.5 to 1.5 km in 53 days."""
    jump_clear_s: int = 300
    """An impossible jump is over when none came for so long."""

    def __post_init__(self) -> None:
        if not (self.back_on_route_m <= self.off_route_m and self.low_battery_pct <= self.battery_ok_pct):
            raise ValueError("expected back_on_route_m <= off_route_m and low_battery_pct <= battery_ok_pct")
        if min(self.stuck_after_s, self.silent_after_s, self.frozen_after_s, self.off_route_fixes) <= 0:
            raise ValueError("expected thresholds above 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenStop:
    """A stop the courier has not done yet."""

    order_id: OrderId
    kind: StopKind
    at: LatLon
    promised_us: int | None = None
    """Service has to begin by then (microseconds since the epoch); None: nothing was promised."""
    p90_us: int | None = None
    """When the courier will have arrived with a probability of 90 %; None: no estimate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CourierFacts:
    """What alerts need to know of a courier besides the fixes."""

    mode: Mode = Mode.CAR
    on_duty: bool = True
    on_break: bool = False
    stops: tuple[OpenStop, ...] = ()
    """Open stops of the route, in order."""
    line: RouteLine | None = None
    """Where the route leads; None: not known, or no route."""
    since_us: int = 0
    """Since when the courier has had something to do without a break; standing still before that means nothing."""
    region: Area | None = None
    """The region's outline; None: none was given."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether the cause of an alert holds, or has ended. What cannot be told has no verdict."""

    kind: AlertKind
    order_id: OrderId | None = None
    holds: bool
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What was seen; JSON values."""
    expected: Mapping[str, Any] = field(default_factory=dict)
    """What would have been in order."""


AlertKey = tuple[AlertKind, OrderId | None]
"""Tells the alerts of one courier apart."""


def step(vigil: Vigil, fix: AlertFix, facts: CourierFacts, params: AlertParams) -> Vigil:
    """Take one more fix, later than all before it."""
    last, jump = vigil.last, {}
    if last is not None:
        way_m, mps = _leap(last, fix)
        if way_m > params.jump_m and mps > MAX_SPEED_MPS[facts.mode]:
            is_new = vigil.suspect is None or not _is_near(vigil.suspect, fix, facts.mode, params)
            if is_new:
                return vigil._replace(suspect=fix, jump_us=fix.at_us, jump_m=way_m, jump_mps=mps)
            # Two fixes agree: the courier really is there, however that came about.
            jump = {"still": None}
    accuracy_m = min(fix.accuracy_m or 0.0, 50.0)
    still = _still(None if jump else vigil.still, fix, params)
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


def judge(
    vigil: Vigil, facts: CourierFacts, params: AlertParams, *, contact_us: int | None, now_us: int
) -> Iterator[Verdict]:
    """
    Say what holds now and what has ended.

    `contact_us` is when we last heard from the courier's phone, whatever it said; None: never.
    """
    is_quiet = facts.on_break or not facts.on_duty
    yield from _judge_movement(vigil, facts, params, is_quiet=is_quiet)
    yield from _judge_contact(vigil, params, contact_us=contact_us, now_us=now_us, is_quiet=is_quiet)
    yield from _judge_phone(vigil, params, now_us=now_us, is_quiet=is_quiet)
    for stop in facts.stops:
        yield from _judge_promise(stop, params, now_us=now_us)


def decide(
    open_keys: Collection[AlertKey], verdicts: Collection[Verdict], *, stops: Collection[OpenStop]
) -> tuple[list[Verdict], list[Verdict]]:
    """Which alerts to raise and which to resolve, given those that are open for the courier."""
    raised = [v for v in verdicts if v.holds and (v.kind, v.order_id) not in open_keys]
    resolved = [v for v in verdicts if not v.holds and (v.kind, v.order_id) in open_keys]
    carried = {s.order_id for s in stops}
    for kind, order_id in open_keys:
        # The order was delivered, cancelled or given to somebody else.
        if order_id is not None and order_id not in carried:
            resolved.append(Verdict(kind=kind, order_id=order_id, holds=False, facts={"reason": "not on the route"}))
    return raised, resolved


def _judge_movement(vigil: Vigil, facts: CourierFacts, params: AlertParams, *, is_quiet: bool) -> Iterator[Verdict]:
    if vigil.last is not None and vigil.still is not None:
        lat, lon = vigil.still.middle
        still_s = (vigil.last.at_us - vigil.still.first.at_us) // MICROS
        due_s = min(still_s, (vigil.last.at_us - facts.since_us) // MICROS)
        near_m = min((metres(lat, lon, s.at.lat, s.at.lon) for s in facts.stops), default=None)
        is_at_stop = near_m is not None and near_m <= params.at_stop_m
        holds = not is_quiet and near_m is not None and not is_at_stop and due_s >= params.stuck_after_s
        # Without anything to do left (the dispatcher gave it to others) only moving ends it.
        has_moved = vigil.has_moved and still_s < params.stuck_after_s / 2
        if holds or is_quiet or is_at_stop or has_moved:
            yield Verdict(
                kind=AlertKind.STUCK,
                holds=holds,
                facts={
                    "still_s": still_s,
                    "still_since_us": vigil.still.first.at_us,
                    "to_nearest_stop_m": _whole(near_m),
                },
                expected={"moves_within_s": params.stuck_after_s, "or_at_stop_within_m": params.at_stop_m},
            )
    if is_quiet or facts.line is None:
        yield Verdict(kind=AlertKind.OFF_ROUTE, holds=False)
    elif vigil.off_route_n >= params.off_route_fixes or vigil.off_route_n <= -2:
        yield Verdict(
            kind=AlertKind.OFF_ROUTE,
            holds=vigil.off_route_n > 0,
            facts={"off_route_m": _whole(vigil.off_route_m), "fixes": abs(vigil.off_route_n)},
            expected={"off_route_m_at_most": params.off_route_m},
        )
    if facts.region is None:
        yield Verdict(kind=AlertKind.OUTSIDE_REGION, holds=False)
    elif vigil.outside_n <= -2 or (vigil.outside_n >= params.outside_fixes and not is_quiet):
        yield Verdict(
            kind=AlertKind.OUTSIDE_REGION,
            holds=vigil.outside_n > 0,
            facts={"outside_m": _whole(vigil.outside_m)},
            expected={"outside_m_at_most": params.outside_m},
        )


def _judge_contact(
    vigil: Vigil, params: AlertParams, *, contact_us: int | None, now_us: int, is_quiet: bool
) -> Iterator[Verdict]:
    if contact_us is None:
        return
    silent_s = (now_us - contact_us) // MICROS
    is_silent = silent_s > params.silent_after_s
    yield Verdict(
        kind=AlertKind.SILENT,
        holds=is_silent and not is_quiet,
        facts={"silent_s": silent_s, "last_contact_us": contact_us},
        expected={"contact_within_s": params.silent_after_s},
    )
    newest = vigil.suspect or vigil.last
    if newest is not None and not is_silent:
        behind_s = (contact_us - newest.at_us) // MICROS
        yield Verdict(
            kind=AlertKind.FROZEN,
            holds=behind_s > params.frozen_after_s and not is_quiet,
            facts={"fix_age_s": behind_s, "last_fix_us": newest.at_us, "last_contact_us": contact_us},
            expected={"new_fix_within_s": params.frozen_after_s},
        )


def _judge_phone(vigil: Vigil, params: AlertParams, *, now_us: int, is_quiet: bool) -> Iterator[Verdict]:
    battery = vigil.battery_pct
    is_low = battery is not None and battery <= params.low_battery_pct
    if battery is not None and (battery >= params.battery_ok_pct or (is_low and not is_quiet)):
        yield Verdict(
            kind=AlertKind.LOW_BATTERY,
            holds=is_low,
            facts={"battery_pct": battery},
            expected={"battery_pct_above": params.low_battery_pct},
        )
    if vigil.jump_us is None:
        yield Verdict(kind=AlertKind.IMPOSSIBLE_JUMP, holds=False)
        return
    newest_us = max(now_us, vigil.last.at_us if vigil.last else 0)
    is_over = newest_us - vigil.jump_us > params.jump_clear_s * MICROS
    if is_over or not is_quiet:
        yield Verdict(
            kind=AlertKind.IMPOSSIBLE_JUMP,
            holds=not is_over,
            facts={"jump_m": _whole(vigil.jump_m), "speed_mps": _whole(vigil.jump_mps), "at_us": vigil.jump_us},
            expected={"jump_m_at_most": params.jump_m},
        )


def _judge_promise(stop: OpenStop, params: AlertParams, *, now_us: int) -> Iterator[Verdict]:
    if stop.promised_us is None:
        return
    late_s = (now_us - stop.promised_us) // MICROS
    is_late = late_s > params.late_after_s
    yield Verdict(
        kind=AlertKind.LATE,
        order_id=stop.order_id,
        holds=is_late,
        facts={"late_s": late_s, "stop": stop.kind.value},
        expected={"promised_us": stop.promised_us},
    )
    if is_late:
        yield Verdict(kind=AlertKind.LATE_RISK, order_id=stop.order_id, holds=False, facts={"reason": "late"})
    elif stop.p90_us is not None:
        over_s = (stop.p90_us - stop.promised_us) // MICROS
        if over_s > params.late_risk_s or over_s <= -params.late_risk_clear_s:
            yield Verdict(
                kind=AlertKind.LATE_RISK,
                order_id=stop.order_id,
                holds=over_s > params.late_risk_s,
                facts={"p90_after_promise_s": over_s, "p90_us": stop.p90_us, "stop": stop.kind.value},
                expected={"promised_us": stop.promised_us},
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


def _is_near(suspect: AlertFix, fix: AlertFix, mode: Mode, params: AlertParams) -> bool:
    way_m, mps = _leap(suspect, fix)
    return way_m <= params.jump_m or mps <= MAX_SPEED_MPS[mode]


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)
