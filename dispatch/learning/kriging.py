"""
Kriging of travel-time factors between places: what past legs tell about a leg that nobody drove yet; no I/O.

A leg's log factor (actual time / base time) is modelled as a Gaussian process: a smooth function of distance and
direction, plus effects of the hour, of the origin, of the destination, and of the pair, each shrunk towards zero where
legs are few. The correlation of two places falls with their distance on the scale of an H3 cell: resolution 9 (about
350 m across) and resolution 8 (about 930 m), so that a cell without history borrows from its neighbours, then from its
region, then from the default of its mode.

Every kernel is a product of an origin part, a destination part and an hour part, so a whole matrix of n x m places
costs two thin kernel matrices and one matrix product, not n x m kernel rows.

Source: C. E. Rasmussen, C. K. I. Williams, "Gaussian Processes for Machine Learning", MIT Press 2006,
sections 2.2 and 2.7.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tracking.geo import EARTH_RADIUS_M

Floats = npt.NDArray[np.float64]

CELL_9_M = 350.0
"""Width across the flats of an H3 cell of resolution 9 (average edge 200.8 m; source: h3geo.org, cell statistics)."""
CELL_8_M = 920.0
"""The same at resolution 8 (average edge 531.4 m)."""
HOUR_SCALE = 0.6
"""Length scale of the daily rhythm, in the units of 2 sin(pi h / 24): legs 2.3 h apart are correlated by 0.6."""
DAY_TYPES_ALIKE = 0.6
"""Correlation of a weekday's hour with the same hour of a weekend."""

TERMS = ("hour", "origin", "destination", "pair_8", "pair_9", "origin_hour", "destination_hour", "both_ways_8")
PRIOR_VARIANCES = np.array([0.004, 0.015, 0.015, 0.02, 0.02, 0.003, 0.003, 0.01, 0.02])
"""Of the log factor, by term, the last one of a single leg's noise; where the search of `variances` starts.
Of the order that road-engine times in Porto show; with enough legs the data decide."""
PRIOR_COEFFICIENT_SD = np.array([0.5, 0.25, 0.1, 0.08, 0.08, 0.08, 0.08])
"""Spread of what is believed before any leg: level, slope and bend in log distance, four harmonics of direction."""
SHORT_LEG_M = 300.0
"""Near and below this, crossings and one-way streets make legs noisier: noise variance x (1 + this / distance)."""
LARGEST_VARIANCES = PRIOR_VARIANCES * np.array([5, 20, 20, 20, 20, 5, 5, 20, 20])
"""Legs of few hours cannot tell the rhythm of the day from the level; the rhythm must not swallow it."""
NOVELTY_POWER = 0.25
"""Of the ratio of variances; 0.5 would be that of the spreads. Likelihood finds more in places than there is: with 0.5
intervals of places nobody went to hold 91 to 97 % in a simulated city, with 0 (all legs alike) 55 to 74."""
N_SEARCH = 600
"""Legs that the search for variances looks at; its cost grows with the cube."""
N_EVERYWHERE = 200
"""Past legs whose places stand for everywhere."""
N_FEWEST = 40
"""With fewer legs the prior variances stay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Points, as columns: degrees, equal lengths."""

    lat: Floats
    lon: Floats

    def __len__(self) -> int:
        return len(self.lat)


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    """Metres east and north of a reference point; good to 0.1 % within a city."""

    lat: float
    lon: float

    def xy_m(self, places: Places) -> Floats:
        """Shape (n, 2)."""
        east = (places.lon - self.lon + 180.0) % 360.0 - 180.0
        return np.stack(
            [
                np.radians(east) * EARTH_RADIUS_M * np.cos(np.radians(self.lat)),
                np.radians(places.lat - self.lat) * EARTH_RADIUS_M,
            ],
            axis=1,
        )


def closeness_hour(a: Floats, b: Floats) -> Floats:
    """Correlation of hours of the week (0 <= h < 168, Monday 0:00 first), shape (len(a), len(b))."""
    angle = np.pi * (a[:, None] - b[None, :]) / 24.0
    rhythm = np.exp(-2.0 * (np.sin(angle) / HOUR_SCALE) ** 2)
    alike = (a[:, None] >= 120.0) == (b[None, :] >= 120.0)
    return np.where(alike, rhythm, DAY_TYPES_ALIKE * rhythm)


def apart_m(a: Floats, b: Floats) -> Floats:
    """Distances between two sets of projected points, shape (len(a), len(b))."""
    square = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None, :] - 2.0 * (a @ b.T)
    result: Floats = np.sqrt(np.maximum(square, 0.0))
    return result


def trend(origin_xy: Floats, destination_xy: Floats) -> Floats:
    """The smooth part: level, log km and its square, two harmonics of direction; last axis 7."""
    step = destination_xy - origin_xy
    log_km = np.log(np.maximum(np.hypot(step[..., 0], step[..., 1]), 50.0) / 1000.0)
    angle = np.arctan2(step[..., 0], step[..., 1])
    return np.stack(
        [
            np.ones_like(log_km),
            log_km,
            log_km**2,
            np.cos(angle),
            np.sin(angle),
            np.cos(2 * angle),
            np.sin(2 * angle),
        ],
        axis=-1,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sites:
    """Past legs as the process sees them: projected ends, hour of the week, how many legs each stands for."""

    origin_xy: Floats
    destination_xy: Floats
    hour: Floats
    n_legs: Floats

    def __len__(self) -> int:
        return len(self.hour)

    def take(self, rows: npt.NDArray[np.intp]) -> "Sites":
        """Some of them."""
        return Sites(
            origin_xy=self.origin_xy[rows],
            destination_xy=self.destination_xy[rows],
            hour=self.hour[rows],
            n_legs=self.n_legs[rows],
        )

    def noise(self) -> Floats:
        """Variance of each site's noise relative to a long single leg's."""
        step = self.destination_xy - self.origin_xy
        return (1.0 + SHORT_LEG_M / np.maximum(np.hypot(step[:, 0], step[:, 1]), 50.0)) / self.n_legs

    def covariances(self, other: "Sites") -> list[Floats]:
        """One matrix (len(self), len(other)) per term of TERMS, each of unit variance."""
        from_m, to_m = apart_m(self.origin_xy, other.origin_xy), apart_m(self.destination_xy, other.destination_xy)
        from_8, to_8 = np.exp(-from_m / CELL_8_M), np.exp(-to_m / CELL_8_M)
        from_9, to_9 = np.exp(-from_m / CELL_9_M), np.exp(-to_m / CELL_9_M)
        hour = closeness_hour(self.hour, other.hour)
        crossed = apart_m(self.origin_xy, other.destination_xy) + apart_m(self.destination_xy, other.origin_xy)
        return [
            hour,
            from_9,
            to_9,
            from_8 * to_8,
            from_9 * to_9,
            from_8 * hour,
            to_8 * hour,
            # a pair and the same pair driven the other way; alone the second part would be no covariance
            (from_8 * to_8 + np.exp(-crossed / CELL_8_M)) / 2.0,
        ]


def covariance(sites: Sites, other: Sites, variances: Floats) -> Floats:
    """Prior covariance of the log factors of two sets of legs, without noise."""
    basis = trend(sites.origin_xy, sites.destination_xy) * PRIOR_COEFFICIENT_SD
    total: Floats = basis @ (trend(other.origin_xy, other.destination_xy) * PRIOR_COEFFICIENT_SD).T
    for variance, term in zip(variances, sites.covariances(other), strict=False):
        total += variance * term
    return total


def variances(sites: Sites, log_factor: Floats, *, seed: int, n_steps: int = 15) -> Floats:
    """
    Variance of each term, and last of the noise, by maximum likelihood on at most N_SEARCH legs.

    Minorise-maximise: each step multiplies a variance by sqrt(a' K_j a / tr(K^-1 K_j)), which never lowers the
    likelihood and needs no step size.
    Source: H. Zhou, L. Hu, J. Zhou, K. Lange, "MM Algorithms for Variance Components Models",
    J. Comput. Graph. Stat. 28 (2), 2019, algorithm 1.
    """
    found = PRIOR_VARIANCES.copy()
    if len(sites) < N_FEWEST:
        return found
    if len(sites) > N_SEARCH:
        rows = np.sort(np.random.default_rng(seed).choice(len(sites), N_SEARCH, replace=False))
        sites, log_factor = sites.take(rows), log_factor[rows]
    terms = [*sites.covariances(sites), np.diag(sites.noise())]
    basis = trend(sites.origin_xy, sites.destination_xy) * PRIOR_COEFFICIENT_SD
    smooth = basis @ basis.T
    floor = 1e-3 * PRIOR_VARIANCES
    for _ in range(n_steps):
        total = smooth + sum(v * term for v, term in zip(found, terms, strict=True))
        inverse = np.linalg.inv(total)
        weights = inverse @ log_factor
        gain = [(weights @ term @ weights + 1e-9) / (np.einsum("ij,ij->", inverse, term) + 1e-9) for term in terms]
        found = np.clip(found * np.sqrt(gain), floor, LARGEST_VARIANCES)
    return found


@dataclass(frozen=True, kw_only=True)
class Kriging:
    """A fitted process: `mean` and `support` of new legs, one by one or as a matrix."""

    projection: Projection
    sites: Sites
    variances: Floats
    weights: Floats
    """K^-1 y."""
    coefficients: Floats = field(default_factory=lambda: np.zeros(7))

    @cached_property
    def _by_term(self) -> Floats:
        """`weights` times the variance of each term, shape (terms, sites)."""
        scaled: Floats = self.variances[: len(TERMS), None] * self.weights[None, :]
        return scaled

    @cached_property
    def by_hour(self) -> Floats:
        """Log factor of each hour of the week, 0 to 167, over all past places: what the hour alone does to a leg."""
        rhythm, origin, destination = self._by_term[0], self._by_term[5], self._by_term[6]
        some = np.linspace(0, len(self.sites) - 1, min(len(self.sites), N_EVERYWHERE)).astype(np.intp)
        near_from = np.exp(-apart_m(self.sites.origin_xy[some], self.sites.origin_xy) / CELL_8_M).mean(axis=0)
        near_to = np.exp(-apart_m(self.sites.destination_xy[some], self.sites.destination_xy) / CELL_8_M).mean(axis=0)
        hours = np.arange(168, dtype=np.float64)
        result: Floats = closeness_hour(hours, self.sites.hour) @ (rhythm + near_from * origin + near_to * destination)
        return result

    def mean(self, origins: Places, destinations: Places, hour: Floats) -> Floats:
        """Log factor of legs i: from origins[i] to destinations[i] at hour[i] of the week."""
        legs = Sites(
            origin_xy=self.projection.xy_m(origins),
            destination_xy=self.projection.xy_m(destinations),
            hour=hour,
            n_legs=np.ones(len(hour)),
        )
        result: Floats = trend(legs.origin_xy, legs.destination_xy) @ self.coefficients
        for scaled, term in zip(self._by_term, legs.covariances(self.sites), strict=True):
            result = result + term @ scaled
        return result

    def support(self, origins: Places, destinations: Places) -> Floats:
        """How many past legs stand behind legs i: those of about the same r8 cells at both ends count whole."""
        from_m = apart_m(self.projection.xy_m(origins), self.sites.origin_xy)
        to_m = apart_m(self.projection.xy_m(destinations), self.sites.destination_xy)
        near: Floats = np.exp(-(from_m + to_m) / CELL_8_M) @ self.sites.n_legs
        return near

    def novelty(self, origins: Places, destinations: Places, *, besides: float = 0.0) -> Floats:
        """
        How much less sure legs i are than one of places nobody ever went to: the ratio of the spreads, 0 to 1.

        What is left unknown of an origin, a destination and a pair falls with the past legs about it, as the variance
        of a mean does. `besides`: the legs are among the past ones and count so much there.
        """
        near_from = np.exp(-apart_m(self.projection.xy_m(origins), self.sites.origin_xy) / CELL_8_M)
        near_to = np.exp(-apart_m(self.projection.xy_m(destinations), self.sites.destination_xy) / CELL_8_M)
        n_legs, noise = self.sites.n_legs, self.variances[-1]
        _, origin, destination, pair_8, pair_9, origin_hour, destination_hour, both_ways = self.variances[: len(TERMS)]
        known = (near_from @ n_legs, near_to @ n_legs, (near_from * near_to) @ n_legs)
        terms = (origin + origin_hour, destination + destination_hour, pair_8 + pair_9 + both_ways)
        left = sum(v / (1.0 + np.maximum(n - besides, 0.0) * v / noise) for v, n in zip(terms, known, strict=True))
        result: Floats = ((noise + left) / (noise + sum(terms))) ** NOVELTY_POWER
        return result

    def mean_matrix(self, origins: Places, destinations: Places, hour: float) -> tuple[Floats, Floats]:
        """Distances in metres and log factors [i, j] from origins[i] to destinations[j], all leaving at one hour."""
        from_xy, to_xy = self.projection.xy_m(origins), self.projection.xy_m(destinations)
        from_m, to_m = apart_m(from_xy, self.sites.origin_xy), apart_m(to_xy, self.sites.destination_xy)
        from_8, to_8 = np.exp(-from_m / CELL_8_M), np.exp(-to_m / CELL_8_M)
        from_9, to_9 = np.exp(-from_m / CELL_9_M), np.exp(-to_m / CELL_9_M)
        at = closeness_hour(np.array([hour]), self.sites.hour)[0]
        rhythm, origin, destination, pair_8, pair_9, origin_hour, destination_hour, both_ways = self._by_term
        result: Floats = trend(from_xy[:, None, :], to_xy[None, :, :]) @ self.coefficients
        result += at @ rhythm
        result += (from_9 @ origin + from_8 @ (origin_hour * at))[:, None]
        result += (to_9 @ destination + to_8 @ (destination_hour * at))[None, :]
        result += (from_8 * (pair_8 + both_ways / 2.0)) @ to_8.T + (from_9 * pair_9) @ to_9.T
        back_from = np.exp(-apart_m(from_xy, self.sites.destination_xy) / CELL_8_M)
        back_to = np.exp(-apart_m(to_xy, self.sites.origin_xy) / CELL_8_M)
        result += (back_from * (both_ways / 2.0)) @ back_to.T
        return apart_m(from_xy, to_xy), result


def fit(
    origins: Places, destinations: Places, hour: Floats, log_factor: Floats, n_legs: Floats, *, seed: int = 0
) -> Kriging:
    """
    The process given past legs; `n_legs` is the weight of each row (a mean of so many legs), > 0.

    Cost grows with the cube of the rows: about a second at 2,000. Raises ValueError without rows.
    """
    if not len(hour):
        raise ValueError("expected at least one leg")
    projection = Projection(lat=float(np.median(origins.lat)), lon=float(np.median(origins.lon)))
    sites = Sites(
        origin_xy=projection.xy_m(origins), destination_xy=projection.xy_m(destinations), hour=hour, n_legs=n_legs
    )
    found = variances(sites, log_factor, seed=seed)
    total = covariance(sites, sites, found)
    total[np.diag_indices_from(total)] += found[-1] * sites.noise() + 1e-6
    weights = np.asarray(np.linalg.solve(total, log_factor), dtype=np.float64)
    basis = trend(sites.origin_xy, sites.destination_xy)
    return Kriging(
        projection=projection,
        sites=sites,
        variances=found,
        weights=weights,
        coefficients=PRIOR_COEFFICIENT_SD**2 * (basis.T @ weights),
    )
