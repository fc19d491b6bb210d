"""
Real routing engines for tests: OSRM and Valhalla from the wheels that `make setup` unpacks beside the environment.

The streets are Porto's where the data is present (`POSTRIDER_DATA`, or `../shared/data`), else a made-up grid.
"""

import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

from tests.waiting import PATIENCE_S, wait_until
from tracking.position import LatLon, Mode

ROOT = Path(__file__).parent.parent
DATA = Path(os.environ.get("POSTRIDER_DATA", ROOT.parent / "shared" / "data"))
ENGINES = Path(os.environ.get("POSTRIDER_ENGINES", Path(sys.prefix) / "engines"))
PORTO = DATA / "osm" / "porto.osm.pbf"

PORTO_CENTRE = LatLon(41.1496, -8.6110)
PROFILES = {Mode.CAR: "car", Mode.MOTORCYCLE: "car", Mode.BICYCLE: "bicycle", Mode.FOOT: "foot"}


def missing_engine(name: str) -> str | None:
    """Why there is no such engine here, for a skip; None when there is one."""
    program = {"osrm": ENGINES / "osrm" / "bin" / "osrm-routed", "valhalla": ENGINES / "valhalla" / "bin"}[name]
    return None if program.exists() else f"no {name} in {ENGINES}: run `make setup`"


def grid_of_streets(path: Path, *, n: int = 20, step: float = 0.001) -> Path:
    """Write an OSM file of n × n crossings about 110 m apart around PORTO_CENTRE; every street takes every mode."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<osm version="0.6">']
    for row in range(n):
        for column in range(n):
            lat = PORTO_CENTRE.lat + (row - n // 2) * step
            lon = PORTO_CENTRE.lon + (column - n // 2) * step
            lines.append(f'<node id="{1 + row * n + column}" lat="{lat:.6f}" lon="{lon:.6f}" version="1"/>')
    for street in range(2 * n):
        line, across = divmod(street, 2)
        nodes = [1 + line * n + k if across else 1 + k * n + line for k in range(n)]
        lines.append(f'<way id="{street + 1}" version="1">')
        lines.extend(f'<nd ref="{node}"/>' for node in nodes)
        lines.append('<tag k="highway" v="residential"/></way>')
    lines.append("</osm>")
    path.write_text("\n".join(lines))
    return path


class _Server:
    """A process that answers HTTP on a free port of the loopback."""

    def __init__(self, command: list[str], *, port: int, folder: Path) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._command = command
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start, and wait until it answers."""
        self._process = subprocess.Popen(
            self._command, cwd=self._folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        process = self._process
        wait_until(lambda: _answers(self.url) or process.poll() is not None)
        if process.poll() is not None:
            raise RuntimeError(f"{self._command[0]} did not start")

    def pause(self) -> None:
        """Keep it alive and silent, as a machine that hangs."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once (kill -9)."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class OsrmServer(_Server):
    """osrm-routed for one mode; `folder` is its own."""

    def __init__(self, folder: Path, *, mode: Mode = Mode.CAR, streets: Path | None = None) -> None:
        programs = ENGINES / "osrm" / "bin"
        graph = folder / f"{PROFILES[mode]}.osrm"
        profile = ENGINES / "osrm" / "share" / "profiles" / f"{PROFILES[mode]}.lua"
        source = streets or (PORTO if PORTO.exists() else grid_of_streets(folder / "grid.osm"))
        link = folder / f"{PROFILES[mode]}{''.join(source.suffixes[-2:])}"
        link.symlink_to(source.resolve())
        _run([str(programs / "osrm-extract"), "-t", "1", "-p", str(profile), str(link)], folder)
        _run([str(programs / "osrm-partition"), "-t", "1", str(graph)], folder)
        _run([str(programs / "osrm-customize"), "-t", "1", str(graph)], folder)
        port = free_port()
        command = [str(programs / "osrm-routed"), "-i", "127.0.0.1", "-p", str(port), "-t", "1", "--algorithm", "mld"]
        super().__init__([*command, str(graph)], port=port, folder=folder)


class ValhallaServer(_Server):
    """valhalla_service for every mode; `folder` is its own."""

    def __init__(self, folder: Path, *, streets: Path = PORTO) -> None:
        programs = ENGINES / "valhalla" / "bin"
        port = free_port()
        tiles = folder / "tiles"
        tiles.mkdir()
        options = ["--mjolnir-tile-dir", str(tiles), "--mjolnir-concurrency", "1"]
        options += ["--mjolnir-tile-extract", "", "--mjolnir-timezone", "", "--mjolnir-admin", ""]
        options += ["--httpd-service-listen", f"tcp://127.0.0.1:{port}"]
        # Sockets between its parts would land in the shared temporary folder otherwise.
        for part in ("httpd-service-loopback", "loki-service-proxy", "thor-service-proxy", "odin-service-proxy"):
            options += [f"--{part}", f"ipc://{folder}/{part}"]
        options += ["--httpd-service-interrupt", f"ipc://{folder}/interrupt"]
        build = [sys.executable, str(ENGINES / "valhalla" / "valhalla_build_config.py"), *options]
        config = folder / "valhalla.json"
        config.write_text(_run(build, folder))
        _run([str(programs / "valhalla_build_tiles"), "-c", str(config), str(streets)], folder)
        super().__init__([str(programs / "valhalla_service"), str(config), "1"], port=port, folder=folder)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=4 * PATIENCE_S, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stdout[-500:]} {done.stderr[-500:]}")
    return done.stdout


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1):
            return True
    except urllib.error.HTTPError:
        return True  # it speaks HTTP
    except OSError:
        return False
