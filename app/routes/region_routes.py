"""All routes of a region in one answer: `/v1/routes`."""

from datetime import UTC, datetime, timedelta
from typing import Any

from litestar import get
from litestar.params import FromQuery

from app.shapes.board import BoardShape, board_of, narrowed
from app.web.auth import Role, requires
from app.web.compression import COMPRESSED
from app.web.dependencies import Arriving, Pool
from app.web.looks import looks_at
from app.web.reach import couriers_within, orders_within
from app.web.regions import known_region
from sql import queries

BEFORE = timedelta(hours=2)
AHEAD = timedelta(hours=12)
"""Shifts that touch these hours around now are told."""


@get("/v1/routes", opt=looks_at("couriers.routes") | COMPRESSED, guards=[requires(Role.VIEWER)], tags=["plans"])
async def list_routes(pool: Pool, arrivals: Arriving, region: FromQuery[str | None] = None) -> BoardShape:
    """
    What everybody in a region is to do, and when: the stops of each route in order with arrivals and what was promised,
    those that the planner only intends among them; the shifts of these hours; who is on a break. To a partner's people
    the stops of their own orders with their own couriers.

    `region` defaults to the installation's only one.
    """
    known = await known_region(pool, region)
    theirs = await couriers_within(pool)
    now = datetime.now(UTC)
    board = board_of(
        known,
        now,
        stops=await pool.fetch(queries["arrivals.stops"], known, None),
        told=await arrivals.of_region(known),
        shifts=await pool.fetch(queries["shifts.of_region"], known, now - BEFORE, now + AHEAD),
        resting=await pool.fetch(queries["breaks.going_on"], known),
    )
    if theirs is None:
        return board
    orders = await orders_within(pool, {stop.order_id for route in board.routes for stop in route.stops})
    return narrowed(board, theirs, orders or frozenset())


route_handlers: list[Any] = [list_routes]
