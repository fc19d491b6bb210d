"""
Metres on a locally flat earth, fast enough for every fix; no I/O.

Good to about 0.1 % over 10 km and across the antimeridian; not for the poles. For long distances use `tracking.geo`.
"""

from math import cos, hypot, radians

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

METRES_PER_DEGREE = radians(1) * 6_371_008.8
"""Length of a degree of latitude on the sphere of `tracking.geo.EARTH_RADIUS_M`."""


def d_lon_deg(from_lon: float, to_lon: float) -> float:
    """Degrees east from one longitude to another by the shorter way round, -180 to 180."""
    d = to_lon - from_lon
    if d > 180.0:
        return d - 360.0
    if d < -180.0:
        return d + 360.0
    return d


def metres(lat_a: float, lon_a: float, lat_b: float, lon_b: float) -> float:
    """Distance in metres between two points given in degrees; symmetric up to rounding."""
    d_lon = d_lon_deg(lon_a, lon_b)
    return METRES_PER_DEGREE * hypot(lat_b - lat_a, d_lon * cos(radians((lat_a + lat_b) / 2)))


def offset_m(lat_0: float, lon_0: float, lat: float, lon: float) -> tuple[float, float]:
    """Metres east and north of a point, seen from (lat_0, lon_0)."""
    return (
        METRES_PER_DEGREE * d_lon_deg(lon_0, lon) * cos(radians(lat_0)),
        METRES_PER_DEGREE * (lat - lat_0),
    )


def to_segment_m(p: tuple[float, float], a: tuple[float, float], b: tuple[float, float]) -> tuple[float, float]:
    """Distance from a point to the segment a-b, all in metres, and where along it the nearest point lies, 0 to 1."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    px, py = p[0] - a[0], p[1] - a[1]
    length_2 = dx * dx + dy * dy
    along = 0.0 if length_2 == 0.0 else max(0.0, min(1.0, (px * dx + py * dy) / length_2))
    return hypot(px - along * dx, py - along * dy), along


class Segments:
    """Many segments at once, in metres: `to_segment_m` for a line or the edges of an area, as columns."""

    __slots__ = ("ax", "ay", "dx", "dy", "inv_2")

    def __init__(self, starts: Floats, steps: Floats) -> None:
        """Starts and steps as arrays of shape (n, 2); a segment may have no length."""
        (self.ax, self.ay), (self.dx, self.dy) = starts.T, steps.T
        length_2 = self.dx * self.dx + self.dy * self.dy
        self.inv_2: Floats = 1.0 / np.where(length_2 > 0.0, length_2, 1.0)

    def squares(self, x: float, y: float) -> tuple[Floats, Floats]:
        """Squared distances from a point, and where along each segment the nearest point lies, 0 to 1."""
        px, py = x - self.ax, y - self.ay
        along: Floats = np.clip((px * self.dx + py * self.dy) * self.inv_2, 0.0, 1.0)
        away_2: Floats = (px - along * self.dx) ** 2 + (py - along * self.dy) ** 2
        return away_2, along
