"""What places make before it is ordered: foretold from the weeks before, made in spare time, taken by orders."""

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from dispatch.stock.shelf import Shelf
from tests.acceptance.test_orders import HOME, dispatcher, town  # noqa: F401 - fixtures
from tests.acceptance.test_places import TOLERANCE, instant, opened, ordered  # noqa: F401 - fixtures

SOUP = {"item": "soup", "minutes": 30, "batch": 6, "shelf_life_minutes": 240, "ahead_minutes": 0}
ROAST = {"item": "roast", "minutes": 40}
WEEKS = 6


@pytest.fixture
async def database(settings):
    connection = await asyncpg.connect(settings.database_url)
    yield connection
    await connection.close()


PLACED = """
    INSERT INTO orders (
        region, place_id, state, placed_at, closed_at, pickup_lat, pickup_lon, pickup_service_s, pickup_opens_at,
        dropoff_lat, dropoff_lon, dropoff_service_s
    ) VALUES ($1, $2, $3, $4, $4, 41.15, -8.61, 60, $5, 41.16, -8.62, 60) RETURNING id"""
OF_EACH_WEEK = (
    # The first is of before the time that is looked at: the place was there all of that week.
    (-60, "failed", 0, None),
    *((60 + n, "failed", 4, None) for n in range(3)),
    (60, "cancelled", 50, None),
    (60, "failed", 50, timedelta(days=1)),
)
"""Minutes from now, what became of it, how much soup, and how much later it was wanted."""


async def habit(database, place):
    """So much soup was ordered an hour from now in each of the weeks before."""
    for week in range(1, WEEKS + 1):
        for minutes, state, quantity, later in OF_EACH_WEEK:
            at = datetime.now(UTC) - timedelta(days=7 * week) + timedelta(minutes=minutes)
            opens_at = None if later is None else at + later
            order_id = await database.fetchval(PLACED, place["region"], place["id"], state, at, opens_at)
            lines = f'[{{"item": "soup", "quantity": {quantity}}}]' if quantity else "[]"
            await database.execute(
                "INSERT INTO place_tasks (order_id, lines, duration_s) VALUES ($1, $2, 0)", order_id, lines
            )


async def ahead(counter, place):
    answer = await counter.get(f"/v1/places/{place['id']}/ahead")
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def say(counter, place, what, key=None, **body):
    headers = {} if key is None else {"Idempotency-Key": key}
    return await counter.post(f"/v1/places/{place['id']}/ahead/{what}", json={"item": "soup"} | body, headers=headers)


async def stock(database):
    """How much soup there is, and how much of that no order has taken."""
    there = await database.fetchval("SELECT coalesce(sum(quantity), 0)::int FROM stock_batches")
    taken = await database.fetchval("SELECT coalesce(sum(quantity), 0)::int FROM stock_reservations")
    return there, there - taken


def takes(order):
    return instant(order["ready_at"]) - instant(order["placed_at"])


async def test_what_is_asked_for_every_week_is_made_before_and_orders_have_it_sooner(town, opened, database):  # noqa: F811
    place, counter = await opened(recipes=[SOUP, ROAST], capacity=2)
    assert await ahead(counter, place) == [], "nothing is known of it"
    await habit(database, place)
    # As if a minute had passed.
    await town.staff.patch(f"/v1/places/{place['id']}", json={"recipes": [SOUP | {"batch": 20}, ROAST]})
    (go,) = await ahead(counter, place)
    assert (go["item"], go["amount"], go["state"]) == ("soup", 12, "suggested")
    assert instant(go["ends_at"]) - instant(go["starts_at"]) == timedelta(minutes=30)
    assert instant(go["good_until"]) - instant(go["ends_at"]) == timedelta(minutes=240)
    assert instant(go["starts_at"]) - datetime.now(UTC) < TOLERANCE
    assert timedelta(minutes=30) < instant(go["wanted_at"]) - datetime.now(UTC) < timedelta(hours=1)

    before = await ordered(town, place, external_id="before", lines=[{"item": "soup", "quantity": 2}])
    assert abs(takes(before) - timedelta(minutes=30)) < TOLERANCE
    tasks = (await counter.get(f"/v1/places/{place['id']}/tasks")).json()["items"]
    for key in ("a", "a", "b"):
        started = await say(counter, place, "start", key, amount=7)
        assert (started.status_code, started.json()["state"]) == (200, "started")
    (go,) = await ahead(counter, place)
    assert (go["amount"], go["state"]) == (7, "started"), "one of the same at a time"
    again = (await counter.get(f"/v1/places/{place['id']}/tasks")).json()["items"]
    assert [one["starts_at"] for one in again] == [one["starts_at"] for one in tasks], "no order waits for it"
    assert (await town.order(before["id"]))["ready_at"] == before["ready_at"]

    for _ in range(2):
        ready = await say(counter, place, "ready", "c")
        assert (ready.status_code, ready.json()["state"]) == (200, "ready")
    assert (await say(counter, place, "ready", "d")).status_code == 404
    told = await town.order(before["id"])
    assert instant(told["ready_at"]) < datetime.now(UTC) + TOLERANCE, "who waits has of it first"
    assert await stock(database) == (7, 5)
    after = await ordered(town, place, external_id="after", lines=[{"item": "soup", "quantity": 4}])
    assert takes(after) < TOLERANCE
    # More than there is is no reason to refuse: the rest is made.
    most = await ordered(town, place, external_id="most", lines=[{"item": "soup", "quantity": 3}])
    assert timedelta(minutes=30) - TOLERANCE < takes(most) < timedelta(minutes=30) + TOLERANCE
    assert await stock(database) == (7, 0)
    await town.staff.post(f"/v1/orders/{after['id']}/cancel")
    assert await stock(database) == (7, 4)


async def test_what_is_not_wanted_or_came_to_nothing_is_not_asked_for_again(town, opened, database):  # noqa: F811
    place, counter = await opened(recipes=[SOUP])
    await habit(database, place)
    (go,) = await ahead(counter, place)
    assert (await say(counter, place, "skip", amount=12)).json()["state"] == "skipped"
    assert await ahead(counter, place) == []
    await say(counter, place, "start", amount=6)
    assert (await say(counter, place, "skip", amount=6)).json()["state"] == "skipped"
    assert await ahead(counter, place) == [], "nothing is being made"
    assert await stock(database) == (0, 0)
    assert (await say(counter, place, "ready")).json()["code"] == "item-not-found"
    other = await say(counter, place, "start", item="roast", amount=1)
    assert (other.status_code, other.json()["errors"][0]["pointer"]) == (400, "/item")
    assert go["state"] == "suggested"


async def test_what_is_past_is_thrown_away_but_not_of_orders(town, opened, settings, database):  # noqa: F811
    place, counter = await opened(recipes=[SOUP])
    await say(counter, place, "start", amount=6)
    await say(counter, place, "ready")
    first = await ordered(town, place, lines=[{"item": "soup", "quantity": 2}])
    # Wanted when it is not good any more: that is made for it.
    late = (datetime.now(UTC) + timedelta(hours=5)).isoformat()
    later = await ordered(town, place, external_id="later", ready_at=late, lines=[{"item": "soup", "quantity": 1}])
    assert await stock(database) == (6, 4)
    assert abs(instant(later["ready_at"]) - instant(late)) < TOLERANCE
    pool = await asyncpg.create_pool(settings.database_url, min_size=1, max_size=2)
    try:
        shelf = Shelf(pool)
        assert await shelf.once(datetime.now(UTC) + timedelta(minutes=230)) == 0
        much_later = datetime.now(UTC) + timedelta(minutes=250)
        assert [await shelf.once(much_later) for _ in range(2)] == [4, 0]
    finally:
        await pool.close()
    moved = (await counter.get(f"/v1/places/{place['id']}/stock/movements")).json()["items"]
    assert [(one["kind"], one["quantity"], one["reason"]) for one in moved] == [
        ("receive", 6, None),
        ("adjust", -4, "past its shelf life"),
    ]
    assert takes(first) < TOLERANCE


async def test_goods_that_are_past_are_nobodys_even_before_they_are_thrown_away(town, opened, database):  # noqa: F811
    place, counter = await opened(recipes=[SOUP])
    await say(counter, place, "start", amount=6)
    await say(counter, place, "ready")
    await database.execute("UPDATE stock_batches SET good_until = now() - interval '1 minute'")
    order = await ordered(town, place, lines=[{"item": "soup", "quantity": 2}])
    assert abs(takes(order) - timedelta(minutes=30)) < TOLERANCE
    # Without the mark it is made as ever, whatever is left in the books.
    await town.staff.patch(f"/v1/places/{place['id']}", json={"recipes": [{"item": "soup", "minutes": 30}]})
    await database.execute("UPDATE stock_batches SET quantity = 0")
    await database.execute("DELETE FROM stock_reservations")
    assert (await ordered(town, place, external_id="two", lines=[{"item": "soup", "quantity": 9}]))["state"] == "placed"


async def test_a_place_that_marks_nothing_is_told_nothing(town, opened, database):  # noqa: F811
    place, counter = await opened(recipes=[{"item": "soup", "minutes": 30, "batch": 6, "shelf_life_minutes": 240}])
    await habit(database, place)
    assert await ahead(counter, place) == []
    refused = await town.staff.patch(
        f"/v1/places/{place['id']}", json={"recipes": [{"item": "soup", "minutes": 30, "ahead_minutes": 1}]}
    )
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "/recipes/0/shelf_life_minutes")
    windows = {"order": {"pickup": {"place_id": place["id"]}, "dropoff": HOME, "lines": [{"item": "soup"}]}}
    assert (await town.staff.post("/v1/plans/windows", json=windows)).status_code == 200
