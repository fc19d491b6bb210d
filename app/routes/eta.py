"""When an order arrives: `/v1/orders/{id}/eta`."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from litestar import get
from litestar.params import FromPath

from app.shapes.arrivals import OrderEtaShape, eta_shape
from app.web.auth import Role, requires
from app.web.dependencies import Arriving
from dispatch.arrivals.eta import Note


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


route_handlers: list[Any] = [get_eta]
