"""Encoded polylines; no I/O. Source: Google, "Encoded Polyline Algorithm Format"."""

from typing import Final

from tracking.position import LatLon

_OFFSET: Final = 63
_CONTINUES: Final = 0x20


def decode(text: str, *, precision: int) -> tuple[LatLon, ...]:
    """The points of `text`. `precision`: decimals, 5 at Google, 6 at OSRM (`polyline6`) and Valhalla."""
    scale = 10.0**precision
    points: list[LatLon] = []
    totals = [0, 0]
    axis = shift = value = 0
    for char in text:
        bits = ord(char) - _OFFSET
        value |= (bits & (_CONTINUES - 1)) << shift
        shift += 5
        if bits & _CONTINUES:
            continue
        totals[axis] += ~(value >> 1) if value & 1 else value >> 1
        if axis:
            points.append(LatLon(totals[0] / scale, totals[1] / scale))
        axis, shift, value = 1 - axis, 0, 0
    return tuple(points)
