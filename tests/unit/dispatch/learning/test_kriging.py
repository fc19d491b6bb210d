"""What kriging must hold whatever the legs: shrinkage, agreement of its forms, sound covariances."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatch.learning.kriging import PRIOR_VARIANCES, Places, Sites, covariance, fit, variances

CENTRE = (41.15, -8.61)


def places(rng, n, *, spread_deg=0.02):
    return Places(
        lat=CENTRE[0] + rng.uniform(-spread_deg, spread_deg, n), lon=CENTRE[1] + rng.uniform(-spread_deg, spread_deg, n)
    )


def some_legs(seed, n=60):
    rng = np.random.default_rng(seed)
    return places(rng, n), places(rng, n), rng.uniform(0, 168, n), rng.normal(0.3, 0.2, n), rng.uniform(0.2, 5, n)


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 10_000))
def test_a_matrix_says_the_same_as_leg_by_leg(seed):
    model = fit(*some_legs(seed))
    rng = np.random.default_rng(seed + 1)
    origins, destinations = places(rng, 4), places(rng, 3)
    _, matrix = model.mean_matrix(origins, destinations, 30.0)
    for i in range(4):
        row = model.mean(
            Places(lat=np.repeat(origins.lat[i], 3), lon=np.repeat(origins.lon[i], 3)), destinations, np.full(3, 30.0)
        )
        assert row == pytest.approx(matrix[i], abs=1e-9)


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 10_000))
def test_covariance_is_symmetric_and_never_negative(seed):
    """Otherwise a fit could invent variances below zero: kernels that cross origin and destination are easily wrong."""
    origins, destinations, hour, _, n_legs = some_legs(seed, 40)
    sites = Sites(
        origin_xy=np.stack([origins.lat, origins.lon], axis=1) * 1e5,
        destination_xy=np.stack([destinations.lat, destinations.lon], axis=1) * 1e5,
        hour=hour,
        n_legs=n_legs,
    )
    total = covariance(sites, sites, PRIOR_VARIANCES)
    assert total == pytest.approx(total.T)
    assert np.linalg.eigvalsh(total).min() > -1e-9


def test_far_from_every_leg_only_the_smooth_trend_is_left():
    origins, destinations, hour, log_factor, n_legs = some_legs(1)
    model = fit(origins, destinations, hour, np.full_like(log_factor, 0.4), n_legs)
    far = Places(lat=np.array([CENTRE[0] + 0.4]), lon=np.array([CENTRE[1]]))
    near_far = Places(lat=np.array([CENTRE[0] + 0.41]), lon=np.array([CENTRE[1]]))
    assert model.support(far, near_far)[0] < 1e-6
    assert model.mean(far, near_far, np.array([80.0]))[0] == pytest.approx(0.4, abs=0.15)


def test_many_legs_of_one_pair_are_believed_and_a_single_one_is_not():
    origins, destinations, hour, _, _ = some_legs(2)
    level = np.zeros(60)
    one = Places(lat=np.array([CENTRE[0]]), lon=np.array([CENTRE[1]]))
    other = Places(lat=np.array([CENTRE[0] + 0.01]), lon=np.array([CENTRE[1]]))

    def told(n_legs):
        more = (
            Places(lat=np.append(origins.lat, one.lat), lon=np.append(origins.lon, one.lon)),
            Places(lat=np.append(destinations.lat, other.lat), lon=np.append(destinations.lon, other.lon)),
            np.append(hour, 60.0),
            np.append(level, 0.5),
            np.append(np.ones(60), n_legs),
        )
        return float(fit(*more).mean(one, other, np.array([60.0]))[0])

    assert 0.0 < told(1.0) < told(10.0) < told(1000.0) <= 0.5 + 1e-6


def test_variances_stay_at_the_prior_while_legs_are_few():
    origins, destinations, hour, log_factor, n_legs = some_legs(3, 20)
    sites = Sites(
        origin_xy=np.stack([origins.lat, origins.lon], axis=1),
        destination_xy=np.stack([destinations.lat, destinations.lon], axis=1),
        hour=hour,
        n_legs=n_legs,
    )
    assert variances(sites, log_factor, seed=0) == pytest.approx(PRIOR_VARIANCES)


def test_no_legs_are_refused():
    nothing = Places(lat=np.array([]), lon=np.array([]))
    with pytest.raises(ValueError, match="at least one leg"):
        fit(nothing, nothing, np.array([]), np.array([]), np.array([]))
