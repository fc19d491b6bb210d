"""GS1 barcodes: which goods, which lot, good until when."""

import calendar
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.stock.gs1 import FNC1, Scanned, check_digit, date_of, gtin_of, read

TODAY = date(2026, 11, 27)
GTIN = "09506000134352"
"""Of the General Specifications' examples."""
digits = st.text("0123456789", min_size=13, max_size=13)
lots = st.text("ABCXYZabc0189-./_", min_size=1, max_size=20)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"01{GTIN}17270228{FNC1}10LOT-7", Scanned(gtin=GTIN, lot="LOT-7", best_before=date(2027, 2, 28))),
        (f"]C101{GTIN}10A1{FNC1}15270200", Scanned(gtin=GTIN, lot="A1", best_before=date(2027, 2, 28))),
        (f"]d2{FNC1}01{GTIN}3103001250", Scanned(gtin=GTIN, weight_g=1250)),
        (f"(01){GTIN}(10)A(1)(17)280200", Scanned(gtin=GTIN, lot="A(1)", best_before=date(2028, 2, 29))),
        (f"(01){GTIN}(10)A1(17)280200", Scanned(gtin=GTIN, lot="A1", best_before=date(2028, 2, 29))),
        (f"01{GTIN}15270101" + "17270301", Scanned(gtin=GTIN, best_before=date(2027, 3, 1))),
        (f"01{GTIN}3712{FNC1}11260131", Scanned(gtin=GTIN, quantity=12, made_on=date(2026, 1, 31))),
        (f"01{GTIN}21serial{FNC1}8005000123{FNC1}4219781{FNC1}10B", Scanned(gtin=GTIN, lot="B")),
        ("9506000134352", Scanned(gtin=GTIN)),
        ("]E09506000134352", Scanned(gtin=GTIN)),
        (GTIN, Scanned(gtin=GTIN)),
        ("0109506000134353", ValueError),
        (f"01{GTIN[:9]}", ValueError),
        (f"01{GTIN}01{GTIN[:-2]}69", ValueError),
        (f"01{GTIN}17271301", ValueError),
        (f"01{GTIN}17270230", ValueError),
        (f"01{GTIN}10", ValueError),
        (f"01{GTIN}10\N{SNOWMAN}", ValueError),
        (f"01{GTIN}3104000125", ValueError),
        ("05whatever", ValueError),
        ("", Scanned()),
        ("1" * 401, ValueError),
    ],
)
def test_a_code_is_read_or_told_what_is_wrong_with_it(text, expected):
    if expected is ValueError:
        with pytest.raises(ValueError, match="expected"):
            read(text, today=TODAY)
    else:
        assert read(text, today=TODAY) == expected


@given(digits=digits, lot=lots, at=st.dates(date(2020, 1, 1), date(2070, 12, 31)), gap=st.booleans())
def test_what_is_written_into_a_code_is_read_from_it(digits, lot, at, gap):
    gtin = digits + check_digit(digits)
    text = f"01{gtin}17{at:%y%m%d}{FNC1 if gap else ''}10{lot}"
    assert read(text, today=TODAY) == Scanned(gtin=gtin, lot=lot, best_before=at)
    assert read(f"01{gtin}10{lot}{FNC1}17{at:%y%m%d}", today=TODAY) == read(text, today=TODAY)


@given(digits=digits, n=st.integers(0, 13), by=st.integers(1, 9))
def test_no_single_wrong_digit_passes(digits, n, by):
    right = digits + check_digit(digits)
    wrong = right[:n] + str((int(right[n]) + by) % 10) + right[n + 1 :]
    assert gtin_of(right) == right
    with pytest.raises(ValueError, match="check digit"):
        gtin_of(wrong)


@given(text=st.text(max_size=40))
def test_whatever_is_scanned_is_read_or_refused(text):
    try:
        found = read(text, today=TODAY)
    except ValueError:
        return
    assert isinstance(found, Scanned)


@given(today=st.dates(date(2000, 1, 1), date(2090, 1, 1)), back=st.integers(-49, 50), month=st.integers(1, 12))
def test_the_century_is_the_nearest_one_and_day_00_the_end_of_the_month(today, back, month):
    year = today.year + back
    found = date_of(f"{year % 100:02}{month:02}00", today=today)
    assert found == date(year, month, calendar.monthrange(year, month)[1])
