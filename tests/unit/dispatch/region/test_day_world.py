"""A day ahead as the planner sees it: where couriers begin and end."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from dispatch.orders.courier import Courier, Shift
from dispatch.orders.depots import Depot
from dispatch.orders.order import Order, OrderKind, OrderState, OrderStop, Window
from dispatch.planning.day import plan_day
from dispatch.planning.profiles import DAYS, PROFILES, Profile
from dispatch.region.day_world import Day, depots_of, snapshot_of
from dispatch.travel.chain import TravelChain
from dispatch.travel.great_circle import GreatCircle
from tracking.position import LatLon, Mode

MORNING = datetime(2026, 11, 24, 6, tzinfo=UTC)
KITCHEN, DOOR, NORTH, SOUTH = (LatLon(lat, -8.61) for lat in (41.15, 41.16, 41.17, 41.14))

ORDER = Order(
    id=UUID(int=1),
    region="default",
    pickup=OrderStop(at=KITCHEN),
    dropoff=OrderStop(at=DOOR),
    state=OrderState.PLACED,
    version=1,
    placed_at=MORNING,
)


@pytest.mark.parametrize(
    ("places", "start", "end"),
    [({}, None, None), ({"end": SOUTH}, SOUTH, SOUTH), ({"start": NORTH, "end": SOUTH}, NORTH, SOUTH)],
)
async def test_courier_begins_where_the_shift_does_or_else_where_it_ends(places, start, end):
    shift = Shift(starts_at=MORNING, ends_at=MORNING + timedelta(hours=8), **places)
    courier = Courier(id=UUID(int=2), region="default", mode=Mode.CAR, shifts=(shift,))
    day = Day(region="default", starts_at=MORNING, ends_at=shift.ends_at, orders=(ORDER,), couriers=(courier,))
    seen = await snapshot_of(day, TravelChain(great_circle=GreatCircle()), budget_s=60)
    [worker], [job] = seen.workers, seen.jobs
    metres = seen.travel.distances_m[Mode.CAR]
    apart = {NORTH: 2, SOUTH: 1}

    def way(place):
        return round(float(metres[place, job.pickup.place]) / float(metres[job.pickup.place, job.dropoff.place]), 1)

    assert (0 if start is None else apart[start]) == way(worker.start)
    assert (worker.end is None) if end is None else (way(worker.end) == apart[end])


@pytest.mark.parametrize(("kind", "on_board"), [(OrderKind.DROPOFF, 1), (OrderKind.PICKUP, 1), (OrderKind.SERVICE, 0)])
async def test_visit_takes_no_room_of_a_day_and_goods_do(kind, on_board):
    day = Day(
        region="default",
        starts_at=MORNING,
        ends_at=MORNING + timedelta(hours=8),
        orders=(replace(ORDER, kind=kind, pickup=ORDER.dropoff),),
        couriers=(),
    )
    [job] = (await snapshot_of(day, TravelChain(great_circle=GreatCircle()), budget_s=60)).jobs
    assert (job.size[0], job.size[-1]) == (on_board, on_board)


async def seen_at_depots(depots, **places):
    """A visit in the north, hours later one in the south: the depots of that route, and the route."""
    visits = []
    for number, (at, hours) in enumerate([(NORTH, 1), (SOUTH, 5)]):
        opens_at = MORNING + timedelta(hours=hours)
        stop = OrderStop(at=at, window=Window(opens_at=opens_at, closes_at=opens_at + timedelta(hours=1)))
        visits.append(replace(ORDER, id=UUID(int=10 + number), kind=OrderKind.SERVICE, pickup=stop, dropoff=stop))
    shift = Shift(starts_at=MORNING, ends_at=MORNING + timedelta(hours=8), **places)
    courier = Courier(id=UUID(int=2), region="default", mode=Mode.CAR, shifts=(shift,))
    day = Day(
        region="default",
        starts_at=MORNING,
        ends_at=shift.ends_at,
        orders=tuple(visits),
        couriers=(courier,),
        depots=depots,
        shifts_at_depots=True,
    )
    seen = await snapshot_of(day, TravelChain(great_circle=GreatCircle()), budget_s=60)
    plan = plan_day(seen, PROFILES[Profile.PARCEL], DAYS[Profile.PARCEL], seconds=1, steps=200)
    assert plan.unassigned == ()
    [route] = plan.routes
    return depots_of(route, day, seen), route


AT_NORTH, AT_KITCHEN, AT_SOUTH = (
    Depot(name=name, lat=at.lat, lon=at.lon) for name, at in [("north", NORTH), ("kitchen", KITCHEN), ("south", SOUTH)]
)


async def test_shift_begins_and_ends_at_the_depots_that_cost_least():
    chosen, route = await seen_at_depots((AT_KITCHEN, AT_SOUTH, AT_NORTH))
    assert chosen == (AT_NORTH, AT_SOUTH)
    # As if it had been said that it begins and ends there.
    said, told = await seen_at_depots((AT_KITCHEN,), start=NORTH, end=SOUTH)
    assert said == (None, None)
    assert route.cost["travel"] == told.cost["travel"]


async def test_place_that_a_shift_names_is_kept():
    assert (await seen_at_depots((AT_NORTH, AT_SOUTH), start=KITCHEN))[0] == (None, AT_SOUTH)
    assert (await seen_at_depots((AT_NORTH, AT_SOUTH), end=KITCHEN))[0] == (None, None)


async def test_depot_that_is_closed_then_is_not_chosen_unless_all_are():
    # The shift is from 6 to 14: the one opens too late to begin there, the other closes when it ends.
    late = replace(AT_NORTH, opens="07:00", closes="20:00")
    just = replace(AT_SOUTH, opens="05:00", closes="14:00")
    assert (await seen_at_depots((late, AT_KITCHEN, just)))[0] == (AT_KITCHEN, just)
    shut = tuple(replace(depot, opens="21:00", closes="22:00") for depot in (AT_NORTH, AT_SOUTH))
    assert (await seen_at_depots(shut))[0] == shut
