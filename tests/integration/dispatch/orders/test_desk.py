"""The life of an order in the database: legal steps, guarded against concurrent ones, each with its event."""

import asyncio
from datetime import timedelta

import pytest

from dispatch.errors import NotYours, OfferNotOpen, OrderNotOpen, VersionConflict
from dispatch.orders import handover
from dispatch.orders.order import OrderState
from dispatch.stop import PlannedStop, StopKind
from tests.integration.dispatch.conftest import NOON, STAFF, new_order
from tracking import events
from tracking.errors import CourierNotFound

MINUTE = timedelta(minutes=1)


async def assign(city, order, courier_id, **options):
    async with city.desk(now=options.pop("now", None)) as desk:
        return await handover.assign(desk, order.id, courier_id, expires_in=MINUTE, **options)


async def accepted(city, courier_id):
    order = await city.place()
    await assign(city, order, courier_id)
    async with city.desk() as desk:
        [order] = await handover.accept(desk, await city.open_offer(order.id), courier_id)
    return order


async def test_order_goes_from_placed_to_delivered_with_one_event_a_version(city):
    ana = await city.hire()
    order = await accepted(city, ana)
    async with city.desk() as desk:
        order = await desk.pick_up(await desk.lock_order(order.id))
    assert await city.stops(ana) == [(str(order.id), "dropoff")]
    async with city.desk() as desk:
        order = await desk.deliver(await desk.lock_order(order.id), proof={"code": "1234"})
    assert order.state is OrderState.DELIVERED
    assert order.proof == {"code": "1234"}
    assert await city.stops(ana) == []
    assert await city.actions(order.id) == ["place", "assign", "accept", "picked_up", "delivered"]
    assert order.version == 5


async def test_collecting_an_order_with_its_offer_open_accepts_it(city):
    ana = await city.hire()
    order = await city.place()
    await assign(city, order, ana)
    async with city.desk() as desk:
        picked_up = await desk.pick_up(await desk.lock_order(order.id))
    assert picked_up.accepted_at is not None
    assert await city.open_offer(order.id) is None
    assert (await city.actions(order.id))[-2:] == ["accept", "picked_up"]


async def test_illegal_step_is_refused_and_leaves_no_trace(city):
    order = await city.place()
    with pytest.raises(OrderNotOpen):
        async with city.desk() as desk:
            await desk.deliver(await desk.lock_order(order.id))
    assert (await city.order(order.id)).version == 1
    assert await city.actions(order.id) == ["place"]


async def test_order_in_another_version_than_seen_is_not_changed(city):
    order = await city.place()
    with pytest.raises(VersionConflict):
        async with city.desk() as desk:
            await desk.cancel(order.id, reason=None, version=order.version + 1)
    assert (await city.order(order.id)).state is OrderState.PLACED


async def test_of_cancel_and_deliver_at_once_exactly_one_happens(city):
    ana = await city.hire()
    for _ in range(5):
        order = await accepted(city, ana)
        async with city.desk() as desk:
            order = await desk.pick_up(await desk.lock_order(order.id))

        async def cancel(order=order):
            async with city.desk() as desk:
                return await desk.cancel(order.id, reason="late")

        async def deliver(order=order):
            async with city.desk() as desk:
                return await desk.deliver(await desk.lock_order(order.id))

        answers = await asyncio.gather(cancel(), deliver(), return_exceptions=True)
        done = [answer for answer in answers if not isinstance(answer, BaseException)]
        assert len(done) == 1
        assert all(isinstance(answer, OrderNotOpen) for answer in answers if isinstance(answer, BaseException))
        assert (await city.order(order.id)).state is done[0].state
        # Cancelled with the goods on board they come back; they leave the route before the next round.
        assert await city.stops(ana) == [(str(order.id), kind.value) for kind in done[0].open_stops]
        if done[0].state is OrderState.RETURNING:
            async with city.desk() as desk:
                await desk.take_back(await desk.lock_order(order.id))
        assert await city.stops(ana) == []


async def test_offer_of_another_courier_cannot_be_accepted(city):
    ana, rui = await city.hire("Ana"), await city.hire("Rui")
    order = await city.place()
    await assign(city, order, ana)
    offer_id = await city.open_offer(order.id)
    with pytest.raises(NotYours):
        async with city.desk() as desk:
            await handover.accept(desk, offer_id, rui)


async def test_two_phones_accepting_one_offer_accept_it_once(city):
    ana = await city.hire()
    order = await city.place()
    await assign(city, order, ana)
    offer_id = await city.open_offer(order.id)

    async def accept():
        async with city.desk() as desk:
            [order] = await handover.accept(desk, offer_id, ana)
        return order

    first, second = await asyncio.gather(accept(), accept())
    assert first.state is second.state is OrderState.ACCEPTED
    assert first.version == second.version == 3


async def test_accepting_after_the_order_went_to_somebody_else_is_refused(city):
    ana, rui = await city.hire("Ana"), await city.hire("Rui")
    order = await city.place()
    await assign(city, order, ana)
    offer_id = await city.open_offer(order.id)

    async def accept():
        async with city.desk() as desk:
            [order] = await handover.accept(desk, offer_id, ana)
        return order

    results = await asyncio.gather(accept(), assign(city, order, rui), return_exceptions=True)
    final = await city.order(order.id)
    # Whoever came first, the dispatcher's word is the last one, and Ana has nothing of the order in her route.
    assert not isinstance(results[1], BaseException)
    assert final.courier_id == rui
    assert await city.stops(ana) == []
    assert len(await city.stops(rui)) == 2
    assert not isinstance(results[0], BaseException) or isinstance(results[0], OfferNotOpen)


async def test_rejected_order_waits_for_another_courier(city):
    ana = await city.hire()
    order = await city.place()
    await assign(city, order, ana)
    async with city.desk() as desk:
        await handover.reject(desk, await city.open_offer(order.id), ana, reason="flat tyre")
    after = await city.order(order.id)
    assert (after.state, after.courier_id, after.pinned) == (OrderState.PLACED, None, False)
    assert await city.stops(ana) == []
    refused = await city.pool.fetchrow("SELECT state, reason FROM offers WHERE order_id = $1", order.id)
    assert tuple(refused) == ("rejected", "flat tyre")


async def test_offer_without_an_answer_expires(city):
    ana = await city.hire()
    order = await city.place()
    await assign(city, order, ana, now=NOON)
    offer_id = await city.open_offer(order.id)
    with pytest.raises(OfferNotOpen):
        async with city.desk(now=NOON + MINUTE) as desk:
            await handover.accept(desk, offer_id, ana)
    async with city.desk(now=NOON + MINUTE) as desk:
        expired = await handover.expire_overdue(desk, "default")
    assert expired == [order.id]
    assert (await city.order(order.id)).state is OrderState.PLACED


async def test_goods_on_board_cannot_change_couriers(city):
    ana, rui = await city.hire("Ana"), await city.hire("Rui")
    order = await accepted(city, ana)
    async with city.desk() as desk:
        await desk.pick_up(await desk.lock_order(order.id))
    with pytest.raises(OrderNotOpen):
        await assign(city, order, rui)
    with pytest.raises(OrderNotOpen):
        async with city.desk() as desk:
            await handover.unassign(desk, order.id, reason=None)


async def test_order_cannot_be_given_to_a_courier_who_does_not_exist(city):
    order = await city.place()
    with pytest.raises(CourierNotFound):
        await assign(city, order, order.id)


async def test_releasing_a_courier_keeps_what_is_on_board(city):
    ana = await city.hire()
    carried, waiting = await accepted(city, ana), await accepted(city, ana)
    async with city.desk() as desk:
        await desk.pick_up(await desk.lock_order(carried.id))
    async with city.desk() as desk:
        released = await handover.release(desk, {ana: "stuck"})
    assert released == [waiting.id]
    assert await city.stops(ana) == [(str(carried.id), "dropoff")]


async def test_route_is_reordered_by_hand_only_in_the_version_seen(city):
    ana = await city.hire()
    first, second = await accepted(city, ana), await accepted(city, ana)
    seen = await city.pool.fetchval("SELECT version FROM routes WHERE courier_id = $1", ana)
    wanted = [(second.id, "pickup"), (first.id, "pickup"), (first.id, "dropoff"), (second.id, "dropoff")]
    stops = [PlannedStop(order_id, StopKind(kind)) for order_id, kind in wanted]
    async with city.desk() as desk:
        assert await handover.reorder(desk, ana, stops, seen) == seen + 1
    assert await city.stops(ana) == [(str(order_id), kind) for order_id, kind in wanted]
    with pytest.raises(VersionConflict):
        async with city.desk() as desk:
            await handover.reorder(desk, ana, stops, seen)
    with pytest.raises(ValueError, match="before its drop-off"):
        async with city.desk() as desk:
            await handover.reorder(desk, ana, list(reversed(stops)), seen + 1)


async def test_events_are_published_only_after_the_commit(city):
    before = await events.last_id(city.redis, "default")

    async def place_and_fail():
        async with city.desk(STAFF) as desk:
            await desk.place(new_order())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await place_and_fail()
    assert await events.read(city.redis, "default", after=before) == []
    order = await city.place()
    told = await events.read(city.redis, "default", after=before)
    assert [(event.type, event.facts["order_id"]) for event in told] == [("order.placed", str(order.id))]


async def waits_for_a_lock(city):
    """Return when somebody waits for a row that somebody else holds."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    while not await city.pool.fetchval(waiting):
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("step", ["expire", "release"])
async def test_all_orders_are_held_before_any_route(city, step):
    """Else one who holds the second order and wants the route of the first would wait in a circle."""
    ana = await city.hire()
    orders = [await city.place() for _ in range(2)]
    for order in orders:
        await assign(city, order, ana, now=NOON)
    last = max(order.id for order in orders)

    async def put_back():
        async with city.desk(now=NOON + MINUTE) as desk:
            if step == "expire":
                return await handover.expire_overdue(desk, "default")
            return await handover.release(desk, {ana: "stuck"})

    async with city.pool.acquire() as other, other.transaction():
        await other.execute("SELECT FROM orders WHERE id = $1 FOR UPDATE", last)
        task = asyncio.create_task(put_back())
        await waits_for_a_lock(city)
        assert await other.fetchval("SELECT count(*) FROM (SELECT FROM routes FOR UPDATE NOWAIT) AS held") == 1
    assert sorted(await task) == sorted(order.id for order in orders)
    assert await city.stops(ana) == []
    assert [await city.actions(order.id) for order in orders] == [["place", "assign", step]] * 2


async def test_offer_answered_while_it_was_being_ended_stays_answered(city):
    ana = await city.hire()
    order = await city.place()
    await assign(city, order, ana, now=NOON)

    async def expire():
        async with city.desk(now=NOON + MINUTE) as desk:
            return await handover.expire_overdue(desk, "default")

    async with city.desk(now=NOON) as desk:
        await handover.accept(desk, await city.open_offer(order.id), ana)
        task = asyncio.create_task(expire())
        await waits_for_a_lock(city)
    assert await task == []
    assert (await city.order(order.id)).state is OrderState.ACCEPTED
