"""The checker of Li & Lim's solutions tells what is wrong; the benchmark's JSON has the agreed shape."""

import json
import sys
from pathlib import Path

import pytest

from benchmarks import pdptw
from benchmarks.lilim import Instance, Row, faults, length, read

TEXT = """2 10 1
0 0 0 0 0 1000 0 0 0
1 10 0 5 0 100 10 0 2
2 20 0 -5 0 200 10 1 0
3 0 10 6 0 100 10 0 4
4 0 20 -6 0 200 10 3 0
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "tiny.txt"
    file.write_text(TEXT)
    return file


@pytest.fixture
def instance(path: Path) -> Instance:
    return read(path)


def test_an_instance_is_read_by_its_published_format(instance):
    assert (instance.name, instance.n_vehicles, instance.capacity, len(instance.rows)) == ("tiny", 2, 10, 5)
    assert instance.rows[2] == Row(x=20, y=0, demand=-5, opens=0, closes=200, service=10, pickup=1, dropoff=0)


def test_feasible_routes_have_no_faults(instance):
    assert faults(instance, [(1, 2), (3, 4)]) == []
    assert length(instance, [(1, 2), (3, 4)]) == 80


@pytest.mark.parametrize(
    ("routes", "fault"),
    [
        ([(1, 2)], "not every stop once"),
        ([(1, 2), (3, 4), (1,)], "3 vehicles of 2"),
        ([(2, 1), (3, 4)], "before its pickup"),
        ([(1, 3, 2, 4)], "load 11"),
        ([(3, 4, 1, 2)], ""),
        ([(1, 2, 3, 4)], ""),
        ([(1, 4), (3, 2)], "before its pickup"),
    ],
)
def test_each_fault_is_told(instance, routes, fault):
    told = "; ".join(faults(instance, routes))
    assert fault in told
    assert bool(told) == bool(fault)


def test_lateness_is_a_fault(path):
    path.write_text(TEXT.replace("2 20 0 -5 0 200", "2 20 0 -5 0 25"))
    assert "late at 2" in "; ".join(faults(read(path), [(1, 2), (3, 4)]))


def test_json_has_the_agreed_shape(path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["pdptw", str(path), "--seconds", "0.2", "--json"])
    pdptw.main()
    row = json.loads(capsys.readouterr().out)["instances"]["tiny"]
    assert set(row) <= {"postrider", "vroom", "pyvrp"}
    assert row["postrider"].keys() == {"vehicles", "distance", "feasible", "seconds"}
    assert all(told["feasible"] and told["vehicles"] <= 2 for told in row.values())


def test_without_data_the_benchmark_says_so(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["pdptw", "absent.txt", "--json"])
    pdptw.main()
    told = capsys.readouterr()
    assert json.loads(told.out) == {"instances": {}, "skipped": "no instances"}
    assert "skipped" in told.err
