"""Rows as lines of CSV that a spreadsheet may open: what it would take for a formula is text."""

import csv
import io
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""A cell that begins so is a formula to a spreadsheet."""


def csv_lines(rows: Iterable[Iterable[Any]]) -> str:
    """RFC 4180, with instants as RFC 3339 and nothing for None."""
    out = io.StringIO()
    csv.writer(out).writerows([_cell(value) for value in row] for row in rows)
    return out.getvalue()


def _cell(value: Any) -> Any:
    match value:
        case None:
            return ""
        case datetime():
            return value.isoformat()
        case str() if value.startswith(FORMULA):
            return f"'{value}"
        case _:
            return value
