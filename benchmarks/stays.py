"""
Stays of a recorded track, beside those that an independent library finds: python -m benchmarks.stays --json.

movingpandas' TrajectoryStopDetector calls a stop what fits into a circle of 100 m for 60 s; ours are fixes within 50 m
of their middle, which is the same size. Both get the same fixes (jumps left out), cut at our gaps. A stay of 3
minutes or more counts as agreed when stays of the other cover half of it. What differs is listed with the reason.
"""

import argparse
import json
import warnings
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from benchmarks.recorded import data_folder, geolife_fixes
from tracking.plane import metres
from tracking.watching.motion import Gap, MotionParams, Sample, Stay, segments

LONG_S = 180.0
AGREED_SHARE = 0.5


class Span(NamedTuple):
    began_s: float
    ended_s: float

    @property
    def length_s(self) -> float:
        return self.ended_s - self.began_s


def ours(fixes: Sequence[Sample], params: MotionParams) -> list[Span]:
    return [Span(s.arrived_us / 1e6, s.departed_us / 1e6) for s in segments(fixes, params) if isinstance(s, Stay)]


def theirs(fixes: Sequence[Sample], params: MotionParams) -> list[Span]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the library about its own dependencies
        return [span for run in _runs(fixes, params) if len(run) >= 3 for span in _theirs_of(run, params)]


def _theirs_of(run: Sequence[Sample], params: MotionParams) -> list[Span]:
    # Here, not above: importing it warns, and takes seconds that the other half does not need.
    import geopandas  # noqa: PLC0415
    import movingpandas  # noqa: PLC0415

    frame = geopandas.GeoDataFrame(
        {"t": [datetime.fromtimestamp(f.at_us / 1e6, UTC).replace(tzinfo=None) for f in run]},
        geometry=geopandas.points_from_xy([f.lon for f in run], [f.lat for f in run]),
        crs=4326,
    ).set_index("t")
    detector = movingpandas.TrajectoryStopDetector(movingpandas.Trajectory(frame, 1))
    ranges = detector.get_stop_time_ranges(2 * params.leave_m, timedelta(seconds=params.stay_s))
    return [Span(r.t_0.replace(tzinfo=UTC).timestamp(), r.t_n.replace(tzinfo=UTC).timestamp()) for r in ranges]


def covered(span: Span, others: Sequence[Span]) -> float:
    """Share of a span that others cover."""
    return sum(max(0.0, min(span.ended_s, o.ended_s) - max(span.began_s, o.began_s)) for o in others) / span.length_s


def agreement(a: Sequence[Span], b: Sequence[Span]) -> tuple[float, list[Span]]:
    """Share of the long stays of `a` that `b` agrees with, and the others."""
    long = [span for span in a if span.length_s >= LONG_S]
    alone = [span for span in long if covered(span, b) < AGREED_SHARE]
    return 1 - len(alone) / len(long), alone


def reason(span: Span, fixes: Sequence[Sample], params: MotionParams) -> str:
    """Why only one of the two sees a stay here."""
    inside = [f for f in fixes if span.began_s <= f.at_us / 1e6 <= span.ended_s]
    steps_s = [(b.at_us - a.at_us) / 1e6 for a, b in pairwise(inside)]
    if max(steps_s) > params.stay_s:
        return "few fixes: an interval without fixes counts as staying where both its ends are close"
    lat, lon = (sum(f[k] for f in inside) / len(inside) for k in (1, 2))
    far = sum(metres(lat, lon, f.lat, f.lon) > params.leave_m for f in inside)
    if far:
        return "scattered: some fixes lie outside, noise for one and an end for the other"
    return "slow: near the size that counts as a stay"


def report(fixes: Sequence[Sample], params: MotionParams) -> dict[str, object]:
    mine, other = ours(fixes, params), theirs(fixes, params)
    mine_share, mine_alone = agreement(mine, other)
    other_share, other_alone = agreement(other, mine)

    def explained(spans: Sequence[Span]) -> dict[str, int]:
        return dict(Counter(reason(span, fixes, params) for span in spans))

    return {
        "fixes": len(fixes),
        "postrider": {
            "stays": len(mine),
            "long": sum(s.length_s >= LONG_S for s in mine),
            "agreed": round(mine_share, 4),
            "alone": explained(mine_alone),
        },
        "movingpandas": {
            "stays": len(other),
            "long": sum(s.length_s >= LONG_S for s in other),
            "agreed": round(other_share, 4),
            "alone": explained(other_alone),
        },
    }


def _runs(fixes: Sequence[Sample], params: MotionParams) -> list[list[Sample]]:
    after_gap = {s.ended_us for s in segments(fixes, params) if isinstance(s, Gap)}
    cut: list[list[Sample]] = [[]]
    for fix in fixes:
        if fix.at_us in after_gap:
            cut.append([])
        cut[-1].append(fix)
    return cut


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--fixes", type=int, default=None, help="only the first so many")
    args = parser.parse_args()
    result = report(geolife_fixes(data_folder())[: args.fixes], MotionParams())
    print(json.dumps(result, indent=None if args.json else 2))


if __name__ == "__main__":
    main()
