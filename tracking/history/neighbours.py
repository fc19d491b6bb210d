"""
Marks of fixes by their neighbours in time, for a batch that joins what is stored already; pure.

`tracking.quality.jump_marks` judges a fix by the N_WITNESSES fixes before and after it. A batch therefore needs, around
each stretch of its fixes, twice as many stored fixes as context: the inner half may change its marks, the outer half
only testifies. What comes out depends on the set of fixes alone, not on how they were cut into batches.
"""

from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

import numpy as np
import numpy.typing as npt

from tracking.batch import Int8s, Int64s, PositionColumns
from tracking.position import Mark
from tracking.quality import N_WITNESSES, Limits, jump_marks

N_CONTEXT: Final = 2 * N_WITNESSES
"""Stored fixes needed on either side of a stretch of new ones."""
SECOND_US: Final = 1_000_000
NEVER_US: Final = np.iinfo(np.int64).min
MOST_HEADS: Final = 500_000
"""Couriers remembered by one writer, some 150 MB; when there are more, all are forgotten and looked up again."""

_HEAD: Final = np.dtype([("us", "<i8"), ("lat_e7", "<i4"), ("lon_e7", "<i4"), ("accuracy_dm", "<i2"), ("marks", "<i1")])
Ints = npt.NDArray[np.integer]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of a courier's time in which a batch has fixes; spans of a courier lie more than `reach` apart."""

    courier_id: UUID
    first_us: int
    last_us: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Changes:
    """What storing a batch means for the table."""

    new: PositionColumns
    """Rows to insert, with their marks."""
    replaced: PositionColumns
    """Rows that are a better version of a stored one for the same instant."""
    remarked: PositionColumns
    """Stored rows whose marks are others now; the other columns may be unknown here."""


def reach_us(limits: Limits) -> int:
    """How far from a new fix a stored one can matter, microseconds: its neighbours' witnesses."""
    return int(2 * limits.witness_s * SECOND_US)


def distinct(columns: PositionColumns) -> PositionColumns:
    """
    Sorted by courier and fix time, one row per instant.

    Of several rows for one instant the same one wins in whatever order they come: the order of `_preference`.
    """
    order = np.lexsort((columns.fixed_us, columns.courier))
    rows = columns.take(order)
    first = _firsts(rows)
    if first.all():
        return rows
    rows = columns.take(np.lexsort((*_preference(columns)[::-1], columns.fixed_us, columns.courier)))
    return rows.take(first)


def _firsts(rows: PositionColumns) -> Bools:
    """Of sorted rows, the first one of every instant of a courier."""
    firsts: Bools = np.r_[True, (np.diff(rows.courier) != 0) | (np.diff(rows.fixed_us) != 0)][: len(rows)]
    return firsts


def delays_s(columns: PositionColumns) -> Int64s:
    """Whole seconds from fix to receipt, as the table keeps them."""
    delays: Int64s = (columns.received_us - columns.fixed_us) // SECOND_US
    return np.clip(delays, -(2**31), 2**31 - 1)


def spans(rows: PositionColumns, limits: Limits) -> list[Span]:
    """Where `rows` (distinct, sorted) lie in time, courier by courier."""
    if not len(rows):
        return []
    cut = (np.diff(rows.courier) != 0) | (np.diff(rows.fixed_us) > reach_us(limits))
    starts = np.flatnonzero(np.r_[True, cut])
    ends = np.r_[starts[1:], len(rows)] - 1
    return [
        Span(
            courier_id=rows.courier_ids[rows.courier[start]],
            first_us=int(rows.fixed_us[start]),
            last_us=int(rows.fixed_us[end]),
        )
        for start, end in zip(starts, ends, strict=True)
    ]


def merge(batch: PositionColumns, stored: PositionColumns, limits: Limits) -> Changes:
    """
    What to insert and what to rewrite so that `batch` (distinct) and the table make one set of fixes.

    `stored`: for every span of the batch, all rows inside it and, within `reach_us`, the N_CONTEXT rows before and
    after it that are not poor; a row may occur for two spans.
    """
    both = PositionColumns.concat([batch, stored])
    is_stored = np.r_[np.zeros(len(batch), dtype=bool), np.ones(len(stored), dtype=bool)]
    order = np.lexsort((both.fixed_us, both.courier))
    first = _firsts(both.take(order))
    if not first.all():
        # The stored row comes first among equals, so that an equal newcomer is dropped.
        order = np.lexsort((~is_stored, *_preference(both)[::-1], both.fixed_us, both.courier))
    rows, is_stored = both.take(order), is_stored[order]
    instant = np.cumsum(first) - 1
    n = int(instant[-1]) + 1 if len(rows) else 0
    known = np.zeros(n, dtype=bool)
    known[instant[is_stored]] = True
    old_marks = np.zeros(n, dtype=np.int8)
    old_marks[instant[is_stored]] = rows.marks[is_stored]
    best, taken_from_table = rows.take(first), is_stored[first]
    marks = _marks(best, limits)
    # Only neighbours within the witnesses' reach of a newcomer may change; farther ones lack their own context here.
    touched = ~taken_from_table
    marks = np.where(touched | _near(best, touched, limits), marks, old_marks)
    best = replace(best, marks=marks)
    return Changes(
        new=best.take(~known),
        replaced=best.take(known & touched),
        remarked=best.take(known & ~touched & (marks != old_marks)),
    )


def _marks(rows: PositionColumns, limits: Limits) -> Int8s:
    """Marks of sorted, distinct rows by one another; POOR_ACCURACY is taken over, such rows testify about nothing."""
    poor = (rows.marks & Mark.POOR_ACCURACY) != 0
    good = ~poor
    marks = np.where(poor, Mark.POOR_ACCURACY, 0).astype(np.int8)
    accuracy = rows.accuracy_dm[good]
    jumps = jump_marks(
        courier=rows.courier[good],
        fixed_s=rows.fixed_us[good] / SECOND_US,
        lat=rows.lat_e7[good] / 1e7,
        lon=rows.lon_e7[good] / 1e7,
        accuracy_m=np.where(accuracy < 0, np.nan, accuracy / 10),
        limits=limits,
    )
    marks[good] = np.where(jumps, Mark.JUMP, 0)
    return marks


def _near(rows: PositionColumns, touched: Bools, limits: Limits) -> Bools:
    """Rows that have a touched one among their witnesses; poor rows are nobody's witnesses."""
    good = np.flatnonzero((rows.marks & Mark.POOR_ACCURACY) == 0)
    us, courier, hit = rows.fixed_us[good], rows.courier[good], touched[good]
    found = np.zeros(len(good), dtype=bool)
    witness_us = int(limits.witness_s * SECOND_US)
    for step in range(1, N_WITNESSES + 1):
        close = (courier[step:] == courier[:-step]) & (us[step:] - us[:-step] <= witness_us)
        found[step:] |= close & hit[:-step]
        found[:-step] |= close & hit[step:]
    near = np.zeros(len(rows), dtype=bool)
    near[good] = found
    return near


def _preference(columns: PositionColumns) -> tuple[Ints, ...]:
    """
    Sort keys, first one first: which of two rows for one instant is kept is the one that sorts first.

    A known and small radius wins; the rest only makes the choice the same for every order of arrival.
    """
    unknown_last = np.where(columns.accuracy_dm < 0, 2**15, columns.accuracy_dm.astype(np.int32))
    return (
        (columns.marks & Mark.POOR_ACCURACY).astype(np.int8),
        unknown_last,
        columns.lat_e7,
        columns.lon_e7,
        -columns.speed_cmps.astype(np.int32),
        -columns.course_ddeg.astype(np.int32),
        -columns.altitude_m.astype(np.int32),
        -columns.battery_pct.astype(np.int32),
        -columns.mode.astype(np.int32),
        delays_s(columns),
    )


class Heads:
    """
    What one writer remembers of each courier: the latest instant, and the last N_CONTEXT fixes that are not poor.

    With it a batch that continues every track needs no look at the table. Valid only while nobody else stores; whoever
    finds that somebody did forgets everything.
    """

    def __init__(self, *, most: int = MOST_HEADS) -> None:
        """`most`: couriers remembered, unless a single batch has more."""
        self._most = most
        self.forget()

    def forget(self) -> None:
        """Know nothing about anybody."""
        # Keyed by the number: hashing a UUID costs ten times as much, and this is asked for every courier of a batch.
        self._places: dict[int, int] = {}
        self._asked: tuple[tuple[UUID, ...], Int64s] | None = None
        self._free: list[int] = []
        """Rows of `_last_us` and `_recent` that belong to nobody."""
        self._last_us = np.empty(0, dtype=np.int64)
        self._recent = np.empty((0, N_CONTEXT), dtype=_HEAD)

    def missing(self, courier_ids: tuple[UUID, ...]) -> list[int]:
        """
        Places in `courier_ids` of those not remembered: to be learnt before anything else is asked.

        Where there is no room for them, everybody is forgotten, and all of `courier_ids` are missing.
        """
        missing = [i for i, courier_id in enumerate(courier_ids) if courier_id.int not in self._places]
        if missing and len(self._places) + len(missing) > self._most:
            self.forget()
            return list(range(len(courier_ids)))
        return missing

    def learn(self, courier_ids: list[UUID], last_us: list[int], recent: PositionColumns) -> None:
        """
        Remember couriers.

        `last_us`: no row of the courier is later than this; `recent`: their last fixes that are not poor, N_CONTEXT
        each or all that lie within reach of the batch to come, sorted by courier and time.
        """
        self._asked = None
        places = self._rows_for(len(courier_ids))
        self._places.update(zip((courier_id.int for courier_id in courier_ids), places.tolist(), strict=True))
        self._last_us[places] = last_us
        self._recent["us"][places] = NEVER_US
        if len(recent):
            self._keep_last(recent, self._at(recent.courier_ids))

    def drop(self, courier_ids: set[UUID]) -> None:
        """Look these up again next time."""
        self._asked = None
        for courier_id in courier_ids:
            place = self._places.pop(courier_id.int, None)
            if place is not None:
                self._free.append(place)

    def _rows_for(self, n: int) -> Int64s:
        """Rows nobody has: dropped couriers' first, then new ones, as many again as there are."""
        if n > len(self._free):
            held = len(self._last_us)
            more = max(n - len(self._free), held, 64)
            self._last_us = np.r_[self._last_us, np.zeros(more, dtype=np.int64)]
            self._recent = np.concatenate([self._recent, np.zeros((more, N_CONTEXT), dtype=_HEAD)])
            self._free.extend(range(held, held + more))
        taken, self._free = self._free[:n], self._free[n:]
        return np.array(taken, dtype=np.int64)

    def is_late(self, rows: PositionColumns) -> Bools:
        """
        Per row: it does not come after everything stored of its courier.

        Raises LookupError where one is not remembered: -1 would be somebody else's row.
        """
        places = self._at(rows.courier_ids)[rows.courier]
        if len(places) and places.min() < 0:
            raise LookupError("expected every courier of the batch to be remembered")
        late: Bools = rows.fixed_us <= self._last_us[places]
        return late

    def context(self, rows: PositionColumns) -> PositionColumns:
        """The remembered fixes of the couriers of `rows`: all that `merge` needs when none of them is late."""
        used = np.unique(rows.courier)
        recent = self._recent[self._at(rows.courier_ids)[used]]
        held = recent["us"] != NEVER_US
        kept = recent[held]
        empty = PositionColumns.empty()
        n = len(kept)
        unknown = {
            name: np.full(n, -1, dtype=getattr(empty, name).dtype)
            for name in ("speed_cmps", "course_ddeg", "altitude_m", "battery_pct", "mode")
        }
        return PositionColumns(
            courier_ids=rows.courier_ids,
            courier=np.repeat(used, N_CONTEXT).reshape(held.shape)[held].astype("<i4"),
            fixed_us=kept["us"],
            received_us=kept["us"],
            lat_e7=kept["lat_e7"],
            lon_e7=kept["lon_e7"],
            accuracy_dm=kept["accuracy_dm"],
            marks=kept["marks"],
            **unknown,
        )

    def follow(self, context: PositionColumns, changes: Changes) -> None:
        """Take over what was stored after `context`, in order."""
        new = changes.new
        if not len(new):
            return
        places = self._at(new.courier_ids)
        np.maximum.at(self._last_us, places[new.courier], new.fixed_us)
        rows = PositionColumns.concat([_remarked(context, changes.remarked), new])
        good = rows.take((rows.marks & Mark.POOR_ACCURACY) == 0)
        if len(good):
            self._keep_last(good.take(np.lexsort((good.fixed_us, good.courier))), self._at(good.courier_ids))

    def _keep_last(self, rows: PositionColumns, places: Ints) -> None:
        """Put the last N_CONTEXT rows of each courier into its place; `rows` sorted by courier and time."""
        ends = np.flatnonzero(np.r_[np.diff(rows.courier) != 0, True])
        starts = np.r_[0, ends[:-1] + 1]
        place = places[rows.courier[ends]]
        for back in range(N_CONTEXT):
            source = ends - back
            has = source >= starts
            column = N_CONTEXT - 1 - back
            target = self._recent[:, column]
            picked = source[has]
            target["us"][place[~has]] = NEVER_US
            for name in ("lat_e7", "lon_e7", "accuracy_dm", "marks"):
                target[name][place[has]] = getattr(rows, name)[picked]
            target["us"][place[has]] = rows.fixed_us[picked]

    def _at(self, courier_ids: tuple[UUID, ...]) -> Int64s:
        """The places of couriers; -1 for one not remembered."""
        if self._asked is None or self._asked[0] is not courier_ids:
            places = [self._places.get(courier_id.int, -1) for courier_id in courier_ids]
            self._asked = (courier_ids, np.array(places, dtype=np.int64))
        return self._asked[1]


def _remarked(rows: PositionColumns, remarked: PositionColumns) -> PositionColumns:
    """`rows` with the marks of `remarked` where the two are the same fix."""
    if not len(remarked):
        return rows
    new = {
        (remarked.courier_ids[courier], us): mark
        for courier, us, mark in zip(remarked.courier, remarked.fixed_us.tolist(), remarked.marks, strict=True)
    }
    marks = rows.marks.copy()
    for i in np.flatnonzero(np.isin(rows.fixed_us, remarked.fixed_us)):
        marks[i] = new.get((rows.courier_ids[rows.courier[i]], int(rows.fixed_us[i])), marks[i])
    return replace(rows, marks=marks)
