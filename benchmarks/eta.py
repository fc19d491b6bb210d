"""
How true arrival times are: `python -m benchmarks.eta --json`.

(1) road: the fallback against a road engine's legs that nobody learned from. (2) drivers: the engine corrected by what
was learned, where drivers differ from it, on a day held out. (3) track: a real GPS track, each later day predicted from
the days before it. (4) day: simulated hours of a region through planner and arrivals: what is planned is what is told,
and what is told moves later with its cause. Nothing is tuned here: the code under test has its own constants.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np

from benchmarks import eta_day, eta_legs
from benchmarks.eta_legs import Drivers, TrackPoint, nominal_s
from benchmarks.scores import best_factor, by_horizon, lower_pct, scores, table
from dispatch.arrivals.eta import Eta, Journey, Span, StopAhead, foresee
from dispatch.arrivals.progress import advance, depart, leg_ahead
from dispatch.arrivals.steady import hold, settle
from dispatch.arrivals.widths import Stage, Widths, unpack
from dispatch.learning.conformal import Band
from dispatch.learning.travel_model import GREAT_CIRCLE, Estimate, TrackedLeg, TravelModel, default_s, learn
from dispatch.stop import OrderId, PlannedStop, StopKind
from dispatch.visits import from_fixes
from tracking.geo import distance_m
from tracking.position import LatLon, Mode, Region

REGION = Region("bench")
MODES = (Mode.CAR, Mode.BICYCLE, Mode.FOOT)
DATA = Path(os.environ.get("POSTRIDER_DATA", Path(__file__).parents[2] / "shared" / "data"))


def columns(model: TravelModel | None, legs: Sequence[TrackedLeg]) -> dict[str, Any]:
    """p50, p10 and p90 of each leg as the model predicts them."""
    assert model is not None
    found = [
        model.estimate(leg.origin, leg.destination, leg.departed_at, leg.base_s, courier_id=leg.courier_id)
        for leg in legs
    ]
    return {
        "predicted_s": np.array([e.p50_s for e in found]),
        "p10_s": np.array([e.p10_s for e in found]),
        "p90_s": np.array([e.p90_s for e in found]),
    }


def column(legs: Sequence[TrackedLeg], value: Callable[[TrackedLeg], float]) -> Any:
    return np.array([value(leg) for leg in legs])


def compare(
    train: Sequence[TrackedLeg],
    test: Sequence[TrackedLeg],
    learned: dict[str, Any],
    *,
    bases: dict[str, Callable[[TrackedLeg], float]],
) -> dict[str, Any]:
    """Scores of what was learned beside each base as it is and with one factor from the training legs."""
    real = column(test, lambda leg: leg.duration_s)
    found: dict[str, Any] = {"learned": scores(real, **learned)}
    for name, base in bases.items():
        found[name] = scores(real, column(test, base))
        factor = best_factor(column(train, lambda leg: leg.duration_s), column(train, base))
        found[f"{name}, one factor"] = scores(real, factor * column(test, base))
    found["by_horizon"] = by_horizon(real, column(test, nominal_s), learned)
    return found


def road(train: Sequence[TrackedLeg], test: Sequence[TrackedLeg], mode: Mode) -> dict[str, Any]:
    """(1) The fallback, learned from `train`, against the engine's durations of `test`."""
    at = train[0].departed_at
    model = learn(train, region=REGION, mode=mode, base=GREAT_CIRCLE, now=at)
    bases: dict[str, Callable[[TrackedLeg], float]] = {"great circle": nominal_s, "default": lambda leg: leg.base_s}
    return compare(train, test, columns(model, test), bases=bases)


def drivers(
    train: Sequence[TrackedLeg], test: Sequence[TrackedLeg], mode: Mode, *, differ: Drivers, seed: int
) -> dict[str, Any]:
    """(2) Engine times corrected by what drivers did on the days before, on a day held out."""
    n_a_day = 300
    first = datetime(2026, 3, 2, tzinfo=UTC)
    n_days = -(-len(train) // n_a_day)
    past = eta_legs.driven(train, differ, n_a_day=n_a_day, first_day=first, seed=seed)
    day = first + timedelta(days=n_days)
    held_out = eta_legs.driven(test, differ, n_a_day=len(test), first_day=day, seed=seed)
    model = learn(past, region=REGION, mode=mode, base="osrm", now=day)
    found = compare(past, held_out, columns(model, held_out), bases={"engine": lambda leg: leg.base_s})
    found["mae_lower_than_engine_pct"] = lower_pct(found["learned"], found["engine"])
    found["mae_lower_than_one_factor_pct"] = lower_pct(found["learned"], found["engine, one factor"])
    return found


def track(points: Sequence[TrackPoint], mode: Mode) -> dict[str, Any]:
    """(3) A real track: the second half of its days, each predicted at departure from the days before it."""
    runs = eta_legs.track_legs(points)
    legs = [eta_legs.tracked(run, mode) for run in runs]
    moments: list[Moment] = []
    days = sorted({leg.departed_at.date() for leg in legs})
    past: list[TrackedLeg] = []
    test: list[TrackedLeg] = []
    learned: dict[str, list[Any]] = {}
    one_factor: list[float] = []
    widths = Widths()
    for number, day in enumerate(days):
        today = [leg for leg in legs if leg.departed_at.date() == day]
        morning = datetime(day.year, day.month, day.day, tzinfo=UTC)
        model = learn(past, region=REGION, mode=mode, base=GREAT_CIRCLE, now=morning)
        if number >= len(days) // 2:
            for name, values in columns(model, today).items():
                learned.setdefault(name, []).extend(values)
            factor = best_factor(column(past, lambda leg: leg.duration_s), column(past, nominal_s))
            one_factor.extend(factor * column(today, nominal_s))
            test.extend(today)
            for points_of_leg in (p for p in runs if datetime.fromtimestamp(p[0].unix_s, UTC).date() == day):
                moments.extend(en_route(points_of_leg, model, factor, widths))
        # The day is over: it may be learned from, with the errors that its predictions had.
        past.extend(model.judged(today) if model else today)
    real = column(test, lambda leg: leg.duration_s)
    as_arrays = {name: np.array(values) for name, values in learned.items()}
    found: dict[str, Any] = {
        "n_train_first_day": len(legs) - len(test),
        "learned": scores(real, **as_arrays),
        "great circle": scores(real, column(test, nominal_s)),
        "great circle, one factor": scores(real, np.array(one_factor)),
        "by_horizon": by_horizon(real, column(test, nominal_s), as_arrays),
    }
    found["mae_lower_than_one_factor_pct"] = lower_pct(found["learned"], found["great circle, one factor"])
    found["en_route"] = score_moments(moments)
    return found


class Moment(NamedTuple):
    """A prediction in the middle of a leg: seconds left, really and as predicted."""

    real_s: float
    p50_s: float
    p10_s: float
    p90_s: float
    without_pace_s: float
    one_factor_s: float


EVERY_S = 60.0
"""How often a prediction is taken while a leg is replayed."""


def en_route(points: Sequence[TrackPoint], model: TravelModel | None, factor: float, widths: Widths) -> list[Moment]:
    """
    What is told while a leg is replayed fix by fix, from a minute after departure to a minute before arrival.

    `widths`: learned from the legs before, and from this one when it is over.
    """
    assert model is not None
    stop = PlannedStop(OrderId(UUID(int=1)), StopKind.DROPOFF)
    end = points[-1]
    mode = model.mode

    def expect(at: LatLon, unix_s: float) -> Estimate:
        now = datetime.fromtimestamp(unix_s, UTC)
        base_s = default_s(mode, at, end.at)
        return model.estimate(at, end.at, now, base_s, courier_id=eta_legs.NOBODY)

    whole = expect(points[0].at, points[0].unix_s)
    progress = depart(stop, end.at, at=points[0].at, fixed_at=points[0].unix_s)
    moments: list[Moment] = []
    said: tuple[Eta, ...] = ()
    next_at = points[0].unix_s + EVERY_S
    for point in points[1:]:
        progress = advance(progress, point.at, point.unix_s)
        if point.unix_s < next_at or end.unix_s - point.unix_s < EVERY_S:
            continue
        next_at = point.unix_s + EVERY_S
        left = expect(point.at, point.unix_s)
        progress = replace(progress, door=from_fixes.EMPTY)  # passing by the door is no arrival in a recording
        span = leg_ahead(progress, expected_s=whole.p50_s, left_s=left.p50_s, band=left.band, source="learned")
        ahead = StopAhead(stop=stop, at=end.at, leg=span, service=NO_SERVICE)
        found = foresee(
            Journey(stops=(ahead,), fixed_at=point.unix_s),
            now=point.unix_s,
            widen=lambda etas: widths.widen(etas, [Stage.ON_THE_WAY]),
        )
        is_measured = progress.standing or progress.is_behind(whole.p50_s)
        said = settle(said, found if is_measured else hold(said, found))
        widths.hear(said, [Stage.ON_THE_WAY])
        nominal = distance_m(point.at, end.at) / (eta_legs.NOMINAL_KMH[mode] / 3.6)
        moments.append(
            Moment(
                real_s=end.unix_s - point.unix_s,
                p50_s=said[0].p50 - point.unix_s,
                p10_s=said[0].p10 - point.unix_s,
                p90_s=said[0].p90 - point.unix_s,
                without_pace_s=left.p50_s,
                one_factor_s=factor * nominal,
            )
        )
    widths.arrived(stop, end.unix_s)
    return moments


def score_moments(moments: Sequence[Moment]) -> dict[str, Any]:
    """Scores of what was told on the way, by what was really left."""
    real, p50, p10, p90, without_pace, one_factor = np.array(moments).T
    told = {"predicted_s": p50, "p10_s": p10, "p90_s": p90}
    found: dict[str, Any] = {
        "told": scores(real, **told),
        "without the pace of the leg": scores(real, without_pace),
        "great circle, one factor": scores(real, one_factor),
        "by_horizon": by_horizon(real, one_factor, told),
    }
    found["mae_lower_than_one_factor_pct"] = lower_pct(found["told"], found["great circle, one factor"])
    return found


NO_SERVICE = Span(p50_s=0.0, band=Band(low=0.0, middle=0.0, high=0.0), source="learned")


def run_roads(options: argparse.Namespace) -> dict[str, Any]:
    """Parts (1) and (2) for each mode; says why when there is no engine or extract."""
    from tests.engines import OsrmServer, missing_engine  # noqa: PLC0415 - only here; needs nothing when the part is off

    if not options.osm.exists():
        return {"skipped": f"no map extract at {options.osm}"}
    if reason := missing_engine("osrm"):
        return {"skipped": reason}
    corners = eta_legs.bounds(options.osm)
    found: dict[str, Any] = {"road": {}, "drivers": {}, "drivers_like_engine": {}}
    for mode in MODES:
        with tempfile.TemporaryDirectory() as name:
            server = OsrmServer(Path(name), mode=mode, streets=options.osm)
            try:
                n = options.train + options.test
                legs = eta_legs.road_legs(server.url, mode, corners, n=n, seed=options.seed)
            finally:
                server.kill()
        train, test = legs[: options.train], legs[options.train :]
        found["road"][mode.value] = road(train, test, mode)
        found["drivers"][mode.value] = drivers(train, test, mode, differ=Drivers(), seed=options.seed)
        same = Drivers(level=0, rush=0, cell_sd=0, cell_rush_sd=0, courier_sd=0)
        found["drivers_like_engine"][mode.value] = drivers(train, test, mode, differ=same, seed=options.seed)
    return found


def report(result: dict[str, Any]) -> str:
    """Tables for a reader."""
    parts = []
    for part in ("road", "drivers", "drivers_like_engine"):
        for mode, found in result.get(part, {}).items():
            rows = [(name, row) for name, row in found.items() if isinstance(row, dict) and "mae_s" in row]
            rows += [(f"  learned, {name}", row) for name, row in found["by_horizon"].items()]
            parts.append(table(f"{part}: {mode}", rows))
    if "mae_lower_than_one_factor_pct" in result.get("track", {}):
        found = result["track"]
        rows = [(name, row) for name, row in found.items() if isinstance(row, dict) and "mae_s" in row]
        rows += [(f"  learned, {name}", row) for name, row in found["by_horizon"].items()]
        parts.append(table("track, at departure", rows))
        found = found["en_route"]
        rows = [(name, row) for name, row in found.items() if isinstance(row, dict) and "mae_s" in row]
        rows += [(f"  told, {name}", row) for name, row in found["by_horizon"].items()]
        parts.append(table("track, on the way", rows))
    if "day" in result:
        parts.append(json.dumps(result["day"], indent=1))
    parts += [f"{key}: {value}" for key, value in result.items() if key in ("skipped", "track_skipped")]
    return "\n\n".join(parts)


def a_day(seed: int, days_before: int, hours: float) -> eta_day.DayLog:
    """A day of a city that takes orders for so long, after days that intervals are learned from."""
    city = eta_day.City(seed=seed)
    learned = eta_day.taught(city, n_legs=1000, n_couriers=20)
    widths = Widths()
    for number in range(1, days_before + 1):
        eta_day.Day(city, learned, widths=widths, number=number, hours=hours).run()
        widths = unpack(widths.pack())
    return eta_day.Day(city, learned, restart_every_s=1800, widths=widths, hours=hours).run()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.eta", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON only")
    parser.add_argument("--osm", type=Path, default=DATA / "osm" / "porto.osm.pbf", help="map extract of part 1 and 2")
    parser.add_argument("--gps", type=Path, default=DATA / "gps" / "geolife_001.csv.gz", help="track of part 3")
    parser.add_argument("--gps-mode", type=Mode, default=Mode.BICYCLE, help="the mode its courier declares")
    parser.add_argument("--train", type=int, default=4500, help="road legs a mode to learn from")
    parser.add_argument("--test", type=int, default=1500, help="road legs a mode held out")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--days-before", type=int, default=1, help="days of part 4 that intervals are learned from")
    parser.add_argument("--cities", type=int, default=1, help="cities of part 4, from --seed on, taken together")
    parser.add_argument("--day-hours", type=float, default=3.0, help="so long a day of part 4 takes orders")
    parser.add_argument("--part", choices=("all", "road", "track", "day"), default="all")
    options = parser.parse_args(arguments)
    settings = {key: str(value) for key, value in vars(options).items() if key != "json"}
    if not options.json:
        print(settings)
    began = time.monotonic()
    result: dict[str, Any] = {"settings": settings, "python": platform.python_version(), "numpy": np.__version__}
    if options.part in ("all", "road"):
        result |= run_roads(options)
    if options.part in ("all", "track"):
        if options.gps.exists():
            result["track"] = track(eta_legs.read_track(options.gps), options.gps_mode)
        else:
            result["track_skipped"] = f"no track at {options.gps}"
    if options.part in ("all", "day"):
        days = [
            a_day(seed, options.days_before, options.day_hours)
            for seed in range(options.seed, options.seed + options.cities)
        ]
        result["day"] = eta_day.figures(*days)
    result["elapsed_s"] = round(time.monotonic() - began, 1)
    print(json.dumps(result, indent=1) if options.json else report(result))


if __name__ == "__main__":
    main(sys.argv[1:])
