"""
Fixes a second that the geofence fold takes, by number of fences: python -m benchmarks.geofence --json.

Synthetic: couriers drive about a city 30 km across at 3 to 14 m/s with a fix every 5 s; of the fences 90 % are premises
(radius 25 to 100 m), 9 % blocks (100 to 400 m), 1 % districts (1 to 3 km), half of them circles, half polygons of 5 to
24 corners, plus the outline of the city. In one row all but ten lie in another city. One core, no I/O, in
seconds of CPU. Beside it, the limit: the same loop that only computes the H3 cell of each fix.
"""

import argparse
import json
import platform
import statistics
import time
from math import cos, pi, radians, sin
from random import Random
from uuid import UUID

import h3.api.basic_int as h3

from tracking.plane import METRES_PER_DEGREE
from tracking.position import LatLon
from tracking.watching.area import Area
from tracking.watching.fence import Fence, FenceId, FenceIndex
from tracking.watching.geofence import EMPTY, FenceFix, FenceParams, FenceState, step

CITY = LatLon(41.15, -8.61)
HALF_M = 15_000.0
FIX_S = 5


def place(x: float, y: float) -> LatLon:
    return LatLon(CITY.lat + y / METRES_PER_DEGREE, CITY.lon + x / (METRES_PER_DEGREE * cos(radians(CITY.lat))))


def fences(n: int, rng: Random, *, n_here: int | None = None) -> list[Fence]:
    """The first `n_here` in the city (None: all), the others in a city farther south."""
    found = [Fence(id=FenceId(UUID(int=0)), name="city", area=Area.circle(CITY, HALF_M * 0.9), dwell_s=600)]
    for i in range(1, n):
        x, y = rng.uniform(-HALF_M, HALF_M), rng.uniform(-HALF_M, HALF_M)
        if n_here is not None and i >= n_here:
            y -= 10 * HALF_M
        kind = i % 100
        radius_m = (
            rng.uniform(25, 100) if kind < 90 else rng.uniform(100, 400) if kind < 99 else rng.uniform(1000, 3000)
        )
        if rng.random() < 0.5:
            area = Area.circle(place(x, y), radius_m)
        else:
            k = rng.randint(5, 24)
            corners = [(radius_m * rng.uniform(0.6, 1), 2 * pi * j / k) for j in range(k)]
            ring = [place(x + r * cos(angle), y + r * sin(angle)).lonlat for r, angle in corners]
            area = Area.from_geojson({"type": "Polygon", "coordinates": [[*ring, ring[0]]]})
        found.append(Fence(id=FenceId(UUID(int=i)), name=f"fence {i}", area=area, dwell_s=300))
    return found


def fixes(n: int, n_couriers: int, rng: Random) -> list[tuple[int, FenceFix]]:
    """Interleaved as the log has them: every courier once every FIX_S."""
    at = [
        (rng.uniform(-HALF_M, HALF_M), rng.uniform(-HALF_M, HALF_M), rng.uniform(0, 2 * pi)) for _ in range(n_couriers)
    ]
    speed = [rng.uniform(3, 14) for _ in range(n_couriers)]
    made = []
    for k in range(n):
        i = k % n_couriers
        x, y, course = at[i]
        course += rng.gauss(0, 0.3)
        x, y = x + speed[i] * FIX_S * cos(course), y + speed[i] * FIX_S * sin(course)
        if abs(x) > HALF_M or abs(y) > HALF_M:
            course += pi
        at[i] = x, y, course
        here = place(x + rng.gauss(0, 4), y + rng.gauss(0, 4))
        made.append((i, FenceFix(k // n_couriers * FIX_S * 1_000_000, here.lat, here.lon, 8.0)))
    return made


def run(index: FenceIndex, stream: list[tuple[int, FenceFix]], n_couriers: int) -> tuple[float, int]:
    """Fixes a second, and events made."""
    params = FenceParams()
    states: list[FenceState] = [EMPTY] * n_couriers
    n_events = 0
    began = time.process_time()
    for i, fix in stream:
        states[i], events = step(states[i], fix, index, params)
        n_events += len(events)
    return len(stream) / (time.process_time() - began), n_events


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--fixes", type=int, default=100_000)
    parser.add_argument("--couriers", type=int, default=2_000)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    settings = {"fixes": args.fixes, "couriers": args.couriers, "repeats": args.repeats}
    result: dict[str, object] = {
        "settings": settings,
        "python": platform.python_version(),
        "h3": h3.versions()["python"],
    }
    if not args.json:
        print(settings)
    stream = fixes(args.fixes, args.couriers, Random(1))
    rows = {}
    for n, n_here in ((10, None), (10_000, 10), (1_000, None), (10_000, None)):
        began = time.process_time()
        index = FenceIndex.of(fences(n, Random(2), n_here=n_here))
        build_s = time.process_time() - began
        run(index, stream[: args.fixes // 10], args.couriers)  # warm up
        rates, events = zip(*(run(index, stream, args.couriers) for _ in range(args.repeats)), strict=True)
        name = str(n) if n_here is None else f"{n}, {n_here} of them here"
        rows[name] = {
            "fixes_per_s": round(statistics.median(rates)),
            "fixes_per_s_min": round(min(rates)),
            "fixes_per_s_max": round(max(rates)),
            "events": events[0],
            "build_s": round(build_s, 2),
        }
        if not args.json:
            print(f"{name} fences", rows[name])
    began = time.process_time()
    for _, fix in stream:
        h3.latlng_to_cell(fix.lat, fix.lon, 10)
    result |= {"fences": rows, "h3_cells_per_s": round(len(stream) / (time.process_time() - began))}
    print(json.dumps(result) if args.json else f"limit: {result['h3_cells_per_s']} H3 cells/s")


if __name__ == "__main__":
    main()
