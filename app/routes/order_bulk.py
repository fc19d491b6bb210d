"""One thing done to many orders: `POST /v1/orders/bulk`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from litestar import Response, post
from litestar.params import JSONBody

from app.commands.orders import cancel_one, pin_one, reassign_one
from app.shapes.orders import ObjectionShape, objection_shapes
from app.web.actors import actor_of
from app.web.auth import Caller, Role, requires
from app.web.dependencies import CurrentCaller, Pool, RedisClient
from app.web.idempotency import IdempotencyKey, answered_before, remember_answer
from app.web.problems import BadInput, part_problem
from app.web.reach import must_reach
from app.wiring.whatif import Thinker
from dispatch.errors import DispatchError, OrderNotFound
from dispatch.orders.desk import Desk, at_desk
from dispatch.orders.order import Order
from dispatch.planning.proposal import ReasonCode
from dispatch.stop import OrderId
from tracking.errors import TrackingError
from tracking.position import CourierId, Region

AT_MOST = 200
"""Orders of one request: they are held until all of it is done, and others may be waiting for them."""


class Bulk(msgspec.Struct, kw_only=True):
    """What to do to which orders; an order that is named twice is done once."""

    action: Literal["cancel", "reassign", "pin", "unpin"]
    order_ids: Annotated[list[UUID], msgspec.Meta(min_length=1, max_length=AT_MOST)]
    courier_id: UUID | None = None
    """To whom they are reassigned."""
    pinned: bool = True
    """Of those reassigned: whether the planner must leave them there."""
    force: bool = False
    """Reassign whatever speaks against that courier."""
    reason: Annotated[str, msgspec.Meta(max_length=500)] | None = None


class BulkResult(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What became of an order."""

    order_id: UUID
    status: int
    """As the single request would have answered: 200, or that of the problem."""
    state: str | None = None
    version: int | None = None
    courier_id: UUID | None = None
    warnings: list[ObjectionShape] = []
    """What speaks against the courier it was given to."""
    problem: dict[str, Any] | None = None


class BulkDone(msgspec.Struct, kw_only=True):
    """What became of each; `results` in the order they were named."""

    n_done: int
    n_failed: int
    results: list[BulkResult]


@post("/v1/orders/bulk", guards=[requires(Role.DISPATCHER)], status_code=200, tags=["orders"])
async def change_many(
    data: JSONBody[Bulk],
    pool: Pool,
    redis: RedisClient,
    caller: CurrentCaller,
    what_if: Thinker,
    idempotency_key: IdempotencyKey = None,
) -> Response[BulkDone]:
    """
    Cancel, reassign, pin or unpin many orders. One that cannot be done is told with its problem, the others go on.

    A repeated `Idempotency-Key` answers as before.
    """
    if (data.courier_id is None) == (data.action == "reassign"):
        raise BadInput("Orders are reassigned to a courier.", ("/courier_id", "expected with reassign, and only there"))
    await must_reach(pool, orders=data.order_ids, couriers=[] if data.courier_id is None else [data.courier_id])
    order_ids = [OrderId(order_id) for order_id in dict.fromkeys(data.order_ids)]
    against = {}
    if data.courier_id is not None:
        against = await what_if.speaking_against(order_ids, CourierId(data.courier_id))
    async with at_desk(pool, redis, actor_of(caller)) as desk:
        before = await answered_before(desk.connection, caller, idempotency_key, data)
        if before is not None:
            return Response(msgspec.convert(before, BulkDone), headers={"Idempotent-Replayed": "true"})
        orders = await desk.hold(order_ids, [] if data.courier_id is None else [CourierId(data.courier_id)])
        offer_for = {
            region: await what_if.offer_for(desk.connection, region)
            for region in sorted({order.region for order in orders.values()})
        }
        work = _Work(desk=desk, data=data, caller=caller, orders=orders, offer_for=offer_for, against=against)
        results = [await work.one(order_id) for order_id in order_ids]
        n_done = sum(result.problem is None for result in results)
        answer = BulkDone(n_done=n_done, n_failed=len(results) - n_done, results=results)
        await remember_answer(desk.connection, caller, idempotency_key, 200, answer)
    return Response(answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """What is done to each of the orders, and what is known of all of them."""

    desk: Desk
    data: Bulk
    caller: Caller
    orders: Mapping[OrderId, Order]
    offer_for: Mapping[Region, timedelta | None]
    against: Mapping[OrderId, tuple[ReasonCode, ...]]

    async def one(self, order_id: OrderId) -> BulkResult:
        """Do it, or tell why not and leave the order as it was."""
        n_events = len(self.desk.events)
        try:
            async with self.desk.connection.transaction():
                order = await self._do(order_id)
        except (DispatchError, TrackingError) as exc:
            problem = part_problem(exc)
            if problem is None:
                raise
            del self.desk.events[n_events:]  # of what has been undone
            return BulkResult(order_id=order_id, status=int(str(problem["status"])), problem=problem)
        return BulkResult(
            order_id=order_id,
            status=200,
            state=order.state.value,
            version=order.version,
            courier_id=order.courier_id,
            warnings=objection_shapes(self.against.get(order_id, ())),
        )

    async def _do(self, order_id: OrderId) -> Order:
        desk, data = self.desk, self.data
        if order_id not in self.orders:
            raise OrderNotFound(order_id=str(order_id))
        if data.action == "cancel":
            return await cancel_one(desk, order_id, self.caller, reason=data.reason)
        if data.action == "reassign":
            assert data.courier_id is not None  # looked at before
            return await reassign_one(
                desk,
                order_id,
                CourierId(data.courier_id),
                self.caller,
                reason=data.reason,
                pinned=data.pinned,
                expires_in=self.offer_for[self.orders[order_id].region],
                against=self.against.get(order_id, ()),
                force=data.force,
            )
        return await pin_one(desk, order_id, self.caller, pinned=data.action == "pin", reason=data.reason)


route_handlers: list[Any] = [change_many]
