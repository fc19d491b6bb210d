"""`postrider map`: the work with a bar that says how far it is, and what came of it in a line."""

from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from app.geocoding.own import SUFFIX, write
from app.settings import SettingError

NEEDS = "postrider map needs osmium, mapbox-vector-tile and pmtiles: pip install 'postrider[map]'"


def make(source: Path, target: Path) -> str:
    """Make the tiles; what an operator can mend is a SettingError."""
    try:
        from app.geocoding.osm import entries  # noqa: PLC0415 - of the extra `map`
        from app.streets.build import NoStreets, build  # noqa: PLC0415
    except ImportError as missing:
        raise SettingError(NEEDS) from missing
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        tasks = {}

        def progress(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what)
            bar.update(tasks[what], completed=done, total=of or None)

        try:
            made = build(source, target, progress)
            n_addresses = write(target.with_suffix(SUFFIX), entries(source))
        except NoStreets as none:
            raise SettingError(f"{source}: {none.__doc__}") from none
        except (OSError, RuntimeError) as refused:  # osmium says by RuntimeError what it cannot read
            raise SettingError(f"{source}: {refused}") from refused
    left_out = f", {made.n_left_out} left out that could not be read" if made.n_left_out else ""
    tiles = f"{target}: {made.n_tiles} tiles, {made.n_bytes / 1e6:.2f} MB, of {made.n_shapes} shapes{left_out}"
    return f"{tiles}; {n_addresses} addresses"
