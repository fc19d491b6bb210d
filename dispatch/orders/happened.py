"""
When something was done, by the phone of who did it; no I/O.

A phone without a network tells later what happened earlier, and its clock may be wrong. What it says is believed within
bounds; outside them the nearest instant that can be is taken, and the event keeps what was said and why not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

MAX_DRIFT = timedelta(minutes=2)
"""A phone's clock may be ahead of ours by so much without a word about it; what happened is then now."""
MAX_AGE = timedelta(hours=12)
"""Longer than a shift nobody is without a network; an older time is a wrong clock."""


@dataclass(frozen=True, slots=True)
class Happened:
    """When something was done, and what the event says of that."""

    at: datetime
    facts: Mapping[str, Any]


def happened(said_at: datetime | None, *, now: datetime, after: datetime) -> Happened | None:
    """
    What a phone says of the time, bounded: not after `now`, not before the step `after`, not older than `MAX_AGE`.

    None when it says nothing: then it happened as it was told.
    """
    if said_at is None:
        return None
    earliest, oldest = min(after, now), now - MAX_AGE
    at = min(max(said_at, earliest, oldest), now)
    facts: dict[str, Any] = {"happened_at": at}
    why = None
    if said_at > now + MAX_DRIFT:
        why = "in the future"
    elif at > said_at:
        why = "too old" if oldest > earliest else "before the step before"
    if why is not None:
        facts |= {"said_at": said_at, "not_believed": why}
    return Happened(at, facts)
