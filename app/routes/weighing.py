"""Who could take an order, and which order a courier could take: for support, before anything is done."""

from typing import Annotated, Any
from uuid import UUID

from litestar import get
from litestar.params import FromPath, QueryParameter

from app.shapes.weighing import CandidatesShape, SuggestionsShape, candidates_shape, suggestions_shape
from app.web.auth import Role, requires
from app.web.dependencies import Pool
from app.web.reach import couriers_within, orders_within
from app.wiring.whatif import Thinker
from dispatch.errors import OrderNotOpen
from dispatch.orders.desk import read_order
from sql import queries
from tracking.errors import CourierNotFound
from tracking.position import CourierId

AtMost = Annotated[int, QueryParameter(ge=1, le=500)]


@get("/v1/orders/{order_id:uuid}/candidates", guards=[requires(Role.SUPPORT)], tags=["plans"])
async def list_candidates(
    order_id: FromPath[UUID], pool: Pool, what_if: Thinker, limit: AtMost = 50
) -> CandidatesShape:
    """
    Couriers by what the order would cost with each, as the planner reckons it; the others with their reasons.

    Whoever has the order now is one of them. Answered within about two seconds; pairs that were not looked at by then
    are excluded as `out_of_time`. `limit` bounds either list. A partner's people are told of their own couriers.
    """
    order = await read_order(pool, order_id)
    if not order.is_open:
        raise OrderNotOpen(order_id=str(order_id), state=order.state.value)
    weighed, names = await what_if.candidates(order)
    theirs = await couriers_within(pool)
    weighed = [one for one in weighed if theirs is None or one.courier_id in theirs]
    return candidates_shape(order, weighed, names, limit)


@get("/v1/couriers/{courier_id:uuid}/suggestions", guards=[requires(Role.SUPPORT)], tags=["plans"])
async def list_suggestions(
    courier_id: FromPath[UUID], pool: Pool, what_if: Thinker, limit: AtMost = 50
) -> SuggestionsShape:
    """
    Open orders that nobody has, by what each would cost with this courier; those that do not fit with their reasons.

    Bounded as `candidates` is.
    """
    region = await pool.fetchval(queries["planning.courier_region"], courier_id)
    if region is None:
        raise CourierNotFound(courier_id=str(courier_id))
    weighed, orders = await what_if.suggestions(region, CourierId(courier_id))
    theirs = await orders_within(pool, orders)
    weighed = [one for one in weighed if theirs is None or one.order_id in theirs]
    return suggestions_shape(courier_id, weighed, orders, limit)


route_handlers: list[Any] = [list_candidates, list_suggestions]
