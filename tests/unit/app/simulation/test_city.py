"""A real city to simulate in, and the ways through it."""

import itertools
from pathlib import Path

import httpx
import pytest

from app.simulation.osm_city import city_of
from app.simulation.ways import Ways
from tracking.geo import distance_m
from tracking.position import LatLon, Mode

CITY = """<?xml version="1.0" encoding="UTF-8"?>
<osm version="0.6">
 <node id="1" lat="41.150" lon="-8.612" version="1"/><node id="2" lat="41.150" lon="-8.610" version="1"/>
 <node id="3" lat="41.152" lon="-8.610" version="1"/><node id="4" lat="41.170" lon="-8.600" version="1"/>
 <node id="5" lat="41.171" lon="-8.600" version="1"/>
 <node id="6" lat="41.1501" lon="-8.611" version="1">
  <tag k="addr:street" v="Rua A"/><tag k="addr:housenumber" v="3"/></node>
 <node id="7" lat="41.1519" lon="-8.6101" version="1"><tag k="amenity" v="restaurant"/><tag k="name" v="Tasca"/>
  <tag k="addr:street" v="Rua B"/><tag k="addr:housenumber" v="7"/></node>
 <node id="8" lat="41.1519" lon="-8.6102" version="1"><tag k="amenity" v="school"/>
  <tag k="addr:street" v="Rua B"/><tag k="addr:housenumber" v="9"/></node>
 <way id="1" version="1"><nd ref="1"/><nd ref="2"/><nd ref="3"/><tag k="highway" v="residential"/></way>
 <way id="2" version="1"><nd ref="4"/><nd ref="5"/><tag k="highway" v="residential"/></way>
 <way id="3" version="1"><nd ref="1"/><nd ref="3"/><tag k="highway" v="steps"/></way>
</osm>"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "city.osm").write_text(CITY)
    return tmp_path / "city.osm"


def test_city_has_its_streets_that_hang_together_its_kitchens_and_its_homes(source: Path) -> None:
    city = city_of(source)
    assert set(city.town.corners) == {LatLon(41.15, -8.612), LatLon(41.15, -8.61), LatLon(41.152, -8.61)}
    assert [(spot.name, spot.address) for spot in city.kitchens] == [("Tasca", "Rua B 7")]
    assert [(spot.name, spot.address) for spot in city.homes] == [("", "Rua A 3")]


def test_cut_out_without_streets_is_told(tmp_path: Path) -> None:
    (tmp_path / "none.osm").write_text('<osm version="0.6"></osm>')
    with pytest.raises(ValueError, match="no streets"):
        city_of(tmp_path / "none.osm")


LINE = [[-8.612, 41.15], [-8.6115, 41.1505], [-8.61, 41.152]]


@pytest.mark.parametrize(
    ("answer", "is_of_the_engine"),
    [
        (httpx.Response(200, json={"routes": [{"geometry": {"coordinates": LINE}}]}), True),
        (httpx.Response(200, json={"routes": []}), False),
        (httpx.Response(200, json={"routes": [{"geometry": {"coordinates": [["x", 1]]}}]}), False),
        (httpx.Response(200, content=b"no json"), False),
        (httpx.Response(500), False),
        (None, False),
    ],
)
async def test_there_is_a_way_whatever_the_engine_answers(
    source: Path, answer: httpx.Response | None, is_of_the_engine: bool
) -> None:
    def answered(_: httpx.Request) -> httpx.Response:
        if answer is None:
            raise httpx.ConnectError("")
        return answer

    town = city_of(source).town
    start, end = LatLon(41.15, -8.612), LatLon(41.152, -8.61)
    async with httpx.AsyncClient(transport=httpx.MockTransport(answered)) as http:
        way = await Ways(town, {Mode.CAR: "http://osrm"}, http).between(start, end, Mode.CAR)
        on_foot = await Ways(town, {Mode.CAR: "http://osrm"}, http).between(start, end, Mode.FOOT)
    assert (way[0], way[-1]) == (start, end)
    assert (LatLon(41.1505, -8.6115) in way) == is_of_the_engine
    assert LatLon(41.15, -8.61) in on_foot  # along the streets, not across the block
    assert all(distance_m(a, b) < 300 for a, b in itertools.pairwise(on_foot))
