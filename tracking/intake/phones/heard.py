"""What all phone formats have in common: what was heard, units, and numbers and times as phones write them; no I/O."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from tracking import instants
from tracking.intake.reading import UNREADABLE_VALUE, Reading
from tracking.quality import Reason

LAST_SECOND: Final = 2_147_483_647
"""A larger timestamp is in milliseconds. Source: Traccar, OsmAndProtocolDecoder."""


class SpeedUnit(StrEnum):
    """The unit of the speeds a phone sends."""

    KNOTS = "kn"
    KILOMETRES_PER_HOUR = "kmh"
    MILES_PER_HOUR = "mph"
    METRES_PER_SECOND = "mps"


MPS: Final = {
    SpeedUnit.KNOTS: 1852 / 3600,
    SpeedUnit.KILOMETRES_PER_HOUR: 1 / 3.6,
    SpeedUnit.MILES_PER_HOUR: 1609.344 / 3600,
    SpeedUnit.METRES_PER_SECOND: 1.0,
}
"""Metres a second in one of each unit."""


class Unreadable(ValueError):
    """It is not what the format says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What one request of a phone says. Without readings it is a heartbeat: the device lives, its place is unknown."""

    readings: Sequence[Reading] = ()
    unusable: Sequence[tuple[Reason, bytes]] = ()
    devices: frozenset[str] = frozenset()
    """Identifiers by which the payload names its device."""
    reply: bytes | None = None
    """What this app must hear, where it is not the door's usual answer."""


@dataclass(slots=True, kw_only=True)
class Hearing:
    """Collects what the parts of a request say; what cannot be read becomes unusable, never an error."""

    now: datetime | None
    """Stands for a missing time; None: a time must be there."""
    unit: SpeedUnit | None = None
    """Of all speeds, where the URL or the token says so."""
    readings: list[Reading] = field(default_factory=list)
    unusable: list[tuple[Reason, bytes]] = field(default_factory=list)
    devices: set[str] = field(default_factory=set)
    reply: bytes | None = None

    def result(self) -> Heard:
        """What was heard in all."""
        return Heard(readings=self.readings, unusable=self.unusable, devices=frozenset(self.devices), reply=self.reply)

    def speed_of(self, value: Any, usual: SpeedUnit) -> float | None:
        """A speed in metres a second; a negative one stands for unknown."""
        found = not_negative(value)
        return None if found is None else found * MPS[self.unit or usual]

    def instant_of(self, value: Any) -> datetime:
        """
        A time as phones write it; now when it is missing.

        Seconds or milliseconds since the Unix epoch, also as text; ISO 8601; or `2026-11-23 12:00:00`. Without a zone:
        UTC. Raises Unreadable.
        """
        if value is None or value == "":
            if self.now is None:
                raise Unreadable("expected a time")
            return self.now
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise Unreadable(f"expected a time, got {type(value).__name__}")
        try:
            seconds = float(value)
        except (ValueError, OverflowError):
            seconds = math.nan
        try:
            if math.isfinite(seconds):
                return instants.from_unix(seconds / 1000 if seconds >= LAST_SECOND else seconds)
            return instants.parse(str(value), needs_zone=False)
        except ValueError as exc:
            raise Unreadable(str(exc)) from exc


def number(value: Any) -> float | None:
    """
    A number that must be right, also one written as text; None when it is missing.

    Raises Unreadable for anything else, NaN and infinity included.
    """
    found = optional(value)
    if found is not None and not math.isfinite(found):
        raise Unreadable("expected a finite number")
    return found


def optional(value: Any) -> float | None:
    """A number that may be missing; what is none becomes UNREADABLE_VALUE, for it must not cost the place."""
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return UNREADABLE_VALUE
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return UNREADABLE_VALUE
    return found if math.isfinite(found) else UNREADABLE_VALUE


def not_negative(value: Any) -> float | None:
    """A number that may be missing; a negative one (-1) stands for unknown."""
    found = optional(value)
    return None if found is None or found < 0 else found


def fraction(value: Any) -> float | None:
    """Percent, from a share of 0 to 1; negative stands for unknown."""
    found = not_negative(value)
    return None if found is None else found * 100


def course_of(value: Any) -> float | None:
    """Degrees clockwise from true north, 0 <= it < 360; negative stands for unknown."""
    found = not_negative(value)
    return found if found is None or math.isinf(found) else found % 360.0


def truth(value: Any, *, default: bool) -> bool:
    """`true`, `false`, `1`, `0`, in text or not; `default` for anything else."""
    match str(value).lower():
        case "true" | "1" | "1.0":
            return True
        case "false" | "0" | "0.0":
            return False
        case _:
            return default


def text_of(value: Any) -> str | None:
    """An identifier: text, or a number in its place; None for anything else."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) and value != "" else None


def place_of(fields: Mapping[str, Any], lat: str, lon: str) -> tuple[float, float] | None:
    """Latitude and longitude, None where both are missing. Raises Unreadable where one is."""
    found = number(fields.get(lat)), number(fields.get(lon))
    match found:
        case None, None:
            return None
        case float(north), float(east):
            return north, east
        case _:
            raise Unreadable("expected both latitude and longitude")
