"""Addresses from the installation's own file, and from others: found by typing, and of a point."""

from dataclasses import replace

import httpx
import pytest
import redis.asyncio as aioredis
from typer.testing import CliRunner

from app.__main__ import cli
from app.geocoding import chain

HOUSE = {"lat": 41.1501, "lon": -8.6101}
TOWN = """<?xml version="1.0" encoding="UTF-8"?>
<osm version="0.6">
 <node id="1" lat="41.1500" lon="-8.6120" version="1"/><node id="2" lat="41.1500" lon="-8.6060" version="1"/>
 <node id="3" lat="41.1540" lon="-8.6120" version="1"/><node id="4" lat="41.1540" lon="-8.6060" version="1"/>
 <node id="5" lat="41.1501" lon="-8.6101" version="1">
  <tag k="addr:street" v="Rua de São João"/><tag k="addr:housenumber" v="12"/></node>
 <node id="6" lat="41.1501" lon="-8.6081" version="1">
  <tag k="addr:street" v="Rua de São João"/><tag k="addr:housenumber" v="123"/></node>
 <node id="7" lat="41.1541" lon="-8.6101" version="1"><tag k="amenity" v="cafe"/><tag k="name" v="Café Aliança"/>
  <tag k="addr:street" v="Rua Nova"/><tag k="addr:housenumber" v="7"/></node>
 <node id="8" lat="41.1520" lon="-8.6100" version="1"><tag k="place" v="city"/><tag k="name" v="Porto"/></node>
 <way id="1" version="1"><nd ref="1"/><nd ref="2"/>
  <tag k="highway" v="residential"/><tag k="name" v="Rua de São João"/></way>
 <way id="2" version="1"><nd ref="3"/><nd ref="4"/>
  <tag k="highway" v="residential"/><tag k="name" v="Rua Nova"/></way>
</osm>"""


@pytest.fixture(scope="module")
def tiles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("town")
    (folder / "town.osm").write_text(TOWN)
    done = CliRunner().invoke(cli, ["map", str(folder / "town.osm"), "-o", str(folder / "town.pmtiles")])
    assert done.exit_code == 0, done.output
    assert "6 addresses" in done.stdout
    return folder / "town.pmtiles"


@pytest.fixture
def settings(settings, tiles):
    return replace(settings, map_tiles=str(tiles))


async def labels(admin, **query):
    return [item["label"] for item in (await admin.get("/v1/geocode", params=query)).json()["items"]]


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("rua de sao joao 12", "Rua de São João 12, Porto"),  # not 123, and without the accents
        ("São João 123", "Rua de São João 123, Porto"),
        ("12 são", "Rua de São João 12, Porto"),
        ("joao", "Rua de São João, Porto"),
        ("alian", "Café Aliança, Rua Nova 7, Porto"),
        ("port", "Porto"),
        ("rua nova 999", "Rua Nova, Porto"),  # no such house: its street
    ],
)
async def test_address_is_found_as_it_is_typed(admin, typed, first):
    assert (await labels(admin, q=typed))[0] == first


@pytest.mark.parametrize("typed", ["xyzzy", '"', "'; DROP", "*", "NEAR(", "a OR", "-", "(", "99999"])
async def test_words_that_mean_nothing_find_nothing(admin, typed):
    answer = await admin.get("/v1/geocode", params={"q": typed})
    assert answer.json() == {"items": [], "warnings": []}


async def test_point_has_the_address_of_the_house_else_of_the_street_else_none(admin):
    async def at(lat, lon):
        found = await admin.get("/v1/geocode/reverse", params={"lat": lat, "lon": lon})
        return [item["label"] for item in found.json()["items"]]

    assert await at(41.15012, -8.6101) == ["Rua de São João 12, Porto"]
    assert await at(41.1500, -8.6062) == ["Rua de São João, Porto"]
    assert await at(41.1600, -8.6062) == []
    assert await at(90, 180) == []


async def test_order_with_an_address_and_no_coordinates_is_found(admin):
    order = {"pickup": {"address": "Café Aliança"}, "dropoff": {"address": "Rua de Sao Joao 12"}}
    made = (await admin.post("/v1/orders", json=order)).json()
    assert made["dropoff"] | HOUSE == made["dropoff"]
    assert made["dropoff"]["address"] == "Rua de Sao Joao 12"
    assert (made["pickup"]["lat"], made["pickup"]["lon"]) == (41.1541, -8.6101)


@pytest.mark.parametrize(
    ("end", "pointer"),
    [
        ({"address": "nowhere at all"}, "/dropoff/address"),
        ({"address": "Rua Nova 999"}, "/dropoff/address"),  # somewhere along the street is not this house
        ({"address": " "}, "/dropoff"),
        ({}, "/dropoff"),
        ({"lat": 41.0, "address": "Rua Nova 7"}, "/dropoff"),
    ],
)
async def test_order_to_an_address_that_is_not_known_is_told(admin, end, pointer):
    answer = await admin.post("/v1/orders", json={"pickup": HOUSE, "dropoff": end})
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_line_of_an_import_is_found_by_its_address_and_hinders_no_other(admin):
    csv = "pickup_lat,pickup_lon,dropoff_address\n41.15,-8.61,nowhere\n41.15,-8.61,Rua de São João 12\n"
    headers = {"Content-Type": "text/csv"}
    results = (await admin.post("/v1/orders/import", content=csv, headers=headers)).json()["results"]
    assert [line["status"] for line in results] == ["invalid", "created"]
    assert results[0]["error"].startswith("/dropoff/address")
    made = (await admin.get(f"/v1/orders/{results[1]['id']}")).json()
    assert made["dropoff"] | HOUSE == made["dropoff"]


PLACE = {"lat": 41.2, "lon": -8.6}
ANSWERS = {
    "/search": [{"display_name": "Rua X 1", "lat": "41.2", "lon": "-8.6", "address": {"house_number": "1"}}],
    "/reverse": {"display_name": "Rua X 1", "lat": "41.2", "lon": "-8.6", "address": {"house_number": "1"}},
    "/maps/api/geocode/json": {
        "status": "OK",
        "results": [
            {
                "formatted_address": "Rua X 1",
                "types": ["street_address"],
                "geometry": {"location": {"lat": 41.2, "lng": -8.6}},
            }
        ],
    },
    "/1.x/": {
        "response": {
            "GeoObjectCollection": {
                "featureMember": [
                    {
                        "GeoObject": {
                            "Point": {"pos": "-8.6 41.2"},
                            "metaDataProperty": {"GeocoderMetaData": {"kind": "house", "text": "Rua X 1"}},
                        }
                    }
                ]
            }
        }
    },
}


@pytest.fixture
async def redis(redis_url):
    client = aioredis.Redis.from_url(redis_url)
    yield client
    await client.aclose()


def chain_of(settings, redis, answer, **chosen):
    http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    return chain.Geocoding(chain.finders(replace(settings, **chosen), http, redis, None))


def as_documented(request):
    return httpx.Response(200, json=ANSWERS[request.url.path])


@pytest.mark.parametrize(
    ("name", "chosen"),
    [
        ("nominatim", {"nominatim_url": "http://nominatim.example/"}),
        ("google", {"google_key": "k"}),
        ("yandex", {"yandex_key": "k"}),
    ],
)
async def test_geocoders_of_others_are_read_as_they_are_documented(settings, redis, name, chosen):
    geocoding = chain_of(settings, redis, as_documented, **chosen)
    [found] = (await geocoding.find("Rua X 1", 3, chain.LatLon(41, -8))).items
    assert (found.label, found.lat, found.lon, found.kind, found.source) == ("Rua X 1", 41.2, -8.6, "address", name)
    [found] = (await geocoding.at(chain.LatLon(41.2, -8.6), 1)).items
    assert (found.label, found.distance_m) == ("Rua X 1", 0)


@pytest.mark.parametrize("failure", [500, 403, 200, "silence"])
async def test_who_does_not_answer_hands_the_question_on_and_is_told(settings, redis, failure):
    def answer(request):
        if "nominatim" in request.url.host:
            if failure == "silence":
                raise httpx.ReadTimeout("")
            return httpx.Response(failure, json={"not": "as documented"})
        return as_documented(request)

    geocoding = chain_of(settings, redis, answer, nominatim_url="http://nominatim.example", yandex_key="k")
    told = await geocoding.find("Rua X 1", 3, None)
    assert [found.source for found in told.items] == ["yandex"]
    assert told.warnings == ["nominatim does not answer"]


async def test_limit_of_requests_holds_for_geocoders_too(settings, redis):
    geocoding = chain_of(settings, redis, as_documented, yandex_key="k", maps_requests_per_minute=1)
    answers = [await geocoding.find("Rua X 1", 1, None) for _ in range(3)]
    assert sum(bool(answer.items) for answer in answers) <= 2  # of one minute, or two
    assert answers[-1].warnings == ["yandex does not answer"]
