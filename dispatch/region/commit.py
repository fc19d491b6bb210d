"""
A plan becomes the plan in force, in one transaction that drops what changed meanwhile.

It holds the lease, then the orders, then the routes, compares their versions with those the plan was made from, and
only then writes. So a crash at any point leaves either the old plan or the new one, and no order is assigned twice.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg

from dispatch.orders.desk import Desk
from dispatch.orders.offer import Offer, OfferId
from dispatch.orders.order import ENGINE, Order, OrderState
from dispatch.orders.rows import offer_from_row, order_from_row, to_json
from dispatch.planning.proposal import Assignment, Plan, ProposedRoute
from dispatch.region.store import stop_to_json
from dispatch.region.world import NO_ROUTE, RouteInForce, StopInForce, World, held_orders, unix_s
from dispatch.stop import OrderId, PlannedStop, StopKind
from sql import queries
from tracking import lease as leases
from tracking.lease import Lease
from tracking.position import CourierId, Region

TIMES_DRIFT_S = 60
"""Times of an unchanged route are written again when a stop moved by more: between, the estimates of `eta` are used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """What became of a plan."""

    offers: tuple[Offer, ...] = ()
    routes: Mapping[CourierId, int] = field(default_factory=dict)
    """New versions of the routes whose sequence of stops changed."""
    given: frozenset[OrderId] = frozenset()
    """Orders that somebody has been given, asked or not."""
    dropped: frozenset[OrderId] = frozenset()
    """Orders that somebody was to be given, and was not after all."""
    n_dropped: int = 0
    """Routes and assignments not written because what they were made from had changed."""
    events: tuple[tuple[Region, str, dict[str, Any]], ...] = ()
    """To be published now that it is committed."""


def all_of(parts: Sequence[Committed]) -> Committed:
    """What became of the plans of a region's parts, together."""
    return Committed(
        offers=tuple(offer for part in parts for offer in part.offers),
        routes={courier_id: version for part in parts for courier_id, version in part.routes.items()},
        given=frozenset(order_id for part in parts for order_id in part.given),
        dropped=frozenset(order_id for part in parts for order_id in part.dropped),
        n_dropped=sum(part.n_dropped for part in parts),
        events=tuple(event for part in parts for event in part.events),
    )


@dataclass(slots=True)
class _Draft:
    """A route as it is to be written."""

    courier_id: CourierId
    before: RouteInForce
    stops: list[StopInForce]
    cost: Mapping[str, int]

    @property
    def sequence_changed(self) -> bool:
        return tuple(stop.stop for stop in self.stops) != self.before.sequence

    @property
    def order_ids(self) -> set[OrderId]:
        """The orders that the courier has by this draft, or had before."""
        return {stop.stop.order_id for stop in (*self.stops, *self.before.stops)}

    def drop_lost(self, current: Mapping[OrderId, Order]) -> None:
        """Take out stops that have been made, or whose order was closed or went to somebody else meanwhile."""
        self.stops = [
            stop
            for stop in self.stops
            if (order := current.get(stop.stop.order_id)) is not None and order.awaits(stop.stop.kind, self.courier_id)
        ]

    @property
    def times_drifted(self) -> bool:
        return any(
            old.arrives_at is None or abs(new.arrives_at - old.arrives_at) > TIMES_DRIFT_S or new.break_s != old.break_s
            for new, old in zip(self.stops, self.before.stops, strict=True)
            if new.arrives_at is not None
        )


async def commit(
    pool: asyncpg.Pool,
    world: World,
    plan: Plan,
    lease: Lease,
    *,
    offer_for_s: float,
    ask_again_after_s: float,
    asks: bool = True,
) -> Committed:
    """
    Write what a plan changes of the world it was made from; raises `LeaseLost` and then writes nothing.

    Assignments that must be fixed now become offers that last `offer_for_s` seconds: one offer of all that a courier is
    given, and the same to each of those who are asked `also`. A courier who turned an order down less than
    `ask_again_after_s` seconds ago is not asked again yet, even when nobody else can take it; nor is anybody on a
    break. Without `asks` they are accepted at once.

    An accepted order that the plan has somebody else do is taken from whoever has it, who is told by the route.
    """
    orders = {order.id: order for order in world.orders}
    held = held_orders(world.orders)
    resting = {courier.id for courier in world.couriers if courier.rest is not None}
    moves = {
        given.order_id: given for given in plan.assignments if _moves(given.courier_id, orders.get(given.order_id))
    }
    free = {courier_id: [o for o in theirs if o.id not in moves] for courier_id, theirs in held.items()}
    drafts = [_draft(route, world, orders, free.get(route.courier_id, ())) for route in plan.routes]
    drafts = [draft for draft in drafts if draft.sequence_changed or draft.times_drifted]
    async with pool.acquire() as connection, connection.transaction():
        now = await leases.hold(connection, lease)
        wanted = [
            given
            for given in plan.assignments
            if given.courier_id not in resting
            and (given.commit or given.order_id in moves)
            and _to_be_offered(given, world, orders, now, ask_again_after_s)
        ]
        involved = {draft.courier_id for draft in drafts} | {given.courier_id for given in wanted}
        desk = Desk(connection=connection, actor=ENGINE, now=now)
        touched = {stop.stop.order_id for draft in drafts for stop in draft.stops} | {g.order_id for g in wanted}
        current = await _lock_orders(connection, touched | set(moves))
        stays = {order_id for order_id in moves if not _is_as_seen(order_id, orders, current)}
        stays |= set(moves) - {given.order_id for given in wanted}
        # An accepted order that nobody else can have after all: whoever's route would need it keeps the one in force.
        stays |= {left.order_id for left in plan.unassigned if _moves(None, orders.get(left.order_id))}
        for order_id in set(moves) - stays:
            current[order_id] = replace(current[order_id], state=OrderState.PLACED, courier_id=None)
        also = {given.order_id: plan.also.get(given.order_id, ()) for given in wanted} if asks else {}
        involved |= {courier_id for others in also.values() for courier_id in others}
        versions = await _lock_routes(connection, world.region, involved)
        for draft in drafts:
            draft.drop_lost(current)
        sound = _sound(drafts, versions, stays)
        unsound = {draft.courier_id for draft in drafts} - {draft.courier_id for draft in sound}
        routes = await _put_routes(desk, sound, plan.source, world.region)
        fits = {
            courier_id
            for courier_id in involved - unsound
            if versions.get(courier_id) == world.routes.get(courier_id, NO_ROUTE).version
        }
        if wanted:  # whoever left, or was erased, while the plan was made
            fits &= {row["id"] for row in await connection.fetch(queries["planning.hold_at_work"], list(fits))}
        possible = [given for given in wanted if given.courier_id in fits and given.order_id not in stays]
        taken = await _take_away(desk, [orders[g.order_id] for g in possible if g.order_id in moves])
        given_to = await _assign(desk, possible, orders | taken, asks=asks)
        also = {order_id: tuple(one for one in others if one in fits) for order_id, others in also.items()}
        offers = await _offer(desk, given_to, also, plan, world.region, offer_for_s) if asks else ()
        await _put_decisions(connection, plan, now)
    return Committed(
        offers=offers,
        routes=routes,
        given=frozenset(given.order_id for given in given_to),
        dropped=frozenset({given.order_id for given in wanted} - {given.order_id for given in given_to}),
        n_dropped=len(unsound) + len(wanted) - len(given_to),
        events=tuple(desk.events),
    )


def _to_be_offered(
    given: Assignment, world: World, orders: Mapping[OrderId, Order], now: datetime, ask_again_after_s: float
) -> bool:
    order = orders.get(given.order_id)
    if order is None or not (order.state is OrderState.PLACED or _moves(given.courier_id, order)):
        return False
    refused_at = world.refusals.get(given.order_id, {}).get(given.courier_id)
    return refused_at is None or now - refused_at >= timedelta(seconds=ask_again_after_s)


def _moves(courier_id: CourierId | None, order: Order | None) -> bool:
    """Whether a plan has somebody else do an accepted order than who has it: only where it was told that it may."""
    if order is None or order.state is not OrderState.ACCEPTED:
        return False
    return not order.pinned and order.courier_id != courier_id


def _is_as_seen(order_id: OrderId, orders: Mapping[OrderId, Order], current: Mapping[OrderId, Order]) -> bool:
    return order_id in current and current[order_id].version == orders[order_id].version


def _draft(route: ProposedRoute, world: World, orders: Mapping[OrderId, Order], held: Sequence[Order]) -> _Draft:
    """
    The proposed route as it is stored; whatever the courier holds is in it, also if the planner left it out.

    What was planned a day ahead and is not read yet, for it is beyond the horizon, stays behind it.
    """
    before = world.routes.get(route.courier_id, NO_ROUTE)
    fixed = {stop.stop for stop in before.stops if stop.fixed}
    stops = [
        StopInForce(
            stop=planned.stop,
            arrives_at=planned.arrives_at,
            starts_at=planned.starts_at,
            leaves_at=planned.leaves_at,
            late_s=planned.late_s,
            fixed=planned.stop in fixed,
            break_at=planned.break_at,
            break_s=planned.break_s,
        )
        for planned in route.stops
        if (order := orders.get(planned.stop.order_id)) is not None and planned.stop.kind in order.open_stops
    ]
    there = {stop.stop for stop in stops}
    for order in held:
        missing = [PlannedStop(order.id, kind) for kind in order.open_stops]
        stops += [StopInForce(stop=stop) for stop in missing if stop not in there]
    if world.read_until is not None:
        later = unix_s(world.read_until)
        unread = {s.stop.order_id for s in before.stops if s.starts_at is not None and s.starts_at > later} - set(
            orders
        )
        stops += [stop for stop in before.stops if stop.stop.order_id in unread]
    return _Draft(courier_id=route.courier_id, before=before, stops=stops, cost=route.cost)


def _sound(
    drafts: Sequence[_Draft], versions: Mapping[CourierId, int], stays: AbstractSet[OrderId] = frozenset()
) -> list[_Draft]:
    """
    The drafts that can be written.

    One whose route was changed by somebody else cannot; nor can one that moves an order that `stays`, or any that
    exchanges an order with it, for then the order would be in both routes, or in none.
    """
    sound: list[_Draft] = []
    lost: list[_Draft] = []
    for draft in drafts:
        is_sound = versions.get(draft.courier_id) == draft.before.version and stays.isdisjoint(draft.order_ids)
        (sound if is_sound else lost).append(draft)
    while lost:
        shared = set().union(*(draft.order_ids for draft in lost))
        lost = [draft for draft in sound if not shared.isdisjoint(draft.order_ids)]
        sound = [draft for draft in sound if shared.isdisjoint(draft.order_ids)]
    return sound


async def _lock_orders(connection: Any, order_ids: Iterable[OrderId]) -> dict[OrderId, Order]:
    rows = await connection.fetch(queries["orders.lock_many"], list(order_ids))
    return {row["id"]: order_from_row(row) for row in rows}


async def _lock_routes(connection: Any, region: Region, courier_ids: Iterable[CourierId]) -> dict[CourierId, int]:
    """Versions of the routes, held; a courier without one gets an empty one in version 0."""
    listed = sorted(courier_ids)
    if not listed:
        return {}
    await connection.execute(queries["routes.ensure"], region, listed)
    rows = await connection.fetch(queries["routes.lock_many"], listed)
    return {row["courier_id"]: row["version"] for row in rows}


async def _put_routes(desk: Desk, drafts: Sequence[_Draft], source: str, region: Region) -> dict[CourierId, int]:
    if not drafts:
        return {}
    rows = await desk.connection.fetch(
        queries["routes.put_many"],
        [draft.courier_id for draft in drafts],
        [draft.before.version for draft in drafts],
        [to_json([stop_to_json(stop) for stop in draft.stops]) for draft in drafts],
        [to_json(draft.cost) for draft in drafts],
        [draft.sequence_changed for draft in drafts],
        source,
        desk.now,
        region,
    )
    changed = {draft.courier_id for draft in drafts if draft.sequence_changed}
    versions = {row["courier_id"]: row["version"] for row in rows if row["courier_id"] in changed}
    for courier_id, version in versions.items():
        desk.tell_route(region, courier_id, version)
    return versions


async def _take_away(desk: Desk, orders: Sequence[Order]) -> dict[OrderId, Order]:
    """Accepted orders wait for somebody else, who is asked next; as they are now."""
    if not orders:
        return {}
    rows = await desk.connection.fetch(
        queries["orders.put_back_many"], [order.id for order in orders], [OrderState.ACCEPTED.value], desk.now
    )
    await desk.connection.execute(
        queries["order_events.insert_put_back"],
        [row["id"] for row in rows],
        [row["version"] for row in rows],
        [row["from_state"] for row in rows],
        [row["courier_id"] for row in rows],
        ["another courier is better placed"] * len(rows),
        "release",
        desk.actor.id,
        desk.actor.role,
        desk.now,
    )
    known = {order.id: order for order in orders}
    return {row["id"]: replace(known[row["id"]], version=row["version"], state=OrderState.PLACED) for row in rows}


async def _assign(
    desk: Desk, wanted: Sequence[Assignment], orders: Mapping[OrderId, Order], *, asks: bool
) -> list[Assignment]:
    """Assign the orders that are still as the plan saw them; accepted for the couriers where these are not asked."""
    if not wanted:
        return []
    state = OrderState.ASSIGNED if asks else OrderState.ACCEPTED
    rows = await desk.connection.fetch(
        queries["orders.assign_many"],
        [given.order_id for given in wanted],
        [given.courier_id for given in wanted],
        [orders[given.order_id].version for given in wanted],
        desk.now,
        state.value,
    )
    assigned = {row["id"]: row for row in rows}
    if not assigned:
        return []
    await desk.connection.execute(
        queries["order_events.insert_assigned"],
        list(assigned),
        [row["version"] for row in rows],
        [row["courier_id"] for row in rows],
        desk.actor.id,
        desk.actor.role,
        desk.now,
        state.value,
    )
    for row in rows:
        facts = {"order_id": str(row["id"]), "state": state.value, "version": row["version"]}
        facts["courier_id"] = str(row["courier_id"])
        desk.events.append((orders[row["id"]].region, f"order.{state.value}", facts))
    return [given for given in wanted if given.order_id in assigned]


async def _offer(
    desk: Desk,
    made: Sequence[Assignment],
    also: Mapping[OrderId, Sequence[CourierId]],
    plan: Plan,
    region: Region,
    offer_for_s: float,
) -> tuple[Offer, ...]:
    """Offer what has been assigned: to each courier all of it together, and the same to each who is asked as well."""
    if not made:
        return ()
    bundles: dict[CourierId, list[Assignment]] = {}
    for given in made:
        bundles.setdefault(given.courier_id, []).append(given)
    arrivals = {stop.stop: stop.arrives_at for route in plan.routes for stop in route.stops}
    rows: list[tuple[OfferId, OrderId, CourierId, str, OfferId | None]] = []
    for courier_id, theirs in bundles.items():
        # Whoever is asked as well is asked for all of it, or, where a part has changed meanwhile, not at all.
        others = [one for one in also.get(theirs[0].order_id, ()) if all(one in also[g.order_id] for g in theirs)]
        for one in (courier_id, *others):
            ids = sorted(OfferId(uuid4()) for _ in theirs)
            for id_, given in zip(ids, theirs, strict=True):
                facts = _offer_facts(given, arrivals) if one == courier_id else {}
                facts |= {"others": len(others)} if others else {}
                rows.append((id_, given.order_id, one, to_json(facts), ids[0] if len(ids) > 1 else None))
    offered = await desk.connection.fetch(
        queries["offers.insert_many"],
        *map(list, zip(*rows, strict=True)),
        region,
        desk.now,
        desk.now + timedelta(seconds=offer_for_s),
    )
    offers = tuple(offer_from_row(row) for row in offered)
    for offer in offers:
        desk.tell_offer(offer, "made")
    return offers


def _offer_facts(given: Assignment, arrivals: Mapping[PlannedStop, int]) -> dict[str, Any]:
    facts: dict[str, Any] = {"cost": dict(given.cost)}
    for kind in StopKind:
        if (at := arrivals.get(PlannedStop(given.order_id, kind))) is not None:
            facts[f"{kind.value}_at"] = datetime.fromtimestamp(at, UTC)
    return facts


async def _put_decisions(connection: Any, plan: Plan, now: datetime) -> None:
    rows: list[tuple[OrderId, CourierId | None, str | None, str | None]] = [
        (given.order_id, given.courier_id, to_json(dict(given.cost)), None) for given in plan.assignments
    ]
    rows += [
        (
            left.order_id,
            None,
            None,
            to_json({code.value: {"n": n, "example": left.example.get(code)} for code, n in left.reasons.items()}),
        )
        for left in plan.unassigned
    ]
    if rows:
        await connection.execute(queries["decisions.put_many"], *map(list, zip(*rows, strict=True)), now)
