"""How the page draws the installation's own tiles: a MapLibre style, light and dark, with no glyphs and no sprite."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from app.streets.features import ATTRIBUTION, FIRST_ZOOM, LAST_ZOOM

Theme = Literal["light", "dark"]

COLOURS: Final[Mapping[Theme, Mapping[str, str]]] = {
    "light": {
        "earth": "#f6f6f2", "green": "#dcebd3", "built": "#ecebe6", "water": "#bcd7e8",
        "building": "#e3e0d8", "casing": "#d3d0c8", "highway": "#f7d48a", "major": "#fdf0c8", "minor": "#ffffff",
        "path": "#d9d4c7", "rail": "#b9bdc4", "text": "#334155", "water_text": "#3a6f94", "halo": "#ffffff",
    },
    "dark": {
        "earth": "#151e2e", "green": "#182c28", "built": "#192334", "water": "#0d2a43",
        "building": "#1f2a3d", "casing": "#101827", "highway": "#6b5a35", "major": "#4a4a45", "minor": "#324056",
        "path": "#2a364a", "rail": "#3b4a63", "text": "#cbd5e1", "water_text": "#6ea3c8", "halo": "#0b1220",
    },
}  # fmt: skip
GREEN: Final = (
    "park",
    "forest",
    "wood",
    "grass",
    "grassland",
    "scrub",
    "cemetery",
    "golf_course",
    "nature_reserve",
    "zoo",
)
"""Kinds of `landuse` that are drawn green; the others as built-up."""


def style(
    theme: Theme, tiles_url: str, bounds: tuple[float, float, float, float], attribution: str = ATTRIBUTION
) -> dict[str, Any]:
    """The style; `bounds`: west, south, east, north of the tiles, in degrees."""
    colours = COLOURS[theme]
    source = {
        "type": "vector",
        "tiles": [tiles_url],
        "minzoom": FIRST_ZOOM,
        "maxzoom": LAST_ZOOM,
        "bounds": list(bounds),
        "attribution": attribution,
    }
    return {
        "version": 8,
        "name": f"streets, {theme}",
        "sources": {"streets": source},
        "layers": [
            # As the land: a cut-out is a shape of its own, and its edge is nothing to look at.
            {"id": "beyond", "type": "background", "paint": {"background-color": colours["earth"]}},
            _fill("earth", colours["earth"]),
            _fill("landuse", ["match", ["get", "kind"], list(GREEN), colours["green"], colours["built"]]),
            _fill("water", colours["water"], only=["==", ["geometry-type"], "Polygon"]),
            _line("rivers", "water", colours["water"], (8, 1.0, 16, 6.0), only=["==", ["geometry-type"], "LineString"]),
            _fill("buildings", colours["building"]),
            _line("rails", "roads", colours["rail"], (12, 0.6, 16, 1.6), only=_kind("rail")),
            _line("paths", "roads", colours["path"], (13, 0.6, 17, 2.5), only=_kind("path")),
            _line("minor-casing", "roads", colours["casing"], (12, 1.0, 18, 17.0), only=_kind("minor_road")),
            _line("minor", "roads", colours["minor"], (12, 0.6, 18, 15.0), only=_kind("minor_road")),
            _line("major-casing", "roads", colours["casing"], (8, 1.2, 18, 26.0), only=_kind("major_road")),
            _line("major", "roads", colours["major"], (8, 0.7, 18, 23.0), only=_kind("major_road")),
            _line("highway-casing", "roads", colours["casing"], (8, 2.0, 18, 30.0), only=_kind("highway")),
            _line("highway", "roads", colours["highway"], (8, 1.4, 18, 27.0), only=_kind("highway")),
            _names("road-names", "roads", colours, along=True, size=11),
            _names("water-names", "water", {**colours, "text": colours["water_text"]}, along=True, size=11),
            _names("poi-names", "pois", colours, size=10, minzoom=16),
            _names("place-names", "places", colours, size=13),
        ],
    }


def _kind(kind: str) -> list[Any]:
    return ["==", ["get", "kind"], kind]


def _layer(name: str, kind: str, layer: str, only: list[Any] | None) -> dict[str, Any]:
    found = {"id": name, "type": kind, "source": "streets", "source-layer": layer}
    return found if only is None else {**found, "filter": only}


def _fill(layer: str, colour: Any, *, only: list[Any] | None = None) -> dict[str, Any]:
    return {**_layer(layer, "fill", layer, only), "paint": {"fill-color": colour}}


def _line(
    name: str, layer: str, colour: str, widths: tuple[float, float, float, float], *, only: list[Any]
) -> dict[str, Any]:
    return {
        **_layer(name, "line", layer, only),
        "layout": {"line-cap": "round", "line-join": "round"},
        "paint": {"line-color": colour, "line-width": ["interpolate", ["exponential", 1.6], ["zoom"], *widths]},
    }


def _names(
    name: str, layer: str, colours: Mapping[str, str], *, size: int, along: bool = False, minzoom: int = FIRST_ZOOM
) -> dict[str, Any]:
    placed = {"symbol-placement": "line"} if along else {"text-max-width": 8}
    return {
        **_layer(name, "symbol", layer, ["has", "name"]),
        "minzoom": minzoom,
        "layout": {"text-field": ["get", "name"], "text-size": size, **placed},
        "paint": {"text-color": colours["text"], "text-halo-color": colours["halo"], "text-halo-width": 1.4},
    }
