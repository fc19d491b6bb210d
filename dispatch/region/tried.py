"""
Which orders of a region are worth another try, when most of it is as it was; no I/O.

A plan moves orders only where that saves something, and in a world that has not changed nothing does any more. So what
was tried in vain is left alone until the order, its courier's route or that of a courier near its pickup is another, or
until some time has passed: times pass, and couriers move. Orders that nobody has are tried in every plan.
"""

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from dispatch.planning.proposal import Plan
from dispatch.planning.snapshot import Snapshot, UnixS, Worker
from dispatch.region.world import World
from dispatch.stop import OrderId
from tracking.position import CourierId

AGAIN_AFTER_S: Final = 60
"""What was tried in vain is tried again after this."""
SPREAD_S: Final = 60
"""And so much more, by the order: not everything in one turn."""
SOON_AFTER_S: Final = 10
"""After a plan that had no time to try everything."""


@dataclass(slots=True)
class Tried:
    """What was tried of a region's orders, and with which routes around them."""

    _looks: dict[CourierId, Hashable] = field(default_factory=dict)
    """Of couriers, as they were last planned."""
    _versions: dict[OrderId, int] = field(default_factory=dict)
    _due_at: dict[OrderId, UnixS] = field(default_factory=dict)

    def again(self, snapshot: Snapshot, versions: Mapping[OrderId, int], n_nearest: int) -> frozenset[OrderId]:
        """
        The orders to be tried; `versions`: of all orders of the snapshot; `n_nearest`: so many couriers around a pickup
        count as near.
        """
        around = _around(snapshot, [self._looks.get(w.courier_id) != _look(w) for w in snapshot.workers], n_nearest)
        held = {stop.order_id for worker in snapshot.workers for stop in worker.route}
        return frozenset(
            job.order_id
            for job, is_around in zip(snapshot.jobs, around.tolist(), strict=True)
            if is_around
            or job.order_id not in held
            or self._versions.get(job.order_id) != versions.get(job.order_id)
            or self._due_at.get(job.order_id, 0) <= snapshot.now
        )

    def note(
        self,
        snapshot: Snapshot,
        plan: Plan,
        versions: Mapping[OrderId, int],
        again: Collection[OrderId],
        *,
        is_cut_short: bool = False,
    ) -> None:
        """
        These were tried for a plan; `is_cut_short`: as far as there was time.

        What it has changed itself is no reason to try what is around once more, unless it had no time for that.
        """
        planned = {} if is_cut_short else {one.courier_id: tuple(row.stop for row in one.stops) for one in plan.routes}
        for worker in snapshot.workers:
            route = planned.get(worker.courier_id, worker.route)
            self._looks[worker.courier_id] = _look(replace(worker, route=route))
        self._versions |= versions
        after_s = SOON_AFTER_S if is_cut_short else AGAIN_AFTER_S
        self._due_at |= {id_: snapshot.now + after_s + id_.int % SPREAD_S for id_ in again}

    def keep(self, world: World) -> None:
        """What is not in the region any more is forgotten."""
        orders = {order.id for order in world.orders}
        couriers = {courier.id for courier in world.couriers}
        self._looks = {id_: look for id_, look in self._looks.items() if id_ in couriers}
        self._versions = {id_: version for id_, version in self._versions.items() if id_ in orders}
        self._due_at = {id_: at for id_, at in self._due_at.items() if id_ in orders}


def _look(worker: Worker) -> Hashable:
    """What others are weighed against: where the courier is, and that times pass, is left out."""
    return worker.route, worker.max_orders, worker.has_fresh_position, worker.shift_ends_at, worker.breaks


def _around(snapshot: Snapshot, is_changed: list[bool], n_nearest: int) -> npt.NDArray[np.bool_]:
    """By job: whether one of the workers nearest to its pickup, from anywhere on their routes, has changed."""
    jobs, workers = snapshot.jobs, snapshot.workers
    if not any(is_changed) or not jobs:
        return np.zeros(len(jobs), dtype=np.bool_)
    by_id = {job.order_id: job for job in jobs}
    pickups = [job.pickup.place for job in jobs]
    to_pickups = {mode: durations[:, pickups] for mode, durations in snapshot.travel.durations_s.items()}
    away_s = np.empty((len(workers), len(jobs)), dtype=np.int32)
    for number, worker in enumerate(workers):
        stops = [by_id[stop.order_id].at(stop.kind) for stop in worker.route if stop.order_id in by_id]
        away_s[number] = to_pickups[worker.mode][[worker.start, *stops]].min(axis=0)
    n = min(n_nearest, len(workers))
    nearest = np.argpartition(away_s, n - 1, axis=0)[:n]
    theirs = {stop.order_id for number, worker in enumerate(workers) if is_changed[number] for stop in worker.route}
    found = np.array([job.order_id in theirs for job in jobs])
    found |= np.array(is_changed)[nearest].any(axis=0)
    return found
