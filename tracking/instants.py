"""
Instants as people and programs write them, and which of them are believed; no I/O.

Everything that enters as text is read here, so that what one door understands every other one does.
"""

import re
from datetime import UTC, datetime
from typing import Final

FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""No instant before this is meant: .NET's unset date is the year 1."""
LAST: Final = datetime(2200, 1, 1, tzinfo=UTC)
"""No instant from here on is meant: "for ever" in some programs is the year 9999."""
EXPECTED: Final = "expected RFC 3339 with zone, as 2026-11-23T12:00:00Z, from 1970 to 2199"

_ISO: Final = re.compile(r"(\d{4}-?\d\d-?\d\d)[T ](\d\d[\d:.,]*)(?: ?(Z)| ?([+-]\d\d:?\d\d)| (\d\d:?\d\d))?", re.ASCII)
"""Date, time, zone. In a query a `+` means a space, also the one in front of a zone that nobody escaped."""


def is_believable(at: datetime) -> bool:
    """Whether an instant with a zone lies from FIRST until before LAST."""
    return FIRST <= at < LAST


def parse(text: str, *, needs_zone: bool = True) -> datetime:
    """
    An instant in ISO 8601, in UTC; without a zone it is UTC, unless one is needed.

    Raises ValueError, with what was expected, when it is none, or one that nobody can mean.
    """
    found = _ISO.fullmatch(text.strip().upper())
    if found is None or (needs_zone and found[3] is found[4] is found[5] is None):
        raise ValueError(EXPECTED)
    day, time, zulu, offset, bare_offset = found.groups()
    zone = zulu or offset or (f"+{bare_offset}" if bare_offset else "Z")
    try:
        at = datetime.fromisoformat(f"{day}T{time}{zone}").astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise ValueError(EXPECTED) from exc
    if not is_believable(at):
        raise ValueError(EXPECTED)
    return at


def from_unix(seconds: float) -> datetime:
    """The instant so many seconds after the Unix epoch. Raises ValueError when nobody can mean it."""
    if not 0 <= seconds < LAST.timestamp():  # NaN neither
        raise ValueError("expected seconds since 1970, before 2200")
    return datetime.fromtimestamp(seconds, tz=UTC)
