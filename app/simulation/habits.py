"""
What simulated couriers and their customers do beside delivering: doors stay shut, breaks are taken; no I/O.

Chance comes from the seed, the courier and how often it was asked before: the same seed makes the same day.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

from app.simulation.member import Member, Pause, Stop

RETURNING: Final = "returning"
"""State of an order whose goods go back; its stop is where they go."""

WORKS: Final = timedelta(hours=10)
"""A shift that begins now."""
BREAK_OPENS: Final = timedelta(minutes=4)
"""After the simulation began: soon enough to be seen."""
BREAK_WITHIN: Final = timedelta(minutes=20)
BREAK_S: Final = 300
SOON: Final = timedelta(minutes=22)
LUNCH_S: Final = 1800
"""Tomorrow's break."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """The shares of a fleet's oddities, and who has them."""

    seed: int
    shut_doors: float = 0.0
    """Share of doors that nobody opens."""
    on_shift: float = 0.0
    """Share of couriers who work by shifts with a break; the others whenever they like."""

    def works_by_shifts(self, number: int) -> bool:
        """Whether the courier of that number does."""
        return self._random("shift", number).random() < self.on_shift

    def stays_shut(self, number: int, nth: int) -> bool:
        """Whether nobody opens the nth door of a courier."""
        return self._random("door", number, nth).random() < self.shut_doors

    def _random(self, *of: object) -> Random:
        return Random(" ".join(map(str, (self.seed, *of))))  # noqa: S311 - a simulation, no secret


def step_at(stop: Stop, *, is_shut: bool) -> tuple[str, dict[str, Any] | None]:
    """What a courier tells the server at a stop: the step, and what goes with it."""
    if stop.state == RETURNING:
        return "returned", None
    if stop.kind == "pickup":
        return "picked-up", None
    return ("failed", {"reason": "nobody opened"}) if is_shut else ("delivered", None)


def collects_soon_due(member: Member, now: datetime) -> bool:
    """Whether a courier goes to collect what is promised soon: held up now, it is late, unless another goes for it."""
    if not member.stops or member.stops[0].kind != "pickup":
        return False
    order_id = member.stops[0].order_id
    due = [stop.due_at for stop in member.stops if stop.order_id == order_id and stop.due_at is not None]
    return any(at - now < SOON for at in due)


def is_time_for_break(member: Member, now: datetime) -> bool:
    """When the plan says so; for whoever has nothing to do as soon as the break's window opens; with it over, never."""
    pause = member.pause
    if pause is None or not pause.opens_at <= now <= pause.closes_at:
        return False
    return not member.stops or (member.stops[0].break_at is not None and member.stops[0].break_at <= now)


def shift_now(now: datetime, ends_by: datetime | None) -> dict[str, Any]:
    """A shift that begins now, with a break soon; it ends before the courier's next one."""
    ends_at = now + WORKS if ends_by is None else min(now + WORKS, ends_by)
    opens_at = now + BREAK_OPENS
    return {
        "starts_at": now.isoformat(),
        "ends_at": ends_at.isoformat(),
        "breaks": [_break(opens_at, opens_at + BREAK_WITHIN, BREAK_S)],
    }


def shift_of(starts_at: datetime, ends_at: datetime) -> dict[str, Any]:
    """A shift of another day, with a break in its middle third."""
    third = (ends_at - starts_at) / 3
    lunch = _break(starts_at + third, ends_at - third, LUNCH_S)
    return {"starts_at": starts_at.isoformat(), "ends_at": ends_at.isoformat(), "breaks": [lunch]}


def pause_of(shifts: Sequence[dict[str, Any]], now: datetime) -> Pause | None:
    """The break of the shift that goes on now."""
    for shift in shifts:
        if datetime.fromisoformat(shift["starts_at"]) <= now < datetime.fromisoformat(shift["ends_at"]):
            for planned in shift.get("breaks", ()):
                opens_at, closes_at = (datetime.fromisoformat(planned[name]) for name in ("from", "to"))
                return Pause(opens_at=opens_at, closes_at=closes_at, duration_s=planned["duration_s"])
    return None


def _break(opens_at: datetime, closes_at: datetime, duration_s: int) -> dict[str, Any]:
    return {"from": opens_at.isoformat(), "to": closes_at.isoformat(), "duration_s": duration_s}
