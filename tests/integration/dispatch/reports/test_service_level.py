"""How well a region was served: the same figures from every engine, whatever was summed meanwhile."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import cycle
from random import Random
from statistics import fmean
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from app.commands.forgetting import Forgetting, Retention
from app.settings import Settings
from dispatch.reports.courier_hours import CourierHours
from dispatch.reports.order_days import OrderDays
from dispatch.reports.order_hours import OrderHours
from dispatch.reports.service_level import By, service_level
from tests.integration.tracking.history.conftest import storage
from tests.integration.tracking.history.test_contract import walk
from tracking.batch import PositionColumns
from tracking.history.history import erase
from tracking.position import Mode

__all__ = ["storage"]

HOUR = timedelta(hours=1)
NOW = datetime.now(UTC)
START = NOW.replace(minute=0, second=0, microsecond=0) - 6 * HOUR
ANA, RUI = UUID(int=7), UUID(int=8)
PLACES = [(41.15, -8.61, "Bakery"), (41.16, -8.62, None)]


@pytest.fixture
async def city(storage):
    pool = storage.pool
    for number, courier in enumerate((ANA, RUI)):
        await pool.execute(
            "INSERT INTO couriers (id, name, mode, region, created_at) VALUES ($1, $2, 'bicycle', 'default', $3)",
            courier, f"courier {number}", START - timedelta(days=1),
        )  # fmt: skip
    yield storage
    await pool.execute("DELETE FROM orders")
    await pool.execute("TRUNCATE courier_hours, courier_hours_due")
    await pool.execute("UPDATE courier_hours_horizon SET kept_until = '-infinity'")
    await begin_anew(pool)


async def begin_anew(pool):
    """As if nothing had been counted."""
    for counts in ("order_hours", "order_days"):
        await pool.execute(f"TRUNCATE {counts}")
        await pool.execute(f"UPDATE {counts}_horizon SET kept_until = '-infinity'")


async def add_order(pool, placed_at, *, courier=None, door_s=None, promise_s=None, place=0):
    """Who does not deliver it turned it down."""
    lat, lon, address = PLACES[place]
    done = None if door_s is None else placed_at + timedelta(seconds=door_s)
    row = (
        "delivered" if done else "placed", lat, lon, address, placed_at, courier if done else None, done,
        None if promise_s is None else placed_at + timedelta(seconds=promise_s),
        None if done is None else placed_at + timedelta(seconds=60),
    )  # fmt: skip
    order_id = await pool.fetchval(
        "INSERT INTO orders (region, state, pickup_lat, pickup_lon, pickup_address, pickup_service_s, dropoff_lat,"
        " dropoff_lon, dropoff_service_s, placed_at, courier_id, picked_up_at, delivered_at, closed_at, dropoff_due_at,"
        " accepted_at) VALUES ('default', $1, $2, $3, $4, 0, 41, -8, 0, $5, $6, $7, $7, $7, $8, $9) RETURNING id",
        *row,
    )
    if courier:
        await pool.execute(
            "INSERT INTO offers (order_id, courier_id, region, state, offered_at, expires_at, answered_at)"
            " VALUES ($1, $2, 'default', $3, $4, $4, $4)",
            order_id, courier, "accepted" if done else "rejected", placed_at,
        )  # fmt: skip


ORDERS = [  # minutes after START, courier, door, promise, place
    (0, ANA, 1200, 1500, 0),
    (5, ANA, 1800, 1500, 0),
    (70, RUI, 2400, 600, 1),
    (75, RUI, 600, None, 1),
    (200, ANA, 9000, 3600, 0),  # over three hours
    (210, None, None, 1500, 1),
    (215, RUI, None, None, 0),  # turned down
]


async def report(storage, by, since=START - HOUR, until=START + 6 * HOUR, zone="UTC"):
    async with storage.pool.acquire() as connection, connection.transaction():
        return await service_level(connection, "default", zone, since, until, by)


def busy_s(courier, since, until):
    """By seconds, one after the other."""
    seconds = set()
    for minute, who, door_s, *_ in ORDERS:
        if who == courier and door_s:
            began = minute * 60 + 60
            seconds |= set(range(began, minute * 60 + door_s))
    first, last = ((at - START).total_seconds() for at in (since, until))
    return sum(first <= second < last for second in seconds)


async def way_of(storage, courier):
    """From the fixes themselves, hour by hour."""
    rows = await storage.pool.fetch(
        "SELECT path_length_m(array_agg(lat_e7 ORDER BY fixed_at), array_agg(lon_e7 ORDER BY fixed_at)) AS m"
        " FROM positions WHERE marks = 0 AND courier_id = $1 GROUP BY date_trunc('hour', fixed_at)",
        courier,
    )
    return sum(row["m"] for row in rows)


async def test_figures_are_what_counting_gives_at_every_stage_of_the_sums(city):
    """Nothing summed, everything summed, with late fixes before and after they were summed again."""
    for minute, courier, door_s, promise_s, place in ORDERS:
        await add_order(
            city.pool, START + timedelta(minutes=minute),
            courier=courier, door_s=door_s, promise_s=promise_s, place=place,
        )  # fmt: skip
    fixes = walk(0, 240, START) + walk(1, 240, START + HOUR)
    late = fixes[40:60]
    kept = [fix for fix in fixes if fix not in late]
    await city.history.insert_many(PositionColumns.from_positions(kept, Mode.BICYCLE))
    await city.refresh()
    await expect_counted(city)
    sums = CourierHours(city.pool, now=lambda: NOW + 2 * HOUR)
    await sums.once()
    assert await city.pool.fetchval("SELECT count(*) FROM courier_hours") >= 5
    await expect_counted(city)
    await city.history.insert_many(PositionColumns.from_positions(late, Mode.BICYCLE))
    await city.refresh()
    await sums.once()
    await expect_counted(city)
    assert await city.pool.fetchval("SELECT count(*) FROM courier_hours_due") == 0


async def expect_counted(city):
    done = [order for order in ORDERS if order[2]]
    for by in By:
        found = await report(city, by)
        total = found.total
        assert (total.placed, total.delivered, total.promised, total.late) == (7, 5, 4, 3)
        assert total.late_s / total.late == pytest.approx(fmean([300, 1800, 5400]))
        assert total.door_s == pytest.approx(tuple(np.percentile([order[2] for order in done], (50, 90))))
        assert (total.offers, total.answered, total.accepted) == (6, 6, 5)
        assert total.distance_m == pytest.approx(await way_of(city, ANA) + await way_of(city, RUI), rel=1e-3)
        assert total.busy_s == pytest.approx(
            sum(busy_s(courier, START, START + 6 * HOUR) for courier in (ANA, RUI)), abs=1
        )
        for name in ("placed", "delivered", "promised", "late", "offers", "accepted"):
            assert sum(getattr(line.figures, name) for line in found.lines) == getattr(total, name)
    hours = {line.key.at: line.figures for line in (await report(city, By.HOUR)).lines}
    assert list(hours) == [START + n * HOUR for n in range(-1, 6)]
    assert [figures.placed for figures in hours.values()] == [0, 2, 2, 0, 3, 0, 0]
    assert [figures.delivered for figures in hours.values()] == [0, 2, 2, 0, 0, 0, 1]
    for at, figures in hours.items():
        assert figures.busy_s == pytest.approx(sum(busy_s(who, at, at + HOUR) for who in (ANA, RUI)), abs=1)
        assert figures.busy_s <= figures.worked_s
    couriers = {line.key.courier_id: line for line in (await report(city, By.COURIER)).lines}
    assert {who: line.figures.delivered for who, line in couriers.items()} == {ANA: 3, RUI: 2, None: 0}
    assert couriers[ANA].name == "courier 0"
    assert couriers[ANA].figures.distance_m == pytest.approx(await way_of(city, ANA), rel=1e-3)
    places = [(line.name, line.key.lat_e4, line.figures.placed) for line in (await report(city, By.PLACE)).lines]
    assert places == [("Bakery", 411500, 4), (None, 411600, 3)]


async def test_odd_rows_break_nothing(city):
    await add_order(city.pool, START, courier=ANA, door_s=600, promise_s=900)
    for odd in (
        "UPDATE orders SET placed_at = '-infinity', dropoff_due_at = 'infinity', accepted_at = '-infinity'",
        "UPDATE orders SET placed_at = closed_at + INTERVAL '1 hour', accepted_at = closed_at + INTERVAL '1 hour'",
        "UPDATE orders SET pickup_lat = 90, pickup_lon = -180, dropoff_due_at = NULL, dropoff_closes_at = '-infinity'",
        "UPDATE orders SET accepted_at = NULL, placed_at = 'infinity'",
    ):
        await city.pool.execute(odd)
        for by in By:
            total = (await report(city, by)).total
            assert (total.delivered, total.late, total.promised) == (1, 0, 0 if "due" in odd else total.promised)
            assert total.door_s is None or total.door_s >= (0, 0)


async def test_zone_that_the_server_does_not_know_is_utc(city):
    assert (await report(city, By.DAY, zone="Mars/Olympus")).timezone == "UTC"


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [("Europe/Lisbon", "2026-03-29", 23), ("Europe/Lisbon", "2026-10-25", 25), ("Asia/Kolkata", "2026-10-25", 24),
     ("America/Sao_Paulo", "2018-11-04", 23), ("Australia/Lord_Howe", "2026-04-05", 25)],
)  # fmt: skip
async def test_hours_and_days_are_the_region_s_own_when_clocks_change(city, zone, day, hours):
    """Each hour is there once, the one that comes twice twice; an order is counted where the clock stood."""
    where = ZoneInfo(zone)
    midnight = datetime.fromisoformat(f"{day}T00:00").replace(tzinfo=where).astimezone(UTC)
    midnight = midnight.astimezone(where).astimezone(UTC)
    following = (datetime.fromisoformat(f"{day}T00:00") + timedelta(days=1)).replace(tzinfo=where).astimezone(UTC)
    for at in (midnight, midnight + timedelta(minutes=90), following - timedelta(seconds=1)):
        await add_order(city.pool, at)
    found = await report(city, By.HOUR, midnight, following, zone)
    assert found.total.placed == 3
    assert len(found.lines) == hours
    assert [line.figures.placed for line in found.lines][-1] == 1
    days = await report(city, By.DAY, midnight, following, zone)
    assert [(line.key.at, line.figures.placed) for line in days.lines] == [(midnight, 3)]


async def test_sums_go_with_the_courier_and_with_time(city):
    fixes = walk(0, 100, START)
    await city.history.insert_many(PositionColumns.from_positions(fixes, Mode.BICYCLE))
    await city.refresh()
    sums = CourierHours(city.pool, now=lambda: NOW + 2 * HOUR)
    await sums.once()
    count = "SELECT count(*) FROM courier_hours"
    assert await city.pool.fetchval(count) == 1
    keep = replace(Retention.of(Settings()), courier_hours=timedelta(days=1))
    await Forgetting(city.pool, keep, now=lambda: NOW).once()
    assert await city.pool.fetchval(count) == 1
    await Forgetting(city.pool, keep, now=lambda: NOW + timedelta(days=2)).once()
    assert await city.pool.fetchval(count) == 0
    await city.pool.execute("UPDATE courier_hours_horizon SET kept_until = $1", START - HOUR)
    await sums.once()
    assert await city.pool.fetchval(count) == 1
    async with city.pool.acquire() as connection, connection.transaction():
        await erase(connection, ANA)
    assert await city.pool.fetchval(count) == 0
    await city.pool.execute("UPDATE courier_hours_horizon SET kept_until = $1", START - HOUR)
    await sums.once()
    assert await city.pool.fetchval(count) == 0


def flat(found):
    """What a report says, number by number."""
    numbers = []
    lines = sorted((str(line.key), line.name, line.figures) for line in found.lines)
    for key, name, figures in [("total", None, found.total), *lines]:
        summed = [getattr(figures, name) for name in ("placed", "delivered", "promised", "late", "late_s")]
        asked = [figures.offers, figures.answered, figures.accepted]
        numbers += [*map(ord, key), *map(ord, name or ""), *summed, *asked, *(figures.door_s or (-1, -1))]
    return numbers


@pytest.mark.parametrize(
    ("by", "counts"), [(By.DAY, OrderHours), (By.COURIER, OrderDays), (By.PLACE, OrderDays)], ids=str
)
async def test_what_was_counted_before_gives_what_counting_gives(city, by, counts):
    """Orders and offers at random over seven weeks; any span and zone, before and after they were counted, and late."""
    random, first = Random(7), START - timedelta(days=50)

    async def add(n, since=first, within=timedelta(days=50)):
        for _ in range(n):
            at = since + random.random() * within
            courier, door_s = random.choice([(None, None), (ANA, random.randrange(300, 9000)), (RUI, None)])
            promise_s, place = random.choice([None, 1800, 4000]), random.randrange(2)
            await add_order(city.pool, at, courier=courier, door_s=door_s, promise_s=promise_s, place=place)

    spans = [(first + timedelta(minutes=random.randrange(9000)), START + timedelta(minutes=1)) for _ in range(3)]
    spans += [(first - timedelta(days=3), NOW), (first + timedelta(days=3), first + timedelta(days=40, minutes=17))]
    zones = cycle(["Asia/Kathmandu", "Europe/Lisbon", "UTC"])
    asked = [(since, until, zone) for (since, until), zone in zip(spans, zones, strict=False)]

    async def told():
        return [number for ask in asked for number in flat(await report(city, by, *ask))]

    async def nothing_counted():
        await city.pool.execute(f"UPDATE {counts.TABLE}_horizon SET kept_until = '-infinity'")

    await add(120)
    plain = await told()
    counting = counts(city.pool, now=lambda: NOW)
    await counting.once()
    assert await city.pool.fetchval(f"SELECT count(*) FROM {counts.TABLE}") > 80
    assert await told() == pytest.approx(plain)
    await city.pool.execute(f"UPDATE {counts.TABLE} SET placed = placed + 1")
    assert await told() != pytest.approx(plain), "they are not read"
    await nothing_counted()  # as if it had been interrupted
    await counting.once()
    assert await told() == pytest.approx(plain)
    # What comes late is counted with the next hour or day that is over; so is one placed a month ago that ends now.
    await add(20, NOW - timedelta(hours=30), timedelta(hours=10))
    await city.pool.execute(
        "UPDATE orders SET state = 'delivered', courier_id = $1, picked_up_at = $2, delivered_at = $2, closed_at = $2,"
        " accepted_at = $2 WHERE id = (SELECT id FROM orders WHERE state = 'placed' ORDER BY placed_at LIMIT 1)",
        RUI, NOW - timedelta(hours=20),
    )  # fmt: skip
    await counts(city.pool, now=lambda: NOW + 2 * counts.UNIT).once()
    corrected = await told()
    await nothing_counted()
    assert corrected == pytest.approx(await told())
    assert corrected != pytest.approx(plain)
