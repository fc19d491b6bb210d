"""Hosts of every kind, processes, links and servers are lost while uploads and orders go on: nothing accepted is."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.hosts import apart, missing_namespaces
from tests.spread import ROOT
from tests.waiting import PATIENCE_S


def test_whatever_is_lost_no_accepted_fix_is_lost_or_doubled_and_no_order_planned_twice(servers_folder):
    if reason := missing_namespaces():
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(dir=servers_folder, prefix="hosts-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        # As process 1 of its own, so that nothing of it outlives it: this ends all, whoever ends it.
        drill = subprocess.run(
            apart([sys.executable, "-m", "tests.drill", name]),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=5 * PATIENCE_S,
        )
    assert drill.returncode == 0, drill.stderr
    told = json.loads(drill.stdout)
    assert {law: cases for law, cases in told["broken"].items() if cases} == {}
    assert len(told["faults"]) == 7
    assert told["counts"]["fixes taken"] > 0
