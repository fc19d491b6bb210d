"""
The query, form and JSON formats of Traccar Client (all versions), the OsmAnd app and whatever else speaks "OsmAnd".

Query and form: speed in knots, time in seconds or milliseconds. JSON (Traccar Client 9): speed in m/s, battery 0 to 1.
Source: Traccar, `OsmAndProtocolDecoder.java`; Traccar Client, `HttpUploader.kt`.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

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
    not_negative,
    number,
    place_of,
    text_of,
    truth,
)
from tracking.intake.reading import Reading
from tracking.quality import Reason


def read(query: str, body: bytes, *, now: datetime, unit: SpeedUnit | None = None) -> Heard:
    """What a request says; `unit`: of speeds, where it is not the format's. Never raises."""
    hearing = Hearing()
    try:
        if is_json(body):
            _read_json(hearing, json_of(body), now, unit)
        else:
            fields = fields_of(query, body)
            _take(hearing, fields, (query.encode() + b"\n" + body).strip(), now, unit)
    except Unreadable:
        hearing.unusable.append((Reason.UNREADABLE, body or query.encode()))
    return hearing.result()


def _read_json(hearing: Hearing, content: Any, now: datetime, unit: SpeedUnit | None) -> None:
    parts = content if isinstance(content, list) else [content]
    for part in parts:
        if not isinstance(part, dict):
            hearing.unusable.append((Reason.UNREADABLE, msgspec.json.encode(part)))
        elif isinstance(part.get("location"), dict | list):
            device = text_of(part.get("device_id"))
            if device is not None:
                hearing.devices.add(device)
            locations = part["location"] if isinstance(part["location"], list) else [part["location"]]
            for location in locations:
                _take_location(hearing, location, now, unit)
        else:
            _take(hearing, part, msgspec.json.encode(part), now, unit)


def _take(hearing: Hearing, fields: Mapping[str, Any], payload: bytes, now: datetime, unit: SpeedUnit | None) -> None:
    """Flat fields: query, form, or an object of them."""
    device = text_of(fields.get("id")) or text_of(fields.get("deviceid"))
    if device is not None:
        hearing.devices.add(device)
    try:
        place = place_of(fields, "lat", "lon") or _place_in(fields.get("location"))
        if place is None:
            return  # a heartbeat, or a push token
        if not truth(fields.get("valid"), default=True):
            hearing.unusable.append((Reason.INVALID, payload))
            return
        course = fields.get("bearing")
        reading = Reading(
            fixed_at=instant_of(fields.get("timestamp"), now),
            lat=place[0],
            lon=place[1],
            accuracy_m=not_negative(fields.get("accuracy")),
            speed_mps=mps_of(fields.get("speed"), unit or SpeedUnit.KNOTS),
            course_deg=course_of(fields.get("heading") if course is None else course),
            altitude_m=number(fields.get("altitude")),
            battery_pct=not_negative(fields.get("batt")),
            mock=truth(fields.get("mock"), default=False),
        )
    except Unreadable:
        hearing.unusable.append((Reason.UNREADABLE, payload))
    else:
        hearing.readings.append(reading)


def _place_in(location: Any) -> tuple[float, float] | None:
    """`lat,lon` in one value."""
    if location is None:
        return None
    lat, _, lon = str(location).partition(",")
    return place_of({"lat": lat.strip(), "lon": lon.strip()}, "lat", "lon")


def _take_location(hearing: Hearing, location: Any, now: datetime, unit: SpeedUnit | None) -> None:
    """One `location` of Traccar Client 9."""
    try:
        if not isinstance(location, dict):
            raise Unreadable("expected an object")  # noqa: TRY301 - one place answers all that cannot be read
        coords = location.get("coords")
        if coords is None:
            return  # a heartbeat, or a change of the location provider
        place = place_of(coords, "latitude", "longitude") if isinstance(coords, dict) else None
        if place is None:
            raise Unreadable("expected coordinates")  # noqa: TRY301 - as above
        battery = location.get("battery")
        level = not_negative(battery.get("level")) if isinstance(battery, dict) else None
        reading = Reading(
            fixed_at=instant_of(location.get("timestamp"), now),
            lat=place[0],
            lon=place[1],
            accuracy_m=not_negative(coords.get("accuracy")),
            speed_mps=mps_of(coords.get("speed"), unit or SpeedUnit.METRES_PER_SECOND),
            course_deg=course_of(coords.get("heading")),
            altitude_m=number(coords.get("altitude")),
            battery_pct=None if level is None else level * 100,
            mock=truth(location.get("mock"), default=False),
        )
    except Unreadable:
        hearing.unusable.append((Reason.UNREADABLE, msgspec.json.encode(location)))
    else:
        hearing.readings.append(reading)
