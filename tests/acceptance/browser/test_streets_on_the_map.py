"""The live map stands on the installation's own streets: no request leaves the machine, no glyphs, no sprite."""

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect
from typer.testing import CliRunner

from app.__main__ import cli
from app.machine.servers import free_port
from tests.acceptance.browser.conftest import ROOT, _end, patient
from tests.engines import PORTO_CENTRE, grid_of_streets
from tests.waiting import PATIENCE_S, is_ready, wait_until

SEVERAL_STREETS = """() =>
  window.__map?.getLayer('minor') && __map.queryRenderedFeatures({ layers: ['minor'] }).length > 10"""
"""Whether streets stand in the picture; the style may still be on its way."""
SIZES = {"wide-light": (1000, 600, "light"), "wide-dark": (1000, 600, "dark"), "390-light": (390, 700, "light")}
GROUND = {"light": "#f6f6f2", "dark": "#151e2e"}


HOUSE = f"""<node id="900001" lat="{PORTO_CENTRE.lat}" lon="{PORTO_CENTRE.lon}" version="1">
  <tag k="addr:street" v="Rua das Flores"/><tag k="addr:housenumber" v="12"/></node>"""


@pytest.fixture(scope="module")
def streets(world, tmp_path_factory):
    """The address of an API beside the others that has tiles of its own."""
    folder = tmp_path_factory.mktemp("streets")
    tiles = folder / "grid.pmtiles"
    town = grid_of_streets(folder / "grid.osm", n=12)
    town.write_text(town.read_text().replace("</osm>", f"{HOUSE}</osm>"))
    made = CliRunner().invoke(cli, ["map", str(town), "-o", str(tiles)])
    assert made.exit_code == 0, made.output
    url = f"http://127.0.0.1:{(port := free_port())}"
    environ = world.environ | {"POSTRIDER_PORT": str(port), "POSTRIDER_MAP_TILES": str(tiles)}
    process = subprocess.Popen([sys.executable, "-m", "app", "api"], cwd=ROOT, env=environ)
    try:
        wait_until(lambda: is_ready(url))
        yield url
    finally:
        _end(process)


@pytest.mark.parametrize("size", SIZES)
def test_page_draws_the_streets_of_its_own_installation(browser, world, streets, size, tmp_path):
    width, height, colours = SIZES[size]
    viewport = {"width": width, "height": height}
    context = patient(browser, has_map=True, viewport=viewport, color_scheme=colours, reduced_motion="reduce")
    # The page is asked for signed in, for the place in the address is given up together with a token.
    context.request.post(f"{streets}/v1/sign-in", data={"token": world.token})
    page = context.new_page()
    asked, failed = [], []
    page.on("request", lambda request: asked.append(urlsplit(request.url)))
    page.on("pageerror", lambda error: failed.append(str(error)))
    page.on("console", lambda said: failed.append(said.text) if said.type in {"error", "warning"} else None)
    page.goto(f"{streets}/#map=15/{PORTO_CENTRE.lat}/{PORTO_CENTRE.lon}")
    page.wait_for_function(SEVERAL_STREETS)
    assert page.evaluate("() => __map.getPaintProperty('earth', 'fill-color')") == GROUND[colours]
    expect(page.get_by_text("OpenStreetMap")).to_be_visible()
    expect(page.get_by_text("OpenStreetMap")).to_be_in_viewport()
    for figure in ("on time", "late", "unassigned", "planned", "busy"):
        expect(page.get_by_label("How the day goes").get_by_text(figure, exact=True)).to_be_visible()
    pictures = Path(os.environ.get("POSTRIDER_PICTURES", tmp_path))
    page.screenshot(path=pictures / f"streets-{size}.png", timeout=1000 * PATIENCE_S)
    context.close()
    own = urlsplit(streets).netloc
    assert {url.netloc for url in asked if url.scheme.startswith("http")} == {own}
    assert any(url.path.endswith(".mvt") for url in asked)
    assert [line for line in failed if "GPU" not in line and "GL Driver" not in line] == []


def test_address_is_found_while_it_is_typed(browser, world, streets):
    context = patient(browser, viewport={"width": 1000, "height": 600}, reduced_motion="reduce")
    context.request.post(f"{streets}/v1/sign-in", data={"token": world.token})
    page = context.new_page()
    page.goto(f"{streets}/?tab=orders")
    page.get_by_role("button", name="New order").click()
    page.get_by_label("Deliver: address").fill("flores 12")
    page.get_by_label("Deliver: addresses found").get_by_role("button", name="Rua das Flores 12").click()
    expect(page.get_by_role("group", name="Deliver")).to_contain_text(f"{PORTO_CENTRE.lat:.5f}, {PORTO_CENTRE.lon:.5f}")
    page.get_by_label("Collect: address").fill("Nowhere Street 9")
    expect(page.get_by_role("group", name="Collect")).to_contain_text("No such address is known")
    context.close()
