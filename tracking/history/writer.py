"""
From the log to history, in large batches: the consumer group `history`.

An entry is acknowledged only after its fixes are committed, so a writer may die at any moment; whoever comes after it
stores the rest, and storing a fix twice changes nothing. Any number of writers may run.

Only what proves that the data is bad sets a fix aside: it cannot be unpacked, or PostgreSQL refuses this very fix for
what it is. It goes among the dead letters (`tracking.dead_letters`), from which a person brings it back. Whatever else
PostgreSQL says, however long it says it (read-only, a password that was changed, a column that is not there), the
writer waits, tries again, and acknowledges nothing.
"""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import Final, Protocol, TypeVar

from tracking import metrics, outages, tracing
from tracking.batch import PositionColumns
from tracking.dead_letters import DeadLetters, Letter
from tracking.history.lag import tell_lag
from tracking.lease import new_holder
from tracking.log import HISTORY, Entry, PositionLog
from tracking.parts import Part
from tracking.pause import pause
from tracking.position import Region
from tracking.quarantine import Quarantined

log = logging.getLogger(__name__)

AT_FULL_PACE: Final = 25
MOST_LINGER_S: Final = 1.0
MOST_TRIM_S: Final = 4.0
STARTING_S: Final = 60.0
"""After a common start the other readers have so long to come back."""

T = TypeVar("T")
QuarantineItem = tuple[str, int, Quarantined]
"""The entry it came in, its place there, and what it is."""


class Sink(Protocol):
    """Where fixes go: `tracking.history.History`."""

    async def insert_many(self, columns: PositionColumns, slot: str) -> int:
        """Store fixes, each once; returns how many were new."""
        ...


class QuarantineSink(Protocol):
    """Where the unusable goes: `tracking.quarantine.QuarantineStore`."""

    async def insert_many(self, items: Sequence[QuarantineItem]) -> None:
        """Keep items, each with its entry and its place there."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How the writer paces itself."""

    batch_fixes: int = 20_000
    """A batch is stored when it has so many fixes; it has no more, unless a single entry has..."""
    linger_s: float = 0.25
    """... or when its first entry has waited so long; longer where there are many regions (`at`)."""
    read_entries: int = 500
    block_ms: int = 1000
    claim_idle_ms: int = 6_000
    """An entry that a writer got and did not acknowledge for so long is taken over: that writer is dead."""
    claim_every_s: float = 2.0
    trim_every_s: float = 1.0
    look_every_s: float = 1.0
    """How soon it is noticed that a log has other parts to be read."""
    reader_absent_s: float = 3600.0
    """A reader of the log that has not read for so long loses its place, so that the log can be trimmed again."""
    regions_every_s: float = 15.0
    """How soon a new region is noticed."""
    backoff_s: float = 0.2
    backoff_at_most_s: float = 5.0

    def at(self, n_regions: int) -> "Pace":
        """
        Slower with more regions than AT_FULL_PACE: their batches are small, and what a batch costs is its number.

        Nothing waits longer than MOST_LINGER_S for its batch, and the log is looked after each MOST_TRIM_S.
        """
        slower = max(1.0, n_regions / AT_FULL_PACE)
        return replace(
            self,
            linger_s=max(self.linger_s, min(slower * self.linger_s, MOST_LINGER_S)),
            trim_every_s=max(self.trim_every_s, min(slower * self.trim_every_s, MOST_TRIM_S)),
        )


class Writer:
    """Moves entries of all regions; one lane per part of a region's log, so what is in it is stored in order."""

    def __init__(
        self,
        position_log: PositionLog,
        history: Sink,
        quarantine: QuarantineSink,
        letters: DeadLetters,
        regions: Callable[[], Awaitable[Sequence[Region]]],
        *,
        pace: Pace | None = None,
        group: str = HISTORY,
        n_parts: Callable[[], Awaitable[Mapping[Region, int]]] | None = None,
    ) -> None:
        """`regions`: lists the regions there are, now; `n_parts`: how many parts each log is to have."""
        self._log = position_log
        self._history = history
        self._quarantine = quarantine
        self._letters = letters
        self._regions = regions
        self._pace = self._full_pace = pace or Pace()
        self._group = group
        self._n_parts = n_parts
        self._entry_fixes = float(self._pace.batch_fixes)
        """How many fixes an entry has of late; so a read brings about a batch, not five hundred times a large one."""
        self._most: dict[Part, int] = {}
        """Fixes in the next batch of a part; fewer after one that was refused or took too long."""
        self._began_at = monotonic()
        self._consumer = new_holder()

    async def run(self, stop: asyncio.Event) -> None:
        """Write until `stop`; outages of Redis and PostgreSQL are waited out."""
        lanes: dict[Region, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as group:
            while not stop.is_set():
                regions = await self._until_done(self._regions, stop)
                self._pace = self._full_pace.at(len(regions or lanes))
                for region in regions or ():
                    if region not in lanes:
                        lanes[region] = group.create_task(self._region(region, stop), name=f"writer {region}")
                await pause(stop, self._pace.regions_every_s)

    async def _region(self, region: Region, stop: asyncio.Event) -> None:
        """Keep a lane for every part of a region's log that is to be read now."""
        ends: dict[Part, asyncio.Event] = {}
        async with asyncio.TaskGroup() as group:
            # On its own: while PostgreSQL is away nothing is stored, and just then the lag must be seen.
            group.create_task(self._look_after(region, stop), name=f"writer's log {region}")
            while not stop.is_set():
                due = await self._until_done(lambda: self._log.due(self._group, region), stop)
                if due is not None:
                    for part in ends.keys() - due:
                        ends.pop(part).set()
                    for part in due:
                        if part not in ends:
                            ends[part] = asyncio.Event()
                            group.create_task(self._lane(part, ends[part]), name=f"writer {part.name}")
                await pause(stop, self._pace.look_every_s)
            for end in ends.values():
                end.set()

    async def _look_after(self, region: Region, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self._until_done(lambda: self._tidy(region), stop)
            await pause(stop, self._pace.trim_every_s)

    async def _lane(self, part: Part, stop: asyncio.Event) -> None:
        await self._until_done(lambda: self._begin(part), stop)
        claimed_at = -1e9
        # The next batch is read while this one is stored; what is read and not stored stays pending for the next one.
        async with asyncio.TaskGroup() as group:
            ahead: asyncio.Task[list[Entry] | None] | None = None
            while not stop.is_set():
                entries: list[Entry] = []
                if monotonic() - claimed_at > self._pace.claim_every_s:
                    claimed_at = monotonic()
                    entries = await self._until_done(lambda: self._claim(part), stop) or []
                if not entries:
                    ahead = ahead or group.create_task(self._until_done(lambda: self._gather(part), stop))
                    entries, ahead = await ahead or [], None
                if entries:
                    ahead = ahead or group.create_task(self._until_done(lambda: self._gather(part), stop))
                    await self._store(part, entries, stop)
            if ahead is not None and (entries := await ahead or []):
                await self._store(part, entries, stop)

    async def _begin(self, part: Part) -> None:
        await self._log.ensure_group(self._group, part)
        await self._log.forget_consumers(self._group, part)

    async def _claim(self, part: Part) -> list[Entry]:
        return await self._log.claim(
            self._group,
            self._consumer,
            part,
            idle_ms=self._pace.claim_idle_ms,
            count=self._n_entries(),
        )

    def _n_entries(self) -> int:
        """Entries that make about a batch."""
        return max(1, min(self._pace.read_entries, int(self._pace.batch_fixes / max(self._entry_fixes, 1.0))))

    async def _gather(self, part: Part) -> list[Entry]:
        """Read until a batch is full or its first entry has waited long enough."""

        async def read(block_ms: int) -> list[Entry]:
            return await self._log.read(self._group, self._consumer, part, count=self._n_entries(), block_ms=block_ms)

        entries = await read(self._pace.block_ms)
        deadline = monotonic() + self._pace.linger_s
        n = sum(entry.n for entry in entries)
        while entries and n < self._pace.batch_fixes and (left_s := deadline - monotonic()) > 0.001:
            try:
                more = await read(max(1, int(left_s * 1000)))
            except outages.REDIS:
                break  # what was read is stored first; the next read meets the outage again
            if not more:
                break
            entries += more
            n += sum(entry.n for entry in more)
        if entries:
            self._entry_fixes = n / len(entries)
        return entries

    async def _store(self, part: Part, entries: list[Entry], stop: asyncio.Event) -> None:
        """
        Store, then acknowledge, in batches of bounded size.

        A batch that is refused or takes too long is tried smaller, one that went well is followed by a larger one: what
        is bad, or large, is soon alone and keeps nobody waiting. After `stop` each is tried once more.
        """
        good, poisoned = _sort_out(entries)
        for entry, why in poisoned:
            await self._set_aside(part, entry, [Letter.of_entry(entry, why)], stop)
        waiting = deque(good)
        while waiting:
            batch = self._next_batch(part, waiting)
            try:
                if not await self._store_together(part, batch, stop):
                    return
            except Exception as exc:  # noqa: BLE001 - told already; see _asks_for_less
                if len(batch) > 1:
                    waiting.extendleft(reversed(batch))
                    self._most[part] = max(1, sum(_size(entry) for entry, _ in batch) // 2)
                else:
                    await self._sift(part, *batch[0], exc, stop)
            else:
                self._most[part] = min(2 * self._most[part], self._pace.batch_fixes)

    def _next_batch(
        self, part: Part, waiting: deque[tuple[Entry, PositionColumns]]
    ) -> list[tuple[Entry, PositionColumns]]:
        most = self._most.setdefault(part, self._pace.batch_fixes)
        batch = [waiting.popleft()]
        n = _size(batch[0][0])
        while waiting and n + _size(waiting[0][0]) <= most:
            batch.append(waiting.popleft())
            n += _size(batch[-1][0])
        return batch

    async def _store_together(
        self, part: Part, batch: list[tuple[Entry, PositionColumns]], stop: asyncio.Event
    ) -> bool:
        """False when stopped in an outage. Raises what `_asks_for_less`; waits through everything else."""
        columns = PositionColumns.concat([rows for _, rows in batch])
        items = [item for entry, _ in batch for item in _quarantined(part, entry)]
        traces = [trace for entry, _ in batch for trace in entry.traces()]
        with tracing.going_on("store", traces, n=len(columns)):
            if not await self._keep(part, columns, items, stop):
                return False
        ids = [entry.id for entry, _ in batch]
        await self._until_done(lambda: self._log.ack(self._group, part, ids), stop)
        return True

    async def _keep(
        self, part: Part, columns: PositionColumns, items: Sequence[QuarantineItem], stop: asyncio.Event
    ) -> bool:
        """False when stopped in an outage: not to be acknowledged, so that somebody stores it later."""

        async def store() -> int:
            began = monotonic()
            try:
                if items:
                    await self._quarantine.insert_many(items)
                # All parts of a region take turns: a courier may be in another one after a change.
                return await self._history.insert_many(columns, part.region) if len(columns) else 0
            finally:
                metrics.STORE_SECONDS.observe(monotonic() - began, tracing.exemplar())

        n_stored = await self._until_done(store, stop, unless=_asks_for_less)
        if n_stored is None:
            return False
        metrics.FIXES_STORED.inc(n_stored)
        metrics.FIXES_DUPLICATE.inc(len(columns) - n_stored)
        return True

    async def _sift(
        self, part: Part, entry: Entry, columns: PositionColumns, problem: Exception, stop: asyncio.Event
    ) -> None:
        """Store what can be stored of a single entry, by halves; what cannot, fix by fix, is set aside."""
        letters: list[Letter] = []
        pieces = [_Piece(columns, _quarantined(part, entry), problem)]
        while pieces:
            piece = pieces.pop()
            if piece.problem is None:
                try:
                    if not await self._keep(part, piece.fixes, piece.items, stop):
                        return
                except Exception as exc:  # noqa: BLE001 - told already; see _asks_for_less
                    piece = replace(piece, problem=exc)
                else:
                    continue
            assert piece.problem is not None
            if len(piece) > 1:
                pieces += piece.halves()
            elif isinstance(
                piece.problem, outages.SLOW
            ):  # a single fix is never too much: it is the server that is slow
                if await pause(stop, self._pace.backoff_at_most_s):
                    return
                pieces.append(replace(piece, problem=None))
            else:
                letters.append(Letter.of(piece.fixes, [item for *_, item in piece.items], outages.words(piece.problem)))
        await self._set_aside(part, entry, letters, stop)

    async def _set_aside(self, part: Part, entry: Entry, letters: Sequence[Letter], stop: asyncio.Event) -> None:
        """Put these among the dead letters and acknowledge the entry; done with it."""
        for letter in letters:
            metrics.LETTERS.inc()
            log.error(
                "set aside",
                extra={
                    "event": "set_aside",
                    "region": part.region,
                    "entry": entry.id,
                    "n": letter.n,
                    "why": letter.why,
                },
            )
        await self._until_done(lambda: self._letters.put(self._group, part, entry.id, letters), stop)

    async def _tidy(self, region: Region) -> None:
        await tell_lag(self._log, self._letters, region)
        absent_s = self._pace.reader_absent_s
        if monotonic() - self._began_at > min(absent_s, STARTING_S):
            for reader in await self._log.let_go_of_absent(region, keep=self._group, absent_s=absent_s):
                metrics.READERS_LOST.labels(reader).inc()
                log.error(
                    "a reader of the log has lost its place",
                    extra={"event": "reader_lost", "region": region, "group": reader, "absent_s": absent_s},
                )
        await self._log.trim(region)
        if self._n_parts is not None and (n := (await self._n_parts()).get(region)) is not None:
            await self._log.part(region, n)

    async def _until_done(
        self,
        act: Callable[[], Awaitable[T]],
        stop: asyncio.Event,
        *,
        unless: Callable[[Exception], bool] = lambda _: False,
    ) -> T | None:
        """Its result, trying again with growing pauses whatever it raises, `unless` that; None when stopped."""
        wait_s = self._pace.backoff_s
        while True:
            try:
                return await act()
            except Exception as exc:
                is_ours = not isinstance(exc, outages.DATA)  # those are told when they are set aside
                if is_ours:
                    outages.tell(log, "not written", exc, event="writer_outage", again_in_s=wait_s)
                if unless(exc):
                    raise
            if await pause(stop, wait_s * random.uniform(0.7, 1.3)):  # noqa: S311 - spreads retries, guards nothing
                return None
            wait_s = min(2 * wait_s, self._pace.backoff_at_most_s)


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some of an entry, and what storing it ended with; None: not tried yet."""

    fixes: PositionColumns
    items: Sequence[QuarantineItem]
    problem: Exception | None = None

    def __len__(self) -> int:
        return len(self.fixes) + len(self.items)

    def halves(self) -> list["_Piece"]:
        """Fixes and quarantine apart, else the first half and the second."""
        n_fixes, n_items = len(self.fixes), len(self.items)
        if n_fixes and n_items:
            return [_Piece(self.fixes, ()), _Piece(PositionColumns.empty(), self.items)]
        half, item = (n_fixes + 1) // 2, (n_items + 1) // 2
        return [
            _Piece(self.fixes.take(slice(0, half)), self.items[:item]),
            _Piece(self.fixes.take(slice(half, n_fixes)), self.items[item:]),
        ]


def _asks_for_less(exc: Exception) -> bool:
    """
    Whether smaller batches would help: the data is at fault, or there is too much of it.

    What no driver raises is a defect that some value has found: it must not hold up the others either.
    """
    return isinstance(exc, (*outages.SLOW, *outages.DATA)) or not isinstance(exc, outages.DRIVERS)


def _size(entry: Entry) -> int:
    return max(entry.n, 1)


def _quarantined(part: Part, entry: Entry) -> list[QuarantineItem]:
    return [(f"{part.name}/{entry.id}", place, item) for place, item in enumerate(entry.quarantined())]


def _sort_out(entries: Sequence[Entry]) -> tuple[list[tuple[Entry, PositionColumns]], list[tuple[Entry, str]]]:
    """Entries that can be unpacked, and those that cannot, with the reason."""
    good, poisoned = [], []
    for entry in entries:
        try:
            columns = entry.columns()
            entry.quarantined()
        except Exception as exc:  # noqa: BLE001 - whatever unpacking raises, these bytes are at fault
            poisoned.append((entry, outages.words(exc)))
        else:
            good.append((entry, columns))
    return good, poisoned
