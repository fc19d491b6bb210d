"""What a period would have brought by other rules: read from the same facts, and nothing is booked."""

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from dispatch.pay.accrual import earned
from dispatch.pay.books import Presence, day_lines, facts_from, of_day, order_lines
from dispatch.pay.days import OVER_AFTER, span_of
from dispatch.pay.facts import Facts
from dispatch.pay.rules import MinimumPerHour, Rules, has
from sql import queries

LONGEST: Final = timedelta(days=31)
MOST_COURIERS: Final = 1_000
MOST_ORDERS: Final = 10_000
"""Of one courier."""


class TooMuchToSimulate(ValueError):
    """The period has more couriers or orders than are looked at in one go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """A courier's period."""

    courier_id: UUID
    name: str
    booked: int
    """Accruals in the ledger, without tips, corrections and reversals."""
    simulated: int
    by_rule: dict[str, int]

    @property
    def difference(self) -> int:
        """What the courier would have had more."""
        return self.simulated - self.booked


async def simulate(
    connection: Any, region: str, zone: Any, rules: Rules, first: date, last: date, now: datetime
) -> list[Simulated]:
    """
    Each courier's period, both days included, those by whom it changes most first; raises TooMuchToSimulate.

    Within a read-only transaction of one snapshot.
    """
    begin, end = span_of(first, zone)[0], span_of(last, zone)[1]
    couriers = await connection.fetch(
        queries["pay.couriers_between"], region, first, last, begin, end, MOST_COURIERS + 1
    )
    if len(couriers) > MOST_COURIERS:
        raise TooMuchToSimulate(f"more than {MOST_COURIERS} couriers")
    rows = await connection.fetch(queries["pay.booked_between"], region, first, last)
    booked = {row["courier_id"]: row["amount"] for row in rows}
    found = []
    for courier in couriers:
        by_rule = await _of_courier(connection, region, zone, rules, courier, first, last, now)
        found.append(
            Simulated(
                courier_id=courier["id"],
                name=courier["name"],
                booked=booked.get(courier["id"], 0),
                simulated=by_rule.total(),
                by_rule=dict(by_rule),
            )
        )
    return sorted(found, key=lambda one: (-abs(one.difference), one.courier_id))


async def _of_courier(
    connection: Any, region: str, zone: Any, rules: Rules, courier: Any, first: date, last: date, now: datetime
) -> Counter[str]:
    rows = await connection.fetch(queries["pay.facts_between"], courier["id"], region, first, last, MOST_ORDERS + 1)
    if len(rows) > MOST_ORDERS:
        raise TooMuchToSimulate(f"more than {MOST_ORDERS} orders of one courier")
    by_day: dict[date, list[tuple[datetime, Facts]]] = {}
    for row in rows:
        by_day.setdefault(row["day"], []).append((row["at"], facts_from(row)))
    total: Counter[str] = Counter()
    whole = span_of(first, zone)[0], span_of(last, zone)[1]
    presence = await Presence.of(connection, courier, *whole) if has(rules, (MinimumPerHour,)) else None
    for n in range((last - first).days + 1):
        day = first + timedelta(days=n)
        orders = by_day.get(day, [])
        begin, end = span_of(day, zone)
        is_over = now >= end + OVER_AFTER
        on_shift = presence.seconds(begin, end) if presence is not None and is_over else None
        if not orders and not on_shift:
            continue
        lines = [line for at, facts in orders for line in order_lines(rules, facts, at)]
        brought = earned(rules, lines)
        lines += day_lines(rules, of_day(rules, courier["mode"], day, begin), orders, brought, on_shift)
        for line in lines:
            total[line.rule] += line.amount
    return total
