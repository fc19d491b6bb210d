"""
How far off the times are at which goods are said to be ready, learned by place and time of day; no I/O.

Only couriers who were there before that time saw it: how long they stayed from then on is handling and the error
together. What stays vary by where goods were ready already is handling; the variance beyond that is the error's, of the
region, shrunk to none, of a place, shrunk to the region, and of a place in three hours of the day, shrunk to the place.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import sqrt
from typing import TypeVar

import h3.api.basic_int as h3

from tracking.position import LatLon

K = TypeVar("K", bound=Hashable)

N_REGION_PRIOR, N_PLACE_PRIOR, N_HOUR_PRIOR = 10.0, 8.0, 8.0
"""So many waits make what they say count half."""
LONGEST_S = 1800.0
"""Waits are cut back to this: something else happened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """A stay at a pickup, from when the goods were to be ready, or the courier's arrival if that was later."""

    at: LatLon
    ready_at: datetime
    stay_s: float
    was_early: bool
    """The courier was there before."""
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyErrors:
    """Standard deviations in seconds."""

    usual_s: float = 0.0
    places: Mapping[int, float] = field(default_factory=dict)
    hours: Mapping[tuple[int, int], float] = field(default_factory=dict)
    """By place and three hours of the day."""

    def expect(self, at: LatLon, ready_at: datetime) -> float:
        """Of goods of a place that are said to be ready then; 0 where nothing speaks against the word."""
        cell = _cell(at)
        return self.hours.get((cell, _part(at, ready_at)), self.places.get(cell, self.usual_s))


def learn_ready_errors(waits: Sequence[Wait]) -> ReadyErrors:
    """From waits in any order."""
    early = [wait for wait in waits if wait.was_early]
    late = [(min(wait.stay_s, LONGEST_S), wait.weight) for wait in waits if not wait.was_early]
    if not early or not late:
        return ReadyErrors()
    _, handling_variance = _moments(late)
    stays = [(min(wait.stay_s, LONGEST_S), wait.weight) for wait in early]
    mean_s, _ = _moments(stays)
    beyond = [(weight, (stay_s - mean_s) ** 2 - handling_variance) for stay_s, weight in stays]
    usual = _shrunk([0] * len(early), beyond, {0: 0.0}, N_REGION_PRIOR)[0]
    cells = [_cell(wait.at) for wait in early]
    places = _shrunk(cells, beyond, dict.fromkeys(cells, usual), N_PLACE_PRIOR)
    parts = [(cell, _part(wait.at, wait.ready_at)) for cell, wait in zip(cells, early, strict=True)]
    hours = _shrunk(parts, beyond, {part: places[part[0]] for part in parts}, N_HOUR_PRIOR)
    return ReadyErrors(
        usual_s=_deviation(usual),
        places={cell: _deviation(variance) for cell, variance in places.items()},
        hours={part: _deviation(variance) for part, variance in hours.items()},
    )


def _moments(values: Iterable[tuple[float, float]]) -> tuple[float, float]:
    """Weighted mean and variance."""
    some = list(values)
    total = sum(weight for _, weight in some)
    mean = sum(value * weight for value, weight in some) / total
    return mean, sum(weight * (value - mean) ** 2 for value, weight in some) / total


def _shrunk(
    keys: Sequence[K], values: Sequence[tuple[float, float]], parents: Mapping[K, float], n_prior: float
) -> dict[K, float]:
    """By key the mean of (weight, value), and of so many of its parent's."""
    sums: dict[K, tuple[float, float]] = {}
    for key, (weight, value) in zip(keys, values, strict=True):
        total, count = sums.get(key, (0.0, 0.0))
        sums[key] = (total + weight * value, count + weight)
    return {key: (total + n_prior * parents[key]) / (count + n_prior) for key, (total, count) in sums.items()}


def _deviation(variance: float) -> float:
    return sqrt(max(variance, 0.0))


def _cell(at: LatLon) -> int:
    return int(h3.latlng_to_cell(at.lat, at.lon, 10))


def _part(at: LatLon, when: datetime) -> int:
    """Which three hours of the day, by the sun."""
    return int((when.timestamp() + at.lon * 240.0) % 86_400 // 10_800)
