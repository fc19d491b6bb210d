"""Distances and directions on the sphere, with their sources; no I/O."""

from math import asin, atan2, cos, degrees, radians, sin, sqrt

from tracking.position import LatLon

EARTH_RADIUS_M = 6_371_008.8
"""Mean radius of the WGS 84 ellipsoid, (2a + b) / 3. Source: IUGG; Moritz, "Geodetic Reference System 1980"."""


def distance_m(a: LatLon, b: LatLon) -> float:
    """
    Great-circle distance in metres.

    Haversine on a sphere of EARTH_RADIUS_M; within about 0.5 % of the WGS 84 ellipsoid, good enough for ranking
    couriers, not for billing.
    Source: R. W. Sinnott, "Virtues of the Haversine", Sky and Telescope 68 (2), 1984, p. 159.
    """
    lat_a, lat_b = radians(a.lat), radians(b.lat)
    h = sin((lat_b - lat_a) / 2) ** 2 + cos(lat_a) * cos(lat_b) * sin(radians(b.lon - a.lon) / 2) ** 2
    return 2 * EARTH_RADIUS_M * asin(min(1.0, sqrt(h)))


def bearing_deg(a: LatLon, b: LatLon) -> float:
    """Initial direction from `a` to `b`: degrees clockwise from true north, 0 <= it < 360; 0 where they coincide."""
    lat_a, lat_b = radians(a.lat), radians(b.lat)
    d_lon = radians(b.lon - a.lon)
    y = sin(d_lon) * cos(lat_b)
    x = cos(lat_a) * sin(lat_b) - sin(lat_a) * cos(lat_b) * cos(d_lon)
    return degrees(atan2(y, x)) % 360.0 % 360.0
