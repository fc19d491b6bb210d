"""
The desk: what people and couriers do to orders, one transaction at a time.

    async with at_desk(pool, redis, actor) as desk:
        order = await desk.cancel(order_id, reason="customer changed their mind")

Every change locks its order first, checks that the step is legal, writes the row with the expected state and version in
WHERE, adds the row of `order_events`, and keeps routes and offers in step. Events are published after the commit; when
Redis does not answer they are lost, which delays the dispatcher until its timer but harms nothing.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import redis.asyncio as aioredis

from dispatch.errors import (
    CodeWrong,
    DispatchError,
    ExternalIdInUse,
    OrderNotFound,
    OrderNotOpen,
    ProofMissing,
    VersionConflict,
)
from dispatch.orders.happened import Happened
from dispatch.orders.offer import Offer, OfferState
from dispatch.orders.order import COURIER_STATES, Actor, NewOrder, Order, OrderKind, OrderState, check_transition
from dispatch.orders.proof import ATTEMPTS, asked_from_row, code_of, is_proved
from dispatch.orders.returns import ReturnPlace, place_of
from dispatch.orders.rows import demand_values, offer_from_row, order_from_row, stop_values, to_json
from dispatch.stop import OrderId, StopKind
from sql import queries
from tracking import events, tracing
from tracking import lease as leases
from tracking.lease import Lease
from tracking.position import CourierId, LatLon, Region


@dataclass(slots=True)
class Desk:
    """One unit of work on orders: an open transaction, who does it, and the events to tell afterwards."""

    connection: Any
    """An asyncpg connection within a transaction."""
    actor: Actor
    now: datetime
    events: list[tuple[Region, str, dict[str, Any]]] = field(default_factory=list)
    refusal: DispatchError | None = None
    """Raised when the transaction has been committed: what was refused, and must be remembered all the same."""

    # -- reading ------------------------------------------------------------------------------------------------------

    async def get_order(self, order_id: OrderId) -> Order:
        """The order as it is; raises `OrderNotFound`."""
        return await read_order(self.connection, order_id)

    async def lock_order(self, order_id: OrderId, *, version: int | None = None) -> Order:
        """
        The order, held until the transaction ends.

        Raises `OrderNotFound`, and `VersionConflict` when it is not in the version that the caller has seen.
        """
        order = _order(await self.connection.fetchrow(queries["orders.lock"], order_id), order_id)
        if version is not None and order.version != version:
            raise VersionConflict(order_id=str(order_id), version=order.version, expected=version)
        return order

    async def lock_orders(self, order_ids: Sequence[UUID]) -> None:
        """Hold several orders until the transaction ends, in the order of their ids, as everybody does."""
        await self.connection.fetch(queries["orders.lock_many"], order_ids)

    async def hold(self, order_ids: Sequence[OrderId], courier_ids: Iterable[CourierId]) -> dict[OrderId, Order]:
        """
        Hold the orders that there are, and the routes of those couriers and of whoever has one of the orders.

        For what does many things one after the other: everybody locks orders before routes, each in the order of ids.
        """
        rows = await self.connection.fetch(queries["orders.lock_many"], order_ids)
        orders = {row["id"]: order_from_row(row) for row in rows}
        holders = {order.courier_id for order in orders.values() if order.courier_id is not None}
        await self.connection.fetch(queries["routes.lock_many"], sorted(holders | set(courier_ids)))
        return orders

    # -- a new order, a changed one -----------------------------------------------------------------------------------

    async def place(self, new: NewOrder) -> Order:
        """Write a new order. Raises `ExternalIdInUse` with the id of the order that has it; the desk stays usable."""
        values = (*stop_values(new.pickup), *stop_values(new.dropoff), *demand_values(new))
        try:
            async with self.connection.transaction():
                row = await self.connection.fetchrow(
                    queries["orders.insert"],
                    *(new.region, new.external_id, new.customer_id, *values),
                    *(new.kind.value, new.depot, new.group_id, new.partner, self.now, new.depot_named, new.place_id),
                )
        except asyncpg.UniqueViolationError as exc:
            twin = await self.connection.fetchval(queries["orders.id_by_external_id"], new.external_id)
            message = "An order with this external_id exists."
            raise ExternalIdInUse(message, external_id=new.external_id, id=twin) from exc
        order = order_from_row(row)
        await self._record(order, action="place", before=None)
        self.tell(order, "order.placed")
        return order

    async def change(self, order: Order, changed: Order, *, facts: Mapping[str, Any]) -> Order:
        """Write what the customer or staff changed of a locked order; `facts` name the changed fields."""
        if not order.is_open:
            raise OrderNotOpen(order_id=str(order.id), state=order.state.value)
        if order.state is OrderState.PICKED_UP and order.pickup != changed.pickup:
            raise OrderNotOpen("The order has been picked up: its pickup cannot change.", order_id=str(order.id))
        row = await self.connection.fetchrow(
            queries["orders.change"],
            order.id,
            order.version,
            self.now,
            *stop_values(changed.pickup),
            *stop_values(changed.dropoff),
            *demand_values(changed),
            changed.group_id,
            changed.depot,
            changed.depot_named,
        )
        if row is None:
            raise VersionConflict(order_id=str(order.id))
        result = order_from_row(row)
        await self.note(result, action="change", facts=facts)
        return result

    # -- steps of the life --------------------------------------------------------------------------------------------

    async def cancel(self, order_id: OrderId, *, reason: str | None, version: int | None = None) -> Order:
        """Cancel an open order: its stops leave the route, an open offer is withdrawn; goods on board come back."""
        order = await self.lock_order(order_id, version=version)
        if order.state is OrderState.PICKED_UP:
            return await self._turn_round(order, action="cancel", reason=reason)
        cancelled = await self.move(order, OrderState.CANCELLED, action="cancel", reason=reason)
        await self.withdraw_offer(order, reason="order cancelled")
        await self.remove_stops(order)
        return cancelled

    async def pick_up(
        self, order: Order, *, facts: Mapping[str, Any] | None = None, happened: Happened | None = None
    ) -> Order:
        """The courier has the goods. With the offer still open, collecting them accepts it."""
        order = await self._accepted(order, reason="picked up", happened=happened)
        moved = await self.move(order, OrderState.PICKED_UP, action="picked_up", facts=facts, happened=happened)
        await self.remove_stops(order, (StopKind.PICKUP,))
        if moved.only is StopKind.PICKUP and (place := await self._shift_place(order.courier_id)) is not None:
            brought_to = replace(moved.dropoff, at=place, address=None)
            moved = await self.change(moved, replace(moved, dropoff=brought_to), facts={"changed": ["dropoff"]})
            await self.reroute(moved)
        return moved

    async def _accepted(self, order: Order, *, reason: str, happened: Happened | None) -> Order:
        """The order, accepted by what its courier did while the offer was open."""
        if order.state is not OrderState.ASSIGNED:
            return order
        assert order.courier_id is not None  # it was offered to somebody
        await self.accept_offers([order], order.courier_id, reason=reason)
        return await self.move(order, OrderState.ACCEPTED, action="accept", reason=reason, happened=happened)

    async def _shift_place(self, courier_id: CourierId | None) -> LatLon | None:
        """Where the shift of a courier ends, or else began; None: nobody said."""
        row = await self.connection.fetchrow(queries["shifts.places"], courier_id, self.now)
        return None if row is None else LatLon(row["lat"], row["lon"])

    async def deliver(
        self,
        order: Order,
        *,
        proof: Mapping[str, str] | None = None,
        happened: Happened | None = None,
        unproved: str | None = None,
    ) -> Order:
        """
        The recipient has the goods, or was visited. What has no pickup is accepted by that, too.

        `unproved`: why the proof that the region asks for is done without. Raises `ProofMissing`. A wrong code is
        counted: the order comes back as it was, and the desk raises `CodeWrong` when that has been written.
        """
        if unproved is None and not await self._is_proved(order, proof or {}):
            return order
        if order.only is StopKind.DROPOFF:
            order = await self._accepted(order, reason="delivered", happened=happened)
        facts = None if unproved is None else {"unproved": unproved}
        moved = await self.move(
            order, OrderState.DELIVERED, action="delivered", proof=proof, facts=facts, happened=happened
        )
        await self.remove_stops(order)
        return moved

    async def _is_proved(self, order: Order, proof: Mapping[str, str]) -> bool:
        if not is_proved(order) or not order.is_open:
            return True
        asked = asked_from_row(await self.connection.fetchrow(queries["proofs.asked"], order.id, order.region))
        if missing := asked.missing(proof):
            raise ProofMissing(order_id=str(order.id), missing=missing)
        if not asked.needs_code or (asked.is_right(proof["code"]) and not asked.is_locked):
            return True
        if asked.code is None:
            await code_of(self.connection, order)  # nobody was told one: what was said is wrong
        if not asked.is_locked:
            await self.connection.execute(queries["proofs.was_wrong"], order.id)
        left = max(0, ATTEMPTS - asked.n_wrong - 1)
        self.refusal = CodeWrong(None if left else "Too many wrong codes: ask your dispatcher.", attempts_left=left)
        return False

    async def fail(
        self,
        order: Order,
        *,
        reason: str,
        proof: Mapping[str, str] | None = None,
        happened: Happened | None = None,
    ) -> Order:
        """It could not be collected; or not handed over, and comes back."""
        if order.kind is OrderKind.DROPOFF and order.depot is None and order.state is OrderState.ACCEPTED:
            # Loaded before the shift began, without a word: it is on board.
            order = await self.pick_up(order, facts={"loaded": "before"}, happened=happened)
        if order.state is OrderState.PICKED_UP:
            return await self._turn_round(order, action="failed", reason=reason, proof=proof, happened=happened)
        moved = await self.move(
            order, OrderState.FAILED, action="failed", reason=reason, proof=proof, happened=happened
        )
        await self.withdraw_offer(order, reason="order failed")
        await self.remove_stops(order)
        return moved

    async def take_back(self, order: Order, *, reason: str | None = None, happened: Happened | None = None) -> Order:
        """The goods of a failed or cancelled order are back where they came from."""
        moved = await self.move(order, OrderState.RETURNED, action="returned", reason=reason, happened=happened)
        await self.remove_stops(order)
        return moved

    async def _turn_round(
        self,
        order: Order,
        *,
        action: str,
        reason: str | None,
        proof: Mapping[str, str] | None = None,
        happened: Happened | None = None,
    ) -> Order:
        """The goods are on board and not wanted: they come back, by a stop on the route of whoever has them."""
        to = await place_of(self.connection, order.region)
        if to is None and order.only is StopKind.DROPOFF and (at := await self._shift_place(order.courier_id)):
            to = ReturnPlace(at=at)
        moved = await self.move(
            order, OrderState.RETURNING, action=action, reason=reason, proof=proof, happened=happened, returns_to=to
        )
        await self.reroute(moved)
        return moved

    async def reroute(self, order: Order, *, from_courier_id: CourierId | None = None) -> None:
        """Put the open stops of an order at the end of its courier's route, wherever they were."""
        assert order.courier_id is not None  # somebody has it
        holders = {order.courier_id, from_courier_id or order.courier_id}
        await self.connection.fetch(queries["routes.lock_many"], sorted(holders))
        await self.remove_stops(order)
        await self.append_stops(order, order.courier_id)

    async def comment(self, order_id: OrderId, body: str) -> Mapping[str, Any]:
        """Add a remark for colleagues; not a change of the order."""
        await self.get_order(order_id)
        row: Mapping[str, Any] = await self.connection.fetchrow(
            queries["order_comments.insert"], order_id, self.actor.id, self.actor.role, body
        )
        return row

    # -- parts --------------------------------------------------------------------------------------------------------

    async def move(
        self,
        order: Order,
        to: OrderState,
        *,
        action: str,
        courier_id: CourierId | None = None,
        pinned: bool | None = None,
        reason: str | None = None,
        proof: Mapping[str, str] | None = None,
        facts: Mapping[str, Any] | None = None,
        happened: Happened | None = None,
        returns_to: ReturnPlace | None = None,
    ) -> Order:
        """
        One legal step of a locked order, guarded by its state and version, with its event.

        `happened`: it was done at another time than now.
        """
        check_transition(order, to)
        row = await self.connection.fetchrow(
            queries["orders.move"],
            order.id,
            order.version,
            order.state.value,
            to.value,
            self.now,
            courier_id,
            pinned,
            reason,
            None if proof is None else to_json(proof),
            None if happened is None else happened.at,
            *((None, None, None) if returns_to is None else (*returns_to.at.latlon, returns_to.address)),
        )
        if happened is not None:
            facts = {**(facts or {}), **happened.facts}
        if row is None:
            raise VersionConflict(order_id=str(order.id))
        moved = order_from_row(row)
        # The courier who loses an order is named, too: a timeline that says "rejected" must say by whom.
        about = moved if moved.courier_id is not None else replace(moved, courier_id=order.courier_id)
        await self._record(about, action=action, before=order.state, reason=reason, facts=facts)
        self.tell(moved, f"order.{moved.state.value}")
        return moved

    async def remove_stops(self, order: Order, kinds: Sequence[StopKind] = (StopKind.PICKUP, StopKind.DROPOFF)) -> None:
        """Take stops of an order out of whatever route has them, shown or only intended."""
        rows = await self.connection.fetch(
            queries["routes.remove_stops"], order.region, str(order.id), [kind.value for kind in kinds], self.now
        )
        for row in rows:
            self.tell_route(order.region, row["courier_id"], row["version"])

    async def append_stops(self, order: Order, courier_id: CourierId) -> None:
        """Put what is left of an order at the end of a courier's route; the dispatcher finds a better place for it."""
        stops = [{"order_id": str(order.id), "kind": kind.value} for kind in order.open_stops]
        row = await self.connection.fetchrow(
            queries["routes.append_stops"], courier_id, order.region, to_json(stops), self.now
        )
        self.tell_route(order.region, courier_id, row["version"])

    async def make_offer(
        self, order: Order, courier_id: CourierId, *, expires_in: timedelta, facts: Mapping[str, Any]
    ) -> Offer:
        """Show an order to a courier until the offer expires."""
        row = await self.connection.fetchrow(
            queries["offers.insert"],
            order.id,
            courier_id,
            order.region,
            self.now,
            self.now + expires_in,
            to_json(facts),
        )
        offer = offer_from_row(row)
        self.tell_offer(offer, "made")
        return offer

    async def accept_offers(self, orders: Sequence[Order], courier_id: CourierId, *, reason: str | None = None) -> None:
        """End the open offers of orders that a courier takes; whoever else was asked is told, and not blamed."""
        why = {courier_id: reason}
        await self.close_offers_to(why, [order.id for order in orders], OfferState.ACCEPTED)
        for order in orders:
            await self.withdraw_offer(order, reason="another courier was first")

    async def close_offers_to(
        self, reasons: Mapping[CourierId, str | None], order_ids: Sequence[OrderId], to: OfferState
    ) -> None:
        """End what of held orders is offered to couriers, for a reason each."""
        rows = await self.connection.fetch(
            queries["offers.close_of_couriers"], order_ids, list(reasons), to.value, self.now, list(reasons.values())
        )
        for row in rows:
            self.tell_offer(offer_from_row(row), to.value)

    async def close_offers(
        self, reasons: Mapping[OrderId, str], to: OfferState, *, overdue_at: datetime | None = None
    ) -> list[OrderId]:
        """End the open offers of held orders, each for its reason; with `overdue_at` only those that have run out."""
        rows = await self.connection.fetch(
            queries["offers.close_many"], list(reasons), to.value, self.now, list(reasons.values()), overdue_at
        )
        for row in rows:
            self.tell_offer(offer_from_row(row), to.value)
        return [row["order_id"] for row in rows]

    async def withdraw_offer(self, order: Order, *, reason: str | None) -> None:
        """Take back the open offers of an order, if there are any."""
        to = OfferState.WITHDRAWN
        for row in await self.connection.fetch(queries["offers.close_of_order"], order.id, to.value, self.now, reason):
            self.tell_offer(offer_from_row(row), to.value)

    # -- telling ------------------------------------------------------------------------------------------------------

    def tell(self, order: Order, type_: str) -> None:
        """Publish an event about an order after the commit."""
        facts: dict[str, Any] = {"order_id": str(order.id), "state": order.state.value, "version": order.version}
        if order.courier_id is not None:
            facts["courier_id"] = str(order.courier_id)
        self.events.append((order.region, type_, facts))

    def tell_route(self, region: Region, courier_id: CourierId, version: int) -> None:
        """Publish after the commit that a route changed."""
        self.events.append((region, "route.changed", {"courier_id": str(courier_id), "version": version}))

    def tell_courier(self, region: Region, courier_id: CourierId) -> None:
        """Publish after the commit that a courier's duty or shifts changed."""
        self.events.append((region, "courier.changed", {"courier_id": str(courier_id)}))

    def tell_break(self, region: Region, courier_id: CourierId, what: str, row: Mapping[str, Any]) -> None:
        """Publish after the commit that a break `started` or `ended`."""
        facts = {"courier_id": str(courier_id), "break_id": str(row["id"]), "began_at": row["began_at"].isoformat()}
        if row["ended_at"] is not None:
            facts["ended_at"] = row["ended_at"].isoformat()
        self.events.append((region, f"courier.break_{what}", facts))

    def tell_offer(self, offer: Offer, what: str) -> None:
        """Publish after the commit what became of an offer."""
        facts = {"offer_id": str(offer.offer_id), "order_id": str(offer.order_id), "courier_id": str(offer.courier_id)}
        self.events.append((offer.region, f"offer.{what}", facts))

    def ask_for_plan(self, region: Region) -> None:
        """Wake the dispatcher of a region after the commit."""
        self.events.append((region, "plan.wanted", {}))

    async def note(
        self, order: Order, *, action: str, reason: str | None = None, facts: Mapping[str, Any] | None = None
    ) -> None:
        """Record a change of an order that is not a step of its life."""
        await self._record(order, action=action, before=order.state, reason=reason, facts=facts)
        self.tell(order, "order.changed")

    async def _record(
        self,
        order: Order,
        *,
        action: str,
        before: OrderState | None,
        reason: str | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        await self.connection.execute(
            queries["order_events.insert"],
            order.id,
            order.version,
            action,
            None if before is None else before.value,
            order.state.value,
            order.courier_id,
            self.actor.id,
            self.actor.role,
            reason,
            to_json(facts or {}),
            self.now,
        )


@asynccontextmanager
async def at_desk(
    pool: asyncpg.Pool, redis: aioredis.Redis, actor: Actor, *, now: datetime | None = None, lease: Lease | None = None
) -> AsyncIterator[Desk]:
    """
    A desk in a transaction of its own; publishes the events when it has been committed.

    `now` is the database's time, by which all processes judge. With `lease` only its holder can commit: `LeaseLost`.
    Raises what was refused (`Desk.refusal`) after the commit.
    """
    async with pool.acquire() as connection, connection.transaction():
        at = await connection.fetchval(queries["clock.now"]) if lease is None else await leases.hold(connection, lease)
        if trace := tracing.carried():
            await connection.execute(queries["outbox.carry"], trace)
        desk = Desk(connection=connection, actor=actor, now=now or at)
        yield desk
    if desk.refusal is not None:
        raise desk.refusal
    await events.tell(redis, desk.events)


async def read_order(connection: Any, order_id: UUID) -> Order:
    """The order as it is; raises `OrderNotFound`. `connection` may be a pool."""
    return _order(await connection.fetchrow(queries["orders.get"], order_id), order_id)


def holder_of(order: Order) -> CourierId | None:
    """The courier who has the order now."""
    return order.courier_id if order.state in COURIER_STATES else None


def _order(row: Mapping[str, Any] | None, order_id: UUID) -> Order:
    if row is None:
        raise OrderNotFound(order_id=str(order_id))
    return order_from_row(row)
