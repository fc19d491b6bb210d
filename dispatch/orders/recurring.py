"""
Shifts by a recurrence rule (RFC 5545, RRULE): on the same hours of the region's clock, also where it is put forward or
back; no I/O.
"""

import re
from calendar import isleap
from dataclasses import replace
from datetime import MAXYEAR, UTC, date, datetime, timedelta, tzinfo
from itertools import islice, pairwise
from typing import Final

from dateutil.rrule import rrulestr

from dispatch.orders.courier import Shift

MOST: Final = 400
"""Shifts of one rule."""
FARTHEST: Final = timedelta(days=400)
"""After the first one: three calendar years at most."""
PARTS: Final = frozenset(
    {"INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYMONTH", "BYSETPOS", "WKST"}
)
FREQUENCIES: Final = frozenset({"DAILY", "WEEKLY", "MONTHLY", "YEARLY"})


def shifts_by(rule: str, first: Shift, zone: tzinfo) -> tuple[Shift, ...]:
    """
    The shifts of a rule from `first` on, like it and in order; ValueError says what is wrong with the rule.

    A rule says when it ends: by COUNT, or by UNTIL in UTC.
    """
    parts = _parts(rule)
    began = first.starts_at.astimezone(zone)
    until = began + FARTHEST
    if "UNTIL" in parts:
        until = min(until, _instant(parts.pop("UNTIL")))
    count = int(parts.pop("COUNT", MOST + 1))
    text = ";".join(f"{name}={value}" for name, value in parts.items())
    later = _late_twin(began.year) - began.year
    ends = _in_year(max(until, began - timedelta(seconds=1)).astimezone(zone), later)
    found = rrulestr(f"RRULE:{text};UNTIL={ends:%Y%m%dT%H%M%S}", dtstart=_in_year(began, later))
    days = (_in_year(at, -later) for at in found)
    shifts = tuple(_moved(first, at, began) for at in islice(days, min(count, MOST + 1)))
    if len(shifts) > MOST:
        raise ValueError(f"expected at most {MOST} shifts")
    if not shifts:
        raise ValueError("expected a rule that some day follows")
    if any(one.ends_at > next_one.starts_at for one, next_one in pairwise(shifts)):
        raise ValueError("expected shifts that do not overlap")
    return shifts


def _late_twin(year: int) -> int:
    """
    The last year that has, with the two after it, the calendar of `year`.

    A rule that finds no day (30 February; every seventh day from a Monday on, if it is a Tuesday) is looked through by
    dateutil until the year 9999, which takes a minute from now, and a quarter of a second from there.
    """

    def calendar(first: int) -> list[tuple[int, bool]]:
        return [(date(one, 1, 1).weekday(), isleap(one)) for one in range(first, first + 3)]

    wanted = calendar(year)
    return next(twin for twin in range(MAXYEAR - 3, year - 1, -1) if calendar(twin) == wanted)


def _in_year(at: datetime, later: int) -> datetime:
    """The hands of the clock so many years later, on no clock in particular."""
    return at.replace(year=at.year + later, tzinfo=None)


def _parts(rule: str) -> dict[str, str]:
    parts = {}
    for part in rule.removeprefix("RRULE:").split(";"):
        name, _, value = part.partition("=")
        if name not in PARTS | {"FREQ"} or not re.fullmatch(r"[A-Z0-9,+-]+", value) or name in parts:
            raise ValueError(f"expected FREQ and {', '.join(sorted(PARTS))}, each once, as RFC 5545 has them")
        parts[name] = value
    if parts.get("FREQ") not in FREQUENCIES:
        raise ValueError(f"expected FREQ to be one of {', '.join(sorted(FREQUENCIES))}")
    if not {"COUNT", "UNTIL"} & parts.keys():
        raise ValueError("expected COUNT or UNTIL")
    for name in parts.keys() & {"COUNT", "INTERVAL"}:
        if not re.fullmatch(r"[1-9][0-9]{0,3}", parts[name]):
            raise ValueError(f"expected {name} from 1 to 9999")
    return parts


def _instant(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise ValueError("expected UNTIL in UTC, such as 20271231T230000Z") from None


def _moved(first: Shift, at: datetime, began: datetime) -> Shift:
    """The shift on another day: its hours are those of the clock on the wall."""

    def on_that_day(instant: datetime) -> datetime:
        since = instant.astimezone(began.tzinfo).replace(tzinfo=None) - began.replace(tzinfo=None)
        return (at.replace(tzinfo=None) + since).replace(tzinfo=began.tzinfo).astimezone(UTC)

    return replace(
        first,
        starts_at=on_that_day(first.starts_at),
        ends_at=on_that_day(first.ends_at),
        breaks=tuple(
            replace(pause, opens_at=on_that_day(pause.opens_at), closes_at=on_that_day(pause.closes_at))
            for pause in first.breaks
        ),
    )
