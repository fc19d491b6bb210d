"""
What a place has made ahead, is making, and was asked for in the weeks before: rows as `ahead` takes them.

What is ready is goods of the place, whose stock is kept (dispatch/stock); here it is only read.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from dispatch.orders.rows import Row
from dispatch.places.ahead import LONGEST_S, LOOK_S, WEEKS, Left, Ordered, Want, left_of
from dispatch.places.place import Line, Place
from sql import queries

WEEK: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A go that is being made ahead; or that was skipped, and counts as made until it would be past its shelf life."""

    item: str
    amount: int
    started_at: datetime
    until_at: datetime
    good_until: datetime
    is_skipped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """What was ordered at a place in the weeks before, from the same time of the week on."""

    n_weeks: int = 0
    ordered: Mapping[str, Sequence[Ordered]]


async def begun_at(connection: Any, place: Place, now: datetime) -> list[Begun]:
    """The goes of a place. `connection` may be a pool."""
    rows = await connection.fetch(queries["place_ahead.of_place"], place.id, list(place.ahead), now)
    return [begun_from_row(row) for row in rows]


async def left_at(connection: Any, place: Place, items: Iterable[str], now: datetime) -> dict[str, tuple[Left, ...]]:
    """What the place has of goods that no order has taken and that are good, in seconds from now."""
    batches: dict[str, list[Left]] = defaultdict(list)
    reserved = {}
    for row in await connection.fetch(queries["place_ahead.left"], place.id, list(items), now):
        good_until = _good_until(row, place)
        reserved[row["item"]] = row["reserved"]
        if good_until is None or good_until > now:
            good_s = None if good_until is None else int((good_until - now).total_seconds())
            batches[row["item"]].append(Left(row["quantity"], good_s))
    return {item: left_of(some, reserved[item]) for item, some in batches.items()}


async def made_for(
    connection: Any, place: Place, lines: Iterable[Line], now: datetime, *, wanted_at: datetime | None
) -> dict[str, int]:
    """How many pieces that are made ahead an order may have, by item: those that are good when it is wanted."""
    items = {line.item for line in lines} & place.ahead.keys()
    if not items:
        return {}
    wanted_s = 0 if wanted_at is None else max(0, int((wanted_at - now).total_seconds()))
    found = await left_at(connection, place, items, now)
    return {
        item: sum(one.quantity for one in left if one.good_s is None or one.good_s >= wanted_s)
        for item, left in found.items()
    }


async def habits_of(connection: Any, place: Place, now: datetime) -> Habits:
    """What was ordered at the place of what it may make ahead, as long ahead of `now` as that may matter."""
    first_at = await connection.fetchval(queries["place_ahead.first_order"], place.id)
    local = now.astimezone(place.zone)
    # Arithmetic within one zone is that of the clock on the wall: lunch is at noon in summer and in winter.
    from_at = [local - n * WEEK for n in range(1, WEEKS + 1)]
    n_weeks = 0 if first_at is None else sum(first_at <= at for at in from_at)
    until = timedelta(seconds=LOOK_S + max(_kept_s(place), default=0))
    rows = await connection.fetch(
        queries["place_ahead.ordered"], place.id, list(place.ahead), from_at, [at + until for at in from_at]
    )
    ordered: dict[str, list[Ordered]] = defaultdict(list)
    for row in rows:
        ordered[row["item"]].append(Ordered(row["weeks_ago"], row["after_s"], int(row["quantity"])))
    return Habits(n_weeks=n_weeks, ordered=ordered)


def wants(
    place: Place, left: Mapping[str, Sequence[Left]], begun: Sequence[Begun], habits: Habits, now: datetime
) -> list[Want]:
    """What the place may make ahead, in seconds from now."""
    found = []
    for item, recipe in place.ahead.items():
        theirs = [one for one in begun if one.item == item]
        made = next((one for one in theirs if not one.is_skipped), None)
        there = [Left(one.amount, int((one.good_until - now).total_seconds())) for one in theirs]
        found.append(
            Want(
                item=item,
                duration_s=recipe.minutes * 60,
                batch=recipe.batch,
                shelf_s=(recipe.shelf_life_minutes or 0) * 60,
                ordered=habits.ordered.get(item, ()),
                n_weeks=habits.n_weeks,
                left=(*left.get(item, ()), *there),
                until_s=None if made is None else max(0, int((made.until_at - now).total_seconds())),
            )
        )
    return found


async def begin(connection: Any, place_id: UUID, go: Begun) -> Begun:
    """Write that a go is begun, or skipped; where one of the same is being made it is that one."""
    state = "skipped" if go.is_skipped else "started"
    values = (go.amount, go.started_at, go.until_at, go.good_until)
    row = await connection.fetchrow(queries["place_ahead.put"], place_id, go.item, state, *values)
    if row is None:
        row = await connection.fetchrow(queries["place_ahead.started"], place_id, go.item)
    return begun_from_row(row)


def begun_from_row(row: Row) -> Begun:
    """A go from a row of `place_ahead`."""
    names = ("item", "amount", "started_at", "until_at", "good_until")
    return Begun(**{name: row[name] for name in names}, is_skipped=row["state"] == "skipped")


def _kept_s(place: Place) -> list[int]:
    """How much longer than the look ahead each go may matter."""
    return [
        recipe.minutes * 60 + min((recipe.shelf_life_minutes or 0) * 60, LONGEST_S) for recipe in place.ahead.values()
    ]


def _good_until(row: Row, place: Place) -> datetime | None:
    """When a batch is past its time: after its last day at the latest."""
    if row["best_before"] is None or row["good_until"] is not None:
        until: datetime | None = row["good_until"]
        return until
    return datetime.combine(row["best_before"] + timedelta(days=1), time(), place.zone)
