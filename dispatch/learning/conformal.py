"""
Honest intervals from past errors: what share of predictions missed, and by how much; no I/O.

Split conformal prediction on normalised residuals: a residual is divided by the spread usual at its distance, the
quantiles of these scores carry over to a new leg. Newer errors weigh more, so that intervals follow a city that
changes. A few pseudo-errors of a cautious prior keep the intervals wide while little is known.

Source: J. Lei et al., "Distribution-Free Predictive Inference for Regression", JASA 113 (523), 2018, section 5.2;
R. F. Barber et al., "Conformal Prediction Beyond Exchangeability", Ann. Statist. 51 (2), 2023 (weights by age).
"""

from dataclasses import dataclass, replace
from math import exp, log
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

PRIOR_SPREAD = 0.35
"""Log standard deviation of real / expected before anything was measured: +42 % to -30 %, as one factor per mode has
for cars in Porto."""
N_PRIOR = 15
"""So many pseudo-errors stand for the prior."""
HALF_LIFE_LEGS = 200
"""An error this many legs old counts half."""
NORMAL_P90 = 1.2815515655446004
"""The standard normal's 90 % quantile."""
MOST_NEWEST = 1_000
"""Older errors are not looked at: they count less than 1/32."""

_NORMAL = NormalDist()
_PRIOR_SCORES = np.array(
    [-1.83, -1.28, -0.97, -0.73, -0.52, -0.34, -0.17, 0.0, 0.17, 0.34, 0.52, 0.73, 0.97, 1.28, 1.83]
)
"""Fifteen equally likely values of a standard normal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """The 10 %, 50 % and 90 % quantiles of log(real / expected) of one leg."""

    low: float
    middle: float
    high: float

    def __post_init__(self) -> None:
        if not self.low <= self.middle <= self.high:
            raise ValueError("expected low <= middle <= high")

    def at(self, z: Floats) -> Floats:
        """
        Log factors at standard normal scores `z`: a two-piece normal through the three quantiles.

        Increasing in z; at(0) = middle, at(±NORMAL_P90) = high and low.
        """
        slope = np.where(z < 0, self.middle - self.low, self.high - self.middle) / NORMAL_P90
        result: Floats = self.middle + slope * z
        return result

    def mean(self) -> float:
        """Mean of the factor itself: of a two-piece log-normal."""
        above, below = (self.high - self.middle) / NORMAL_P90, (self.middle - self.low) / NORMAL_P90
        upper = exp(above * above / 2) * _NORMAL.cdf(above)
        return exp(self.middle) * (upper + exp(below * below / 2) * _NORMAL.cdf(-below))


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How far off predictions were, by distance."""

    level: float = log(PRIOR_SPREAD)
    """Log of the usual spread of a leg of 1 km."""
    slope: float = -0.15
    """What that changes by per e-fold of distance: longer legs even out."""
    low_score: float = -NORMAL_P90
    middle_score: float = 0.0
    high_score: float = NORMAL_P90
    """The 10 %, 50 % and 90 % quantiles of the scores: residual / spread."""
    n_errors: int = 0

    def spread(self, distance_m: Floats) -> Floats:
        """Usual size of a residual at these distances."""
        result: Floats = np.exp(self.level + self.slope * log_km(distance_m))
        return result

    def band(self, distance_m: float) -> Band:
        """What to expect of a leg this long, relative to its prediction."""
        spread = float(self.spread(np.array(distance_m)))
        return Band(low=self.low_score * spread, middle=self.middle_score * spread, high=self.high_score * spread)

    def with_middle_times(self, factor: float) -> "Calibration":
        """The same widths around a middle that lies so much nearer to zero."""
        shift = (factor - 1.0) * self.middle_score
        return replace(
            self,
            low_score=self.low_score + shift,
            middle_score=self.middle_score + shift,
            high_score=self.high_score + shift,
        )


def log_km(distance_m: Floats) -> Floats:
    """Log of kilometres; below 100 m and above 30 km errors are as at these."""
    result: Floats = np.log(np.clip(distance_m, 100.0, 30_000.0) / 1000.0)
    return result


def calibrate(residuals: Floats, distances_m: Floats) -> Calibration:
    """
    Learn from errors: log(real / predicted) of legs, the newest last, and how long they were.

    Non-finite errors are left out. Without any, the prior's calibration.
    """
    usable = np.isfinite(residuals) & np.isfinite(distances_m)
    residuals, distances_m = residuals[usable][-MOST_NEWEST:], distances_m[usable][-MOST_NEWEST:]
    n = len(residuals)
    prior = Calibration()
    if not n:
        return prior
    age = np.arange(n - 1, -1, -1)
    weight = 0.5 ** (age / HALF_LIFE_LEGS)
    level, slope = _spread_by_distance(np.abs(residuals), log_km(distances_m), weight)
    scores = residuals / np.exp(level + slope * log_km(distances_m))
    # The prior's scores, on the scale of its own spread.
    prior_scores = _PRIOR_SCORES * PRIOR_SPREAD / np.exp(level)
    everything = np.concatenate([scores, prior_scores])
    weights = np.concatenate([weight, np.full(N_PRIOR, _prior_weight(weight.sum()))])
    # Of n errors the next one is as likely in any of the n + 1 gaps between them.
    beyond = min(0.9 * (1.0 + 1.0 / weight.sum()) - 0.5, 0.48)
    p10, p50, p90 = weighted_quantiles(everything, weights, (0.5 - beyond, 0.5, 0.5 + beyond))
    return Calibration(level=level, slope=slope, low_score=p10, middle_score=p50, high_score=p90, n_errors=n)


def _prior_weight(evidence: float) -> float:
    """The prior counts whole against few errors and fades when it makes up under a tenth."""
    return min(1.0, N_PRIOR * 10.0 / (evidence + 1.0)) if evidence > N_PRIOR * 10.0 else 1.0


def _spread_by_distance(sizes: Floats, log_kms: Floats, weight: Floats) -> tuple[float, float]:
    """Level and slope of the log size of errors against log distance, shrunk to the prior's."""
    prior = Calibration()
    # E[log|z|] of a standard normal is -0.635: so much lies log size below log spread.
    target = np.log(np.maximum(sizes, 1e-3)) + 0.635
    ridge = 10.0
    basis = np.stack([np.ones_like(log_kms), log_kms], axis=1)
    gram = (basis * weight[:, None]).T @ basis + ridge * np.eye(2)
    right = (basis * weight[:, None]).T @ target + ridge * np.array([prior.level, prior.slope])
    level, slope = np.linalg.solve(gram, right)
    return float(level), float(np.clip(slope, -0.8, 0.5))


def weighted_quantiles(values: Floats, weights: Floats, levels: tuple[float, ...]) -> tuple[float, ...]:
    """Quantiles of a weighted sample by the inverted distribution, interpolated at mid-ranks; weights > 0."""
    order = np.argsort(values, kind="stable")
    cumulative = np.cumsum(weights[order])
    ranks = (cumulative - weights[order] / 2) / cumulative[-1]
    return tuple(float(q) for q in np.interp(levels, ranks, values[order]))
