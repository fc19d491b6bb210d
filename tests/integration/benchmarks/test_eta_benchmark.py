"""The whole ETA benchmark, small, against a real engine and a real track where these are present."""

import json

import pytest

from benchmarks import eta
from tests.engines import missing_engine


def test_it_prints_every_figure_as_json(data_folder, capsys):
    if reason := missing_engine("osrm"):
        pytest.skip(reason)
    osm, gps = data_folder / "osm" / "porto.osm.pbf", data_folder / "gps" / "geolife_001.csv.gz"
    small = ["--train", "120", "--test", "40", "--days-before", "0", "--day-hours", "0.25"]
    eta.main(["--json", *small, "--osm", str(osm), "--gps", str(gps)])
    found = json.loads(capsys.readouterr().out)
    for mode in ("car", "bicycle", "foot"):
        assert found["road"][mode]["learned"]["mape_pct"] < found["road"][mode]["great circle"]["mape_pct"]
        assert found["drivers"][mode]["learned"]["n"] == 40
    assert found["day"]["n_committed"] > 0
    assert found["track"]["mae_lower_than_one_factor_pct"] > 20
