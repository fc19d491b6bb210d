"""A real city to simulate in: its streets, its kitchens and the houses of its people, from an OpenStreetMap cut-out."""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import osmium

from app.simulation.city import City, Spot
from app.simulation.town import AVENUE_BONUS, Town, largest_part
from tracking.geo import distance_m
from tracking.position import LatLon

STREETS: Final = frozenset(
    {"trunk", "primary", "secondary", "tertiary", "residential", "unclassified", "living_street", "service"}
    | {"pedestrian"}
)
AVENUES: Final = frozenset({"trunk", "primary", "secondary", "tertiary"})
KITCHENS: Final = frozenset({"restaurant", "fast_food", "cafe"})
KEYS: Final = ("highway", "addr:housenumber", "amenity")


def city_of(source: Path) -> City:
    """The city of a cut-out. ValueError where it has no streets."""
    numbers: dict[int, int] = {}
    places: list[LatLon] = []
    edges: dict[int, dict[int, float]] = {}
    kitchens: list[Spot] = []
    homes: list[Spot] = []
    thing: Any  # a node or a way, by what it says of itself
    for thing in osmium.FileProcessor(str(source)).with_locations().with_filter(osmium.filter.KeyFilter(*KEYS)):
        tags = {tag.k: tag.v for tag in thing.tags}
        if thing.is_way() and (kind := tags.get("highway", "").removesuffix("_link")) in STREETS:
            weight = AVENUE_BONUS if kind in AVENUES else 1.0
            for a, b in pairwise(node for node in thing.nodes if node.location.valid()):
                ends = [_corner(node, numbers, places) for node in (a, b)]
                length_m = distance_m(places[ends[0]], places[ends[1]]) * weight
                for start, end in (ends, reversed(ends)):
                    edges.setdefault(start, {})[end] = length_m
        elif (spot := _spot(thing, tags)) is not None:
            (kitchens if tags.get("amenity") in KITCHENS else homes).append(spot)
    keep = largest_part(edges)
    if not keep:
        raise ValueError("there are no streets in it")
    renumbered = {old: new for new, old in enumerate(keep)}
    streets = tuple(tuple((renumbered[to], length_m) for to, length_m in edges[old].items()) for old in keep)
    return City(town=Town(tuple(places[old] for old in keep), streets), kitchens=kitchens, homes=homes)


def _corner(node: Any, numbers: dict[int, int], places: list[LatLon]) -> int:
    if node.ref not in numbers:
        numbers[node.ref] = len(places)
        places.append(LatLon(node.lat, node.lon))
    return numbers[node.ref]


def _spot(thing: Any, tags: Mapping[str, str]) -> Spot | None:
    """None where there is no full address, or no name of a kitchen."""
    street, number, is_kitchen = tags.get("addr:street"), tags.get("addr:housenumber"), tags.get("amenity") in KITCHENS
    if not street or not number or (is_kitchen and not tags.get("name")) or ("amenity" in tags and not is_kitchen):
        return None
    if thing.is_node():
        at = LatLon(thing.location.lat, thing.location.lon)
    elif thing.is_way() and thing.nodes[0].location.valid():
        at = LatLon(thing.nodes[0].lat, thing.nodes[0].lon)
    else:
        return None
    return Spot(at=at, address=f"{street} {number}", name=tags.get("name", "") if is_kitchen else "")
