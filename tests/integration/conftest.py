"""Routing engines: one of each per session, and one's own where a test kills it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.engines import PORTO, OsrmServer, ValhallaServer, grid_of_streets, missing_engine
from tests.unhurried import have_patience


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    have_patience(monkeypatch)


@pytest.fixture(scope="session")
def osrm_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OsrmServer]:
    """OSRM for cars on the streets of Porto, or on a made-up grid where the data is absent."""
    if reason := missing_engine("osrm"):
        pytest.skip(reason)
    server = OsrmServer(tmp_path_factory.mktemp("osrm"))
    yield server
    server.kill()


@pytest.fixture(scope="session")
def valhalla_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValhallaServer]:
    if reason := missing_engine("valhalla"):
        pytest.skip(reason)
    if not PORTO.exists():
        pytest.skip("no streets for valhalla: set POSTRIDER_DATA to the folder with osm/porto.osm.pbf")
    server = ValhallaServer(tmp_path_factory.mktemp("valhalla"))
    yield server
    server.kill()


@pytest.fixture
def own_osrm(tmp_path: Path) -> Iterator[Callable[[], OsrmServer]]:
    """Makes an OSRM that the test may kill, pause and start again; on a made-up grid of streets."""
    if reason := missing_engine("osrm"):
        pytest.skip(reason)
    with ExitStack() as stack:

        def make() -> OsrmServer:
            server = OsrmServer(tmp_path, streets=grid_of_streets(tmp_path / "grid.osm"))
            stack.callback(server.kill)
            return server

        yield make
