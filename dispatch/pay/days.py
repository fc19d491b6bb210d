"""A day by the region's clock: where it begins and ends, and how long somebody was on shift in it; no I/O."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

Row = Mapping[str, Any]
Span = tuple[datetime, datetime]
HOUR: Final = timedelta(hours=1)
OVER_AFTER: Final = timedelta(hours=3)
"""So long after a day its hours are summed, and phones that had no network have told what they did."""


def zone_of(name: str) -> ZoneInfo:
    """The zone of that name, UTC where there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def span_of(day: date, zone: ZoneInfo) -> Span:
    """From its midnight to the next one, in UTC: 23 or 25 hours where clocks change."""
    begin = datetime.combine(day, time(), zone).astimezone(UTC)
    return begin, datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC)


def on_shift_s(
    hours: Sequence[Row],
    shifts: Sequence[Span],
    breaks: Sequence[Span],
    *,
    by_shifts: bool,
) -> int:
    """
    Seconds on shift in the hours given (rows of `courier_hours`): as long as the courier was seen or had an order.

    Of who works by shifts only what lies inside them; breaks do not count.
    """
    total = 0.0
    for row in hours:
        since, until = row["hour"], row["hour"] + HOUR
        room = _shared(since, until, shifts) if by_shifts else HOUR.total_seconds()
        room -= _shared(since, until, breaks)
        total += min(max(room, 0.0), max(row["tracked_s"], row["busy_s"], 0.0))
    return round(total)


def _shared(since: datetime, until: datetime, spans: Sequence[Span]) -> float:
    """Seconds of an hour that lie in the spans; those of one kind do not overlap."""
    parts = ((min(until, end) - max(since, begin)).total_seconds() for begin, end in spans)
    return sum(part for part in parts if part > 0)
