"""
Travel times learned from the fleet's own legs: expected time x a factor by mode, place, hour and pair; no I/O.

    tracked legs ──▶ condense (by cell pair and time of day, newer count more) ──▶ kriging ──▶ factor
          └──── error of the prediction made before the leg was known ──▶ conformal ──▶ p10, p50, p90

Nothing is kept between fits but the legs themselves: what is learned is a function of them, so a leg that arrives late
or out of order changes nothing that it should not. A model exists per region, mode and base: the base is the expected
time that the factor multiplies, the default great circle's or an engine's.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import exp, log

import h3.api.basic_int as h3
import numpy as np
import numpy.typing as npt

from dispatch.learning.conformal import Band, Calibration, calibrate
from dispatch.learning.kriging import Kriging, Places, fit
from dispatch.rhythm import LEAST, N_STEPS, STEP_S, Rhythm
from dispatch.travel.great_circle import DEFAULT_PACES
from tracking.geo import distance_m
from tracking.position import CourierId, LatLon, Mode, Region

Floats = npt.NDArray[np.float64]

GREAT_CIRCLE = "great_circle"
"""Base of factors on the default times without a map; other bases are named as the engine's `Source`."""

HALF_LIFE_DAYS = 21.0
"""A leg this old counts half: cities change with the season, and hours of the week need some weeks."""
N_SITES = 3_000
"""Most rows a model looks at; the fit takes about 2 s and 150 MB for so many. When there are more, the least counting
(oldest, loneliest) are left out."""
MOST_LOG_FACTOR = 1.5
"""A leg more than 4.5 times slower or faster than expected is cut back to that: an unseen pause, or a wrong clock."""
REACH_M = 60_000.0
"""A model speaks only for places this near to the middle of its legs."""
FEWEST_LEGS = 5
"""Below so many legs a model stays silent."""
FEWEST_ERRORS = 30
"""So many predictions must have met their truth before intervals come from them alone."""
N_COURIER_PRIOR = 8.0
"""A courier's own pace counts half after so many legs."""
COURIER_HALF_LIFE_DAYS = 7.0
"""A courier's leg this old counts half for the courier's own pace."""


def hour_of_week(at: datetime, lon: float) -> float:
    """
    Mean solar hour of the week at a longitude: 0 is Monday 0:00, 0 <= hour < 168.

    Solar time instead of a time zone: within an hour or two of the clock, known everywhere, without summer time.
    """
    seconds = at.timestamp() + lon * 240.0
    # The epoch was a Thursday.
    return (seconds / 3600.0 + 72.0) % 168.0


def default_s(mode: Mode, origin: LatLon, destination: LatLon) -> float:
    """What a way takes without a map and without anything learned, at least a second: the base GREAT_CIRCLE."""
    pace = DEFAULT_PACES[mode]
    return max(1.0, distance_m(origin, destination) * pace.detour / pace.speed_mps)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedLeg:
    """A leg somebody drove, from leaving one place to arriving at the next."""

    courier_id: CourierId
    mode: Mode
    origin: LatLon
    destination: LatLon
    departed_at: datetime
    duration_s: float
    """Real, > 0."""
    base_s: float
    """Expected by the base, > 0."""
    error: float | None = None
    """log(real / predicted) of the prediction made before this leg was learned from; None: there was none."""

    def __post_init__(self) -> None:
        if not (self.duration_s > 0 and self.base_s > 0):
            raise ValueError("expected duration_s > 0 and base_s > 0")

    @property
    def log_factor(self) -> float:
        """log(real / expected), cut back to MOST_LOG_FACTOR."""
        return _cut_back(log(self.duration_s / self.base_s))


@dataclass(frozen=True, slots=True)
class Rows:
    """Legs condensed: one row per pair of H3 cells (resolution 9), day type and three hours of the day; columns."""

    origins: Places
    destinations: Places
    hour: Floats
    log_factor: Floats
    n_legs: Floats
    """How many legs a row stands for, older ones counting less."""

    def __len__(self) -> int:
        return len(self.hour)


def condense(legs: Iterable[TrackedLeg], *, now: datetime, n_most: int = N_SITES) -> Rows:
    """Rows of the legs, at most `n_most`: those that count most. Legs of the same pair and time are averaged."""
    sums: dict[tuple[int, int, bool, int], Floats] = {}
    for leg in legs:
        hour = hour_of_week(leg.departed_at, leg.origin.lon)
        weight = 0.5 ** (max(0.0, (now - leg.departed_at).total_seconds()) / 86_400 / HALF_LIFE_DAYS)
        key = (
            h3.latlng_to_cell(leg.origin.lat, leg.origin.lon, 9),
            h3.latlng_to_cell(leg.destination.lat, leg.destination.lon, 9),
            hour >= 120.0,
            int(hour % 24 // 3),
        )
        values = np.array([*leg.origin.latlon, *leg.destination.latlon, hour, leg.log_factor, 1.0])
        sums[key] = sums.get(key, np.zeros(7)) + weight * values
    # the table, most counting first
    table = np.array(sorted(sums.values(), key=lambda row: -row[6])[:n_most]).reshape(-1, 7)
    n_legs = table[:, 6]
    mean = table[:, :6] / n_legs[:, None] if len(table) else table[:, :6]
    return Rows(
        Places(lat=mean[:, 0], lon=mean[:, 1]), Places(lat=mean[:, 2], lon=mean[:, 3]), mean[:, 4], mean[:, 5], n_legs
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a leg takes: the expected time corrected, and its spread."""

    p50_s: float
    band: Band
    """Quantiles of log(real / p50_s); its own p50 is 0."""
    n: float
    """Past legs behind it, near ones counting whole; 0: nothing was learned."""

    @property
    def p10_s(self) -> float:
        """One leg in ten is faster."""
        return self.p50_s * exp(self.band.low)

    @property
    def p90_s(self) -> float:
        """One leg in ten takes longer."""
        return self.p50_s * exp(self.band.high)


@dataclass(frozen=True, kw_only=True)
class TravelModel:
    """What the legs of one region, mode and base teach."""

    region: Region
    mode: Mode
    base: str
    kriging: Kriging
    calibration: Calibration
    n_legs: int
    couriers: Mapping[CourierId, float] = field(default_factory=dict)
    """Log factor of each courier beside everybody's, shrunk."""

    def reaches(self, at: LatLon) -> bool:
        """Whether a place is near enough to the model's legs for it to speak."""
        middle = self.kriging.projection
        return distance_m(at, LatLon(middle.lat, middle.lon)) <= REACH_M

    def rhythm(self, near: LatLon, at: datetime) -> Rhythm | None:
        """How much longer legs take in the day to come than those left at `at`; None where that is all alike."""
        hour = hour_of_week(at, near.lon)
        hours = hour + np.arange(N_STEPS) * (STEP_S / 3600.0)
        hours[1:] += STEP_S / 7200.0  # of the middle of a step; the first begins with what the matrix is of
        log_factors = np.interp(hours, np.arange(168.0), self.kriging.by_hour, period=168.0)
        slowness = np.exp(np.rint((log_factors - log_factors[0]) / LEAST) * LEAST)
        if (slowness == 1.0).all():
            return None
        return Rhythm(begins_at=int(at.timestamp()), slowness=tuple(slowness.tolist()))

    def log_factors(self, legs: Sequence[tuple[LatLon, LatLon, datetime]]) -> Floats:
        """Log factors of legs (origin, destination, departure), before couriers and calibration."""
        return self.kriging.mean(
            columns_of([leg[0] for leg in legs]),
            columns_of([leg[1] for leg in legs]),
            np.array([hour_of_week(at, origin.lon) for origin, _, at in legs]),
        )

    def novelty(self, origins: Sequence[LatLon], destinations: Sequence[LatLon]) -> Floats:
        """See `Kriging.novelty`."""
        return self.kriging.novelty(columns_of(origins), columns_of(destinations))

    def band(self, distance_m: float, novelty: float) -> Band:
        """How far off the prediction of a leg is; its middle is 0, because predictions take that in."""
        band = self.calibration.band(distance_m)
        return Band(
            low=float(novelty) * (band.low - band.middle), middle=0.0, high=float(novelty) * (band.high - band.middle)
        )

    def judged(self, legs: Sequence[TrackedLeg]) -> list[TrackedLeg]:
        """The legs with the error of this model's prediction, to learn intervals from; they must be new to it."""
        if not legs:
            return []
        predicted = self.log_factors([(leg.origin, leg.destination, leg.departed_at) for leg in legs])
        return [
            replace(leg, error=log(leg.duration_s / leg.base_s) - float(log_factor))
            for leg, log_factor in zip(legs, predicted, strict=True)
        ]

    def estimate(
        self, origin: LatLon, destination: LatLon, at: datetime, base_s: float, *, courier_id: CourierId | None = None
    ) -> Estimate:
        """What a leg takes that the base expects to take `base_s`."""
        own = self.couriers.get(courier_id, 0.0) if courier_id is not None else 0.0
        band = self.band(distance_m(origin, destination), self.novelty([origin], [destination])[0])
        middle = self.calibration.band(distance_m(origin, destination)).middle
        expected = float(self.log_factors([(origin, destination, at)])[0]) + own + middle
        return Estimate(
            p50_s=base_s * exp(expected),
            band=band,
            n=float(self.kriging.support(columns_of([origin]), columns_of([destination]))[0]),
        )


def learn(
    legs: Sequence[TrackedLeg], *, region: Region, mode: Mode, base: str, now: datetime, n_most: int = N_SITES
) -> TravelModel | None:
    """
    A model from tracked legs of one mode and base, in any order; None below FEWEST_LEGS.

    Intervals come from the errors of predictions made before each leg was known (`TrackedLeg.error`); while few legs
    have one, from legs held out: the latest fifth, predicted from the earlier ones.
    """
    legs = sorted(legs, key=lambda leg: (leg.departed_at, leg.courier_id))
    if len(legs) < FEWEST_LEGS:
        return None
    known = [leg for leg in legs if leg.error is not None]
    if len(known) < max(FEWEST_ERRORS, len(legs) // 10):
        known = _with_errors(legs, now=now, n_most=n_most)
    kriging = _fit(condense(legs, now=now, n_most=n_most))
    # On the scale of places nobody ever went to; of known ones less is unknown.
    novelty = kriging.novelty(
        columns_of([leg.origin for leg in known]), columns_of([leg.destination for leg in known]), besides=1.0
    )
    calibration = calibrate(
        _remaining_errors(known, now=now) / novelty,
        np.array([distance_m(leg.origin, leg.destination) for leg in known]),
    ).with_middle_times(float(novelty.mean()))
    return TravelModel(
        region=region,
        mode=mode,
        base=base,
        kriging=kriging,
        calibration=calibration,
        n_legs=len(legs),
        couriers=courier_effects(known, now=now),
    )


def courier_sums(legs: Iterable[TrackedLeg], *, now: datetime) -> dict[CourierId, tuple[float, float]]:
    """Weighted sum and weight of each courier's errors, newer ones counting more."""
    sums: dict[CourierId, tuple[float, float]] = {}
    for leg in legs:
        if leg.error is not None:
            total, count = sums.get(leg.courier_id, (0.0, 0.0))
            weight = _courier_weight(leg, now)
            sums[leg.courier_id] = (total + weight * _cut_back(leg.error), count + weight)
    return sums


def courier_effects(legs: Iterable[TrackedLeg], *, now: datetime) -> dict[CourierId, float]:
    """How much slower (> 0) or faster each courier is than predicted, in logs, shrunk to 0 where legs are few."""
    return {
        courier_id: total / (count + N_COURIER_PRIOR)
        for courier_id, (total, count) in courier_sums(legs, now=now).items()
    }


def _remaining_errors(legs: Sequence[TrackedLeg], *, now: datetime) -> Floats:
    """Errors of the legs beside what their couriers' other legs explain, in the order of the legs."""
    sums = courier_sums(legs, now=now)
    left = []
    for leg in legs:
        assert leg.error is not None
        (total, count), weight = sums[leg.courier_id], _courier_weight(leg, now)
        others = (total - weight * _cut_back(leg.error)) / (count - weight + N_COURIER_PRIOR)
        left.append(leg.error - others)
    return np.array(left)


def _courier_weight(leg: TrackedLeg, now: datetime) -> float:
    age_days = max(0.0, (now - leg.departed_at).total_seconds()) / 86_400
    return float(0.5 ** (age_days / COURIER_HALF_LIFE_DAYS))


def _cut_back(error: float) -> float:
    return min(max(error, -MOST_LOG_FACTOR), MOST_LOG_FACTOR)


def _fit(rows: Rows) -> Kriging:
    return fit(rows.origins, rows.destinations, rows.hour, rows.log_factor, rows.n_legs)


def _with_errors(legs: Sequence[TrackedLeg], *, now: datetime, n_most: int) -> list[TrackedLeg]:
    """The latest fifth of the legs, each with the error of what the earlier ones predict; legs in order of time."""
    cut = len(legs) - max(1, len(legs) // 5)
    late = legs[cut:]
    kriging = _fit(condense(legs[:cut], now=now, n_most=n_most))
    predicted = kriging.mean(
        columns_of([leg.origin for leg in late]),
        columns_of([leg.destination for leg in late]),
        np.array([hour_of_week(leg.departed_at, leg.origin.lon) for leg in late]),
    )
    return [
        replace(leg, error=leg.log_factor - float(log_factor)) for leg, log_factor in zip(late, predicted, strict=True)
    ]


def columns_of(points: Sequence[LatLon]) -> Places:
    """Points as columns."""
    return Places(lat=np.array([p.lat for p in points]), lon=np.array([p.lon for p in points]))
