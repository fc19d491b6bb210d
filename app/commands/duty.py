"""A courier goes on or off duty at a desk, with its line in the audit log."""

from app.web.audit import audit
from app.web.auth import Caller
from dispatch.orders import duty
from dispatch.orders.desk import Desk
from dispatch.orders.duty import Duty
from tracking.position import CourierId


async def set_duty(desk: Desk, courier_id: CourierId, caller: Caller, *, on_duty: bool) -> Duty:
    """Within a desk's transaction; raises CourierNotFound, and GoodsOnBoard for who goes off duty with goods."""
    if on_duty:
        now = await duty.go_on_duty(desk, courier_id)
    else:
        [now] = await duty.go_off_duty(desk, [courier_id])
    await audit(desk.connection, caller, "courier.on_duty" if on_duty else "courier.off_duty", f"courier:{courier_id}")
    return now
