"""By whose clock orders, offers and leases are judged."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3] / "dispatch"
OWN = {("datetime", "now"), ("datetime", "utcnow"), ("time", "time"), ("date", "today"), ("time", "time_ns")}


@pytest.mark.parametrize("room", ["orders", "planning", "region"])
def test_orders_are_judged_by_the_database_s_clock_and_by_no_process_s_own(room):
    """Of two dispatchers one may be minutes ahead: it would end offers that the other has just made."""
    found = [
        f"{file.name}:{node.lineno}"
        for file in sorted((ROOT / room).rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and (node.value.id, node.attr) in OWN
    ]
    assert found == []
