"""
Books what couriers earn, exactly once, from what happened.

The database notes in the transaction of a step that it is to be paid for (`pay_due`, sql/migrations/0060_pay.sql). Here
each is taken and booked in one transaction, one at a time for a courier: a crash leaves it noted, a second process
finds it taken, and one that is noted again finds it booked (dispatch/pay/ledger.py). What fails is put off by itself,
ever longer, and told; the others go on.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import asyncpg
from prometheus_client import Counter, Gauge, Histogram
from redis.asyncio import Redis

from dispatch import aside
from dispatch.aside import Aside
from dispatch.asides import Asides
from dispatch.orders.rows import to_json
from dispatch.pay.accrual import earned
from dispatch.pay.books import Books, Presence, Version, day_lines, facts_from, of_day, order_lines
from dispatch.pay.days import OVER_AFTER, span_of, zone_of
from dispatch.pay.ended import facts_of
from dispatch.pay.ledger import Booked, Due, due
from dispatch.pay.rules import Bonus, MinimumPerHour, has
from sql import queries
from tracking import outages, periodic
from tracking.outages import is_outage, words
from tracking.position import CourierId, Region

log = logging.getLogger(__name__)

ENTRIES: Final = Counter("postrider_pay_entries_total", "Entries of the ledger that were booked.")
FAILED: Final = Counter("postrider_pay_failed_total", "What could not be booked, each try.")
LATENCY: Final = Histogram(
    "postrider_pay_latency_seconds",
    "From when something was told to when it was booked.",
    buckets=(0.5, 1, 2, 5, 15, 60, 300, 3600),
)
WAITING: Final = Gauge(
    "postrider_pay_waiting", "Orders and days that are to be booked.", multiprocess_mode="livemostrecent"
)
EVERY_S: Final = 1.0
AT_A_TIME: Final = 200
LONGEST_WAIT: Final = timedelta(hours=1)
MOST_ASIDE: Final = 200
"""Told of; all are counted."""
MOST_DAYS: Final = 40
"""Ended in one turn of a region."""
ACTOR: Final = ("pay", "system")


class Booking:
    """Books what is due; several may run at once."""

    def __init__(
        self, pool: asyncpg.Pool, redis: Redis, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._pool = pool
        self._asides = Asides(pool, redis, part="pay")
        self._now = now
        self._told: set[Region] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Book every second, until `stop`; a database that is away is a reason to do it later."""
        await periodic.run(
            self.once, stop, every_s=EVERY_S, log=log, message="pay postponed", event="pay_postponed", name="pay"
        )

    async def once(self) -> None:
        """Everything that is due. Raises what asyncpg raises for an outage."""
        await self._end_days()
        n = AT_A_TIME
        while n == AT_A_TIME:
            rows = await self._pool.fetch(queries["pay.due"], self._now(), AT_A_TIME)
            n = len(rows)
            for row in rows:
                await self._try(row)
        WAITING.set((await self._pool.fetchrow(queries["pay.waiting"]))["n"])
        await self._tell()

    async def _try(self, row: Mapping[str, Any]) -> None:
        """Book one thing; put it off where that fails."""
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                await book_due(connection, row["courier_id"], row["about"], self._now())
        except Exception as exc:
            if is_outage(exc):
                raise
            FAILED.inc()
            outages.tell(log, "pay not booked", exc, event="pay_not_booked", courier_id=str(row["courier_id"]))
            await self._put_off(row, words(exc))

    async def _put_off(self, row: Mapping[str, Any], cause: str) -> None:
        key = (row["courier_id"], row["about"])
        tries = await self._pool.fetchval(queries["pay.put_off"], *key, self._now() + timedelta(minutes=1), cause)
        if tries is not None and tries > 1:
            wait = min(timedelta(minutes=2 ** min(tries, 10)), LONGEST_WAIT)
            await self._pool.execute(queries["pay.put_off_until"], *key, self._now() + wait)

    async def _tell(self) -> None:
        """Staff hear of what is set aside, and when it is well again."""
        found: dict[Region, Aside] = {region: Aside() for region in self._told}
        for row in await self._pool.fetch(queries["pay.aside"], MOST_ASIDE):
            region = Region(row["region"])
            found.setdefault(region, Aside()).put(aside.courier(CourierId(row["courier_id"])), f"pay: {row['cause']}")
        for region, causes in found.items():
            await self._asides.tell(region, causes)
        self._told = {region for region, causes in found.items() if causes.causes}

    async def _end_days(self) -> None:
        """Look at what couriers earned on days that are over, also at those who had no order."""
        now = self._now()
        for row in await self._pool.fetch(queries["pay.regions"]):
            zone = zone_of(row["timezone"])
            day = row["next_day"] or max(row["since"], now - timedelta(days=MOST_DAYS)).astimezone(zone).date()
            for _ in range(MOST_DAYS):
                begin, end = span_of(day, zone)
                if end + OVER_AFTER > now:
                    break
                await self._pool.execute(queries["pay.end_day"], row["id"], day, begin, end)
                day += timedelta(days=1)


async def book_due(connection: Any, courier_id: Any, about: str, now: datetime) -> None:
    """Book one thing that is due, within a transaction; nothing where somebody else has."""
    await connection.execute(queries["pay.hold_courier"], courier_id)
    row = await connection.fetchrow(queries["pay.take_due"], courier_id, about)
    if row is None:
        return
    books = await Books.of(connection, row["region"])
    zone = zone_of(await connection.fetchval(queries["pay.timezone"], row["region"]))
    n = await (_order(connection, row, books, zone) if row["day"] is None else _day(connection, row, books, zone, now))
    ENTRIES.inc(n)
    LATENCY.observe(max(0.0, (now - row["made_at"]).total_seconds()))


async def _order(connection: Any, row: Any, books: Books, zone: Any) -> int:
    courier_id, about, region = row["courier_id"], row["about"], row["region"]
    kept = await connection.fetchrow(queries["pay.facts"], courier_id, about)
    if kept is None:
        event = await connection.fetchrow(queries["pay.ended"], row["event_id"])
        if event is None:  # its order is gone meanwhile, as old ones are
            return 0
        steps = await connection.fetch(queries["pay.steps_before"], event["order_id"], row["event_id"])
        at, facts = facts_of(event, steps, zone)
        values = (event["order_id"], at, facts.day, to_json(facts))
        await connection.execute(queries["pay.add_facts"], courier_id, about, region, *values)
        kept = {"order_id": event["order_id"], "at": at, "day": facts.day, "facts": to_json(facts)}
    version = await books.at(kept["at"])
    if version is None:
        return 0
    facts = facts_from(kept)
    lines = order_lines(version.rules, facts, kept["at"])
    made = due(lines, await _booked(connection, courier_id, about))
    for entry in made:
        await _book(connection, row, version, entry, at=kept["at"], day=kept["day"], order_id=kept["order_id"])
    await connection.execute(queries["pay.put_day"], courier_id, region, kept["day"])
    return len(made)


async def _day(connection: Any, row: Any, books: Books, zone: Any, now: datetime) -> int:
    courier_id, about, day = row["courier_id"], row["about"], row["day"]
    begin, end = span_of(day, zone)
    last = min(now, end - timedelta(seconds=1))
    version = await books.at(last)
    if version is None:
        return 0
    booked = await _booked(connection, courier_id, about)
    rules = version.rules
    if not booked and not has(rules, (Bonus, MinimumPerHour)):
        return 0
    courier = await connection.fetchrow(queries["pay.courier"], courier_id)
    if courier is None:
        return 0
    orders = []
    brought = 0
    for one in await connection.fetch(queries["pay.facts_of_day"], courier_id, row["region"], day):
        facts = facts_from(one)
        orders.append((one["at"], facts))
        then = await books.at(one["at"])
        if then is not None:
            brought += earned(then.rules, order_lines(then.rules, facts, one["at"]))
    is_over = now >= end + OVER_AFTER
    on_shift = None
    if is_over and has(rules, (MinimumPerHour,)):
        on_shift = (await Presence.of(connection, courier, begin, end)).seconds(begin, end)
    lines = day_lines(rules, of_day(rules, courier["mode"], day, begin), orders, brought, on_shift)
    made = due(lines, booked)
    for entry in made:
        await _book(connection, row, version, entry, at=last, day=day, order_id=None)
    return len(made)


async def _booked(connection: Any, courier_id: Any, about: str) -> dict[str, Booked]:
    rows = await connection.fetch(queries["pay.booked"], courier_id, about)
    return {row["rule"]: Booked(amount=row["amount"], n=row["n"]) for row in rows}


async def _book(
    connection: Any, row: Any, version: Version, entry: Due, *, at: datetime, day: Any, order_id: Any
) -> None:
    await connection.execute(
        queries["pay.book"],
        *(row["courier_id"], row["region"], "accrual", row["about"], entry.rule, version.version, entry.revision),
        *(entry.amount, version.rules.currency, at, day, order_id, to_json(entry.facts), None, *ACTOR, None),
    )
