"""
Money as whole minor units (cents) of one currency; no I/O.

Rounding is said once, here: each entry is rounded by itself, half away from zero, and sums are sums of entries; so a
statement adds up to the cent.
"""

from decimal import Decimal
from fractions import Fraction
from typing import Final

DIGITS: Final = {
    **dict.fromkeys(("JPY", "KRW", "VND", "CLP", "ISK", "UGX", "XAF", "XOF", "PYG", "RWF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}
"""Digits after the point of the currencies that do not have two. Source: ISO 4217, list one."""
LARGEST: Final = Decimal(1_000_000)
"""Of an amount in a rule: larger ones are slips."""
FINEST: Final = 28
"""Digits after the point that are looked at; an exact number of a million digits would never be done."""


def digits_of(currency: str) -> int:
    """How many digits an amount of that currency has after the point."""
    return DIGITS.get(currency, 2)


def minor_of(amount: Decimal, digits: int) -> int:
    """An amount in minor units; raises ValueError where it is no amount, or has digits that the currency has not."""
    if not amount.is_finite() or not 0 <= amount <= LARGEST:
        raise ValueError(f"expected an amount from 0 to {LARGEST}")
    if int(amount.as_tuple().exponent) < -FINEST:
        raise ValueError(f"expected at most {digits} digits after the point")
    minor = Fraction(amount) * 10**digits
    if minor.denominator != 1:
        raise ValueError(f"expected at most {digits} digits after the point")
    return int(minor)


def rounded(exact: Fraction) -> int:
    """Minor units, half away from zero."""
    whole, rest = divmod(abs(exact), 1)
    size = int(whole) + (rest >= Fraction(1, 2))
    return -size if exact < 0 else size


def text_of(minor: int, digits: int) -> str:
    """An amount as people write it: `12.50`."""
    whole, rest = divmod(abs(minor), 10**digits)
    return f"{'-' if minor < 0 else ''}{whole}" + (f".{rest:0{digits}}" if digits else "")
