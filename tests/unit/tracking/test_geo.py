from math import isclose, pi

from hypothesis import given
from hypothesis import strategies as st

from tracking.geo import EARTH_RADIUS_M, bearing_deg, distance_m
from tracking.position import LatLon

points = st.builds(LatLon, st.floats(-90, 90), st.floats(-180, 180))


@given(points)
def test_distance_to_self_is_zero(a):
    assert distance_m(a, a) == 0


@given(points, points)
def test_distance_is_symmetric_and_at_most_half_the_globe(a, b):
    assert isclose(distance_m(a, b), distance_m(b, a), abs_tol=1e-6)
    assert 0 <= distance_m(a, b) <= pi * EARTH_RADIUS_M + 1e-6


@given(points, points, points)
def test_distance_obeys_the_triangle_inequality(a, b, c):
    assert distance_m(a, c) <= distance_m(a, b) + distance_m(b, c) + 1e-3


def test_one_degree_of_latitude_is_111_km():
    assert isclose(distance_m(LatLon(0, 0), LatLon(1, 0)), 111_195, abs_tol=1)


@given(points, points)
def test_bearing_is_within_the_circle(a, b):
    assert 0 <= bearing_deg(a, b) < 360


def test_east_is_90():
    assert bearing_deg(LatLon(0, 0), LatLon(0, 1)) == 90
