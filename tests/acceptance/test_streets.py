"""Streets with no internet: `postrider map` makes the file, the API serves it."""

import gzip
from dataclasses import replace

import mapbox_vector_tile
import pytest
from pmtiles.tile import zxy_to_tileid
from typer.testing import CliRunner

from app.__main__ import cli
from app.settings import SettingError
from app.streets.tile_file import TileFile
from tests.engines import PORTO_CENTRE, grid_of_streets

ANYBODY = {"Authorization": ""}


@pytest.fixture(scope="module")
def tiles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("map")
    streets, target = grid_of_streets(folder / "grid.osm"), folder / "grid.pmtiles"
    done = CliRunner().invoke(cli, ["map", str(streets), "-o", str(target)])
    assert done.exit_code == 0, done.output
    assert "tiles" in done.stdout
    return target


@pytest.fixture
def settings(settings, tiles):
    return replace(settings, map_tiles=str(tiles))


@pytest.fixture
def page(admin):
    """Whoever has a page: no token."""
    admin.headers.pop("Authorization")
    return admin


def at(zoom):
    """The tile of the middle of the grid."""
    from math import asinh, pi, radians, tan  # noqa: PLC0415

    n = 2**zoom
    x = (PORTO_CENTRE.lon + 180) / 360 * n
    y = (0.5 - asinh(tan(radians(PORTO_CENTRE.lat))) / (2 * pi)) * n
    return f"{zoom}/{int(x)}/{int(y)}.mvt"


async def test_style_names_the_tiles_that_are_there(page):
    for theme in ("light", "dark"):
        style = (await page.get("/map/style.json", params={"theme": theme})).json()
        assert not {"glyphs", "sprite"} & set(style)
        source = style["sources"]["streets"]
        assert "OpenStreetMap" in source["attribution"]
        west, south, east, north = source["bounds"]
        assert west < PORTO_CENTRE.lon < east
        assert south < PORTO_CENTRE.lat < north
        [url] = source["tiles"]
        url = url.replace("{z}/{x}/{y}.mvt", at(15))
        answer = await page.get(url)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/vnd.mapbox-vector-tile")
        layers = mapbox_vector_tile.decode(answer.content)
        assert {"earth", "roads"} <= set(layers)
        drawn = {layer["source-layer"] for layer in style["layers"] if "source-layer" in layer}
        assert set(layers) <= drawn
    config = (await page.get("/ui/config.json")).json()
    assert config["map_style_url"] == "/map/style.json"


async def test_tiles_lie_gzipped_and_are_unpacked_for_who_cannot(page):
    packed = await page.get(f"/map/{at(14)}", headers={"Accept-Encoding": "gzip"})
    plain = await page.get(f"/map/{at(14)}", headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.content == plain.content


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("8/0/0.mvt", 204),
        ("15/99999999/1.mvt", 204),
        ("16/1/1.mvt", 404),
        ("-1/0/0.mvt", 404),
        ("8/0/x.mvt", 400),
        ("8/0/0.png", 400),
    ],
)
async def test_where_nothing_is_nothing_is_answered(page, path, status):
    assert (await page.get(f"/map/{path}")).status_code == status


async def test_another_file_is_served_at_once_and_a_broken_one_by_nobody(page, tiles, settings):
    whole = tiles.read_bytes()
    first = (await page.get("/map/style.json")).json()["sources"]["streets"]["tiles"]
    try:
        tiles.write_bytes(b"no tiles")
        assert (await page.get("/map/style.json")).status_code == 404
        assert (await page.get(f"/map/{at(15)}")).status_code == 404
    finally:
        tiles.write_bytes(whole)
    again = (await page.get("/map/style.json")).json()["sources"]["streets"]["tiles"]
    assert again != first
    assert (await page.get(f"/map/{at(15)}")).status_code == 200


def test_tile_that_is_there_is_found_whatever_lies_around(tiles):
    file = TileFile(tiles)
    header = file.header()
    assert header["addressed_tiles_count"] >= 8
    zoom, column, row = (int(part) for part in at(15).removesuffix(".mvt").split("/"))
    assert zxy_to_tileid(zoom, column, row) > 0
    assert gzip.decompress(file.tile(zoom, column, row))
    assert file.tile(zoom, -1, row) is None
    file.close()


@pytest.mark.parametrize("content", [None, b"", b"<osm/>", b"not a map"])
def test_file_that_is_no_map_is_told_in_a_line_and_costs_no_earlier_one(tmp_path, content):
    source, target = tmp_path / "city.osm.pbf", tmp_path / "city.pmtiles"
    target.write_bytes(b"earlier")
    if content is not None:
        source.write_bytes(content)
    done = CliRunner().invoke(cli, ["map", str(source), "-o", str(target)])
    assert isinstance(done.exception, SettingError)
    assert str(source) in str(done.exception)
    assert target.read_bytes() == b"earlier"
