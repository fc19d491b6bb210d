"""Snapshot, proposal, commit and offers against real servers: nothing lost or doubled, whatever happens between."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import redis.asyncio as aioredis

from dispatch.orders import handover
from dispatch.orders.order import OrderState, OrderStop, Window
from dispatch.orders.rows import from_json
from dispatch.planning.propose import propose
from dispatch.region import commit, store
from dispatch.region.cycle import Planning
from dispatch.region.loop import Dispatcher, LoopParams
from dispatch.region.params import CycleParams
from dispatch.region.parts import MOST_COURIERS
from dispatch.region.search_process import SearchProcess
from dispatch.region.whereabouts import Locator
from dispatch.travel.chain import TravelChain
from dispatch.travel.great_circle import GreatCircle
from tests.integration.dispatch.conftest import HOME, RESTAURANT, City
from tests.waiting import until
from tracking import lease
from tracking.batch import PositionColumns
from tracking.errors import LeaseLost
from tracking.position import Fix, Position

REGION = "default"
SECONDS = 10.0


class Seen:
    """Where the couriers of a test stand; the real source is tracking.live."""

    def __init__(self):
        self.places = {}

    async def all(self, region):
        now = datetime.now(UTC)
        return {
            courier_id: Live(Position(courier_id=courier_id, fix=Fix(at=at, fixed_at=now), received_at=now))
            for courier_id, at in self.places.items()
        }

    async def all_columns(self, region):
        live = await self.all(region)
        columns = PositionColumns.from_positions(one.position for one in live.values())
        return columns, {id_.bytes: b"%d" % (1000 * one.contact_at.timestamp()) for id_, one in live.items()}


class Live:
    def __init__(self, position):
        self.position = position
        self.contact_at = position.received_at


@pytest.fixture
def seen():
    return Seen()


@pytest.fixture
def planning(city, seen):
    return planning_of(city, seen)


def planning_of(city, seen, planners=None, travel=None, **params):
    return Planning(
        pool=city.pool,
        redis=city.redis,
        travel=travel or TravelChain(great_circle=GreatCircle()),
        locator=Locator(seen),
        params=CycleParams(**params),
        planners=planners,
    )


@pytest.fixture
async def held(city):
    return await lease.take(city.pool, "dispatch", REGION, "test", ttl_s=60)


async def hire(city, seen, name="Ana", at=RESTAURANT, **columns):
    courier_id = await city.hire(name, **columns)
    seen.places[courier_id] = at
    return courier_id


async def prepared(city, planning):
    """A world and the plan for it, as they are just before the commit."""
    world = await store.load(city.pool, REGION)
    return world, propose(await planning.snapshot(world), planning.params.plan)


async def put(city, world, plan, held):
    return await commit.commit(city.pool, world, plan, held, offer_for_s=60, ask_again_after_s=120)


async def test_new_order_is_offered_to_the_courier_nearby(city, seen, planning, held):
    near = await hire(city, seen, "Ana", RESTAURANT)
    await hire(city, seen, "Rui", replace(HOME, lat=HOME.lat + 0.05))
    order = await city.place()
    cycle = await planning.at_once(held)
    assert [(offer.order_id, offer.courier_id) for offer in cycle.committed.offers] == [(order.id, near)]
    assert await city.stops(near) == [(str(order.id), "pickup"), (str(order.id), "dropoff")]
    assigned = await city.order(order.id)
    assert (assigned.state, assigned.courier_id) == (OrderState.ASSIGNED, near)


async def test_replanning_without_news_changes_nothing(city, seen, planning, held):
    await hire(city, seen)
    await city.place()
    await planning.at_once(held)
    again = await planning.at_once(held)
    assert (again.committed.offers, dict(again.committed.routes)) == ((), {})


async def test_rejected_order_goes_to_another_courier(city, seen, planning, held):
    ana, rui = await hire(city, seen, "Ana"), await hire(city, seen, "Rui", HOME)
    order = await city.place()
    await planning.at_once(held)
    async with city.desk() as desk:
        await handover.reject(desk, await city.open_offer(order.id), ana, reason="tired")
    await planning.at_once(held)
    assert (await city.order(order.id)).courier_id == rui


async def test_sole_courier_is_not_asked_again_at_once(city, seen, planning, held):
    ana = await hire(city, seen)
    order = await city.place()
    await planning.at_once(held)
    async with city.desk() as desk:
        await handover.reject(desk, await city.open_offer(order.id), ana, reason="tired")
    await planning.at_once(held)
    assert await city.open_offer(order.id) is None
    patient = planning_of(city, seen, ask_again_after_s=0)
    await patient.at_once(held)
    assert await city.open_offer(order.id) is not None


async def test_order_without_a_courier_says_why(city, seen, planning, held):
    await city.hire("Nobody knows where")
    order = await city.place()
    await planning.at_once(held)
    reasons = await city.pool.fetchval(
        "SELECT reasons ->> 'no_fresh_position' FROM decisions WHERE order_id = $1", order.id
    )
    assert reasons is not None


async def test_order_in_a_city_without_couriers_says_so(city, planning, held):
    order = await city.place()
    await planning.at_once(held)
    reasons = await city.pool.fetchval("SELECT reasons FROM decisions WHERE order_id = $1", order.id)
    assert "no_couriers" in reasons


async def test_accepted_order_whose_courier_is_nowhere_to_be_found_stays_with_the_courier(city, seen, planning, held):
    ana = await hire(city, seen)
    order = await city.place()
    await planning.at_once(held)
    async with city.desk() as desk:
        await handover.accept(desk, await city.open_offer(order.id), ana)
    seen.places.clear()
    await planning.at_once(held)
    assert (await city.order(order.id)).courier_id == ana
    assert len(await city.stops(ana)) == 2


async def test_order_on_board_of_a_courier_off_duty_stays_in_the_route(city, seen, planning, held):
    ana = await hire(city, seen)
    order = await city.place()
    await planning.at_once(held)
    async with city.desk() as desk:
        await desk.pick_up(await desk.lock_order(order.id))
    await city.pool.execute("UPDATE couriers SET on_duty = false")
    await planning.at_once(held)
    assert await city.stops(ana) == [(str(order.id), "dropoff")]


async def test_commit_drops_an_order_cancelled_meanwhile(city, seen, planning, held):
    ana = await hire(city, seen)
    order, other = await city.place(), await city.place()
    world, plan = await prepared(city, planning)
    async with city.desk() as desk:
        await desk.cancel(order.id, reason="changed my mind")
    committed = await put(city, world, plan, held)
    assert committed.n_dropped == 1
    assert [offer.order_id for offer in committed.offers] == [other.id]
    assert {order_id for order_id, _ in await city.stops(ana)} == {str(other.id)}
    assert (await city.order(order.id)).state is OrderState.CANCELLED


async def test_commit_drops_a_route_changed_by_hand_meanwhile(city, seen, planning, held):
    ana = await hire(city, seen)
    first = await city.place()
    world, plan = await prepared(city, planning)
    by_hand = await city.place()
    async with city.desk() as desk:
        await handover.assign(desk, by_hand.id, ana, expires_in=timedelta(minutes=1))
    committed = await put(city, world, plan, held)
    assert committed.offers == ()
    assert [order_id for order_id, _ in await city.stops(ana)] == [str(by_hand.id)] * 2
    await planning.at_once(held)
    assert {order_id for order_id, _ in await city.stops(ana)} == {str(first.id), str(by_hand.id)}


async def test_same_plan_committed_twice_assigns_once(city, seen, planning, held):
    await hire(city, seen)
    order = await city.place()
    world, plan = await prepared(city, planning)
    await put(city, world, plan, held)
    again = await put(city, world, plan, held)
    assert again.offers == ()
    assert await city.actions(order.id) == ["place", "assign"]


async def test_dispatcher_that_lost_its_lease_commits_nothing(city, seen, planning):
    await hire(city, seen)
    order = await city.place()
    slow = await lease.take(city.pool, "dispatch", REGION, "slow", ttl_s=0.01)
    world, plan = await prepared(city, planning)
    await asyncio.sleep(0.02)
    assert await lease.take(city.pool, "dispatch", REGION, "quick", ttl_s=60) is not None
    with pytest.raises(LeaseLost):
        await put(city, world, plan, slow)
    assert (await city.order(order.id)).state is OrderState.PLACED


async def test_courier_gone_off_duty_loses_what_is_not_collected(city, seen, planning, held):
    ana, rui = await hire(city, seen, "Ana"), await hire(city, seen, "Rui", HOME)
    order = await city.place()
    await planning.at_once(held)
    await city.pool.execute("UPDATE couriers SET on_duty = false WHERE id = $1", ana)
    await planning.at_once(held)
    assert (await city.order(order.id)).courier_id == rui


async def test_pin_ends_with_the_duty_of_the_courier_whatever_else_is_held(city, seen, planning, held):
    ana, rui = await hire(city, seen, "Ana"), await hire(city, seen, "Rui", HOME)
    order = await city.place()
    async with city.desk() as desk:
        await handover.assign(desk, order.id, ana, pinned=True, expires_in=timedelta(minutes=5))
    await city.pool.execute("UPDATE couriers SET on_duty = false WHERE id = $1", ana)
    await planning.at_once(held)
    after = await city.order(order.id)
    assert (after.courier_id, after.pinned) == (rui, False)


async def test_courier_who_was_removed_gets_nothing_new_and_loses_what_is_not_collected(city, seen, planning, held):
    ana, rui = await hire(city, seen, "Ana"), await hire(city, seen, "Rui", HOME)
    order = await city.place()
    await planning.at_once(held)
    await city.pool.execute("UPDATE couriers SET deleted_at = now() WHERE id = $1", ana)
    await planning.at_once(held)
    assert (await city.order(order.id)).courier_id == rui


async def test_search_leaves_every_order_in_exactly_one_route(city, seen, held):
    for number in range(3):
        await hire(city, seen, f"C{number}", [RESTAURANT, HOME][number % 2])
    later = datetime.now(UTC) + timedelta(minutes=30)
    orders = [await city.place(ready_at=later if number % 2 else None) for number in range(8)]
    planning = planning_of(city, seen, search_s=0.3)
    planning._search = SearchProcess()
    await planning.at_once(held)
    cycle = await planning.search(held, asyncio.Event())
    planning.close()
    assert cycle is not None
    assert cycle.plan is not None
    rows = await city.pool.fetch(
        "SELECT stop ->> 'order_id' AS id, stop ->> 'kind' AS kind FROM routes, jsonb_array_elements(stops) AS stop"
    )
    found = sorted((row["id"], row["kind"]) for row in rows)
    assert found == sorted((str(order.id), kind) for order in orders for kind in ("pickup", "dropoff"))


async def raise_alert(city, courier_id, kind, at):
    await city.pool.execute(
        "INSERT INTO alerts (kind, region, courier_id, raised_at) VALUES ($1, 'default', $2, $3)", kind, courier_id, at
    )


async def test_stuck_courier_loses_what_is_not_collected_until_the_alert_ends(city, seen, planning, held):
    ana, rui = await hire(city, seen, "Ana"), await hire(city, seen, "Rui", HOME)
    order = await city.place()
    await planning.at_once(held)
    await raise_alert(city, ana, "stuck", datetime.now(UTC))
    await planning.at_once(held)
    assert (await city.order(order.id)).courier_id == rui
    await city.pool.execute("UPDATE alerts SET resolved_at = now() + interval '1 s'")
    other = await city.place()
    await planning.at_once(held)
    assert (await city.order(other.id)).courier_id == ana


async def test_courier_just_silent_keeps_what_was_accepted_but_gets_nothing_new(city, seen, planning, held):
    ana, _ = await hire(city, seen, "Ana"), await hire(city, seen, "Rui", HOME)
    order = await city.place()
    await planning.at_once(held)
    await raise_alert(city, ana, "silent", datetime.now(UTC))
    other = await city.place()
    await planning.at_once(held)
    assert (await city.order(order.id)).courier_id == ana
    assert (await city.order(other.id)).courier_id != ana
    await city.pool.execute("UPDATE alerts SET raised_at = raised_at - interval '10 min'")
    await planning.at_once(held)
    assert (await city.order(order.id)).courier_id != ana


async def test_two_dispatchers_plan_a_region_one_after_the_other(city, seen):
    """Both run; every order is offered once, and when the one that plans ends, the other takes over."""
    await hire(city, seen, max_orders=100)
    stops = [asyncio.Event(), asyncio.Event()]
    params = LoopParams(tick_s=0.1, lease_s=1.0, retry_s=0.05)
    dispatchers = [
        Dispatcher(pool=city.pool, redis=city.redis, planning=planning_of(city, seen, search_s=0), params=params)
        for _ in stops
    ]
    tasks = [asyncio.create_task(d.run(s)) for d, s in zip(dispatchers, stops, strict=True)]
    orders = [await city.place() for _ in range(5)]

    async def all_offered():
        return await city.pool.fetchval("SELECT count(*) = $1 FROM offers", len(orders))

    await until(all_offered)
    holder = await city.pool.fetchval("SELECT holder FROM leases WHERE job = 'dispatch'")
    first = next(i for i, d in enumerate(dispatchers) if d.lanes.holder == holder)
    stops[first].set()
    await tasks[first]
    orders.append(await city.place())
    await until(all_offered)
    stops[1 - first].set()
    await tasks[1 - first]
    for order in orders:
        assert (await city.actions(order.id)).count("assign") == 1


async def test_order_for_the_days_to_come_costs_a_plan_nothing_and_says_it_is_not_yet_its_time(city, seen, held):
    await hire(city, seen)
    later = datetime.now(UTC) + timedelta(days=2)
    far = [await city.place(ready_at=later), await city.place(pickup=OrderStop(at=HOME, window=Window(opens_at=later)))]
    near = await city.place()
    cycle = await planning_of(city, seen).at_once(held)
    assert [order.id for order in cycle.world.orders] == [near.id]
    rows = await city.pool.fetch("SELECT order_id FROM decisions WHERE reasons ? 'not_yet'")
    assert {row["order_id"] for row in rows} == {order.id for order in far}
    await city.pool.execute("UPDATE orders SET ready_at = now(), pickup_opens_at = NULL")
    cycle = await planning_of(city, seen).at_once(held)
    assert {given.order_id for given in cycle.plan.assignments} == {near.id, *(order.id for order in far)}
    assert not await city.pool.fetchval("SELECT count(*) FROM decisions WHERE reasons ? 'not_yet'")


async def test_stale_couriers_are_released_in_one_transaction(city, seen, planning, held):
    couriers = [await hire(city, seen, f"C{number}") for number in range(3)]
    orders = [await city.place() for _ in couriers]
    for order, courier_id in zip(orders, couriers, strict=True):
        async with city.desk() as desk:
            await handover.assign(desk, order.id, courier_id, pinned=False, expires_in=timedelta(minutes=5))
    await city.pool.execute("UPDATE couriers SET on_duty = false")
    await planning.at_once(held)
    rows = await city.pool.fetch("SELECT xmin::text FROM order_events WHERE action = 'release'")
    assert (len(rows), len({row["xmin"] for row in rows})) == (3, 1)


async def test_one_process_plans_sixty_four_regions_with_a_handful_of_connections(city, seen, redis_url):
    """Reads that wait for news share one connection; commands wait for one of the others."""
    names = [f"city-{i}" for i in range(63)]
    await city.pool.executemany("INSERT INTO regions (id, name) VALUES ($1, $1)", [(name,) for name in names])
    courier_id = await hire(city, seen)
    await city.pool.execute("UPDATE couriers SET region = $1", names[-1])
    few_connections = aioredis.BlockingConnectionPool.from_url(redis_url, max_connections=4, timeout=30)
    async with aioredis.Redis.from_pool(few_connections) as redis:
        pool, few = city.pool, City(pool=city.pool, redis=redis)
        params = LoopParams(tick_s=60.0, lease_s=30.0)
        dispatcher = Dispatcher(pool=pool, redis=redis, planning=planning_of(few, seen, search_s=0), params=params)
        stop = asyncio.Event()
        running = asyncio.create_task(dispatcher.run(stop))

        async def holds_all():
            return await city.pool.fetchval("SELECT count(*) = 64 FROM leases WHERE job = 'dispatch'")

        async def one_waits():
            return (await city.redis.info("clients"))["blocked_clients"] == 1

        await until(holds_all, 60)
        await until(one_waits, 60)
        order = await city.place(region=names[-1])
        await until(lambda: city.open_offer(order.id), 60)
        assert (await city.order(order.id)).courier_id == courier_id
        stop.set()
        await running


async def crowd(city, seen):
    """A region too large for one plan: half of its couriers in the west, half in the east."""
    rows = await city.pool.fetch(
        "INSERT INTO couriers (name, mode, region)"
        " SELECT 'c', 'car', 'default' FROM generate_series(0, $1) RETURNING id",
        2 * MOST_COURIERS,
    )
    west, east = RESTAURANT, replace(RESTAURANT, lon=round(RESTAURANT.lon + 0.2, 7))
    for number, row in enumerate(rows):
        seen.places[row["id"]] = west if number % 2 else east
    return west, east


async def test_a_region_too_large_for_one_plan_is_planned_in_parts(city, seen, held):
    west, east = await crowd(city, seen)
    orders = [await city.place(pickup=OrderStop(at=at), dropoff=OrderStop(at=at)) for at in (west, east)]
    planning = planning_of(city, seen, at_once_s=0.0)
    first = await planning.at_once(held)
    assert first.is_cut_short, "its time is over: the other parts are left for the next cycle"
    assert len(first.committed.offers) == 2, "the new orders came before all parts"
    assert {(await city.order(order.id)).state for order in orders} == {OrderState.ASSIGNED}
    planning.params = CycleParams()
    second = await planning.at_once(held)
    assert not second.is_cut_short
    third = await planning.at_once(held)
    assert (third.plan, third.committed.offers) == (None, ()), "nothing happened: no part is due"


async def test_an_order_that_comes_while_parts_are_planned_does_not_wait_for_them(city, seen, held, monkeypatch):
    west, _ = await crowd(city, seen)
    under_way, urgent = asyncio.Event(), asyncio.Event()
    is_offered = asyncio.get_running_loop().create_future()
    planning = planning_of(city, seen)
    quick_plan, n_begun = planning._quick_plan, 0

    async def slow(world, *arguments):
        nonlocal n_begun
        n_begun += 1
        if n_begun == 1:
            under_way.set()
            await is_offered
        return await quick_plan(world, *arguments)

    monkeypatch.setattr(planning, "_quick_plan", slow)
    cycle = asyncio.create_task(planning.at_once(held, urgent))
    await under_way.wait()
    new = await city.place(pickup=OrderStop(at=west), dropoff=OrderStop(at=west))
    urgent.set()
    await until(lambda: city.open_offer(new.id))
    is_offered.set_result(None)
    assert new.id in {offer.order_id for offer in (await cycle).committed.offers}
    assert urgent.is_set(), "there may be more to it: the next turn comes at once"


async def test_what_is_to_be_told_of_a_large_region_is_told_however_short_its_turns_are_cut(city, seen, planning, held):
    rows = await city.pool.fetch(
        "INSERT INTO couriers (name, mode, region)"
        " SELECT 'c', 'car', 'default' FROM generate_series(0, $1) RETURNING id",
        MOST_COURIERS,
    )
    seen.places |= {row["id"]: RESTAURANT for row in rows}
    urgent = asyncio.Event()
    urgent.set()
    await planning.at_once(held, urgent)
    nobody_can = await city.place(skills=frozenset({"flying"}))
    later = await city.place(ready_at=datetime.now(UTC) + timedelta(days=1))

    async def turned():
        await planning.at_once(held, urgent)
        kinds = await city.pool.fetch("SELECT kind FROM alerts WHERE order_id = $1", nobody_can.id)
        return [row["kind"] for row in kinds] == ["impossible"] and await reasons_of(city, later) == {"not_yet"}

    await until(turned)


async def reasons_of(city, order):
    return set(from_json(await city.pool.fetchval("SELECT reasons FROM decisions WHERE order_id = $1", order.id)) or ())


async def test_only_what_has_changed_is_made_anew(city, seen, planning, held):
    ana, ben = await hire(city, seen, "Ana"), await hire(city, seen, "Ben")
    cem = await city.hire("Cem")  # nobody knows where: gets nothing
    changed, same, gone = [await city.place() for _ in range(3)]
    await planning.at_once(held)
    known = store.Known()
    before = await store.load(city.pool, REGION, known=known)
    # By whatever means, also by such as do not count versions.
    await city.pool.execute("UPDATE orders SET priority = 5 WHERE id = $1", changed.id)
    await city.pool.execute("DELETE FROM orders WHERE id = $1", gone.id)
    await city.pool.execute("UPDATE couriers SET max_orders = 7 WHERE id = $1", ana)
    await city.pool.execute(
        "INSERT INTO shifts (courier_id, starts_at, ends_at)"
        " VALUES ($1, now() - interval '1 hour', now() + interval '1 hour')",
        ben,
    )
    await city.pool.execute("UPDATE routes SET stops = '[]' WHERE courier_id = $1", ana)
    after = await store.load(city.pool, REGION, now=before.now, known=known)
    assert after == await store.load(city.pool, REGION, now=before.now), "the same as without anything kept"
    kept = {order.id: order for order in before.orders}
    assert [order for order in after.orders if order is kept[order.id]] == [kept[same.id]]
    assert [one.id for one in after.couriers if any(one is two for two in before.couriers)] == [cem]
    again = await store.load(city.pool, REGION, now=before.now, known=known)
    assert all(one is two for one, two in zip(again.couriers, after.couriers, strict=True))
    assert all(again.routes[id_] is route for id_, route in after.routes.items())
    assert (len(known.orders), len(known.couriers), len(known.routes)) == (2, 3, len(after.routes))
    await city.pool.execute("UPDATE couriers SET deleted_at = now(), on_duty = false WHERE id = $1", cem)
    await store.load(city.pool, REGION, known=known)
    assert len(known.couriers) == 2, "what left the region is not kept"
