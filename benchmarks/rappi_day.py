"""A recorded day of a Colombian platform (Rappi, by way of mdrp-sim): read, and lived through second by second."""

import asyncio
import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Final
from uuid import UUID

from dispatch.planning.params import Params
from dispatch.planning.proposal import Plan, ScheduledStop
from dispatch.planning.propose import propose
from dispatch.planning.snapshot import Job, Snapshot, UnixS, Visit, Worker
from dispatch.region.matrix import Places, travel_matrix
from dispatch.stop import OrderId, PlannedStop, StopKind
from dispatch.travel import TravelTimes
from tracking.position import CourierId, LatLon, Mode, Region

DAY: Final = 1_600_041_600
"""Midnight (UTC) of a Monday; the files hold times of day only."""
MODES: Final = {"walking": Mode.FOOT, "bicycle": Mode.BICYCLE, "motorcycle": Mode.MOTORCYCLE, "car": Mode.CAR}
REACH_M: Final = {Mode.FOOT: 2_500, Mode.BICYCLE: 7_000}
"""Farthest pickup; nobody walks across the city."""
SERVICE_S: Final = 120
GIVE_UP_S: Final = 2 * 3600
"""An order that nobody has collected so long after it was ready is lost."""
EPOCH_S: Final = 60
GRID_S: Final = 15
"""Events within so many seconds are one decision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rider:
    """A courier of the day."""

    courier_id: CourierId
    mode: Mode
    at: LatLon
    on_at: UnixS
    off_at: UnixS


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """An order of the day."""

    order_id: OrderId
    pickup: LatLon
    dropoff: LatLon
    placed_at: UnixS
    ready_at: UnixS
    due_at: UnixS


@dataclass(slots=True, kw_only=True)
class Doing:
    """What a courier is doing."""

    at: LatLon
    free_at: UnixS
    route: tuple[PlannedStop, ...] = ()
    arrives_at: UnixS | None = None
    """At the first stop of the route, when driving there or waiting at it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """How an order went."""

    mode: Mode
    click_to_door_s: int
    ready_to_pickup_s: int
    late_s: int
    n_on_board: int
    """Orders on board after its pickup, itself included."""


@dataclass(slots=True, kw_only=True)
class Log:
    """What is measured."""

    delivered: list[Delivered] = field(default_factory=list)
    n_lost: int = 0
    decision_ms: list[float] = field(default_factory=list)
    matrix_ms: list[float] = field(default_factory=list)
    sources: dict[str, int] = field(default_factory=dict)


def read_day(folder: Path) -> tuple[list[Rider], list[Parcel]]:
    """Couriers and orders of one instance."""
    with (folder / "couriers.csv").open() as file:
        riders = [
            Rider(
                courier_id=CourierId(UUID(int=1_000_000 + int(row["courier_id"]))),
                mode=MODES[row["vehicle"]],
                at=LatLon(float(row["on_lat"]), float(row["on_lng"])),
                on_at=_instant(row["on_time"]),
                off_at=_instant(row["off_time"]),
            )
            for row in csv.DictReader(file)
        ]
    with (folder / "orders.csv").open() as file:
        parcels = [
            Parcel(
                order_id=OrderId(UUID(int=int(row["order_id"]))),
                pickup=LatLon(float(row["pick_up_lat"]), float(row["pick_up_lng"])),
                dropoff=LatLon(float(row["drop_off_lat"]), float(row["drop_off_lng"])),
                placed_at=_instant(row["placement_time"]),
                ready_at=_instant(row["ready_time"]),
                due_at=_instant(row["expected_drop_off_time"]),
            )
            for row in csv.DictReader(file)
        ]
    return riders, sorted(parcels, key=lambda parcel: parcel.placed_at)


def _instant(time_of_day: str) -> UnixS:
    hours, minutes, seconds = map(int, time_of_day.split(":"))
    return DAY + 3600 * hours + 60 * minutes + seconds


class Simulation:
    """One day through the planner. An order is known from its placement on, its ready time with it."""

    def __init__(
        self,
        riders: Sequence[Rider],
        parcels: Sequence[Parcel],
        travel: TravelTimes,
        params: Params,
        *,
        budget_s: float,
    ) -> None:
        self._riders = sorted(riders, key=lambda rider: rider.on_at)
        self._waiting = list(reversed(parcels))
        self._open: dict[OrderId, Parcel] = {}
        self._on_board: dict[OrderId, CourierId] = {}
        self._collected: dict[OrderId, tuple[UnixS, int]] = {}
        self._doing = {rider.courier_id: Doing(at=rider.at, free_at=rider.on_at) for rider in riders}
        self._travel = travel
        self._params = params
        self._budget_s = budget_s
        self.log = Log()

    async def run(self) -> Log:
        """From the first order until all are delivered or lost."""
        now = self._waiting[-1].placed_at
        while self._waiting or self._open:
            self._advance(now)
            self._place_and_give_up(now)
            on_duty = [rider for rider in self._riders if self._is_on_duty(rider, now)]
            if self._open and on_duty:
                self._carry_out(on_duty, await self._decide(on_duty, now), now)
            now = self._next(now)
        return self.log

    def _is_on_duty(self, rider: Rider, now: UnixS) -> bool:
        return rider.on_at <= now < rider.off_at or bool(self._doing[rider.courier_id].route)

    def _place_and_give_up(self, now: UnixS) -> None:
        while self._waiting and self._waiting[-1].placed_at <= now:
            parcel = self._waiting.pop()
            self._open[parcel.order_id] = parcel
        under_way = {d.route[0].order_id for d in self._doing.values() if d.arrives_at is not None}
        for order_id, parcel in list(self._open.items()):
            if order_id not in self._on_board and order_id not in under_way and now > parcel.ready_at + GIVE_UP_S:
                del self._open[order_id]
                self.log.n_lost += 1

    def _advance(self, now: UnixS) -> None:
        """Serve every stop whose service has begun by now."""
        for rider in self._riders:
            doing = self._doing[rider.courier_id]
            while doing.arrives_at is not None:
                stop = doing.route[0]
                parcel = self._open[stop.order_id]
                opens_at = parcel.ready_at if stop.kind is StopKind.PICKUP else 0
                starts_at = max(doing.arrives_at, opens_at)
                if starts_at > now:
                    break
                doing.at = parcel.pickup if stop.kind is StopKind.PICKUP else parcel.dropoff
                doing.free_at = max(doing.free_at, starts_at + SERVICE_S)
                doing.route, doing.arrives_at = doing.route[1:], None
                self._serve(rider, stop, parcel, starts_at)
                # The next stop of the same stay needs no decision.
                if doing.route and doing.route[0].kind is stop.kind and doing.route[0].order_id in self._open:
                    after = self._open[doing.route[0].order_id]
                    if (after.pickup if stop.kind is StopKind.PICKUP else after.dropoff) == doing.at:
                        doing.arrives_at = starts_at

    def _serve(self, rider: Rider, stop: PlannedStop, parcel: Parcel, starts_at: UnixS) -> None:
        if stop.kind is StopKind.PICKUP:
            self._on_board[stop.order_id] = rider.courier_id
            n_on_board = sum(courier_id == rider.courier_id for courier_id in self._on_board.values())
            self._collected[stop.order_id] = (starts_at, n_on_board)
            return
        picked_at, n_on_board = self._collected.pop(stop.order_id)
        del self._on_board[stop.order_id], self._open[stop.order_id]
        self.log.delivered.append(
            Delivered(
                mode=rider.mode,
                click_to_door_s=starts_at - parcel.placed_at,
                ready_to_pickup_s=max(0, picked_at - parcel.ready_at),
                late_s=max(0, starts_at - parcel.due_at),
                n_on_board=n_on_board,
            )
        )

    async def _decide(self, on_duty: Sequence[Rider], now: UnixS) -> Plan:
        places = Places()
        jobs = tuple(self._job(parcel, places) for parcel in self._open.values())
        n_destinations = len(places.known)
        workers = tuple(self._worker(rider, places, now) for rider in on_duty)
        modes = sorted({worker.mode for worker in workers})
        began = perf_counter()
        matrix = await travel_matrix(
            self._travel,
            tuple(places.known),
            n_destinations,
            modes,
            datetime.fromtimestamp(now, UTC),
            budget_s=self._budget_s,
        )
        self.log.matrix_ms.append(1000 * (perf_counter() - began))
        for source in matrix.sources.values():
            self.log.sources[source] = self.log.sources.get(source, 0) + 1
        snapshot = Snapshot(region=Region("rappi"), now=now, jobs=jobs, workers=workers, travel=matrix)
        began = perf_counter()
        plan = await asyncio.to_thread(propose, snapshot, self._params)
        self.log.decision_ms.append(1000 * (perf_counter() - began))
        return plan

    def _job(self, parcel: Parcel, places: Places) -> Job:
        return Job(
            order_id=parcel.order_id,
            pickup=Visit(place=places.number(parcel.pickup), opens_at=parcel.ready_at, service_s=SERVICE_S),
            dropoff=Visit(place=places.number(parcel.dropoff), due_at=parcel.due_at, service_s=SERVICE_S),
            placed_at=parcel.placed_at,
            ready_at=parcel.ready_at,
            onboard_of=self._on_board.get(parcel.order_id),
        )

    def _worker(self, rider: Rider, places: Places, now: UnixS) -> Worker:
        """While driving, a courier is where and when the leg ends."""
        doing = self._doing[rider.courier_id]
        at, available_at = doing.at, max(doing.free_at, now)
        if doing.arrives_at is not None:
            parcel = self._open[doing.route[0].order_id]
            at = parcel.pickup if doing.route[0].kind is StopKind.PICKUP else parcel.dropoff
            available_at = max(doing.arrives_at, now)
        return Worker(
            courier_id=rider.courier_id,
            mode=rider.mode,
            start=places.number(at),
            available_at=available_at,
            shift_ends_at=rider.off_at,
            max_orders=4,
            range_m=REACH_M.get(rider.mode),
            route=tuple(stop for stop in doing.route if stop.order_id in self._open),
            n_locked=int(doing.arrives_at is not None),
        )

    def _carry_out(self, on_duty: Sequence[Rider], plan: Plan, now: UnixS) -> None:
        """Couriers who must leave, leave; the rest of the plan is an intention."""
        fixed = {row.order_id for row in plan.assignments if row.commit}
        for rider, route in zip(on_duty, plan.routes, strict=True):
            doing = self._doing[rider.courier_id]
            doing.route = tuple(row.stop for row in route.stops)
            if doing.arrives_at is None and doing.route and doing.free_at <= now and doing.route[0].order_id in fixed:
                doing.arrives_at = _arrival(route.stops[0], now)

    def _next(self, now: UnixS) -> UnixS:
        """The next event on the grid, or the next epoch."""
        events = [now + EPOCH_S] if self._open else []
        if self._waiting:
            events.append(self._waiting[-1].placed_at)
        for doing in self._doing.values():
            if doing.arrives_at is not None:
                events.append(doing.arrives_at)
            elif doing.route:
                events.append(doing.free_at)
        soonest = min((event for event in events if event > now), default=now + EPOCH_S)
        return now + GRID_S * max(1, -(-(soonest - now) // GRID_S))


def _arrival(first: ScheduledStop, now: UnixS) -> UnixS:
    return max(first.arrives_at, now)
