"""Made-up and recorded tracks, and faults to put into them."""

import csv
import gzip
from datetime import UTC, datetime
from functools import cache
from math import cos, radians
from pathlib import Path
from random import Random

from tracking.plane import METRES_PER_DEGREE
from tracking.watching.fix_columns import TrackFix

MICROS = 1_000_000
NOON_US = 1_795_435_200 * MICROS
PORTO = (41.15, -8.61)


def at(x_m: float, y_m: float, t_s: float, accuracy_m: float | None = None, origin=PORTO) -> TrackFix:
    """A fix so many metres east and north of the origin, so many seconds after noon."""
    lat = origin[0] + y_m / METRES_PER_DEGREE
    lon = origin[1] + x_m / (METRES_PER_DEGREE * cos(radians(origin[0])))
    return TrackFix(NOON_US + round(t_s * MICROS), round(lat, 7), round((lon + 180) % 360 - 180, 7), accuracy_m)


def walk(legs, *, every_s=5.0, noise_m=3.0, seed=1, origin=PORTO) -> list[TrackFix]:
    """
    Fixes along legs of (x, y, seconds): to that place at even speed, in so many seconds; the first leg is the start.

    A leg to the place before it is a stay.
    """
    rng = Random(seed)
    x, y, _ = legs[0]
    t, found = 0.0, []
    for to_x, to_y, seconds in legs[1:]:
        steps = max(1, round(seconds / every_s))
        for k in range(steps):
            share = k / steps
            found.append((x + (to_x - x) * share, y + (to_y - y) * share, t + k * every_s))
        x, y, t = to_x, to_y, t + steps * every_s
    found.append((x, y, t))
    return [at(a + rng.gauss(0, noise_m), b + rng.gauss(0, noise_m), s, 5.0, origin) for a, b, s in found]


@cache
def geolife(folder: Path) -> tuple[TrackFix, ...]:
    """The recorded track, in order."""
    with gzip.open(folder / "gps" / "geolife_001.csv.gz", "rt") as file:
        return tuple(
            TrackFix(
                round(datetime.fromisoformat(row["datetime"]).replace(tzinfo=UTC).timestamp()) * MICROS,
                float(row["lat"]),
                float(row["lng"]),
            )
            for row in csv.DictReader(file)
        )
