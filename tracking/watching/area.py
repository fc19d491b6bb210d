"""
Areas on the map: polygons with holes, several polygons, circles; no I/O.

An `Area` keeps its shape in metres on a plane around its own middle, so distances are cheap and an area that crosses
the antimeridian is an ordinary one. The plane is an affine image of longitude and latitude: inside and outside are
exactly those of the GeoJSON, only distances lose accuracy for areas hundreds of kilometres across.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import cos, hypot, radians, sqrt
from typing import Any, Final, Self

import numpy as np
import shapely
from shapely.geometry import LineString, MultiPolygon, Point, Polygon
from shapely.geometry.base import BaseGeometry

from tracking.plane import METRES_PER_DEGREE, Segments, d_lon_deg, to_segment_m
from tracking.position import LatLon

MAX_VERTICES = 10_000
"""Of one area: a country's outline; more is a mistake."""
FARTHEST_LAT = 85.05
"""An area reaches no nearer to a pole: the plane ends there, and Redis knows no places beyond either."""
WIDEST_DEG = 180.0
"""An area is narrower: wider, nobody can say which side of it is meant."""
FAR_M = 30.0
"""So far outside its bounding circle the exact distance to an area is of no use."""
_LOOP_EDGES = 40
"""Up to so many edges a plain loop beats NumPy's overhead (measured: 0.25 µs an edge against 12 µs flat)."""

_Edge = tuple[float, float, float, float, float, float]


class Area:
    """A circle, or one or more polygons with holes."""

    __slots__ = ("_circle_m", "_edges", "_k_lon", "_lat_0", "_lon_0", "_reach_m", "_segments", "geometry")

    def __init__(self, *, middle: LatLon, geometry: BaseGeometry, circle_m: float | None = None) -> None:
        """
        `geometry` in metres east and north of `middle`; a circle is given by its radius as well.

        Raises ValueError for what reaches a pole or half around the earth.
        """
        self._lat_0, self._lon_0 = middle.latlon
        self._k_lon = METRES_PER_DEGREE * cos(radians(middle.lat))
        west, south, east, north = geometry.bounds
        farthest_m = METRES_PER_DEGREE * (FARTHEST_LAT - abs(middle.lat))
        if not (farthest_m > 0 and max(north, -south) <= farthest_m):
            raise ValueError(f"expected an area between {FARTHEST_LAT} degrees south and north")
        if not east - west < WIDEST_DEG * self._k_lon:
            raise ValueError(f"expected an area less than {WIDEST_DEG:.0f} degrees wide")
        self._circle_m = circle_m
        self.geometry = geometry
        self._reach_m = float(np.max(np.hypot(*shapely.get_coordinates(geometry).T)))
        edges = [] if circle_m is not None else _edges(geometry)
        self._edges = edges if len(edges) <= _LOOP_EDGES else []
        self._segments = None
        if len(edges) > _LOOP_EDGES:
            columns = np.array(edges)
            self._segments = Segments(columns[:, :2], columns[:, 3:5])

    @classmethod
    def circle(cls, middle: LatLon, radius_m: float) -> Self:
        """Raise ValueError unless 0 < radius_m <= 100 km."""
        if not 0 < radius_m <= 100_000:
            raise ValueError("expected 0 < radius_m <= 100000")
        return cls(middle=middle, geometry=Point(0, 0).buffer(radius_m, quad_segs=32), circle_m=radius_m)

    @classmethod
    def from_geojson(cls, geometry: Mapping[str, Any], *, radius_m: float | None = None) -> Self:
        """
        Area of a GeoJSON Polygon, MultiPolygon, or Point with `radius_m`.

        A ring whose neighbours are more than 180 degrees apart goes the shorter way, across the antimeridian; so do
        polygons cut there, as RFC 7946 (3.1.9) wants them: the cut disappears. Raises ValueError for what is no area.
        """
        kind, coordinates = geometry.get("type"), geometry.get("coordinates")
        if not isinstance(coordinates, Sequence) or isinstance(coordinates, str):
            raise ValueError("expected coordinates")  # noqa: TRY004 - bad input, whatever its type
        try:
            if kind == "Point":
                if radius_m is None:
                    raise ValueError("expected radius_m beside a Point")
                return cls.circle(_point(coordinates), radius_m)
            if kind == "Polygon":
                return cls._of_polygons([coordinates])
            if kind == "MultiPolygon":
                return cls._of_polygons(coordinates)
        except (TypeError, IndexError, KeyError, OverflowError) as exc:
            raise ValueError("expected coordinates as GeoJSON nests them") from exc
        raise ValueError("expected a Polygon, a MultiPolygon or a Point")

    @classmethod
    def _of_polygons(cls, polygons: Sequence[Any]) -> Self:
        if sum(len(ring) for rings in polygons for ring in rings) > MAX_VERTICES:
            raise ValueError(f"expected at most {MAX_VERTICES} vertices")
        first = _point(polygons[0][0][0])
        # Degrees east and north of the first vertex: no seam anywhere near.
        parts = [Polygon(rings[0], rings[1:]) for rings in ([_unwrap(r, first) for r in p] for p in polygons)]
        for part in parts:
            if not part.is_valid or part.is_empty:
                raise ValueError(f"expected a valid polygon: {shapely.is_valid_reason(part)}")
        whole = shapely.union_all(parts)
        middle_x, middle_y = whole.envelope.centroid.coords[0]
        lat_0, lon_0 = first.lat + middle_y, (first.lon + middle_x + 180.0) % 360.0 - 180.0
        k_lon = METRES_PER_DEGREE * cos(radians(lat_0))
        scaled = shapely.transform(whole, lambda c: (c - (middle_x, middle_y)) * (k_lon, METRES_PER_DEGREE))
        return cls(middle=LatLon(lat_0, lon_0), geometry=scaled)

    def xy(self, lat: float, lon: float) -> tuple[float, float]:
        """Metres east and north of the area's middle."""
        return self._k_lon * d_lon_deg(self._lon_0, lon), METRES_PER_DEGREE * (lat - self._lat_0)

    def latlon(self, x: float, y: float) -> tuple[float, float]:
        """Degrees of a point given in metres east and north of the area's middle."""
        return self._lat_0 + y / METRES_PER_DEGREE, (self._lon_0 + x / self._k_lon + 180.0) % 360.0 - 180.0

    def depth_m(self, lat: float, lon: float) -> float:
        """
        Distance to the area's edge: positive inside, negative outside (in a hole, too).

        More than FAR_M outside it may say less than the truth, but never less than FAR_M.
        """
        x, y = self.xy(lat, lon)
        if self._circle_m is not None:
            return self._circle_m - hypot(x, y)
        if (far_m := hypot(x, y) - self._reach_m) > FAR_M:
            return -far_m
        if self._segments is not None:
            return _depth_by_vectors(x, y, self._segments)
        inside, nearest_2 = False, float("inf")
        for ax, ay, by, dx, dy, inv_2 in self._edges:
            px, py = x - ax, y - ay
            if (ay > y) != (by > y) and px < dx * py / dy:
                inside = not inside
            along = (px * dx + py * dy) * inv_2
            if along >= 1.0:
                px -= dx
                py -= dy
            elif along > 0.0:
                px -= along * dx
                py -= along * dy
            d_2 = px * px + py * py
            if d_2 < nearest_2:  # noqa: PLR1730 - a call to min() here costs a fifth of the function
                nearest_2 = d_2
        return sqrt(nearest_2) if inside else -sqrt(nearest_2)

    def crossing(self, from_lat: float, from_lon: float, to_lat: float, to_lon: float) -> tuple[float, float] | None:
        """
        Where the straight way between two points outside enters the area and leaves it for good.

        As shares of the way; None when it only touches the area, or does not.
        """
        (ax, ay), (bx, by) = self.xy(from_lat, from_lon), self.xy(to_lat, to_lon)
        dx, dy = bx - ax, by - ay
        if self._circle_m is not None:
            return _through_circle(ax, ay, dx, dy, self._circle_m)
        if self._segments is not None:
            inside = LineString([(ax, ay), (bx, by)]).intersection(self.geometry)
            shares = [to_segment_m(c, (ax, ay), (bx, by))[1] for c in shapely.get_coordinates(inside).tolist()]
        else:
            shares = []
            for cx, cy, _, ex, ey, _ in self._edges:
                turn = dx * ey - dy * ex
                if turn == 0.0:
                    continue  # parallel: the neighbouring edges tell
                along_edge = ((cx - ax) * dy - (cy - ay) * dx) / turn
                share = ((cx - ax) * ey - (cy - ay) * ex) / turn
                if 0.0 <= along_edge <= 1.0 and 0.0 <= share <= 1.0:
                    shares.append(share)
        return (min(shares), max(shares)) if shares and min(shares) < max(shares) else None


def _through_circle(ax: float, ay: float, dx: float, dy: float, radius_m: float) -> tuple[float, float] | None:
    """Shares of the way from (ax, ay) along (dx, dy) at which it enters and leaves a circle around the origin."""
    length_2 = dx * dx + dy * dy
    if length_2 == 0.0:
        return None
    middle = -(ax * dx + ay * dy) / length_2
    half_2 = middle * middle - (ax * ax + ay * ay - radius_m * radius_m) / length_2
    if half_2 <= 0.0:
        return None
    half = sqrt(half_2)
    return (middle - half, middle + half) if middle - half >= 0.0 and middle + half <= 1.0 else None


def _point(lonlat: Sequence[Any]) -> LatLon:
    lon, lat = float(lonlat[0]), float(lonlat[1])
    return LatLon(lat, lon)


ROUNDING_DEG: Final = 1e-9
"""A tenth of a millimetre; a ring around a pole comes back 360 degrees away."""


def _unwrap(ring: Sequence[Any], first: LatLon) -> list[tuple[float, float]]:
    """Degrees east and north of `first`; each vertex the shorter way round from the one before."""
    points = [_point(p) for p in ring]
    if len(points) < 4:
        raise ValueError("expected at least four positions in a ring, the last like the first")
    # The first vertex of a ring is taken the shorter way from `first`, too: parts cut at the antimeridian meet again.
    east = d_lon_deg(first.lon, points[0].lon)
    unwrapped = [(east, points[0].lat - first.lat)]
    for before, point in pairwise(points):
        east += d_lon_deg(before.lon, point.lon)
        unwrapped.append((east, point.lat - first.lat))
    if points[-1] == points[0] and abs(east - unwrapped[0][0]) < ROUNDING_DEG:
        unwrapped[-1] = unwrapped[0]  # sums of differences come back to where they began, but for rounding
    return unwrapped


def _edges(geometry: BaseGeometry) -> list[_Edge]:
    """(ax, ay, by, dx, dy, 1 / length²) of every edge, holes included; edges without length left out."""
    polygons = geometry.geoms if isinstance(geometry, MultiPolygon) else [geometry]
    rings = [ring for p in polygons for ring in (p.exterior, *p.interiors)]
    found: list[_Edge] = []
    for ring in rings:
        for (ax, ay), (bx, by) in pairwise(ring.coords):
            dx, dy = bx - ax, by - ay
            if (length_2 := dx * dx + dy * dy) > 0.0:
                found.append((ax, ay, by, dx, dy, 1.0 / length_2))
    return found


def _depth_by_vectors(x: float, y: float, edges: Segments) -> float:
    nearest = sqrt(float(np.min(edges.squares(x, y)[0])))
    straddles = (edges.ay > y) != (edges.ay + edges.dy > y)
    dx, dy = edges.dx[straddles], edges.dy[straddles]
    crossings = int(np.count_nonzero(x - edges.ax[straddles] < dx * (y - edges.ay[straddles]) / dy))
    return nearest if crossings % 2 else -nearest
