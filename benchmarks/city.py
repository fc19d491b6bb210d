"""A made-up city under way: couriers of four modes, open orders, a plan in force. The same for the same seed."""

from dataclasses import replace
from random import Random
from typing import Final
from uuid import UUID

import numpy as np

from dispatch.planning.params import Params
from dispatch.planning.proposal import Plan
from dispatch.planning.propose import propose
from dispatch.planning.snapshot import Job, Place, Snapshot, TravelMatrix, Visit, Worker
from dispatch.stop import OrderId
from dispatch.travel.great_circle import DEFAULT_PACES
from tracking.position import CourierId, Mode, Region

NOW: Final = 1_800_000_000
SERVICE_S: Final = 120
METRES: Final = 12_000
"""Side of the square; straight lines × detour ÷ speed of `DEFAULT_PACES`."""
SHARES: Final = {Mode.CAR: 0.2, Mode.MOTORCYCLE: 0.35, Mode.BICYCLE: 0.35, Mode.FOOT: 0.1}
REACH_M: Final = {Mode.CAR: None, Mode.MOTORCYCLE: None, Mode.BICYCLE: 5000, Mode.FOOT: 1500}


class City:
    """Grows places; `snapshot` is what the planner sees."""

    def __init__(self, *, n_couriers: int, n_orders: int, seed: int) -> None:
        self._chance = Random(seed)
        self._points: list[tuple[float, float]] = []
        self._restaurants = [self._somewhere() for _ in range(max(5, n_orders // 6))]
        self._n_orders = 0
        jobs = tuple(self.new_order() for _ in range(n_orders))
        workers = tuple(self._courier(number) for number in range(n_couriers))
        self.snapshot = Snapshot(
            region=Region("city"),
            now=NOW,
            jobs=jobs,
            workers=workers,
            travel=TravelMatrix(durations_s={}, distances_m={}),
        )
        self.measure_travel()

    def new_order(self) -> Job:
        """An order placed of late; its drop-off is a new place, so `measure_travel` must follow."""
        chance = self._chance
        pickup = chance.choice(self._restaurants)
        x, y = self._points[pickup]
        reach_m = chance.uniform(300, 4000)
        angle = chance.uniform(0, 2 * np.pi)
        dropoff = self._place(x + reach_m * np.cos(angle), y + reach_m * np.sin(angle))
        ready_at = NOW + chance.randint(-600, 1500)
        self._n_orders += 1
        return Job(
            order_id=OrderId(UUID(int=self._n_orders)),
            pickup=Visit(place=pickup, opens_at=ready_at, service_s=SERVICE_S),
            dropoff=Visit(place=dropoff, due_at=ready_at + 1800, closes_at=ready_at + 7200, service_s=SERVICE_S),
            placed_at=ready_at - 900,
            ready_at=ready_at,
            size=(chance.randint(1, 3),),
        )

    def measure_travel(self) -> None:
        """Travel times between all places so far."""
        at = np.array(self._points)
        metres = np.hypot(at[:, None, 0] - at[None, :, 0], at[:, None, 1] - at[None, :, 1])
        travel = TravelMatrix(
            durations_s={
                m: np.ceil(metres * p.detour / p.speed_mps).astype(np.int32) for m, p in DEFAULT_PACES.items()
            },
            distances_m={m: np.ceil(metres * p.detour).astype(np.int32) for m, p in DEFAULT_PACES.items()},
        )
        self.snapshot = replace(self.snapshot, travel=travel)

    def _courier(self, number: int) -> Worker:
        chance = self._chance
        (mode,) = chance.choices(list(SHARES), weights=list(SHARES.values()))
        return Worker(
            courier_id=CourierId(UUID(int=1_000_000 + number)),
            mode=mode,
            start=self._somewhere(),
            available_at=NOW + chance.choice([0, 0, chance.randint(0, 600)]),
            shift_ends_at=NOW + chance.randint(3600, 6 * 3600),
            capacity=(6,),
            max_orders=4,
            range_m=REACH_M[mode],
        )

    def _somewhere(self) -> Place:
        return self._place(self._chance.uniform(0, METRES), self._chance.uniform(0, METRES))

    def _place(self, x: float, y: float) -> Place:
        self._points.append((min(max(x, 0), METRES), min(max(y, 0), METRES)))
        return len(self._points) - 1


def in_force(snapshot: Snapshot, plan: Plan) -> Snapshot:
    """The snapshot with a plan in force and shown to its couriers."""
    stops = {route.courier_id: tuple(row.stop for row in route.stops) for route in plan.routes}
    return replace(
        snapshot,
        workers=tuple(
            replace(
                worker,
                route=stops[worker.courier_id],
                shown=frozenset(stop.order_id for stop in stops[worker.courier_id]),
            )
            for worker in snapshot.workers
        ),
    )


def under_way(*, n_couriers: int, n_orders: int, seed: int, params: Params) -> City:
    """A city with a plan in force."""
    city = City(n_couriers=n_couriers, n_orders=n_orders, seed=seed)
    city.snapshot = in_force(city.snapshot, propose(city.snapshot, params))
    return city
