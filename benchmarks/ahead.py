"""
What it is worth to make things before they are ordered: how much sooner orders are ready, and how much is thrown away.

    python -m benchmarks.ahead --json

Simulated kitchens of five hands, each with days of the week and dishes that its guests like more and less, and days
that are busier than others for no reason that anybody knows. Eight weeks are the history of the ninth, which is cooked
three times by the same orders: without anything made ahead; with it, laid aside whenever an order needs the hand; and
with it by cooks who lay nothing aside. Orders are begun as they come, as soon as a hand is free.
"""

import argparse
import json
import sys
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from random import Random
from statistics import mean, quantiles
from typing import Any, Final
from uuid import UUID

from dispatch.places import ahead
from dispatch.places.ahead import Left, Ordered, Want, goes
from dispatch.places.kitchen import Job
from dispatch.places.place import Line, Place, Recipe, preparation
from dispatch.places.slots import Timetable
from dispatch.places.soonest import soonest
from tracking.position import LatLon, Region

KITCHENS: Final = 8
HANDS: Final = 5
MENU: Final = {
    "soup": Recipe(minutes=20, batch=8, shelf_life_minutes=180, ahead_minutes=2),
    "roast": Recipe(minutes=35, batch=6, shelf_life_minutes=90, ahead_minutes=3),
    "salad": Recipe(minutes=8, batch=4, shelf_life_minutes=240, ahead_minutes=1),
    "pizza": Recipe(minutes=10),
    "burger": Recipe(minutes=8),
}
RATES: Final = dict.fromkeys(range(10, 23), 5.0) | dict.fromkeys((12, 13, 19, 20), 9.0)
"""Orders an hour of a place, by the hour of the day."""
BUSIER: Final = 0.25
"""Spread of a day's number of orders around that of its weekday, as a share of it."""
BEGINS: Final = datetime(2026, 1, 5, tzinfo=UTC)
WEEK_S: Final = 7 * 86_400
LOOKS_EVERY_S: Final = 300
STEP_S: Final = 60


@dataclass(slots=True)
class Placed:
    """An order."""

    at_s: int
    lines: tuple[Line, ...]
    needs_s: int = 0
    until_s: int | None = None


@dataclass(slots=True)
class Pot:
    """Something that is being made ahead, or was."""

    item: str
    pieces: int
    left_s: int
    good_s: int = 0


@dataclass(slots=True)
class Cooked:
    """What became of a week."""

    waits_s: list[int] = field(default_factory=list)
    n_made: int = 0
    n_past: int = 0
    n_ordered: int = 0


def orders_of(random: Random) -> list[Placed]:
    """Nine weeks of a kitchen, in seconds from their beginning."""
    weekdays = [random.uniform(0.6, 1.4) for _ in range(7)]
    likes = [random.uniform(0.5, 1.5) for _ in MENU]
    placed = []
    for day in range(63):
        busy = weekdays[day % 7] * max(0.2, random.gauss(1.0, BUSIER))
        for hour, rate in sorted(RATES.items()):
            after_s = random.expovariate(busy * rate / 3600)
            while after_s < 3600:
                items = random.choices(list(MENU), likes, k=random.choice((1, 1, 2, 3)))
                lines = tuple(Line(item=item, quantity=random.choice((1, 1, 2))) for item in sorted(set(items)))
                placed.append(Placed(int(day * 86_400 + hour * 3600 + after_s), lines))
                after_s += random.expovariate(busy * rate / 3600)
    return placed


def wants_of(placed: Sequence[Placed], now_s: int, pots: Sequence[Pot], begun: Sequence[Pot]) -> list[Want]:
    """What may be made ahead, from the weeks before."""
    until_s = ahead.LOOK_S + 6 * 3600
    ordered: dict[str, list[Ordered]] = {item: [] for item in MENU}
    for week in range(1, ahead.WEEKS + 1):
        from_s = now_s - week * WEEK_S
        first, last = (bisect_left(placed, at_s, key=lambda one: one.at_s) for at_s in (from_s, from_s + until_s))
        for one in placed[first:last]:
            for line in one.lines:
                ordered[line.item].append(Ordered(week, one.at_s - from_s, line.quantity))
    found = []
    for item, recipe in MENU.items():
        if recipe.ahead_minutes is None or recipe.shelf_life_minutes is None:
            continue
        made = next((one for one in begun if one.item == item), None)
        shelf_s = recipe.shelf_life_minutes * 60
        left = [Left(one.pieces, one.good_s - now_s) for one in pots if one.item == item]
        left += [] if made is None else [Left(made.pieces, made.left_s + shelf_s)]
        found.append(
            Want(
                item=item,
                duration_s=recipe.minutes * 60,
                batch=recipe.batch,
                shelf_s=shelf_s,
                ordered=ordered[item],
                n_weeks=ahead.WEEKS,
                left=left,
                until_s=None if made is None else made.left_s,
            )
        )
    return found


class Week:
    """The ninth week of a kitchen."""

    def __init__(self, placed: Sequence[Placed], *, is_ahead: bool, lays_aside: bool) -> None:
        self._place = Place(
            id=UUID(int=1), region=Region("town"), name="", at=LatLon(0, 0), capacity=HANDS, recipes=MENU
        )
        self._history = placed
        self._coming = [replace(one) for one in placed if one.at_s >= 8 * WEEK_S]
        self._is_ahead, self._lays_aside = is_ahead, lays_aside
        self._waiting: list[Placed] = []
        self._made_now: list[Placed] = []
        self._pots: list[Pot] = []
        self._begun: list[Pot] = []
        self.cooked = Cooked()

    def cook(self) -> Cooked:
        """Minute by minute."""
        for now_s in range(8 * WEEK_S, 9 * WEEK_S, STEP_S):
            self._throw_away(now_s)
            while self._coming and self._coming[0].at_s <= now_s:
                self._take(self._coming.pop(0))
            self._made_now = [one for one in self._made_now if one.until_s is None or one.until_s > now_s]
            self._begin(now_s)
            if self._is_ahead:
                self._prepare(now_s)
        return self.cooked

    def _take(self, order: Placed) -> None:
        self._waiting.append(order)
        order.needs_s = self._needs_s(order)
        self.cooked.n_ordered += sum(line.quantity for line in order.lines)

    def _needs_s(self, order: Placed) -> int:
        """How long it takes with what there is, which it takes."""
        made: dict[str, int] = {}
        for line in order.lines:
            for pot in self._pots:
                taken = min(pot.pieces, line.quantity - made.get(line.item, 0)) if pot.item == line.item else 0
                pot.pieces -= taken
                made[line.item] = made.get(line.item, 0) + taken
        self._pots = [pot for pot in self._pots if pot.pieces]
        return preparation(order.lines, self._place, made).duration_s

    def _free(self) -> int:
        return HANDS - len(self._made_now) - (0 if self._lays_aside else len(self._begun))

    def _begin(self, now_s: int) -> None:
        while self._waiting and self._free() > 0:
            order = self._waiting.pop(0)
            order.until_s = now_s + order.needs_s
            self._made_now.append(order)
            self.cooked.waits_s.append(order.until_s - order.at_s)

    def _prepare(self, now_s: int) -> None:
        hands = HANDS - len(self._made_now)
        for pot in self._begun[:hands]:
            pot.left_s -= STEP_S
            if pot.left_s <= 0:
                pot.good_s = now_s + STEP_S + 60 * (MENU[pot.item].shelf_life_minutes or 0)
                self._pots.append(pot)
                self.cooked.n_made += pot.pieces
        self._begun = [pot for pot in self._begun if pot.left_s > 0]
        is_open = any(now_s % 86_400 // 3600 == hour for hour in RATES)
        if now_s % LOOKS_EVERY_S or not is_open or hands <= len(self._begun):
            return
        jobs = [
            Job(key=str(n), duration_s=one.needs_s, until_s=None if one.until_s is None else one.until_s - now_s)
            for n, one in enumerate([*self._made_now, *self._waiting])
        ]
        kitchen = self._place.kitchen(BEGINS)
        table = Timetable(slots=soonest(jobs, kitchen), left_out={})
        for go in goes(wants_of(self._history, now_s, self._pots, self._begun), jobs, table, kitchen):
            if go.slot.starts_s < LOOKS_EVERY_S:
                self._begun.append(Pot(go.item, go.amount, MENU[go.item].minutes * 60))

    def _throw_away(self, now_s: int) -> None:
        self.cooked.n_past += sum(pot.pieces for pot in self._pots if pot.good_s <= now_s)
        self._pots = [pot for pot in self._pots if pot.good_s > now_s]


def measured(seed: int) -> Iterator[tuple[str, Cooked]]:
    """Each way over all kitchens."""
    ways = {
        "nothing is made ahead": {"is_ahead": False, "lays_aside": True},
        "made ahead, laid aside for orders": {"is_ahead": True, "lays_aside": True},
        "made ahead, not laid aside": {"is_ahead": True, "lays_aside": False},
    }
    for name, way in ways.items():
        random = Random(f"kitchens that make ahead {seed}")
        weeks = [Week(orders_of(random), **way).cook() for _ in range(KITCHENS)]
        yield (
            name,
            Cooked(
                waits_s=[wait_s for week in weeks for wait_s in week.waits_s],
                n_made=sum(week.n_made for week in weeks),
                n_past=sum(week.n_past for week in weeks),
                n_ordered=sum(week.n_ordered for week in weeks),
            ),
        )


def told(cooked: Cooked) -> dict[str, float]:
    """In minutes, and shares."""
    return {
        "mean_min": round(mean(cooked.waits_s) / 60, 2),
        "p90_min": round(quantiles(cooked.waits_s, n=10)[-1] / 60, 2),
        "made_ahead_share": round(cooked.n_made / cooked.n_ordered, 3),
        "thrown_away_share": round(cooked.n_past / max(1, cooked.n_made), 3),
    }


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows: dict[str, list[dict[str, float]]] = {}
    for seed in range(options.seeds):
        for name, cooked in measured(seed):
            rows.setdefault(name, []).append(told(cooked))
            print(f"seed {seed}, {name}: {rows[name][-1]}", file=sys.stderr, flush=True)
    result: dict[str, Any] = {
        name: {key: [min(one[key] for one in some), max(one[key] for one in some)] for key in some[0]}
        for name, some in rows.items()
    }
    if options.json:
        print(json.dumps({"from_to": result, "seeds": options.seeds, "quantile": ahead.QUANTILE}, indent=1))


if __name__ == "__main__":
    main()
