"""
Rules of pay: data, no code. Each says under which conditions over typed facts it pays how much.

What an order earns is said by `amount`, `bands`, `multiply` and `deduct`; what a day earns by `bonus` and
`minimum_per_hour`; `tips` says how much of a tip is the courier's.
"""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from dispatch.pay.facts import Facts, Outcome, Quantity, Weekday
from dispatch.pay.money import digits_of, minor_of
from tracking.position import Mode

Name = Annotated[str, Meta(pattern="^[a-z][a-z0-9_-]{0,39}$")]
Clock = Annotated[str, Meta(pattern="^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$")]
"""By the region's clock."""
DEAREST: Final = 10_000
"""Of a rate, and of a factor ten: more is a slip, and sums must fit into 64 bits."""
MOST_TIMES: Final = 10
SMALLEST: Final = 6
"""Digits after the point of a rate, a factor or a share."""
QUANTITIES: Final = ("distance_m", "duration_s", "waiting_s", "late_s", "units", "priority", "attempt")


def minute_of(clock: str) -> int:
    """Minutes since midnight."""
    hours, _, minutes = clock.partition(":")
    return int(hours) * 60 + int(minutes)


class Between(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"since": "from", "until": "to"}
):
    """A part of each day, from and before; over midnight where `to` is not after `from`."""

    since: Clock
    until: Clock

    def covers(self, minute: int) -> bool:
        """Whether that minute of the day is in it."""
        since, until = minute_of(self.since), minute_of(self.until)
        return since <= minute < until if since < until else minute >= since or minute < until


class Range(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"since": "from"}):
    """From, and below."""

    since: int | None = None
    below: int | None = None

    def __post_init__(self) -> None:
        if self.since is not None and self.below is not None and self.below <= self.since:
            raise ValueError("expected from < below")

    def covers(self, n: int) -> bool:
        """Whether the number is in it."""
        return (self.since is None or n >= self.since) and (self.below is None or n < self.below)


class Condition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of it must hold; of a list, one."""

    outcome: tuple[Outcome, ...] = (Outcome.DELIVERED,)
    """Unset: it was delivered."""
    mode: list[Mode] | None = None
    partner: list[str] | None = None
    weekday: list[Weekday] | None = None
    clock: list[Between] | None = None
    flag: list[Name] | None = None
    distance_m: Range | None = None
    duration_s: Range | None = None
    waiting_s: Range | None = None
    late_s: Range | None = None
    units: Range | None = None
    priority: Range | None = None
    attempt: Range | None = None

    def holds(self, facts: Facts) -> bool:
        """Whether it does for what happened."""
        return (
            facts.outcome in self.outcome
            and (self.mode is None or facts.mode in self.mode)
            and (self.partner is None or facts.partner in self.partner)
            and (self.weekday is None or facts.weekday in self.weekday)
            and (self.clock is None or any(one.covers(facts.minute) for one in self.clock))
            and (self.flag is None or not facts.flags.isdisjoint(self.flag))
            and all(
                wanted is None or wanted.covers(getattr(facts, name))
                for name in QUANTITIES
                if (wanted := getattr(self, name)) is not None
            )
        )


ALWAYS: Final = Condition()


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """What all have."""

    id: Name
    title: Annotated[str, Meta(max_length=100)] = ""
    """In statements; empty: the id."""
    when: Condition = ALWAYS


class Amount(Rule, frozen=True, kw_only=True, tag="amount"):
    """So much for each."""

    amount: Decimal


class Deduct(Rule, frozen=True, kw_only=True, tag="deduct"):
    """So much less for each."""

    amount: Decimal


class Band(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What lies above, up to the next band, is paid at that rate."""

    above: Annotated[int, Meta(ge=0)] = 0
    rate: Decimal


class Bands(Rule, frozen=True, kw_only=True, tag="bands"):
    """By a quantity, each band of it at a rate of its own, as taxes are."""

    of: Quantity
    per: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    """The rate is for so many: 1000 of `distance_m` is a kilometre, 60 of `waiting_s` a minute."""
    bands: Annotated[list[Band], Meta(min_length=1, max_length=20)]

    def __post_init__(self) -> None:
        starts = [band.above for band in self.bands]
        if starts != sorted(set(starts)):
            raise ValueError("expected bands by growing `above`")


class Multiply(Rule, frozen=True, kw_only=True, tag="multiply"):
    """What other rules pay for it, times a factor: the entry is what that adds."""

    factor: Decimal
    """0 to 10."""
    of: Annotated[list[Name], Meta(min_length=1, max_length=100)]
    """Ids of `amount` and `bands` above it."""


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Reached with so many."""

    n: Annotated[int, Meta(ge=1, le=10_000)]
    amount: Decimal


class Bonus(Rule, frozen=True, kw_only=True, tag="bonus"):
    """For so many of a day, those that `when` holds for; the highest step that is reached counts."""

    steps: Annotated[list[Step], Meta(min_length=1, max_length=20)]

    def __post_init__(self) -> None:
        counts = [step.n for step in self.steps]
        if counts != sorted(set(counts)):
            raise ValueError("expected steps by growing `n`")


class MinimumPerHour(Rule, frozen=True, kw_only=True, tag="minimum_per_hour"):
    """
    What orders and bonuses of a day bring is made up to so much for each hour on shift, without tips and deductions.

    Of `when` only `mode`, `weekday` and `flag` are asked.
    """

    amount: Decimal


class Tips(Rule, frozen=True, kw_only=True, tag="tips"):
    """Of a tip, so much is the courier's; without such a rule, all."""

    share: Decimal = Decimal(1)
    """0 to 1."""


AnyRule = Amount | Deduct | Bands | Multiply | Bonus | MinimumPerHour | Tips
OF_ORDERS: Final = (Amount, Deduct, Bands, Multiply)
DAY_ASKS: Final = frozenset({"mode", "weekday", "flag", "outcome"})


class Days(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"first": "from", "last": "to"}
):
    """Days by the region's clock, both included."""

    first: date
    last: date

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise ValueError("expected from <= to")


class Hours(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"since": "from", "until": "to"}
):
    """A time with a beginning and an end, such as rain."""

    since: Annotated[datetime, Meta(tz=True)]
    until: Annotated[datetime, Meta(tz=True)]

    def __post_init__(self) -> None:
        if self.until <= self.since:
            raise ValueError("expected from < to")


class Flag(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When it is up."""

    days: Annotated[list[Days], Meta(max_length=400)] = []
    hours: Annotated[list[Hours], Meta(max_length=400)] = []


class Rules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of rules, as it is in force for a region from some instant on."""

    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$")]
    """ISO 4217."""
    rules: Annotated[list[AnyRule], Meta(min_length=1, max_length=100)]
    flags: Annotated[dict[Name, Flag], Meta(max_length=50)] = {}

    @property
    def digits(self) -> int:
        """After the point, of an amount."""
        return digits_of(self.currency)

    def flags_at(self, day: date, at: datetime) -> frozenset[str]:
        """Those that are up then."""
        return frozenset(
            name
            for name, flag in self.flags.items()
            if any(days.first <= day <= days.last for days in flag.days)
            or any(hours.since <= at < hours.until for hours in flag.hours)
        )

    def title_of(self, rule_id: str) -> str:
        """How a rule is called in statements; of one that is not in this version: its id."""
        return next((rule.title or rule.id for rule in self.rules if rule.id == rule_id), rule_id)


Place = tuple[str | int, ...]
"""Where in a file: keys and indices from its root."""


def faults(rules: Rules) -> list[tuple[Place, str]]:
    """What types alone cannot say: amounts of that currency, names that mean something."""
    found: list[tuple[Place, str]] = []
    before: dict[str, AnyRule] = {}
    for i, rule in enumerate(rules.rules):
        here: Place = ("rules", i)
        if rule.id in before:
            found.append(((*here, "id"), f"there is another rule {rule.id}"))
        found += [((*here, *place), words) for place, words in _amounts(rule, rules.digits)]
        found += [
            ((*here, "when", "flag", n), f"expected one of the flags of this file: {', '.join(rules.flags) or 'none'}")
            for n, name in enumerate(rule.when.flag or ())
            if name not in rules.flags
        ]
        if isinstance(rule, Multiply):
            found += [
                ((*here, "of", n), "expected the id of an `amount` or `bands` above")
                for n, name in enumerate(rule.of)
                if not isinstance(before.get(name), Amount | Bands)
            ]
        if isinstance(rule, MinimumPerHour):
            asked = [name for name in rule.when.__struct_fields__ if getattr(rule.when, name) != getattr(ALWAYS, name)]
            found += [
                ((*here, "when", name), "a day has no such fact")
                for name in asked
                if name not in DAY_ASKS - {"outcome"}
            ]
        before[rule.id] = rule
    return found


def _amounts(rule: AnyRule, digits: int) -> list[tuple[Place, str]]:
    """Its numbers that are not what they must be: none is less than nothing, `deduct` says what is less."""
    match rule:
        case Amount() | Deduct() | MinimumPerHour():
            amounts: dict[Place, Decimal] = {("amount",): rule.amount}
        case Bonus():
            amounts = {("steps", n, "amount"): step.amount for n, step in enumerate(rule.steps)}
        case _:
            amounts = {}
    found = [(place, words) for place, amount in amounts.items() if (words := _fault(amount, digits)) is not None]
    match rule:
        case Bands():
            bounded: dict[Place, tuple[Decimal, int]] = {
                ("bands", n, "rate"): (band.rate, DEAREST) for n, band in enumerate(rule.bands)
            }
        case Multiply():
            bounded = {("factor",): (rule.factor, MOST_TIMES)}
        case Tips():
            bounded = {("share",): (rule.share, 1)}
        case _:
            bounded = {}
    return found + [
        (place, f"expected a number from 0 to {most}")
        for place, (number, most) in bounded.items()
        if not (number.is_finite() and 0 <= number <= most and int(number.as_tuple().exponent) >= -SMALLEST)
    ]


def _fault(amount: Decimal, digits: int) -> str | None:
    try:
        minor_of(amount, digits)
    except ValueError as exc:
        return str(exc)
    return None


def has(rules: Rules, kinds: Sequence[type]) -> bool:
    """Whether one of the rules is of such a kind."""
    return any(isinstance(rule, tuple(kinds)) for rule in rules.rules)
