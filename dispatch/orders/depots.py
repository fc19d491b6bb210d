"""Depots of a region: where drop-offs are loaded and pickups are brought to when the order names no other place."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, TypeVar

import msgspec
from msgspec import Meta

from dispatch.orders.order import NewOrder, OrderKind, OrderStop
from dispatch.orders.rows import from_json
from sql import queries
from tracking.geo import distance_m
from tracking.position import LatLon, Region

log = logging.getLogger(__name__)

Ordered = TypeVar("Ordered", bound=NewOrder)
GROUP: Final = "depots"
"""Among a region's settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Depot:
    """A place of the region's own where goods lie."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    lat: Annotated[float, Meta(ge=-90, le=90)]
    lon: Annotated[float, Meta(ge=-180, le=180)]
    address: Annotated[str, Meta(max_length=500)] | None = None
    service_s: Annotated[int, Meta(ge=0, le=86_400)] = 120

    @property
    def at(self) -> LatLon:
        """Where it is."""
        return LatLon(self.lat, self.lon)


@dataclass(frozen=True, slots=True, kw_only=True)
class DepotSettings:
    """Where drop-offs are loaded and pickups are brought to."""

    places: Annotated[tuple[Depot, ...], Meta(max_length=50)] = ()
    """By `name`, with `lat`, `lon` (WGS 84), `address`, `service_s`; none: goods are loaded where the shift begins."""

    def __post_init__(self) -> None:
        if len({depot.name for depot in self.places}) < len(self.places):
            raise ValueError("expected a name for each depot that no other has")


async def depots_of(connection: Any, region: Region) -> tuple[Depot, ...]:
    """
    A region's depots.

    Settings that cannot be read keep nobody from placing orders; the dispatcher tells staff of them.
    """
    settings = from_json(await connection.fetchval(queries["regions.settings"], region) or "{}")
    try:
        given = settings.get(GROUP, {}) if isinstance(settings, dict) else {}
        return msgspec.convert(given, DepotSettings).places
    except ValueError as exc:
        log.warning("depots unreadable", extra={"event": "depots_unreadable", "region": region, "why": str(exc)})
        return ()


def at_depot(order: Ordered, depots: Sequence[Depot], name: str | None) -> Ordered:
    """
    An order of one stop with a depot for its other end: the one that is named, or the nearest.

    Without depots it stays of one stop. Raises ValueError, with what was expected, for a name that none of them has.
    """
    if order.kind not in {OrderKind.DROPOFF, OrderKind.PICKUP}:
        if name is not None:
            raise ValueError(f"expected none for {order.kind.value}")
        return order
    known = [depot for depot in depots if name in {None, depot.name}]
    if name is not None and not known:
        raise ValueError(f"expected one of: {', '.join(depot.name for depot in depots) or 'none, the region has none'}")
    if not known:
        return order
    is_loaded = order.kind is OrderKind.DROPOFF
    door = order.dropoff if is_loaded else order.pickup
    depot = min(known, key=lambda one: distance_m(one.at, door.at))
    end = OrderStop(at=depot.at, address=depot.address or depot.name, service_s=depot.service_s)
    if is_loaded:
        return replace(order, depot=depot.name, pickup=end)
    return replace(order, depot=depot.name, dropoff=end)
