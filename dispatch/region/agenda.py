"""
Which parts of a region are planned in a turn, and in which order; no I/O.

A small region is one part, planned in every turn. In a large one the orders that wait come first, a few of them with
the couriers around them: a plan that is quickly made, so that an order does not wait for the plans of others. Then come
the parts where something has changed; the rest is planned again when its last plan has become old. Only what a process
remembers of its own plans: another one that takes over begins with all of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from dispatch.orders.order import Order, OrderState
from dispatch.planning.proposal import Plan, ReasonCode
from dispatch.region.parts import around, is_large, split, without
from dispatch.region.world import Whereabouts, World
from dispatch.stop import OrderId
from tracking.position import CourierId

FIRST_ORDERS: Final = 12
"""Orders that wait are planned so many at a time before all else..."""
FIRST_AMONG_COURIERS: Final = 60
FIRST_AMONG_ORDERS: Final = 90
"""... among so many couriers and orders, those nearest to them: some tenths of a second to plan."""
PUT_OFF_AT_MOST: Final = 3
"""So often an order that had no time waits as if it were new; then it counts as one that found nobody."""
OLD_AFTER_S: Final = 10.0
"""A plan of a part is made again after this, when nothing happened: times pass, couriers move, orders fall due."""


@dataclass(slots=True)
class Agenda:
    """What was planned of a region, and when."""

    turn: int = 0
    tries: dict[OrderId, int] = field(default_factory=dict)
    """Orders that found nobody, and how often."""
    _put_off: dict[OrderId, int] = field(default_factory=dict)
    """Orders for which there was no time, or whose plan did not fit any more, and how often in a row."""
    _versions: dict[OrderId, int] = field(default_factory=dict)
    """Of the orders, as they were last planned."""
    _planned_at: dict[CourierId, float] = field(default_factory=dict)

    def first(self, world: World, whereabouts: Mapping[CourierId, Whereabouts]) -> World | None:
        """
        The most urgent orders that wait, among all around them; None: there are none, or the region is small.

        Those that are in somebody's route have a plan: after a takeover that is nearly all of them.
        """
        if not is_large(world):
            return None
        routed = {stop.order_id for route in world.routes.values() for stop in route.sequence}
        waiting = [
            one
            for one in world.orders
            if one.state is OrderState.PLACED and one.id not in routed and self._is_changed(one)
        ]
        # Those that were tried before stand back: what cannot be planned at all keeps nobody else waiting.
        waiting.sort(key=lambda one: (self._put_off.get(one.id, 0), -one.priority, _wanted_at(one)))
        chosen = waiting[:FIRST_ORDERS]
        groups = {one.group_id for one in chosen} - {None}
        asked = {one.id for one in chosen}
        asked |= {one.id for one in world.orders if one.group_id in groups and one.state is OrderState.PLACED}
        if not asked:
            return None
        return around(
            world,
            whereabouts,
            (),
            frozenset(asked),
            most_couriers=FIRST_AMONG_COURIERS,
            most_orders=FIRST_AMONG_ORDERS,
        )

    def due(
        self,
        world: World,
        whereabouts: Mapping[CourierId, Whereabouts],
        now_s: float,
        *,
        but: World | None = None,
    ) -> list[World]:
        """
        The parts to be planned now, the most urgent first; the whole world where it is one part.

        `but`: what was planned a moment ago, whose routes are others now; its turn comes again with the next.
        """
        self._forget_others(world)
        rest = world if but is None else without(world, but)
        parts = split(rest, whereabouts, turn=self.turn, tries=self.tries)
        self.turn += 1
        if len(parts) == 1:
            return parts
        ranked = [(self._rank(part, now_s), number) for number, part in enumerate(parts)]
        return [parts[number] for rank, number in sorted(ranked) if rank[0] < _NOT_DUE]

    def to_search(self, world: World, whereabouts: Mapping[CourierId, Whereabouts]) -> World:
        """The part whose turn it is to be searched."""
        parts = split(world, whereabouts, turn=self.turn)
        self.turn += 1
        return parts[self.turn % len(parts)]

    def planned(
        self,
        part: World,
        plan: Plan | None,
        offered: frozenset[OrderId],
        now_s: float,
        *,
        dropped: frozenset[OrderId] = frozenset(),
    ) -> None:
        """
        Note that a part was planned; the orders `offered` have changed by that.

        Those that were `dropped`, because something had changed meanwhile, and those for which there was no time, wait
        as before, for some times. Their part has had its turn all the same: one that is never done keeps no other
        waiting.
        """
        left = {one.order_id: one.reasons for one in plan.unassigned} if plan is not None else {}
        had_no_time = {order_id for order_id, reasons in left.items() if ReasonCode.OUT_OF_TIME in reasons}
        self._planned_at |= dict.fromkeys((courier.id for courier in part.couriers), now_s)
        for order in part.orders:
            n_put_off = self._put_off.pop(order.id, 0)
            if order.id in had_no_time | dropped and n_put_off < PUT_OFF_AT_MOST:
                self._put_off[order.id] = n_put_off + 1
                continue
            self._versions[order.id] = order.version + (order.id in offered)
            if order.id in left:
                self.tries[order.id] = self.tries.get(order.id, 0) + 1
            else:
                self.tries.pop(order.id, None)

    @property
    def n_left(self) -> int:
        """Orders that nobody was found for, or looked for in time."""
        return len(self.tries.keys() | self._put_off.keys())

    def _rank(self, part: World, now_s: float) -> tuple[int, float]:
        oldest = min((self._planned_at.get(courier.id, 0.0) for courier in part.couriers), default=0.0)
        changed = [order for order in part.orders if self._is_changed(order)]
        if any(order.state is OrderState.PLACED for order in changed):
            return _WAITS, oldest
        if changed:
            return _CHANGED, oldest
        return _OLD if now_s - oldest >= OLD_AFTER_S else _NOT_DUE, oldest

    def _is_changed(self, order: Order) -> bool:
        """Since it was last planned, or it never was."""
        return self._versions.get(order.id) != order.version

    def _forget_others(self, world: World) -> None:
        """What is not in the region any more is not kept."""
        orders = {order.id for order in world.orders}
        couriers = {courier.id for courier in world.couriers}
        self._versions = {id_: version for id_, version in self._versions.items() if id_ in orders}
        self.tries = {id_: n for id_, n in self.tries.items() if id_ in orders}
        self._put_off = {id_: n for id_, n in self._put_off.items() if id_ in orders}
        self._planned_at = {id_: at for id_, at in self._planned_at.items() if id_ in couriers}


def _wanted_at(order: Order) -> datetime:
    """When it could be collected at the earliest."""
    return max(at for at in (order.placed_at, order.ready_at, order.pickup.window.opens_at) if at is not None)


_WAITS, _CHANGED, _OLD, _NOT_DUE = range(4)
