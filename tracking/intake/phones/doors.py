"""
The doors for phone apps as they are: bytes in, what was heard out; no I/O.

A door differs from another in what it takes for granted of flat fields; every shape is read at every door.
"""

from datetime import datetime
from typing import Final

from tracking.intake.phones import owntracks
from tracking.intake.phones.contents import fields_of, is_json, is_multipart, json_of, parts_of, text_of_body
from tracking.intake.phones.heard import Heard, Hearing, SpeedUnit, Unreadable
from tracking.intake.phones.shapes import OF_A_PLACE, WITHOUT_A_PLACE, Habits, take_content, take_flat
from tracking.quality import Reason

OSMAND: Final = Habits(unit=SpeedUnit.KNOTS)
"""Traccar Client, the OsmAnd app. Source: Traccar, `OsmAndProtocolDecoder.java`; Traccar Client, `HttpUploader.kt`."""
OWNTRACKS: Final = Habits(unit=SpeedUnit.KILOMETRES_PER_HOUR)
GPSLOGGER: Final = Habits(unit=SpeedUnit.METRES_PER_SECOND, zero_is_unknown=True)
"""GPSLogger's custom URL: names of the user's choice. Source: `CustomUrlManager.getFormattedTextblock`."""

FOR_THE_DOOR: Final = ("token", "speed_unit", "u", "d")
"""Parameters of the URL that are no fields of a fix."""


def read(
    habits: Habits,
    query: str,
    body: bytes,
    *,
    now: datetime,
    unit: SpeedUnit | None = None,
    user: str | None = None,
    device: str | None = None,
    limit: int = 10_000,
) -> Heard:
    """
    What a request says. Never raises.

    `unit`: of speeds, where it is not the format's; `user`, `device`: who the headers say it is; `limit`: of more parts
    in one request the rest is kept as one.
    """
    hearing = Hearing(now=now, unit=unit)
    owntracks.name(hearing, user, device)
    shared = {name: value for name, value in fields_of(query).items() if name not in FOR_THE_DOOR}
    whole = (query.encode() + b"\n" + body).strip()
    text = text_of_body(body)
    is_said = not body.strip()
    try:
        if is_said:
            if shared:
                take_flat(hearing, shared, habits, whole)
        elif is_json(text):
            is_said = take_content(hearing, json_of(text), habits, shared, limit=limit)
        elif is_multipart(text):
            fields, files = parts_of(body)
            for file in files:
                _take_file(hearing, file, habits, limit)
            if fields:
                is_said = True
                take_flat(hearing, {**shared, **fields}, habits, whole)
        else:
            fields = fields_of(text)
            if not fields.keys() & (WITHOUT_A_PLACE | OF_A_PLACE):
                raise Unreadable("a body without a known field")  # noqa: TRY301 - one place answers all that cannot be read
            is_said = True
            take_flat(hearing, {**shared, **fields}, habits, whole)
    except Unreadable:
        hearing.unusable.append((Reason.UNREADABLE, body))
    if not is_said and shared.keys() & OF_A_PLACE:
        take_flat(hearing, shared, habits, query.encode())
    return hearing.result()


def _take_file(hearing: Hearing, text: str, habits: Habits, limit: int) -> None:
    try:
        take_content(hearing, json_of(text), habits, {}, limit=limit)
    except Unreadable:
        hearing.unusable.append((Reason.UNREADABLE, text.encode()))
