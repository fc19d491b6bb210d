"""
How far off the time is at which an order is foretold to be ready: a constant of its place, and what more is worth.

    python -m benchmarks.ready ../shared/data/rappi --json

Recorded days (a folder is a day or holds days): what is learned of one is held against another of the same city, and of
three quarters of each against the fourth, by turns of 90 minutes. Their ready times are the platform's own, and nobody
says what the place was making: the orders of the last minutes count, as many as an order takes there on average.
Simulated kitchens are longer or shorter at everything than their recipes say, and slower in a rush; what is learned of
two weeks is held against the third.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from heapq import heapify, heapreplace
from itertools import chain
from math import exp
from pathlib import Path
from random import Random
from statistics import mean
from typing import Any, Final
from uuid import UUID, uuid5

from benchmarks.rappi import find_days
from benchmarks.rappi_day import Parcel, read_day
from benchmarks.ready_habits import MOST_S, NO_HABIT, Made, learn
from dispatch.places.counter import ready_times
from dispatch.places.place import Place, Preparation, Task, TaskState
from dispatch.stop import OrderId
from tracking.geo import distance_m
from tracking.position import LatLon, Region

KNOWS: Final = {
    "a constant per place": (False, False),
    "one per place and three hours of the day": (False, True),
    "one per place and queue": (True, False),
}
"""By what: whether the queue is known, and the time of day."""
PART_S: Final = 10_800
TURN_S: Final = 5400
TURNS: Final = 4
SAME_CITY_M: Final = 50_000
NAMES: Final = UUID(int=1)
DAY_S: Final = 86_400

PLACES, DAYS, TAUGHT = 20, 21, 14
MENU_MINUTES: Final = (3, 5, 8, 10, 15)
HANDS: Final = 2
RATES: Final = dict.fromkeys(range(10, 23), 5.0) | dict.fromkeys((12, 13, 19, 20), 11.0)
"""Orders an hour of a place, by the hour of the day."""
RUSH: Final = 1.25
"""By this much all takes longer in the busy hours."""
BEGINS: Final = datetime(2026, 3, 2, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """An order: what was foretold, and how long it took."""

    place_id: UUID
    at: LatLon
    placed_at: datetime
    n_before: int
    took_s: float
    foretold_s: float = 0.0


def errors(taught: Sequence[Seen], held: Sequence[Seen]) -> dict[str, float]:
    """Mean absolute error in minutes of what is foretold, by what is known."""
    found = {"as foretold": _minutes(one.foretold_s - one.took_s for one in held)} if held[0].foretold_s else {}
    everywhere_s = mean(one.took_s - one.foretold_s for one in taught)
    found["a constant for all"] = _minutes(one.foretold_s + everywhere_s - one.took_s for one in held)
    now = max(one.placed_at for one in taught)
    for name, (has_queue, has_time) in KNOWS.items():
        habits = learn([_made(one, everywhere_s, has_queue, has_time) for one in taught], now)
        offs = []
        for one in held:
            made = _made(one, everywhere_s, has_queue, has_time)
            offs.append(habits.get(made.place_id, NO_HABIT).off_s(made.n_before) - made.off_s)
        found[name] = _minutes(offs)
    return found


def _made(one: Seen, everywhere_s: float, has_queue: bool, has_time: bool) -> Made:
    part = int((one.placed_at.timestamp() + one.at.lon * 240.0) % DAY_S // PART_S)  # by the sun
    return Made(
        place_id=uuid5(one.place_id, str(part)) if has_time else one.place_id,
        placed_at=one.placed_at,
        n_before=one.n_before if has_queue else 0,
        off_s=one.took_s - one.foretold_s - everywhere_s,
    )


def _minutes(offs_s: Iterable[float]) -> float:
    return round(mean(abs(off_s) for off_s in offs_s) / 60, 2)


def recorded(folder: Path) -> list[Seen]:
    """The orders of a day; what is ready before it was placed is ready after midnight."""
    _, parcels = read_day(folder)
    took = [(parcel.ready_at - parcel.placed_at) % DAY_S for parcel in parcels]
    usual_s = mean(took)
    return [
        Seen(
            place_id=uuid5(NAMES, f"{parcel.pickup.lat:.4f} {parcel.pickup.lon:.4f}"),
            at=parcel.pickup,
            placed_at=datetime.fromtimestamp(parcel.placed_at, UTC),
            n_before=sum(_is_before(other, parcel, usual_s) for other in parcels[:number]),
            took_s=min(float(took_s), 2 * MOST_S),
        )
        for number, (parcel, took_s) in enumerate(zip(parcels, took, strict=True))
    ]


def _is_before(other: Parcel, parcel: Parcel, usual_s: float) -> bool:
    return other.pickup == parcel.pickup and other.placed_at + usual_s > parcel.placed_at


def of_days(days: Mapping[str, Sequence[Seen]]) -> Iterator[tuple[str, dict[str, float]]]:
    """What is learned of one day held against another of the same city, then of parts of a day against the rest."""
    for name, taught in days.items():
        for other, held in days.items():
            if name != other and distance_m(taught[0].at, held[0].at) < SAME_CITY_M:
                yield f"day {name} taught, day {other} held against it", errors(taught, held)
    for name, day in days.items():
        turns = [
            errors([one for one in day if _turn(one) != turn], [one for one in day if _turn(one) == turn])
            for turn in range(TURNS)
        ]
        sizes = [sum(_turn(one) == turn for one in day) for turn in range(TURNS)]
        yield (
            f"day {name}, a quarter of it held against the rest, by turns",
            {
                key: round(sum(one[key] * n for one, n in zip(turns, sizes, strict=True)) / len(day), 2)
                for key in turns[0]
            },
        )


def _turn(one: Seen) -> int:
    return int(one.placed_at.timestamp()) // TURN_S % TURNS


def simulated(seed: int, *, starts: bool, places: int = PLACES, days: int = DAYS) -> list[Seen]:
    """Orders of some weeks at kitchens that say when something is ready, and with `starts` when it was begun."""
    random = Random(f"kitchens {seed}")
    return [one for number in range(places) for one in _kitchen(random, number, days, starts=starts)]


def _kitchen(random: Random, number: int, days: int, *, starts: bool) -> Iterator[Seen]:
    place = Place(
        id=UUID(int=number + 1), region=Region("town"), name=str(number), at=LatLon(41.15, -8.61), capacity=HANDS
    )
    slowness = exp(random.gauss(0.1, 0.3))
    free = [BEGINS] * HANDS
    heapify(free)
    waiting: list[tuple[Task, datetime, datetime]] = []
    for n, placed_at in enumerate(_placed(random, days)):
        declared_s = random.choice(MENU_MINUTES) * 60
        waiting = [one for one in waiting if one[2] > placed_at]
        task = Task(
            order_id=OrderId(UUID(int=n + 1)), preparation=Preparation(duration_s=declared_s), placed_at=placed_at
        )
        board = [_told(one, placed_at, starts=starts) for one in waiting] + [task]
        foretold = ready_times(place, board, placed_at)[task.order_id]
        begins = max(placed_at, free[0])
        rush = RUSH if RATES[placed_at.hour] > min(RATES.values()) else 1.0
        ready_at = begins + timedelta(seconds=declared_s * slowness * rush * exp(random.gauss(0.0, 0.25)))
        heapreplace(free, ready_at)
        yield Seen(
            place_id=place.id,
            at=place.at,
            placed_at=placed_at,
            n_before=len(waiting),
            took_s=(ready_at - placed_at).total_seconds(),
            foretold_s=(foretold - placed_at).total_seconds(),
        )
        waiting.append((task, begins, ready_at))


def _told(one: tuple[Task, datetime, datetime], now: datetime, *, starts: bool) -> Task:
    """The task as its place has it on the board."""
    task, begins, _ = one
    if not starts or begins > now:
        return task
    until_at = begins + timedelta(seconds=task.preparation.duration_s)
    return replace(task, state=TaskState.STARTED, started_at=begins, until_at=until_at)


def _placed(random: Random, days: int) -> Iterator[datetime]:
    for day in range(days):
        for hour, rate in sorted(RATES.items()):
            starts_at, after_s = BEGINS + timedelta(days=day, hours=hour), random.expovariate(rate / 3600)
            while after_s < 3600:
                yield starts_at + timedelta(seconds=after_s)
                after_s += random.expovariate(rate / 3600)


def of_kitchens(seeds: int) -> Iterator[tuple[str, dict[str, float]]]:
    """Two weeks held against the third, the mean of the seeds; a constant is of how long an order takes there."""
    until = BEGINS + timedelta(days=TAUGHT)
    for starts, says in ((False, "say only that it is ready"), (True, "say that it is begun, and ready")):
        rows = []
        for seed in range(seeds):
            seen = simulated(seed, starts=starts)
            taught, held = (
                [one for one in seen if (one.placed_at < until) == is_taught] for is_taught in (True, False)
            )
            bare = [[replace(one, foretold_s=0.0) for one in part] for part in (taught, held)]
            rows.append(
                {f"no recipes: {key}": value for key, value in errors(*bare).items()}
                | {f"recipes: {key}": value for key, value in errors(taught, held).items()}
            )
        yield f"simulated kitchens that {says}", {key: round(mean(row[key] for row in rows), 2) for key in rows[0]}


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, metavar="DIR")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result: dict[str, Any] = {}
    days = {folder.name: recorded(folder) for folder in find_days(options.folders)}
    for name, found in chain(of_days(days), of_kitchens(options.seeds)):
        result[name] = found
        print(f"{name}: {found}", file=sys.stderr, flush=True)
    if options.json:
        print(json.dumps({"mean_absolute_error_min": result, "seeds": options.seeds}, indent=1))


if __name__ == "__main__":
    main()
