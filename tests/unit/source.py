"""What the program itself says, as its syntax trees: for tests that find what nothing uses."""

import ast
import functools
import gc
import re
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[2]
PRODUCT = ("app", "dispatch", "tracking", "sql")


@functools.cache
def trees() -> tuple[ast.Module, ...]:
    """Every module of the program; tests and benchmarks are not the program."""
    files = (file for folder in PRODUCT for file in sorted((ROOT / folder).rglob("*.py")))
    gc.disable()  # there is nothing to collect, and it would look at half a million nodes again and again
    try:
        return tuple(ast.parse(file.read_text(encoding="utf-8")) for file in files if "node_modules" not in file.parts)
    finally:
        gc.enable()


def is_asked(queries: Iterable[str]) -> set[str]:
    """
    Those that the program names: as a text of its own, or as what `queries[f"…"]` may become.

    A plain text anywhere counts, for some are chosen first and asked later.
    """
    known: set[str] = set()
    patterns: list[re.Pattern[str]] = []
    for tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                known.add(node.value)
            elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.JoinedStr):
                parts = node.slice.values
                made = [re.escape(part.value) if isinstance(part, ast.Constant) else r"\w+" for part in parts]
                patterns.append(re.compile("".join(made)))
    return {name for name in queries if name in known or any(pattern.fullmatch(name) for pattern in patterns)}


def raised() -> set[str]:
    """Names of the exceptions that the program makes: `raise X`, `raise X(...)`, `x = X(...)`."""
    names: set[str] = set()
    for tree in trees():
        for node in ast.walk(tree):
            made = node.func if isinstance(node, ast.Call) else node.exc if isinstance(node, ast.Raise) else None
            if isinstance(made, ast.Name):
                names.add(made.id)
            elif isinstance(made, ast.Attribute):
                names.add(made.attr)
    return names
