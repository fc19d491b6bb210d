"""A day ahead as the planner sees it: where couriers begin and end."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from dispatch.orders.courier import Courier, Shift
from dispatch.orders.order import Order, OrderKind, OrderState, OrderStop
from dispatch.region.day_world import Day, snapshot_of
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
