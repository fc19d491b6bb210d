"""What the pages tell a newcomer to type does what they say."""

import json
import os
import re
import subprocess
import sys
from textwrap import dedent

import httpx
import pytest

from tests.acceptance.test_up import ROOT, Program
from tests.engines import grid_of_streets
from tests.waiting import PATIENCE_S

GPX = """<gpx xmlns="http://www.topografix.com/GPX/1/1"><trk><name>Anna</name><trkseg>
<trkpt lat="41.15" lon="-8.61"><time>2026-11-23T12:00:00Z</time></trkpt>
<trkpt lat="41.1501" lon="-8.61"><time>2026-11-23T12:00:05Z</time></trkpt>
</trkseg></trk></gpx>"""


def blocks(page):
    return re.findall(r"^```\n(.*?)^```$", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def newcomer(servers_folder, tmp_path_factory):
    """A shell in the folder of `make demo`, with the program running and `postrider` on the path."""
    folder = servers_folder / "home"
    program = Program(folder / ".postrider" / "postgres")
    path = tmp_path_factory.mktemp("path")
    shim = path / "postrider"
    shim.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m app "$@"\n')
    shim.chmod(0o755)
    environ = {**os.environ, "PATH": f"{path}:{os.environ['PATH']}"}

    def type_in(text):
        typed = text.replace("localhost:8080", program.url.removeprefix("http://"))
        typed = typed.replace("http://127.0.0.1:8080", program.url)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", typed],
            cwd=folder,
            env=environ,
            capture_output=True,
            text=True,
            timeout=4 * PATIENCE_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    type_in.url = program.url
    type_in.folder = folder
    yield type_in
    program.close()


def test_a_phone_gets_its_token_as_the_page_says(newcomer):
    (block,) = [block for block in blocks("tracking/README.md") if "admin.token" in block]
    made = json.loads(newcomer(block))
    fix = {"lat": 41.15, "lon": -8.61, "accuracy_m": 5, "fixed_at": "2026-11-23T12:00:00Z"}
    headers = {"Authorization": f"Bearer {made['token']}"}
    assert httpx.post(f"{newcomer.url}/v1/positions", json=fix, headers=headers, timeout=PATIENCE_S).is_success


def test_other_systems_are_connected_as_the_page_says(newcomer):
    page = (ROOT / "app/gateway/README.md").read_text()
    typed = [block for block in re.findall(r"(?:^    .+\n)+", page, re.MULTILINE) if "/v1/webhooks" in block]
    token = newcomer("postrider token admin").strip()
    made = [json.loads(newcomer(f"TOKEN={token}\n{dedent(block)}")) for block in typed]
    assert [one["types"] for one in made] == [["postrider.order.*"], ["postrider.courier.position"]]


def test_the_tools_run_as_the_page_says(newcomer):
    (block,) = [block for block in blocks("app/README.md") if "postrider replay" in block]
    token = newcomer("postrider token admin").strip()
    (newcomer.folder / "anna.gpx").write_text(GPX)
    grid_of_streets(newcomer.folder / "city.osm")
    block = (
        block.replace("city.osm.pbf", "city.osm").replace("FILE…", "anna.gpx").replace("--token T", f"--token {token}")
    )
    block = block.replace("postrider simulate", "postrider simulate --couriers 2 --interval-s 0.5 --duration-s 3")
    said = newcomer(block)
    assert "2 couriers towards" in said
    assert re.search(r"^accepted +[1-9]", said, re.MULTILINE)
    assert re.search(r"^city.pmtiles: [1-9]\d* tiles", said, re.MULTILINE)
