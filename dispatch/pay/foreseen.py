"""What an order would bring a courier, as far as it can be foreseen; no I/O."""

from datetime import datetime
from zoneinfo import ZoneInfo

from dispatch.orders.order import Order
from dispatch.pay.accrual import for_order
from dispatch.pay.ended import flagged, metres, units_of
from dispatch.pay.facts import Facts, Outcome, local
from dispatch.pay.rules import Rules
from tracking.position import Mode


def foreseen(rules: Rules, order: Order, mode: Mode, at: datetime, zone: ZoneInfo) -> int:
    """Minor units, if it is delivered then: nothing is waited for, and nobody is late."""
    facts = Facts(
        outcome=Outcome.DELIVERED,
        mode=mode,
        **local(at, zone),
        distance_m=metres(order.pickup.at, order.dropoff.at),
        units=units_of(dict(order.size)),
        priority=order.priority,
        attempt=order.attempt,
        partner=order.partner,
    )
    return sum(line.amount for line in for_order(rules, flagged(facts, rules, at)))
