"""
Whatever one record is, the others go on: dispatcher, watcher and keeper take a turn beside records that are odd.

Hypothesis draws orders, couriers, shifts, breaks, routes, fences and settings as only a hand in the database could
write them; what the API takes is drawn in `tests/acceptance/test_isolation_of_what_is_accepted.py`. However odd they
are, a plain order beside them is offered to the plain courier beside it, who is watched and followed as ever, and staff
are told what was left out.
"""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import redis.asyncio as aioredis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatch.alerts.observer import Vigilance
from dispatch.alerts.region_facts import FactsOfRegion
from dispatch.arrivals.book import EtaBook
from dispatch.arrivals.forecast import Forecaster
from dispatch.arrivals.keeper import EtaKeeper
from dispatch.learning.knowledge import Knowledge
from dispatch.planning import propose as planner
from dispatch.planning.profiles import PROFILES, Profile
from dispatch.region import planners, poison
from dispatch.region.outlook import Outlook
from dispatch.reports.service_level import By, service_level
from dispatch.travel.chain import TravelChain
from dispatch.travel.great_circle import GreatCircle
from tests.integration.dispatch.conftest import HOME, RESTAURANT, City
from tests.integration.dispatch.region.test_cycle import Seen, planning_of
from tests.integration.tracking.watching.test_watch import World, recent
from tests.unit.tracking.watching.tracks import walk
from tests.waiting import PATIENCE_S, until
from tracking import lease
from tracking.batch import PositionColumns
from tracking.intake.screening import Sender
from tracking.live import LivePositions
from tracking.position import Fix, LatLon, Position, Region

REGION = "default"
ODD_INSTANTS = ("infinity", "-infinity", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "1969-12-31T23:59:59Z")
"""As text, for PostgreSQL to read: Python has no word for some of them."""

seconds = st.integers(0, 7_258_118_399).map(lambda at: datetime.fromtimestamp(at, UTC).isoformat())
instants = st.sampled_from(ODD_INSTANTS) | seconds
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    scalars | st.text("ab7-", max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=6,
)
tiny = (1e-170, -5e-324)
"""Their squares, and the lesser one times anything, are no number to PostgreSQL: underflow is an error there."""
edges = st.sampled_from([(90.0, 0.0), (-90.0, 180.0), HOME.latlon, tiny, (0.0, 0.0)])
places = st.tuples(st.floats(-90, 90), st.floats(-180, 180)) | edges
orders = st.fixed_dictionaries(
    {
        "pickup": places,
        "dropoff": places,
        "service_s": st.sampled_from([0, 120, 86_400, 2**31 - 1]),
        "size": st.dictionaries(st.sampled_from(["units", "weight_g", "x"]), st.integers(0, 10**9)) | values,
        "priority": st.sampled_from([-32_768, -100, 0, 100, 32_767]),
        "mode": st.sampled_from([None, "bicycle", "car", "rocket"]),
        "ready_at": st.none() | instants,
        "opens_at": st.none() | instants,
        "closes_at": st.none() | instants,
        "handed_over_from": st.none() | instants,
        "placed_at": st.none() | st.sampled_from(ODD_INSTANTS),
        "is_accepted": st.booleans(),
        "max_on_board_s": st.sampled_from([None, None, 1, 2**31 - 1]),
        "kind": st.sampled_from(["delivery", "delivery", "dropoff", "pickup", "service"]),
        "group_id": st.sampled_from([None, None, "", "a"]),
    }
).filter(lambda facts: facts["closes_at"] is None or facts["handed_over_from"] is None)
odd_stops = values | st.fixed_dictionaries(
    {},
    optional={
        "order_id": values | st.just(str(UUID(int=7))),
        "kind": st.sampled_from(["pickup", "dropoff", "x", None]),
        "arrives_at": values | st.sampled_from([1e30, -(10**40), "soon"]),
        "break_at": values,
        "break_s": values | st.just(10**12),
    },
)
couriers = st.fixed_dictionaries(
    {
        "mode": st.sampled_from(["bicycle", "car", "foot"]),
        "capacity": st.lists(st.integers(0, 2**31 - 1), max_size=8),
        "max_orders": st.sampled_from([1, 8, 1000, 2**31 - 1]),
        "at": st.none() | places,
        "shift": st.none() | st.tuples(instants, instants).filter(lambda span: span[0] != span[1]),
        "breaks": st.just([]) | values,
        "rests": st.none() | st.tuples(instants, st.sampled_from([1, 1800, 2**31 - 1])),
        "stops": st.just([]) | st.lists(odd_stops, max_size=4),
        "end": st.none() | places | st.sampled_from([(float("nan"), 0.0), (1e300, float("inf"))]),
    }
)
region_settings = (
    st.fixed_dictionaries({}, optional=dict.fromkeys(("alerts", "boundary", "depots", "dispatch", "offers"), values))
    | values
)
geometries = values | st.fixed_dictionaries(
    {
        "type": st.sampled_from(["Point", "Polygon", "MultiPolygon", "x"]),
        "coordinates": values | st.lists(st.lists(places.map(list), max_size=5), max_size=2) | places.map(list),
    }
)
fences = st.fixed_dictionaries(
    {
        "geometry": geometries,
        "radius_m": st.sampled_from([0.0, 1e-170, 50.0, 1e300, float("inf"), float("nan")]),
        "active": st.just([]) | values,
        "timezone": st.sampled_from(["UTC", "Mars/Olympus", ""]),
        "dwell_s": st.sampled_from([None, 1, 2**31 - 1]),
    }
)


class Beside:
    """A city with a plain courier and a plain order, and whatever else is put beside them."""

    def __init__(self, city: City) -> None:
        self.city = city
        self.seen = Seen()
        self.odd_orders: list[Any] = []
        self.planned: Any = None
        """Called when the dispatcher is done."""

    async def hire(self, facts: dict[str, Any]) -> Any:
        pool = self.city.pool
        courier_id = await pool.fetchval(
            "INSERT INTO couriers (name, mode, region, capacity, max_orders, skills)"
            " VALUES ('Odd', $1, 'default', $2, $3, '{odd}') RETURNING id",
            facts["mode"],
            facts["capacity"],
            facts["max_orders"],
        )
        if facts["at"] is not None:
            self.seen.places[courier_id] = LatLon(*facts["at"])
        if facts["shift"] is not None:
            end = facts["end"] or (None, None)
            await pool.execute(
                "INSERT INTO shifts (courier_id, starts_at, ends_at, breaks, end_lat, end_lon)"
                " SELECT $1, least(a, b), greatest(a, b), $4::jsonb, $5, $6"
                " FROM (SELECT $2::text::timestamptz, $3::text::timestamptz) AS span (a, b) WHERE a <> b",
                courier_id,
                *facts["shift"],
                json.dumps(facts["breaks"]),
                *end,
            )
        if facts["rests"] is not None:
            await pool.execute(
                "INSERT INTO breaks (courier_id, began_at, duration_s) VALUES ($1, $2::text::timestamptz, $3)",
                courier_id,
                *facts["rests"],
            )
        await pool.execute(
            "INSERT INTO routes (courier_id, region, stops) VALUES ($1, 'default', $2::jsonb)",
            courier_id,
            json.dumps(facts["stops"]),
        )
        return courier_id

    async def enclose(self, facts: dict[str, Any]) -> None:
        await self.city.pool.execute(
            "INSERT INTO geofences (region, name, geometry, radius_m, active, timezone, dwell_s)"
            " SELECT 'default', 'Odd', $1::jsonb, CASE WHEN $1::jsonb ->> 'type' = 'Point' THEN $2::float8 END,"
            " $3::jsonb, $4, $5",
            json.dumps(facts["geometry"]),
            facts["radius_m"],
            json.dumps(facts["active"]),
            facts["timezone"],
            facts["dwell_s"],
        )

    async def place(self, facts: dict[str, Any], courier_id: Any | None) -> None:
        accepted = facts["is_accepted"] and courier_id is not None
        order_id = await self.city.pool.fetchval(
            "INSERT INTO orders (region, pickup_lat, pickup_lon, pickup_service_s, dropoff_lat, dropoff_lon,"
            " dropoff_service_s, size, priority, modes, ready_at, pickup_opens_at, dropoff_closes_at,"
            " dropoff_opens_at, skills, state, courier_id, accepted_at, max_on_board_s, kind, placed_at,"
            " group_id)"
            " VALUES ('default', $1, $2, $5, $3, $4, $5, $6::jsonb, $7, $8, $9::text::timestamptz,"
            " $10::text::timestamptz, $11::text::timestamptz, $12::text::timestamptz, '{odd}', $13, $14, $15, $16, $17,"
            " coalesce($18::text::timestamptz, now()), $19) RETURNING id",
            *facts["pickup"],
            *facts["dropoff"],
            facts["service_s"],
            json.dumps(facts["size"]),
            facts["priority"],
            None if facts["mode"] is None else [facts["mode"]],
            facts["ready_at"],
            facts["opens_at"],
            facts["closes_at"],
            facts["handed_over_from"],
            "accepted" if accepted else "placed",
            courier_id if accepted else None,
            datetime.now(UTC) if accepted else None,
            facts["max_on_board_s"],
            facts["kind"],
            facts["placed_at"],
            facts["group_id"],
        )
        asked = {facts["ready_at"], facts["opens_at"], facts["closes_at"], facts["handed_over_from"]}
        if facts["service_s"] == 666 or not asked.isdisjoint(ODD_INSTANTS):
            self.odd_orders.append(order_id)

    async def check(self, *, watches: bool) -> None:
        """
        Two turns of each, as the second one tells; then the plain ones have fared as if they were alone.

        `watches`: who follows fixes from the log takes part; nothing of an order or a shift is read there.
        """
        city = self.city
        plain = await city.hire("Plain")
        self.seen.places[plain] = RESTAURANT
        now = datetime.now(UTC)
        fix = Fix(at=RESTAURANT, fixed_at=now, battery_pct=5.0)
        columns = PositionColumns.from_positions([Position(courier_id=plain, fix=fix, received_at=now)])
        await LivePositions(city.redis).refill(REGION, columns)
        order = await city.place()

        held = await lease.take(city.pool, "dispatch", REGION, "test", ttl_s=600)
        dispatcher = planning_of(city, self.seen)
        for _ in range(2):
            await dispatcher.at_once(held)
        assert (await city.order(order.id)).courier_id == plain

        watching = await lease.take(city.pool, "watch", REGION, "test", ttl_s=600)
        watcher = Vigilance(pool=city.pool, redis=city.redis, facts=FactsOfRegion(city.pool))
        await watcher.saw(watching, columns)
        for _ in range(2):
            await watcher.tick(watching, now)
        told = await city.pool.fetch("SELECT kind, courier_id, order_id FROM alerts WHERE resolved_at IS NULL")
        assert ("low_battery", plain) in {(row["kind"], row["courier_id"]) for row in told}
        left_out = {row["order_id"] for row in told if row["kind"] == "set_aside"}
        assert left_out.issuperset(self.odd_orders)
        assert order.id not in left_out

        if self.planned is not None:
            await self.planned(self)
        await self._follow(plain)
        if watches:
            await self._watch(plain)

    async def _watch(self, courier_id: Any) -> None:
        """Who rides into a plain fence is seen to."""
        await self.city.pool.execute("DELETE FROM leases")
        world = World(self.city.pool, self.city.redis)
        await world.fence(600, 0, 80)
        ride = recent(walk([(0, 0, 0), (600, 0, 100), (600, 0, 60)]))
        async with world.writing(), world.watching():
            await world.post(Sender(courier_id, Region(REGION), 0), ride)
            await until(world.settled)
        assert [kind for kind, _, _ in await world.fence_events(courier_id)] == ["enter"]

    async def _follow(self, plain: Any) -> None:
        async def regions() -> list[str]:
            return [REGION]

        city, stop = self.city, asyncio.Event()
        travel = TravelChain(great_circle=GreatCircle())
        keeper = EtaKeeper(city.pool, city.redis, travel, Forecaster(Knowledge()), regions)
        keeping = asyncio.create_task(keeper.run(stop))
        async with asyncio.timeout(PATIENCE_S):
            while plain not in await EtaBook(city.redis).of_region(REGION):
                assert not keeping.done()
                await asyncio.sleep(0.02)
        stop.set()
        await keeping


@pytest.fixture
def beside(database_url, redis_url):
    """Runs a check in an emptied city; not a fixture of the async kind, for hypothesis has a loop for every example."""

    def run(
        *odd_orders, odd_couriers=(), odd_fences=(), settings_of_region=None, also=None, planned=None, watches=False
    ):
        async def in_the_city():
            async with (
                aioredis.Redis.from_url(redis_url) as redis,
                asyncpg.create_pool(database_url, min_size=0, max_size=8) as pool,
            ):
                await redis.flushall()
                await pool.execute("TRUNCATE couriers, orders, alerts, leases, geofences, positions CASCADE")
                text = json.dumps({} if settings_of_region is None else settings_of_region)
                await pool.execute("UPDATE regions SET settings = $1::jsonb", text)
                world = Beside(City(pool=pool, redis=redis))
                hired = [await world.hire(facts) for facts in odd_couriers]
                for facts in odd_fences:
                    await world.enclose(facts)
                for number, facts in enumerate(odd_orders):
                    await world.place(facts, hired[number % len(hired)] if hired else None)
                if also is not None:
                    await also(world)
                world.planned = planned
                await world.check(watches=watches)

        asyncio.run(in_the_city())

    return run


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    odd_orders=st.lists(orders, min_size=1, max_size=4),
    odd_couriers=st.lists(couriers, max_size=3),
    odd_fences=st.lists(fences, max_size=3),
    of_region=region_settings,
)
def test_no_record_stops_the_others(beside, odd_orders, odd_couriers, odd_fences, of_region):
    beside(*odd_orders, odd_couriers=odd_couriers, odd_fences=odd_fences, settings_of_region=of_region, watches=True)


PLAIN = {
    "pickup": HOME.latlon,
    "dropoff": RESTAURANT.latlon,
    "service_s": 120,
    "size": {"units": 1},
    "priority": 0,
    "mode": None,
    "ready_at": None,
    "opens_at": None,
    "closes_at": None,
    "handed_over_from": None,
    "placed_at": None,
    "is_accepted": False,
    "max_on_board_s": None,
    "kind": "delivery",
    "group_id": None,
}
ALWAYS = {
    "mode": "foot",
    "capacity": [],
    "max_orders": 8,
    "at": None,
    "breaks": [],
    "rests": None,
    "stops": [],
    "end": None,
}


@pytest.mark.parametrize("at", ODD_INSTANTS)
@pytest.mark.parametrize("field", ["ready_at", "opens_at", "closes_at", "handed_over_from"])
def test_order_with_an_instant_nobody_can_mean_is_left_out_and_told(beside, field, at):
    beside(PLAIN | {field: at})


def test_places_too_near_to_each_other_to_be_measured_do_no_harm(beside):
    later = datetime(2199, 1, 1, tzinfo=UTC).isoformat()
    near = PLAIN | {"pickup": (0.0, 0.0), "dropoff": tiny, "handed_over_from": later}
    beside(
        near, near | {"pickup": tiny, "dropoff": (0.0, 0.0)}, near | {"pickup": (90.0, 0.0), "dropoff": (90.0, tiny[1])}
    )


def test_shift_without_end_leaves_its_courier_out(beside):
    beside(PLAIN, odd_couriers=[ALWAYS | {"shift": ("-infinity", "infinity")}, ALWAYS | {"shift": ODD_INSTANTS[2:4]}])


@pytest.mark.parametrize(
    "stop", [{"order_id": "x"}, {"order_id": "%s", "kind": "pickup", "arrives_at": "soon", "break_s": 10**12}]
)
def test_route_that_cannot_be_read_leaves_its_courier_out(beside, stop):
    async def on_the_route(world):
        """Of an order that is there, for another is not looked at."""
        order_id = await world.city.pool.fetchval("SELECT id FROM orders WHERE state = 'placed'")
        text = json.dumps([stop]).replace("%s", str(order_id))
        await world.city.pool.execute(
            "UPDATE routes SET stops = $1::jsonb FROM couriers AS c WHERE c.id = courier_id AND c.name = 'Odd'", text
        )

    beside(PLAIN, odd_couriers=[ALWAYS | {"shift": None}], planned=on_the_route)


@pytest.mark.parametrize("placed_at", ["infinity", "1990-01-01T00:00:00Z"])
def test_odd_instants_of_the_past_fail_neither_outlook_nor_report(beside, placed_at):
    async def look(world):
        now = datetime.now(UTC)
        pool = world.city.pool
        await pool.execute(
            "UPDATE orders SET state = 'cancelled', closed_at = now(), placed_at = $1::text::timestamptz",
            placed_at,
        )
        order = await world.city.place()
        expected = await Outlook(pool).expected(Region(REGION), now, PROFILES[Profile.MEAL])
        assert sum(expected.values()) > 0
        await pool.execute(
            "UPDATE orders SET state = 'delivered', courier_id = $1, accepted_at = now(), picked_up_at = now(),"
            " delivered_at = now(), closed_at = now()",
            await world.city.hire("Rita"),
        )
        span = (now - timedelta(hours=1), now + timedelta(hours=1))
        async with pool.acquire() as connection, connection.transaction():
            told = await service_level(connection, Region(REGION), "UTC", *span, By.DAY)
        assert told.total.delivered == 2, order.id
        await pool.execute("TRUNCATE couriers, orders CASCADE")

    beside(PLAIN, also=look)


@pytest.mark.parametrize("of_region", ["x", [], {"alerts": "x"}, {"boundary": {"type": "Polygon", "coordinates": 7}}])
def test_settings_that_cannot_be_used_are_left_out(beside, of_region):
    beside(PLAIN, settings_of_region=of_region)


def test_order_on_which_the_planner_itself_fails_is_found_and_left_out(beside, monkeypatch):
    """A defect that nobody foresaw; here one that an odd amount of service brings out."""

    def failing(snapshot, *arguments):
        if any(job.pickup.service_s == 666 for job in snapshot.jobs):
            raise OverflowError("Python int too large to convert to C long")
        return planner.propose(snapshot, *arguments)

    monkeypatch.setattr(planners, "propose", failing)
    monkeypatch.setattr(poison, "propose", failing)
    beside(PLAIN | {"service_s": 666}, PLAIN, PLAIN)
