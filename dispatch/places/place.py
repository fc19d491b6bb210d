"""A place, what it makes for an order, and rows to these and back; no I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from math import ceil
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from dispatch.orders.rows import Row, from_json
from dispatch.places.kitchen import Hours, Job, Kitchen, open_spans
from dispatch.stop import OrderId
from tracking.position import LatLon, Region
from tracking.watching.fence_rows import hours_of

LONGEST_S: Final = 86_400
"""No preparation is planned to take longer than a day, however much of something is ordered."""


class TaskState(StrEnum):
    """How far the place is with an order."""

    WAITING = "waiting"
    STARTED = "started"
    READY = "ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How something is made."""

    minutes: int
    batch: int = 1
    """So many pieces in one go."""
    shelf_life_minutes: int | None = None
    """It is good for so long once it is ready."""
    ahead_minutes: int | None = None
    """It may be made before it is ordered, and takes so long then; None: it is made for orders only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Something that an order is of."""

    item: str
    quantity: int = 1
    minutes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where orders are prepared and collected."""

    id: UUID
    region: Region
    name: str
    at: LatLon
    partner: str | None = None
    address: str | None = None
    contact: Mapping[str, str] | None = None
    instructions: str | None = None
    hours: tuple[Hours, ...] = ()
    """By the region's clock; none: it always works."""
    timezone: str = "UTC"
    capacity: int = 1
    prepare_s: int = 600
    recipes: Mapping[str, Recipe] = field(default_factory=dict)
    max_queue: int | None = None
    paused_until: datetime | None = None

    @property
    def ahead(self) -> dict[str, Recipe]:
        """What may be made before it is ordered."""
        return {item: recipe for item, recipe in self.recipes.items() if recipe.ahead_minutes is not None}

    @property
    def zone(self) -> ZoneInfo:
        """Of its clock."""
        return ZoneInfo(self.timezone)

    def today(self, now: datetime) -> date:
        """The day by its clock."""
        return now.astimezone(self.zone).date()

    def kitchen(self, now: datetime) -> Kitchen:
        """What it can do from now on."""
        return Kitchen(
            capacity=self.capacity,
            spans=open_spans(self.hours, self.timezone, now, paused_until=self.paused_until),
            batches={item: recipe.batch for item, recipe in self.recipes.items() if recipe.batch > 1},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """What it takes to make the lines of an order."""

    duration_s: int
    batch: str | None = None
    amount: int = 1
    shelf_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """An order at its place."""

    order_id: OrderId
    preparation: Preparation
    placed_at: datetime
    lines: tuple[Line, ...] = ()
    external_id: str | None = None
    courier_id: UUID | None = None
    opens_at: datetime | None = None
    """The order is not collected before."""
    closes_at: datetime | None = None
    """The order may not be collected after that."""
    asked_ready_at: datetime | None = None
    """When the order itself said that it is ready."""
    order_ready_at: datetime | None = None
    """When dispatch is told that it is ready."""
    is_estimate: bool = True
    """Of that: nobody has promised it."""
    state: TaskState = TaskState.WAITING
    not_before: datetime | None = None
    """The place says that it is not ready before."""
    until_at: datetime | None = None
    """What was begun is ready then."""
    started_at: datetime | None = None
    ready_at: datetime | None = None
    problem: str | None = None

    def is_made(self, now: datetime) -> bool:
        """Whether it is ready by the place's word, or by somebody else's who promised it."""
        is_promised = self.order_ready_at is not None and not self.is_estimate and self.order_ready_at <= now
        return self.state is TaskState.READY or (self.state is TaskState.WAITING and is_promised)

    def job(self, now: datetime, *, courier_at: datetime | None = None) -> Job:
        """The preparation as the place plans it; `courier_at`: when somebody comes for it, if that is known."""
        wanted = courier_at or self.order_ready_at or self.asked_ready_at or self.opens_at
        not_needed_before = [at for at in (self.opens_at, self.asked_ready_at, self.not_before) if at is not None]
        ready_s = max((_seconds(at, now) for at in not_needed_before), default=0)
        return Job(
            key=str(self.order_id),
            duration_s=self.preparation.duration_s,
            wanted_s=0 if wanted is None else max(0, _seconds(wanted, now)),
            latest_s=None if self.closes_at is None else _seconds(self.closes_at, now),
            shelf_s=self.preparation.shelf_s,
            earliest_s=max(0, ready_s - self.preparation.duration_s),
            batch=self.preparation.batch,
            amount=self.preparation.amount,
            until_s=None if self.until_at is None else _seconds(self.until_at, now),
        )


def _seconds(at: datetime, now: datetime) -> int:
    return round((at - now) / timedelta(seconds=1))


def preparation(lines: Sequence[Line], place: Place, made: Mapping[str, int] | None = None) -> Preparation:
    """
    What the lines take: they are made side by side, each in as many goes as it needs.

    What is of one thing only, and less than goes in at once, may be made together with other orders' of the same.
    `made`: so many pieces were made ahead, by item.
    """
    if not lines:
        return Preparation(duration_s=place.prepare_s)
    left = dict(made or {})
    durations, shelves = [], []
    for line in lines:
        recipe = place.recipes.get(line.item)
        batch = 1 if recipe is None else recipe.batch
        minutes = line.minutes if line.minutes is not None else None if recipe is None else recipe.minutes
        ahead = None if recipe is None else recipe.ahead_minutes
        taken = 0 if ahead is None else min(left.get(line.item, 0), line.quantity)
        if ahead is not None and taken:
            left[line.item] -= taken
            durations.append(ceil(taken / batch) * ahead * 60)
        durations.append(ceil((line.quantity - taken) / batch) * (place.prepare_s if minutes is None else minutes * 60))
        if recipe is not None and recipe.shelf_life_minutes is not None:
            shelves.append(recipe.shelf_life_minutes * 60)
    first = lines[0]
    recipe = place.recipes.get(first.item)
    is_shared = len(lines) == 1 and recipe is not None and first.quantity < recipe.batch
    is_shared = is_shared and not (made or {}).get(first.item)
    return Preparation(
        duration_s=min(max(durations), LONGEST_S),
        batch=first.item if is_shared else None,
        amount=first.quantity if is_shared else 1,
        shelf_s=min(shelves, default=None),
    )


def place_from_row(row: Row) -> Place:
    """A place from a row of `places` with the time zone of its region."""
    return Place(
        id=row["id"],
        region=row["region"],
        name=row["name"],
        at=LatLon(row["lat"], row["lon"]),
        partner=row["partner"],
        address=row["address"],
        contact=from_json(row["contact"]),
        instructions=row["instructions"],
        hours=hours_from(from_json(row["hours"])),
        timezone=row["timezone"],
        capacity=row["capacity"],
        prepare_s=row["prepare_s"],
        recipes={one["item"]: Recipe(**{n: one[n] for n in RECIPE if n in one}) for one in from_json(row["recipes"])},
        max_queue=row["max_queue"],
        paused_until=row["paused_until"],
    )


RECIPE: Final = ("minutes", "batch", "shelf_life_minutes", "ahead_minutes")


def hours_from(spans: Sequence[Mapping[str, Any]]) -> tuple[Hours, ...]:
    """From {"weekdays"?, "from", "to"}, as fences have them; raises ValueError."""
    found = [hours_of(span) for span in spans]
    return tuple(Hours(weekdays=one.weekdays, opens=one.from_minute, closes=one.to_minute) for one in found)


def task_from_row(row: Row) -> Task:
    """A task from a row of `place_tasks` with what its order says."""
    return Task(
        order_id=row["order_id"],
        preparation=Preparation(
            duration_s=row["duration_s"], batch=row["batch"], amount=row["amount"], shelf_s=row["shelf_s"]
        ),
        placed_at=row["placed_at"],
        lines=tuple(Line(**line) for line in from_json(row["lines"])),
        external_id=row["external_id"],
        courier_id=row["courier_id"],
        opens_at=row["pickup_opens_at"],
        closes_at=row["pickup_closes_at"],
        asked_ready_at=row["asked_ready_at"],
        order_ready_at=row["order_ready_at"],
        is_estimate=row["ready_is_estimate"],
        state=TaskState(row["state"]),
        not_before=row["not_before"],
        until_at=row["until_at"],
        started_at=row["started_at"],
        ready_at=row["ready_at"],
        problem=row["problem"],
    )
