"""All routes of a region at one moment, as a board shows them: who is where when, and what was promised."""

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from itertools import groupby
from typing import Any
from uuid import UUID

import msgspec

from dispatch.arrivals.book import Told
from dispatch.arrivals.itinerary import Call, Itinerary, itineraries
from dispatch.orders.rows import from_json
from tracking.position import CourierId, Region

UNREADABLE = (ValueError, OverflowError, TypeError, KeyError)
"""What a record raises that makes no sense."""


class BoardStop(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A stop to be made."""

    order_id: UUID
    kind: str
    lat: float
    lon: float
    planned: bool = False
    """Only intended: the planner may still give it to somebody else."""
    arrives_at: datetime | None = None
    """As likely earlier as later; None: nobody has reckoned it yet."""
    latest_at: datetime | None = None
    """Nine of ten arrivals are earlier; None: only the plan's own schedule is known."""
    opens_at: datetime | None = None
    due_at: datetime | None = None
    service_s: int = 0
    break_at: datetime | None = None
    """A break is to be taken before the way there, and begins then."""
    break_s: int = 0


class BoardRoute(msgspec.Struct, kw_only=True):
    """What a courier is to do, in order."""

    courier_id: UUID
    version: int
    stops: list[BoardStop]


class BoardBreak(msgspec.Struct, kw_only=True):
    """A pause of a shift: starts between `from` and `to`."""

    from_: datetime = msgspec.field(name="from")
    to: datetime
    duration_s: int


class BoardShift(msgspec.Struct, kw_only=True):
    """A shift that touches the hours that were asked for."""

    courier_id: UUID
    starts_at: datetime
    ends_at: datetime
    breaks: list[BoardBreak]


class Resting(msgspec.Struct, kw_only=True):
    """Somebody is on a break."""

    courier_id: UUID
    until: datetime


class BoardShape(msgspec.Struct, kw_only=True):
    """The region now."""

    region: str
    at: datetime
    routes: list[BoardRoute]
    shifts: list[BoardShift]
    resting: list[Resting]
    left_out: list[UUID]
    """Couriers of whom a record cannot be read."""


def board_of(
    region: Region,
    at: datetime,
    *,
    stops: Iterable[Mapping[str, Any]],
    told: Mapping[CourierId, Told],
    shifts: Iterable[Mapping[str, Any]],
    resting: Iterable[Mapping[str, Any]],
) -> BoardShape:
    """From rows of `arrivals.stops`, `shifts.of_region` and `breaks.going_on`; one odd record harms no other."""
    board = BoardShape(region=region, at=at, routes=[], shifts=[], resting=[], left_out=[])
    for courier_id, mine in groupby(stops, key=lambda row: CourierId(row["courier_id"])):
        try:
            [itinerary] = itineraries(list(mine), region).values()
            board.routes.append(_route(itinerary, told.get(courier_id)))
        except UNREADABLE:
            board.left_out.append(courier_id)
    for row in shifts:
        try:
            board.shifts.append(_shift(row))
        except UNREADABLE:
            board.left_out.append(row["courier_id"])
    board.resting = [Resting(courier_id=row["courier_id"], until=row["until"]) for row in resting]
    return board


def narrowed(board: BoardShape, couriers: Collection[UUID], orders: Collection[UUID]) -> BoardShape:
    """What of it is about these couriers and these orders."""
    return BoardShape(
        region=board.region,
        at=board.at,
        routes=[
            msgspec.structs.replace(route, stops=[stop for stop in route.stops if stop.order_id in orders])
            for route in board.routes
            if route.courier_id in couriers
        ],
        shifts=[shift for shift in board.shifts if shift.courier_id in couriers],
        resting=[one for one in board.resting if one.courier_id in couriers],
        left_out=[one for one in board.left_out if one in couriers],
    )


def _route(itinerary: Itinerary, told: Told | None) -> BoardRoute:
    current = told if told is not None and told.route_version == itinerary.version else None
    stops = [_stop(call, current) for call in itinerary.calls]
    return BoardRoute(courier_id=itinerary.courier_id, version=itinerary.version, stops=stops)


def _stop(call: Call, told: Told | None) -> BoardStop:
    eta = None if told is None else told.find(call.stop.order_id, call.stop.kind)
    return BoardStop(
        order_id=call.stop.order_id,
        kind=call.stop.kind.value,
        lat=call.at.lat,
        lon=call.at.lon,
        planned=not call.is_assigned,
        arrives_at=_at(call.scheduled_at if eta is None else eta.p50),
        latest_at=None if eta is None else _at(eta.p90),
        opens_at=_at(call.opens_at or None),
        due_at=_at(call.promised_at),
        service_s=round(call.declared_s or 0),
        break_at=_at(call.break_at) if call.break_s else None,
        break_s=round(call.break_s),
    )


def _shift(row: Mapping[str, Any]) -> BoardShift:
    return BoardShift(
        courier_id=row["courier_id"],
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        breaks=[
            BoardBreak(
                from_=datetime.fromisoformat(pause["opens_at"]),
                to=datetime.fromisoformat(pause["closes_at"]),
                duration_s=pause["duration_s"],
            )
            for pause in from_json(row["breaks"])
        ],
    )


def _at(unix_s: float | None) -> datetime | None:
    return None if unix_s is None else datetime.fromtimestamp(round(unix_s), UTC)
