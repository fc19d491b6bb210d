"""
One cycle of the dispatcher: snapshot → propose → commit → offers.

A region that is large for one plan is planned in parts (`agenda`), each committed before the next is looked at; a cycle
ends when its time is over, or when somebody waits, and the parts that were left are the next cycle's.

Whoever is told something is told what has been committed. An empty, late or failed proposal commits nothing, so the
plan in force stays.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from time import monotonic
from typing import Any, Final

import asyncpg
import redis.asyncio as aioredis
from prometheus_client import Counter, Gauge, Histogram, Summary

from dispatch.aside import REGION, Aside
from dispatch.asides import Asides
from dispatch.orders import handover
from dispatch.orders.desk import at_desk
from dispatch.orders.order import ENGINE, UNCOLLECTED_STATES, Order, OrderState
from dispatch.planning.choice import cheapest_of
from dispatch.planning.others import others_to_ask
from dispatch.planning.params import Params
from dispatch.planning.proposal import Plan, joined
from dispatch.planning.snapshot import Snapshot
from dispatch.region import advice, commit, depot_choice, store
from dispatch.region.advice import Advice
from dispatch.region.agenda import Agenda
from dispatch.region.commit import Committed, all_of
from dispatch.region.matrix import travel_matrix
from dispatch.region.order_alerts import OrderAlerts
from dispatch.region.outlook import Outlook
from dispatch.region.params import CycleParams
from dispatch.region.parts import is_large
from dispatch.region.planners import PlanLost, Planners, propose_within
from dispatch.region.poison import Poison
from dispatch.region.rounds import Rounds
from dispatch.region.search_process import SearchProcess
from dispatch.region.settings import params_of
from dispatch.region.tried import Tried
from dispatch.region.whereabouts import Locator, Standing
from dispatch.region.world import Stays, Whereabouts, World, as_declared, survey
from dispatch.stop import OrderId
from dispatch.travel.times import TravelTimes
from sql import queries
from tracking import events, outages, tracing
from tracking.errors import LeaseLost
from tracking.lease import Lease
from tracking.outages import is_outage, words
from tracking.position import CourierId, LatLon, Region

log = logging.getLogger(__name__)

CYCLE_SECONDS = Histogram(
    "postrider_dispatch_cycle_seconds",
    "From reading a region to the committed plan.",
    ["depth"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
STEP_SECONDS = Summary(
    "postrider_dispatch_step_seconds",
    "Time of the steps of quick cycles: read, travel, propose, commit; those that failed too.",
    ["region", "step"],
)
SUCCESS = Gauge(
    "postrider_dispatch_success_timestamp_seconds",
    "When a region was last planned.",
    ["region"],
    multiprocess_mode="mostrecent",
)
OFFER_SECONDS = Histogram(
    "postrider_order_offer_seconds",
    "From placing an order that is wanted at once to its first offer.",
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800),
)
OFFERS = Counter("postrider_dispatch_offers_total", "Offers made to couriers by the planner.")
DROPPED = Counter("postrider_dispatch_dropped_total", "Parts of plans dropped because something had changed meanwhile.")
OPEN_ORDERS = Gauge(
    "postrider_dispatch_open_orders", "Open orders at the last cycle.", ["region"], multiprocess_mode="livemostrecent"
)
UNASSIGNED = Gauge(
    "postrider_dispatch_unassigned_orders",
    "Orders the last cycle found no courier for.",
    ["region"],
    multiprocess_mode="livemostrecent",
)


FIRST_S: Final = 0.2
"""Time for the plan of the orders that wait in a large region, and before it for travel times; what is found by then
counts."""
PART_S: Final = 0.3
"""A part that begins late in a turn has so long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """What one cycle did."""

    world: World
    plan: Plan | None
    """None: there was nothing to plan, or the proposal failed."""
    committed: Committed
    is_cut_short: bool = False
    """Parts of the region are left for the next cycle, which should come soon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Quick:
    """What was proposed for a region or a part of it; nothing where there was nothing to plan."""

    snapshot: Snapshot | None = None
    plan: Plan | None = None
    again: frozenset[OrderId] | None = None
    """What was tried of that which somebody has; None: all of it."""
    is_cut_short: bool = False
    """Its time was over before all was tried."""


class Planning:
    """Runs cycles for any region that its caller holds the lease of."""

    def __init__(
        self,
        *,
        pool: asyncpg.Pool,
        redis: aioredis.Redis,
        travel: TravelTimes,
        locator: Locator,
        params: CycleParams,
        search: SearchProcess | None = None,
        planners: Planners | None = None,
        stays: Stays = as_declared,
    ) -> None:
        """
        `travel`, `stays`: as arrivals reckon with them, so that what is planned is what is told. `planners`: for large
        regions; without, their parts are planned one after the other.
        """
        self._pool = pool
        self._redis = redis
        self._travel = travel
        self._locator = locator
        self._search = search
        self._planners = planners
        self._stays = stays
        self._poison = Poison()
        self._agendas: dict[Region, Agenda] = {}
        self._known: dict[Region, store.Known] = {}
        self._tried: dict[Region, Tried] = {}
        self._standing: dict[Region, Standing] = {}
        self._asides = Asides(pool, redis, part="dispatch")
        self._order_alerts = OrderAlerts(pool, redis)
        self._rounds = Rounds()
        self._outlook = Outlook(pool)
        self.params = params

    async def at_once(self, lease: Lease, urgent: asyncio.Event | None = None) -> Cycle:
        """
        The quick answer: ends overdue offers, takes orders from couriers who are gone, and plans what is open.

        `urgent`: somebody waits; in a large region new orders are then looked for while its parts are planned. What
        cannot be planned is left out and told; what ends the turn all the same is told of the region.
        """
        aside = self._poison.aside(lease.region)
        try:
            cycle = await self._at_once(lease, aside, urgent or asyncio.Event())
        except LeaseLost:
            raise
        except Exception as exc:
            if not is_outage(exc):
                aside.put(REGION, f"plan: {words(exc)}")
                await self._asides.tell(lease.region, aside)
            raise
        await self._asides.tell(lease.region, aside)
        return cycle

    async def _at_once(self, lease: Lease, aside: Aside, urgent: asyncio.Event) -> Cycle:
        params = await params_of(self._pool, lease.region, self.params, aside)
        took = partial(STEP_SECONDS.labels, lease.region)
        began = monotonic()
        with took("read").time():
            await self._expire(lease, params)
            world = await self._load(lease.region, params, aside)
            if await self._release_absent(world, lease):
                world = await self._load(lease.region, params, aside)
            seen = await self._locate(world)
        agenda = self._agendas.setdefault(lease.region, Agenda())
        plans: list[Plan] = []
        committed: list[Committed] = []
        tried = self._tried_of(world) if is_large(world) else None

        async def plan_part(
            part: World, params: CycleParams = params, *, seconds: float, planners: Planners | None = None
        ) -> None:
            if params.chooses_depots:
                part = await self._with_depots(part, seen, params, aside, lease)
            try:
                quick = await self._quick_plan(part, seen, params, aside, _How(seconds, tried, planners))
            except PlanLost:
                return  # has been told; planned in the next turn
            snapshot, plan = quick.snapshot, await _asking(part, quick.snapshot, quick.plan, params)
            with took("commit").time():
                committed.append(await self._commit(part, plan, lease, params))
            await self._advise(part, snapshot, plan, params)
            agenda.planned(part, plan, committed[-1].given, monotonic(), dropped=committed[-1].dropped)
            if tried is not None and snapshot is not None and plan is not None:
                tried.note(snapshot, plan, part.versions, quick.again or (), is_cut_short=quick.is_cut_short)
            plans.extend([] if plan is None else [plan])

        async def plan_first(world: World) -> World | None:
            first = agenda.first(world, seen)
            if first is not None:
                quickly = replace(params, map_budget_s=min(params.map_budget_s, FIRST_S))
                await plan_part(first, quickly, seconds=FIRST_S)
            return first

        async def plan_news() -> None:
            with took("read").time():
                news = await self._load(lease.region, params, aside)
            await plan_first(news)

        due = agenda.due(world, seen, began, but=await plan_first(world))
        left, planners = deque(due), None if tried is None else self._planners
        planning = _side_by_side(
            1 if planners is None else planners.n_free(),
            left,
            lambda part: plan_part(
                part, seconds=_seconds_left(params.at_once_s, monotonic() - began), planners=planners
            ),
            lambda: monotonic() - began > params.at_once_s,
        )
        await (planning if tried is None else _beside(planning, urgent, plan_news))
        if not is_large(world) or self._rounds.is_due(lease.region, world.now):
            await self._tell(world, lease, params, aside, committed)
        cycle = Cycle(
            world=world,
            plan=joined(plans),
            committed=all_of(committed),
            is_cut_short=bool(left),
        )
        _observe(cycle, agenda.n_left, depth="at_once", seconds=monotonic() - began)
        return cycle

    def _tried_of(self, world: World) -> Tried:
        """What was tried of a large region; from now on there are processes that plan it."""
        if self._planners is not None:
            self._planners.warm()
        tried = self._tried.setdefault(world.region, Tried())
        tried.keep(world)
        return tried

    async def _tell(
        self, world: World, lease: Lease, params: CycleParams, aside: Aside, committed: Sequence[Committed]
    ) -> None:
        """What is to be told of all orders, after a turn."""
        ahead_s = params.survey.collect_ahead_s
        await store.put_off(self._pool, world.region, world.now, params.plan.horizon_s, ahead_s)
        offered = {offer.order_id for one in committed for offer in one.offers}
        await self._order_alerts.tell(world, lease, aside, offered=offered)

    async def _load(self, region: Region, params: CycleParams, aside: Aside) -> World:
        """What can matter to a plan now."""
        world = await store.load(
            self._pool,
            region,
            horizon_s=params.plan.horizon_s,
            collect_ahead_s=params.survey.collect_ahead_s,
            pauses=params.pauses,
            aside=aside,
            known=self._known.setdefault(region, store.Known()),
        )
        demand: Mapping[LatLon, float] = {}
        with aside.bearing(REGION, doing="expect orders"):
            demand = await self._outlook.expected(region, world.now, params.plan)
        return replace(world, demand=demand)

    async def _quick_plan(
        self,
        world: World,
        seen: Mapping[CourierId, Whereabouts],
        params: CycleParams,
        aside: Aside,
        how: "_How",
    ) -> "_Quick":
        """
        A plan within `at_once_s`; what `propose` fails on is set aside, and it is asked once more without that.

        Raises `PlanLost`.
        """
        advises = params.plan.reposition_above_s is not None and world.demand and world.couriers
        if not world.orders and not advises:
            return _Quick()
        took = partial(STEP_SECONDS.labels, world.region)
        wanted = params.quick_plan

        async def seen_now() -> tuple[Snapshot, frozenset[OrderId] | None]:
            snapshot = await look(world, seen, self._travel, params, aside, stays=self._stays)
            return snapshot, None if how.tried is None else how.tried.again(
                snapshot, world.versions, wanted.n_candidates
            )

        with took("travel").time():
            snapshot, again = await seen_now()
        try:
            with took("propose").time():
                return await _proposed(snapshot, wanted, how, again)
        except PlanLost:
            raise
        except Exception as exc:
            if not await self._poison.find(snapshot, wanted, exc, aside):
                raise
        snapshot, again = await seen_now()
        return await _proposed(snapshot, wanted, how, again)

    async def _with_depots(
        self, world: World, seen: Mapping[CourierId, Whereabouts], params: CycleParams, aside: Aside, lease: Lease
    ) -> World:
        """The world with orders that name no depot at the cheapest one; the choice is written first."""
        chosen: dict[OrderId, Order] = {}
        with aside.bearing(REGION, doing="choose depots"):
            ways = depot_choice.ways_of(world)
            if ways is not None:
                known = Aside(dict(aside.causes))
                snapshot = await look(ways.world, seen, self._travel, params, known, stays=self._stays)
                until = monotonic() + params.at_once_s / 2
                found = await asyncio.to_thread(
                    cheapest_of, snapshot, params.quick_plan, ways.of, lambda: monotonic() > until
                )
                chosen = {order_id: ways.of[order_id][way] for order_id, way in found.items()}
        if not chosen:
            return world
        async with at_desk(self._pool, self._redis, ENGINE, lease=lease) as desk:
            written = await depot_choice.write(desk, chosen)
        return replace(world, orders=tuple(written.get(order.id, order) for order in world.orders))

    async def search(self, lease: Lease, halt: asyncio.Event) -> Cycle | None:
        """The long answer, given up as soon as `halt` is set; None when there is nothing to search or no search."""
        if self._search is None:
            return None
        began = monotonic()
        aside = self._poison.aside(lease.region)
        params = await params_of(self._pool, lease.region, self.params, aside)
        if params.search_s <= 0:
            return None
        world = await self._load(lease.region, params, aside)
        seen = await self._locate(world)
        agenda = self._agendas.setdefault(lease.region, Agenda())
        part = agenda.to_search(world, seen)
        if not part.orders:
            return None
        snapshot = await look(part, seen, self._travel, params, aside, stays=self._stays)
        plan = await self._search.propose(snapshot, params.long_plan, halt)
        plan = await _asking(part, snapshot, plan, params)
        cycle = Cycle(world=world, plan=plan, committed=await self._commit(part, plan, lease, params))
        _observe(cycle, agenda.n_left, depth="search", seconds=monotonic() - began)
        return cycle

    def warm(self) -> None:
        """Get ready for the first search, where regions are searched unless they say otherwise."""
        if self._search is not None and self.params.search_s > 0:
            self._search.warm()

    def close(self) -> None:
        """End the processes that search and plan."""
        if self._search is not None:
            self._search.close()
        if self._planners is not None:
            self._planners.close()

    async def snapshot(self, world: World) -> Snapshot | None:
        """The world as the planner sees it; None when there is nothing to plan."""
        if not world.orders:
            return None
        return await look(world, await self._locate(world), self._travel, self.params, stays=self._stays)

    async def _locate(self, world: World) -> Mapping[CourierId, Whereabouts]:
        seen = await self._locator.locate(world.region, world.now)
        return self._standing.setdefault(world.region, Standing()).of(seen) if is_large(world) else seen

    async def _commit(self, world: World, plan: Plan | None, lease: Lease, params: CycleParams) -> Committed:
        if plan is None:
            return Committed()
        committed = await commit.commit(
            self._pool,
            world,
            plan,
            lease,
            offer_for_s=params.offer_for_s,
            ask_again_after_s=params.ask_again_after_s,
            asks=params.asks,
        )
        _observe_offers(world, committed, await self._traces_of(committed))
        await events.tell(self._redis, committed.events)
        return committed

    async def _traces_of(self, committed: Committed) -> dict[OrderId, list[str]]:
        """With which request each offered order began; nothing where traces are off."""
        if not (tracing.is_on() and committed.offers):
            return {}
        try:
            rows = await self._pool.fetch(queries["outbox.traces"], [offer.order_id for offer in committed.offers])
        except outages.DRIVERS as exc:
            outages.tell(log, "offers not traced", exc, event="offers_not_traced")
            return {}
        return {row["subject"]: [row["trace"]] for row in rows}

    async def _advise(self, world: World, snapshot: Snapshot | None, plan: Plan | None, params: CycleParams) -> None:
        """Show couriers who have nothing to do where they might wait, if the region wants that."""
        if snapshot is None or plan is None or params.plan.reposition_above_s is None:
            return
        out = world.troubled | world.paused
        free = {c.id for c in world.couriers if c.works_at(world.now) and c.rest is None and c.id not in out}
        found = {
            move.courier_id: Advice(
                lat=snapshot.places[move.place].lat,
                lon=snapshot.places[move.place].lon,
                saves_s=move.saves_s,
                advised_at=world.now,
            )
            for move in plan.moves
            if move.courier_id in free
        }
        try:
            await advice.put(self._redis, world.region, [courier.id for courier in world.couriers], found)
        except outages.REDIS as exc:
            outages.tell(log, "couriers not advised", exc, event="couriers_not_advised", region=world.region)

    async def _expire(self, lease: Lease, params: CycleParams) -> None:
        async with at_desk(self._pool, self._redis, ENGINE, lease=lease) as desk:
            await handover.expire_overdue(desk, lease.region, params.pauses)

    async def _release_absent(self, world: World, lease: Lease) -> bool:
        """Take from couriers who went home, or are in trouble, what they have not collected."""
        gone = {courier.id: "off duty" for courier in world.couriers if not courier.on_duty}
        gone |= dict.fromkeys(world.lost, "stuck or silent")
        uncollected = [order for order in world.orders if order.state in UNCOLLECTED_STATES]
        holders = {order.courier_id for order in uncollected}
        reasons = {courier_id: why for courier_id, why in gone.items() if courier_id in holders}
        over = {c.id: at for c in world.couriers if (at := c.shift_over_since(world.now)) is not None}
        # What somebody was given after the shift was meant for the next one.
        late = {o.courier_id for o in uncollected if _was_given_by(o, over)} - reasons.keys()
        if reasons or late:
            async with at_desk(self._pool, self._redis, ENGINE, lease=lease) as desk:
                await handover.release(desk, reasons)
                await handover.release(
                    desk, dict.fromkeys([c for c in late if c is not None], "the shift is over"), given_by=over
                )
        return bool(reasons or late)


def _seconds_left(most_s: float, took_s: float) -> float:
    """For one more part of a turn; the last one does not make a turn twice as long."""
    return min(most_s, max(PART_S, most_s - took_s))


async def _side_by_side(
    n: int, parts: deque[World], plan_part: Callable[[World], Awaitable[None]], is_over: Callable[[], bool]
) -> None:
    """
    Plan parts in their order, so many at a time (one at least), until it is over; the rest is left in `parts`.

    One that fails is raised once the others are done.
    """

    async def plan_some() -> None:
        while parts:
            await plan_part(parts.popleft())
            if is_over():
                return

    for ended in await asyncio.gather(*(plan_some() for _ in range(max(n, 1))), return_exceptions=True):
        if isinstance(ended, BaseException):
            raise ended


async def _beside(
    work: Coroutine[Any, Any, None], urgent: asyncio.Event, answer: Callable[[], Awaitable[None]]
) -> None:
    """
    Do some work, and whenever it becomes urgent meanwhile, answer that at once.

    It stays urgent in the end if it was: there may be more to it than was answered.
    """
    working, was_urgent = asyncio.create_task(work), False
    try:
        while not working.done():
            heard = asyncio.create_task(urgent.wait())
            await asyncio.wait({working, heard}, return_when=asyncio.FIRST_COMPLETED)
            heard.cancel()
            if urgent.is_set() and not working.done():
                urgent.clear()
                was_urgent = True
                await answer()
        working.result()
    finally:
        if was_urgent:
            urgent.set()
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


def _was_given_by(order: Order, over: Mapping[CourierId, datetime]) -> bool:
    over_at = None if order.courier_id is None else over.get(order.courier_id)
    return over_at is not None and order.assigned_at is not None and order.assigned_at <= over_at


async def _asking(world: World, snapshot: Snapshot | None, plan: Plan | None, params: CycleParams) -> Plan | None:
    """The plan with who else is asked, where the region asks several at once."""
    if plan is None or snapshot is None or not params.asks_several:
        return plan
    busy = {order.courier_id for order in world.orders if order.state is OrderState.ASSIGNED} | set(world.also_asked)
    busy |= {courier.id for courier in world.couriers if courier.rest is not None}
    deadline = monotonic() + params.at_once_s
    also = await asyncio.to_thread(
        others_to_ask,
        snapshot,
        params.quick_plan,
        plan,
        n=params.ask_at_once - 1,
        barred=frozenset(courier_id for courier_id in busy if courier_id is not None),
        should_end=lambda: monotonic() > deadline,
    )
    return replace(plan, also=also)


@dataclass(frozen=True, slots=True)
class _How:
    """How a region, or a part of it, is planned."""

    seconds: float
    tried: Tried | None
    """In a large region only what is worth another try is tried."""
    planners: Planners | None
    """Processes that plan, one of which may be free. None: a thread, where a hop would take longer than the plan, or
    somebody waits: the processes stand back behind all others."""


async def _proposed(snapshot: Snapshot, params: Params, how: _How, again: frozenset[OrderId] | None) -> "_Quick":
    found = None
    if how.planners is not None:
        found = await how.planners.propose(snapshot, params, how.seconds, again)
    if found is None:
        found = await asyncio.to_thread(propose_within, snapshot, params, how.seconds, again)
    plan, is_cut_short = found
    return _Quick(snapshot=snapshot, plan=plan, again=again, is_cut_short=is_cut_short)


async def look(
    world: World,
    whereabouts: Mapping[CourierId, Whereabouts],
    travel: TravelTimes,
    params: CycleParams,
    aside: Aside | None = None,
    *,
    stays: Stays = as_declared,
) -> Snapshot:
    """A snapshot of a world, with the travel times between its places; what is set aside is left out."""
    seen = survey(world, whereabouts, aside, params=params.survey, stays=stays)
    matrix = await travel_matrix(
        travel,
        seen.places,
        seen.n_destinations,
        seen.modes,
        world.now,
        budget_s=params.map_budget_s,
        also=seen.ways,
        only=seen.onwards,
    )
    return seen.snapshot(matrix)


def _observe_offers(world: World, committed: Committed, traces: Mapping[OrderId, list[str]]) -> None:
    """How long orders for now waited for their first offer; one for later waits for its time, and says nothing."""
    offered = {offer.order_id: offer.offered_at for offer in committed.offers}
    for order in world.orders:
        is_for_now = order.ready_at is None and order.pickup.window.opens_at is None
        if order.id in offered and is_for_now and not world.refusals.get(order.id):
            waited_s = max(0.0, (offered[order.id] - order.placed_at).total_seconds())
            with tracing.going_on("wait for an offer", traces.get(order.id, ()), began_at=order.placed_at):
                OFFER_SECONDS.observe(waited_s, tracing.exemplar())


def _observe(cycle: Cycle, n_unassigned: int, *, depth: str, seconds: float) -> None:
    world, plan, committed = cycle.world, cycle.plan, cycle.committed
    CYCLE_SECONDS.labels(depth).observe(seconds)
    OFFERS.inc(len(committed.offers))
    DROPPED.inc(committed.n_dropped)
    OPEN_ORDERS.labels(world.region).set(len(world.orders))
    UNASSIGNED.labels(world.region).set(n_unassigned)
    SUCCESS.labels(world.region).set_to_current_time()
    eventful = committed.offers or committed.routes or committed.n_dropped
    log.log(
        logging.INFO if eventful else logging.DEBUG,
        "region planned",
        extra={
            "event": "region_planned",
            "region": world.region,
            "depth": depth,
            "source": plan.source if plan is not None else "none",
            "n_orders": len(world.orders),
            "n_couriers": len(world.couriers),
            "n_unassigned": n_unassigned,
            "n_offers": len(committed.offers),
            "n_routes_changed": len(committed.routes),
            "n_dropped": committed.n_dropped,
            "is_cut_short": cycle.is_cut_short,
            "duration_ms": round(1000 * seconds),
        },
    )
