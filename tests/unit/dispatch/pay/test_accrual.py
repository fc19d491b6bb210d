"""What orders and days earn by rules, and that the ledger says the same in whatever order it hears of them."""

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dispatch.pay.accrual import DayFacts, earned, for_day, for_order, for_tip
from dispatch.pay.facts import Facts, Outcome, Weekday, local, waiting_s
from dispatch.pay.ledger import Booked, due
from dispatch.pay.money import digits_of, rounded, text_of
from dispatch.pay.source import read
from tracking.position import Mode

RULES = read("""\
currency: EUR
flags: {holiday: {days: [{from: 2026-12-25, to: 2026-12-26}]}}
rules:
  - {id: base, kind: amount, amount: 2.80}
  - {id: back, kind: amount, amount: 1.50, when: {outcome: [returned]}}
  - {id: distance, kind: bands, of: distance_m, per: 1000, bands: [{rate: 0.60}, {above: 4000, rate: 0.90}]}
  - {id: waiting, kind: bands, of: waiting_s, per: 60, bands: [{above: 300, rate: 0.155}]}
  - {id: evening, kind: multiply, factor: 1.25, of: [base, distance], when: {clock: [{from: "18:00", to: "01:00"}]}}
  - {id: feast, kind: multiply, factor: 2, of: [base], when: {flag: [holiday]}}
  - {id: late, kind: deduct, amount: 0.50, when: {late_s: {from: 900}}}
  - {id: many, kind: bonus, steps: [{n: 3, amount: 4}, {n: 5, amount: 10}], when: {mode: [bicycle]}}
  - {id: floor, kind: minimum_per_hour, amount: 11.00}
  - {id: tips, kind: tips, share: 0.955}
""")
NOON = Facts(outcome=Outcome.DELIVERED, mode=Mode.BICYCLE, day=date(2026, 11, 27), minute=720, weekday=Weekday.FRI)

facts = st.builds(
    Facts,
    outcome=st.sampled_from(Outcome),
    mode=st.sampled_from(Mode),
    day=st.just(NOON.day),
    minute=st.integers(0, 1439),
    weekday=st.just(Weekday.FRI),
    distance_m=st.integers(0, 21_000_000),
    waiting_s=st.integers(0, 2_592_000),
    late_s=st.integers(0, 2_592_000),
    flags=st.sampled_from([frozenset(), frozenset({"holiday"})]),
)


def amounts(lines):
    return {line.rule: line.amount for line in lines}


def day_of(orders, on_shift_s=None):
    brought = sum(earned(RULES, for_order(RULES, one)) for one in orders)
    return DayFacts(of_day=NOON, orders=orders, earned=brought, on_shift_s=on_shift_s)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"base": 280}),
        ({"outcome": Outcome.FAILED}, {}),
        ({"outcome": Outcome.RETURNED, "distance_m": 5000}, {"back": 150}),
        ({"distance_m": 5000}, {"base": 280, "distance": 330}),
        ({"distance_m": 5000, "minute": 18 * 60}, {"base": 280, "distance": 330, "evening": 153}),
        ({"minute": 30}, {"base": 280, "evening": 70}),
        ({"minute": 60}, {"base": 280}),
        ({"waiting_s": 300}, {"base": 280}),
        ({"waiting_s": 360}, {"base": 280, "waiting": 16}),
        ({"late_s": 899}, {"base": 280}),
        ({"late_s": 900}, {"base": 280, "late": -50}),
        ({"flags": frozenset({"holiday"})}, {"base": 280, "feast": 280}),
    ],
)
def test_an_order_earns_what_the_rules_say(changes, expected):
    assert amounts(for_order(RULES, replace(NOON, **changes))) == expected


def test_a_bonus_is_the_highest_step_reached_by_what_it_counts():
    rode, drove = NOON, replace(NOON, mode=Mode.CAR)
    assert amounts(for_day(RULES, day_of([rode, rode, drove]))) == {}
    assert amounts(for_day(RULES, day_of([rode, rode, rode, drove]))) == {"many": 400}
    assert amounts(for_day(RULES, day_of([rode] * 7))) == {"many": 1000}


def test_a_day_is_made_up_to_its_minimum_once_it_is_over():
    assert amounts(for_day(RULES, day_of([NOON]))) == {}
    assert amounts(for_day(RULES, day_of([NOON], on_shift_s=7200))) == {"floor": 2200 - 280}
    assert amounts(for_day(RULES, day_of([], on_shift_s=1800))) == {"floor": 550}
    assert amounts(for_day(RULES, day_of([NOON] * 9, on_shift_s=7200))) == {"many": 1000}


def test_a_deduction_is_not_made_up_for():
    late = replace(NOON, late_s=900)
    paid = sum(line.amount for line in for_order(RULES, late)) + amounts(for_day(RULES, day_of([late], 3600)))["floor"]
    assert paid == 1100 - 50


def test_of_a_tip_the_courier_has_the_share_that_the_rules_say():
    assert (for_tip(RULES, 100).rule, for_tip(RULES, 100).amount) == ("tips", 96)
    assert (for_tip(None, 100).rule, for_tip(None, 100).amount) == ("tip", 100)


def test_flags_are_up_by_the_regions_days():
    assert RULES.flags_at(date(2026, 12, 26), datetime(2026, 12, 27, 3, tzinfo=UTC)) == {"holiday"}
    assert RULES.flags_at(date(2026, 12, 27), datetime(2026, 12, 27, 3, tzinfo=UTC)) == frozenset()


def test_facts_of_an_instant_are_by_the_regions_clock():
    at = datetime(2026, 11, 27, 22, 30, tzinfo=UTC)
    assert local(at, ZoneInfo("Asia/Tokyo")) == {"day": date(2026, 11, 28), "minute": 450, "weekday": Weekday.SAT}


def test_waiting_counts_from_when_it_was_promised_to_be_ready():
    came = datetime(2026, 11, 27, 12, tzinfo=UTC)
    ready, left = came + timedelta(minutes=5), came + timedelta(minutes=12)
    assert waiting_s(came, None, left) == 720
    assert waiting_s(came, ready, left) == 420
    assert waiting_s(came, ready, ready - timedelta(minutes=1)) == 0
    assert waiting_s(None, ready, left) == 0


@given(st.integers(-(10**12), 10**12), st.integers(1, 10**6))
def test_rounding_is_to_the_nearest_and_half_away_from_zero(numerator, denominator):
    exact = Fraction(numerator, denominator)
    off = rounded(exact) - exact
    assert abs(off) <= Fraction(1, 2)
    if abs(off) == Fraction(1, 2):
        assert abs(rounded(exact)) > abs(exact)
    assert rounded(-exact) == -rounded(exact)


def test_amounts_are_written_with_the_currencys_digits():
    assert [text_of(minor, 2) for minor in (0, 5, -5, 123, -12300)] == ["0.00", "0.05", "-0.05", "1.23", "-123.00"]
    assert (text_of(1500, digits_of("JPY")), text_of(1500, digits_of("KWD"))) == ("1500", "1.500")


@given(facts)
def test_every_entry_is_a_whole_number_of_cents_and_says_what_it_was_made_of(one):
    for line in for_order(RULES, one):
        assert isinstance(line.amount, int)
        assert line.amount
        assert abs(line.amount) < 2**63 // 100_000


@given(st.lists(facts, max_size=6), st.integers(0, 86_400))
def test_the_minimum_never_reduces_and_is_reached(orders, on_shift_s):
    under_way, over = for_day(RULES, day_of(orders)), for_day(RULES, day_of(orders, on_shift_s))
    assert sum(line.amount for line in over) >= sum(line.amount for line in under_way)
    brought = day_of(orders).earned + sum(line.amount for line in over)
    assert brought >= rounded(Fraction(1100 * on_shift_s, 3600))


@given(st.lists(facts, max_size=6), facts, st.integers(0, 86_400))
def test_one_more_order_never_lessens_what_counts_towards_the_minimum(orders, one, on_shift_s):
    def brought(some):
        return day_of(some).earned + sum(line.amount for line in for_day(RULES, day_of(some, on_shift_s)))

    assert brought([*orders, one]) >= brought(orders)


class Ledger:
    """As the database keeps it: entries that are only ever added."""

    def __init__(self):
        self.entries = []

    def book(self, subject, lines):
        booked = {}
        for about, entry in self.entries:
            if about == subject:
                before = booked.get(entry.rule, Booked(amount=0, n=0))
                booked[entry.rule] = Booked(amount=before.amount + entry.amount, n=before.n + 1)
        self.entries += [(subject, entry) for entry in due(lines, booked)]

    def total(self):
        return sum(entry.amount for _, entry in self.entries)


@given(st.lists(facts, min_size=1, max_size=5), st.data())
def test_the_ledger_is_what_the_rules_say_whatever_the_order_and_the_repetitions(orders, data):
    told = data.draw(st.permutations([*range(len(orders)), *data.draw(st.lists(st.sampled_from(range(len(orders)))))]))
    ledger, heard = Ledger(), {}
    for n in told:
        heard[n] = orders[n]
        ledger.book(n, for_order(RULES, orders[n]))
        ledger.book("day", for_day(RULES, day_of(list(heard.values()))))
    ledger.book("day", for_day(RULES, day_of(orders, on_shift_s=36_000)))
    at_once = sum(line.amount for one in orders for line in for_order(RULES, one))
    at_once += sum(line.amount for line in for_day(RULES, day_of(orders, on_shift_s=36_000)))
    assert ledger.total() == at_once
    keys = [(about, entry.rule, entry.revision) for about, entry in ledger.entries]
    assert len(keys) == len(set(keys))


@given(facts, facts)
def test_what_was_heard_of_anew_is_made_up_for_to_the_cent_and_no_more(first, then):
    ledger = Ledger()
    ledger.book(1, for_order(RULES, first))
    ledger.book(1, for_order(RULES, then))
    n = len(ledger.entries)
    assert ledger.total() == sum(line.amount for line in for_order(RULES, then))
    ledger.book(1, for_order(RULES, then))
    assert len(ledger.entries) == n
