"""Metrics of several processes, of which some are killed."""

import os
import subprocess
import sys
from contextlib import ExitStack

import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.web.together import MULTIPROCESS, collected, share_metrics

COUNTS = """
import sys
from prometheus_client import Counter, Gauge, Histogram
Counter("jobs", "Done.", ["kind"]).labels("a").inc(3)
Histogram("took_seconds", "Took.", buckets=(1, 2)).observe(1.5)
Gauge("open", "Now open.", multiprocess_mode="livesum").set(5)
Gauge("depth", "By the latest.", multiprocess_mode="livemostrecent").set(float(sys.argv[1]))
Gauge("plain", "With a mode of its own.").set(1)
print("counted", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(MULTIPROCESS, "")
    share_metrics(tmp_path)
    return tmp_path


@pytest.fixture
def start(folder):
    with ExitStack() as stack:

        def make(depth):
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", COUNTS, str(depth)],
                    env=os.environ | {MULTIPROCESS: str(folder)},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                )
            )
            assert process.stdout.readline() == b"counted\n"
            return process

        yield make


def told(folder):
    families = text_string_to_metric_families(collected(folder).decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_what_all_counted_is_told_and_what_the_dead_say_of_now_is_not(folder, start):
    processes = [start(depth) for depth in (10, 20, 30)]
    assert told(folder)["jobs_total", (("kind", "a"),)] == 9
    assert told(folder)["open", ()] == 15
    for n_dead, process in enumerate(processes, 1):
        process.kill()
        process.wait()
        for _ in range(2):  # asked again, nothing is added again
            found = told(folder)
            assert found["jobs_total", (("kind", "a"),)] == 9
            assert found["took_seconds_count", ()] == 3
            assert found["took_seconds_bucket", (("le", "1.0"),)] == 0
            assert found["took_seconds_bucket", (("le", "2.0"),)] == 3
            assert found.get(("open", ()), 0) == 5 * (3 - n_dead)
            assert found.get(("depth", ()), 30) == 30
            assert len([key for key in found if key[0] == "plain"]) == 3 - n_dead
    start(40)
    assert told(folder)["jobs_total", (("kind", "a"),)] == 12
    assert told(folder)["depth", ()] == 40


def test_files_do_not_pile_up_with_the_dead(folder, start):
    for depth in range(4):
        process = start(depth)
        process.kill()
        process.wait()
        told(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["counter_0.db", "histogram_0.db", "lock"]


def test_a_file_that_is_just_being_made_costs_nothing(folder, start):
    start(1)
    (folder / f"counter_{os.getpid()}.db").touch()
    assert told(folder)["jobs_total", (("kind", "a"),)] == 3


def test_nothing_that_counts_is_imported_before_the_processes_share_their_folder():
    """prometheus_client looks for the folder once: who counts before that counts alone, and is told of by chance."""
    says = "import app.__main__ as main, sys; main._settings(); sys.exit('prometheus_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", says], check=False).returncode == 0
