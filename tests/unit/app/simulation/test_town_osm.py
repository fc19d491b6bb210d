"""A made-up town as a file of streets, houses and kitchens."""

from collections import Counter
from itertools import pairwise
from math import hypot
from pathlib import Path

from app.simulation.osm_city import city_of
from app.simulation.town import Town
from app.simulation.town_osm import streets_of, write
from tracking.position import LatLon

TOWN = Town.build(LatLon(41.1579, -8.6291), 700, 1)


def test_every_block_is_in_one_street_and_streets_go_on() -> None:
    streets = streets_of(TOWN)
    blocks = Counter(frozenset(block) for street in streets for block in pairwise(street))
    assert blocks == Counter({frozenset((a, b)) for a, nexts in enumerate(TOWN.streets) for b, _ in nexts})
    assert len(streets) < len(blocks) / 2


def test_file_holds_the_town_and_is_the_same_for_the_same_seed(tmp_path: Path) -> None:
    for name in ("a.osm", "b.osm"):
        write(TOWN, tmp_path / name, 1)
    assert (tmp_path / "a.osm").read_bytes() == (tmp_path / "b.osm").read_bytes()
    city = city_of(tmp_path / "a.osm")
    there, wanted = (sorted((c.lat, c.lon) for c in town.corners) for town in (city.town, TOWN))
    # The file knows a centimetre, so what lies that near may stand the other way round.
    assert len(there) == len(wanted)
    assert max(min(hypot(a - c, b - d) for c, d in wanted) for a, b in there) < 1e-6
    assert len(city.homes) > len(TOWN.corners)
    assert len(city.kitchens) > 10
    assert len({spot.words for spot in (*city.homes, *city.kitchens)}) == len(city.homes) + len(city.kitchens)
