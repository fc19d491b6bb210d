"""
A day that is under way: what was ordered so far, and how each order stands; no I/O.

The same seed makes the same day. Who writes it down is `app/machine/day_so_far.py`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random
from typing import Final

from app.simulation.city import City, Spot
from app.simulation.courier import CRUISE_MPS
from app.simulation.names import full_name, phone_number
from tracking.geo import distance_m
from tracking.position import LatLon, Mode

PROMISED: Final = timedelta(minutes=30)
"""After the food is ready."""
DETOUR: Final = 1.35
"""Streets are longer than the straight line by so much."""
ON_A_JOB: Final = 0.6
"""Share of the couriers."""
LATE: Final = 3
LATE_BY_S: Final = (60, 300)
STANDS_S: Final = 480.0
"""One has stood still for so long, on the way to somebody."""
HANDLING_S: Final = (40, 110)
RIDE_S: Final = 600.0
"""Somebody orders from a kitchen that is no longer a ride away, for whoever brings it; nobody walks across the city."""
LOOKS: Final = 12
COLD_BOX: Final = "cold box"
"""A skill that nobody has: an order that needs it needs somebody to look at it."""
CANCELLED: Final = ("customer changed their mind", "ordered twice", "kitchen is closed")
FAILED: Final = ("nobody at the door", "address does not exist", "refused at the door")
INSTRUCTIONS: Final = ("Ring twice", "2nd floor, left", "Leave it at the door", "Ask for the key at the café", "")


class Step(StrEnum):
    """What is done to an order, in the order of its life."""

    ASSIGN = "assign"
    ACCEPT = "accept"
    PICK_UP = "pick_up"
    DELIVER = "deliver"
    CANCEL = "cancel"
    FAIL = "fail"
    TAKE_BACK = "take_back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """A way that is being driven: such a share of it is behind the courier."""

    start: LatLon
    end: LatLon
    share: float
    began_at: datetime
    stands_s: float = 0.0
    """For so long the courier has not moved on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One order of the day."""

    kitchen: Spot
    home: Spot
    contact: dict[str, str]
    instructions: str
    placed_at: datetime
    ready_at: datetime
    due_at: datetime
    steps: Sequence[tuple[Step, datetime]] = ()
    courier: int | None = None
    """Who has it, by place in the fleet."""
    leg: Leg | None = None
    """What that courier is doing now."""
    reason: str | None = None
    skills: frozenset[str] = field(default_factory=frozenset)


@dataclass(slots=True)
class Day:
    """Makes the stories of a city's day."""

    city: City
    kitchens: Sequence[Spot]
    modes: Sequence[Mode]
    """Of the couriers."""
    random: Random

    def past(self, n: int, since: datetime, until: datetime) -> Iterator[Story]:
        """Orders that are over by `until`, the first placed first."""
        span_s = (until - since).total_seconds()
        for at_s in sorted(self.random.uniform(0, span_s) for _ in range(n)):
            story = self._over(since + timedelta(seconds=at_s))
            if story.steps[-1][1] <= until:
                yield story

    def open(self, now: datetime) -> Iterator[Story]:
        """What is being done now: `ON_A_JOB` of the couriers carry something or go to collect it, others are asked."""
        busy = self.random.sample(range(len(self.modes)), round(ON_A_JOB * len(self.modes)))
        carrying, collecting = busy[: round(0.6 * len(busy))], busy[round(0.6 * len(busy)) :]
        for number, courier in enumerate(carrying):
            late_s = self.random.uniform(*LATE_BY_S) if number < LATE else 0.0
            yield self._carried(courier, now, late_s, STANDS_S if number == LATE else 0.0)
        for courier in collecting:
            first = self._awaited(courier, now, self._kitchen())
            yield first
            if self.random.random() < 0.3:
                yield self._awaited(courier, now, first.kitchen, first.leg)
        idle = [courier for courier in range(len(self.modes)) if courier not in busy]
        for courier in idle[: round(0.04 * len(self.modes))]:
            yield self._asked(courier, now)
        for _ in range(round(0.06 * len(self.modes))):
            yield self._told(now - timedelta(seconds=self.random.uniform(0, 90)), wait_s=self.random.uniform(240, 900))
        yield self._told(now - timedelta(minutes=2), wait_s=300, skills=frozenset({COLD_BOX}))

    def _kitchen(self) -> Spot:
        return self.random.choice(self.kitchens)

    def _home(self, kitchen: Spot, mode: Mode) -> Spot:
        """Somebody who orders there: within `RIDE_S` where there are such, else nearer than others."""
        found = [self.random.choice(self.city.homes) for _ in range(LOOKS)]
        near = (home for home in found if self._ride_s(kitchen.at, home.at, mode) <= RIDE_S)
        return next(near, min(found, key=lambda home: distance_m(home.at, kitchen.at)))

    def _told(
        self,
        placed_at: datetime,
        *,
        wait_s: float,
        mode: Mode = Mode.BICYCLE,
        kitchen: Spot | None = None,
        home: Spot | None = None,
        skills: frozenset[str] = frozenset(),
    ) -> Story:
        kitchen = kitchen or self._kitchen()
        ready_at = placed_at + timedelta(seconds=wait_s)
        return Story(
            kitchen=kitchen,
            home=home or self._home(kitchen, mode),
            contact={"name": full_name(self.random), "phone": phone_number(self.random)},
            instructions=self.random.choice(INSTRUCTIONS),
            placed_at=placed_at,
            ready_at=ready_at,
            due_at=ready_at + PROMISED,
            skills=skills,
        )

    def _ride_s(self, start: LatLon, end: LatLon, mode: Mode) -> float:
        return DETOUR * distance_m(start, end) / CRUISE_MPS[mode]

    def _over(self, placed_at: datetime) -> Story:
        courier = self.random.randrange(len(self.modes))
        told = self._told(placed_at, wait_s=self.random.uniform(300, 840), mode=self.modes[courier])
        given_at = placed_at + timedelta(seconds=self.random.uniform(2, 60))
        taken_at = given_at + timedelta(seconds=self.random.uniform(2, 20))
        fate = self.random.random()
        if fate < 0.025:
            over_at = taken_at + timedelta(seconds=self.random.uniform(20, 200))
            steps = [(Step.ASSIGN, given_at), (Step.ACCEPT, taken_at), (Step.CANCEL, over_at)]
            return _with(told, steps, courier, self.random.choice(CANCELLED))
        # Now and then a kitchen or a street is slow: the customer waits for longer than was promised.
        held_s = self.random.uniform(1400, 2400) if self.random.random() < 0.07 else self.random.uniform(20, 90)
        collected_at = max(told.ready_at, taken_at + timedelta(seconds=self.random.uniform(120, 500)))
        collected_at += timedelta(seconds=held_s)
        ride_s = self._ride_s(told.kitchen.at, told.home.at, self.modes[courier])
        there_at = collected_at + timedelta(seconds=ride_s + self.random.uniform(*HANDLING_S))
        steps = [(Step.ASSIGN, given_at), (Step.ACCEPT, taken_at), (Step.PICK_UP, collected_at)]
        if fate < 0.04:
            back_at = there_at + timedelta(seconds=ride_s)
            steps += [(Step.FAIL, there_at), (Step.TAKE_BACK, back_at)]
            return _with(told, steps, courier, self.random.choice(FAILED))
        return _with(told, [*steps, (Step.DELIVER, there_at)], courier)

    def _carried(self, courier: int, now: datetime, late_s: float, stands_s: float) -> Story:
        kitchen = self._kitchen()
        home = self._home(kitchen, self.modes[courier])
        share = self.random.uniform(0.1, 0.75)
        ride_s = self._ride_s(kitchen.at, home.at, self.modes[courier])
        collected_at = now - timedelta(seconds=share * ride_s + stands_s)
        ready_at = collected_at - timedelta(seconds=self.random.uniform(30, 300))
        placed_at = ready_at - timedelta(seconds=self.random.uniform(300, 840))
        left_s = (1 - share) * ride_s
        due_at = max(ready_at + PROMISED, now + timedelta(seconds=1.5 * left_s + 1200))
        if late_s:
            # It waited in the kitchen for long.
            due_at = now - timedelta(seconds=late_s)
            ready_at = due_at - PROMISED
            placed_at = ready_at - timedelta(seconds=480)
        given_at = placed_at + timedelta(seconds=self.random.uniform(2, 30))
        taken_at = given_at + timedelta(seconds=self.random.uniform(2, 20))
        steps = [(Step.ASSIGN, given_at), (Step.ACCEPT, taken_at), (Step.PICK_UP, collected_at)]
        leg = Leg(start=kitchen.at, end=home.at, share=share, began_at=collected_at, stands_s=stands_s)
        told = self._told(placed_at, wait_s=(ready_at - placed_at).total_seconds(), kitchen=kitchen, home=home)
        return _with(replace(told, due_at=due_at), steps, courier, leg=leg)

    def _awaited(self, courier: int, now: datetime, kitchen: Spot, leg: Leg | None = None) -> Story:
        """Somebody has promised to collect it, and is on the way there."""
        placed_at, mode = now - timedelta(seconds=self.random.uniform(100, 400)), self.modes[courier]
        told = self._told(placed_at, wait_s=self.random.uniform(300, 700), mode=mode, kitchen=kitchen)
        if leg is None:
            start, share = self._home(kitchen, mode).at, self.random.uniform(0.05, 0.7)
            ride_s = self._ride_s(start, kitchen.at, mode)
            leg = Leg(start=start, end=kitchen.at, share=share, began_at=now - timedelta(seconds=share * ride_s))
        given_at = told.placed_at + timedelta(seconds=self.random.uniform(2, 40))
        taken_at = given_at + timedelta(seconds=self.random.uniform(2, 20))
        return _with(told, [(Step.ASSIGN, given_at), (Step.ACCEPT, taken_at)], courier, leg=leg)

    def _asked(self, courier: int, now: datetime) -> Story:
        placed_at, wait_s = now - timedelta(seconds=self.random.uniform(20, 120)), self.random.uniform(200, 600)
        told = self._told(placed_at, wait_s=wait_s, mode=self.modes[courier])
        return _with(told, [(Step.ASSIGN, now)], courier)


def _with(
    story: Story,
    steps: Sequence[tuple[Step, datetime]],
    courier: int,
    reason: str | None = None,
    *,
    leg: Leg | None = None,
) -> Story:
    return replace(story, steps=steps, courier=courier, reason=reason, leg=leg)
