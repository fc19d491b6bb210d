"""
Where couriers are, to other systems that asked for it: from the position log, a reader's group for each of them.

    log ──group of a receiver──▶ newest of each courier ──its way──▶ receiver; then acknowledged in the log

A receiver that hangs or fails is left alone for a while and keeps nobody else waiting: it gets what is newest when it
is back. Until then the log is held back for it for a minute at most; what is older lies in memory, as the newest
position of each courier, and who takes over begins with where everybody is. So none stays unheard of, whoever dies.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Final, TypeVar
from uuid import UUID

import asyncpg
from prometheus_client import Counter
from redis.asyncio import Redis

from app.gateway import pace
from app.gateway.positions import Newest, letter_of
from app.gateway.ways import Letter, Outcome, Row, Way
from sql import queries
from tracking import outages
from tracking.lanes import LaneParams, Lanes
from tracking.lease import Lease
from tracking.live import LivePositions
from tracking.log import OUT, Entry, PositionLog
from tracking.parts import Part
from tracking.pause import pause, rest
from tracking.position import Position, Region

log = logging.getLogger(__name__)

Item = TypeVar("Item")

SENT: Final = Counter(
    "postrider_positions_sent_total",
    "Positions of couriers for other systems, by what became of each.",
    ["way", "outcome"],
)

LOOK_EVERY_S: Final = 2.0
"""How soon a new receiver is noticed."""
READ_EVERY_S: Final = 0.5
READ_ENTRIES: Final = 200
READS: Final = 50
"""In one turn; what is left is read in the next one."""
HOLD_S: Final = 60.0
WEBHOOK: Final = "webhook"


@dataclass(slots=True)
class _Receiver:
    """One of a region's, and what it has not got."""

    target: Row
    newest: Newest = field(default_factory=Newest)
    parts: list[Part] = field(default_factory=list)
    """Of the log, those before its last change as well."""
    read: list[tuple[Part, str]] = field(default_factory=list)
    """Entries of the log that are not acknowledged."""
    held_since: float = 0.0
    """Monotonic, as the others are."""
    sent_at: float = float("-inf")
    rests_until: float = float("-inf")
    n_failures: int = 0

    @property
    def group(self) -> str:
        """Of the log's readers."""
        return f"{OUT}{self.target['id']}"

    def is_due(self, now: float) -> bool:
        """Whether it is to be told something now."""
        return now >= self.rests_until and now >= self.sent_at + self.target["position_every_s"]


class Forwarding:
    """One per process; several share the regions out."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        redis: Redis,
        ways: Mapping[str, Way],
        regions: Callable[[], Awaitable[Iterable[Region]]],
        *,
        hold_s: float = HOLD_S,
        lanes: LaneParams | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`ways`: nobody else's, by kind; `hold_s`: so long the log is held back for a receiver."""
        self._pool = pool
        self._log = PositionLog(redis)
        self._live = LivePositions(redis)
        self._ways = ways
        self._turns = {kind: asyncio.Lock() for kind in ways if kind != WEBHOOK}
        """A broker's connection is one for all regions; webhooks have their own."""
        self._hold_s = hold_s
        self._now = now
        self._chance = chance
        self._lanes = Lanes(pool, job="positions out", regions=regions, work=self._serve, params=lanes or LaneParams())

    async def run(self, stop: asyncio.Event) -> None:
        """Forward until `stop`."""
        await self._lanes.run(stop)

    async def _serve(self, lease: Lease, stop: asyncio.Event) -> None:
        """Everybody who wants the positions of a region, each by a task of its own."""
        region = lease.region
        serving: dict[UUID, tuple[_Receiver, asyncio.Task[None]]] = {}
        try:
            while not stop.is_set():
                rows = await self._pool.fetch(queries["event_targets.for_positions"], region, list(self._ways))
                targets = {row["id"]: row for row in rows}
                for target_id in serving.keys() - targets.keys():
                    await _end([serving.pop(target_id)[1]])
                for target_id, target in targets.items():
                    if target_id in serving and not serving[target_id][1].done():
                        serving[target_id][0].target = target
                        continue
                    receiver = _Receiver(target)
                    task = asyncio.create_task(self._feed(region, receiver), name=f"positions to {target_id}")
                    serving[target_id] = receiver, task
                await self._log.keep_only(region, OUT, {receiver.group for receiver, _ in serving.values()})
                await pause(stop, LOOK_EVERY_S)
        finally:
            await _end([task for _, task in serving.values()])

    async def _feed(self, region: Region, receiver: _Receiver) -> None:
        """Keep one receiver up to date until cancelled, whatever happens."""
        is_new = True
        while True:
            began = monotonic()
            try:
                if is_new:
                    await self._begin(region, receiver)
                    is_new = False
                await self._read(region, receiver)
                if receiver.is_due(began):
                    self._note(receiver, began, is_well=await self._send(region, receiver))
                if not receiver.newest or began - receiver.held_since > self._hold_s:
                    await self._let_go(receiver)
            except outages.DRIVERS as exc:
                outages.tell(log, "positions not sent", exc, event="positions_not_sent", region=region)
            except Exception:
                facts = {"event": "positions_not_sent", "region": region, "target": str(receiver.target["id"])}
                log.exception("positions not sent", extra=facts)
            await rest(READ_EVERY_S)

    async def _begin(self, region: Region, receiver: _Receiver) -> None:
        """Where everybody is, and what whoever fed it before us read and did not acknowledge."""
        receiver.parts = (await self._log.layout(region)).all(region)
        for part in receiver.parts:
            await self._log.ensure_group(receiver.group, part)
        live = await self._live.all(region)
        self._add(receiver, [one.position for one in live.values()])
        for part in receiver.parts:
            while left := await self._log.claim(receiver.group, self._lanes.holder, part, idle_ms=0):
                self._take_in(part, receiver, left)
                await self._let_go(receiver)  # all of it is in what is live, or older

    async def _read(self, region: Region, receiver: _Receiver) -> None:
        is_parted = False
        for part in receiver.parts:
            for _ in range(READS):
                entries = await self._log.read(receiver.group, self._lanes.holder, part, count=READ_ENTRIES, block_ms=0)
                if not entries:
                    break
                self._take_in(part, receiver, entries)
                is_parted = is_parted or any(entry.parted for entry in entries)
        if is_parted or len({part.n for part in receiver.parts}) > 1:
            receiver.parts = (await self._log.layout(region)).all(region)

    def _take_in(self, part: Part, receiver: _Receiver, entries: Sequence[Entry]) -> None:
        if not receiver.read:
            receiver.held_since = monotonic()
        for entry in entries:
            receiver.read.append((part, entry.id))
            try:
                positions = entry.moved_positions()
            except ValueError as exc:  # the writer puts it among the dead letters
                SENT.labels(receiver.target["way"], "unreadable").inc()
                facts = {"event": "positions_unreadable", "region": part.region, "entry": entry.id, "why": str(exc)}
                log.warning("positions unreadable", extra=facts)
                continue
            self._add(receiver, positions)

    def _add(self, receiver: _Receiver, positions: Iterable[Position]) -> None:
        wanted = receiver.target["position_couriers"]
        receiver.newest.add(positions, of=None if wanted is None else frozenset(wanted))

    async def _send(self, region: Region, receiver: _Receiver) -> bool:
        """Send what it has not got; False: leave it alone for a while."""
        target, way = receiver.target, self._ways[receiver.target["way"]]
        for positions in batched(receiver.newest.all(), way.at_once):
            written = self._written(region, receiver, positions)
            outcomes = await self._sent(way, target, [letter for _, letter in written])
            is_there = any(outcome.is_taken for outcome in outcomes)
            failed: Outcome | None = None
            for (position, _), outcome in zip(written, outcomes, strict=True):
                # What is answered with a refusal beside others that are taken keeps no other waiting.
                is_refused = not outcome.is_taken and (outcome.is_alone or (is_there and outcome.status is not None))
                if outcome.is_taken or is_refused:
                    receiver.newest.is_done(position)
                else:
                    failed = outcome
                word = "taken" if outcome.is_taken else "refused" if is_refused else "failed"
                SENT.labels(target["way"], word).inc()
            if failed is not None:
                error = failed.error or f"answered {failed.status}"
                facts = {"event": "positions_not_taken", "way": target["way"], "target": str(target["id"])}
                log.warning("positions not taken", extra=facts | {"error": error})
                return False
        return True

    def _written(
        self, region: Region, receiver: _Receiver, positions: Sequence[Position]
    ) -> list[tuple[Position, Letter]]:
        """With their events; what can be none is left out."""
        written = []
        for position in positions:
            try:
                written.append((position, letter_of(position, region)))
            except Exception:
                log.exception("position cannot be written", extra={"event": "position_unreadable", "region": region})
                SENT.labels(receiver.target["way"], "unreadable").inc()
                receiver.newest.is_done(position)
        return written

    async def _sent(self, way: Way, target: Row, letters: Sequence[Letter]) -> Sequence[Outcome]:
        turn = self._turns.get(target["way"])
        if turn is None:
            return await way.send(target, letters, self._now())
        async with turn:
            return await way.send(target, letters, self._now())

    async def _let_go(self, receiver: _Receiver) -> None:
        """The log need not keep what was read any longer."""
        for part in dict.fromkeys(part for part, _ in receiver.read):
            await self._log.ack(receiver.group, part, [entry_id for where, entry_id in receiver.read if where == part])
        receiver.read.clear()

    def _note(self, receiver: _Receiver, began: float, *, is_well: bool) -> None:
        receiver.sent_at = began
        receiver.n_failures = 0 if is_well else receiver.n_failures + 1
        longest = self._ways[receiver.target["way"]].longest_rest
        rests = pace.rest_after(receiver.n_failures, self._chance(), longest)
        receiver.rests_until = began if is_well else began + rests.total_seconds()


def batched(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """So many at a time."""
    for first in range(0, len(items), size):
        yield items[first : first + size]


async def _end(tasks: Sequence[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
