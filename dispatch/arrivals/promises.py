"""What was told of an order goes with it from one courier to the next: the promise is the order's; no I/O."""

from collections.abc import Iterable, Mapping, Sequence

from dispatch.arrivals.eta import Eta
from dispatch.arrivals.following import Following
from dispatch.stop import OrderId
from tracking.position import CourierId

Promises = dict[OrderId, tuple[Eta, ...]]
"""What was told of orders that nobody has now."""


def lost(told: Mapping[CourierId, Sequence[Eta]], followings: Mapping[CourierId, Following]) -> Promises:
    """What was told of orders that are not on the routes of those any more of whom it was told."""
    found: Promises = {}
    for courier_id, etas in told.items():
        following = followings.get(courier_id)
        there = set() if following is None else _orders_of(following)
        for eta in etas:
            if eta.stop.order_id not in there:
                found[eta.stop.order_id] = (*found.get(eta.stop.order_id, ()), eta)
    return found


def hand_on(
    promises: Promises, followings: Mapping[CourierId, Following], courier_ids: Iterable[CourierId]
) -> set[OrderId]:
    """
    Give what was told of orders that are new to some couriers to these; of which orders.

    Taken out of `promises`, or from somebody who is not known yet to have lost the order.
    """
    new: dict[OrderId, CourierId] = {}
    for courier_id in courier_ids:
        following = followings[courier_id]
        told = {eta.stop.order_id for eta in following.said}
        new |= dict.fromkeys(_orders_of(following) - told, courier_id)
    found = {order_id: promises.pop(order_id) for order_id in new.keys() & promises.keys()}
    wanted = new.keys() - found.keys()
    if wanted:
        for following in followings.values():
            for order_id in wanted & {eta.stop.order_id for eta in following.said}:
                found[order_id] = tuple(eta for eta in following.said if eta.stop.order_id == order_id)
    for order_id, etas in found.items():
        followings[new[order_id]].promise(etas)
    return set(found)


def _orders_of(following: Following) -> set[OrderId]:
    return {call.stop.order_id for call in following.itinerary.calls}
