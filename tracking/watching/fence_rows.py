"""Geofences as the API and the table write them, to fences and back; no I/O."""

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from tracking.batch import microseconds
from tracking.watching.area import Area
from tracking.watching.fence import ActiveHours, Fence, FenceId


def fence_from_row(row: Mapping[str, Any]) -> Fence:
    """A fence from a row of `geofences`; raises ValueError when its area or hours make no sense."""
    return Fence(
        id=FenceId(row["id"]),
        name=row["name"],
        area=Area.from_geojson(msgspec.json.decode(row["geometry"]), radius_m=row["radius_m"]),
        tags=frozenset(row["tags"]),
        active=tuple(hours_of(span) for span in msgspec.json.decode(row["active"])),
        timezone=row["timezone"],
        dwell_s=row["dwell_s"],
        since_us=microseconds(row["created_at"]),
        version=row["version"],
    )


def hours_of(span: Mapping[str, Any]) -> ActiveHours:
    """From {"weekdays"?: [0 is Monday], "from": "HH:MM", "to": "HH:MM"}; raises ValueError."""
    weekdays = frozenset(span.get("weekdays", range(7)))
    if not weekdays <= set(range(7)) or not weekdays:
        raise ValueError("expected weekdays from 0 (Monday) to 6 (Sunday)")
    from_minute, to_minute = minute_of(span["from"]), minute_of(span["to"])
    if from_minute in {to_minute, 1440} or to_minute == 0:
        raise ValueError("expected a span that lasts, from 00:00 to 24:00 for a whole day")
    return ActiveHours(weekdays=weekdays, from_minute=from_minute, to_minute=to_minute)


def minute_of(clock: str) -> int:
    """Minutes after midnight of "HH:MM", up to "24:00"; raises ValueError."""
    hours, colon, minutes = clock.partition(":")
    if not (colon and hours.isdecimal() and minutes.isdecimal() and len(minutes) == 2):
        raise ValueError("expected a time such as 09:30")
    minute = int(hours) * 60 + int(minutes)
    if int(minutes) > 59 or minute > 1440:
        raise ValueError("expected a time from 00:00 to 24:00")
    return minute


def check_timezone(name: str) -> None:
    """Raise ValueError when there is no such time zone."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as exc:  # a folder of the database raises IsADirectoryError
        raise ValueError("expected a time zone such as Europe/Lisbon") from exc
