"""
What a courier costs the watcher, in memory and in time a fix: python -m benchmarks.watching --json.

Couriers who stand still, drive about, and go to and fro between stops (3 minutes there, 5 on the way), each with a fix
every 5 s and 8 m of accuracy, among 1,000 fences; so many fixes that what is kept of each courier is full. Two things
are kept: the track (stays, fence events) and what alerts need. Memory is what Python allocated for them (tracemalloc),
time is the processor's, without database and Redis. Beside it, the limit: to decode the same fixes from the log.
"""

import gc
import statistics
import time
import tracemalloc
from math import cos, pi, sin
from random import Random
from uuid import UUID

from benchmarks.geofence import FIX_S, HALF_M, fences, place
from benchmarks.world import parser, report
from dispatch.alerts import vigil
from dispatch.alerts.facts import AlertParams, CourierFacts
from dispatch.alerts.vigil import AlertFix, Vigil
from tracking.batch import PositionColumns, instant
from tracking.position import CourierId, Fix, LatLon, Position
from tracking.quality import Limits
from tracking.watching.fence import FenceIndex
from tracking.watching.fix_columns import TrackFix
from tracking.watching.geofence import FenceParams
from tracking.watching.lookout import fixes_of
from tracking.watching.motion import MotionParams
from tracking.watching.track import Track, TrackParams

PARAMS = TrackParams(motion=MotionParams(), fences=FenceParams(), limits=Limits())
ALERTS, FACTS = AlertParams(), CourierFacts()
NOON_US = 1_795_435_200_000_000


def courses(kind: str, n_couriers: int, n_fixes: int, rng: Random) -> list[list[TrackFix]]:
    """Of each courier the fixes, as the log has them: on a grid of 1e-7 degrees."""
    return [[*_course(kind, n_fixes, rng)] for _ in range(n_couriers)]


def _course(kind: str, n_fixes: int, rng: Random) -> list[TrackFix]:
    x, y, course = rng.uniform(-HALF_M, HALF_M), rng.uniform(-HALF_M, HALF_M), rng.uniform(0, 2 * pi)
    speed, found = rng.uniform(3, 14), []
    for k in range(n_fixes):
        second = k * FIX_S
        if kind == "driving" or (kind == "at work" and second % 480 > 180):
            course += rng.gauss(0, 0.3)
            x, y = x + speed * FIX_S * cos(course), y + speed * FIX_S * sin(course)
            course += pi if max(abs(x), abs(y)) > HALF_M else 0.0
        at = place(x + rng.gauss(0, 4), y + rng.gauss(0, 4))
        found.append(TrackFix(NOON_US + second * 1_000_000, round(at.lat, 7), round(at.lon, 7), 8.0))
    return found


def measure(kind: str, n_couriers: int, n_fixes: int, index: FenceIndex) -> dict[str, float]:
    """Of one kind of courier."""
    made = courses(kind, n_couriers, n_fixes, Random(5))
    tracemalloc.start()
    tracks = [Track(PARAMS, index) for _ in made]
    for track, fixes in zip(tracks, made, strict=True):
        for at_us, lat, lon, accuracy_m in fixes:
            # Made anew, as from the log: what is kept of it counts.
            track.add(TrackFix(at_us + 0, lat + 0.0, lon + 0.0, accuracy_m))
    track_bytes = _held_bytes() / n_couriers
    vigils: list[Vigil] = [vigil.EMPTY for _ in made]
    for n, fixes in enumerate(made):
        for at_us, lat, lon, accuracy_m in fixes:
            vigils[n] = vigil.step(vigils[n], AlertFix(at_us + 0, lat + 0.0, lon + 0.0, accuracy_m), FACTS, ALERTS)
    alert_bytes = _held_bytes() / n_couriers - track_bytes
    tracemalloc.stop()
    return {
        "track_kb": round(track_bytes / 1000, 1),
        "alerts_kb": round(alert_bytes / 1000, 1),
        "track_us": round(_track_us(made, index), 1),
        "alerts_us": round(_alerts_us(made), 1),
        "decode_us": round(_decode_us(made), 1),
    }


def _held_bytes() -> int:
    gc.collect()  # and what Python keeps to use again
    return tracemalloc.get_traced_memory()[0]


def _track_us(made: list[list[TrackFix]], index: FenceIndex) -> float:
    tracks = [Track(PARAMS, index) for _ in made]
    began = time.process_time()
    for one in zip(*made, strict=True):  # a fix of each, as they come
        for track, fix in zip(tracks, one, strict=True):
            track.add(fix)
    return _us(began, made)


def _alerts_us(made: list[list[TrackFix]]) -> float:
    vigils = [vigil.EMPTY for _ in made]
    began = time.process_time()
    for one in zip(*made, strict=True):
        for n, fix in enumerate(one):
            vigils[n] = vigil.step(vigils[n], AlertFix(*fix), FACTS, ALERTS)
    return _us(began, made)


def _decode_us(made: list[list[TrackFix]]) -> float:
    slices = [_columns(one) for one in zip(*made, strict=True)]
    began = time.process_time()
    for columns in slices:
        fixes_of(columns)
    return _us(began, made)


def _columns(fixes: tuple[TrackFix, ...]) -> PositionColumns:
    return PositionColumns.from_positions(
        [
            Position(
                courier_id=CourierId(UUID(int=n + 1)),
                fix=Fix(at=LatLon(f.lat, f.lon), fixed_at=instant(f.at_us), accuracy_m=f.accuracy_m),
                received_at=instant(f.at_us),
            )
            for n, f in enumerate(fixes)
        ]
    )


def _us(began: float, made: list[list[TrackFix]]) -> float:
    return (time.process_time() - began) / sum(map(len, made)) * 1e6


def main() -> None:
    """Command line."""
    options = parser("watching", __doc__)
    options.add_argument("--couriers", type=int, default=100)
    options.add_argument("--fixes", type=int, default=500, help="of each")
    options.add_argument("--fences", type=int, default=1000)
    options.add_argument("--repeats", type=int, default=3)
    arguments = options.parse_args()
    index = FenceIndex.of(fences(arguments.fences, Random(2)))
    results: dict[str, dict[str, float]] = {}
    for kind in ("standing", "at work", "driving"):
        rows = [measure(kind, arguments.couriers, arguments.fixes, index) for _ in range(arguments.repeats)]
        results[kind] = {key: statistics.median(row[key] for row in rows) for key in rows[0]}
    report("watching", arguments, {}, results)


if __name__ == "__main__":
    main()
