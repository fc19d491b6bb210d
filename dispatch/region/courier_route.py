"""A courier's route in force: what the courier, or staff who look, is shown of it, and the offers beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dispatch.orders.offer import Offer, OfferId, together
from dispatch.orders.order import COURIER_STATES, Order
from dispatch.orders.rows import from_json, offer_from_row, order_from_row
from dispatch.region.store import stop_from_json
from dispatch.region.world import StopInForce
from dispatch.stop import OrderId
from sql import queries
from tracking.errors import CourierNotFound
from tracking.position import CourierId, Mode, Region

Offered = tuple[tuple[Offer, Order | None], ...]
"""An offer: its rows, each with its order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CourierRoute:
    """A route as the rows have it at one moment."""

    courier_id: CourierId
    region: Region
    mode: Mode
    version: int
    planned_at: datetime | None
    stops: tuple[tuple[StopInForce, Order], ...]
    offers: tuple[Offered, ...]

    @property
    def fingerprint(self) -> tuple[Any, ...]:
        """Changes exactly when what the courier is to do changes; times alone do not count."""
        return tuple((stop.stop, order.version) for stop, order in self.stops)


async def load_route(pool: Any, courier_id: CourierId, *, planned: bool = False) -> CourierRoute:
    """
    The courier's route and open offers; raises CourierNotFound.

    `planned`: with the stops that the planner only intends.
    """
    courier = await pool.fetchrow(queries["routes.view"], courier_id)
    if courier is None:
        raise CourierNotFound(courier_id=courier_id)
    stops = [stop_from_json(stop) for stop in from_json(courier["stops"] or "[]")]
    offers = [offer_from_row(row) for row in await pool.fetch(queries["offers.open_of_courier"], courier_id)]
    wanted = {stop.stop.order_id for stop in stops} | {row.order_id for row in offers}
    orders = {row["id"]: order_from_row(row) for row in await pool.fetch(queries["orders.get_many"], list(wanted))}
    return CourierRoute(
        courier_id=courier_id,
        region=courier["region"],
        mode=Mode(courier["mode"]),
        version=courier["version"] or 0,
        planned_at=courier["planned_at"],
        stops=tuple(
            (stop, order)
            for stop in stops
            if (order := orders.get(stop.stop.order_id)) is not None and _is_shown(order, stop, courier_id, planned)
        ),
        offers=tuple(tuple((row, orders.get(row.order_id)) for row in rows) for rows in together(offers)),
    )


def _is_shown(order: Order, stop: StopInForce, courier_id: CourierId, planned: bool) -> bool:
    if stop.stop.kind not in order.open_stops:
        return False
    mine = order.courier_id == courier_id and order.state in COURIER_STATES
    return mine or (planned and order.courier_id is None)


def changes_between(before: Sequence[Offered], after: Sequence[Offered]) -> tuple[list[Offered], list[OfferId]]:
    """Offers that are new, or have lost one of their orders, and ids of those that are gone."""
    known, now = {_orders_of(offered) for offered in before}, {offered[0][0].offer_id for offered in after}
    made = [offered for offered in after if _orders_of(offered) not in known]
    return made, [offered[0][0].offer_id for offered in before if offered[0][0].offer_id not in now]


def _orders_of(offered: Offered) -> tuple[OfferId, frozenset[OrderId]]:
    return offered[0][0].offer_id, frozenset(row.order_id for row, _ in offered)
