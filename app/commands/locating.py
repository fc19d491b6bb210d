"""An order with an address and no coordinates: the geocoders are asked where that is."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import msgspec
from litestar.di import NamedDependency

from app.geocoding.chain import Geocoding
from app.geocoding.found import Kind
from app.shapes.order_lines import Line
from app.shapes.orders import NewOrderShape, NewStopShape
from app.web.problems import BadInput
from tracking.position import LatLon

MOST_LOOKED_UP: Final = 200
"""Addresses of one import: a geocoder of others has limits, and the answer is waited for."""
CurrentGeocoding = NamedDependency[Geocoding]
EXACT: Final = frozenset({Kind.ADDRESS, Kind.POI})


def is_located(order: NewOrderShape) -> bool:
    """Whether each end that it has, has coordinates, or those of a place."""
    ends = (order.pickup, order.dropoff)
    return all(end.place_id is not None or None not in (end.lat, end.lon) for end in ends if end is not None)


async def located(order: NewOrderShape, geocoding: Geocoding) -> NewOrderShape:
    """
    The order, each end with coordinates.

    Raises BadInput for an end that has neither them nor an address that is known. A house that is not known is told,
    not put somewhere along its street.
    """
    if is_located(order):
        return order
    ends: dict[str, NewStopShape] = {}
    errors: list[tuple[str, str]] = []
    for name, stop, other in (("pickup", order.pickup, order.dropoff), ("dropoff", order.dropoff, order.pickup)):
        if stop is None or None not in (stop.lat, stop.lon) or (stop.place_id is not None and stop.lat is stop.lon):
            continue
        if stop.lat is not None or stop.lon is not None:
            errors.append((f"/{name}", "expected lat and lon together"))
        elif not (stop.address or "").strip():
            errors.append((f"/{name}", "expected lat and lon, or an address"))
        else:
            near = None if other is None or other.lat is None or other.lon is None else LatLon(other.lat, other.lon)
            found = await _find(stop.address or "", near, geocoding)
            if isinstance(found, str):
                errors.append((f"/{name}/address", found))
            else:
                ends[name] = msgspec.structs.replace(stop, lat=found.lat, lon=found.lon)
    if errors:
        raise BadInput("It is not known where the order goes.", *errors)
    return msgspec.structs.replace(order, **ends)


async def located_lines(lines: Sequence[Line], geocoding: Geocoding) -> list[Line]:
    """The lines with coordinates, or with the reason why there are none."""
    found, n = [], 0
    for line in lines:
        if line.order is None or is_located(line.order):
            found.append(line)
            continue
        n += 1
        if n > MOST_LOOKED_UP:
            error = f"expected lat and lon: {MOST_LOOKED_UP} lines before it had addresses looked up"
            found.append(replace(line, order=None, error=error))
            continue
        try:
            found.append(replace(line, order=await located(line.order, geocoding)))
        except BadInput as exc:
            found.append(replace(line, order=None, error=in_words(exc)))
    return found


def in_words(exc: BadInput) -> str:
    """What is wrong and where, in a line."""
    return "; ".join(f"{pointer}: {detail}" for pointer, detail in exc.errors) or str(exc)


async def _find(address: str, near: LatLon | None, geocoding: Geocoding) -> LatLon | str:
    """Where it is, or why nobody knows."""
    answer = await geocoding.find(address, 1, near)
    if not answer.items:
        return "; ".join(("nobody knows this address: expected lat and lon", *answer.warnings))
    [best] = answer.items
    has_number = any(word[0].isdigit() for word in address.replace(",", " ").split())
    if has_number and best.kind not in EXACT:
        return f"this house is not known, only {best.label}: expected lat and lon"
    return LatLon(best.lat, best.lon)
