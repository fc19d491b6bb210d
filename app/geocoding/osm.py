"""The addresses, streets and named places of an OpenStreetMap cut-out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import osmium

from app.geocoding.found import Entry, Kind
from tracking.geo import distance_m
from tracking.position import LatLon

POIS: Final = ("amenity", "shop", "tourism", "office", "leisure", "craft", "public_transport")
"""Something with one of these and a name is looked for by its name."""
PLACES: Final = frozenset({"city", "town", "village", "suburb", "quarter", "neighbourhood", "square", "locality"})
KEYS: Final = ("addr:housenumber", "highway", "place", *POIS)
STEP_M: Final = 40.0
"""A street is known at least so often along its way."""
TOWNS: Final = frozenset({"city", "town", "village"})


def entries(source: Path) -> list[Entry]:
    """All of the file; a house without a town belongs to the nearest one."""
    found: list[Entry] = []
    streets: dict[str, list[tuple[LatLon, ...]]] = {}
    towns: list[Entry] = []
    for thing in osmium.FileProcessor(str(source)).with_locations().with_filter(osmium.filter.KeyFilter(*KEYS)):
        tags = {tag.k: tag.v for tag in thing.tags}
        points = _points(thing)
        if not points:
            continue
        if "highway" in tags and tags.get("name") and len(points) > 1:
            streets.setdefault(tags["name"], []).append(points)
            continue
        entry = entry_of(tags, points)
        if entry is not None:
            found.append(entry)
            if tags.get("place") in TOWNS:
                towns.append(entry)
    found += [_street(name, ways) for name, ways in streets.items()]
    return [_in_its_town(entry, towns) for entry in found]


def entry_of(tags: Mapping[str, str], points: Sequence[LatLon]) -> Entry | None:
    """What the tags say can be found there: a house, something with a name; None: nothing."""
    at = (LatLon(sum(p.lat for p in points) / len(points), sum(p.lon for p in points) / len(points)),)
    street, number = tags.get("addr:street", tags.get("addr:place", "")), tags.get("addr:housenumber", "")
    city, name = tags.get("addr:city", ""), tags.get("name", "")
    if name and tags.get("place") in PLACES:
        return Entry(kind=Kind.PLACE, name=name, at=at)
    if name and any(key in tags for key in POIS):
        return Entry(kind=Kind.POI, name=name, street=street, number=number, city=city, at=at)
    if street and number:
        return Entry(kind=Kind.ADDRESS, street=street, number=number, city=city, at=at)
    return None


def _points(thing: Any) -> tuple[LatLon, ...]:
    if thing.is_node():
        return (LatLon(thing.location.lat, thing.location.lon),)
    if thing.is_way():
        return tuple(LatLon(node.lat, node.lon) for node in thing.nodes if node.location.valid())
    return ()


def _street(name: str, ways: Sequence[tuple[LatLon, ...]]) -> Entry:
    """The longest way first in line for the marker: it stands in its middle."""
    ways = sorted(ways, key=len)
    points = [point for way in ways[:-1] for point in _stepped(way)]
    middle = list(_stepped(ways[-1]))
    before = points[: len(points) // 2]
    return Entry(kind=Kind.STREET, street=name, at=(*before, *middle, *points[len(before) :]))


def _stepped(way: Sequence[LatLon]) -> Iterator[LatLon]:
    for a, b in pairwise(way):
        n = max(1, int(distance_m(a, b) / STEP_M))
        for i in range(n):
            yield LatLon(a.lat + (b.lat - a.lat) * i / n, a.lon + (b.lon - a.lon) * i / n)
    yield way[-1]


def _in_its_town(entry: Entry, towns: Sequence[Entry]) -> Entry:
    if entry.city or entry.kind is Kind.PLACE or not towns:
        return entry
    town = min(towns, key=lambda town: distance_m(town.middle, entry.middle)).name
    return replace(entry, city=town)
