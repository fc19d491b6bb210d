"""
What a device says, before anybody has looked whether it can be, and the JSON of `POST /v1/positions`; no I/O.

One bad fix never spoils the others: where the whole cannot be decoded, each fix is tried alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

import msgspec


class Reading(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """
    One fix as it was sent: types checked, values not (`tracking.quality` does that for whole columns).

    It is also the wire format of `POST /v1/positions`; unknown members are ignored.
    """

    fixed_at: Annotated[
        datetime, msgspec.Meta(tz=True, description="When the device measured it, by its clock; RFC 3339 with zone.")
    ]
    lat: Annotated[float, msgspec.Meta(description="WGS 84 degrees north.")]
    lon: Annotated[float, msgspec.Meta(description="WGS 84 degrees east.")]
    accuracy_m: Annotated[float | None, msgspec.Meta(description="Radius in metres.")] = None
    speed_mps: float | None = None
    course_deg: Annotated[
        float | None, msgspec.Meta(description="Direction of travel, degrees clockwise from true north.")
    ] = None
    altitude_m: float | None = None
    battery_pct: Annotated[float | None, msgspec.Meta(description="0 to 100.")] = None
    mock: Annotated[bool, msgspec.Meta(description="The position was made up by an app on the device.")] = False
    courier_id: Annotated[
        UUID | None, msgspec.Meta(description="Whose fix it is: only, and always, with a service token.")
    ] = None


class Envelope(msgspec.Struct, frozen=True):
    """Fixes under a name, for senders whose JSON must be an object."""

    fixes: list[Reading]


class _RawEnvelope(msgspec.Struct, frozen=True):
    fixes: list[msgspec.Raw]


_one: Final = msgspec.json.Decoder(Reading)
_list: Final = msgspec.json.Decoder(list[Reading])
_envelope: Final = msgspec.json.Decoder(Envelope)
_raw_list: Final = msgspec.json.Decoder(list[msgspec.Raw])
_raw_envelope: Final = msgspec.json.Decoder(_RawEnvelope)


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a body holds."""

    readings: Sequence[Reading]
    indices: Sequence[int] = ()
    """Place of each reading among all that was sent; empty: as they stand."""
    unreadable: Sequence[tuple[int, bytes]] = ()
    """Place and text of what is no fix."""


def decode(body: bytes) -> Decoded:
    """Read one fix, an array of fixes, or `{"fixes": […]}`; never raises, whatever the bytes are."""
    start = body[:64].lstrip()[:1]
    is_list, is_envelope = start == b"[", start == b"{" and b'"fixes"' in body
    try:
        if is_list:
            return Decoded(_list.decode(body))
        if is_envelope:
            return Decoded(_envelope.decode(body).fixes)
        return Decoded((_one.decode(body),))
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        if is_list:
            parts = _raw_list.decode(body)
        elif is_envelope:
            parts = _raw_envelope.decode(body).fixes
        else:
            parts = [msgspec.Raw(body)]
    except (msgspec.DecodeError, RecursionError):
        return Decoded((), (), ((0, body),))
    return _one_by_one(parts)


def _one_by_one(parts: Sequence[msgspec.Raw]) -> Decoded:
    readings, indices, unreadable = [], [], []
    for i, part in enumerate(parts):
        try:
            readings.append(_one.decode(part))
            indices.append(i)
        except (msgspec.DecodeError, RecursionError):
            unreadable.append((i, bytes(part)))
    return Decoded(readings, indices, unreadable)
