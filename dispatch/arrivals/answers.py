"""
Answers: when does the courier arrive? From the book where it is fresh, else computed on the spot.

The book is kept by `keeper` from every fix. When nobody keeps it (the role is down, the route is new), an
answer is made from the last position and what was learned, without an engine: never none. It goes on from what was
told of the order last, whoever had it then, and says that nobody keeps it.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID

import asyncpg
from prometheus_client import Counter

from dispatch.arrivals.book import FRESH_S, EtaBook, Told
from dispatch.arrivals.eta import RECORDED, Eta
from dispatch.arrivals.following import Following
from dispatch.arrivals.forecast import Forecaster
from dispatch.arrivals.itinerary import Itinerary, itineraries
from dispatch.errors import OrderNotFound, OrderNotOpen
from dispatch.orders.order import OrderState
from dispatch.stop import OrderId, PlannedStop, StopKind
from sql import queries
from tracking import outages
from tracking.live import LivePosition
from tracking.position import CourierId, Region

log = logging.getLogger(__name__)

NO_BOOK: tuple[type[Exception], ...] = (*outages.DRIVERS, ValueError)
"""ValueError: written by another version."""
ANSWERS = Counter("postrider_eta_answers_total", "Arrivals answered.", ["origin"])


class LiveSource(Protocol):
    """The part of `tracking.live.LivePositions` that is needed."""

    async def get(self, courier_id: UUID, region: Region) -> LivePosition | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderArrivals:
    """When an order's courier arrives; `pickup` until it was collected."""

    pickup: Eta | None
    dropoff: Eta | None
    """None: nobody carries the order yet, and nobody is meant to."""


class Arrivals:
    """Arrivals of a route or an order. Safe to share between tasks."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        book: EtaBook,
        live: LiveSource,
        forecaster: Forecaster,
        *,
        engine_expected: bool = False,
    ) -> None:
        """`engine_expected`: an engine is configured, falling back is worth a warning."""
        self._pool = pool
        self._book = book
        self._live = live
        self._forecaster = forecaster
        self._engine_expected = engine_expected

    async def of_route(self, region: Region, courier_id: CourierId, *, route_version: int | None = None) -> Told:
        """
        Arrivals at all stops of a courier's route; no etas where there is no route.

        `route_version`: what the caller is going to show; the book's answer to another version is not used.
        """
        now = datetime.now(UTC).timestamp()
        told = await self._read(region, courier_id)
        is_current = told is not None and route_version in (None, told.route_version)
        is_fresh = told is not None and now - told.computed_at <= FRESH_S
        if told is not None and is_current and is_fresh:
            ANSWERS.labels("book").inc()
            return told
        ANSWERS.labels("computed").inc()
        rows = await self._pool.fetch(queries["arrivals.stops"], region, [courier_id])
        itinerary = self._itinerary(rows, region, courier_id)
        if itinerary is None:
            return Told(route_version=route_version or 0, computed_at=now, etas=())
        following = Following(itinerary, engine_expected=self._engine_expected)
        following.resume(told.etas if told is not None else (), None if is_fresh else now)
        await self._take_over(following)
        return await self._compute(following, now)

    def _itinerary(self, rows: Sequence[Any], region: Region, courier_id: CourierId) -> Itinerary | None:
        """None also where the route cannot be read: the keeper tells staff, and sets it aside as well."""
        try:
            return itineraries(rows, region).get(courier_id)
        except Exception as exc:  # noqa: BLE001 - written by another hand, or another release
            ANSWERS.labels("unreadable").inc()
            outages.tell(log, "route not readable", exc, event="route_unreadable", courier_id=str(courier_id))
            return None

    async def of_region(self, region: Region) -> dict[CourierId, Told]:
        """Arrivals as they are kept, of every courier on a route; nothing of those that nobody has told lately."""
        now = datetime.now(UTC).timestamp()
        try:
            told = await self._book.of_region(region)
        except NO_BOOK as exc:
            outages.tell(log, "arrivals not read", exc, event="etas_not_read", region=region)
            return {}
        return {courier_id: one for courier_id, one in told.items() if now - one.computed_at <= FRESH_S}

    async def of_couriers(self, region: Region, courier_ids: Sequence[CourierId]) -> dict[CourierId, Told]:
        """As `of_region`, of some couriers."""
        now = datetime.now(UTC).timestamp()
        try:
            told = await self._book.of_couriers(region, courier_ids)
        except NO_BOOK as exc:
            outages.tell(log, "arrivals not read", exc, event="etas_not_read", region=region)
            return {}
        return {courier_id: one for courier_id, one in told.items() if now - one.computed_at <= FRESH_S}

    async def of_order(self, order_id: UUID) -> OrderArrivals:
        """
        Arrivals at an order's stops; of one that was delivered, when that was.

        Raises OrderNotFound, and OrderNotOpen for an order that was cancelled, has failed or comes back.
        """
        row: Mapping[str, Any] | None = await self._pool.fetchrow(queries["arrivals.order"], order_id)
        if row is None:
            raise OrderNotFound(order_id=str(order_id))
        match OrderState(row["state"]):
            case OrderState.DELIVERED:
                return OrderArrivals(pickup=None, dropoff=_recorded(order_id, row["delivered_at"].timestamp()))
            case OrderState.CANCELLED | OrderState.FAILED | OrderState.RETURNING | OrderState.RETURNED:
                raise OrderNotOpen("It will not arrive.", order_id=str(order_id), state=row["state"])
            case _ if row["courier_id"] is None:
                return OrderArrivals(pickup=None, dropoff=None)
            case _:
                courier_id = CourierId(row["courier_id"])
        told = await self.of_route(row["region"], courier_id)
        if all(told.find(order_id, kind) is None for kind in StopKind):
            # the book is of a moment before the order came onto the route
            told = await self.of_route(row["region"], courier_id, route_version=-1)
        return OrderArrivals(pickup=told.find(order_id, StopKind.PICKUP), dropoff=told.find(order_id, StopKind.DROPOFF))

    async def _read(self, region: Region, courier_id: CourierId) -> Told | None:
        try:
            return await self._book.of_courier(region, courier_id)
        except NO_BOOK as exc:
            outages.tell(log, "arrivals not read", exc, event="etas_not_read", region=region)
            return None

    async def _take_over(self, following: Following) -> None:
        """What was told of orders that came from somebody else."""
        known = {eta.stop.order_id for eta in following.said}
        for order_id in {call.stop.order_id for call in following.itinerary.calls} - known:
            try:
                following.promise(await self._book.promise(following.itinerary.region, order_id))
            except NO_BOOK as exc:
                outages.tell(log, "arrivals not read", exc, event="etas_not_read", region=following.itinerary.region)
                return

    async def _compute(self, following: Following, now: float) -> Told:
        itinerary = following.itinerary
        try:
            live = await self._live.get(itinerary.courier_id, itinerary.region)
        except outages.DRIVERS as exc:
            outages.tell(log, "position not read", exc, event="position_not_read")
            live = None
        if live is not None:
            fix = live.position.fix
            following.see(fix.at, fix.fixed_at.timestamp())
        etas = following.tell(self._forecaster, now)
        return Told(route_version=itinerary.version, computed_at=now, etas=etas)


def _recorded(order_id: UUID, at: float) -> Eta:
    stop = PlannedStop(OrderId(order_id), StopKind.DROPOFF)
    return Eta(stop=stop, p10=at, p50=at, p90=at, computed_at=at, source=RECORDED, confidence=1.0)
