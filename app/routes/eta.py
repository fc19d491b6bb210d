"""When an order arrives: `/v1/orders/{id}/eta`, and what was told of that: `/history`."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from litestar import get
from litestar.params import FromPath

from app.shapes.arrivals import OrderEtaShape, eta_shape
from app.web.auth import Role, requires
from app.web.dependencies import Arriving, Pool
from app.web.pages import Page
from dispatch.arrivals.eta import Note
from dispatch.orders.desk import read_order
from sql import queries


@get("/v1/orders/{order_id:uuid}/eta", guards=[requires(Role.VIEWER)], tags=["orders"])
async def get_eta(order_id: FromPath[UUID], arrivals: Arriving) -> OrderEtaShape:
    """
    When the order arrives, with its spread, or the courier where it is only collected; of a delivered order, when that
    was (source `recorded`).

    409 for an order that will not arrive any more.
    """
    found = await arrivals.of_order(order_id)
    arrival = found.dropoff or found.pickup
    if arrival is None:
        return OrderEtaShape(
            p50=None,
            p90=None,
            computed_at=datetime.now(UTC),
            source=None,
            confidence=0.0,
            warnings=[Note.NOT_ASSIGNED.value],
        )
    shape = msgspec.structs.asdict(eta_shape(arrival))
    return OrderEtaShape(**shape, pickup=None if found.pickup is None else eta_shape(found.pickup))


class ToldShape(msgspec.Struct, kw_only=True):
    """What was told of an arrival."""

    at: datetime
    """When it was told."""
    p50: datetime
    p90: datetime
    because: str | None
    """Why it is another than before, where that is known: a code as in `warnings`."""


@get("/v1/orders/{order_id:uuid}/eta/history", guards=[requires(Role.VIEWER)], tags=["orders"])
async def list_told(order_id: FromPath[UUID], pool: Pool) -> Page[ToldShape]:
    """What was told of the order's arrival, oldest first: the first word, and each that was another by minutes."""
    await read_order(pool, order_id)
    return Page(items=[ToldShape(**row) for row in await pool.fetch(queries["told_arrivals.list"], order_id)])


route_handlers: list[Any] = [get_eta, list_told]
