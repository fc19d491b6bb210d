"""Counts: nothing is booked before it is approved, then the difference at the time of the count, once."""

from datetime import timedelta
from uuid import uuid4

import pytest

from dispatch.errors import CountDecided, CountNotFound, ItemNotFound, MovementReused, OutOfStock
from dispatch.stock.counting import Counted, approve, count, lines_of, reject
from dispatch.stock.moving import Kind
from tests.integration.dispatch.conftest import STAFF
from tests.integration.dispatch.stock.test_moving import (
    NEXT_WEEK,
    NOW,
    TOMORROW,
    assert_adds_up,
    balances,
    book,
    keep,
    open_place,
)


async def tell(city, place, *counted, count_id=None, said_at=None):
    async with city.pool.acquire() as connection, connection.transaction():
        return await count(connection, place, count_id or uuid4(), counted, STAFF, NOW, said_at=said_at)


async def decide(city, place, count_id, how=approve):
    async with city.pool.acquire() as connection, connection.transaction():
        return await how(connection, place, count_id, STAFF, NOW)


async def test_what_came_and_went_since_the_count_stays_right(city):
    place, item_id = await open_place(city.pool), await keep(city.pool)
    then = NOW - timedelta(hours=1)
    for lot, until_day in (("soon", TOMORROW), ("late", NEXT_WEEK)):
        await book(city.pool, place, Kind.RECEIVE, 10, lot=lot, best_before=until_day, said_at=then)
    an_hour_ago = then + timedelta(minutes=5)
    await book(city.pool, place, Kind.SHIP, 2, lot="soon", said_at=then + timedelta(minutes=10))
    row = await tell(
        city, place, Counted(4, "cola", lot="soon"), Counted(3, "cola", lot="soon"), Counted(11, "cola", lot="late"),
        said_at=an_hour_ago,
    )  # fmt: skip
    assert [(one.counted, one.expected, one.difference) for one in lines_of(row)] == [(7, 10, -3), (11, 10, 1)]
    await book(city.pool, place, Kind.RECEIVE, 5, lot="soon", best_before=TOMORROW)
    assert await balances(city.pool, place, item_id) == {("soon", TOMORROW): 13, ("late", NEXT_WEEK): 10}
    _, moved = await decide(city, place, row["id"])
    assert [one.quantity for one in moved] == [-3, 1]
    with pytest.raises(CountDecided):
        await decide(city, place, row["id"])
    found = await balances(city.pool, place, item_id)
    assert found["soon", TOMORROW] == 10
    assert sum(found.values()) == 21
    await assert_adds_up(city.pool)


async def test_goods_are_counted_without_their_lots_and_less_is_what_expires_first(city):
    place, item_id = await open_place(city.pool), await keep(city.pool)
    for lot, until_day in (("late", NEXT_WEEK), ("soon", TOMORROW)):
        await book(city.pool, place, Kind.RECEIVE, 2, lot=lot, best_before=until_day)
    same = uuid4()
    rows = [await tell(city, place, Counted(1, "cola"), count_id=same) for _ in range(2)]
    assert rows[0]["n"] == rows[1]["n"]
    await decide(city, place, same)
    assert await balances(city.pool, place, item_id) == {("late", NEXT_WEEK): 1, ("soon", TOMORROW): 0}


async def test_a_count_that_is_rejected_or_another_places_or_of_what_has_gone_books_nothing(city):
    place, other, item_id = await open_place(city.pool), await open_place(city.pool, "b"), await keep(city.pool)
    await book(city.pool, place, Kind.RECEIVE, 5)
    row = await tell(city, place, Counted(1, "cola"))
    with pytest.raises(CountNotFound):
        await decide(city, other, row["id"])
    with pytest.raises(MovementReused):
        await tell(city, other, Counted(1, "cola"), count_id=row["id"])
    with pytest.raises(ItemNotFound):
        await tell(city, place, Counted(1, "wine"))
    await book(city.pool, place, Kind.SHIP, 3)
    with pytest.raises(OutOfStock):
        await decide(city, place, row["id"])
    assert (await decide(city, place, row["id"], reject))[0]["state"] == "rejected"
    assert await balances(city.pool, place, item_id) == {("", None): 2}
    await assert_adds_up(city.pool)
