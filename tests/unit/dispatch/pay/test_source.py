"""Rules of pay are read exactly, and what cannot be used is told with its line and column."""

import re
from decimal import Decimal
from pathlib import Path
from typing import get_args

import pytest

from app.machine.opening import RULES_OF_PAY
from dispatch.pay.rules import Amount, AnyRule, Bands
from dispatch.pay.source import LARGEST, Unusable, read

FILE = """\
currency: EUR
flags:
  rain: {hours: [{from: 2026-11-27T17:00:00+00:00, to: 2026-11-27T22:00:00+00:00}]}
  holiday: {days: [{from: 2026-12-25, to: 2026-12-26}]}
rules:
  - {id: base, kind: amount, amount: 2.80, when: {outcome: [delivered, returned]}}
  - id: distance
    kind: bands
    of: distance_m
    per: 1000
    bands: [{rate: 0.60}, {above: 4000, rate: 0.90}]
  - {id: peak, kind: multiply, factor: 1.25, of: [base, distance], when: {clock: [{from: "18:00", to: "21:00"}]}}
  - {id: wet, kind: amount, amount: 1, when: {flag: [rain]}}
  - {id: ten, kind: bonus, steps: [{n: 10, amount: 8}]}
  - {id: floor, kind: minimum_per_hour, amount: 11}
"""


def test_amounts_are_exact_decimals():
    rules = read(FILE)
    base, distance = rules.rules[:2]
    assert isinstance(base, Amount)
    assert base.amount == Decimal("2.80")
    assert isinstance(distance, Bands)
    assert [band.rate for band in distance.bands] == [Decimal("0.60"), Decimal("0.90")]
    assert rules.digits == 2


@pytest.mark.parametrize(
    ("was", "now", "told"),
    [
        ("2.80", "2.805", "line 6, column 38: expected at most 2 digits after the point"),
        ("EUR", "JPY", "line 6, column 38: expected at most 0 digits after the point"),
        ("2.80", "-1", "line 6, column 38: expected an amount from 0 to 1000000"),
        ("2.80", "NaN", "line 6, column 38: expected an amount from 0 to 1000000"),
        ("2.80", "1e999999999", "line 6, column 38: expected an amount from 0 to 1000000"),
        ("2.80", "1e-999999999", "line 6, column 38: expected at most 2 digits after the point"),
        ("0.90", "90000", "line 11, column 47: expected a number from 0 to 10000"),
        ("0.90", "1e-999999999", "line 11, column 47: expected a number from 0 to 10000"),
        ("1.25", "11", "line 12, column 40: expected a number from 0 to 10"),
        ("kind: bands", "kind: band", "line 8, column 11: Invalid value 'band'"),
        ("per: 1000", "pre: 1000", "line 10, column 5: Object contains unknown field `pre`"),
        ("per: 1000", "per: 0", "line 10, column 10: Expected `int` >= 1"),
        ("of: [base,", "of: [ten,", "line 12, column 51: expected the id of an `amount` or `bands` above"),
        ("flag: [rain]", "flag: [snow]", "line 13, column 54: expected one of the flags of this file: rain, holiday"),
        ("id: ten", "id: base", "line 14, column 10: there is another rule base"),
        ("amount: 11}", "amount: 11, when: {units: {from: 2}}}", "line 15, column 67: a day has no such fact"),
        ("above: 4000", "above: 0", "line 7, column 5: expected bands by growing `above`"),
        ("18:00", "18:60", "line 12, column 90: Expected `str` matching"),
        ("currency: EUR", "currency: EUR\ncurrency: USD", "line 2, column 1: currency comes twice"),
        ("currency: EUR", "currency: [EUR", "line 2, column 6: expected ',' or ']'"),
        ("currency: EUR", "currency: &c EUR", "line 1, column 11: anchors and aliases are not read"),
        ("currency: EUR", "currency: E\x00R", "line 1, column 12: a character that YAML has not"),
        ("currency: EUR", "a: " + "[" * 5000, "nested too deep"),
        ("currency: EUR", "? [a]\n: b", "line 1, column 3: expected a name"),
        (FILE, "", "line 1, column 1: expected rules, found nothing"),
        (FILE, "- a", "line 1, column 1: Expected `object`, got `array`"),
        (FILE, "a" * (LARGEST + 1), "line 1, column 1: expected at most"),
    ],
)
def test_what_cannot_be_used_is_told_with_its_place(was, now, told):
    assert was in FILE
    with pytest.raises(Unusable) as caught:
        read(FILE.replace(was, now, 1))
    assert told in str(caught.value)


def test_all_that_types_cannot_say_is_told_at_once():
    with pytest.raises(Unusable) as caught:
        read(FILE.replace("2.80", "2.805").replace("1.25", "11"))
    assert [fault.line for fault in caught.value.faults] == [6, 12]


def test_the_pages_example_is_good():
    page = (Path(__file__).parents[4] / "dispatch" / "pay" / "README.md").read_text()
    [example] = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert {type(rule).__name__ for rule in read(example).rules} == {rule.__name__ for rule in get_args(AnyRule)}


def test_the_demos_rules_are_good():
    assert read(RULES_OF_PAY.read_text()).currency == "EUR"
