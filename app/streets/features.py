"""
What of OpenStreetMap stands on the map, as the Protomaps schema names it: layer, kind, and from which zoom; pure.

https://docs.protomaps.com/basemaps/layers names the layers and kinds; what the page does not draw is left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

FIRST_ZOOM: Final = 8
LAST_ZOOM: Final = 15
"""The page shows closer views from the tiles of this one."""

ATTRIBUTION: Final = '<a href="https://www.openstreetmap.org/copyright">© OpenStreetMap contributors</a>'
"""Owed by the licence of the data (ODbL), wherever it is shown."""
ROADS: Final[Mapping[str, tuple[str, int]]] = {
    "motorway": ("highway", 8),
    "trunk": ("major_road", 8),
    "primary": ("major_road", 9),
    "secondary": ("major_road", 10),
    "tertiary": ("major_road", 11),
    "residential": ("minor_road", 12),
    "unclassified": ("minor_road", 12),
    "living_street": ("minor_road", 13),
    "road": ("minor_road", 13),
    "busway": ("minor_road", 13),
    "service": ("minor_road", 14),
    "pedestrian": ("path", 13),
    "footway": ("path", 14),
    "path": ("path", 14),
    "cycleway": ("path", 14),
    "steps": ("path", 14),
    "track": ("path", 14),
}
"""By `highway`: kind, and the zoom from which it shows."""
RAILS: Final = frozenset({"rail", "light_rail", "subway", "tram", "funicular"})
LANDUSES: Final[Mapping[tuple[str, str], str]] = {
    ("leisure", "park"): "park",
    ("leisure", "garden"): "park",
    ("leisure", "pitch"): "pitch",
    ("leisure", "playground"): "playground",
    ("leisure", "nature_reserve"): "nature_reserve",
    ("leisure", "golf_course"): "golf_course",
    ("landuse", "forest"): "forest",
    ("natural", "wood"): "wood",
    ("natural", "scrub"): "scrub",
    ("natural", "beach"): "beach",
    ("natural", "sand"): "sand",
    ("landuse", "grass"): "grass",
    ("landuse", "meadow"): "grassland",
    ("natural", "grassland"): "grassland",
    ("landuse", "cemetery"): "cemetery",
    ("landuse", "farmland"): "farmland",
    ("landuse", "industrial"): "industrial",
    ("landuse", "residential"): "residential",
    ("landuse", "railway"): "railway",
    ("landuse", "military"): "military",
    ("amenity", "school"): "school",
    ("amenity", "university"): "university",
    ("amenity", "hospital"): "hospital",
    ("aeroway", "aerodrome"): "aerodrome",
    ("aeroway", "runway"): "runway",
    ("tourism", "zoo"): "zoo",
    ("highway", "pedestrian"): "pedestrian",
}
PLACES: Final[Mapping[str, tuple[str, int]]] = {
    "city": ("locality", 8),
    "town": ("locality", 9),
    "village": ("locality", 11),
    "suburb": ("neighbourhood", 12),
    "quarter": ("neighbourhood", 13),
    "neighbourhood": ("neighbourhood", 14),
}
POIS: Final = frozenset(
    {"restaurant", "cafe", "fast_food", "bar", "pub", "pharmacy", "hospital", "school", "university", "bank"}
    | {"supermarket", "bakery", "hotel", "station", "marketplace", "townhall", "library", "post_office", "theatre"}
)
KEYS: Final = (
    "highway", "railway", "building", "landuse", "leisure", "natural", "water", "waterway", "place", "amenity", "shop",
    "tourism", "aeroway",
)  # fmt: skip
"""Whatever has none of these is not looked at."""


Properties = Mapping[str, str | int | bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """How something stands on the map."""

    layer: str
    first_zoom: int
    properties: Properties = field(default_factory=dict)


def drawn_node(tags: Mapping[str, str]) -> Drawn | None:
    """A point: the name of a place, or something people look for."""
    name = tags.get("name")
    if not name:
        return None
    if (place := PLACES.get(tags.get("place", ""))) is not None:
        kind, zoom = place
        rank = {"city": 11, "town": 8}.get(tags["place"], 4)
        found: Properties = {
            "name": name,
            "kind": kind,
            "kind_detail": tags["place"],
            "population_rank": rank,
            "min_zoom": zoom,
        }
        return Drawn(layer="places", first_zoom=zoom, properties=found)
    for key in ("amenity", "shop", "tourism", "railway"):
        if (kind := tags.get(key, "")) in POIS:
            return Drawn(layer="pois", first_zoom=LAST_ZOOM, properties={"name": name, "kind": kind, "min_zoom": 16})
    return None


def drawn_way(tags: Mapping[str, str]) -> Drawn | None:
    """A line: a street, a path, rails, a river."""
    if "highway" in tags and tags.get("area") != "yes":
        return _road(tags)
    if tags.get("railway") in RAILS and "tunnel" not in tags:
        rail: Properties = {"kind": "rail", "kind_detail": tags["railway"], "min_zoom": 12}
        return Drawn(layer="roads", first_zoom=12, properties=rail)
    if (kind := tags.get("waterway")) in {"river", "stream", "canal"} and "tunnel" not in tags:
        return Drawn(layer="water", first_zoom=9 if kind == "river" else 13, properties=_named(tags, kind))
    return None


def drawn_area(tags: Mapping[str, str]) -> Drawn | None:
    """A polygon: a building, water, what the ground is used for."""
    if "building" in tags:
        return Drawn(layer="buildings", first_zoom=14, properties={"kind": "building"})
    if tags.get("natural") in {"water", "bay"} or tags.get("waterway") == "riverbank":
        return Drawn(layer="water", first_zoom=FIRST_ZOOM, properties=_named(tags, tags.get("water", "water")))
    for key, value in tags.items():
        if (kind := LANDUSES.get((key, value))) is not None:
            return Drawn(layer="landuse", first_zoom=11, properties={"kind": kind})
    return None


def _road(tags: Mapping[str, str]) -> Drawn | None:
    detail = tags["highway"]
    is_link = detail.endswith("_link")
    detail = detail.removesuffix("_link")
    if detail not in ROADS:
        return None
    kind, zoom = ROADS[detail]
    found = {"kind_detail": detail, "min_zoom": zoom, **_named(tags, kind)}
    flags = {"is_link": is_link, "is_bridge": "bridge" in tags, "is_tunnel": tags.get("tunnel", "no") != "no"}
    found |= {name: True for name, holds in flags.items() if holds}
    return Drawn(layer="roads", first_zoom=zoom + is_link, properties=found)


def _named(tags: Mapping[str, str], kind: str) -> Properties:
    return {"kind": kind} | ({"name": tags["name"]} if tags.get("name") else {})
