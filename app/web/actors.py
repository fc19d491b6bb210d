"""Who does something to an order, as its timeline says it."""

from app.web.auth import Caller
from dispatch.orders.order import Actor


def actor_of(caller: Caller) -> Actor:
    """Who an order's timeline says it was."""
    return Actor(id=caller.actor, role=caller.role.value)
