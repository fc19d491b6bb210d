"""
What is to be booked so that the ledger says what the rules say; no I/O.

Entries are never changed. What something earns by one rule is the sum of the accruals booked for it; where that is not
what the rules say now (something was heard of late, the rules have another version), the difference is booked. So the
sum is what the rules make of what happened, in whatever order and however often that was heard of. Reversals and
corrections by people stand beside it, and are not made up for.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dispatch.pay.accrual import Line


@dataclass(frozen=True, slots=True, kw_only=True)
class Booked:
    """The accruals of one rule for one thing so far."""

    amount: int
    n: int
    """How many entries."""


NOTHING = Booked(amount=0, n=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """An entry to book."""

    rule: str
    amount: int
    revision: int
    """1 for the first of that rule for that thing: what makes it unique."""
    facts: Mapping[str, Any]


def due(lines: Iterable[Line], booked: Mapping[str, Booked]) -> list[Due]:
    """What is to be booked of one thing, by rule; a rule that pays nothing for it any more is taken back."""
    wanted = {line.rule: line for line in lines}
    found = []
    for rule in sorted({*wanted, *booked}):
        line, before = wanted.get(rule), booked.get(rule, NOTHING)
        amount = 0 if line is None else line.amount
        if amount != before.amount:
            facts = {} if line is None else line.facts
            found.append(Due(rule=rule, amount=amount - before.amount, revision=before.n + 1, facts=facts))
    return found
