"""The rules of regions by version, and what is known of couriers, as the database has them."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any

import msgspec

from dispatch.pay.accrual import DayFacts, Line, for_day, for_order
from dispatch.pay.days import Span, on_shift_s
from dispatch.pay.ended import flagged
from dispatch.pay.facts import Facts, Outcome, Weekday
from dispatch.pay.rules import Rules
from dispatch.pay.source import read
from sql import queries
from tracking.position import Mode

known = lru_cache(maxsize=64)(read)
"""Rules by their text: it never changes once it is a version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """Rules that are in force."""

    version: int
    rules: Rules


class Books:
    """The versions of one region within one transaction."""

    def __init__(self, connection: Any, region: str, versions: Sequence[Mapping[str, Any]]) -> None:
        self._connection = connection
        self._region = region
        self._from = [row["in_force_from"] for row in versions]
        self._versions = [row["version"] for row in versions]

    @classmethod
    async def of(cls, connection: Any, region: str) -> "Books":
        """As they are now."""
        return cls(connection, region, await connection.fetch(queries["pay.versions"], region))

    async def at(self, instant: datetime) -> Version | None:
        """Those in force then: of those that began before, the last one."""
        n = bisect_right(self._from, instant)
        if n == 0:
            return None
        version = self._versions[n - 1]
        source = await self._connection.fetchval(queries["pay.source"], self._region, version)
        return Version(version=version, rules=known(source))


def order_lines(rules: Rules, facts: Facts, at: datetime) -> list[Line]:
    """What an order earns."""
    return for_order(rules, flagged(facts, rules, at))


def day_lines(
    rules: Rules, of_day: Facts, orders: Sequence[tuple[datetime, Facts]], brought: int, on_shift: int | None
) -> list[Line]:
    """What a day earns beside its orders, by the rules in force at its end."""
    told = [flagged(facts, rules, at) for at, facts in orders]
    return for_day(rules, DayFacts(of_day=of_day, orders=told, earned=brought, on_shift_s=on_shift))


def of_day(rules: Rules, mode: str, day: date, begin: datetime) -> Facts:
    """What a condition can ask of a day."""
    facts = Facts(outcome=Outcome.DELIVERED, mode=Mode(mode), day=day, minute=0, weekday=tuple(Weekday)[day.weekday()])
    return flagged(facts, rules, begin)


def facts_from(row: Mapping[str, Any]) -> Facts:
    """The facts in a row of `pay_facts`."""
    text = row["facts"]
    return msgspec.json.decode(text, type=Facts) if isinstance(text, str | bytes) else msgspec.convert(text, Facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """When a courier was at work in a span."""

    hours: Sequence[Mapping[str, Any]]
    shifts: Sequence[Span]
    breaks: Sequence[Span]
    by_shifts: bool

    @classmethod
    async def of(cls, connection: Any, courier: Mapping[str, Any], begin: datetime, end: datetime) -> "Presence":
        """As it is known now."""
        values = (courier["id"], begin, end)
        return cls(
            hours=await connection.fetch(queries["pay.hours"], *values),
            shifts=[tuple(row) for row in await connection.fetch(queries["pay.shifts"], *values)],
            breaks=[tuple(row) for row in await connection.fetch(queries["pay.breaks"], *values)],
            by_shifts=courier["has_shifts"],
        )

    def seconds(self, begin: datetime, end: datetime) -> int:
        """On shift between the two."""
        hours = [row for row in self.hours if begin <= row["hour"] < end]
        shifts = [span for span in self.shifts if span[0] < end and span[1] > begin]
        breaks = [span for span in self.breaks if span[0] < end and span[1] > begin]
        return on_shift_s(hours, shifts, breaks, by_shifts=self.by_shifts)
