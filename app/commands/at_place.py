"""An order whose pickup is a place: where that is, whom to ask for there, and when the place can have it ready."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from app.shapes.orders import NewOrderShape, OrderLine
from app.web.instants import check_instants
from app.web.problems import BadInput
from app.web.reach import partner_within_reach
from app.web.regions import known_region
from dispatch.errors import PlaceNotFound
from dispatch.places import counter, larder
from dispatch.places.place import Line, Place


@dataclass(frozen=True, slots=True, kw_only=True)
class AtPlace:
    """An order to be, with what its place says."""

    order: NewOrderShape
    place: Place | None = None
    lines: Sequence[Line] = ()
    made: Mapping[str, int] = field(default_factory=dict)
    """How many pieces that were made ahead there are for it, by item."""


async def at_place(connection: Any, data: NewOrderShape, now: datetime, *, hold: bool = False) -> AtPlace:
    """
    The order with its place's coordinates, address and contact where it gives none, and the time at which it is ready.

    `hold`: the place, until the transaction ends. Raises BadInput where the place is not one for this order, and
    PlaceFull.
    """
    if data.dropoff is not None and data.dropoff.place_id is not None:
        raise BadInput("Places are where orders are collected.", ("/dropoff/place_id", "expected none"))
    if data.pickup is None or data.pickup.place_id is None:
        if data.lines:
            raise BadInput("Who makes that?", ("/lines", "expected with a place_id of the pickup"))
        return AtPlace(order=data)
    check_instants(data)
    place = await _place_of(connection, data, hold=hold)
    lines = [_line(one) for one in data.lines]
    window = data.pickup.window
    opens_at = None if window is None else window.from_
    wanted_at = max((at for at in (opens_at, data.ready_at) if at is not None), default=None)
    made = await larder.made_for(connection, place, lines, now, wanted_at=wanted_at)
    ready_at = await counter.ready_for_new(
        connection, place, lines, now, opens_at=opens_at, asked=data.ready_at, made=made
    )
    order = msgspec.structs.replace(data, region=place.region, pickup=_pickup(data, place))
    if ready_at is not None and (data.ready_at is None or ready_at > data.ready_at):
        order = msgspec.structs.replace(order, ready_at=ready_at, ready_is_estimate=True)
    return AtPlace(order=order, place=place, lines=lines, made=made)


async def _place_of(connection: Any, data: NewOrderShape, *, hold: bool) -> Place:
    assert data.pickup is not None  # at_place has seen to it
    assert data.pickup.place_id is not None
    unknown = BadInput("There is no such place.", ("/pickup/place_id", "expected the id of a place of the region"))
    try:
        find = counter.hold_place if hold else counter.get_place
        place = await find(connection, data.pickup.place_id)
    except PlaceNotFound as exc:
        raise unknown from exc
    partner = partner_within_reach(data.partner)
    if place.partner not in {None, partner}:
        raise unknown
    # A place says which region it is, unless the order does.
    if await known_region(connection, data.region or place.region) != place.region:
        raise unknown
    return place


def _pickup(data: NewOrderShape, place: Place) -> Any:
    stop = data.pickup
    assert stop is not None  # at_place has seen to it
    if (stop.lat is None) != (stop.lon is None):
        raise BadInput("It is not known where the order goes.", ("/pickup", "expected lat and lon together"))
    is_there = stop.lat is None
    return msgspec.structs.replace(
        stop,
        lat=place.at.lat if is_there else stop.lat,
        lon=place.at.lon if is_there else stop.lon,
        address=stop.address or place.address,
        contact=stop.contact or (None if place.contact is None else dict(place.contact)),
        instructions=stop.instructions or place.instructions,
    )


def _line(line: OrderLine) -> Line:
    return Line(item=line.item, quantity=line.quantity, minutes=line.minutes)
