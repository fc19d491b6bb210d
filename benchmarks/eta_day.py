"""
A day of a city that never was, lived through with the planner and the arrivals that ship, for benchmarks/eta.py and
tests; no I/O.

Couriers ride as the hour, the quarter and their own legs have it; kitchens are slow or quick. Both are learned from the
days before, by the product's own code; then the planner plans, the arrivals are kept, and what came of it is looked at.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from math import exp
from typing import Any, Final
from uuid import UUID

import numpy as np

from benchmarks.scores import horizon_of
from dispatch.arrivals import promises
from dispatch.arrivals.eta import Eta
from dispatch.arrivals.following import Following
from dispatch.arrivals.forecast import Forecaster
from dispatch.arrivals.itinerary import Call, Itinerary
from dispatch.arrivals.steady import CAUSES
from dispatch.arrivals.widths import Widths
from dispatch.learning.factors import LearnedFactors
from dispatch.learning.service_times import ServiceTimes, TrackedService, learn_services
from dispatch.learning.travel_model import GREAT_CIRCLE, TrackedLeg, TravelModel, default_s, hour_of_week, learn
from dispatch.orders.courier import Courier
from dispatch.orders.order import Order, OrderState, OrderStop, Window
from dispatch.planning.params import Params
from dispatch.planning.proposal import Plan
from dispatch.planning.propose import propose
from dispatch.region.matrix import travel_matrix
from dispatch.region.world import RouteInForce, StopInForce, Whereabouts, World, survey
from dispatch.stop import OrderId, PlannedStop, StopKind
from dispatch.travel.corrected import Corrected
from dispatch.travel.great_circle import GreatCircle
from tracking.geo import distance_m
from tracking.position import CourierId, LatLon, Mode, Region

REGION: Final = Region("bench")
MODE: Final = Mode.BICYCLE
MIDDLE: Final = LatLon(41.155, -8.62)
TICK_S: Final = 15
PROMISE_S: Final = 40 * 60
OPENS: Final = datetime(2026, 3, 20, 11, 30, tzinfo=UTC)
"""A Friday."""


@dataclass(frozen=True, slots=True, kw_only=True)
class City:
    """What is true, and nobody knows."""

    seed: int
    n_kitchens: int = 25
    rush: float = 0.25
    courier_sd: float = 0.1
    noise_sd: float = 0.2
    stay_sd: float = 0.4

    def place(self, dice: np.random.Generator, spread_m: float = 1300.0) -> LatLon:
        """Somewhere, more likely near the middle."""
        north, east = dice.normal(0.0, spread_m, 2)
        return LatLon(MIDDLE.lat + north / 111_195, MIDDLE.lon + east / 83_700)

    def kitchen(self, number: int) -> LatLon:
        """One of the places where orders come from."""
        return self.place(np.random.default_rng([self.seed, 1, number]), 900.0)

    def ride_s(self, origin: LatLon, destination: LatLon, at: datetime, who: int, dice: np.random.Generator) -> float:
        """How long a ride really takes."""
        hour = hour_of_week(at, origin.lon) % 24
        busy = self.rush if 12 <= hour < 14 or 18 <= hour < 21 else 0.0
        own = float(np.random.default_rng([self.seed, 2, who]).normal(0.0, self.courier_sd))
        uphill = 0.15 * np.sign(destination.lat - origin.lat)
        base_s = default_s(MODE, origin, destination)
        return float(base_s * exp(0.15 + busy + own + uphill + dice.normal(0.0, self.noise_sd)))

    def stay_s(self, kind: StopKind, kitchen: int, dice: np.random.Generator) -> float:
        """How long a courier really stays at a stop."""
        own = float(np.random.default_rng([self.seed, 3, kitchen]).normal(0.0, 0.5)) if kind is StopKind.PICKUP else 0.0
        return float((200.0 if kind is StopKind.PICKUP else 80.0) * exp(own + dice.normal(0.0, self.stay_sd)))


class Learned:
    """What the days before taught: the models in force, as arrivals and planner ask for them."""

    version = 1

    def __init__(self, model: TravelModel | None, services: ServiceTimes) -> None:
        self._services = services
        self.factors = LearnedFactors([] if model is None else [model])

    def model(self, mode: Mode, base: str, at: LatLon) -> TravelModel | None:
        """See `dispatch.arrivals.forecast.Known`."""
        return self.factors.model(mode, base, at)

    def services(self, _: Region) -> ServiceTimes:
        """See `dispatch.arrivals.forecast.Known`."""
        return self._services

    def stay_s(self, _: Region, kind: StopKind, at: LatLon, who: CourierId | None, declared_s: int) -> float:
        """See `dispatch.region.world.Stays`."""
        return self._services.mean_s(kind, at, who, declared_s=declared_s)

    def ready_error_s(self, _: Region, at: LatLon, ready_at: datetime) -> float:
        """See `dispatch.region.world.Stays`."""
        return self._services.ready.expect(at, ready_at)


def courier_id(number: int) -> CourierId:
    """Of the courier with a number."""
    return CourierId(UUID(int=1000 + number))


def taught(city: City, *, n_legs: int, n_couriers: int, n_days: int = 14) -> Learned:
    """What so many legs of the days before teach."""
    dice = np.random.default_rng([city.seed, 4])
    legs, stays = [], []
    for _ in range(n_legs):
        at = OPENS - timedelta(days=int(dice.integers(1, n_days + 1)), hours=-float(dice.uniform(0.0, 9.0)))
        kitchen, who = int(dice.integers(city.n_kitchens)), int(dice.integers(n_couriers))
        origin, destination = city.place(dice), city.kitchen(kitchen)
        kind = StopKind.PICKUP if dice.random() < 0.5 else StopKind.DROPOFF
        if kind is StopKind.DROPOFF:
            origin, destination = destination, origin
        ride_s = city.ride_s(origin, destination, at, who, dice)
        if distance_m(origin, destination) > 100:
            legs.append(
                TrackedLeg(
                    courier_id=courier_id(who),
                    mode=MODE,
                    origin=origin,
                    destination=destination,
                    departed_at=at,
                    duration_s=ride_s,
                    base_s=default_s(MODE, origin, destination),
                )
            )
        stays.append(
            TrackedService(
                courier_id=courier_id(who),
                kind=kind,
                at=destination,
                began_at=at,
                duration_s=city.stay_s(kind, kitchen, dice),
                declared_s=120,
            )
        )
    morning = OPENS - timedelta(hours=4)
    model = learn(legs, region=REGION, mode=MODE, base=GREAT_CIRCLE, now=morning)
    return Learned(model, learn_services(stays, now=morning))


@dataclass(slots=True, kw_only=True)
class Rider:
    """A courier, really."""

    number: int
    at: LatLon
    stops: tuple[StopInForce, ...] = ()
    origin: LatLon | None = None
    """Where the ride began; None: not riding."""
    goal: LatLon | None = None
    left_at: float = 0.0
    takes_s: float = 0.0
    busy_until: float | None = None
    """At a stop until then ..."""
    n_there: int = 0
    """... and with so many stops at once: of one kind at one place they are one stay, services side by side."""
    free_at: float = 0.0
    """When the last stop was done, between two ticks ..."""
    next_at: LatLon | None = None
    """... and where it was known to go on: whoever knows that does not wait for the tick."""
    version: int = 0
    following: Following | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AtCommit:
    """A stop of an order when it was given to a courier: seconds since then."""

    kind: StopKind
    planned_s: float
    told: Eta
    due_s: float
    is_first: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """What was told of a stop at some moment; `stage`: `assigned`, `on the way`."""

    stop: PlannedStop
    stage: str
    told: Eta


@dataclass(slots=True, kw_only=True)
class DayLog:
    """What came of it."""

    commits: dict[PlannedStop, AtCommit] = field(default_factory=dict)
    arrived: dict[PlannedStop, float] = field(default_factory=dict)
    guesses: list[Guess] = field(default_factory=list)
    later: Counter[str] = field(default_factory=Counter)
    """Moves of an order's p50 to a later time, by the cause that was named; `none`."""
    n_told: int = 0
    n_moved: int = 0
    """Orders that changed hands."""


class Day:
    """Some hours of a region, tick by tick."""

    def __init__(
        self,
        city: City,
        learned: Learned,
        *,
        n_couriers: int = 20,
        orders_an_hour: float = 25.0,
        hours: float = 3.0,
        params: Params | None = None,
        restart_every_s: int | None = None,
        widths: Widths | None = None,
        number: int = 0,
    ) -> None:
        """
        `restart_every_s`: so often the arrivals forget everything but what they have told. `widths`: what other days
        have taught of intervals; `number`: which of the days that might be.
        """
        self._widths = Widths() if widths is None else widths
        self._city, self._learned = city, learned
        self._params = params or Params(search_s=0.0)
        self._dice = np.random.default_rng([city.seed, 5] if not number else [city.seed, 5, number])
        self._couriers = tuple(Courier(id=courier_id(n), region=REGION, mode=MODE) for n in range(n_couriers))
        self._riders = {courier_id(n): Rider(number=n, at=city.place(self._dice)) for n in range(n_couriers)}
        self._ends = OPENS.timestamp() + hours * 3600
        self._per_tick = orders_an_hour * TICK_S / 3600
        self._restart_every_s = restart_every_s
        self._travel = Corrected(GreatCircle(learned=learned.factors), learned.factors)
        self._forecaster = Forecaster(learned)
        self._orders: dict[OrderId, Order] = {}
        self._promises: promises.Promises = {}
        self._said: dict[PlannedStop, Eta] = {}
        self._holder: dict[OrderId, CourierId] = {}
        self._kitchen_of: dict[OrderId, int] = {}
        self.log = DayLog()

    def run(self) -> DayLog:
        """From the first order on, until the last is delivered."""
        now = OPENS.timestamp()
        while now < self._ends or (self._orders and now < self._ends + 7200):
            is_news = self._place(now) if now < self._ends else False
            for rider in self._riders.values():
                is_news |= self._live(rider, now)
            if is_news or now % 60 == 0:
                self._plan(now)
            if self._restart_every_s and now % self._restart_every_s == 0:
                self._restart(now)
            self._tell(now)
            now += TICK_S
        return self.log

    def _place(self, now: float) -> bool:
        n_new = int(self._dice.poisson(self._per_tick))
        for _ in range(n_new):
            kitchen = int(self._dice.integers(self._city.n_kitchens))
            at = datetime.fromtimestamp(now, UTC)
            order_id = OrderId(UUID(int=len(self._kitchen_of) + 1))
            due_at = at + timedelta(seconds=PROMISE_S)
            self._kitchen_of[order_id] = kitchen
            self._orders[order_id] = Order(
                id=order_id,
                region=REGION,
                pickup=OrderStop(at=self._city.kitchen(kitchen)),
                dropoff=OrderStop(at=self._city.place(self._dice), window=Window(due_at=due_at)),
                state=OrderState.PLACED,
                version=1,
                placed_at=at,
                ready_at=at + timedelta(seconds=float(self._dice.uniform(300, 1200))),
            )
        return n_new > 0

    def _live(self, rider: Rider, now: float) -> bool:
        """What a courier does in a tick; whether the planner should know."""
        if rider.busy_until is not None:
            if now < rider.busy_until:
                self._begin(rider, now)
                return False
            self._done(rider, now)
            return True
        first = self._first(rider)
        if first is None:
            rider.origin = rider.goal = None
            return False
        if rider.goal != first.at:
            rider.origin, rider.goal = rider.at, first.at
            # What is new was planned at the tick before.
            rider.left_at = rider.free_at if first.at == rider.next_at else max(rider.free_at, now - TICK_S)
            rider.next_at = None
            departs_at = datetime.fromtimestamp(rider.left_at, UTC)
            rider.takes_s = self._city.ride_s(rider.at, first.at, departs_at, rider.number, self._dice)
        assert rider.origin is not None
        share = 1.0 if rider.takes_s < 1 else min(1.0, (now - rider.left_at) / rider.takes_s)
        rider.at = LatLon(
            rider.origin.lat + share * (first.at.lat - rider.origin.lat),
            rider.origin.lon + share * (first.at.lon - rider.origin.lon),
        )
        if share == 1.0:
            self._begin(rider, max(rider.left_at + rider.takes_s, rider.left_at))
        return False

    def _begin(self, rider: Rider, arrived: float) -> None:
        """The services of the first stop, and of those that are the same stay, also of one that is added to it."""
        calls = self._calls(rider)
        for call in calls[rider.n_there :]:
            if (call.at, call.stop.kind) != (calls[0].at, calls[0].stop.kind) or not call.is_assigned:
                break
            rider.n_there += 1
            self.log.arrived.setdefault(call.stop, arrived)
            kitchen = self._kitchen_of[call.stop.order_id]
            ends = max(arrived, call.opens_at) + self._city.stay_s(call.stop.kind, kitchen, self._dice)
            rider.busy_until = max(ends, rider.busy_until or 0.0)

    def _first(self, rider: Rider) -> Call | None:
        """Where the courier goes next: what was only planned waits."""
        calls = self._calls(rider)
        return calls[0] if calls and calls[0].is_assigned else None

    def _done(self, rider: Rider, now: float) -> None:
        done, rider.stops = rider.stops[: rider.n_there], rider.stops[rider.n_there :]
        assert rider.busy_until is not None
        rider.free_at = rider.busy_until
        rider.n_there, rider.busy_until, rider.origin, rider.goal = 0, None, None, None
        for row in done:
            order = self._orders[row.stop.order_id]
            if row.stop.kind is StopKind.PICKUP:
                self._orders[order.id] = replace(order, state=OrderState.PICKED_UP, version=order.version + 1)
            else:
                del self._orders[order.id]
        first = self._first(rider)
        rider.next_at = None if first is None else first.at
        self._follow(rider, now)

    def _calls(self, rider: Rider) -> tuple[Call, ...]:
        calls = []
        for row in rider.stops:
            order = self._orders[row.stop.order_id]
            stop, kind = order.stop(row.stop.kind), row.stop.kind
            opens = order.ready_at if kind is StopKind.PICKUP else None
            calls.append(
                Call(
                    stop=row.stop,
                    at=stop.at,
                    opens_at=opens.timestamp() if opens else 0.0,
                    promised_at=stop.window.due_at.timestamp() if stop.window.due_at else None,
                    declared_s=stop.service_s,
                    scheduled_at=row.arrives_at,
                    is_assigned=order.courier_id is not None,
                )
            )
        return tuple(calls)

    def _plan(self, now: float) -> None:
        at = datetime.fromtimestamp(now, UTC)
        riders = self._riders
        routes = {who: RouteInForce(version=r.version, stops=r.stops) for who, r in riders.items() if r.stops}
        # Who stands at a stop is done with it before anything new is planned: as the service is begun, it is fixed.
        world = World(
            region=REGION, now=at, orders=tuple(self._orders.values()), couriers=self._couriers, routes=routes
        )
        seen = {who: Whereabouts(at=rider.at, age_s=5.0) for who, rider in riders.items()}
        found = survey(world, seen, stays=self._learned)
        matrix = asyncio.run(
            travel_matrix(self._travel, found.places, found.n_destinations, found.modes, at, budget_s=1.0)
        )
        self._commit(propose(found.snapshot(matrix), self._params), now)

    def _commit(self, plan: Plan, now: float) -> None:
        told_before = {who: rider.following.said for who, rider in self._riders.items() if rider.following}
        given = {row.order_id: row.courier_id for row in plan.assignments if row.commit}
        fresh = {order_id for order_id in given if self._orders[order_id].courier_id is None}
        for order_id, who in given.items():
            order = self._orders[order_id]
            if order.courier_id is None:
                self._orders[order_id] = replace(
                    order, state=OrderState.ACCEPTED, courier_id=who, version=order.version + 1
                )
        for route in plan.routes:
            rider = self._riders[route.courier_id]
            stops = tuple(
                StopInForce(stop=row.stop, arrives_at=row.arrives_at, starts_at=row.starts_at, leaves_at=row.leaves_at)
                for row in route.stops
            )
            busy = rider.busy_until is not None
            served = [row.stop for row in rider.stops[: rider.n_there]]
            if busy and stops and [row.stop for row in stops[: rider.n_there]] != served:
                continue
            rider.stops = stops
            self._follow(rider, now)
        followings = {who: rider.following for who, rider in self._riders.items() if rider.following}
        lost = promises.lost(told_before, followings)
        self._promises |= {order_id: etas for order_id, etas in lost.items() if order_id in self._orders}
        promises.hand_on(self._promises, followings, followings)
        for route in plan.routes:
            rider = self._riders[route.courier_id]
            if fresh.isdisjoint(row.stop.order_id for row in rider.stops) or rider.following is None:
                continue
            told = {eta.stop: eta for eta in rider.following.tell(self._forecaster, now)}
            for number, row in enumerate(route.stops):
                if row.stop.order_id in fresh:
                    due_at = self._orders[row.stop.order_id].dropoff.window.due_at
                    assert due_at is not None
                    self.log.commits[row.stop] = AtCommit(
                        kind=row.stop.kind,
                        planned_s=row.arrives_at - now,
                        told=told[row.stop],
                        due_s=due_at.timestamp() - now,
                        is_first=number == 0,
                    )

    def _follow(self, rider: Rider, now: float) -> Following | None:
        """The keeper reads the route of a courier anew."""
        calls = self._calls(rider)
        rider.version += 1
        if not calls:
            rider.following = None
            return None
        who = courier_id(rider.number)
        route = Itinerary(courier_id=who, region=REGION, mode=MODE, version=rider.version, calls=calls)
        if rider.following is None:
            rider.following = Following(route, widths=self._widths)
            rider.following.see(rider.at, now)
        else:
            rider.following.change(route)
        return rider.following

    def _restart(self, now: float) -> None:
        for rider in self._riders.values():
            if rider.following is not None:
                said = rider.following.said
                rider.following = None
                if (again := self._follow(rider, now)) is not None:
                    again.resume(said)

    def _tell(self, now: float) -> None:
        for who, rider in self._riders.items():
            if rider.following is None:
                continue
            rider.following.see(rider.at, now)
            for eta, call in zip(
                rider.following.tell(self._forecaster, now), rider.following.itinerary.calls, strict=True
            ):
                self._heed(who, eta, call)

    def _heed(self, who: CourierId, eta: Eta, call: Call) -> None:
        """Compare what is told of an order with what was told of it before, whoever had it."""
        self.log.n_told += 1
        if self._holder.setdefault(eta.stop.order_id, who) != who:
            self.log.n_moved += 1
            self._holder[eta.stop.order_id] = who
        before = self._said.get(eta.stop)
        if before is not None and eta.p50 > before.p50 + 1:
            causes = sorted(set(eta.warnings) & CAUSES)
            self.log.later[causes[0].value if causes else "none"] += 1
        self._said[eta.stop] = eta
        if eta.stop not in self.log.arrived and call.is_assigned:
            first = self._riders[who].stops[0].stop == eta.stop
            stage = "on the way" if first and self._riders[who].busy_until is None else "before it"
            self.log.guesses.append(Guess(stop=eta.stop, stage=stage, told=eta))


def figures(*days: DayLog) -> dict[str, object]:
    """What benchmarks/eta.py prints of a day, or of days of several cities together."""
    commits = [commit for log in days for commit in log.commits.values()]
    apart = {kind: np.array([_planned_minus_told(c) for c in commits if c.kind is kind]) for kind in StopKind}
    everything = np.concatenate(list(apart.values()))
    drops = [commit for commit in commits if commit.kind is StopKind.DROPOFF]
    done = [
        (commit, log.arrived[stop])
        for log in days
        for stop, commit in log.commits.items()
        if commit.kind is StopKind.DROPOFF and stop in log.arrived
    ]
    apart_s = [commit.told.p50 - at for commit, at in done]
    return {
        "n_committed": len(drops),
        "planned_minus_told_s": _rounded(everything.mean()),
        "planned_minus_told_by_stop_s": {kind.value: _rounded(some.mean()) for kind, some in apart.items()},
        "planned_minus_told_p90_s": _rounded(np.quantile(np.abs(everything), 0.9)),
        "late_at_commit_pct": _share([c.planned_s > c.due_s for c in drops]),
        "told_late_at_commit_pct": _share([c.told.p50 - c.told.computed_at > c.due_s for c in drops]),
        "late_pct": _share([at - commit.told.computed_at > commit.due_s for commit, at in done]),
        "told_minus_real_s": _rounded(np.mean(apart_s)),
        "told_minus_real_median_s": _rounded(np.median(apart_s)),
        "n_told": sum(log.n_told for log in days),
        "changed_hands": sum(log.n_moved for log in days),
        "later_by_cause": dict(sum((log.later for log in days), Counter[str]()).most_common()),
        "coverage": coverage(days),
    }


def _planned_minus_told(commit: AtCommit) -> float:
    """A courier who stands at the place arrives now."""
    return commit.planned_s - max(0.0, commit.told.p50 - commit.told.computed_at)


def _rounded(value: Any) -> float:
    return round(float(value), 1)


def _share(found: Sequence[float]) -> float:
    return round(100 * float(np.mean(found)), 2)


def coverage(days: Sequence[DayLog]) -> dict[str, dict[str, float]]:
    """
    Share of arrivals within p10 and p90, by how far ahead they were told and at which stage.

    A stop of which much was told counts as much as one of which little was: what is told of it holds or fails together.
    """
    cells: dict[str, dict[tuple[int, PlannedStop], list[tuple[bool, bool]]]] = {}
    for number, log in enumerate(days):
        for guess in log.guesses:
            real, told = log.arrived.get(guess.stop), guess.told
            if real is not None:
                cell = cells.setdefault(f"{guess.stage}, {horizon_of(told.p50 - told.computed_at)}", {})
                cell.setdefault((number, guess.stop), []).append((told.p10 <= real <= told.p90, real <= told.p90))
    return {
        name: {
            "n": sum(map(len, cell.values())),
            "n_stops": len(cell),
            "coverage_pct": _share([float(np.mean([within for within, _ in rows])) for rows in cell.values()]),
            "below_p90_pct": _share([float(np.mean([below for _, below in rows])) for rows in cell.values()]),
        }
        for name, cell in sorted(cells.items())
    }
