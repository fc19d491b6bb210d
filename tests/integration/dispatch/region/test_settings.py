"""A region's settings are in force with the next cycle and the next tick; what cannot be read leaves those in force."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dispatch import regions
from dispatch.alerts.facts import AlertParams
from dispatch.alerts.region_facts import FactsOfRegion
from dispatch.orders import handover
from dispatch.region.loop import Dispatcher, LoopParams
from tests.integration.dispatch.conftest import RESTAURANT
from tests.integration.dispatch.region.test_cycle import REGION, Live, Seen, hire, planning_of
from tests.waiting import PATIENCE_S
from tracking import events, lease
from tracking.position import Fix, Position

FAR = replace(RESTAURANT, lat=RESTAURANT.lat + 0.02)
"""2.2 km from the restaurant."""


@pytest.fixture
def seen():
    return Seen()


@pytest.fixture
def planning(city, seen):
    return planning_of(city, seen)


@pytest.fixture
async def held(city):
    return await lease.take(city.pool, "dispatch", REGION, "test", ttl_s=60)


async def put(city, **settings):
    async with city.pool.acquire() as connection, connection.transaction():
        before = await regions.lock(connection, REGION)
        facts = replace(before.facts, settings=settings)
        await regions.change(connection, REGION, facts, version=before.version)


async def reasons(city, order):
    text = await city.pool.fetchval("SELECT reasons FROM decisions WHERE order_id = $1", order.id)
    return set(json.loads(text))


async def test_courier_may_think_as_long_as_the_region_says(city, seen, planning, held):
    await hire(city, seen)
    await put(city, offers={"offer_for_s": 300})
    await city.place()
    (offer,) = (await planning.at_once(held)).committed.offers
    assert (offer.expires_at - offer.offered_at).total_seconds() == 300


async def test_radius_keeps_a_courier_from_a_pickup_until_it_is_given_back(city, seen, planning, held):
    await hire(city, seen, at=FAR)
    await put(city, dispatch={"radius_m": 1000})
    order = await city.place()
    await planning.at_once(held)
    assert await reasons(city, order) == {"range"}
    await put(city)
    await planning.at_once(held)
    assert await city.open_offer(order.id) is not None


async def test_position_is_fresh_for_as_long_as_the_region_says(city, seen, planning, held, monkeypatch):
    ana = await hire(city, seen)
    now = datetime.now(UTC)
    aged = Live(Position(courier_id=ana, fix=Fix(at=RESTAURANT, fixed_at=now - timedelta(minutes=10)), received_at=now))

    async def all_of(_):
        return {ana: aged}

    monkeypatch.setattr(seen, "all", all_of)
    order = await city.place()
    await planning.at_once(held)
    assert await reasons(city, order) == {"no_fresh_position"}
    await put(city, dispatch={"fresh_within_s": 3600})
    await planning.at_once(held)
    assert await city.open_offer(order.id) is not None


async def test_phone_that_pauses_at_rest_gets_orders_while_it_is_heard_of(city, seen, planning, held, monkeypatch):
    ana = await hire(city, seen)
    now = datetime.now(UTC)
    fix = Fix(at=RESTAURANT, fixed_at=now - timedelta(minutes=10), speed_mps=0.2)
    resting = Live(Position(courier_id=ana, fix=fix, received_at=fix.fixed_at))

    async def all_of(_):
        return {ana: resting}

    monkeypatch.setattr(seen, "all", all_of)
    order = await city.place()
    await planning.at_once(held)
    assert await reasons(city, order) == {"no_fresh_position"}
    resting.contact_at = now
    await planning.at_once(held)
    assert await city.open_offer(order.id) is not None


async def let_expire(city, planning, held):
    """The order is offered, and the time to answer passes."""
    order = await city.place()
    await planning.at_once(held)
    assert await city.open_offer(order.id) is not None
    await city.pool.execute("UPDATE offers SET expires_at = now() WHERE state = 'open'")
    async with city.desk() as desk:
        await handover.expire_overdue(desk, REGION)
        await desk.cancel(order.id, reason="test")


async def test_courier_who_lets_offers_run_out_is_paused_and_comes_back(city, seen, planning, held):
    await hire(city, seen)
    await put(city, offers={"pause_after_expired": 2, "pause_s": 60})
    for _ in range(2):
        await let_expire(city, planning, held)
    order = await city.place()
    await planning.at_once(held)
    assert await reasons(city, order) == {"paused"}
    await city.pool.execute("UPDATE offers SET answered_at = answered_at - interval '61 s' WHERE state = 'expired'")
    await planning.at_once(held)
    assert await city.open_offer(order.id) is not None


async def test_courier_who_answers_between_is_not_paused(city, seen, planning, held):
    ana = await hire(city, seen)
    await put(city, offers={"pause_after_expired": 2})
    await let_expire(city, planning, held)
    refused = await city.place()
    await planning.at_once(held)
    async with city.desk() as desk:
        await handover.reject(desk, await city.open_offer(refused.id), ana, reason=None)
        await desk.cancel(refused.id, reason="test")
    await let_expire(city, planning, held)
    order = await city.place()
    await planning.at_once(held)
    assert await city.open_offer(order.id) is not None


async def test_alerts_are_judged_by_the_region_s_thresholds_from_the_next_look_on(city):
    facts, now = FactsOfRegion(city.pool), datetime.now(UTC)
    assert (await facts.load(REGION, now)).params == AlertParams()
    await put(city, alerts={"stuck_after_s": 900})
    assert (await facts.load(REGION, now)).params == AlertParams(stuck_after_s=900)


async def test_settings_that_cannot_be_read_are_told_and_mended_by_the_next_change(city, seen, planning, held):
    await hire(city, seen)
    await city.pool.execute('UPDATE regions SET settings = \'{"offers": {"offer_for_s": "long"}}\'')
    await city.place()
    await planning.at_once(held)
    (offer,) = await city.pool.fetch("SELECT expires_at - offered_at AS term FROM offers")
    assert offer["term"] == timedelta(seconds=planning.params.offer_for_s)
    await planning.at_once(held)
    told = "SELECT facts ->> 'cause' FROM alerts WHERE kind = 'set_aside' AND resolved_at IS NULL"
    assert "read settings.offers" in await city.pool.fetchval(told)
    await put(city, offers={"offer_for_s": 30})
    await planning.at_once(held)
    assert await city.pool.fetchval(told) is None


async def test_running_dispatcher_is_woken_by_a_change(city, seen, planning):
    await hire(city, seen, at=FAR)
    await put(city, dispatch={"radius_m": 1000})
    order = await city.place()
    stop = asyncio.Event()
    never = LoopParams(tick_s=3600, lease_s=60.0)
    running = asyncio.create_task(
        Dispatcher(pool=city.pool, redis=city.redis, planning=planning, params=never).run(stop)
    )
    async with asyncio.timeout(PATIENCE_S):
        while await city.pool.fetchval("SELECT count(*) FROM decisions") == 0:
            await asyncio.sleep(0.05)
        await put(city, dispatch={"radius_m": 5000})
        await events.tell(city.redis, [(REGION, "region.changed", {"version": 2})])
        while await city.open_offer(order.id) is None:
            await asyncio.sleep(0.05)
    stop.set()
    await running
