"""What history says of orders to come, as the planner is told it."""

from datetime import UTC, datetime, timedelta

import pytest

from dispatch.orders.order import OrderStop
from dispatch.planning.params import Params
from dispatch.planning.profiles import PROFILES, Profile
from dispatch.planning.propose import propose
from dispatch.region import planners
from dispatch.region.outlook import Outlook
from tests.integration.dispatch.conftest import HOME, RESTAURANT
from tests.integration.dispatch.region.test_cycle import Seen, planning_of
from tracking import lease
from tracking.position import LatLon

MEAL = PROFILES[Profile.MEAL]
KITCHEN = LatLon(round(RESTAURANT.lat, 4), round(RESTAURANT.lon, 4))
OTHER = LatLon(41.1601, -8.6201)
NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)


async def placed(city, at, *instants):
    for instant in instants:
        order = await city.place(pickup=OrderStop(at=at))
        await city.pool.execute("UPDATE orders SET placed_at = $2 WHERE id = $1", order.id, instant)


def weeks_ago(n, minutes=0):
    return NOW - timedelta(weeks=n, minutes=minutes)


async def test_the_same_hour_of_past_weeks_is_usual_and_the_last_half_hour_says_how_much(city):
    await placed(city, RESTAURANT, weeks_ago(1), weeks_ago(1, 29), weeks_ago(2, -29))
    await placed(city, OTHER, weeks_ago(1, 31), weeks_ago(2), weeks_ago(5))
    outlook = Outlook(city.pool)
    expected = await outlook.expected("default", NOW, MEAL)
    assert expected == {KITCHEN: 1.5, OTHER: 0.5}  # by two weeks; in the others nobody ordered at that hour
    await placed(city, RESTAURANT, *(NOW - timedelta(minutes=m) for m in (1, 2, 3)))
    later = await outlook.expected("default", NOW + timedelta(minutes=1), MEAL)
    assert later[KITCHEN] > later[OTHER]
    assert sum(later.values()) == pytest.approx(6)  # three in half an hour


async def test_it_is_read_once_a_minute_and_only_for_who_weighs_it(city):
    await placed(city, RESTAURANT, weeks_ago(1))
    outlook = Outlook(city.pool)
    assert await outlook.expected("default", NOW, Params()) == {}
    first = await outlook.expected("default", NOW, MEAL)
    await placed(city, OTHER, weeks_ago(1))
    assert await outlook.expected("default", NOW + timedelta(seconds=59), MEAL) is first
    assert OTHER in await outlook.expected("default", NOW + timedelta(seconds=60), MEAL)


async def test_a_region_with_the_profile_for_meals_plans_with_what_is_expected(city, monkeypatch):
    told, seen = [], Seen()

    def listening(snapshot, *arguments):
        told.append(snapshot)
        return propose(snapshot, *arguments)

    monkeypatch.setattr(planners, "propose", listening)
    seen.places[await city.hire()] = HOME
    await city.place()
    held = await lease.take(city.pool, "dispatch", "default", "test", ttl_s=60)
    await planning_of(city, seen).at_once(held)
    assert told.pop().demand == {}
    await city.pool.execute("""UPDATE regions SET settings = '{"dispatch": {"profile": "meal"}}'""")
    await placed(city, OTHER, *[datetime.now(UTC) - timedelta(minutes=1)] * 3)
    await planning_of(city, seen).at_once(held)
    snapshot = told.pop()
    assert sorted(snapshot.demand.values()) == pytest.approx([2, 6])
