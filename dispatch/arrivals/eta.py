"""
When a courier arrives at each stop of the route, and how sure that is; no I/O.

    remaining leg ─▶ [wait for the window] ─▶ service ─▶ next leg ─▶ …

Every leg and every service is a median with a band of quantiles. `foresee` plays the whole route through in N_SCENARIOS
equally likely ways and reads p50 and p90 off the arrivals, so that waiting for a window, which swallows delay, is
counted right. What is said to people goes through `dispatch.arrivals.steady` first.

Instants are seconds since the Unix epoch.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import log
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from dispatch.learning.conformal import NORMAL_P90, Band
from dispatch.stop import PlannedStop
from tracking.position import LatLon

Floats = npt.NDArray[np.float64]

N_SCENARIOS = 64
"""Ways to play a route through: p90 lies between the 58th and 59th; a route of 16 stops takes under 0.5 ms."""
N_COLUMNS = 128
"""Columns of random numbers: two a stop, used again from the 64th stop on."""
PACE_CORRELATION = 0.3
"""Of the legs of one courier: the same traffic, weather and legs. Assumed; the benchmark's coverage shows it."""
WITHIN_S = 300.0
"""`confidence` is the probability of arriving this near to p50."""
STALE_AFTER_S = 60.0
"""An older position is said to be stale: twelve missed fixes at one every 5 s."""
STALE_HALF_LIFE_S = 300.0
"""Confidence halves for each such time that a position is staler than STALE_AFTER_S."""

FARTHEST_SCORE = 3.5
"""Beyond this many standard deviations a service is out of every experience."""


class Note(StrEnum):
    """What a reader of an ETA must know."""

    NO_POSITION = "no_position"
    STALE_POSITION = "stale_position"
    FALLBACK_USED = "fallback_used"
    """No routing engine answered for a leg before this stop: learned or default speeds stand in."""
    WINDOW_AT_RISK = "window_at_risk"
    """p90 lies after what was promised."""
    WINDOW_MISSED = "window_missed"
    """p50 lies after what was promised."""
    NOT_ASSIGNED = "not_assigned"
    """Nobody carries the order yet."""
    NOT_FOLLOWED = "not_followed"
    """Nobody keeps arrivals up to date, or did until a moment ago: computed when asked, without an engine."""

    # why an arrival moved later
    ROUTE_CHANGED = "route_changed"
    SERVICE_OVERRUN = "service_overrun"
    """The stay at a stop lasts longer than usual."""
    STANDING_STILL = "standing_still"
    OFF_ROUTE = "off_route"
    WINDOW_CHANGED = "window_changed"
    ON_BREAK = "on_break"
    """The courier rests, or will before this stop."""
    TIMES_CHANGED = "travel_times_changed"
    """An engine came or went, or something new was learned."""
    SLOWER_THAN_EXPECTED = "slower_than_expected"
    """The courier has been measured to be behind on the way."""


FALLBACKS = ("learned", "default")
"""Sources that stand in for an engine, the better one first."""
RECORDED = "recorded"
"""Source of an arrival that has happened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A duration to come: median, band of log(real / median), and where it comes from."""

    p50_s: float
    band: Band
    source: str

    def __post_init__(self) -> None:
        if self.p50_s < 0:
            raise ValueError("expected p50_s >= 0")

    def scenarios(self, z: Floats) -> Floats:
        """Durations at standard normal scores."""
        result: Floats = self.p50_s * np.exp(self.band.at(z))
        return result


@dataclass(frozen=True, slots=True, kw_only=True)
class StopAhead:
    """A stop to come, the way to it and the stay at it."""

    stop: PlannedStop
    at: LatLon
    leg: Span
    """From the stop before; of the first stop: from where the courier is."""
    service: Span
    opens_at: float = 0.0
    """Service does not start earlier ..."""
    opens_error_s: float = 0.0
    """... give or take this, one standard deviation."""
    promised_at: float | None = None
    """Later than this is late."""
    break_at: float = 0.0
    """A break before the leg begins no sooner."""
    break_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """A route in progress."""

    stops: tuple[StopAhead, ...]
    fixed_at: float | None
    """When the courier was where the first leg starts; None: no position is known."""
    arrived_at: float | None = None
    """When the courier came to the first stop; None: still on the way to it."""
    rests_until: float | None = None
    """The courier is on a break that is meant to end then; once that has passed, it may end at any moment."""
    leaves_at: float | None = None
    """The courier will not be sent earlier; None: has been."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Eta:
    """A predicted arrival."""

    stop: PlannedStop
    p10: float
    p50: float
    p90: float
    computed_at: float
    source: str
    """The weakest source of the legs before this stop."""
    confidence: float
    """Probability of arriving within WITHIN_S of p50, lowered while the position is stale; 0 to 1."""
    warnings: tuple[Note, ...] = ()
    later_at: float | None = None
    """When p50 last moved later ..."""
    later_by: Note | None = None
    """... and why: stays among the warnings for a while, for those who do not look all the time."""

    def __post_init__(self) -> None:
        if not self.p10 <= self.p50 <= self.p90:
            raise ValueError("expected p10 <= p50 <= p90")


def _scores() -> Floats:
    """
    Standard normal scores, shape (N_SCENARIOS, N_COLUMNS): a Latin hypercube.

    Each column holds the same evenly spread quantiles, so that the quantiles of one leg are met exactly. Even columns
    are for legs and correlated by PACE_CORRELATION, odd ones for services.
    """
    rng = np.random.default_rng(20260302)
    even = np.array([NormalDist().inv_cdf((i + 0.5) / N_SCENARIOS) for i in range(N_SCENARIOS)])
    raw = rng.standard_normal((N_SCENARIOS, N_COLUMNS))
    common = rng.permutation(even)
    raw[:, ::2] = np.sqrt(PACE_CORRELATION) * common[:, None] + np.sqrt(1 - PACE_CORRELATION) * raw[:, ::2]
    ranks = raw.argsort(axis=0).argsort(axis=0)
    result: Floats = even[ranks]
    return result


SCORES = _scores()
_NORMAL = NormalDist()


def foresee(
    journey: Journey,
    *,
    now: float,
    engine_expected: bool = True,
    widen: Callable[[Sequence[Eta]], Sequence[Eta]] | None = None,
) -> tuple[Eta, ...]:
    """
    Arrivals at all stops to come, as of `now`.

    p10 <= p50 <= p90; no stop is earlier than the one before it; nothing is earlier than `now` but an arrival that has
    happened; and time that passes without progress never makes an arrival earlier.
    `engine_expected`: falling back to learned or default times is worth a warning. `widen`: gives them intervals that
    have proved to hold.
    """
    age_s = now - journey.fixed_at if journey.fixed_at is not None else 0.0
    stale_s = max(0.0, age_s - STALE_AFTER_S)
    left_at = now if journey.fixed_at is None else min(journey.fixed_at, now)
    free_at: Floats = np.full(N_SCENARIOS, left_at if journey.leaves_at is None else max(left_at, journey.leaves_at))
    rested_at = now if journey.rests_until is None else max(journey.rests_until, now)
    if journey.rests_until is not None:
        free_at = np.maximum(free_at, rested_at)
    arrival, happened_at = free_at, journey.arrived_at
    before: StopAhead | None = None
    sources: list[str] = []
    result: list[Eta] = []
    for number, stop in enumerate(journey.stops):
        z_leg, z_service = SCORES[:, 2 * number % N_COLUMNS], SCORES[:, (2 * number + 1) % N_COLUMNS]
        same_stay = before is not None and before.at == stop.at and before.stop.kind == stop.stop.kind
        if before is None and happened_at is not None:
            arrival = np.full(N_SCENARIOS, happened_at)
        elif not same_stay:
            if stop.break_s:
                free_at = np.maximum(free_at, stop.break_at) + stop.break_s
            # nobody knows what a silent courier does: the late half of the scenarios gets later
            unseen_s = 0.5 * stale_s * np.maximum(z_leg, 0.0) / NORMAL_P90 if before is None else 0.0
            arrival = np.maximum(free_at + stop.leg.scenarios(z_leg) + unseen_s, now)
            happened_at = None
            sources.append(stop.leg.source)
        # uncorrelated with what is left of the legs and stays of a route that is not very long
        z_ready = SCORES[:, (2 * number + 1 + N_COLUMNS // 2) % N_COLUMNS]
        opens_at = stop.opens_at + stop.opens_error_s * z_ready
        starts_at = np.maximum(arrival, opens_at)
        # of a stay that goes on, it is known that it is not over yet
        elapsed_s = 0.0 if happened_at is None else now - max(happened_at, stop.opens_at)
        ends_at = np.maximum(starts_at + _longer_than(elapsed_s, stop.service, z_service), rested_at)
        free_at = np.maximum(free_at, ends_at) if same_stay else ends_at
        before = stop
        result.append(_read_off(stop, arrival, sources, now=now, stale_s=stale_s))
    found = result if widen is None else widen(result)
    notes = [Note.NO_POSITION] if journey.fixed_at is None else []
    notes += [Note.STALE_POSITION] if stale_s > 0 else []
    return tuple(
        replace(eta, warnings=(*notes, *_notes(eta, stop, engine_expected)))
        for eta, stop in zip(found, journey.stops, strict=True)
    )


def _read_off(stop: StopAhead, arrival: Floats, sources: Sequence[str], *, now: float, stale_s: float) -> Eta:
    p10, p50, p90 = quantiles(arrival)
    sure = float(np.mean(np.abs(arrival - p50) <= WITHIN_S))
    return Eta(
        stop=stop.stop,
        p10=p10,
        p50=p50,
        p90=p90,
        computed_at=now,
        source=weakest(sources),
        confidence=round(sure * 0.5 ** (stale_s / STALE_HALF_LIFE_S), 3),
    )


def quantiles(arrival: Floats) -> tuple[float, float, float]:
    """p10, p50 and p90 of the scenarios, as np.quantile has them, at a tenth of its overhead."""
    ordered = np.sort(arrival).tolist()
    found = []
    for level in (0.1, 0.5, 0.9):
        place = level * (len(ordered) - 1)
        low = int(place)
        found.append(ordered[low] + (place - low) * (ordered[low + 1] - ordered[low]))
    return found[0], found[1], found[2]


def _notes(eta: Eta, stop: StopAhead, engine_expected: bool) -> list[Note]:
    notes = [Note.FALLBACK_USED] if engine_expected and eta.source in FALLBACKS else []
    if stop.promised_at is not None and eta.p50 > stop.promised_at:
        notes.append(Note.WINDOW_MISSED)
    elif stop.promised_at is not None and eta.p90 > stop.promised_at:
        notes.append(Note.WINDOW_AT_RISK)
    return notes


def weakest(sources: Sequence[str]) -> str:
    """The weakest of some sources; `recorded` when there are none: the arrival has happened."""
    for source in reversed(FALLBACKS):
        if source in sources:
            return source
    return sources[0] if sources else RECORDED


def _longer_than(elapsed_s: float, service: Span, z: Floats) -> Floats:
    """
    Durations of a service of which it is known that it has lasted for `elapsed_s` already.

    The scores are squeezed into the part of the distribution that is still possible: a service that has lasted long for
    its kind is a long one, and its end moves later the longer it lasts.
    """
    if elapsed_s <= 0 or service.p50_s <= 0:
        return service.scenarios(z)
    log_ratio = log(elapsed_s / service.p50_s)
    slope = max((service.band.high if log_ratio > 0 else -service.band.low) / NORMAL_P90, 1e-3)
    floor = min(log_ratio / slope, FARTHEST_SCORE)
    passed = _NORMAL.cdf(floor)
    squeezed = np.array(
        [_NORMAL.inv_cdf(min(passed + (1.0 - passed) * _NORMAL.cdf(float(score)), 1 - 1e-6)) for score in z]
    )
    if floor < FARTHEST_SCORE:
        return service.scenarios(squeezed)
    # Longer than anything believable: what is left stays in proportion to what has passed.
    result: Floats = elapsed_s * np.exp(slope * (squeezed - floor))
    return result
