"""What a device says, before anybody has looked whether it can be; no I/O."""

import math
from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

import msgspec

UNREADABLE_VALUE: Final = math.inf
"""Stands for an optional value that was sent and is none, until screening counts it and forgets it."""


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
