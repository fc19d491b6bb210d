"""
How long couriers stay at stops, learned per kind of stop, place and courier; no I/O.

The log of a stay = usual of its kind + how far the order declares more or less than orders do + the place's own + the
courier's own, each shrunk where stays are few: the usual to what orders declare, the others to zero. What a declared
time is worth is learned too, and counts whole until then: twice as much declared takes twice as long.
A place is an H3 cell of resolution 10 (about 130 m across): a restaurant, a block of flats.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import exp, log
from typing import TypeVar

import h3.api.basic_int as h3
import numpy as np

from dispatch.learning.conformal import Band, weighted_quantiles
from dispatch.learning.ready_errors import ReadyErrors, Wait, learn_ready_errors
from dispatch.orders.order import DEFAULT_SERVICE_S
from dispatch.stop import StopKind
from tracking.position import CourierId, LatLon

K = TypeVar("K")

SHORTEST_S = 5.0
LONGEST_S = 3600.0
"""Stays are cut back to these: a forgotten button, or lunch."""
PRIOR_MEDIAN_S: Mapping[StopKind, float] = {StopKind.PICKUP: 240.0, StopKind.DROPOFF: 180.0}
"""Grubhub's published rule is 4 min for either (Reyes et al. 2018, section 5); doors without a wait for the kitchen are
quicker."""
PRIOR_SPREAD = 0.6
"""Log standard deviation of stays where nothing is known."""
N_KIND_PRIOR, N_PLACE_PRIOR, N_COURIER_PRIOR = 5.0, 5.0, 10.0
"""So many stays make an effect count half."""
WORTH_PRIOR = PRIOR_SPREAD**2 / 0.5**2
"""Weight of the belief that a declared time is worth what it says: 1, give or take a half."""
MOST_WORTH = 1.2
MOST_MEAN = 1.5
"""Of the median, a mean: beyond that a few forgotten buttons speak."""
HALF_LIFE_DAYS = 21.0
_NORMAL_SCORES = np.array([-1.645, -1.036, -0.674, -0.385, -0.126, 0.126, 0.385, 0.674, 1.036, 1.645])
"""Ten equally likely values of a standard normal: pseudo-errors of the prior."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedService:
    """A stay at a stop, from arrival (or the opening of the window) to done."""

    courier_id: CourierId
    kind: StopKind
    at: LatLon
    began_at: datetime
    duration_s: float
    """Real, >= 0."""
    declared_s: float | None = None
    """What the order said; None: it is not known any more."""
    ready_at: datetime | None = None
    """When the goods were to be ready, where that was what the stay waited for, if for anything."""
    was_early: bool = False
    """The courier was there before."""

    @property
    def log_s(self) -> float:
        """Log of the duration, cut back to SHORTEST_S and LONGEST_S."""
        return log(min(max(self.duration_s, SHORTEST_S), LONGEST_S))


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What declared service times of a kind are, and what they are worth."""

    log_usual: float = log(DEFAULT_SERVICE_S)
    """Mean of their logs: what the usual stay goes with."""
    worth: float = 1.0
    """By how much the log of a stay changes with the log of what is declared."""


@dataclass(frozen=True, kw_only=True)
class ServiceTimes:
    """What stays usually take."""

    kinds: Mapping[StopKind, float] = field(default_factory=dict)
    """Log of the median where as much is declared as usual, by kind."""
    declared: Mapping[StopKind, Declared] = field(default_factory=dict)
    places: Mapping[tuple[StopKind, int], float] = field(default_factory=dict)
    couriers: Mapping[tuple[StopKind, CourierId], float] = field(default_factory=dict)
    bands: Mapping[StopKind, Band] = field(default_factory=dict)
    counts: Mapping[StopKind, int] = field(default_factory=dict)
    ready: ReadyErrors = field(default_factory=ReadyErrors)
    """How far off ready times are."""

    def expect(
        self, kind: StopKind, at: LatLon, courier_id: CourierId | None, *, declared_s: float | None = None
    ) -> tuple[float, Band]:
        """
        Median in seconds and band of a stay; p50 of the band is 0.

        `declared_s` is what the order says. Where no stay was seen it is all there is; else it makes a stay longer or
        shorter than usual by what declared times have proved to be worth.
        """
        usual = self.kinds.get(kind)
        if usual is None:
            usual = log(max(declared_s, 1.0)) if declared_s is not None else log(PRIOR_MEDIAN_S[kind])
        elif declared_s is not None:
            known = self.declared.get(kind, Declared())
            usual += known.worth * (log(max(declared_s, SHORTEST_S)) - known.log_usual)
        usual += self.places.get((kind, _cell(at)), 0.0)
        if courier_id is not None:
            usual += self.couriers.get((kind, courier_id), 0.0)
        spread = 1.2816 * PRIOR_SPREAD
        return exp(usual), self.bands.get(kind, Band(low=-spread, middle=0.0, high=spread))

    def mean_s(
        self, kind: StopKind, at: LatLon, courier_id: CourierId | None, *, declared_s: float | None = None
    ) -> float:
        """
        Mean of a stay in seconds, for a plan that adds up stays and legs; where none was seen, what is declared.

        Some stays are very long: what is told of the stops after them, the median of all that may come, lies near the
        sum of the means, and later than that of the medians.
        """
        p50_s, band = self.expect(kind, at, courier_id, declared_s=declared_s)
        return p50_s * min(band.mean(), MOST_MEAN) if kind in self.bands else p50_s


def learn_services(stays: Sequence[TrackedService], *, now: datetime) -> ServiceTimes:
    """Effects and bands from stays in any order."""
    kinds: dict[StopKind, float] = {}
    declared: dict[StopKind, Declared] = {}
    places: dict[tuple[StopKind, int], float] = {}
    couriers: dict[tuple[StopKind, CourierId], float] = {}
    bands: dict[StopKind, Band] = {}
    counts: dict[StopKind, int] = {}
    for kind in StopKind:
        mine = [stay for stay in stays if stay.kind is kind]
        counts[kind] = len(mine)
        if not mine:
            continue
        weights = [_weight(stay, now) for stay in mine]
        declared[kind] = _worth_of_declared(mine, weights)
        logs = [_beside_declared(stay, declared[kind]) for stay in mine]
        (seen,) = weighted_quantiles(np.array(logs), np.array(weights), (0.5,))
        prior = log(PRIOR_MEDIAN_S[kind]) if all(s.declared_s is None for s in mine) else declared[kind].log_usual
        kinds[kind] = (sum(weights) * seen + N_KIND_PRIOR * prior) / (sum(weights) + N_KIND_PRIOR)
        cells = [_cell(stay.at) for stay in mine]
        left = [value - kinds[kind] for value in logs]
        by_place = _shrunk(cells, left, weights, n_prior=N_PLACE_PRIOR)
        left = [value - by_place[cell] for value, cell in zip(left, cells, strict=True)]
        by_courier = _shrunk([stay.courier_id for stay in mine], left, weights, n_prior=N_COURIER_PRIOR)
        left = [value - by_courier[stay.courier_id] for value, stay in zip(left, mine, strict=True)]
        places |= {(kind, cell): effect for cell, effect in by_place.items()}
        couriers |= {(kind, courier_id): effect for courier_id, effect in by_courier.items()}
        p10, p50, p90 = weighted_quantiles(
            np.concatenate([np.array(left), PRIOR_SPREAD * _NORMAL_SCORES]),
            np.concatenate([np.array(weights), np.ones(len(_NORMAL_SCORES))]),
            (0.1, 0.5, 0.9),
        )
        kinds[kind] += p50
        bands[kind] = Band(low=p10 - p50, middle=0.0, high=p90 - p50)
    ready = learn_ready_errors([_wait(stay, now) for stay in stays if stay.ready_at is not None])
    return ServiceTimes(
        kinds=kinds, declared=declared, places=places, couriers=couriers, bands=bands, counts=counts, ready=ready
    )


def _weight(stay: TrackedService, now: datetime) -> float:
    return float(0.5 ** (max(0.0, (now - stay.began_at).total_seconds()) / 86_400 / HALF_LIFE_DAYS))


def _wait(stay: TrackedService, now: datetime) -> Wait:
    assert stay.ready_at is not None
    return Wait(
        at=stay.at,
        ready_at=stay.ready_at,
        stay_s=stay.duration_s,
        was_early=stay.was_early,
        weight=_weight(stay, now),
    )


def _worth_of_declared(stays: Sequence[TrackedService], weights: Sequence[float]) -> Declared:
    """A straight line through the logs of real over declared, its slope held to 1 by WORTH_PRIOR."""
    known = [
        (log(max(stay.declared_s, SHORTEST_S)), stay.log_s, weight)
        for stay, weight in zip(stays, weights, strict=True)
        if stay.declared_s is not None
    ]
    if not known:
        return Declared()
    said, real, weight = np.array(known).T
    usual = float(np.average(said, weights=weight))
    said, real = said - usual, real - np.average(real, weights=weight)
    slope = float(((weight * said) @ real + WORTH_PRIOR) / ((weight * said) @ said + WORTH_PRIOR))
    return Declared(log_usual=usual, worth=min(max(slope, 0.0), MOST_WORTH))


def _beside_declared(stay: TrackedService, declared: Declared) -> float:
    """The log of a stay as it would be if the order declared what orders usually do."""
    if stay.declared_s is None:
        return stay.log_s
    return stay.log_s - declared.worth * (log(max(stay.declared_s, SHORTEST_S)) - declared.log_usual)


def _shrunk(keys: Iterable[K], values: Iterable[float], weights: Iterable[float], *, n_prior: float) -> dict[K, float]:
    sums: dict[K, tuple[float, float]] = {}
    for key, value, weight in zip(keys, values, weights, strict=True):
        total, count = sums.get(key, (0.0, 0.0))
        sums[key] = (total + weight * value, count + weight)
    return {key: total / (count + n_prior) for key, (total, count) in sums.items()}


def _cell(at: LatLon) -> int:
    return int(h3.latlng_to_cell(at.lat, at.lon, 10))
