"""
What a place may make before it is ordered: as much as is nearly surely asked for, by hands that no order needs; no I/O.

`expected` says how much, from what was ordered at the same time of the same weekday in the weeks before. `goes` says
when: into what the orders, whose slots stand by then, leave of the place's hours and capacity. It moves no order.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Final, NamedTuple

from dispatch.places.kitchen import Job, Kitchen, Slot
from dispatch.places.slots import Timetable

WEEKS: Final = 8
"""So many weeks are looked at."""
LEAST_WEEKS: Final = 4
"""Of a place that is known for less than that nothing is foretold."""
HALF_LIFE_WEEKS: Final = 4.0
QUANTILE: Final = 0.2
"""So much is made as was not reached in this share of the weeks: with 0.4 twice as much of it is thrown away."""
LOOK_S: Final = 4 * 3600
"""What is wanted later than that is thought of later."""
STEP_S: Final = 900
LONGEST_S: Final = 86_400
"""What keeps longer is made for a day at most."""


class Ordered(NamedTuple):
    """What was ordered of something in a week before."""

    weeks_ago: int
    """From 1 to `WEEKS`."""
    after_s: int
    """So long after the same time of that week it was wanted."""
    quantity: int


class Left(NamedTuple):
    """What there is of something, or will be, that no order has taken."""

    quantity: int
    good_s: int | None
    """For so long from now; None: there is no bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """Something that may be made ahead."""

    item: str
    duration_s: int
    """Of one go."""
    batch: int
    """So many pieces at most."""
    shelf_s: int
    """It is good for so long once it is ready."""
    ordered: Sequence[Ordered] = ()
    n_weeks: int = 0
    """For so many weeks the place is known."""
    left: Sequence[Left] = ()
    until_s: int | None = None
    """A go of it is being made, and ready then; what that makes is among `left`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Go:
    """A go that is made ahead."""

    item: str
    amount: int
    slot: Slot
    wanted_s: int
    """When there will be too little of it without."""


def expected(want: Want, from_s: int, to_s: int) -> int:
    """So many pieces are ordered from then to then, in seconds from now; in `QUANTILE` of the weeks it was no more."""
    n_weeks = min(want.n_weeks, WEEKS)
    if n_weeks < LEAST_WEEKS:
        return 0
    sums = dict.fromkeys(range(1, n_weeks + 1), 0)
    for one in want.ordered:
        if from_s <= one.after_s < to_s and one.weeks_ago in sums:
            sums[one.weeks_ago] += one.quantity
    weighted = sorted((quantity, 0.5 ** (week / HALF_LIFE_WEEKS)) for week, quantity in sums.items())
    left = QUANTILE * sum(weight for _, weight in weighted)
    for quantity, weight in weighted:
        left -= weight
        if left <= 0:
            return quantity
    return weighted[-1][0]


def left_at(want: Want, at_s: int) -> int:
    """How many pieces that nobody has taken are still good then."""
    return sum(one.quantity for one in want.left if one.good_s is None or one.good_s >= at_s)


def left_of(batches: Iterable[Left], reserved: int) -> tuple[Left, ...]:
    """What is left of batches: what orders have taken comes out of what is past its time first."""
    left = []
    for batch in sorted(batches, key=lambda one: inf if one.good_s is None else one.good_s):
        taken = min(reserved, batch.quantity)
        reserved -= taken
        if batch.quantity > taken:
            left.append(Left(batch.quantity - taken, batch.good_s))
    return tuple(left)


def goes(wants: Sequence[Want], jobs: Sequence[Job], table: Timetable, kitchen: Kitchen) -> list[Go]:
    """
    The next go of each that is worth one, what is wanted first at the front.

    `table`: the slots of the orders' `jobs`. A go is begun at most half its shelf life, and the time that it takes,
    before it is wanted; half a go at least.
    """
    taken = [*_taken(jobs, table, kitchen), *((0, one.until_s) for one in wants if one.until_s is not None)]
    found = []
    due = {one.item: _wanted_s(one) for one in wants if one.until_s is None}
    for want in sorted(wants, key=lambda one: (due.get(one.item) or 0, one.item)):
        wanted_s = due.get(want.item)
        if wanted_s is None:
            continue
        from_s = max(0, wanted_s - want.duration_s - want.shelf_s // 2)
        starts_s = _first_free(from_s, want.duration_s, taken, kitchen)
        if starts_s is None or starts_s > LOOK_S:
            continue
        amount = worth(want, starts_s + want.duration_s)
        if 2 * amount >= want.batch and amount > 0:
            slot = Slot(starts_s, starts_s + want.duration_s)
            taken.append((slot.starts_s, slot.ends_s))
            found.append(Go(item=want.item, amount=amount, slot=slot, wanted_s=max(wanted_s, slot.ends_s)))
    return found


def worth(want: Want, ends_s: int) -> int:
    """How many pieces to make in a go that ends then: all of them are expected to be ordered while they are good."""
    past_s = ends_s + min(want.shelf_s, LONGEST_S)
    there = left_at(want, ends_s)
    return max(0, min(want.batch, expected(want, 0, past_s) - there, expected(want, ends_s, past_s)))


def _wanted_s(want: Want) -> int | None:
    """When more will have been ordered than there is, within the time that is looked at."""
    return next(
        (at_s for at_s in range(0, LOOK_S, STEP_S) if expected(want, 0, at_s + STEP_S) > left_at(want, at_s)), None
    )


def _taken(jobs: Sequence[Job], table: Timetable, kitchen: Kitchen) -> list[tuple[int, int]]:
    """When a hand of the place is taken by orders; those of one go share it."""
    taken: list[tuple[int, int]] = []
    shared: dict[tuple[str | None, Slot], int] = defaultdict(int)
    for job in jobs:
        slot = table.slots.get(job.key)
        if slot is None:
            continue
        fits = 1 if job.batch is None or job.has_begun else kitchen.batches.get(job.batch, 1)
        if job.amount < fits:
            shared[job.batch, slot] += job.amount
        else:
            taken.append((slot.starts_s, slot.ends_s))
    for (batch, slot), amount in shared.items():
        taken += [(slot.starts_s, slot.ends_s)] * -(-amount // kitchen.batches[batch or ""])
    return taken


def _first_free(from_s: int, duration_s: int, taken: Sequence[tuple[int, int]], kitchen: Kitchen) -> int | None:
    """The first time from then on at which a hand is free for so long, within the hours."""
    for starts_s in sorted({from_s, *(ends for _, ends in taken), *(opens for opens, _ in kitchen.spans)}):
        ends_s = starts_s + duration_s
        is_open = any(opens <= starts_s and ends_s <= closes for opens, closes in kitchen.spans)
        if starts_s >= from_s and is_open and _most(starts_s, ends_s, taken) < kitchen.capacity:
            return starts_s
    return None


def _most(starts_s: int, ends_s: int, taken: Sequence[tuple[int, int]]) -> int:
    """How many hands are taken at once, at the most, between then and then."""
    edges = [starts_s, *(starts for starts, _ in taken if starts_s < starts < ends_s)]
    return max(sum(starts <= at < ends for starts, ends in taken) for at in edges)
