"""`postrider map`: an OpenStreetMap cut-out becomes one file of vector tiles."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import osmium
import shapely
from pmtiles.tile import Compression, TileType, zxy_to_tileid
from pmtiles.writer import write as writing

from app.streets.features import ATTRIBUTION, FIRST_ZOOM, KEYS, LAST_ZOOM, Drawn, drawn_area, drawn_node, drawn_way
from app.streets.tiles import Shape, projected, tiles_of

Progress = Callable[[str, int, int], None]
"""Told what is done, and how much of how much; of 0: nobody knows yet."""


class NoStreets(Exception):
    """The file holds no streets: is it an OpenStreetMap cut-out (.osm.pbf)?"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What became of it."""

    n_shapes: int
    n_left_out: int
    """Broken outlines, and what could not be read."""
    n_tiles: int
    n_bytes: int


def build(source: Path, target: Path, progress: Progress, attribution: str = ATTRIBUTION) -> Made:
    """
    Make the tiles of a cut-out; the target is replaced once it is whole. `attribution`: what the map must say of it.

    Raises NoStreets, and what the operating system says of the files.
    """
    if not source.is_file():
        raise FileNotFoundError(2, "No such file", str(source))
    shapes, n_left_out = _read(source, progress)
    roads = [shape.geometry for shape in shapes if shape.layer == "roads"]
    if not roads:
        raise NoStreets
    # Not the header's box: tiles would end at it and leave grey margins.
    bounds = tuple(float(edge) for edge in shapely.total_bounds(roads))
    partial = target.with_name(f"{target.name}.partial")
    tiles = sorted(_tiles(shapes, bounds, progress))
    with writing(str(partial)) as writer:
        for tile_id, data in tiles:
            writer.write_tile(tile_id, data)
        writer.finalize(*_described(bounds, attribution))
    partial.replace(target)
    return Made(n_shapes=len(shapes), n_left_out=n_left_out, n_tiles=len(tiles), n_bytes=target.stat().st_size)


def _read(source: Path, progress: Progress) -> tuple[list[Shape], int]:
    factory = osmium.geom.WKBFactory()
    shapes: list[Shape] = []
    n_left_out = 0
    found = osmium.FileProcessor(str(source)).with_areas().with_filter(osmium.filter.KeyFilter(*KEYS))
    for n, thing in enumerate(found):
        if n % 1000 == 0:
            progress("read", n, 0)
        try:
            shapes += _shapes_of(thing, factory)
        except (osmium.InvalidLocationError, RuntimeError, shapely.errors.GEOSException):
            n_left_out += 1  # a way that leaves the cut-out, an outline that is none: the others stand
    return shapes, n_left_out


def _shapes_of(thing: Any, factory: Any) -> Iterator[Shape]:
    tags = {tag.k: tag.v for tag in thing.tags}
    drawn: Drawn | None
    match thing.type_str():
        case "n":
            drawn, make = drawn_node(tags), factory.create_point
        case "w":
            drawn, make = drawn_way(tags), factory.create_linestring
        case _:
            drawn, make = drawn_area(tags), factory.create_multipolygon
    if drawn is None:
        return
    geometry = shapely.from_wkb(make(thing))
    if not geometry.is_valid:
        geometry = shapely.make_valid(geometry)
    for part in shapely.get_parts(geometry):
        yield Shape(
            layer=drawn.layer, first_zoom=drawn.first_zoom, geometry=projected(part), properties=drawn.properties
        )


def _tiles(shapes: Sequence[Shape], bounds: tuple[float, ...], progress: Progress) -> Iterator[tuple[int, bytes]]:
    n_zooms = LAST_ZOOM - FIRST_ZOOM + 1
    for done, zoom in enumerate(range(FIRST_ZOOM, LAST_ZOOM + 1)):
        progress("tiles", done, n_zooms)
        west, north, east, south = bounds
        for x, y, data in tiles_of(shapes, (west, north, east, south), zoom):
            yield zxy_to_tileid(zoom, x, y), data
    progress("tiles", n_zooms, n_zooms)


def _described(bounds: tuple[float, ...], attribution: str) -> tuple[dict[str, Any], dict[str, Any]]:
    west, north, east, south = _degrees_e7(bounds)
    header = {
        "tile_type": TileType.MVT,
        "tile_compression": Compression.GZIP,
        "min_lon_e7": west,
        "min_lat_e7": south,
        "max_lon_e7": east,
        "max_lat_e7": north,
        "center_zoom": 13,
        "center_lon_e7": (west + east) // 2,
        "center_lat_e7": (south + north) // 2,
    }
    layers = ("earth", "landuse", "water", "roads", "buildings", "places", "pois")
    known = [{"id": name, "fields": {}, "minzoom": FIRST_ZOOM, "maxzoom": LAST_ZOOM} for name in layers]
    return header, {"name": "Postrider streets", "attribution": attribution, "vector_layers": known}


def _degrees_e7(bounds: tuple[float, ...]) -> tuple[int, int, int, int]:
    def lat(y: float) -> float:
        return math.degrees(math.atan(math.sinh((0.5 - y) * 2 * math.pi)))

    west, north, east, south = bounds
    degrees = (west * 360 - 180, lat(north), east * 360 - 180, lat(south))
    a, b, c, d = (round(value * 1e7) for value in degrees)
    return a, b, c, d
