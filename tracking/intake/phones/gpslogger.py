"""
GPSLogger's custom URL: names of the user's choice, of which we know the recommended ones and aliases; speed in m/s.

A missing number is sent as 0.0, so 0.0 means unknown. The content type may be missing. Source: GPSLogger,
`CustomUrlManager.getFormattedTextblock`.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from tracking.intake.phones.heard import (
    Heard,
    Hearing,
    SpeedUnit,
    Unreadable,
    course_of,
    fields_of,
    instant_of,
    is_json,
    json_of,
    mps_of,
    not_zero,
    number,
    place_of,
    text_of,
)
from tracking.intake.reading import Reading
from tracking.quality import Reason

ALIASES: Final = {
    "latitude": "lat",
    "longitude": "lon",
    "lng": "lon",
    "time": "timestamp",
    "accuracy": "acc",
    "speed": "spd",
    "direction": "dir",
    "bearing": "dir",
    "altitude": "alt",
    "battery": "batt",
    "device": "id",
    "deviceid": "id",
}


def read(query: str, body: bytes, *, now: datetime, unit: SpeedUnit | None = None) -> Heard:
    """What a request says; `unit`: of speeds, where it is not m/s. Never raises."""
    hearing = Hearing()
    try:
        if is_json(body):
            content = json_of(body)
            shared = fields_of(query, b"")
            for part in content if isinstance(content, list) else [content]:
                if isinstance(part, dict):
                    _take(hearing, {**shared, **part}, msgspec.json.encode(part), now, unit)
                else:
                    hearing.unusable.append((Reason.UNREADABLE, msgspec.json.encode(part)))
        else:
            _take(hearing, fields_of(query, body), (query.encode() + b"\n" + body).strip(), now, unit)
    except Unreadable:
        hearing.unusable.append((Reason.UNREADABLE, body or query.encode()))
    return hearing.result()


def _take(hearing: Hearing, given: Mapping[str, Any], payload: bytes, now: datetime, unit: SpeedUnit | None) -> None:
    fields = {ALIASES.get(name.lower(), name.lower()): value for name, value in given.items()}
    device = text_of(fields.get("id"))
    if device is not None:
        hearing.devices.add(device)
    try:
        place = place_of(fields, "lat", "lon")
        if place is None:
            return  # a heartbeat
        speed = not_zero(fields.get("spd"))
        altitude = number(fields.get("alt"))
        course = not_zero(fields.get("dir"))
        reading = Reading(
            fixed_at=instant_of(fields.get("timestamp"), now),
            lat=place[0],
            lon=place[1],
            accuracy_m=not_zero(fields.get("acc")),
            speed_mps=mps_of(speed, unit or SpeedUnit.METRES_PER_SECOND),
            course_deg=course_of(course),
            altitude_m=altitude or None,
            battery_pct=not_zero(fields.get("batt")),
        )
    except Unreadable:
        hearing.unusable.append((Reason.UNREADABLE, payload))
    else:
        hearing.readings.append(reading)
