"""
Steady arrivals: small changes are not shown, larger ones are approached, a later arrival names its cause; no I/O.

An ETA that jumps back and forth is not believed, one that creeps later in silence is a lie. `settle` stands between
what `dispatch.arrivals.eta` finds and what people are told.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import exp

from dispatch.arrivals.eta import Eta, Note

HOLD_S = 20.0
"""A change of p50 this small is not shown: couriers, lights and GPS jitter."""
SETTLE_S = 45.0
"""Time constant with which a larger change is approached."""
REMEMBERED_S = 300.0
"""So long after p50 moved later its cause stays among the warnings: some ask once in a few minutes only."""

CAUSES = frozenset(
    {
        Note.ROUTE_CHANGED,
        Note.NOT_ASSIGNED,
        Note.NOT_FOLLOWED,
        Note.NO_POSITION,
        Note.STALE_POSITION,
        Note.SERVICE_OVERRUN,
        Note.STANDING_STILL,
        Note.OFF_ROUTE,
        Note.WINDOW_CHANGED,
        Note.ON_BREAK,
        Note.TIMES_CHANGED,
        Note.SLOWER_THAN_EXPECTED,
    }
)
"""Of a p50 that moved later, at least one of these is among the warnings."""
AT_ONCE = frozenset({Note.ROUTE_CHANGED, Note.WINDOW_CHANGED, Note.ON_BREAK})
"""With such a cause the old ETA answered another question: the new one is taken over at once."""


def settle(said: Sequence[Eta], found: Sequence[Eta], cause: Note | None = None) -> tuple[Eta, ...]:
    """
    What to say now, given what was said before and what is found now; `cause`: what is known to have changed.

    A stop of which nothing was said takes the new ETA as it is. Else p50 stays where it is for changes up to HOLD_S and
    approaches the new value otherwise, by at most max(elapsed, (1 - exp(-elapsed / SETTLE_S)) x gap), never past it; a
    changed route or window is another question and is answered at once. A p50 that moves later carries a cause among
    its warnings. No stop is earlier than the one before it.
    """
    known = {eta.stop: eta for eta in said}
    result: list[Eta] = []
    for eta in found:
        before = known.get(eta.stop)
        settled = eta if before is None else _approach(before, eta, at_once=cause in AT_ONCE)
        if result and settled.p50 < result[-1].p50:
            settled = _ordered(settled, p10=max(settled.p10, result[-1].p10), p50=result[-1].p50, p90=settled.p90)
        result.append(settled if before is None else _with_cause(before, settled, cause))
    return tuple(result)


def hold(said: Sequence[Eta], found: Sequence[Eta]) -> tuple[Eta, ...]:
    """
    What is found, but nothing later than was said: nothing is known that would explain it.

    Only p90 takes it in, until there is a cause, or the time that was said has come.
    """
    known = {eta.stop: eta for eta in said}
    result = []
    for eta in found:
        before = known.get(eta.stop)
        if before is None or eta.p50 <= before.p50 or CAUSES & set(eta.warnings) or eta.p90 <= eta.computed_at:
            result.append(eta)
        else:
            result.append(_ordered(eta, p10=eta.p10, p50=max(before.p50, eta.computed_at), p90=eta.p90))
    return tuple(result)


def _with_cause(before: Eta, now: Eta, cause: Note | None) -> Eta:
    """The cause of a later p50 among its warnings, now and for a while."""
    if now.p50 > before.p50:
        named = next((note for note in now.warnings if note in CAUSES), None)
        by = cause or named or Note.SLOWER_THAN_EXPECTED
        now = replace(now, later_at=now.computed_at, later_by=by)
    elif before.later_at is not None and now.computed_at - before.later_at <= REMEMBERED_S:
        now = replace(now, later_at=before.later_at, later_by=before.later_by)
    if now.later_by is None or now.later_by in now.warnings:
        return now
    return replace(now, warnings=(*now.warnings, now.later_by))


def _approach(said: Eta, found: Eta, *, at_once: bool) -> Eta:
    elapsed_s = found.computed_at - said.computed_at
    happened = found.p90 <= found.computed_at
    if at_once or happened or elapsed_s < 0:
        return found

    def towards(old: float, new: float) -> float:
        gap = abs(new - old)
        if gap <= HOLD_S:
            return max(old, found.computed_at)
        step = min(gap, max(elapsed_s, gap * (1 - exp(-elapsed_s / SETTLE_S))))
        return max(old + (step if new > old else -step), found.computed_at)

    return _ordered(
        found, p10=towards(said.p10, found.p10), p50=towards(said.p50, found.p50), p90=towards(said.p90, found.p90)
    )


def _ordered(eta: Eta, *, p10: float, p50: float, p90: float) -> Eta:
    return replace(eta, p10=min(p10, p50), p50=p50, p90=max(p90, p50))
