"""Another window for an order that is there: only one that the plan allows, beside all that is promised."""

from collections.abc import Sequence
from datetime import UTC, datetime

from app.shapes.orders import OrderPatch, StopPatch, WindowShape, patched
from app.wiring.whatif import WhatIf
from dispatch.errors import PlannerBusy
from dispatch.orders.order import Order
from dispatch.region import preview

Span = tuple[datetime, datetime]


async def that_can_be_kept(what_if: WhatIf, order: Order, windows: Sequence[Span]) -> list[Span] | None:
    """Those of the windows that the planner would promise, each by itself; None: it cannot be asked now."""
    if not windows:
        return []
    horizon_s = int((max(ends for _, ends in windows) - datetime.now(UTC)).total_seconds())
    try:
        async with what_if.recipients.one():
            world = await what_if.world(
                order.region, places=[order.dropoff.at], order_ids=[order.id], horizon_s=horizon_s
            )
            tried = [preview.with_changed(world, patched(order, at_door(one, hard=True), ())[0]) for one in windows]
            base, *plans = await what_if.plans([world, *tried], horizon_s=horizon_s)
    except (TimeoutError, PlannerBusy):
        return None
    return [one for one, plan in zip(windows, plans, strict=True) if preview.can_be_promised(plan, base, order.id)]


def at_door(window: Span, *, hard: bool = False) -> OrderPatch:
    """The change that makes it the window of an order's door; `hard`: whoever comes later need not come at all."""
    begins, ends = (at.astimezone(UTC) for at in window)
    latest = ends if hard else None
    return OrderPatch(dropoff=StopPatch(window=WindowShape(from_=begins, to=ends), latest=latest))
