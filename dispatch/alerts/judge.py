"""
Alerts: what support should look at, from a courier's fixes, route and silence; no I/O.

`vigil` folds a courier's fixes into what they have shown. `judge` says at a moment, for every kind of alert,
whether its cause holds, has ended, or cannot be told (then whatever is open stays open). `decide` compares that with
the alerts that are open and names those to raise and to resolve. Causes are levels, not edges, so a watcher that
restarts, or two at once, come to the same alerts; that no two of a kind are open for a courier and order is held by a
unique index. Every kind has hysteresis: what ends a cause is weaker than what began it, or takes several fixes.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from dispatch.alert_kind import AlertKind
from dispatch.alerts.facts import AlertParams, CourierFacts, OpenStop
from dispatch.alerts.vigil import Vigil
from dispatch.stop import OrderId
from tracking.plane import metres

MICROS = 1_000_000


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
        holds=is_silent and silent_s <= params.silent_at_most_s and not is_quiet,
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


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)
