"""
OwnTracks in HTTP mode: one JSON object a request, told apart by `_type`; speed in km/h, -1 for unknown.

Every `_type` is welcome, for a phone whose message is refused may stop for good. Source: OwnTracks booklet, "JSON" and
"HTTP"; `HttpMessageProcessorEndpoint.kt`.
"""

from typing import Any, Final

from tracking.intake.phones.heard import (
    Hearing,
    SpeedUnit,
    Unreadable,
    course_of,
    not_negative,
    optional,
    place_of,
    text_of,
)
from tracking.intake.reading import Reading
from tracking.quality import Reason

SIGNS_OF_LIFE: Final = {
    *("beacon", "card", "cmd", "configuration", "dump", "lwt", "request", "status", "steps", "waypoint", "waypoints"),
}
"""Messages that say nothing of where the phone is; a waypoint is a place of its owner's choice."""


def name(hearing: Hearing, user: str | None, device: str | None) -> None:
    """Whose message it is; the two letters of `tid` name nobody: they collide."""
    hearing.devices.update(name for name in (user, device, f"{user}/{device}" if user and device else None) if name)


def take(hearing: Hearing, message: dict[str, Any], payload: bytes) -> None:
    """One message, its names in lower case. Raises Unreadable."""
    topic = text_of(message.get("topic"))
    if topic is not None:
        _, _, rest = topic.partition("/")
        user, _, device = rest.partition("/")
        name(hearing, user, device.partition("/")[0])
    kind = message["_type"]
    if kind == "location":
        hearing.readings.append(_reading(hearing, message))
    elif kind == "transition":  # into or out of a region, and where that was seen
        if message.get("lat") is not None or message.get("lon") is not None:
            hearing.readings.append(_reading(hearing, message))
    elif kind == "encrypted":
        hearing.unusable.append((Reason.ENCRYPTED, payload))
    elif kind not in SIGNS_OF_LIFE:
        raise Unreadable("a message of an unknown type")


def _reading(hearing: Hearing, message: dict[str, Any]) -> Reading:
    place = place_of(message, "lat", "lon")
    if place is None:
        raise Unreadable("expected lat and lon")
    if message.get("tst") is None:
        raise Unreadable("expected tst")
    return Reading(
        fixed_at=hearing.instant_of(message["tst"]),
        lat=place[0],
        lon=place[1],
        accuracy_m=not_negative(message.get("acc")),
        speed_mps=hearing.speed_of(message.get("vel"), SpeedUnit.KILOMETRES_PER_HOUR),
        course_deg=course_of(message.get("cog")),
        altitude_m=optional(message.get("alt")),
        battery_pct=not_negative(message.get("batt")),
    )
