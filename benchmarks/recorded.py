"""The recorded GPS track, as the watcher's folds take it."""

import csv
import gzip
import os
from datetime import UTC, datetime
from pathlib import Path

from tracking.quality import Limits
from tracking.watching.fix_columns import TrackFix
from tracking.watching.motion import Sample
from tracking.watching.track import believable


def data_folder() -> Path:
    """The recorded data; raises SystemExit where it is absent."""
    folder = Path(os.environ.get("POSTRIDER_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        raise SystemExit("no recorded data: set POSTRIDER_DATA to its folder")
    return folder


def geolife_fixes(folder: Path) -> list[Sample]:
    """The recorded track in order of time, without the jumps."""
    with gzip.open(folder / "gps" / "geolife_001.csv.gz", "rt") as file:
        fixes = [
            TrackFix(
                round(datetime.fromisoformat(row["datetime"]).replace(tzinfo=UTC).timestamp()) * 1_000_000,
                float(row["lat"]),
                float(row["lng"]),
            )
            for row in csv.DictReader(file)
        ]
    return [Sample(f.at_us, f.lat, f.lon) for f in believable(fixes, Limits())]
