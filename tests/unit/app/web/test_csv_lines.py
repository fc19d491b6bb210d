"""Rows as CSV."""

from datetime import UTC, datetime

import pytest

from app.web.csv_lines import csv_lines


@pytest.mark.parametrize("text", ["=1+1", "+7", "-1", "@x", "\tx", "\rx"])
def test_what_a_spreadsheet_would_take_for_a_formula_is_text(text):
    assert csv_lines([[text]]).strip('"\r\n') == f"'{text}".strip("\r")


def test_values_are_written_as_others_read_them():
    row = [None, datetime(2026, 5, 4, tzinfo=UTC), -1.5, 'a "b", c']
    assert csv_lines([row]) == ',2026-05-04T00:00:00+00:00,-1.5,"a ""b"", c"\r\n'
