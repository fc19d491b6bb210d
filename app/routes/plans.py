"""What would happen if, and then doing it: `/v1/plans`."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import post
from litestar.params import JSONBody, QueryParameter

from app.commands.at_place import at_place
from app.commands.orders import change_one, place_one, reassign_one
from app.shapes.orders import (
    NewOrderShape,
    OrderPatch,
    OrderShape,
    ReasonShape,
    new_order_of,
    objection_shapes,
    patched,
    reasons_shape,
    shape_of,
)
from app.web.actors import actor_of
from app.web.audit import audit
from app.web.auth import Caller, Role, requires
from app.web.dependencies import CurrentCaller, Pool, RedisClient
from app.web.problems import BadInput, Conflict
from app.web.reach import must_reach
from app.web.regions import known_region
from app.wiring.whatif import Thinker, WhatIf
from dispatch.errors import OrderNotFound
from dispatch.orders import duty
from dispatch.orders.depots import Depot, depots_of
from dispatch.orders.desk import Desk, at_desk
from dispatch.orders.order import NewOrder
from dispatch.planning.proposal import Plan, ReasonCode
from dispatch.region import preview, store
from dispatch.region.world import World
from dispatch.stop import OrderId
from tracking.errors import CourierNotFound
from tracking.position import CourierId, Region

MANY = msgspec.Meta(max_length=50)


class ChangeOrder(OrderPatch, kw_only=True):
    """An order that would read differently; only what is given changes."""

    id: UUID


class AssignOrder(msgspec.Struct, kw_only=True):
    """An order that would be given to a courier by hand."""

    order_id: UUID
    courier_id: UUID


class Changes(msgspec.Struct, kw_only=True):
    """What would be different; nothing at all: plan anew."""

    region: str | None = None
    add_orders: Annotated[list[NewOrderShape], MANY] = []
    change_orders: Annotated[list[ChangeOrder], MANY] = []
    cancel_orders: Annotated[list[UUID], MANY] = []
    remove_couriers: Annotated[list[UUID], MANY] = []
    """Couriers who would go off duty."""
    assign: Annotated[list[AssignOrder], MANY] = []


class ApplyChanges(Changes, kw_only=True):
    """What shall be different."""

    basis: str | None = None
    """`basis` of the preview: answers 409 when orders or routes have changed since."""
    force: bool = False
    """Assign whatever speaks against the couriers; without it that answers 409 with the reasons."""


class TotalsShape(msgspec.Struct, kw_only=True):
    """A plan in a few figures."""

    cost: int
    n_orders: int
    n_unassigned: int
    n_late: int
    late_s: int
    travel_s: int


class FateShape(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What a plan makes of an order."""

    courier_id: UUID | None = None
    pickup_at: datetime | None = None
    dropoff_at: datetime | None = None
    late_s: int = 0


class DifferenceShape(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An order that would fare differently."""

    order_id: UUID
    now: FateShape | None = None
    then: FateShape | None = None


class AddedShape(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What would become of an order that is not there yet; in the order of `add_orders`."""

    courier_id: UUID | None = None
    pickup_at: datetime | None = None
    dropoff_at: datetime | None = None
    late_s: int = 0
    cost: dict[str, int] | None = None
    """What it adds to the courier's route, by term."""
    reasons: list[ReasonShape] | None = None
    """Why nobody could take it."""


class PreviewShape(msgspec.Struct, kw_only=True):
    """The plan now, the plan then, and what lies between."""

    basis: str
    now: TotalsShape
    then: TotalsShape
    difference: TotalsShape
    """`then` minus `now`."""
    orders: list[DifferenceShape]
    added: list[AddedShape]


class AppliedShape(msgspec.Struct, kw_only=True):
    """What was done; the dispatcher plans anew at once."""

    orders: list[OrderShape]
    couriers_off_duty: list[UUID]


class WindowQuestion(msgspec.Struct, kw_only=True):
    """For which order, and which windows."""

    order: NewOrderShape
    length_s: Annotated[int, msgspec.Meta(ge=300, le=86_400)] = 3600
    step_s: Annotated[int, msgspec.Meta(ge=300, le=86_400)] = 1800
    n: Annotated[int, msgspec.Meta(ge=1, le=24)] = 8


class WindowAnswer(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A window for the drop-off, and whether it could be promised now."""

    from_: datetime = msgspec.field(name="from")
    to: datetime
    feasible: bool
    dropoff_at: datetime | None = None
    courier_id: UUID | None = None
    cost: int | None = None
    """What keeping it would add to the plan."""
    reasons: list[ReasonShape] | None = None


class WindowAnswers(msgspec.Struct, kw_only=True):
    """Windows, the earliest first."""

    windows: list[WindowAnswer]


@post("/v1/plans/preview", guards=[requires(Role.DISPATCHER)], status_code=200, tags=["plans"])
async def preview_plan(data: JSONBody[Changes], pool: Pool, what_if: Thinker) -> PreviewShape:
    """
    What would happen with orders more or less, other windows, couriers less, or an order given away by hand.

    Nothing is changed. Both plans are made now by the same planner, so the difference is what the change does. Orders
    that are not planned yet are not in it; of a region with more than 400 couriers or 200 orders it is what is nearest.
    """
    region = await _region_of(pool, data)
    basis = await store.basis(pool, region)
    new_orders = await _new_orders(pool, data.add_orders, region)
    world = await what_if.world(
        region,
        places=[stop.at for new in new_orders for stop in (new.pickup, new.dropoff)],
        order_ids=_involved(data),
        courier_ids=[CourierId(id_) for id_ in (*data.remove_couriers, *(given.courier_id for given in data.assign))],
    )
    depots = await depots_of(pool, region) if data.change_orders else ()
    changed, added = _changed(world, data, new_orders, depots)
    now, then = await what_if.plans([world, changed])
    totals_now, totals_then = preview.totals(now), preview.totals(then)
    before, after = preview.fates(now), preview.fates(then)
    return PreviewShape(
        basis=basis,
        now=TotalsShape(**asdict(totals_now)),
        then=TotalsShape(**asdict(totals_then)),
        difference=TotalsShape(
            **{name: value - getattr(totals_now, name) for name, value in asdict(totals_then).items()}
        ),
        orders=[
            DifferenceShape(order_id=(new or old).order_id, now=_fate(old), then=_fate(new))  # type: ignore[union-attr]  # one of both is there
            for old, new in preview.differences(before, after)
            if new is None or new.order_id not in added
        ],
        added=[_added(then, order_id, after[order_id]) for order_id in added],
    )


@post("/v1/plans/apply", guards=[requires(Role.DISPATCHER)], status_code=200, tags=["plans"])
async def apply_plan(
    data: JSONBody[ApplyChanges],
    pool: Pool,
    redis: RedisClient,
    caller: CurrentCaller,
    what_if: Thinker,
    is_tried: Annotated[bool, QueryParameter(name="preview")] = False,
) -> AppliedShape:
    """
    Do in one transaction what a preview was asked about; all of it or nothing.

    `preview=true` only tries: it answers as it would, refuses what it would refuse, and nothing is done.
    """
    region = await _region_of(pool, data)
    against = await _against(what_if, data.assign)
    async with what_if.applying.one():
        await _refuse_late(pool, region, data)  # before anything is held: of many who apply one preview, one may
        try:
            return await _apply_now(data, region, pool, redis, caller, what_if, against, is_tried=is_tried)
        except _Tried as tried:
            return tried.applied


class _Tried(Exception):
    """No error: it ends a transaction that was only tried."""

    def __init__(self, applied: AppliedShape) -> None:
        super().__init__()
        self.applied = applied


async def _apply_now(
    data: ApplyChanges,
    region: Region,
    pool: Any,
    redis: Any,
    caller: Caller,
    what_if: WhatIf,
    against: Mapping[OrderId, Sequence[ReasonCode]],
    *,
    is_tried: bool,
) -> AppliedShape:
    async with at_desk(pool, redis, actor_of(caller)) as desk:
        await _hold(desk, region, data)
        await _refuse_late(desk.connection, region, data)
        expires_in = await what_if.offer_for(desk.connection, region)
        touched = await _apply(desk, data, caller, expires_in=expires_in, against=against)
        await duty.go_off_duty(desk, [CourierId(courier_id) for courier_id in data.remove_couriers])
        facts = {"n_orders": len(touched), "couriers_off_duty": data.remove_couriers}
        await audit(desk.connection, caller, "plan.apply", f"region:{region}", facts)
        desk.ask_for_plan(region)
        orders = [shape_of(await desk.get_order(order_id)) for order_id in touched]
        for shape in orders:
            shape.warnings = objection_shapes(against.get(OrderId(shape.id), ()))
        applied = AppliedShape(orders=orders, couriers_off_duty=data.remove_couriers)
        if is_tried:
            raise _Tried(applied)
    return applied


@post("/v1/plans/windows", guards=[requires(Role.DISPATCHER)], status_code=200, tags=["plans"])
async def windows_for(data: JSONBody[WindowQuestion], pool: Pool, what_if: Thinker) -> WindowAnswers:
    """Which windows could we promise for this address? Each is tried as a hard window beside all that is promised."""
    region = await known_region(pool, data.order.region)
    [new] = await _new_orders(pool, [data.order], region)
    now = datetime.now(UTC)
    starts = preview.slots(now, length_s=data.length_s, step_s=data.step_s, n=data.n)
    horizon_s = int((starts[-1] - now).total_seconds()) + data.length_s
    world = await what_if.world(region, places=[new.pickup.at, new.dropoff.at], horizon_s=horizon_s)
    tries = [preview.with_order(world, preview.with_window(new, at, data.length_s)) for at in starts]
    base, *plans = await what_if.plans([world, *(tried for tried, _ in tries)], horizon_s=horizon_s)
    return WindowAnswers(
        windows=[
            _window_answer(at, data.length_s, plan, order_id, base)
            for at, (_, order_id), plan in zip(starts, tries, plans, strict=True)
        ]
    )


def _changed(
    world: World, data: Changes, new_orders: Sequence[NewOrder], depots: Sequence[Depot]
) -> tuple[World, list[OrderId]]:
    """The world with the changes, and the ids of added orders; raises OrderNotFound, CourierNotFound, BadInput."""
    known = {order.id: order for order in world.orders}
    couriers = {courier.id for courier in world.couriers}
    for order_id in (*data.cancel_orders, *(c.id for c in data.change_orders), *(a.order_id for a in data.assign)):
        if order_id not in known:
            raise OrderNotFound("There is no such open order in the region.", order_id=str(order_id))
    for courier_id in (*data.remove_couriers, *(given.courier_id for given in data.assign)):
        if courier_id not in couriers:
            raise CourierNotFound("There is no such courier on duty in the region.", courier_id=str(courier_id))
    added = []
    for change in data.change_orders:
        world = preview.with_changed(world, patched(known[OrderId(change.id)], change, depots)[0])
    for order_id in data.cancel_orders:
        world = preview.without_order(world, OrderId(order_id))
    for given in data.assign:
        world = preview.with_assigned(world, OrderId(given.order_id), CourierId(given.courier_id))
    for courier_id in data.remove_couriers:
        world = preview.without_courier(world, CourierId(courier_id))
    for new in new_orders:
        world, order_id = preview.with_order(world, new)
        added.append(order_id)
    return world, added


async def _refuse_late(connection: Any, region: Region, data: ApplyChanges) -> None:
    if data.basis is not None and await store.basis(connection, region) != data.basis:
        raise Conflict("Orders or routes have changed since the preview.", basis=data.basis)


async def _against(what_if: WhatIf, wanted: Sequence[AssignOrder]) -> dict[OrderId, tuple[ReasonCode, ...]]:
    """What speaks against the couriers that orders shall be given to, all of one courier's together."""
    found: dict[OrderId, tuple[ReasonCode, ...]] = {}
    for courier_id in dict.fromkeys(given.courier_id for given in wanted):
        theirs = [OrderId(given.order_id) for given in wanted if given.courier_id == courier_id]
        found |= await what_if.speaking_against(theirs, CourierId(courier_id))
    return found


async def _apply(
    desk: Desk,
    data: ApplyChanges,
    caller: Caller,
    *,
    expires_in: timedelta | None,
    against: Mapping[OrderId, Sequence[ReasonCode]],
) -> list[OrderId]:
    await desk.lock_orders(_involved(data))
    changed = [await change_one(desk, OrderId(change.id), change, caller) for change in data.change_orders]
    changed += [await desk.cancel(OrderId(order_id), reason="plan") for order_id in data.cancel_orders]
    changed += [
        await reassign_one(
            desk,
            OrderId(given.order_id),
            CourierId(given.courier_id),
            caller,
            reason="plan",
            expires_in=expires_in,
            against=against.get(OrderId(given.order_id), ()),
            force=data.force,
        )
        for given in data.assign
    ]
    changed += [await place_one(desk, shape, caller) for shape in data.add_orders]
    return [order.id for order in changed]


def _involved(data: Changes) -> list[OrderId]:
    """The orders there are already that something would be done to."""
    named = (*(c.id for c in data.change_orders), *data.cancel_orders, *(given.order_id for given in data.assign))
    return [OrderId(order_id) for order_id in named]


async def _new_orders(pool: Any, shapes: Sequence[NewOrderShape], region: Region) -> list[NewOrder]:
    depots = await depots_of(pool, region) if shapes else ()
    now = datetime.now(UTC)
    there = [await at_place(pool, shape, now) for shape in shapes]
    return [new_order_of(at.order, region, depots, now) for at in there]


async def _hold(desk: Desk, region: Region, data: Changes) -> None:
    """What the plan touches does not change until it is applied."""
    order_ids = {*data.cancel_orders, *(c.id for c in data.change_orders), *(a.order_id for a in data.assign)}
    to = {given.courier_id for given in data.assign}
    await store.hold(desk.connection, region, order_ids, to, data.remove_couriers)


async def _region_of(pool: Any, data: Changes) -> Region:
    touched = {*data.cancel_orders, *(c.id for c in data.change_orders), *(a.order_id for a in data.assign)}
    couriers = {*data.remove_couriers, *(a.courier_id for a in data.assign)}
    await must_reach(pool, orders=touched, couriers=couriers)
    named = {shape.region for shape in data.add_orders if shape.region is not None}
    if len(named | ({data.region} if data.region else set())) > 1:
        raise BadInput("A plan is of one region.", ("/add_orders", "expected orders of one region"))
    return await known_region(pool, data.region or next(iter(named), None))


def _fate(fate: preview.Fate | None) -> FateShape | None:
    if fate is None:
        return None
    return FateShape(
        courier_id=fate.courier_id,
        pickup_at=_at(fate.pickup_at),
        dropoff_at=_at(fate.dropoff_at),
        late_s=fate.late_s,
    )


def _added(plan: Plan, order_id: OrderId, fate: preview.Fate) -> AddedShape:
    given, left = preview.assignment_of(plan, order_id), preview.exclusion_of(plan, order_id)
    return AddedShape(
        courier_id=fate.courier_id,
        pickup_at=_at(fate.pickup_at),
        dropoff_at=_at(fate.dropoff_at),
        late_s=fate.late_s,
        cost=None if given is None else dict(given.cost),
        reasons=None if left is None else _reasons(left),
    )


def _window_answer(at: datetime, length_s: int, plan: Plan, order_id: OrderId, base: Plan) -> WindowAnswer:
    fate, left = preview.fates(plan)[order_id], preview.exclusion_of(plan, order_id)
    return WindowAnswer(
        from_=at,
        to=at + timedelta(seconds=length_s),
        feasible=preview.can_be_promised(plan, base, order_id),
        dropoff_at=_at(fate.dropoff_at),
        courier_id=fate.courier_id,
        cost=None if left is not None else plan.cost - base.cost,
        reasons=None if left is None else _reasons(left),
    )


def _reasons(left: Any) -> list[ReasonShape]:
    return reasons_shape({code.value: {"n": n, "example": left.example.get(code)} for code, n in left.reasons.items()})


def _at(instant: int | None) -> datetime | None:
    return None if instant is None else datetime.fromtimestamp(instant, UTC)


route_handlers: list[Any] = [preview_plan, apply_plan, windows_for]
