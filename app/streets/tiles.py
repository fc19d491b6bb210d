"""Shapes to vector tiles: projected, cut and encoded; pure."""

import gzip
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import mapbox_vector_tile
import numpy as np
import numpy.typing as npt
import shapely

from app.streets.features import LAST_ZOOM

EXTENT: Final = 4096
MARGIN: Final = 64 / EXTENT
"""Of a tile's width, drawn beyond its edge: lines and names that end there would show the seam."""
STEP: Final = 1.5 / EXTENT
"""Of a tile's width: finer detail is left out below the last zoom."""
MAX_LAT: Final = 85.0511
"""Web Mercator ends there (arctan(sinh(pi)))."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Something to draw, in Web Mercator with the world as the unit square, north at 0."""

    layer: str
    first_zoom: int
    geometry: Any
    properties: Mapping[str, str | int | bool]


def projected(geometry: Any) -> Any:
    """From degrees (lon, lat) to the unit square."""
    return shapely.transform(geometry, _project)


def _project(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    lats = np.radians(np.clip(points[:, 1], -MAX_LAT, MAX_LAT))
    return np.column_stack(((points[:, 0] + 180) / 360, 0.5 - np.arcsinh(np.tan(lats)) / (2 * math.pi)))


def tiles_of(
    shapes: Sequence[Shape], bounds: tuple[float, float, float, float], zoom: int
) -> Iterator[tuple[int, int, bytes]]:
    """
    The tiles of a zoom inside `bounds` (of the unit square): x, y and the gzipped tile; none where nothing is.

    Everything ends at the bounds, where the data does: `earth` is the ground inside them.
    """
    n = 2**zoom
    shown = [shape for shape in shapes if shape.first_zoom <= zoom]
    tree = shapely.STRtree([shape.geometry for shape in shown])
    west, north, east, south = bounds
    ground = Shape(layer="earth", first_zoom=0, geometry=shapely.box(*bounds), properties={"kind": "earth"})
    for x in range(int(west * n), int(east * n) + 1):
        for y in range(int(north * n), int(south * n) + 1):
            box = (x / n, y / n, (x + 1) / n, (y + 1) / n)
            frame = _meet((box[0] - MARGIN / n, box[1] - MARGIN / n, box[2] + MARGIN / n, box[3] + MARGIN / n), bounds)
            found = [shown[i] for i in sorted(tree.query(shapely.box(*frame)).tolist())]
            if found:
                simple = 0.0 if zoom == LAST_ZOOM else STEP / n
                yield x, y, gzip.compress(_encoded([ground, *found], box, frame, simple), mtime=0)


def _meet(a: tuple[float, ...], b: tuple[float, ...]) -> tuple[float, float, float, float]:
    return max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])


def _encoded(
    shapes: Sequence[Shape], box: tuple[float, ...], frame: tuple[float, float, float, float], simple: float
) -> bytes:
    layers: dict[str, list[dict[str, Any]]] = {}
    corner, scale = np.array(box[:2]), EXTENT / (box[2] - box[0])
    for shape in shapes:
        geometry = shapely.simplify(shape.geometry, simple) if simple else shape.geometry
        cut = shapely.clip_by_rect(geometry, *frame)
        # On whole numbers already: the encoder's own way there is deprecated by shapely.
        for part in shapely.get_parts(shapely.transform(cut, lambda points: np.rint((points - corner) * scale))):
            if not part.is_empty:
                layers.setdefault(shape.layer, []).append({"geometry": part, "properties": dict(shape.properties)})
    encoded: bytes = mapbox_vector_tile.encode(
        [{"name": name, "features": features} for name, features in layers.items()],
        default_options={"extents": EXTENT, "y_coord_down": True, "on_invalid_geometry": _mended},
    )
    return encoded


def _mended(outline: Any) -> Any:
    """What is left of an outline that crosses itself on whole numbers; none where only lines are."""
    parts = shapely.get_parts(shapely.make_valid(outline))
    flat = [part for part in shapely.get_parts(parts) if part.geom_type == "Polygon"]
    return shapely.MultiPolygon(flat) if flat else None
