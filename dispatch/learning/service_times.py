"""
How long couriers stay at stops, learned per kind of stop, place and courier; no I/O.

The log of a stay = usual of its kind + the place's own + the courier's own, each shrunk to zero where stays are few.
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
N_KIND_PRIOR, N_PLACE_PRIOR, N_COURIER_PRIOR = 10.0, 5.0, 10.0
"""So many stays make an effect count half."""
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

    @property
    def log_s(self) -> float:
        """Log of the duration, cut back to SHORTEST_S and LONGEST_S."""
        return log(min(max(self.duration_s, SHORTEST_S), LONGEST_S))


@dataclass(frozen=True, kw_only=True)
class ServiceTimes:
    """What stays usually take."""

    kinds: Mapping[StopKind, float] = field(default_factory=dict)
    """Log of the median, by kind."""
    places: Mapping[tuple[StopKind, int], float] = field(default_factory=dict)
    couriers: Mapping[tuple[StopKind, CourierId], float] = field(default_factory=dict)
    bands: Mapping[StopKind, Band] = field(default_factory=dict)
    counts: Mapping[StopKind, int] = field(default_factory=dict)

    def expect(
        self, kind: StopKind, at: LatLon, courier_id: CourierId | None, *, declared_s: float | None = None
    ) -> tuple[float, Band]:
        """
        Median in seconds and band of a stay; p50 of the band is 0.

        `declared_s` is what the order says; it stands for the kind's median until N_KIND_PRIOR stays were seen.
        """
        usual = self.kinds.get(kind)
        if usual is None:
            usual = log(max(declared_s, 1.0)) if declared_s is not None else log(PRIOR_MEDIAN_S[kind])
        usual += self.places.get((kind, _cell(at)), 0.0)
        if courier_id is not None:
            usual += self.couriers.get((kind, courier_id), 0.0)
        spread = 1.2816 * PRIOR_SPREAD
        return exp(usual), self.bands.get(kind, Band(low=-spread, middle=0.0, high=spread))


def learn_services(stays: Sequence[TrackedService], *, now: datetime) -> ServiceTimes:
    """Effects and bands from stays in any order; a kind seen fewer than N_KIND_PRIOR times is left to its prior."""
    kinds: dict[StopKind, float] = {}
    places: dict[tuple[StopKind, int], float] = {}
    couriers: dict[tuple[StopKind, CourierId], float] = {}
    bands: dict[StopKind, Band] = {}
    counts: dict[StopKind, int] = {}
    for kind in StopKind:
        mine = [stay for stay in stays if stay.kind is kind]
        counts[kind] = len(mine)
        if len(mine) < N_KIND_PRIOR:
            continue
        weights = [0.5 ** (max(0.0, (now - s.began_at).total_seconds()) / 86_400 / HALF_LIFE_DAYS) for s in mine]
        logs = [stay.log_s for stay in mine]
        (kinds[kind],) = weighted_quantiles(np.array(logs), np.array(weights), (0.5,))
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
    return ServiceTimes(kinds=kinds, places=places, couriers=couriers, bands=bands, counts=counts)


def _shrunk(keys: Iterable[K], values: Iterable[float], weights: Iterable[float], *, n_prior: float) -> dict[K, float]:
    sums: dict[K, tuple[float, float]] = {}
    for key, value, weight in zip(keys, values, weights, strict=True):
        total, count = sums.get(key, (0.0, 0.0))
        sums[key] = (total + weight * value, count + weight)
    return {key: total / (count + n_prior) for key, (total, count) in sums.items()}


def _cell(at: LatLon) -> int:
    return int(h3.latlng_to_cell(at.lat, at.lon, 10))
