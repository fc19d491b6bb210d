"""What couriers earn is booked exactly once, whatever is repeated, late, broken or done twice at the same time."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest
from prometheus_client import REGISTRY

from dispatch.orders.order import ENGINE, Actor, OrderState
from dispatch.pay.booking import Booking
from dispatch.pay.days import OVER_AFTER
from dispatch.pay.simulating import simulate
from dispatch.pay.source import read
from tests.integration.dispatch.conftest import new_order

NOON = (datetime.now(UTC) - timedelta(days=5)).replace(hour=12, minute=0, second=0, microsecond=0)
MINUTE = timedelta(minutes=1)
RULES = """\
currency: EUR
rules:
  - {id: base, kind: amount, amount: 2.80}
  - {id: distance, kind: bands, of: distance_m, per: 1000, bands: [{rate: 0.60}]}
  - {id: waiting, kind: bands, of: waiting_s, per: 60, bands: [{rate: 0.10}]}
  - {id: two, kind: bonus, steps: [{n: 2, amount: 1}]}
  - {id: floor, kind: minimum_per_hour, amount: 12}
"""
DISTANCE = 107
"""Cents for the 1,783 m between the restaurant and home."""


async def put_rules(city, text=RULES, since=NOON - timedelta(days=1)):
    return await city.pool.fetchval(
        "INSERT INTO pay_rules (region, version, in_force_from, source, created_by)"
        " SELECT 'default', count(*) + 1, $1, $2, 'boss' FROM pay_rules RETURNING version",
        since,
        text,
    )


async def deliver(city, courier_id, at=NOON):
    """An order that was delivered 20 minutes after it was placed; 5 of them were waited at the restaurant."""
    async with city.desk(ENGINE, now=at) as desk:
        order = await desk.place(new_order())
        order = await desk.move(order, OrderState.ASSIGNED, action="assign", courier_id=courier_id)
        desk.actor = Actor(id=str(courier_id), role="courier")
        order = await desk.move(order, OrderState.ACCEPTED, action="accept")
        visit = "INSERT INTO stop_visits (order_id, kind, courier_id, region, arrived_at) VALUES ($1, $2, $3, $4, $5)"
        await desk.connection.execute(visit, order.id, "pickup", courier_id, "default", at + 5 * MINUTE)
        desk.now = at + 10 * MINUTE
        order = await desk.pick_up(order)
        desk.now = at + 20 * MINUTE
        return await desk.deliver(order)


def booking(city, later=timedelta(hours=1)):
    return Booking(city.pool, city.redis, now=lambda: datetime.now(UTC) + later)


async def entries(city, courier_id):
    rows = await city.pool.fetch(
        "SELECT rule, amount, version, order_id IS NULL AS of_day FROM pay_entries WHERE courier_id = $1 ORDER BY n",
        courier_id,
    )
    return [tuple(row) for row in rows]


def measured():
    names = ("entries_total", "failed_total", "latency_seconds_count")
    return [REGISTRY.get_sample_value(f"postrider_pay_{name}") for name in names]


async def total(city, courier_id):
    return await city.pool.fetchval("SELECT sum(amount) FROM pay_entries WHERE courier_id = $1", courier_id)


async def test_a_delivery_is_booked_once_with_its_rule_version_and_facts(city):
    courier_id = await city.hire()
    await put_rules(city)
    order = await deliver(city, courier_id)
    for _ in range(2):
        await asyncio.gather(booking(city).once(), booking(city).once())
        # Heard of again, as after a crash of whoever was told.
        await city.pool.execute(
            "INSERT INTO pay_due (courier_id, about, region, event_id)"
            " SELECT courier_id, 'order:' || id, 'default', id FROM order_events WHERE action = 'delivered'"
        )
    assert await entries(city, courier_id) == [
        ("base", 280, 1, False),
        ("distance", DISTANCE, 1, False),
        ("waiting", 50, 1, False),
    ]
    kept = await city.pool.fetchrow("SELECT order_id, at, facts FROM pay_facts")
    facts = json.loads(kept["facts"])
    assert (kept["order_id"], kept["at"]) == (order.id, NOON + 20 * MINUTE)
    assert (facts["waiting_s"], facts["duration_s"], facts["mode"]) == (300, 1200, "bicycle")
    told = await city.pool.fetch("SELECT subject, data FROM outbox WHERE type = 'postrider.pay.accrued' ORDER BY n")
    assert [(row["subject"], json.loads(row["data"])["amount"]) for row in told] == [
        (courier_id, 280),
        (courier_id, DISTANCE),
        (courier_id, 50),
    ]


async def test_a_day_brings_its_bonus_at_once_and_its_minimum_when_it_is_over(city):
    courier_id, idle = await city.hire(), await city.hire("Rui")
    await put_rules(city)
    for who in (courier_id, idle):
        await city.pool.execute("INSERT INTO courier_hours VALUES ($1, $2, 'default', 1800, 0, 1)", who, NOON)
    await deliver(city, courier_id)
    await deliver(city, courier_id, NOON + 30 * MINUTE)
    midnight = NOON.replace(hour=0) + timedelta(days=1)

    async def book_at(now):
        for _ in range(2):  # what an order leads to is due by the database's clock
            await city.pool.execute("UPDATE pay_due SET due_at = $1", now)
            await Booking(city.pool, city.redis, now=lambda: now).once()

    await book_at(NOON + timedelta(hours=1))
    one = 280 + DISTANCE + 50
    assert await total(city, courier_id) == 2 * one + 100
    assert await total(city, idle) is None
    await city.pool.execute("UPDATE pay_days SET next_day = $1", NOON.date())
    await book_at(midnight + OVER_AFTER - MINUTE)
    assert await total(city, idle) is None
    await book_at(midnight + OVER_AFTER)
    await book_at(midnight + OVER_AFTER)
    assert await entries(city, idle) == [("floor", 600, 1, True)]
    assert await total(city, courier_id) == 2 * one + 100  # more than twelve an hour
    # One more of that day is heard of when it is over: the bonus stays, and nothing is booked twice.
    await deliver(city, idle, NOON + 40 * MINUTE)
    await book_at(midnight + OVER_AFTER)
    assert await total(city, idle) == max(600, one)


async def test_other_rules_in_force_since_then_book_the_difference_and_a_simulation_foretells_it(city):
    courier_id = await city.hire()
    await put_rules(city)
    await deliver(city, courier_id)
    await booking(city).once()
    before = await total(city, courier_id)
    text = RULES.replace("2.80", "3.40").replace(
        "  - {id: waiting, kind: bands, of: waiting_s, per: 60, bands: [{rate: 0.10}]}\n", ""
    )
    async with city.pool.acquire() as connection:
        [foretold] = await simulate(
            connection, "default", UTC, read(text), NOON.date(), NOON.date(), NOON + timedelta(hours=2)
        )
    assert (foretold.courier_id, foretold.booked, foretold.simulated, foretold.difference) == (
        courier_id, before, before + 60 - 50, 10
    )  # fmt: skip
    assert foretold.by_rule == {"base": 340, "distance": DISTANCE}
    await put_rules(city, text, NOON)
    await city.pool.execute(
        "INSERT INTO pay_due (courier_id, about, region, event_id)"
        " SELECT courier_id, 'order:' || id, 'default', id FROM order_events WHERE action = 'delivered'"
    )
    await booking(city).once()
    assert (await entries(city, courier_id))[3:] == [("base", 60, 2, False), ("waiting", -50, 2, False)]


async def test_what_cannot_be_booked_is_put_off_told_and_booked_when_it_is_well_and_others_go_on(city):
    broken, well = await city.hire(), await city.hire("Rui")
    await put_rules(city)
    await deliver(city, broken)
    await deliver(city, well)
    about = await city.pool.fetchval("SELECT about FROM pay_due WHERE courier_id = $1", broken)
    await city.pool.execute(
        "INSERT INTO pay_facts SELECT $1, $2, 'default', gen_random_uuid(), $3, $4, '{}'",
        broken, about, NOON, NOON.date(),
    )  # fmt: skip
    books = booking(city)
    before = measured()
    await books.once()
    assert await total(city, broken) is None
    assert await total(city, well) > 0
    put_off = await city.pool.fetchrow("SELECT tries, due_at > now() + interval '1 h' AS waits, cause FROM pay_due")
    assert (put_off["tries"], put_off["waits"]) == (1, True)
    await city.pool.execute("UPDATE pay_due SET due_at = now()")
    await books.once()
    alert = "SELECT count(*) FROM alerts WHERE kind = 'set_aside' AND courier_id = $1 AND resolved_at IS NULL"
    assert await city.pool.fetchval(alert, broken) == 1
    await city.pool.execute("DELETE FROM pay_facts WHERE courier_id = $1", broken)
    await city.pool.execute("UPDATE pay_due SET due_at = now()")
    await books.once()
    assert await total(city, broken) == await total(city, well)
    assert await city.pool.fetchval(alert, broken) == 0
    n_entries, n_failed, n_timed = (now - then for now, then in zip(measured(), before, strict=True))
    assert n_entries == await city.pool.fetchval("SELECT count(*) FROM pay_entries")
    assert n_failed == 4, "an order and its day, twice"
    assert n_timed == 4, "an order and a day of either courier"


async def test_the_ledger_only_grows(city):
    courier_id = await city.hire()
    await put_rules(city)
    await deliver(city, courier_id)
    await booking(city).once()
    with pytest.raises(asyncpg.RestrictViolationError):
        await city.pool.execute("UPDATE pay_entries SET amount = 1")


async def test_without_rules_nothing_is_noted(city):
    courier_id: UUID = await city.hire()
    await deliver(city, courier_id)
    assert await city.pool.fetchval("SELECT count(*) FROM pay_due") == 0
