"""What a recipient reads of an order: facts in, words out; no I/O."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from app.pages.writing import day_and_time, words
from dispatch.orders.order import Order, OrderKind, OrderState

NOTE: Final = "» "
"""Begins what a recipient added to the instructions."""
WINDOW: Final = timedelta(hours=2)
N_WINDOWS: Final = 4
NOTICE: Final = timedelta(hours=1)
"""A window that begins sooner helps nobody: the plan is made."""
WAITING: Final = frozenset({OrderState.PLACED, OrderState.ASSIGNED, OrderState.ACCEPTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """When, and how many come before."""

    p50: datetime | None
    p90: datetime | None
    stops_before: int | None


_OTHER_WORDS: Final = {
    (OrderKind.DROPOFF, OrderState.ACCEPTED): "on_its_way",
    (OrderKind.PICKUP, OrderState.PICKED_UP): "collected",
    (OrderKind.PICKUP, OrderState.DELIVERED): "collected",
    (OrderKind.PICKUP, OrderState.FAILED): "not_collected",
    (OrderKind.SERVICE, OrderState.ACCEPTED): "on_our_way",
    (OrderKind.SERVICE, OrderState.DELIVERED): "visited",
    (OrderKind.SERVICE, OrderState.FAILED): "not_visited",
}
_WORDS: Final = {
    OrderState.PLACED: "looking",
    OrderState.ASSIGNED: "looking",
    OrderState.ACCEPTED: "collecting",
    OrderState.PICKED_UP: "on_its_way",
    OrderState.DELIVERED: "has_been_delivered",
    OrderState.CANCELLED: "was_cancelled",
    OrderState.FAILED: "not_delivered",
    OrderState.RETURNING: "not_delivered",
    OrderState.RETURNED: "not_delivered",
}
_NEXT: Final = {
    OrderState.FAILED: "next_told",
    OrderState.RETURNING: "next_returns",
    OrderState.RETURNED: "next_returned",
    OrderState.CANCELLED: "next_cancelled",
}


def headline(order: Order) -> str:
    """The key of what is said of the order as it stands."""
    return "r_" + _OTHER_WORDS.get((order.kind, order.state), _WORDS[order.state])


def is_under_way(order: Order) -> bool:
    """Whether the recipient still waits for it: goods that come back are nobody's who waited."""
    return order.is_open and order.state is not OrderState.RETURNING


def facts_of(order: Order, expected: Expected, zone: ZoneInfo, language: str, *, now: datetime) -> dict[str, Any]:
    """What the page says of an order, in words."""
    said = words(language)

    def at(instant: datetime) -> str:
        return day_and_time(instant, zone, language, now=now)

    facts: dict[str, Any] = {"headline": said[headline(order)], "lines": [], "when": "", "address": ""}
    if is_under_way(order):
        stop = order.stop(order.awaited_at)
        facts["address"] = stop.address or ""
        if expected.p50 is not None:
            facts["when"] = (
                said["r_about"].format(at=at(expected.p50))
                if expected.p90 is None or at(expected.p90) == at(expected.p50) or expected.p90 < expected.p50
                else said["r_between"].format(first=_clock(expected.p50, zone), last=at(expected.p90))
            )
        if stop.window.opens_at is not None and stop.window.due_at is not None:
            facts["lines"].append(
                said["r_window"].format(first=_clock(stop.window.opens_at, zone), last=at(stop.window.due_at))
            )
        elif stop.window.due_at is not None:
            facts["lines"].append(said["r_by"].format(at=at(stop.window.due_at)))
        if expected.stops_before is not None:
            n = expected.stops_before
            facts["lines"].append(said["r_next"] if n == 0 else said["r_stops_before"].format(n=n))
        return facts
    if order.state is OrderState.DELIVERED and order.delivered_at is not None:
        facts["when"] = said["r_at"].format(at=at(order.delivered_at))
        name = (order.proof or {}).get("name")
        if name:
            facts["lines"].append(said["r_taken_by"].format(name=name))
    elif order.state in _NEXT:
        facts["lines"].append(said[f"r_{_NEXT[order.state]}"])
    return facts


def zone_name(zone: ZoneInfo, now: datetime) -> str:
    """What clocks there are called now, such as `+0545` or `CET`."""
    return f"{now.astimezone(zone):%Z}"


def windows_for(order: Order, zone: ZoneInfo, *, now: datetime) -> list[tuple[datetime, datetime]]:
    """Other windows that may be chosen: whole hours of the next ones by day, not the one that it has."""
    if order.state not in WAITING or order.kind not in {OrderKind.DELIVERY, OrderKind.DROPOFF}:
        return []
    ready = max(now + NOTICE, order.ready_at or now, order.pickup.window.opens_at or now)
    begins = ready.astimezone(zone).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    found: list[tuple[datetime, datetime]] = []
    for _ in range(48):
        if begins.hour >= 8 and begins.hour + 2 <= 22 and begins != order.dropoff.window.opens_at:
            found.append((begins, begins + WINDOW))
        if len(found) == N_WINDOWS:
            break
        begins += timedelta(hours=2 if found else 1)
    return found


def with_note(instructions: str | None, text: str) -> str | None:
    """The instructions with what the recipient says now, in place of what was said before."""
    kept = [line for line in (instructions or "").splitlines() if not line.startswith(NOTE)]
    said = [NOTE + line for line in text.replace("\x00", "").strip().splitlines() if line.strip()]
    return "\n".join([*kept, *said])[:2000] or None


def note_of(instructions: str | None) -> str:
    """What the recipient said."""
    lines = (instructions or "").splitlines()
    return "\n".join(line.removeprefix(NOTE) for line in lines if line.startswith(NOTE))


def _clock(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%H:%M}"
