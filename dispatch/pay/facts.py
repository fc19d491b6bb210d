"""What rules of pay can ask about: typed facts of what happened, as they are kept with each entry; no I/O."""

from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from tracking.position import Mode

LONGEST_S: Final = 30 * 86_400
"""What took longer counts as this."""
FARTHEST_M: Final = 21_000_000
"""Half the Earth's circumference, and a bit."""


class Outcome(StrEnum):
    """How an order ended for the courier who had it."""

    DELIVERED = "delivered"
    FAILED = "failed"
    RETURNED = "returned"


class Weekday(StrEnum):
    """By the region's clock."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


Quantity = Literal["distance_m", "duration_s", "waiting_s", "late_s", "units", "priority", "attempt"]
"""Facts that are numbers."""
Size = Annotated[int, Meta(ge=0)]


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """An order as it ended for a courier."""

    outcome: Outcome
    mode: Mode
    day: date
    """By the region's clock."""
    minute: Annotated[int, Meta(ge=0, lt=1440)]
    """Since midnight there."""
    weekday: Weekday
    distance_m: Size = 0
    """Along the great circle from where it was collected to where it was brought: the same whichever way one rode."""
    duration_s: Size = 0
    """From accepted to the end."""
    waiting_s: Size = 0
    """At the place where it was collected, beyond the courier's arrival or the time it was promised to be ready."""
    late_s: Size = 0
    """Handed over so long after it was promised."""
    units: Size = 1
    priority: int = 0
    attempt: Size = 1
    partner: str | None = None
    flags: frozenset[str] = frozenset()
    """Of the rules, in force then: a holiday, rain."""


def local(at: datetime, zone: ZoneInfo) -> dict[str, Any]:
    """The facts of an instant by the region's clock: `day`, `minute`, `weekday`."""
    there = at.astimezone(zone)
    return {
        "day": there.date(),
        "minute": there.hour * 60 + there.minute,
        "weekday": tuple(Weekday)[there.weekday()],
    }


def waiting_s(arrived_at: datetime | None, ready_at: datetime | None, left_at: datetime | None) -> int:
    """Who comes before it is promised to be ready waits from then on only; nothing where an end is not known."""
    if arrived_at is None or left_at is None:
        return 0
    since = arrived_at if ready_at is None else max(arrived_at, ready_at)
    return seconds(since, left_at)


def seconds(since: datetime | None, until: datetime | None) -> int:
    """Whole seconds between two instants, 0 where one is not known or they are the other way round; bounded."""
    if since is None or until is None:
        return 0
    return min(max(0, int((until.astimezone(UTC) - since.astimezone(UTC)).total_seconds())), LONGEST_S)
