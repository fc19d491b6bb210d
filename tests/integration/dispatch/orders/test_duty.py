"""Going off duty by whatever door, and shifts that do not share time."""

from datetime import timedelta

import pytest

from dispatch.errors import ExternalIdInUse, ShiftOverlaps
from dispatch.orders import duty, handover
from dispatch.orders.courier import Shift
from dispatch.orders.order import OrderState
from tests.integration.dispatch.conftest import NOON
from tracking.errors import CourierNotFound

HOUR = timedelta(hours=1)


async def test_going_off_duty_takes_away_what_is_not_collected_and_tells_it(city):
    ana = await city.hire()
    order = await city.place()
    async with city.desk() as desk:
        await handover.assign(desk, order.id, ana, expires_in=HOUR)
    async with city.desk() as desk:
        [now] = await duty.go_off_duty(desk, [ana])
    assert not now.on_duty
    assert (await city.order(order.id)).state is OrderState.PLACED
    assert ("default", "courier.changed", {"courier_id": str(ana)}) in desk.events
    async with city.desk() as desk:
        assert (await duty.go_on_duty(desk, ana)).version == now.version + 1


async def test_nobody_goes_on_or_off_duty_who_is_not_there(city):
    order = await city.place()
    with pytest.raises(CourierNotFound):
        async with city.desk() as desk:
            await duty.go_on_duty(desk, order.id)
    with pytest.raises(CourierNotFound):
        async with city.desk() as desk:
            await duty.go_off_duty(desk, [order.id])


async def test_shift_that_shares_time_with_another_is_refused_and_names_it(city):
    ana = await city.hire()
    async with city.desk() as desk:
        first = await duty.add_shift(desk, ana, Shift(starts_at=NOON, ends_at=NOON + 2 * HOUR))
    with pytest.raises(ShiftOverlaps) as refused:
        async with city.desk() as desk:
            await duty.add_shift(desk, ana, Shift(starts_at=NOON + HOUR, ends_at=NOON + 3 * HOUR))
    assert refused.value.facts == {"shift_id": first.id}
    async with city.desk() as desk:
        await duty.remove_shift(desk, ana, first.id)
        await duty.add_shift(desk, ana, Shift(starts_at=NOON + HOUR, ends_at=NOON + 3 * HOUR))
    shifts = await duty.list_shifts(city.pool, ana, ending_after=None, starting_before=None)
    assert [shift.starts_at for shift in shifts] == [NOON + HOUR]


async def test_desk_goes_on_after_an_external_id_that_is_in_use(city):
    first = await city.place(external_id="A-1")
    async with city.desk() as desk:
        with pytest.raises(ExternalIdInUse) as refused:
            await desk.place(first)
        assert refused.value.facts == {"external_id": "A-1", "id": first.id}
        assert (await desk.get_order(first.id)).id == first.id
