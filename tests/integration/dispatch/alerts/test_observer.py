"""Alerts on a real database: raised once, resolved by themselves, heard by the dispatcher."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dispatch.alerts.facts import AlertParams
from dispatch.alerts.observer import Vigilance
from dispatch.alerts.region_facts import FactsOfRegion
from dispatch.orders import handover
from dispatch.orders.order import OrderState, OrderStop, Window
from dispatch.stop import StopKind
from tests.integration.dispatch.conftest import HOME, RESTAURANT
from tests.integration.dispatch.region.test_cycle import Seen, hire, planning_of
from tracking import events, lease
from tracking.batch import PositionColumns
from tracking.errors import LeaseLost
from tracking.history.history import History
from tracking.position import Fix, Mode, Position

REGION = "default"
STREET = replace(RESTAURANT, lat=RESTAURANT.lat + 0.004)
"""450 m from the restaurant: no stop."""


class Watch:
    """A vigilance with a clock of the test's own."""

    def __init__(self, city):
        self.city = city
        self.now = datetime.now(UTC)
        self.lease = None
        self.vigilance = Vigilance(pool=city.pool, redis=city.redis, facts=FactsOfRegion(city.pool))

    async def lead(self):
        """The region's lease, taken when it is first needed."""
        if self.lease is None:
            self.lease = await lease.take(self.city.pool, "watch", REGION, "test", ttl_s=600)
        return self.lease

    async def drive(self, courier_id, place, seconds, *, step=0.0, store=False):
        """A fix every 5 s for so long, each `step` degrees north of the one before; a tick after each."""
        for _ in range(0, seconds, 5):
            self.now += timedelta(seconds=5)
            columns = fixes_of(courier_id, place, self.now)
            if store:
                await History(self.city.pool).insert_many(columns)
            await self.vigilance.saw(await self.lead(), columns)
            await self.vigilance.tick(await self.lead(), self.now)
            place = replace(place, lat=place.lat + step)
        return place

    async def wait(self, seconds):
        self.now += timedelta(seconds=seconds)
        await self.vigilance.tick(await self.lead(), self.now)


def fixes_of(courier_id, place, now):
    fix = Fix(at=place, fixed_at=now, accuracy_m=5.0, battery_pct=80.0)
    return PositionColumns.from_positions([Position(courier_id=courier_id, fix=fix, received_at=now)], Mode.BICYCLE)


@pytest.fixture
def watch(city):
    return Watch(city)


@pytest.fixture
async def ana(city):
    return await city.hire("Ana")


async def carrying(city, courier_id, **changes):
    """An order that the courier has accepted."""
    order = await city.place(**changes)
    async with city.desk() as desk:
        await handover.assign(desk, order.id, courier_id, pinned=False, expires_in=timedelta(minutes=5))
    offer_id = await city.open_offer(order.id)
    async with city.desk() as desk:
        await handover.accept(desk, offer_id, courier_id)
    return order


async def alerts(city, *, is_open=True):
    rows = await city.pool.fetch(
        "SELECT * FROM alerts WHERE (resolved_at IS NULL) = $1 ORDER BY raised_at, kind", is_open
    )
    return [(row["kind"], row["courier_id"]) for row in rows]


async def told(city):
    found = await events.read(city.redis, REGION, after="0-0")
    return [(e.type, e.facts["kind"]) for e in found if e.type.startswith("alert.")]


async def test_a_courier_who_stands_in_the_street_is_stuck_until_moving(city, watch, ana):
    await carrying(city, ana)
    await watch.drive(ana, STREET, 280)
    assert await alerts(city) == []
    await watch.drive(ana, STREET, 40)
    assert await alerts(city) == [("stuck", ana)]
    await watch.drive(ana, STREET, 60, step=0.001)
    assert await alerts(city) == []
    assert await told(city) == [("alert.raised", "stuck"), ("alert.resolved", "stuck")]
    facts = await city.pool.fetchval("SELECT facts ->> 'still_s' FROM alerts")
    assert int(facts) >= 300


async def test_standing_at_a_stop_is_no_standing_in_the_street_once_the_stop_is_made(city, watch, ana):
    order = await carrying(city, ana)
    await watch.drive(ana, RESTAURANT, 400)
    async with city.desk() as desk:
        await desk.pick_up(await desk.lock_order(order.id))
    await city.pool.execute("UPDATE orders SET picked_up_at = $1 WHERE id = $2", watch.now, order.id)
    await watch.drive(ana, RESTAURANT, 280)
    assert await alerts(city) == [], "400 s of it were at the kitchen"
    await watch.drive(ana, RESTAURANT, 40)
    assert await alerts(city) == [("stuck", ana)]


async def test_who_turned_back_at_a_door_stands_in_the_street_from_then_on(city, watch, ana):
    order = await carrying(city, ana)
    async with city.desk() as desk:
        await desk.pick_up(await desk.lock_order(order.id))
    await watch.drive(ana, HOME, 400)
    async with city.desk() as desk:
        await desk.fail(await desk.lock_order(order.id), reason="nobody opened")
    assert (await city.order(order.id)).state is OrderState.RETURNING
    await city.pool.execute("UPDATE order_events SET at = $1 WHERE to_state = 'returning'", watch.now)
    await watch.drive(ana, HOME, 280)
    assert await alerts(city) == []
    await watch.drive(ana, HOME, 40)
    assert await alerts(city) == [("stuck", ana)]


async def test_a_restarted_watcher_goes_on_from_history_and_the_open_alerts(city, watch, ana):
    await carrying(city, ana)
    await watch.drive(ana, STREET, 200, store=True)
    watch.vigilance = Vigilance(pool=city.pool, redis=city.redis, facts=FactsOfRegion(city.pool))
    await watch.drive(ana, STREET, 130, store=True)
    assert await alerts(city) == [("stuck", ana)]
    watch.vigilance = Vigilance(pool=city.pool, redis=city.redis, facts=FactsOfRegion(city.pool))
    await watch.drive(ana, STREET, 10, store=True)
    assert await alerts(city) == [("stuck", ana)]
    assert await told(city) == [("alert.raised", "stuck")]
    watch.vigilance = Vigilance(pool=city.pool, redis=city.redis, facts=FactsOfRegion(city.pool))
    await watch.drive(ana, replace(STREET, lat=STREET.lat + 0.002), 30, step=0.001, store=True)
    assert await alerts(city) == []


async def test_two_watchers_at_once_raise_one_alert(city, watch, ana):
    await carrying(city, ana)
    other = Watch(city)
    other.now, other.lease = watch.now, await watch.lead()
    await watch.drive(ana, STREET, 295)
    await other.drive(ana, STREET, 295)
    await asyncio.gather(watch.drive(ana, STREET, 30), other.drive(ana, STREET, 30))
    assert await alerts(city) == [("stuck", ana)]
    assert await told(city) == [("alert.raised", "stuck")]


async def test_the_dispatcher_takes_the_orders_of_a_stuck_courier_away_and_returns_them_to_nobody_stuck(city, watch):
    seen = Seen()
    ana = await hire(city, seen, "Ana", STREET)
    order = await carrying(city, ana)
    on_board = await carrying(city, ana)
    async with city.desk() as desk:
        await desk.pick_up(await desk.lock_order(on_board.id))
    await watch.drive(ana, STREET, 320)
    assert ("stuck", ana) in await alerts(city)
    held = await lease.take(city.pool, "dispatch", REGION, "test", ttl_s=60)
    planning = planning_of(city, seen, ask_again_after_s=0)
    await planning.at_once(held)
    assert (await city.order(order.id)).state is OrderState.PLACED
    assert (await city.order(on_board.id)).state is OrderState.PICKED_UP
    await watch.drive(ana, STREET, 60)
    assert ("stuck", ana) in await alerts(city), "only moving ends it"
    await planning.at_once(held)
    assert (await city.order(order.id)).state is OrderState.PLACED, "nothing new for a stuck courier"
    seen.places[ana] = await watch.drive(ana, STREET, 60, step=0.001)
    assert ("stuck", ana) not in await alerts(city)
    await planning.at_once(held)
    planned_for = await city.pool.fetchval("SELECT courier_id FROM decisions WHERE order_id = $1", order.id)
    assert planned_for == ana, "the plan counts on the courier again"


async def test_silence_is_raised_by_the_clock_alone(city, watch, ana):
    await watch.drive(ana, STREET, 20)
    await watch.wait(110)
    assert await alerts(city) == []
    await watch.wait(15)
    assert await alerts(city) == [("silent", ana)]
    await watch.drive(ana, STREET, 5)
    assert await alerts(city) == []


async def test_an_order_late_is_one_alert_that_ends_with_the_delivery(city, watch, ana):
    due = watch.now + timedelta(seconds=30)
    order = await carrying(city, ana, dropoff=OrderStop(at=HOME, window=Window(due_at=due)))
    await watch.drive(ana, RESTAURANT, 60)
    rows = await city.pool.fetch("SELECT kind, order_id, expected FROM alerts")
    assert [(row["kind"], row["order_id"]) for row in rows] == [("late", order.id)]
    assert "promised_at" in rows[0]["expected"]
    async with city.desk() as desk:
        await desk.pick_up(await desk.lock_order(order.id))
        await desk.deliver(await desk.lock_order(order.id))
    await watch.drive(ana, RESTAURANT, 5)
    assert await alerts(city) == []


class Booked:
    """Estimates that say what the test wants."""

    def __init__(self):
        self.found = {}

    async def p90(self, _region):
        return self.found


async def test_a_p90_after_the_promise_is_a_risk_until_it_is_early_again(city, watch, ana):
    booked = Booked()
    watch.vigilance = Vigilance(pool=city.pool, redis=city.redis, facts=FactsOfRegion(city.pool, estimates=booked))
    due = watch.now + timedelta(minutes=20)
    order = await carrying(city, ana, dropoff=OrderStop(at=HOME, window=Window(due_at=due)))
    for p90, expected in ((-120, []), (30, ["late_risk"]), (-30, ["late_risk"]), (-90, [])):
        booked.found = {(order.id, StopKind.DROPOFF): due + timedelta(seconds=p90)}
        await watch.drive(ana, RESTAURANT, 5)
        assert [kind for kind, _ in await alerts(city)] == expected


async def test_thresholds_are_the_regions_own(city, watch, ana):
    await city.pool.execute(
        """UPDATE regions SET settings = '{"alerts": {"stuck_after_s": 60}}' WHERE id = 'default'"""
    )
    await carrying(city, ana)
    await watch.drive(ana, STREET, 80)
    assert await alerts(city) == [("stuck", ana)]


async def test_thresholds_that_make_no_sense_leave_the_defaults_and_are_told(city, watch, ana):
    await city.pool.execute(
        """UPDATE regions SET settings = '{"alerts": {"stuck_after_s": -1}}' WHERE id = 'default'"""
    )
    await carrying(city, ana)
    await watch.drive(ana, STREET, 80)
    assert await alerts(city) == [("set_aside", None)]


async def test_a_region_has_its_boundary(city, watch, ana):
    boundary = '{"boundary": {"type": "Point", "coordinates": [-8.61, 41.15], "radius_m": 3000}}'
    await city.pool.execute("UPDATE regions SET settings = $1::jsonb WHERE id = 'default'", boundary)
    await watch.drive(ana, replace(STREET, lat=41.25), 30)
    assert await alerts(city) == [("outside_region", ana)]


async def test_arrival_at_a_stop_is_kept_beside_what_was_pressed(city, watch, ana):
    order = await carrying(city, ana)
    await watch.drive(ana, replace(RESTAURANT, lat=RESTAURANT.lat - 0.004), 30, step=0.0006)
    await watch.drive(ana, RESTAURANT, 40)
    row = await city.pool.fetchrow("SELECT * FROM stop_visits")
    assert (row["order_id"], row["kind"], row["departed_at"]) == (order.id, "pickup", None)
    async with city.desk() as desk:
        await desk.pick_up(await desk.lock_order(order.id))
    await watch.drive(ana, replace(RESTAURANT, lat=RESTAURANT.lat + 0.002), 30, step=0.001)
    row = await city.pool.fetchrow("SELECT * FROM stop_visits")
    assert row["departed_at"] > row["arrived_at"]
    found = await events.read(city.redis, REGION, after="0-0")
    assert [e.type for e in found if e.type.startswith("stop.")] == ["stop.arrived", "stop.departed"]


async def test_one_without_the_lease_raises_nothing_and_notes_no_arrivals(city, watch, ana):
    await carrying(city, ana)
    await watch.drive(ana, STREET, 280)
    await watch.drive(ana, RESTAURANT, 5)
    await city.pool.execute("UPDATE leases SET token = token + 1, holder = 'another'")
    with pytest.raises(LeaseLost):
        await watch.drive(ana, RESTAURANT, 60)
    assert await city.pool.fetchval("SELECT count(*) FROM stop_visits") == 0
    watch.now += timedelta(hours=1)
    with pytest.raises(LeaseLost):
        await watch.wait(1)
    assert await alerts(city) == []


async def test_who_is_not_of_the_region_any_more_is_forgotten_and_found_again_in_history(city, watch, ana):
    ben = await city.hire("Ben")
    await watch.drive(ana, STREET, 10, store=True)
    await watch.drive(ben, STREET, 10, store=True)
    known = watch.vigilance._watched_by[REGION]
    await city.pool.execute("INSERT INTO regions (id, name) VALUES ('elsewhere', 'Elsewhere')")
    await city.pool.execute("UPDATE couriers SET region = 'elsewhere' WHERE id = $1", ana)
    await watch.wait(60)
    assert ana in known.vigils  # fixes of hers may be on their way
    await watch.wait(AlertParams().silent_at_most_s)
    assert set(known.vigils) == set(known.contact_us) == {ben}
    await city.pool.execute("UPDATE couriers SET region = $2 WHERE id = $1", ana, REGION)
    await watch.drive(ana, STREET, 5)
    assert known.vigils[ana].last is not None
