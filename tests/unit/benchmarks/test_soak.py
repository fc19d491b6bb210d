"""What the soak makes of its samples."""

import os

import pytest

from benchmarks.soak import flatness, measures, slope, tree


def test_a_leak_is_told_and_a_single_peak_is_not():
    times = [10.0 * i for i in range(60)]
    assert slope(times, [100 + at / 36 for at in times]) == pytest.approx(100)  # 100 an hour
    peak = [200.0 if i == 30 else 100.0 for i in range(60)]
    assert slope(times, peak) == 0
    row = flatness([(at, {"memory_mb": 100 + at / 36}) for at in times], "memory_mb")
    assert row["per_hour_pct"] == pytest.approx(100 * 100 / (100 + 295 / 36), rel=0.01)


def test_processes_are_found_and_measured():
    assert os.getpid() in tree(os.getppid())
    (row,) = measures([os.getpid()]).values()
    assert row["memory_mb"] > 1
    assert row["files"] >= 1
