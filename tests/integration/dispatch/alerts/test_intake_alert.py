"""Our outage on a real database: told once, nobody judged, nothing taken away, and back to normal afterwards."""

from dispatch.orders.order import OrderState
from tests.integration.dispatch.alerts.test_observer import (
    REGION,
    STREET,
    Watch,
    alerts,
    carrying,
    told,
)
from tests.integration.dispatch.region.test_cycle import Seen, planning_of
from tracking import lease
from tracking.intake.pulse import BEAT
from tracking.lease import Lease


async def fleet_with_orders(city, watch, n):
    """Couriers with an accepted order each, heard of just now."""
    couriers = [await city.hire(f"Ana {i}") for i in range(n)]
    orders = [await carrying(city, courier_id) for courier_id in couriers]
    for courier_id in couriers:
        await watch.drive(courier_id, STREET, 5)
    return couriers, orders


async def outage(watch, minutes):
    for _ in range(minutes * 6):
        await watch.wait(10)


async def plan(city):
    held = await lease.take(city.pool, "dispatch", REGION, "test", ttl_s=60)
    await planning_of(city, Seen(), ask_again_after_s=0).at_once(held)


async def test_after_our_outage_everybody_has_their_orders_and_no_courier_was_blamed(city):
    watch = Watch(city)
    couriers, orders = await fleet_with_orders(city, watch, 6)
    await outage(watch, 8)
    assert await alerts(city) == [("intake_silent", None)]
    await plan(city)
    # Back: one by one, the last of them after minutes.
    for courier_id in couriers[:4]:
        await watch.drive(courier_id, STREET, 30, step=0.001)
    assert await alerts(city) == [("intake_silent", None)], "a time of grace"
    await plan(city)
    places = dict.fromkeys(couriers, STREET)
    for _ in range(12):
        for courier_id in couriers:
            places[courier_id] = await watch.drive(courier_id, places[courier_id], 5, step=0.001)
    assert await alerts(city) == []
    assert await told(city) == [("alert.raised", "intake_silent"), ("alert.resolved", "intake_silent")]
    assert {(await city.order(order.id)).state for order in orders} == {OrderState.ACCEPTED}


async def test_a_restarted_watcher_goes_on_with_the_outage(city):
    watch = Watch(city)
    couriers, _ = await fleet_with_orders(city, watch, 4)
    await outage(watch, 3)
    watch.vigilance.forget(Lease(job="watch", region=REGION, token=0))
    await watch.drive(couriers[0], STREET, 10, step=0.001)
    await outage(watch, 3)
    assert await alerts(city) == [("intake_silent", None)]


async def test_what_was_raised_just_before_the_outage_takes_nothing_away_during_it(city):
    watch = Watch(city)
    couriers, orders = await fleet_with_orders(city, watch, 4)
    await city.pool.execute(
        "INSERT INTO alerts (region, courier_id, kind, raised_at) VALUES ($1, $2, 'silent', now() - interval '1 h')",
        REGION,
        couriers[0],
    )
    await outage(watch, 2)
    await plan(city)
    assert (await city.order(orders[0].id)).state is OrderState.ACCEPTED


async def test_a_lone_courier_is_not_silent_while_the_api_is_away(city):
    watch = Watch(city)
    await city.redis.set(BEAT, int(watch.now.timestamp() * 1000))
    await fleet_with_orders(city, watch, 1)
    await outage(watch, 4)
    assert await alerts(city) == [("intake_silent", None)]


async def test_one_of_many_is_silent_as_ever(city):
    watch = Watch(city)
    couriers, _ = await fleet_with_orders(city, watch, 4)
    places = dict.fromkeys(couriers[1:], STREET)
    for _ in range(10):
        for courier_id in couriers[1:]:
            places[courier_id] = await watch.drive(courier_id, places[courier_id], 5, step=0.001)
    assert await alerts(city) == [("silent", couriers[0])]
