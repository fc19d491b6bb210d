"""
What a GS1 barcode says: which goods, of which lot, good until when, how much; no I/O.

GS1 General Specifications, sections 3 (application identifiers), 7.8 (element strings one after the other; those of no
fixed length end with FNC1, which scanners send as the control character GS), 7.9 (check digit), 7.12 (century). Read is
what is in GS1-128, DataMatrix, DataBar and QR, with a scanner's symbology identifier before it or without, the text
with brackets as it is printed below a code, and the bare digits of EAN and UPC codes.
"""

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

FNC1: Final = "\x1d"
LONGEST: Final = 400
"""Characters; a DataMatrix holds more, and nothing of ours needs them."""
SYMBOLOGIES: Final = re.compile(r"^\](C1|d2|e0|Q3|E0|E4|d1|Q1|J1)")
FIXED: Final = {
    "00": 18,
    "01": 14,
    "02": 14,
    "03": 14,
    "04": 16,
    "20": 2,
    **dict.fromkeys(map(str, range(11, 20)), 6),
    **dict.fromkeys(map(str, range(31, 37)), 6),
    "41": 13,
}
"""By the first two digits: characters after the identifier, without a separator (figure 7.8.5-2)."""
N_DIGITS: Final = {"23": 3, "24": 3, "25": 3, "40": 3, "41": 3, "42": 3, "71": 3} | dict.fromkeys(
    ["31", "32", "33", "34", "35", "36", "39", "43", "70", "72", "80", "81", "82"], 4
)
"""Of the identifier, by its first two; all others have two."""
KNOWN: Final = frozenset({"10", "21", "22", "30", "37", *map(str, range(90, 100))}) | FIXED.keys() | N_DIGITS.keys()
LOT: Final = re.compile(r"^[!-\"%-?A-Z_a-z]{1,20}$")
"""Character set 82."""
LENGTHS: Final = (8, 12, 13, 14)
"""Digits of GTIN-8, UPC-A (GTIN-12), EAN-13 and GTIN-14."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanned:
    """What a code says."""

    gtin: str | None = None
    """14 digits."""
    lot: str | None = None
    made_on: date | None = None
    """AI 11."""
    best_before: date | None = None
    """AI 15, or 17 (expiry) where the code has both: after that it must not be sold."""
    quantity: int | None = None
    """AI 30 or 37: pieces."""
    weight_g: int | None = None
    """AI 310n: kilograms with n decimals, in whole grams."""


def read(text: str, *, today: date) -> Scanned:
    """What is scanned says; raises ValueError with what was expected."""
    if len(text) > LONGEST:
        raise ValueError(f"expected {LONGEST} characters at most")
    found: dict[str, str] = {}
    bare = SYMBOLOGIES.sub("", text.strip(" \r\n\t"))
    if bare.isascii() and bare.isdecimal() and len(bare) in LENGTHS and check_digit(bare[:-1]) == bare[-1]:
        return Scanned(gtin=gtin_of(bare))
    for identifier, value in _bracketed(bare) if bare.startswith("(") else _elements(bare):
        if found.setdefault(identifier, value) != value:
            raise ValueError(f"expected ({identifier}) once")
    return _scanned(found, today)


def gtin_of(text: str) -> str:
    """The number with 14 digits; raises ValueError where it is none, or its check digit is another one."""
    if len(text) not in LENGTHS or not (text.isascii() and text.isdecimal()):
        raise ValueError("expected a GTIN of 8, 12, 13 or 14 digits")
    if check_digit(text[:-1]) != text[-1]:
        raise ValueError(f"expected a GTIN that ends in {check_digit(text[:-1])}, its check digit")
    return text.zfill(14)


def check_digit(digits: str) -> str:
    """The digit that completes the number: weights 3 and 1 in turn, from the right."""
    total = sum(int(digit) * (1 if n % 2 else 3) for n, digit in enumerate(reversed(digits)))
    return str(-total % 10)


def date_of(text: str, *, today: date) -> date:
    """
    YYMMDD; day 00 is the last one of the month. Raises ValueError.

    The year is the one of that ending from 49 years ago to 50 years ahead.
    """
    if len(text) != 6 or not (text.isascii() and text.isdecimal()):
        raise ValueError("expected a date as YYMMDD")
    short, month, day = (int(text[n : n + 2]) for n in (0, 2, 4))
    year = today.year - 49 + (short - (today.year - 49)) % 100
    if not 1 <= month <= 12:
        raise ValueError("expected a month from 01 to 12")
    last = calendar.monthrange(year, month)[1]
    if day > last:
        raise ValueError(f"expected a day from 00 to {last}")
    return date(year, month, day or last)


def _elements(text: str) -> Iterator[tuple[str, str]]:
    rest = text
    while rest := rest.lstrip(FNC1):
        start = rest[:2]
        if start not in KNOWN:
            raise ValueError(f"expected an application identifier of GS1, not {start!r}")
        n_digits = N_DIGITS.get(start, 2)
        identifier = rest[:n_digits]
        if len(identifier) < n_digits or not identifier.isdecimal():
            raise ValueError(f"expected an application identifier of GS1, not {identifier!r}")
        length = FIXED.get(start)
        value = rest[n_digits:].partition(FNC1)[0] if length is None else rest[n_digits : n_digits + length]
        if not value or (length is not None and (len(value) < length or FNC1 in value)):
            raise ValueError(f"expected {length or 'some'} characters after ({identifier})")
        yield identifier, value
        rest = rest[n_digits + len(value) :]


def _bracketed(text: str) -> Iterator[tuple[str, str]]:
    parts = re.split(r"\((\d{2,4})\)", text)
    for identifier, value in zip(parts[1::2], parts[2::2], strict=True):
        start = identifier[:2]
        length = FIXED.get(start)
        if start not in KNOWN or len(identifier) != N_DIGITS.get(start, 2):
            raise ValueError(f"expected an application identifier of GS1, not {identifier!r}")
        if not value or (length is not None and len(value) != length):
            raise ValueError(f"expected {length or 'some'} characters after ({identifier})")
        yield identifier, value
    if len(parts) == 1 or parts[0]:
        raise ValueError("expected an application identifier of GS1 in brackets")


def _scanned(found: dict[str, str], today: date) -> Scanned:
    gtin = found.get("01") or found.get("02")
    if gtin is not None:
        gtin = gtin_of(gtin)
    lot = found.get("10")
    if lot is not None and not LOT.match(lot):
        raise ValueError("expected a lot of 1 to 20 characters after (10)")
    until = found.get("17") or found.get("15")
    made_on = found.get("11")
    return Scanned(
        gtin=gtin,
        lot=lot,
        made_on=None if made_on is None else date_of(made_on, today=today),
        best_before=None if until is None else date_of(until, today=today),
        quantity=_quantity(found.get("30") or found.get("37")),
        weight_g=_weight_g(found),
    )


def _quantity(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 8):
        raise ValueError("expected up to 8 digits after (30) or (37)")
    return int(text)


def _weight_g(found: dict[str, str]) -> int | None:
    identifier = next((one for one in found if one.startswith("310")), None)
    if identifier is None:
        return None
    decimals, digits = int(identifier[3]), found[identifier]
    if not (digits.isascii() and digits.isdecimal()) or decimals > 5:
        raise ValueError("expected six digits after (310n), n up to 5")
    scale: int = 10**decimals
    grams, rest = divmod(int(digits) * 1000, scale)
    if rest:
        raise ValueError("expected whole grams")
    return grams
