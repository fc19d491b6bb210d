"""
OwnTracks in HTTP mode: one JSON object a request, told apart by `_type`; speed in km/h, -1 for unknown.

Every `_type` is welcome, for a phone whose message is refused may stop for good. Source: OwnTracks booklet, "JSON" and
"HTTP"; `HttpMessageProcessorEndpoint.kt`.
"""

from datetime import datetime
from typing import Any

import msgspec

from tracking.intake.phones.heard import (
    Heard,
    Hearing,
    SpeedUnit,
    Unreadable,
    course_of,
    instant_of,
    json_of,
    mps_of,
    not_negative,
    number,
    place_of,
    text_of,
)
from tracking.intake.reading import Reading
from tracking.quality import Reason


def read(
    body: bytes,
    *,
    now: datetime,
    user: str | None = None,
    device: str | None = None,
    unit: SpeedUnit | None = None,
) -> Heard:
    """
    What a request says. Never raises.

    `user`, `device`: from the headers X-Limit-U and X-Limit-D; the topic in the message tells them too. The two letters
    of `tid` name nobody: they collide.
    """
    hearing = Hearing()
    _name(hearing, user, device)
    if not body.strip():
        return hearing.result()
    try:
        content = json_of(body)
    except Unreadable:
        hearing.unusable.append((Reason.UNREADABLE, body))
        return hearing.result()
    for message in content if isinstance(content, list) else [content]:
        _take(hearing, message, now, unit)
    return hearing.result()


def _name(hearing: Hearing, user: str | None, device: str | None) -> None:
    hearing.devices.update(name for name in (user, device, f"{user}/{device}" if user and device else None) if name)


def _take(hearing: Hearing, message: Any, now: datetime, unit: SpeedUnit | None) -> None:
    payload = msgspec.json.encode(message)
    if not isinstance(message, dict):
        hearing.unusable.append((Reason.UNREADABLE, payload))
        return
    topic = text_of(message.get("topic"))
    if topic is not None:
        _, _, rest = topic.partition("/")
        user, _, device = rest.partition("/")
        _name(hearing, user, device.partition("/")[0])
    match message.get("_type"):
        case "location":
            try:
                hearing.readings.append(_reading(message, now, unit))
            except Unreadable:
                hearing.unusable.append((Reason.UNREADABLE, payload))
        case "encrypted":
            hearing.unusable.append((Reason.ENCRYPTED, payload))
        case str():
            return  # transition, waypoint, lwt, card, cmd, steps, beacon, status, dump …: the device lives
        case _:
            hearing.unusable.append((Reason.UNREADABLE, payload))


def _reading(message: dict[str, Any], now: datetime, unit: SpeedUnit | None) -> Reading:
    place = place_of(message, "lat", "lon")
    if place is None:
        raise Unreadable("expected lat and lon")
    if message.get("tst") is None:
        raise Unreadable("expected tst")
    return Reading(
        fixed_at=instant_of(message["tst"], now),
        lat=place[0],
        lon=place[1],
        accuracy_m=not_negative(message.get("acc")),
        speed_mps=mps_of(message.get("vel"), unit or SpeedUnit.KILOMETRES_PER_HOUR),
        course_deg=course_of(message.get("cog")),
        altitude_m=number(message.get("alt")),
        battery_pct=not_negative(message.get("batt")),
    )
