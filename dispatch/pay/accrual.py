"""
What is earned by what happened, by the rules: pure, so that whoever asks again gets the same; no I/O.

An order earns lines by itself; a day earns lines from all of its orders together. Neither depends on the order in which
things were heard of.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from dispatch.pay.facts import Facts
from dispatch.pay.money import minor_of, rounded
from dispatch.pay.rules import Amount, AnyRule, Bands, Bonus, Deduct, MinimumPerHour, Multiply, Rules, Tips

HOUR_S = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What one rule pays for something."""

    rule: str
    amount: int
    """Minor units; less than nothing for a deduction."""
    facts: dict[str, Any]
    """What it was computed from, beside the facts of the order or day."""


def for_order(rules: Rules, facts: Facts) -> list[Line]:
    """What an order earns, a line for each rule that pays for it."""
    lines: dict[str, Line] = {}
    for rule in rules.rules:
        if not rule.when.holds(facts):
            continue
        found = _of_order(rule, facts, lines, rules.digits)
        if found is not None and found.amount:
            lines[rule.id] = found
    return list(lines.values())


def _of_order(rule: AnyRule, facts: Facts, lines: dict[str, Line], digits: int) -> Line | None:
    match rule:
        case Amount():
            return Line(rule=rule.id, amount=minor_of(rule.amount, digits), facts={})
        case Deduct():
            return Line(rule=rule.id, amount=-minor_of(rule.amount, digits), facts={})
        case Bands():
            n = getattr(facts, rule.of)
            return Line(rule=rule.id, amount=rounded(_by_bands(rule, n) * 10**digits), facts={rule.of: n})
        case Multiply():
            base = sum(lines[name].amount for name in set(rule.of) if name in lines)
            added = rounded(base * (Fraction(rule.factor) - 1))
            return Line(rule=rule.id, amount=added, facts={"of": base, "factor": str(rule.factor)})
        case Bonus() | MinimumPerHour() | Tips():
            return None


def _by_bands(rule: Bands, n: int) -> Fraction:
    """What lies in each band at its rate, exact."""
    total = Fraction(0)
    for i, band in enumerate(rule.bands):
        top = rule.bands[i + 1].above if i + 1 < len(rule.bands) else None
        inside = max(0, (n if top is None else min(n, top)) - band.above)
        total += Fraction(band.rate) * inside / rule.per
    return total


@dataclass(frozen=True, slots=True, kw_only=True)
class DayFacts:
    """A courier's day, by the region's clock."""

    of_day: Facts
    """Its mode, weekday and flags; what an order has beside these is not asked of it."""
    orders: Sequence[Facts]
    """How each of its orders ended."""
    earned: int
    """What its orders earned by themselves, without deductions."""
    on_shift_s: int | None = None
    """None: it is not over; then there is no minimum yet."""


def for_day(rules: Rules, day: DayFacts) -> list[Line]:
    """What a day earns beside its orders."""
    bonuses = [_bonus(rule, day.orders, rules.digits) for rule in rules.rules if isinstance(rule, Bonus)]
    lines = [line for line in bonuses if line.amount]
    if day.on_shift_s is None:
        return lines
    brought = day.earned + sum(line.amount for line in lines)
    for rule in rules.rules:
        if isinstance(rule, MinimumPerHour) and rule.when.holds(day.of_day):
            least = rounded(Fraction(minor_of(rule.amount, rules.digits) * day.on_shift_s, HOUR_S))
            if least > brought:
                facts = {"on_shift_s": day.on_shift_s, "least": least, "earned": brought}
                lines.append(Line(rule=rule.id, amount=least - brought, facts=facts))
                brought = least
    return lines


def _bonus(rule: Bonus, orders: Iterable[Facts], digits: int) -> Line:
    n = sum(1 for facts in orders if rule.when.holds(facts))
    reached = [step for step in rule.steps if step.n <= n]
    amount = minor_of(reached[-1].amount, digits) if reached else 0
    return Line(rule=rule.id, amount=amount, facts={"n": n})


def for_tip(rules: Rules | None, given: int) -> Line:
    """The courier's share of a tip, in minor units."""
    rule = next((rule for rule in rules.rules if isinstance(rule, Tips)), None) if rules is not None else None
    share = Decimal(1) if rule is None else rule.share
    facts = {"given": given, "share": str(share)}
    return Line(rule="tip" if rule is None else rule.id, amount=rounded(Fraction(share) * given), facts=facts)


def earned(rules: Rules, lines: Iterable[Line]) -> int:
    """What counts towards a minimum: all that orders earn but deductions."""
    deducted = {rule.id for rule in rules.rules if isinstance(rule, Deduct)}
    return sum(line.amount for line in lines if line.rule not in deducted)
