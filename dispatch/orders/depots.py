"""Depots of a region: where drop-offs are loaded and pickups are brought to when the order names no other place."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Any, Final, Literal, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta

from dispatch.orders.order import NewOrder, OrderKind, OrderStop, Window
from dispatch.orders.rows import from_json
from sql import queries
from tracking.geo import distance_m
from tracking.position import LatLon, Region

log = logging.getLogger(__name__)

Ordered = TypeVar("Ordered", bound=NewOrder)
GROUP: Final = "depots"
"""Among a region's settings."""
JUST_AFTER: Final = timedelta(seconds=1)
Clock = Annotated[str, Meta(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Depot:
    """A place of the region's own where goods lie."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    lat: Annotated[float, Meta(ge=-90, le=90)]
    lon: Annotated[float, Meta(ge=-180, le=180)]
    address: Annotated[str, Meta(max_length=500)] | None = None
    service_s: Annotated[int, Meta(ge=0, le=86_400)] = 120
    opens: Clock | None = None
    closes: Clock | None = None
    """Goods are handed over between the two, every day (`HH:MM`), over midnight where it closes first."""
    timezone: Annotated[str, Meta(max_length=64)] | None = None
    """Of its hours; none: the region's."""
    wave_every_s: Annotated[int, Meta(ge=300, le=86_400)] | None = None
    """Drop-offs leave it in waves, so many seconds apart from `opens` on, or from midnight; none: at any time."""

    def __post_init__(self) -> None:
        if (self.opens is None) is not (self.closes is None):
            raise ValueError("expected both opens and closes, or neither")
        if self.timezone is not None:
            zone_of(self.timezone)

    @property
    def at(self) -> LatLon:
        """Where it is."""
        return LatLon(self.lat, self.lon)

    def hours(self, at: datetime) -> tuple[datetime, datetime] | None:
        """When it is open, then or next; None: always."""
        if self.opens is None or self.closes is None:
            return None
        zone = zone_of(self.timezone or "UTC")
        opens, closes = time.fromisoformat(self.opens), time.fromisoformat(self.closes)
        yesterday = at.astimezone(zone).date() - timedelta(days=1)
        for days in range(5):
            day = yesterday + timedelta(days=days)
            until = day if closes > opens else day + timedelta(days=1)
            ends_at = datetime.combine(until, closes, tzinfo=zone).astimezone(UTC)
            opens_at = datetime.combine(day, opens, tzinfo=zone).astimezone(UTC)
            if max(at, opens_at) < ends_at:  # the hour that is left out when clocks are put forward has no hours
                return opens_at, ends_at
        raise AssertionError("a day has an end")

    def wave(self, at: datetime) -> datetime:
        """The first wave that leaves then or later, whatever the hours; without waves, then."""
        if self.wave_every_s is None:
            return at
        zone = zone_of(self.timezone or "UTC")
        begins = datetime.combine(at.astimezone(zone).date(), time.fromisoformat(self.opens or "00:00"), tzinfo=zone)
        every = timedelta(seconds=self.wave_every_s)
        passed = at - begins.astimezone(UTC)
        return at + -passed % every

    def waves(self, starts_at: datetime, ends_at: datetime, most: int) -> tuple[datetime, ...]:
        """The first waves that leave within its hours, from `starts_at` on and before `ends_at`."""
        found: list[datetime] = []
        at = starts_at
        while self.wave_every_s is not None and len(found) < most:
            span = self.hours(at)
            leaves_at = self.wave(at if span is None else max(at, span[0]))
            if leaves_at >= ends_at:
                break
            if span is None or leaves_at < span[1]:
                found.append(leaves_at)
            at = leaves_at + JUST_AFTER
        return tuple(found)

    def window(self, window: Window, at: datetime) -> Window:
        """What is left of a window in the hours of the depot, which somebody comes to then or later."""
        span = self.hours(max(at, window.opens_at or at))
        if span is None:
            return window
        opens_at = max(span[0], window.opens_at or span[0])
        closes_at = max(opens_at, min(span[1], window.closes_at or span[1]))
        due_at = None if window.due_at is None else min(max(window.due_at, opens_at), closes_at)
        return Window(opens_at=opens_at, due_at=due_at, closes_at=closes_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class DepotSettings:
    """Where drop-offs are loaded and pickups are brought to."""

    places: Annotated[tuple[Depot, ...], Meta(max_length=50)] = ()
    """By `name`, with `lat`, `lon` (WGS 84), `address`, `service_s`, `opens` and `closes` (`HH:MM`, by the clock of
    `timezone` or else the region's), and `wave_every_s`, where vans leave in waves; none: goods are loaded where the
    shift begins."""
    choice: Literal["nearest", "cheapest"] = "nearest"
    """Of orders that name no depot: the `nearest` to the door; or, where all goods lie everywhere, the one that the
    planner finds `cheapest`, for as long as nobody has the order."""
    shifts: Literal["as_said", "cheapest"] = "as_said"
    """Of shifts that name no place: `as_said`, they begin at the first stop and end at the last one; `cheapest`, the
    plan of a day has each begin and end at the depot, of those open then, that costs least."""

    def __post_init__(self) -> None:
        if len({depot.name for depot in self.places}) < len(self.places):
            raise ValueError("expected a name for each depot that no other has")


def zone_of(name: str) -> ZoneInfo:
    """Raises ValueError where nobody knows it."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError, ValueError) as exc:
        raise ValueError("expected a time zone, such as Europe/Lisbon") from exc


async def depots_of(connection: Any, region: Region) -> tuple[Depot, ...]:
    """
    A region's depots, with hours by a clock that is known.

    Settings that cannot be read keep nobody from placing orders; the dispatcher tells staff of them.
    """
    row = await connection.fetchrow(queries["regions.get"], region)
    if row is None:
        return ()
    settings = from_json(row["settings"])
    try:
        clock = zone_of(row["timezone"]).key
    except ValueError:
        clock = "UTC"
    try:
        given = settings.get(GROUP, {}) if isinstance(settings, dict) else {}
        places = msgspec.convert(given, DepotSettings).places
        return tuple(replace(depot, timezone=depot.timezone or clock) for depot in places)
    except ValueError as exc:
        log.warning("depots unreadable", extra={"event": "depots_unreadable", "region": region, "why": str(exc)})
        return ()


def at_depot(order: Ordered, depots: Sequence[Depot], name: str | None, placed_at: datetime) -> Ordered:
    """
    An order of one stop with a depot for its other end: the one that is named, or the nearest.

    Without depots it stays of one stop. What is not named may be another one later. Where vans leave in waves goods are
    loaded for the first one after the order is placed and ready. Raises ValueError, with what was
    expected, for a name that none of them has.
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
        if depot.wave_every_s is not None:
            end = replace(end, window=Window(opens_at=depot.wave(max(placed_at, order.ready_at or placed_at))))
        return replace(order, depot=depot.name, depot_named=name is not None, pickup=end)
    return replace(order, depot=depot.name, depot_named=name is not None, dropoff=end)
