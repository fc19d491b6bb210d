"""Arrivals kept from fixes on real servers, and answered from the book or on the spot."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from dispatch.arrivals.answers import Arrivals
from dispatch.arrivals.book import EtaBook, key, pack
from dispatch.arrivals.eta import RECORDED, Note
from dispatch.arrivals.forecast import Forecaster
from dispatch.arrivals.history import MOVED_S
from dispatch.arrivals.keeper import EtaKeeper, KeeperParams
from dispatch.arrivals.steady import CAUSES
from dispatch.errors import OrderNotFound, OrderNotOpen
from dispatch.learning.knowledge import Knowledge
from dispatch.orders.rows import to_json
from dispatch.stop import StopKind
from dispatch.travel.great_circle import GreatCircle
from dispatch.travel.times import Leg, RoutePath, Source
from sql import queries
from tests.integration.dispatch.conftest import HOME, RESTAURANT
from tests.waiting import PATIENCE_S, until
from tracking import events
from tracking.errors import LeaseLost
from tracking.intake.ingest import Ingest
from tracking.intake.reading import Reading
from tracking.intake.screening import Sender, Upload
from tracking.lease import Lease
from tracking.live import LivePositions
from tracking.log import RegionKeys
from tracking.position import LatLon, Region

REGION = Region("default")
FAST = KeeperParams(take_s=0.03, tell_every_s=0.5, reload_every_s=5.0, lease_s=1.0, retry_s=0.05, report_every_s=0.05)
LEASE = Lease(job="arrivals", region=REGION, token=100)


class Engine(GreatCircle):
    """A maps API that knows straight ways."""

    async def route(self, mode, places, departs_at, *, budget_s=1.0):
        path = self.route_now(mode, places, departs_at)
        return RoutePath(
            legs=tuple(
                Leg(duration_s=leg.duration_s, distance_m=leg.distance_m, geometry=leg.geometry, source=Source.OSRM)
                for leg in path.legs
            )
        )


async def put_on_route(city, order, courier_id, state="accepted", version=1):
    """The order is the courier's, with both stops to be made."""
    await city.pool.execute(
        "UPDATE orders SET courier_id = $2, state = $3, assigned_at = now(), accepted_at = now() WHERE id = $1",
        order.id,
        courier_id,
        state,
    )
    stops = [{"order_id": str(order.id), "kind": kind} for kind in ("pickup", "dropoff")]
    await city.pool.execute(
        "INSERT INTO routes (courier_id, region, version, stops) VALUES ($1, 'default', $2, $3::jsonb)",
        courier_id,
        version,
        to_json(stops),
    )


async def report(city, courier_id, at, *, age_s=0.0):
    """The courier's phone sends a fix."""
    reading = Reading(fixed_at=datetime.now(UTC) - timedelta(seconds=age_s), lat=at.lat, lon=at.lon, accuracy_m=5.0)
    ingest = Ingest(city.redis)
    await ingest.accept(Upload(region=REGION, readings=(reading,), senders=[Sender(courier_id, REGION, 3)]))
    await ingest.close()


def keeper_of(city, **more):
    async def regions():
        return [REGION]

    return EtaKeeper(
        city.pool,
        city.redis,
        Engine(),
        Forecaster(Knowledge()),
        regions,
        **({"engine_expected": True, "params": FAST} | more),
    )


@asynccontextmanager
async def keeping(city, **more):
    stop = asyncio.Event()
    task = asyncio.create_task(keeper_of(city, **more).run(stop))
    try:
        yield
    finally:
        stop.set()
        async with asyncio.timeout(PATIENCE_S):
            await task


def arrivals_of(city):
    return Arrivals(city.pool, EtaBook(city.redis), LivePositions(city.redis), Forecaster(Knowledge()))


@pytest.fixture
async def ride(city):
    """An order on the route of a courier who is 1.5 km from the restaurant: (order, courier id)."""
    courier_id = await city.hire()
    order = await city.place()
    await put_on_route(city, order, courier_id)
    # long enough ago that the next fix is no jump
    await report(city, courier_id, AFAR, age_s=100.0)
    return order, courier_id


AFAR = LatLon(RESTAURANT.lat, RESTAURANT.lon + 0.018)
NEARER = LatLon(RESTAURANT.lat, RESTAURANT.lon + 0.012)


async def test_a_route_gets_arrivals_and_every_fix_renews_them(city, ride):
    _, courier_id = ride
    book = EtaBook(city.redis)
    # Nothing but the fix can renew them in time.
    async with keeping(city, params=replace(FAST, tell_every_s=60.0, reload_every_s=60.0)):
        first = await until(lambda: book.of_courier(REGION, courier_id))
        assert [eta.stop.kind for eta in first.etas] == [StopKind.PICKUP, StopKind.DROPOFF]
        await until(lambda: _source(book, courier_id, "osrm"))
        before = await book.of_courier(REGION, courier_id)
        await report(city, courier_id, NEARER)
        after = await until(lambda: _newer(book, courier_id, before.computed_at))
    assert after.etas[0].p50 < first.etas[1].p50
    assert after.etas[0].p50 < after.etas[1].p50


async def _source(book, courier_id, source):
    told = await book.of_courier(REGION, courier_id)
    return told is not None and told.etas[0].source == source


async def _newer(book, courier_id, than):
    told = await book.of_courier(REGION, courier_id)
    return told if told is not None and told.computed_at > than else None


async def test_alerts_read_the_p90_of_what_is_kept_up_to_date(city, ride):
    order, courier_id = ride
    book = EtaBook(city.redis)
    told = await arrivals_of(city).of_route(REGION, courier_id)
    now = datetime.now(UTC).timestamp()
    await book.put(LEASE, {courier_id: (1, now, told.etas)})
    found = await book.p90(REGION)
    assert found[order.id, StopKind.DROPOFF].timestamp() == pytest.approx(told.etas[1].p90)
    await book.put(LEASE, {courier_id: (1, now - 600, told.etas)})
    assert await book.p90(REGION) == {}
    guessed = [replace(eta, warnings=(Note.NO_POSITION,)) for eta in told.etas]
    await book.put(LEASE, {courier_id: (1, now, guessed)})
    assert await book.p90(REGION) == {}, "nobody knows where the courier is, so nobody knows of being late"


async def test_a_changed_route_is_told_at_once_and_a_finished_one_is_forgotten(city, ride):
    order, courier_id = ride
    book = EtaBook(city.redis)
    async with keeping(city):
        await until(lambda: book.of_courier(REGION, courier_id))
        await city.pool.execute("UPDATE orders SET state = 'picked_up', picked_up_at = now() WHERE id = $1", order.id)
        stops = [{"order_id": str(order.id), "kind": "dropoff"}]
        await city.pool.execute(
            "UPDATE routes SET stops = $2::jsonb, version = 2 WHERE courier_id = $1", courier_id, to_json(stops)
        )
        await events.publish(city.redis, REGION, "route.changed", {"courier_id": str(courier_id), "version": 2})

        async def one_stop():
            told = await book.of_courier(REGION, courier_id)
            return told is not None and len(told.etas) == 1 and told.route_version == 2

        await until(one_stop)
        await city.pool.execute("DELETE FROM routes")
        await events.publish(city.redis, REGION, "route.changed", {"courier_id": str(courier_id), "version": 3})

        async def forgotten():
            return await book.of_courier(REGION, courier_id) is None

        await until(forgotten)


async def test_another_keeper_takes_over_and_goes_on_from_what_was_told_and_what_was_is_kept(city, ride):
    order, courier_id = ride
    book = EtaBook(city.redis)
    async with keeping(city):
        await until(lambda: _source(book, courier_id, "osrm"))
    before = await book.of_courier(REGION, courier_id)
    async with keeping(city):
        after = await until(lambda: _newer(book, courier_id, before.computed_at))
    assert abs(after.etas[0].p50 - before.etas[0].p50) < 30
    words = await city.pool.fetch(queries["told_arrivals.list"], order.id)
    told = (await book.of_courier(REGION, courier_id)).etas[1]
    assert words[0]["because"] is None
    assert abs(words[-1]["p50"].timestamp() - told.p50) <= MOVED_S


async def test_other_systems_hear_the_first_arrival_and_what_moved_by_minutes_whoever_keeps_it(city, ride):
    order, courier_id = ride

    async def told(n):
        rows = await city.pool.fetch(
            "SELECT subject, courier_id, data ->> 'stop' AS stop, (data ->> 'p50')::float AS p50,"
            " (data ->> 'before')::float AS before FROM outbox WHERE type = 'postrider.eta.changed' ORDER BY n"
        )
        return rows if len(rows) >= n else None

    async with keeping(city):
        rows = await until(lambda: told(2))
    assert [(row["subject"], row["courier_id"], row["before"]) for row in rows] == 2 * [(order.id, courier_id, None)]
    assert {row["stop"] for row in rows} == {"pickup", "dropoff"}
    await city.pool.execute(
        "UPDATE outbox SET at = at - interval '1 hour', data = data || jsonb_build_object('p50', 1.0)"
        " WHERE type = 'postrider.eta.changed' AND data ->> 'stop' = 'dropoff'"
    )
    async with keeping(city):
        rows = await until(lambda: told(3))
    assert [(row["stop"], row["before"]) for row in rows[2:]] == [("dropoff", 1.0)]


async def test_two_keepers_share_the_regions_and_one_is_enough(city, ride):
    _, courier_id = ride
    book = EtaBook(city.redis)
    async with keeping(city), keeping(city):
        told = await until(lambda: book.of_courier(REGION, courier_id))
        assert await until(lambda: _newer(book, courier_id, told.computed_at))
        assert (
            await city.pool.fetchval("SELECT count(*) FROM leases WHERE job = 'arrivals' AND expires_at > now()") == 1
        )


async def test_a_database_away_for_a_moment_does_not_end_it(city, ride, monkeypatch):
    _, courier_id = ride
    book = EtaBook(city.redis)
    keeper = keeper_of(city)
    real, calls = keeper._pool.fetch, []

    async def flaky(*arguments, **more):
        calls.append(1)
        if len(calls) <= 2:
            raise OSError("away")
        return await real(*arguments, **more)

    class Pool:
        fetch = staticmethod(flaky)

    monkeypatch.setattr(keeper, "_pool", Pool())
    stop = asyncio.Event()
    task = asyncio.create_task(keeper.run(stop))
    assert await until(lambda: book.of_courier(REGION, courier_id))
    stop.set()
    await task


async def test_without_a_keeper_arrivals_are_computed_on_the_spot(city, ride):
    order, courier_id = ride
    found = await arrivals_of(city).of_order(order.id)
    assert found.pickup.p50 < found.dropoff.p50
    assert found.dropoff.source == "default"
    told = await arrivals_of(city).of_route(REGION, courier_id)
    assert len(told.etas) == 2


async def test_an_old_entry_of_the_book_is_not_used(city, ride):
    order, courier_id = ride
    stale = datetime.now(UTC).timestamp() - 600
    computed = await arrivals_of(city).of_route(REGION, courier_id)
    await EtaBook(city.redis).put(LEASE, {courier_id: (1, stale, computed.etas)})
    assert (await arrivals_of(city).of_order(order.id)).dropoff.computed_at > stale + 500


async def test_with_a_stale_book_an_answer_goes_on_from_it_and_says_that_nobody_keeps_it(city, ride):
    order, courier_id = ride
    now = datetime.now(UTC).timestamp()
    computed = (await arrivals_of(city).of_route(REGION, courier_id)).etas
    early = [replace(eta, p10=now + 30, p50=now + 60, p90=now + 90, warnings=()) for eta in computed]
    await EtaBook(city.redis).put(replace(LEASE, token=0), {courier_id: (1, now - 600, early)})
    found = await arrivals_of(city).of_order(order.id)
    assert found.dropoff.p50 > now + 60
    assert {found.pickup.later_by, found.dropoff.later_by} <= set(CAUSES)
    assert all(Note.NOT_FOLLOWED in eta.warnings for eta in (found.pickup, found.dropoff))
    # Who keeps it again says for a while that nobody did.
    async with keeping(city):
        told = await until(lambda: _newer(EtaBook(city.redis), courier_id, now))
    assert all(Note.NOT_FOLLOWED in eta.warnings for eta in told.etas)


@pytest.fixture
async def far_away(city):
    """Another courier, ten kilometres from the restaurant."""
    courier_id = await city.hire()
    await report(city, courier_id, LatLon(RESTAURANT.lat, RESTAURANT.lon + 0.12), age_s=10.0)
    return courier_id


async def hand_over(city, order, courier_id):
    """The order goes to another courier, without anybody being told."""
    await city.pool.execute("DELETE FROM routes")
    await put_on_route(city, order, courier_id, version=5)


async def test_an_order_that_changes_hands_is_later_with_the_cause(city, ride, far_away):
    order, courier_id = ride
    book = EtaBook(city.redis)
    async with keeping(city):
        before = await until(lambda: book.of_courier(REGION, courier_id))
        await hand_over(city, order, far_away)
        for changed in (courier_id, far_away):
            await events.publish(city.redis, REGION, "route.changed", {"courier_id": str(changed), "version": 5})
        after = await until(lambda: book.of_courier(REGION, far_away))
    for old, new in zip(before.etas, after.etas, strict=True):
        assert new.p50 > old.p50 + 300
        assert Note.ROUTE_CHANGED in new.warnings


async def test_an_order_that_changes_hands_while_nobody_keeps_arrivals_is_later_with_the_cause(city, ride, far_away):
    order, courier_id = ride
    book = EtaBook(city.redis)
    async with keeping(city):
        before = await until(lambda: book.of_courier(REGION, courier_id))
    await hand_over(city, order, far_away)
    asked = await arrivals_of(city).of_order(order.id)
    assert asked.dropoff.p50 > before.etas[1].p50 + 300
    assert asked.dropoff.later_by is Note.ROUTE_CHANGED
    async with keeping(city):
        after = await until(lambda: book.of_courier(REGION, far_away))
    assert Note.ROUTE_CHANGED in after.etas[1].warnings


async def test_an_order_that_nobody_has_for_a_while_is_later_with_the_cause(city, ride, far_away):
    order, courier_id = ride
    book = EtaBook(city.redis)
    async with keeping(city):
        before = await until(lambda: book.of_courier(REGION, courier_id))
        await city.pool.execute("DELETE FROM routes")
        await city.pool.execute(
            "UPDATE orders SET state = 'placed', courier_id = NULL, assigned_at = NULL, accepted_at = NULL"
        )
        await events.publish(city.redis, REGION, "route.changed", {"courier_id": str(courier_id), "version": 5})
        await until(lambda: book.promise(REGION, order.id))
    async with keeping(city):
        await put_on_route(city, order, far_away, version=6)
        await events.publish(city.redis, REGION, "route.changed", {"courier_id": str(far_away), "version": 6})
        after = await until(lambda: book.of_courier(REGION, far_away))
        assert after.etas[1].p50 > before.etas[1].p50 + 300
        assert Note.ROUTE_CHANGED in after.etas[1].warnings

        async def is_taken_out():
            return not await book.promises(REGION)

        await until(is_taken_out)


async def test_of_an_order_that_is_closed_nothing_is_kept(city, ride):
    order, courier_id = ride
    book = EtaBook(city.redis)
    async with keeping(city):
        await until(lambda: book.of_courier(REGION, courier_id))
        await city.pool.execute("DELETE FROM routes")
        await city.pool.execute("UPDATE orders SET state = 'cancelled', closed_at = now()")
        await events.publish(city.redis, REGION, "route.changed", {"courier_id": str(courier_id), "version": 5})

        async def forgotten():
            return await book.of_courier(REGION, courier_id) is None

        await until(forgotten)
    assert await book.promise(REGION, order.id) == ()


async def test_an_entry_nobody_understands_is_not_used(city, ride):
    order, courier_id = ride
    await city.redis.hset(key(REGION), courier_id.bytes, b"rubbish")
    assert (await arrivals_of(city).of_order(order.id)).dropoff is not None


async def test_orders_without_an_arrival_say_why(city, ride):
    order, _ = ride
    arrivals = arrivals_of(city)
    waiting = await city.place()
    assert (await arrivals.of_order(waiting.id)).dropoff is None
    with pytest.raises(OrderNotFound):
        await arrivals.of_order(uuid4())
    await city.pool.execute(
        "UPDATE orders SET state = 'delivered', picked_up_at = now(), delivered_at = now(), closed_at = now()"
        " WHERE id = $1",
        order.id,
    )
    delivered = (await arrivals.of_order(order.id)).dropoff
    assert (delivered.source, delivered.confidence) == (RECORDED, 1.0)
    await city.pool.execute("UPDATE orders SET state = 'cancelled', closed_at = now() WHERE id = $1", waiting.id)
    with pytest.raises(OrderNotOpen):
        await arrivals.of_order(waiting.id)


async def test_an_order_only_intended_for_a_courier_has_an_arrival_that_says_so(city):
    courier_id = await city.hire()
    order = await city.place()
    stops = [{"order_id": str(order.id), "kind": kind} for kind in ("pickup", "dropoff")]
    await city.pool.execute(
        "INSERT INTO routes (courier_id, region, stops) VALUES ($1, 'default', $2::jsonb)", courier_id, to_json(stops)
    )
    await report(city, courier_id, HOME)
    dropoff = (await arrivals_of(city).of_order(order.id)).dropoff
    assert Note.NOT_ASSIGNED in dropoff.warnings


async def test_a_promise_at_risk_is_told(city, ride):
    order, _ = ride
    await city.pool.execute("UPDATE orders SET dropoff_due_at = now() + interval '1 minute' WHERE id = $1", order.id)
    dropoff = (await arrivals_of(city).of_order(order.id)).dropoff
    assert Note.WINDOW_MISSED in dropoff.warnings


async def test_arrivals_that_cannot_be_read_are_absent_and_keep_nobody_else_from_theirs(city, ride):
    _, courier_id = ride
    book = EtaBook(city.redis)
    async with keeping(city):
        await until(lambda: book.of_courier(REGION, courier_id))
    told = await book.of_courier(REGION, courier_id)
    broken = uuid4()
    endless = pack(1, told.computed_at, [replace(told.etas[0], p90=float("inf"))])
    await city.redis.hset(key(REGION), mapping={broken.bytes: b"\xc1", uuid4().bytes: endless, b"no id": b"x"})
    assert await book.of_courier(REGION, broken) is None
    assert list(await book.of_region(REGION)) == [courier_id]
    assert await book.p90(REGION)
    async with keeping(city):
        await until(lambda: _newer(book, courier_id, told.computed_at))


async def test_a_route_that_cannot_be_read_has_no_arrivals_and_fails_nobodys_question(city, ride):
    order, courier_id = ride
    stop = {"order_id": str(order.id), "kind": "pickup", "arrives_at": "soon"}
    await city.pool.execute("UPDATE routes SET stops = $1::jsonb", to_json([stop]))
    answers = arrivals_of(city)
    assert (await answers.of_route(REGION, courier_id)).etas == ()
    found = await answers.of_order(order.id)
    assert (found.pickup, found.dropoff) == (None, None)


async def test_entries_of_the_log_that_cannot_be_read_do_not_end_the_keeping(city, ride):
    _, courier_id = ride
    book = EtaBook(city.redis)
    async with keeping(city, params=replace(FAST, tell_every_s=60.0, reload_every_s=60.0)):
        before = await until(lambda: book.of_courier(REGION, courier_id))
        await city.redis.xadd(RegionKeys(REGION).log, {"fixes": b"of another release", "moved": b"odd"})
        await city.redis.xadd(events.key(REGION), {"e": b"of another release"})
        await report(city, courier_id, NEARER)
        await until(lambda: _newer(book, courier_id, before.computed_at))


async def test_what_a_keeper_without_the_lease_tells_is_refused(city, ride):
    _, courier_id = ride
    book = EtaBook(city.redis)
    async with keeping(city):
        told = await until(lambda: book.of_courier(REGION, courier_id))
    await book.put(LEASE, {courier_id: (7, told.computed_at, told.etas)})
    with pytest.raises(LeaseLost):
        await book.put(replace(LEASE, token=99), {courier_id: (8, told.computed_at, told.etas)})
    with pytest.raises(LeaseLost):
        await book.put(replace(LEASE, token=99), {}, [courier_id])
    assert (await book.of_courier(REGION, courier_id)).route_version == 7
