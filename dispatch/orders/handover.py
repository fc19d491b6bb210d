"""
Who has an order: offers and their answers, and what dispatchers do by hand; functions on a `Desk`.

An order that a courier has always has its open stops in that courier's route. A change by hand appends them at the end
at once; the dispatcher, woken by the event, finds a better place for them.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from dispatch.errors import NotYours, OfferNotFound, OfferNotOpen, OrderNotOpen, VersionConflict
from dispatch.orders.desk import Desk, holder_of
from dispatch.orders.happened import Happened, happened
from dispatch.orders.offer import Offer, OfferId, OfferState, check_answerable
from dispatch.orders.order import UNCOLLECTED_STATES, Order, OrderState
from dispatch.orders.pauses import PauseParams, tell_new
from dispatch.orders.rows import from_json, offer_from_row, order_from_row, to_json
from dispatch.stop import OrderId, PlannedStop, StopKind, check_sequence
from sql import queries
from tracking.errors import CourierNotFound
from tracking.position import CourierId, Region

DEMANDS = frozenset({"modes", "skills", "size", "group_id", "depot"})
"""A change of these may make the courier the wrong one."""


async def accept(
    desk: Desk, offer_id: OfferId, courier_id: CourierId, *, said_at: datetime | None = None
) -> list[Order]:
    """
    The courier takes all orders of an offer. Accepting twice is one acceptance: a phone may repeat itself.

    Of several who were asked the first one has them; the others are told, and it does not count against them.
    Whether the offer was still open is judged by our clock; `said_at`, the phone's, only says when that was.
    Raises `OfferNotFound`, `NotYours`, and `OfferNotOpen` when it was answered, withdrawn or has expired.
    """
    offers, known = await _lock_offer(desk, offer_id, courier_id)
    wanted = [offer for offer in offers if offer.state is OfferState.OPEN]
    if not wanted:
        taken = [known[offer.order_id] for offer in offers if offer.state is OfferState.ACCEPTED]
        if taken and all(order.courier_id == courier_id for order in taken):
            return taken
        check_answerable(offers[0], desk.now)
    for offer in wanted:
        check_answerable(offer, desk.now)
    orders = [known[offer.order_id] for offer in wanted]
    if any(order.state is not OrderState.ASSIGNED for order in orders):
        raise OfferNotOpen(offer_id=str(offer_id), state=wanted[0].state.value)
    await desk.accept_offers(orders, courier_id)
    when = happened(said_at, now=desk.now, after=wanted[0].offered_at)
    others = {order.courier_id for order in orders if order.courier_id is not None} - {courier_id}
    if others:
        await desk.connection.fetch(queries["routes.lock_many"], sorted({*others, courier_id}))
    accepted = [
        await desk.move(order, OrderState.ACCEPTED, action="accept", courier_id=courier_id, happened=when)
        for order in orders
    ]
    for order, before in zip(accepted, orders, strict=True):
        if before.courier_id != courier_id:
            await desk.remove_stops(order)
            await desk.append_stops(order, courier_id)
            desk.tell(order, "order.changed")  # the planner finds a better place for its stops
    return accepted


async def give_back(desk: Desk, order: Order, *, reason: str, said_at: datetime | None = None) -> Order:
    """
    The courier cannot do what was accepted; the same one gets it again only if nobody else can take it.

    Raises `OrderNotOpen` unless it was accepted and not collected.
    """
    if order.state is not OrderState.ACCEPTED:
        message = "Only an accepted order that is not collected can be given back."
        raise OrderNotOpen(message, order_id=str(order.id), state=order.state.value)
    when = happened(said_at, now=desk.now, after=order.last_step_at)
    return await _back_to_placed(desk, order, action="release", reason=reason, when=when)


async def reject(desk: Desk, offer_id: OfferId, courier_id: CourierId, *, reason: str | None) -> None:
    """The courier wants none of an offer's orders: they wait for another one, who may be asked already. As `accept`."""
    offers, known = await _lock_offer(desk, offer_id, courier_id)
    wanted = [offer for offer in offers if offer.state is OfferState.OPEN]
    if not wanted and any(offer.state is OfferState.REJECTED for offer in offers):
        return
    for offer in wanted or offers:
        check_answerable(offer, desk.now)
    await desk.close_offers_to({courier_id: reason}, [offer.order_id for offer in wanted], OfferState.REJECTED)
    theirs = [known[offer.order_id] for offer in wanted if known[offer.order_id].courier_id == courier_id]
    kept = await _pass_on(desk, [order.id for order in theirs])
    left = [order for order in theirs if order.id not in kept]
    if len(left) > 1:
        await desk.connection.fetch(queries["routes.lock_many"], [courier_id])
    for order in left:
        await _back_to_placed(desk, order, action="reject", reason=reason)


async def expire_overdue(desk: Desk, region: Region, pauses: PauseParams | None = None) -> list[OrderId]:
    """End the offers of a region whose time has passed; who is paused for it, by `pauses`, is told."""
    held = await desk.connection.fetch(queries["orders.lock_overdue"], region, desk.now)
    if not held:
        return []
    why = {row["id"]: "no answer in time" for row in held}
    # Answered between the look and the lock: then there is nothing to expire.
    closed = await desk.close_offers(why, OfferState.EXPIRED, overdue_at=desk.now)
    if pauses is not None:
        asked = await desk.connection.fetch(queries["offers.just_expired"], closed, desk.now)
        await tell_new(desk, region, pauses, [row["courier_id"] for row in asked])
    kept = await _pass_on(desk, closed)
    return await _put_back(
        desk,
        {id_: why[id_] for id_ in closed if id_ not in kept},
        [row["courier_id"] for row in held],
        action="expire",
    )


async def assign(
    desk: Desk,
    order_id: OrderId,
    courier_id: CourierId,
    *,
    reason: str | None = None,
    version: int | None = None,
    pinned: bool = True,
    expires_in: timedelta | None,
) -> Order:
    """
    Give an order to a courier by hand, whoever has it now; the courier is still asked, but for an `expires_in` of None.

    Pinned: the dispatcher plans around it. Raises `OrderNotOpen` once the goods are on board, `CourierNotFound` when
    there is no such courier in the order's region.
    """
    order = await desk.lock_order(order_id, version=version)
    await require_courier(desk, courier_id, order.region)
    if order.is_on_board:
        raise OrderNotOpen("The goods are on board: they are transferred, not reassigned.", order_id=str(order_id))
    if holder_of(order) == courier_id:
        return await pin(desk, order, pinned=pinned) if order.pinned != pinned else order
    holder = holder_of(order)
    await desk.connection.fetch(queries["routes.lock_many"], [courier_id] if holder is None else [courier_id, holder])
    await desk.withdraw_offer(order, reason="given to another courier")
    await desk.remove_stops(order)
    assigned = await desk.move(
        order,
        OrderState.ASSIGNED,
        action="reassign" if holder else "assign",
        courier_id=courier_id,
        pinned=pinned,
        reason=reason,
        facts={"from_courier_id": str(holder)} if holder else None,
    )
    await desk.append_stops(assigned, courier_id)
    if expires_in is None:
        assigned = await desk.move(assigned, OrderState.ACCEPTED, action="accept", reason="couriers are not asked")
    else:
        await desk.make_offer(assigned, courier_id, expires_in=expires_in, facts={"manual": True})
    desk.tell(assigned, "order.changed")
    return assigned


async def unassign(desk: Desk, order_id: OrderId, *, reason: str | None, version: int | None = None) -> Order:
    """Take an order away from its courier; the same courier gets it again only if nobody else can take it."""
    order = await desk.lock_order(order_id, version=version)
    if order.state is OrderState.PLACED:
        return order
    if order.is_on_board:
        raise OrderNotOpen("The goods are on board: the order cannot be taken away.", order_id=str(order_id))
    return await _back_to_placed(desk, order, action="unassign", reason=reason)


async def change(desk: Desk, order: Order, wanted: Order, names: Sequence[str]) -> Order:
    """
    Write what was changed of a locked order, by the names of its fields.

    Where the courier may now be the wrong one the planner chooses anew. Raises `OrderNotOpen`, `VersionConflict`.
    """
    changed = await desk.change(order, wanted, facts={"changed": names})
    if DEMANDS.isdisjoint(names):
        return changed
    return await reconsider(desk, changed, reason=f"changed: {', '.join(names)}")


async def reconsider(desk: Desk, order: Order, *, reason: str) -> Order:
    """Let the planner choose a courier anew after the order changed; pinned and collected orders stay."""
    if order.state not in {OrderState.ASSIGNED, OrderState.ACCEPTED} or order.pinned:
        return order
    return await _back_to_placed(desk, order, action="reconsider", reason=reason)


async def pin(desk: Desk, order: Order, *, pinned: bool, reason: str | None = None) -> Order:
    """Keep a locked order with its courier whatever the planner thinks, or let the planner decide again."""
    row = await desk.connection.fetchrow(queries["orders.pin"], order.id, order.version, pinned, desk.now)
    if row is None:
        raise OrderNotOpen("Only an order that a courier has can be pinned.", order_id=str(order.id), state=order.state)
    changed = order_from_row(row)
    await desk.note(changed, action="pin" if pinned else "unpin", reason=reason)
    return changed


async def release(
    desk: Desk, reasons: Mapping[CourierId, str], *, given_by: Mapping[CourierId, datetime] | None = None
) -> list[OrderId]:
    """
    Take away what couriers have been given but not collected; what is on board stays. `reasons` by courier.

    `given_by`: only what the courier was given by then.
    """
    held = await desk.connection.fetch(queries["orders.lock_uncollected"], list(reasons))
    if given_by is not None:
        held = [
            row for row in held if row["courier_id"] in given_by and row["assigned_at"] <= given_by[row["courier_id"]]
        ]
    return await _step_back(desk, reasons, held, action="release")


async def withdraw_unanswered(desk: Desk, courier_id: CourierId, *, reason: str) -> list[OrderId]:
    """What a courier has been offered and not answered goes to others; the same one may be asked again."""
    held = await desk.connection.fetch(queries["orders.lock_uncollected"], [courier_id])
    asked = [row for row in held if row["state"] == OrderState.ASSIGNED or row["courier_id"] != courier_id]
    return await _step_back(desk, {courier_id: reason}, asked, action="withdraw")


async def _step_back(
    desk: Desk, reasons: Mapping[CourierId, str], held: Sequence[Mapping[str, Any]], *, action: str
) -> list[OrderId]:
    """
    Couriers, with a reason each, do not do what they have of held orders, nor answer what they are asked.

    What others are asked for as well goes to one of these; the rest waits for a courier again, and is returned.
    """
    if not held:
        return []
    await desk.close_offers_to(reasons, [row["id"] for row in held], OfferState.WITHDRAWN)
    theirs = {row["id"]: row["courier_id"] for row in held if row["courier_id"] in reasons}
    kept = await _pass_on(desk, list(theirs))
    why = {order_id: reasons[courier_id] for order_id, courier_id in theirs.items() if order_id not in kept}
    return await _put_back(desk, why, [theirs[order_id] for order_id in why], action=action)


async def _pass_on(desk: Desk, order_ids: Sequence[OrderId]) -> dict[OrderId, CourierId]:
    """Held orders of which an offer is still open to somebody are that courier's meanwhile; who has which now."""
    rows = await desk.connection.fetch(queries["offers.next_asked"], order_ids)
    nexts: dict[OrderId, CourierId] = {row["order_id"]: row["courier_id"] for row in rows}
    if not nexts:
        return {}
    orders = [await desk.lock_order(order_id) for order_id in sorted(nexts)]
    holders = {order.courier_id for order in orders if order.courier_id is not None}
    await desk.connection.fetch(queries["routes.lock_many"], sorted(holders | set(nexts.values())))
    for order in orders:
        if order.courier_id == nexts[order.id]:
            continue
        facts = {"from_courier_id": str(order.courier_id)}
        moved = await desk.move(
            order, OrderState.ASSIGNED, action="reassign", courier_id=nexts[order.id], facts=facts, reason="also asked"
        )
        await desk.remove_stops(order)
        await desk.append_stops(moved, nexts[order.id])
    return nexts


async def reorder(desk: Desk, courier_id: CourierId, wanted: Sequence[PlannedStop], version: int) -> int:
    """
    Put the stops of a route in another order, by hand. Returns the new version of the route.

    Raises `VersionConflict` when the route is not in that version any more, ValueError when the stops are not the same
    or a drop-off comes before its pickup.
    """
    rows = await desk.connection.fetch(queries["routes.lock_many"], [courier_id])
    if not rows or rows[0]["version"] != version:
        raise VersionConflict(courier_id=str(courier_id), version=rows[0]["version"] if rows else 0, expected=version)
    known = [PlannedStop(OrderId(UUID(s["order_id"])), StopKind(s["kind"])) for s in from_json(rows[0]["stops"])]
    check_sequence(known, wanted)
    # The times of the old sequence say nothing about the new one: the planner fills them in.
    stops = [{"order_id": str(stop.order_id), "kind": stop.kind.value, "fixed": True} for stop in wanted]
    row = await desk.connection.fetchrow(
        queries["routes.put_many"],
        [courier_id],
        [version],
        [to_json(stops)],
        ["{}"],
        [True],
        "manual",
        desk.now,
        rows[0]["region"],
    )
    desk.tell_route(rows[0]["region"], courier_id, row["version"])
    return int(row["version"])


async def require_courier(desk: Desk, courier_id: CourierId, region: Region) -> None:
    """Raise `CourierNotFound` unless there is such a courier in the region."""
    found = await desk.connection.fetchval(queries["planning.courier_region"], courier_id)
    if found != region:
        raise CourierNotFound(courier_id=str(courier_id), region=region)


async def _lock_offer(desk: Desk, offer_id: OfferId, courier_id: CourierId) -> tuple[list[Offer], dict[OrderId, Order]]:
    """The rows of an offer and its orders, all held. The orders first: everybody locks in that sequence."""
    rows: Any = await desk.connection.fetch(queries["offers.rows_of"], offer_id)
    if not rows:
        raise OfferNotFound(offer_id=str(offer_id))
    if rows[0]["courier_id"] != courier_id:
        raise NotYours(offer_id=str(offer_id))
    orders = await desk.connection.fetch(queries["orders.lock_many"], [row["order_id"] for row in rows])
    held = await desk.connection.fetch(queries["offers.lock_rows"], [row["id"] for row in rows])
    return [offer_from_row(row) for row in held], {row["id"]: order_from_row(row) for row in orders}


async def _back_to_placed(
    desk: Desk, order: Order, *, action: str, reason: str | None, when: Happened | None = None
) -> Order:
    await desk.withdraw_offer(order, reason=reason)
    placed = await desk.move(order, OrderState.PLACED, action=action, reason=reason, happened=when)
    await desk.remove_stops(order)
    return placed


async def _put_back(
    desk: Desk, why: Mapping[OrderId, str], holders: Iterable[CourierId | None], *, action: str
) -> list[OrderId]:
    """
    Many held orders wait for a courier again, each for its reason, in as many statements as one would take.

    All orders were locked first, in the order of their ids; then come the routes, in the order of their couriers: as
    everybody locks them, so that nobody waits in a circle.
    """
    if not why:
        return []
    listed = sorted({courier_id for courier_id in holders if courier_id is not None})
    await desk.connection.fetch(queries["routes.lock_many"], listed)
    unanswered = action in {"expire", "withdraw"}
    states = [OrderState.ASSIGNED.value] if unanswered else [state.value for state in UNCOLLECTED_STATES]
    moved = await desk.connection.fetch(queries["orders.put_back_many"], list(why), states, desk.now)
    await desk.connection.execute(
        queries["order_events.insert_put_back"],
        [row["id"] for row in moved],
        [row["version"] for row in moved],
        [row["from_state"] for row in moved],
        [row["courier_id"] for row in moved],
        [why[row["id"]] for row in moved],
        action,
        desk.actor.id,
        desk.actor.role,
        desk.now,
    )
    for row in moved:
        facts = {"order_id": str(row["id"]), "state": OrderState.PLACED.value, "version": row["version"]}
        desk.events.append((row["region"], "order.placed", facts))
    order_ids = [row["id"] for row in moved]
    for row in await desk.connection.fetch(
        queries["routes.remove_orders"], listed, list(map(str, order_ids)), desk.now
    ):
        desk.tell_route(row["region"], row["courier_id"], row["version"])
    return order_ids
