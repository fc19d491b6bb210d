"""Goods: each movement is booked once, no batch falls below zero, and a balance is the sum of its movements."""

import asyncio
import gc
import random
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from dispatch.errors import ItemNotFound, MovementReused, OrderNotFound, OutOfStock, PlaceNotFound, QuantityUnknown
from dispatch.stock.moving import At, Kind, Part, Wanted, batches_of, move
from tests.integration.dispatch.conftest import STAFF
from tests.waiting import until

TODAY = date(2026, 11, 27)
NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
TOMORROW, NEXT_WEEK, YESTERDAY = (TODAY + timedelta(days=n) for n in (1, 7, -1))
WORKERS = 50


async def open_place(pool, name="Adega", partner=None):
    place_id = await pool.fetchval(
        "INSERT INTO places (region, name, lat, lon, partner) VALUES ('default', $1, 41, -8, $2) RETURNING id",
        name,
        partner,
    )
    return At(place_id, "default", partner, TODAY)


async def keep(pool, item="cola", unit="piece", gtin=None):
    return await pool.fetchval(
        "INSERT INTO stock_items (region, item, unit, gtin) VALUES ('default', $1, $2, $3) RETURNING id",
        item,
        unit,
        gtin,
    )


async def book(pool, place, kind, quantity, *, to=None, **facts):
    wanted = Wanted(**({"id": uuid4(), "kind": kind, "quantity": quantity, "item": "cola"} | facts))
    async with pool.acquire() as connection, connection.transaction():
        return await move(connection, place, wanted, STAFF, NOW, to=to)


async def balances(pool, place, item_id):
    return {(one.lot, one.best_before): one.quantity for one in await batches_of(pool, place.place_id, item_id)}


async def assert_adds_up(pool):
    rows = await pool.fetch(
        "SELECT b.quantity, coalesce(sum(m.quantity), 0)::bigint AS moved FROM stock_batches AS b"
        " LEFT JOIN stock_movements AS m ON m.batch_id = b.id GROUP BY b.id"
    )
    assert all(row["quantity"] == row["moved"] >= 0 for row in rows)


async def test_what_expires_first_goes_first_and_what_has_expired_does_not(city):
    place, item_id = await open_place(city.pool), await keep(city.pool)
    for lot, until_day, much in (("late", NEXT_WEEK, 5), ("old", YESTERDAY, 5), ("soon", TOMORROW, 2), (None, None, 1)):
        await book(city.pool, place, Kind.RECEIVE, much, lot=lot, best_before=until_day)
    moved = await book(city.pool, place, Kind.SHIP, 4)
    assert moved.parts == (Part("soon", TOMORROW, -2), Part("late", NEXT_WEEK, -2))
    with pytest.raises(OutOfStock) as caught:
        await book(city.pool, place, Kind.SHIP, 5)
    assert caught.value.facts == {"missing": [{"item": "cola", "wanted": 5, "available": 4}]}
    assert (await book(city.pool, place, Kind.SHIP, 1, lot="old")).parts == (Part("old", YESTERDAY, -1),)
    thrown = await book(city.pool, place, Kind.ADJUST, -4, reason="past its date")
    assert thrown.parts == (Part("old", YESTERDAY, -4),)
    assert await balances(city.pool, place, item_id) == {
        ("late", NEXT_WEEK): 3,
        ("old", YESTERDAY): 0,
        ("soon", TOMORROW): 0,
        ("", None): 1,
    }
    await assert_adds_up(city.pool)


async def test_a_movement_that_is_sent_again_is_booked_once_and_its_id_is_for_nothing_else(city):
    place, item_id = await open_place(city.pool), await keep(city.pool)
    same = uuid4()
    await asyncio.gather(*(book(city.pool, place, Kind.RECEIVE, 5, id=same) for _ in range(5)))
    again = await book(city.pool, place, Kind.RECEIVE, 5, id=same)
    assert (again.quantity, again.is_repeated, again.parts) == (5, True, (Part("", None, 5),))
    assert await balances(city.pool, place, item_id) == {("", None): 5}
    for kind, quantity in ((Kind.RECEIVE, 6), (Kind.SHIP, 5)):
        with pytest.raises(MovementReused):
            await book(city.pool, place, kind, quantity, id=same)
    with pytest.raises(asyncpg.RestrictViolationError):
        await city.pool.execute("UPDATE stock_movements SET quantity = 6")


async def test_goods_move_between_places_with_their_lots_and_only_within_a_partner(city):
    place, other = [await open_place(city.pool, name) for name in "ab"]
    theirs = await open_place(city.pool, "c", partner="p")
    item_id = await keep(city.pool)
    await book(city.pool, place, Kind.RECEIVE, 5, lot="A", best_before=NEXT_WEEK)
    moved = await book(city.pool, place, Kind.MOVE, 3, to=other)
    assert (moved.quantity, moved.parts) == (-3, (Part("A", NEXT_WEEK, -3),))
    assert await balances(city.pool, place, item_id) == {("A", NEXT_WEEK): 2}
    assert await balances(city.pool, other, item_id) == {("A", NEXT_WEEK): 3}
    for to in (theirs, place):
        with pytest.raises(PlaceNotFound):
            await book(city.pool, place, Kind.MOVE, 1, to=to)
    with pytest.raises(ItemNotFound):
        await book(city.pool, theirs, Kind.RECEIVE, 1)
    with pytest.raises(OrderNotFound):
        await book(city.pool, place, Kind.SHIP, 1, order_id=(await city.place()).id)
    await assert_adds_up(city.pool)


async def test_a_code_says_how_much_in_the_unit_of_the_goods(city):
    place = await open_place(city.pool)
    await keep(city.pool, "ham", "g", "09506000134352")
    await keep(city.pool)
    ham = {"item": None, "gtin": "09506000134352"}
    assert (await book(city.pool, place, Kind.RECEIVE, None, weight_g=1250, **ham)).quantity == 1250
    assert (await book(city.pool, place, Kind.RECEIVE, None, pieces=12)).quantity == 12
    assert (await book(city.pool, place, Kind.SHIP, None)).quantity == -1
    with pytest.raises(QuantityUnknown):
        await book(city.pool, place, Kind.RECEIVE, None, **ham)


async def test_when_it_was_is_believed_within_bounds(city):
    place = await open_place(city.pool)
    await keep(city.pool)
    said = {"hour": NOW - timedelta(hours=1), "days": NOW - timedelta(days=3), "future": NOW + timedelta(days=1)}
    at = {name: (await book(city.pool, place, Kind.RECEIVE, 1, said_at=when)).at for name, when in said.items()}
    assert at == {"hour": said["hour"], "days": NOW - timedelta(hours=12), "future": NOW}


# asyncpg leaves sockets whose server died while they were being opened to the collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_fifty_workers_and_a_killed_server_lose_double_and_overdraw_nothing(own_postgres):
    server = own_postgres()
    dice = random.Random(5)
    async with asyncpg.create_pool(server.url, min_size=0, max_size=20, command_timeout=60, timeout=60) as pool:
        places = [await open_place(pool, name) for name in "ab"]
        items = {item: await keep(pool, item) for item in ("cola", "beer")}
        for item in items:
            for lot in "AB":
                await book(pool, places[0], Kind.RECEIVE, 40, item=item, lot=lot)
        answers: dict[UUID, int | None] = {}

        async def work(wishes):
            for here, kind, quantity, item in wishes:
                wanted = {"id": uuid4(), "item": item, "reason": "worker"}
                to = places[1 - here] if kind is Kind.MOVE else None
                while wanted["id"] not in answers:
                    try:
                        moved = await book(pool, places[here], kind, quantity, to=to, **wanted)
                        answers[wanted["id"]] = moved.quantity
                    except OutOfStock:
                        answers[wanted["id"]] = None
                    except asyncpg.IntegrityConstraintViolationError:
                        raise
                    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
                        await asyncio.sleep(0.1)

        def wish():
            kind = dice.choice([Kind.SHIP, Kind.SHIP, Kind.MOVE, Kind.MOVE, Kind.RECEIVE, Kind.ADJUST])
            sign = -1 if kind is Kind.ADJUST else 1
            return dice.randrange(2), kind, sign * dice.randint(1, 6), dice.choice(list(items))

        n_wishes = WORKERS * 4
        working = [asyncio.create_task(work([wish() for _ in range(4)])) for _ in range(WORKERS)]
        for share in (0.2, 0.6):
            await until(lambda share=share: len(answers) >= share * n_wishes)
            server.kill()
            await asyncio.to_thread(server.start)
        await asyncio.gather(*working)

        await assert_adds_up(pool)
        rows = await pool.fetch(
            "SELECT id, sum(quantity) FILTER (WHERE kind <> 'move' OR quantity < 0)::bigint AS quantity"
            " FROM stock_movements WHERE reason = 'worker' GROUP BY id"
        )
        assert {row["id"]: row["quantity"] for row in rows} == {k: v for k, v in answers.items() if v is not None}
        assert len(answers) == n_wishes
        assert None in answers.values(), "some asked for more than there was"
    gc.collect()
