"""
A made-up town as an OpenStreetMap file, so that it has all that a real city has: a map, addresses, ways by mode.

The same town and seed make the same file.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Final
from xml.sax.saxutils import quoteattr

from app.simulation.city import N_KITCHENS
from app.simulation.names import NAMES, SURNAMES
from app.simulation.town import Town
from tracking.geo import bearing_deg, distance_m
from tracking.position import LatLon

ATTRIBUTION: Final = "A made-up town"
NAME: Final = "Postrider"
STRAIGHT_DEG: Final = 40.0
"""A street goes on where it turns by less than this."""
HOUSE_M: Final = (9.0, 16.0)
"""Half of the sides of a house."""
SET_BACK_M: Final = 24.0
"""From the middle of the street to the middle of the house."""
METRES_PER_DEGREE: Final = 111_195.0
KITCHENS: Final = ("Tavern", "Kitchen", "Grill", "Noodles", "Pizza", "Bakery", "Diner", "Curry House")

Street = Sequence[int]
"""Corners one after the other."""


def write(town: Town, target: Path, seed: int) -> None:
    """Write the town's file; it is there as a whole or not at all."""
    partial = target.with_name(f"{target.name}.partial")
    with partial.open("w", encoding="utf-8") as file:
        file.writelines(_lines(town, Random(f"houses {seed}")))  # noqa: S311 - a town, no secret
    partial.replace(target)


def streets_of(town: Town) -> list[Street]:
    """Every edge of the town once, in streets that go straight on where they can."""
    free = {frozenset((a, b)) for a, nexts in enumerate(town.streets) for b, _ in nexts}
    found: list[Street] = []
    for a, nexts in enumerate(town.streets):
        for b, _ in nexts:
            if frozenset((a, b)) in free:
                free.discard(frozenset((a, b)))
                ahead = _straight_on(town, a, b, free)
                behind = _straight_on(town, b, a, free)
                found.append([*reversed(behind), a, b, *ahead])
    return found


def _straight_on(town: Town, before: int, corner: int, free: set[frozenset[int]]) -> list[int]:
    """Corners after `corner` for whoever comes from `before`; takes the edges out of `free`."""
    found: list[int] = []
    while True:
        course = bearing_deg(town.corners[before], town.corners[corner])
        turns = [
            (_turn_deg(course, bearing_deg(town.corners[corner], town.corners[to])), to)
            for to, _ in town.streets[corner]
            if frozenset((corner, to)) in free
        ]
        if not turns or min(turns)[0] > STRAIGHT_DEG:
            return found
        before, corner = corner, min(turns)[1]
        free.discard(frozenset((before, corner)))
        found.append(corner)


def _turn_deg(a: float, b: float) -> float:
    return abs((b - a + 180) % 360 - 180)


def _lines(town: Town, random: Random) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="UTF-8"?>\n<osm version="0.6">\n'
    number = 0
    for number, corner in enumerate(town.corners, 1):
        yield _node(number, corner)
    middle = LatLon(*(sum(part) / len(town.corners) for part in zip(*(c.latlon for c in town.corners), strict=True)))
    yield _node(number + 1, middle, {"place": "town", "name": NAME})
    streets = streets_of(town)
    ways = [_way(n, street, _street_tags(town, street, n)) for n, street in enumerate(streets, 1)]
    first, way = number + 2, len(ways)
    kitchens = set(random.sample(range(len(streets)), min(N_KITCHENS, len(streets))))
    for n, street in enumerate(streets, 1):
        for house, (at, along_deg) in enumerate(_houses(town, street), 1):
            tags = {"addr:street": _name(n), "addr:housenumber": str(house)}
            if house == 1 and n - 1 in kitchens:
                kind = random.choice(KITCHENS)
                tags |= {"amenity": "restaurant", "name": f"{random.choice(NAMES)}’s {kind}"}
            corners = _outline(at, along_deg, random)
            yield from (_node(first + k, place) for k, place in enumerate(corners))
            way += 1
            ways.append(_way(way, [*(first + k - 1 for k in range(len(corners))), first - 1], {"building": "yes"}))
            yield _node(first + len(corners), at, tags)
            first += len(corners) + 1
    yield from ways
    yield "</osm>\n"


def _street_tags(town: Town, street: Street, number: int) -> dict[str, str]:
    length_m = sum(distance_m(town.corners[a], town.corners[b]) for a, b in pairwise(street))
    counted_m = sum(dict(town.streets[a])[b] for a, b in pairwise(street))
    # An avenue's metres count as fewer.
    return {"highway": "secondary" if counted_m < 0.9 * length_m else "residential", "name": _name(number)}


def _name(number: int) -> str:
    again, first = divmod(number - 1, len(SURNAMES))
    return f"{NAMES[again % len(NAMES)]} {SURNAMES[first]} Street" if again else f"{SURNAMES[first]} Street"


def _houses(town: Town, street: Street) -> Iterator[tuple[LatLon, float]]:
    """On both sides of every block one: where, and the course of the street."""
    for a, b in pairwise(street):
        start, end = town.corners[a], town.corners[b]
        course = bearing_deg(start, end)
        for share, side in ((0.36, 90), (0.64, -90)):
            at = LatLon(start.lat + (end.lat - start.lat) * share, start.lon + (end.lon - start.lon) * share)
            yield _moved(at, course + side, SET_BACK_M), course


def _outline(at: LatLon, along_deg: float, random: Random) -> list[LatLon]:
    along_m, across_m = random.uniform(*HOUSE_M), random.uniform(8, 11)
    radius_m, angle = math.hypot(along_m, across_m), math.degrees(math.atan2(across_m, along_m))
    return [_moved(at, along_deg + turn, radius_m) for turn in (angle, 180 - angle, 180 + angle, -angle)]


def _moved(at: LatLon, course_deg: float, metres: float) -> LatLon:
    north, east = metres * math.cos(math.radians(course_deg)), metres * math.sin(math.radians(course_deg))
    scale = METRES_PER_DEGREE * math.cos(math.radians(at.lat))
    return LatLon(at.lat + north / METRES_PER_DEGREE, at.lon + east / scale)


def _node(number: int, at: LatLon, tags: Mapping[str, str] | None = None) -> str:
    return f'<node id="{number}" lat="{at.lat:.7f}" lon="{at.lon:.7f}" version="1">{_tags(tags or {})}</node>\n'


def _way(number: int, corners: Sequence[int], tags: Mapping[str, str]) -> str:
    """`corners` count from 0, nodes from 1."""
    references = "".join(f'<nd ref="{corner + 1}"/>' for corner in corners)
    return f'<way id="{number}" version="1">{references}{_tags(tags)}</way>\n'


def _tags(tags: Mapping[str, str]) -> str:
    return "".join(f"<tag k={quoteattr(key)} v={quoteattr(value)}/>" for key, value in tags.items())
