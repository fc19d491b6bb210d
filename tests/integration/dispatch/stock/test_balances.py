"""What is remembered of places' goods: never old once the outbox is empty, and never for longer than its time."""

import asyncio
from itertools import combinations

import pytest
import redis.asyncio as aioredis
from prometheus_client import REGISTRY
from redis.exceptions import RedisError

from dispatch.errors import PlaceNotFound
from dispatch.orders.order import ENGINE, OrderState
from dispatch.stock import balances
from dispatch.stock.balances import Balances, Part, balances_at
from dispatch.stock.counting import Counted, approve, count
from dispatch.stock.moving import Kind
from dispatch.stock.outbox import Outbox
from dispatch.stock.reserving import collect, come_back
from tests.integration.dispatch.conftest import STAFF
from tests.integration.dispatch.stock.test_moving import NOW, TOMORROW, WORKERS, book, keep, open_place
from tests.integration.dispatch.stock.test_reserving import order_some

ALL = Part(limit=100)
NOBODY = "redis://127.0.0.1:1"


class Closed:
    """A database that must not be asked."""

    async def fetch(self, *_):
        raise AssertionError("it was asked")

    fetchval = fetch


async def look(city, place, part=ALL, *, pool=None) -> Balances:
    return await balances_at(pool or city.pool, city.redis, place.place_id, part)


async def there(city, place):
    """As the database has it."""
    async with aioredis.Redis.from_url(NOBODY) as nobody:
        return await balances_at(city.pool, nobody, place.place_id, ALL)


def looks(source: str) -> float:
    return REGISTRY.get_sample_value("postrider_stock_reads_total", {"source": source}) or 0


def amounts(found: Balances) -> dict[str, tuple[int, int]]:
    return {one.item: (sum(batch.quantity for batch in one.batches), one.reserved) for one in found.goods}


@pytest.fixture
def outbox(city):
    return Outbox(city.pool, city.redis)


async def test_what_was_read_once_is_read_from_redis_by_page_and_by_goods(city):
    place = await open_place(city.pool)
    for item in ("beer", "cola", "ham"):
        await keep(city.pool, item)
        await book(city.pool, place, Kind.RECEIVE, 3, item=item, lot="A", best_before=TOMORROW)
    await book(city.pool, place, Kind.RECEIVE, 2, lot="B")
    whole = await look(city, place, Part(limit=1))
    assert amounts(whole) == {"beer": (3, 0)}
    parts = [
        ALL,
        Part(limit=2),
        Part(limit=2, after=whole.goods[0].item_id, after_item="beer"),
        Part(limit=2, items=("ham", "cola", "soup")),
    ]
    remembered = [await look(city, place, part, pool=Closed()) for part in parts]
    assert [list(amounts(one)) for one in remembered] == [
        ["beer", "cola", "ham"],
        ["beer", "cola"],
        ["cola", "ham"],
        ["cola", "ham"],
    ]
    assert remembered[0] == await there(city, place)
    await city.redis.delete(balances.key(place.place_id))
    for part, one in zip(parts, remembered, strict=True):
        assert await look(city, place, part) == one
        await city.redis.delete(balances.key(place.place_id))


async def test_every_change_is_told_and_nothing_old_is_read_after_that(city, outbox):
    place, other = await open_place(city.pool), await open_place(city.pool, "Other")
    item_id = await keep(city.pool)
    orders = []

    async def order(to=None):
        if to is None:
            orders.append(await order_some(city, place, ("cola", 2)))
            return
        async with city.desk(ENGINE) as desk:
            one = await desk.get_order(orders[-1].id)
            if to is OrderState.CANCELLED:
                await desk.cancel(one.id, reason=None)
            else:
                one = await desk.move(one, OrderState.ASSIGNED, action="assign", courier_id=await city.hire())
                await desk.pick_up(one)

    async def goods(what, **options):
        async with city.pool.acquire() as connection, connection.transaction():
            facts = (orders[-1].id, orders[-1].attempt, STAFF, NOW)
            await (what(connection, place, *facts, **options) if what is collect else what(connection, *facts))

    async def counted():
        found = Counted(quantity=1, item="cola")
        async with city.pool.acquire() as connection, connection.transaction():
            row = await count(connection, place, orders[-1].id, [found], STAFF, NOW)
            await approve(connection, place, row["id"], STAFF, NOW)

    changes = [
        lambda: book(city.pool, place, Kind.RECEIVE, 9),
        order,
        lambda: order(OrderState.CANCELLED),
        order,
        lambda: order(OrderState.PICKED_UP),
        lambda: goods(collect, missing={}),
        lambda: goods(come_back),
        lambda: book(city.pool, place, Kind.MOVE, 3, to=other),
        counted,
        lambda: book(city.pool, place, Kind.ADJUST, -1, reason="broken"),
        lambda: city.pool.execute(
            f"DELETE FROM stock_movements; DELETE FROM stock_batches WHERE place_id = '{other.place_id}'"
        ),
        lambda: city.pool.execute("UPDATE stock_items SET name = 'Cola' WHERE id = $1", item_id),
        lambda: city.pool.execute("UPDATE stock_items SET deleted_at = now() WHERE id = $1", item_id),
    ]
    seen = []
    for change in changes:
        for at in (place, other):
            await look(city, at)
        await change()
        await outbox.once()
        for at in (place, other):
            assert await look(city, at) == await there(city, at)
        seen.append(amounts(await look(city, place)).get("cola"))
    assert seen == [
        (9, 0),
        (9, 2),
        (9, 0),
        (9, 2),
        (9, 2),
        (7, 0),
        (9, 0),
        (6, 0),
        (1, 0),
        (0, 0),
        (0, 0),
        (0, 0),
        None,
    ]
    assert await city.pool.fetchval("SELECT count(*) FROM stock_outbox") == 0
    await city.pool.execute("UPDATE places SET deleted_at = now() WHERE id = $1", place.place_id)
    await outbox.once()
    with pytest.raises(PlaceNotFound):
        await look(city, place)


class Gate:
    """Lets somebody go on step by step."""

    def __init__(self):
        self._may, self._waits = asyncio.Semaphore(0), asyncio.Semaphore(0)

    async def step(self):
        self._waits.release()
        await self._may.acquire()

    async def let(self, task):
        """One step further: to the next one, or to the end."""
        self._may.release()
        await self.arrived(task)

    async def arrived(self, task):
        waits = asyncio.create_task(self._waits.acquire())
        await asyncio.wait({waits, task}, return_when=asyncio.FIRST_COMPLETED)
        waits.cancel()


class Stepwise:
    """A pool or a client of Redis whose questions wait at a gate."""

    def __init__(self, inner, gate):
        self._inner, self._gate = inner, gate

    async def fetch(self, *question):
        await self._gate.step()
        return await self._inner.fetch(*question)

    async def fetchval(self, *question):
        return await self._inner.fetchval(*question)

    async def execute_command(self, *command):
        await self._gate.step()
        return await self._inner.execute_command(*command)


@pytest.mark.parametrize("reader_goes_at", list(combinations(range(5), 3)))
async def test_however_a_reader_and_a_writer_meet_nothing_old_is_remembered(city, outbox, reader_goes_at):
    """The reader asks Redis, reads, remembers; the writer commits, and lets go of what is remembered."""
    place = await open_place(city.pool)
    await keep(city.pool)
    await book(city.pool, place, Kind.RECEIVE, 5)
    await outbox.once()
    await look(city, place)  # Redis knows the scripts
    await city.redis.delete(balances.key(place.place_id))
    writes = iter([lambda: book(city.pool, place, Kind.SHIP, 4), outbox.once])
    gate = Gate()
    reading = asyncio.create_task(
        balances_at(Stepwise(city.pool, gate), Stepwise(city.redis, gate), place.place_id, ALL)
    )
    await gate.arrived(reading)
    for n in range(5):
        await (gate.let(reading) if n in reader_goes_at else next(writes)())
    assert amounts(await reading)["cola"] in {(5, 0), (1, 0)}
    assert amounts(await look(city, place)) == {"cola": (1, 0)}


async def test_many_who_look_while_goods_come_and_go_end_with_what_there_is(city, outbox):
    place = await open_place(city.pool)
    await keep(city.pool)
    await book(city.pool, place, Kind.RECEIVE, WORKERS)

    async def work():
        for _ in range(3):
            await look(city, place)
            await book(city.pool, place, Kind.SHIP, 1)
            await look(city, place)
            await book(city.pool, place, Kind.RECEIVE, 1)
            await outbox.once()

    await asyncio.gather(*(work() for _ in range(WORKERS // 5)))
    await outbox.once()
    assert await look(city, place) == await there(city, place)
    assert amounts(await look(city, place, pool=Closed())) == {"cola": (WORKERS, 0)}


async def test_it_is_remembered_for_a_minute_at_most_however_often_it_is_read(city):
    place = await open_place(city.pool)
    await keep(city.pool)
    await book(city.pool, place, Kind.RECEIVE, 1)
    await look(city, place)
    key = balances.key(place.place_id)
    assert 0 < await city.redis.pttl(key) <= balances.TTL_S * 1000
    await city.redis.pexpire(key, 30_000)
    await look(city, place)
    assert 0 < await city.redis.pttl(key) <= 30_000
    # One who asked and never read gives those after it no longer time either.
    await city.redis.hdel(key, "body")
    await look(city, place)
    assert 0 < await city.redis.pttl(key) <= 30_000
    assert await city.redis.hexists(key, "body")


async def test_without_redis_it_comes_from_the_database_and_what_changed_is_told_later(city, outbox):
    place = await open_place(city.pool)
    await keep(city.pool)
    await book(city.pool, place, Kind.RECEIVE, 5)
    await outbox.once()
    await look(city, place)
    before = looks("database")
    await book(city.pool, place, Kind.SHIP, 1)
    async with aioredis.Redis.from_url(NOBODY) as nobody:
        with pytest.raises((RedisError, OSError)):
            await Outbox(city.pool, nobody).once()
        await balances.forget_now(nobody, {place.place_id})
        assert amounts(await balances_at(city.pool, nobody, place.place_id, ALL)) == {"cola": (4, 0)}
    assert looks("database") == before + 1
    assert amounts(await look(city, place)) == {"cola": (5, 0)}, "as it is remembered, for a minute at most"
    await outbox.once()
    assert amounts(await look(city, place)) == {"cola": (4, 0)}


async def test_a_place_with_too_many_goods_and_a_memory_nobody_understands_are_left_to_the_database(city, monkeypatch):
    monkeypatch.setattr(balances, "MOST_GOODS", 2)
    place = await open_place(city.pool)
    for item in ("beer", "cola", "ham"):
        await keep(city.pool, item)
        await book(city.pool, place, Kind.RECEIVE, 3, item=item)
    for _ in range(2):
        assert list(amounts(await look(city, place))) == ["beer", "cola", "ham"]
    key = balances.key(place.place_id)
    assert await city.redis.hget(key, "body") == b""
    await city.redis.hset(key, "body", b"of another release")
    assert list(amounts(await look(city, place))) == ["beer", "cola", "ham"]
    await city.redis.delete(key)
    monkeypatch.setattr(balances, "MOST_GOODS", 3)
    monkeypatch.setattr(balances, "LARGEST_B", 20)
    assert len(amounts(await look(city, place))) == 3
    assert await city.redis.hget(key, "body") == b""
