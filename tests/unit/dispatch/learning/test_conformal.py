"""Laws of the intervals: ordered, wide while little is known, right once errors are known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.learning.conformal import NORMAL_P90, PRIOR_SPREAD, Band, Calibration, calibrate, weighted_quantiles

errors = st.lists(st.floats(-3, 3), max_size=60)


@given(errors, st.floats(10, 100_000))
def test_quantiles_are_in_order_at_every_distance(residuals, distance_m):
    band = calibrate(np.array(residuals), np.full(len(residuals), 1500.0)).band(distance_m)
    assert band.low <= band.middle <= band.high


def test_without_errors_the_prior_speaks():
    band = calibrate(np.array([]), np.array([])).band(1000.0)
    assert band.high == pytest.approx(NORMAL_P90 * PRIOR_SPREAD, rel=1e-6)
    assert band == Calibration().band(1000.0)


@pytest.mark.parametrize("spread", [0.05, 0.2, 0.6])
def test_eight_of_ten_new_errors_fall_inside(spread):
    rng = np.random.default_rng(7)
    distances = rng.uniform(300, 8000, 2000)
    residuals = rng.normal(0.1, spread, 2000)
    calibration = calibrate(residuals[:1000], distances[:1000])
    inside = [
        band.low <= residual <= band.high
        for residual, band in (
            (r, calibration.band(d)) for r, d in zip(residuals[1000:], distances[1000:], strict=True)
        )
    ]
    assert 0.75 <= np.mean(inside) <= 0.85


def test_newer_errors_count_more():
    calm, rough = np.full(600, 0.02), np.tile([-0.8, 0.8], 300)
    distances = np.full(1200, 2000.0)
    grown = calibrate(np.concatenate([calm, rough]), distances).band(2000.0)
    shrunk = calibrate(np.concatenate([rough, calm]), distances).band(2000.0)
    assert grown.high > shrunk.high


def test_nonsense_errors_are_left_out():
    clean = calibrate(np.array([0.1, -0.1]), np.array([500.0, 900.0]))
    assert calibrate(np.array([0.1, np.nan, -0.1, np.inf]), np.array([500.0, 1.0, 900.0, 1.0])) == clean


@given(st.floats(-1, 0), st.floats(0, 1), st.floats(-4, 4), st.floats(0, 4))
def test_a_band_grows_with_the_score(p10, p90, z, step):
    band = Band(low=p10, middle=0.0, high=p90)
    assert band.at(np.array(z)) <= band.at(np.array(z + step)) + 1e-12
    assert band.at(np.array(NORMAL_P90)) == pytest.approx(p90)
    assert band.at(np.array(-NORMAL_P90)) == pytest.approx(p10)


def test_a_band_in_disorder_is_refused():
    with pytest.raises(ValueError, match="low <= middle <= high"):
        Band(low=0.1, middle=0.0, high=0.2)


def test_weights_move_a_quantile():
    values = np.array([1.0, 2.0, 3.0])
    assert weighted_quantiles(values, np.array([1.0, 1.0, 1.0]), (0.5,))[0] == pytest.approx(2.0)
    assert weighted_quantiles(values, np.array([1.0, 1.0, 10.0]), (0.5,))[0] > 2.5
