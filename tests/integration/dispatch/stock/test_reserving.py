"""Goods of orders: nobody gets what another has taken, and what is not wanted any more is free at once."""

import asyncio
from uuid import uuid4

import pytest

from dispatch.errors import OutOfStock
from dispatch.orders.order import ENGINE, OrderState
from dispatch.stock.moving import Kind
from dispatch.stock.reserving import Line, collect, come_back, keep, take
from tests.integration.dispatch.conftest import STAFF, new_order
from tests.integration.dispatch.stock.test_moving import (
    NEXT_WEEK,
    NOW,
    TOMORROW,
    YESTERDAY,
    assert_adds_up,
    balances,
    book,
    open_place,
)
from tests.integration.dispatch.stock.test_moving import keep as keep_item


async def order_some(city, place, *lines, **options):
    async with city.desk() as desk:
        order = await desk.place(new_order(place_id=place.place_id))
        taken = await take(desk.connection, place, [Line(*line) for line in lines], **options)
        await keep(desk.connection, place.place_id, order.id, taken)
        return order


async def reserved(city):
    rows = await city.pool.fetch("SELECT quantity FROM stock_reservations ORDER BY quantity")
    return [row["quantity"] for row in rows]


async def test_of_many_who_want_the_last_only_as_many_get_it_as_there_is(city):
    place = await open_place(city.pool)
    for item in ("cola", "beer"):
        await keep_item(city.pool, item)
        await book(city.pool, place, Kind.RECEIVE, 10, item=item)
    # Each wants both, half of them in the other sequence: nobody waits for who waits for them.
    wishes = [(("cola", 1), ("beer", 1)), (("beer", 1), ("cola", 1))] * 25
    found = await asyncio.gather(*(order_some(city, place, *one) for one in wishes), return_exceptions=True)
    refused = [one for one in found if isinstance(one, OutOfStock)]
    assert (len(found) - len(refused), len(refused)) == (10, 40)
    assert all(isinstance(one, OutOfStock) for one in found if isinstance(one, BaseException))
    assert await reserved(city) == [1] * 20


async def test_all_that_lacks_is_told_and_what_nobody_keeps_is_not_looked_at(city):
    place = await open_place(city.pool)
    for item in ("cola", "beer", "ham"):
        await keep_item(city.pool, item)
    await book(city.pool, place, Kind.RECEIVE, 3, lot="old", best_before=YESTERDAY)
    await book(city.pool, place, Kind.RECEIVE, 2, lot="new", best_before=TOMORROW)
    await book(city.pool, place, Kind.RECEIVE, 1, item="beer")
    with pytest.raises(OutOfStock) as caught:
        await order_some(city, place, ("cola", 2), ("beer", 2), ("cola", 1), ("ham", 5), ("soup", 9))
    assert caught.value.facts["missing"] == [
        {"item": "beer", "wanted": 2, "available": 1},
        {"item": "cola", "wanted": 3, "available": 2},
    ]
    assert await city.pool.fetchval("SELECT count(*) FROM orders") == 0
    await order_some(city, place, ("cola", 9), ("beer", 9), is_must=False)
    assert await reserved(city) == [1, 2]


@pytest.mark.parametrize("to", [OrderState.CANCELLED, OrderState.FAILED])
async def test_what_is_not_wanted_any_more_is_free_again(city, to):
    place = await open_place(city.pool)
    await keep_item(city.pool)
    await book(city.pool, place, Kind.RECEIVE, 2)
    order = await order_some(city, place, ("cola", 2))
    async with city.desk() as desk:
        order = await desk.get_order(order.id)
        await (desk.cancel(order.id, reason=None) if to is OrderState.CANCELLED else desk.fail(order, reason="shut"))
    assert await reserved(city) == []
    await order_some(city, place, ("cola", 2))


async def test_what_is_collected_leaves_first_expired_first_without_what_was_missing_and_comes_back(city):
    place = await open_place(city.pool)
    item_id = await keep_item(city.pool)
    courier_id = await city.hire()
    for lot, until_day in (("late", NEXT_WEEK), ("soon", TOMORROW)):
        await book(city.pool, place, Kind.RECEIVE, 3, lot=lot, best_before=until_day)
    order = await order_some(city, place, ("cola", 5))
    async with city.desk(ENGINE) as desk:
        order = await desk.move(order, OrderState.ASSIGNED, action="assign", courier_id=courier_id)
        order = await desk.pick_up(order)
    what = (place, order.id, order.attempt, STAFF, NOW)
    for _ in range(2):
        async with city.pool.acquire() as connection, connection.transaction():
            assert await collect(connection, *what, missing={"cola": 1}) == []
    assert await balances(city.pool, place, item_id) == {("late", NEXT_WEEK): 2, ("soon", TOMORROW): 0}
    assert await reserved(city) == []
    for _ in range(2):
        async with city.pool.acquire() as connection, connection.transaction():
            await come_back(connection, order.id, order.attempt, STAFF, NOW)
    assert await balances(city.pool, place, item_id) == {("late", NEXT_WEEK): 3, ("soon", TOMORROW): 3}
    await assert_adds_up(city.pool)


async def test_what_the_books_have_less_of_than_was_collected_is_told(city):
    place = await open_place(city.pool)
    item_id = await keep_item(city.pool)
    await book(city.pool, place, Kind.RECEIVE, 5)
    order = await order_some(city, place, ("cola", 4))
    await book(city.pool, place, Kind.ADJUST, -3, reason="broken")
    async with city.pool.acquire() as connection, connection.transaction():
        lacks = await collect(connection, place, order.id, 1, STAFF, NOW, missing={})
    assert lacks == [{"item": "cola", "wanted": 4, "available": 2}]
    assert await balances(city.pool, place, item_id) == {("", None): 0}


async def test_what_is_scanned_out_for_an_order_is_not_shipped_again_when_it_is_collected(city):
    place = await open_place(city.pool)
    item_id = await keep_item(city.pool)
    await book(city.pool, place, Kind.RECEIVE, 5)
    order = await order_some(city, place, ("cola", 3))
    await book(city.pool, place, Kind.SHIP, 2, order_id=order.id, id=uuid4())
    assert await reserved(city) == [1]
    async with city.pool.acquire() as connection, connection.transaction():
        await collect(connection, place, order.id, 1, STAFF, NOW, missing={})
    assert await balances(city.pool, place, item_id) == {("", None): 2}
