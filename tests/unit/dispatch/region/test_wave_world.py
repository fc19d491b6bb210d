"""What one wave is made from."""

from datetime import timedelta

import numpy as np

from dispatch.aside import Aside
from dispatch.orders.courier import Shift
from dispatch.orders.depots import Depot
from dispatch.orders.order import OrderKind, OrderState, OrderStop, Window
from dispatch.region.day_world import Day, Free, snapshot_of
from dispatch.region.wave_world import again, at_depot
from dispatch.region.world import unix_s
from dispatch.travel.chain import TravelChain
from dispatch.travel.great_circle import GreatCircle
from tests.unit.dispatch.region.test_world import ANA, CORNER, DOOR, HOUR, KITCHEN, NOON, courier, order

NORTH = Depot(name="north", lat=KITCHEN.lat, lon=KITCHEN.lon, wave_every_s=3600)


def shift(**places):
    return Shift(starts_at=NOON - HOUR, ends_at=NOON + 8 * HOUR, **places)


def test_what_came_a_week_ago_comes_again_as_if_nothing_had_been_done():
    before = order(
        7,
        kind=OrderKind.DROPOFF,
        depot="north",
        state=OrderState.DELIVERED,
        courier_id=ANA,
        ready_at=NOON + HOUR,
        pickup=OrderStop(at=KITCHEN, window=Window(opens_at=NOON)),
        dropoff=OrderStop(at=DOOR, window=Window(opens_at=NOON + HOUR, closes_at=NOON + 3 * HOUR)),
        picked_up_at=NOON,
    )
    week = timedelta(weeks=1)
    after = again(before, week, NORTH)
    assert (after.state, after.courier_id, after.open_stops) == (OrderState.PLACED, None, ("pickup", "dropoff"))
    assert (after.placed_at, after.ready_at) == (NOON + week, NOON + HOUR + week)
    assert after.dropoff.window == Window(opens_at=NOON + HOUR + week, closes_at=NOON + 3 * HOUR + week)
    assert after.pickup.window == Window(opens_at=NOON + HOUR + week)  # it had waited for another wave
    assert after.id == again(before, week, NORTH).id != before.id


def test_couriers_of_a_wave_begin_and_end_at_the_depot_and_others_are_told_why_not():
    aside = Aside()
    for places in ({}, {"start": KITCHEN}, {"start": DOOR, "end": KITCHEN}):
        [found] = at_depot(courier(shifts=(shift(**places), shift(end=DOOR))), NORTH, aside).shifts
        assert (found.start, found.end) == (KITCHEN, KITCHEN)
    assert not aside.causes
    assert at_depot(courier(shifts=(shift(start=DOOR),)), NORTH, aside) is None
    assert [str(cause) for cause in aside.causes.values()] == ["no shift begins or ends at the depot north"]


async def test_courier_who_is_busy_is_at_the_depot_when_back_from_there():
    day = Day(
        region="default",
        starts_at=NOON,
        ends_at=NOON + 8 * HOUR,
        orders=(order(1, kind=OrderKind.DROPOFF, depot="north"),),
        couriers=(courier(shifts=(shift(start=KITCHEN, end=KITCHEN),)),),
        depots=(NORTH,),
        free={ANA: Free(at=CORNER, since=NOON + HOUR)},
    )
    seen = await snapshot_of(day, TravelChain(great_circle=GreatCircle()), budget_s=60)
    [worker] = seen.workers
    ways_s = seen.travel.durations_s[worker.mode][:, worker.start]
    assert worker.available_at - unix_s(NOON + HOUR) == int(np.max(ways_s)) > 0
