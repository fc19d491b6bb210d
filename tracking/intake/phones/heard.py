"""What all phone formats have in common: what was heard, units, and numbers and times as phones write them; no I/O."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from tracking.intake.reading import Reading
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


@dataclass(slots=True)
class Hearing:
    """Collects what the parts of a request say; what cannot be read becomes unusable, never an error."""

    readings: list[Reading] = field(default_factory=list)
    unusable: list[tuple[Reason, bytes]] = field(default_factory=list)
    devices: set[str] = field(default_factory=set)

    def result(self) -> Heard:
        """What was heard in all."""
        return Heard(readings=self.readings, unusable=self.unusable, devices=frozenset(self.devices))


def fields_of(query: str, body: bytes) -> dict[str, str]:
    """
    Parameters of the URL and of a form body together; the body wins, and an empty value counts as missing.

    Raises Unreadable when the body is no text.
    """
    try:
        form = body.decode()
    except UnicodeDecodeError as exc:
        raise Unreadable("a form that is not UTF-8") from exc
    pairs = [*parse_qsl(query), *parse_qsl(form)]
    return dict(pairs)


def is_json(body: bytes) -> bool:
    """Whether a body looks like JSON; phones leave the content type out, or lie."""
    return body[:64].lstrip()[:1] in {b"{", b"["}


def json_of(body: bytes) -> Any:
    """Raises Unreadable."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as exc:
        raise Unreadable("not JSON") from exc


def number(value: Any) -> float | None:
    """
    A number, also one written as text; None when it is missing.

    Raises Unreadable for anything else, NaN and infinity included.
    """
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise Unreadable(f"expected a number, got {type(value).__name__}")
    try:
        found = float(value)
    except (ValueError, OverflowError) as exc:
        raise Unreadable("expected a number") from exc
    if not math.isfinite(found):
        raise Unreadable("expected a finite number")
    return found


def not_negative(value: Any) -> float | None:
    """A number; a negative one (-1) stands for unknown."""
    found = number(value)
    return None if found is None or found < 0 else found


def not_zero(value: Any) -> float | None:
    """A number; 0.0 stands for unknown, and so does a negative one."""
    return not_negative(value) or None


def mps_of(value: Any, unit: SpeedUnit) -> float | None:
    """A speed in metres a second; a negative one stands for unknown."""
    found = not_negative(value)
    return None if found is None else found * MPS[unit]


def instant_of(value: Any, now: datetime) -> datetime:
    """
    A time as phones write it; `now` when it is missing.

    Seconds or milliseconds since the Unix epoch, also as text; ISO 8601; or `2026-11-23 12:00:00`. Without a zone: UTC.
    Raises Unreadable.
    """
    if value is None or value == "":
        return now
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise Unreadable(f"expected a time, got {type(value).__name__}")
    try:
        seconds = float(value)
    except ValueError:
        return _iso(str(value))
    except OverflowError as exc:
        raise Unreadable("expected a time") from exc
    if seconds >= LAST_SECOND:
        seconds /= 1000
    try:
        return datetime.fromtimestamp(seconds, tz=UTC)
    except (ValueError, OverflowError, OSError) as exc:
        raise Unreadable("expected a time") from exc


def _iso(text: str) -> datetime:
    try:
        # In a query a `+` means a space, also the one in front of a zone that nobody escaped.
        found = datetime.fromisoformat(text.strip().replace(" ", "T", 1) if "T" not in text else text.replace(" ", "+"))
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise Unreadable("expected a time") from exc


def truth(value: Any, *, default: bool) -> bool:
    """`true`, `false`, `1`, `0`, in text or not. Raises Unreadable."""
    if value is None or value == "":
        return default
    match str(value).lower():
        case "true" | "1" | "1.0":
            return True
        case "false" | "0" | "0.0":
            return False
        case _:
            raise Unreadable("expected true or false")


def text_of(value: Any) -> str | None:
    """An identifier: text, or a number in its place; None for anything else."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) and value != "" else None


def course_of(value: Any) -> float | None:
    """Degrees clockwise from true north, 0 <= it < 360; negative stands for unknown."""
    found = not_negative(value)
    return None if found is None else found % 360.0


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
