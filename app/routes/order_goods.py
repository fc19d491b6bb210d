"""What support does about goods that did not reach their recipient: a new attempt, another courier."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, post
from litestar.params import FromPath, JSONBody

from app.commands import collecting
from app.shapes.orders import OrderShape, Version, WindowShape, shape_of, window_of, with_version
from app.web.actors import actor_of
from app.web.audit import audit
from app.web.auth import Role, requires
from app.web.dependencies import CurrentCaller, Pool, RedisClient
from app.web.instants import check_instants
from app.web.problems import BadInput
from app.web.reach import must_reach
from app.web.versions import IfMatch, version_of
from dispatch.orders import goods
from dispatch.orders.desk import at_desk
from dispatch.stop import OrderId
from tracking.position import CourierId


class Retry(msgspec.Struct, kw_only=True):
    """Why an order is tried again, and when the recipient can take it now."""

    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=500, pattern=r"\S")]
    window: WindowShape | None = None
    version: Version | None = None


class Transfer(msgspec.Struct, kw_only=True):
    """Who has the goods now."""

    courier_id: UUID
    version: Version | None = None


@post("/v1/orders/{order_id:uuid}/retry", guards=[requires(Role.SUPPORT)], status_code=200, tags=["orders"])
async def retry_order(
    order_id: FromPath[UUID],
    data: JSONBody[Retry],
    pool: Pool,
    redis: RedisClient,
    caller: CurrentCaller,
    if_match: IfMatch = None,
) -> Response[OrderShape]:
    """
    Try a failed or returned order again: a new attempt of the same order, which is `placed` again.

    One that is still on its way back turns round, with the courier who has it. Windows of the last attempt stay as far
    as they are not over; `window` is the recipient's new one.
    """
    check_instants(data)
    async with at_desk(pool, redis, actor_of(caller)) as desk:
        window = None if data.window is None else window_of(data.window, None, "")
        if window is not None and goods.is_over(window, desk.now):
            raise BadInput("The window is over.", ("/window/to", "expected a time to come"))
        expected = version_of(if_match, data.version)
        order = await goods.retry(desk, OrderId(order_id), window=window, reason=data.reason, version=expected)
        await collecting.reserve_again(desk, order)
        await audit(desk.connection, caller, "order.retry", f"order:{order_id}", {"reason": data.reason})
    return with_version(shape_of(order))


@post("/v1/orders/{order_id:uuid}/transfer", guards=[requires(Role.SUPPORT)], status_code=200, tags=["orders"])
async def transfer_order(
    order_id: FromPath[UUID],
    data: JSONBody[Transfer],
    pool: Pool,
    redis: RedisClient,
    caller: CurrentCaller,
    if_match: IfMatch = None,
) -> Response[OrderShape]:
    """Goods on board changed hands on the spot, as after a breakdown. Told twice it is the same."""
    await must_reach(pool, couriers=[data.courier_id])
    async with at_desk(pool, redis, actor_of(caller)) as desk:
        expected = version_of(if_match, data.version)
        order = await goods.transfer(desk, OrderId(order_id), CourierId(data.courier_id), version=expected)
        await audit(desk.connection, caller, "order.transfer", f"order:{order_id}", {"courier_id": data.courier_id})
    return with_version(shape_of(order))


route_handlers: list[Any] = [retry_order, transfer_order]
