"""The ETA benchmark on made-up legs and a made-up track: figures, fairness of the opponents, no look ahead."""

import random
import struct
import zlib
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from benchmarks import eta
from benchmarks.eta_legs import (
    Drivers,
    TrackPoint,
    bounds,
    driven,
    nominal_s,
    read_track,
    track_legs,
    tracked,
)
from benchmarks.scores import best_factor, by_horizon, lower_pct, scores
from dispatch.learning.travel_model import TrackedLeg, default_s
from tracking.position import CourierId, LatLon, Mode

SOUTH_WEST = LatLon(41.12, -8.63)


def town_legs(n, *, seed=0, factor=1.4):
    """Legs of a town where the north takes half as long again."""
    rng = random.Random(seed)
    legs = []
    for _ in range(n):
        origin, destination = (
            LatLon(SOUTH_WEST.lat + rng.uniform(0, 0.04), SOUTH_WEST.lon + rng.uniform(0, 0.04)) for _ in range(2)
        )
        base_s = default_s(Mode.CAR, origin, destination)
        north = 1.5 if origin.lat > 41.14 else 1.0
        legs.append(
            TrackedLeg(
                courier_id=CourierId(eta.UUID(int=0)),
                mode=Mode.CAR,
                origin=origin,
                destination=destination,
                departed_at=datetime(2026, 3, 2, 12, tzinfo=UTC),
                duration_s=base_s * factor * north,
                base_s=base_s,
            )
        )
    return legs


def test_scores_of_a_perfect_and_of_a_late_prediction():
    real = np.array([100.0, 1000.0])
    perfect = scores(real, real, p10_s=real * 0.9, p90_s=real * 1.1)
    assert (perfect["mae_s"], perfect["bias_s"], perfect["coverage_pct"]) == (0.0, 0.0, 100.0)
    late = scores(real, real + 400)
    assert (late["mae_s"], late["bias_s"], late["within_5_min_pct"]) == (400.0, 400.0, 0.0)
    assert "coverage_pct" not in late
    assert lower_pct({"mae_s": 75.0}, {"mae_s": 100.0}) == 25.0


def test_the_best_factor_has_the_least_error():
    rng = np.random.default_rng(1)
    expected = rng.uniform(100, 2000, 200)
    real = expected * rng.lognormal(0.3, 0.4, 200)
    best = best_factor(real, expected)
    error = np.mean(np.abs(best * expected - real))
    assert all(np.mean(np.abs(other * best * expected - real)) >= error - 1e-9 for other in (0.9, 0.99, 1.01, 1.1))


def test_horizons_are_told_apart():
    real = np.array([100.0, 400.0, 5000.0])
    found = by_horizon(real, real, {"predicted_s": real})
    assert list(found) == ["0-5 min", "5-10 min", "20 min or more"]


def test_what_is_learned_beats_one_factor_where_places_differ():
    found = eta.road(town_legs(300), town_legs(60, seed=1), Mode.CAR)
    assert found["learned"]["mape_pct"] < found["default, one factor"]["mape_pct"]
    assert found["learned"]["n"] == 60
    assert {"coverage_pct", "bias_s", "p90_error_s", "within_5_min_pct"} <= found["learned"].keys()


def test_drivers_are_learned_and_drivers_like_the_engine_do_no_harm():
    legs = town_legs(500, factor=1.0)
    found = eta.drivers(legs[:400], legs[400:], Mode.CAR, differ=Drivers(level=0.4), seed=1)
    assert found["mae_lower_than_engine_pct"] > 20
    same = Drivers(level=0, rush=0, cell_sd=0, cell_rush_sd=0, courier_sd=0)
    assert eta.drivers(legs[:400], legs[400:], Mode.CAR, differ=same, seed=1)["mae_lower_than_engine_pct"] > -15


def test_the_same_seed_means_the_same_city_whatever_the_legs():
    legs = town_legs(40, factor=1.0)
    day = datetime(2026, 3, 2, tzinfo=UTC)
    no_noise = Drivers(noise_sd=0, courier_sd=0, rush=0, cell_rush_sd=0)
    one = driven(legs, no_noise, n_a_day=10, first_day=day, seed=3)
    other = driven(legs, no_noise, n_a_day=40, first_day=day + timedelta(days=9), seed=3)
    assert [leg.duration_s for leg in one] == pytest.approx([leg.duration_s for leg in other])


def commuter_track(days=12):
    """Every day the same ride there, a stay, and back at half the speed."""
    points = []
    for day in range(days):
        at = datetime(2026, 3, 2, 8, tzinfo=UTC).timestamp() + 86_400 * day
        for start, step, n in ((0.0, 5.0, 200), (1000.0, 0.0, 60), (1000.0, -2.5, 400)):
            for k in range(n):
                at += 5.0
                points.append(TrackPoint(LatLon(41.15 + (start + step * k) / 111_195 * 5, -8.61), at))
        at += 7200
    return points


def test_a_track_is_cut_at_stays_and_gaps():
    legs = track_legs(commuter_track(days=3))
    assert len(legs) == 6
    leg = tracked(legs[0], Mode.BICYCLE)
    assert leg.duration_s == pytest.approx(1000, abs=30)
    assert nominal_s(leg) > 0


def test_a_track_is_predicted_from_the_days_before():
    found = eta.track(commuter_track(), Mode.BICYCLE)
    assert found["learned"]["mape_pct"] < 15
    assert found["mae_lower_than_one_factor_pct"] > 20
    assert found["en_route"]["told"]["mae_s"] < found["en_route"]["great circle, one factor"]["mae_s"]


def test_a_recording_is_read_in_order_and_each_time_once(tmp_path):
    file = tmp_path / "track.csv"
    file.write_text(
        "lat,lng,datetime,uid\n1.0,2.0,2008-10-23 05:53:06,001\n1.1,2.0,2008-10-23 05:53:05,001\n"
        "9.0,2.0,2008-10-23 05:53:06,001\n"
    )
    assert [point.at.lat for point in read_track(file)] == [1.1, 1.0]


def test_the_bounds_of_an_extract_come_from_its_header(tmp_path):
    def varint(n):
        out = b""
        while n > 0x7F:
            out, n = out + bytes([n & 0x7F | 0x80]), n >> 7
        return out + bytes([n])

    def whole(number, value):
        return varint(number << 3) + varint((value << 1) ^ (value >> 63))

    def content(number, data):
        return varint(number << 3 | 2) + varint(len(data)) + data

    box = whole(1, -8_620_000_000) + whole(2, -8_590_000_000) + whole(3, 41_160_000_000) + whole(4, 41_120_000_000)
    blob = content(3, zlib.compress(content(1, box)))
    header = content(1, b"OSMHeader") + varint(3 << 3) + varint(len(blob))
    file = tmp_path / "town.osm.pbf"
    file.write_bytes(struct.pack(">I", len(header)) + header + blob)
    assert bounds(file) == (LatLon(41.12, -8.62), LatLon(41.16, -8.59))
