"""
Many streams of Redis, read over one blocked connection.

    readers ──follow──▶ Tail (bounded) ◀── one XREAD or XREADGROUP over all that have room ── Redis

A reader that is busy for long fills its tail, is left out of the next reads and goes on where it was; the others are
not held up. When Redis goes away, or refuses one of the streams, the tails concerned end with that error and their
readers begin anew as they see fit. Without readers nothing is read, and no connection kept.

A cluster refuses to read streams of several slots at once (CROSSSLOT), also where one server has them: there each
region has a read of its own, over a connection to its server, and only its readers hear of that server's failure.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from tracking.cluster import lane_of
from tracking.pause import heed_cancellation, pause, rest

log = logging.getLogger(__name__)

BLOCK_MS: Final = 500
"""One read waits so long for news, and a new reader so long for its first; less than the client's socket timeout."""
ROOM_BYTES: Final = 4_000_000
"""A tail that holds more takes nothing further. A read may bring as much again: `COUNT` follows the size of entries."""
COUNT: Final = 500
PAUSE_S: Final = 0.1
"""After a refusal that had passed when every stream was read alone."""
FIRST_GUESS_BYTES: Final = 50_000
"""An entry's size before any was seen."""
BEGINNING: Final = "0-0"
GROUP: Final = ">"
"""As the place to follow from: what nobody in the group has got."""


@dataclass(frozen=True, slots=True)
class StreamEntry:
    """One entry of a stream."""

    key: str
    id: str
    fields: Mapping[bytes, bytes]

    @property
    def n_bytes(self) -> int:
        """How much it holds, names of fields aside."""
        return sum(map(len, self.fields.values()))


def order_of(entry_id: str) -> tuple[int, int]:
    """For comparing: `1700000000000-0` as numbers."""
    milliseconds, _, number = entry_id.partition("-")
    return int(milliseconds), int(number or 0)


def entries_of(answer: Any) -> list[StreamEntry]:
    """Of an XREAD or XREADGROUP; redis-py nests them differently in RESP2 and RESP3. Deleted ones are left out."""
    if isinstance(answer, dict):
        streams = [(key, [entry for part in parts for entry in part]) for key, parts in answer.items()]
    else:
        streams = list(answer or ())
    return [
        StreamEntry(text_of(key), text_of(entry_id), fields)
        for key, entries in streams
        for entry_id, fields in entries
        if fields
    ]


def text_of(value: Any) -> str:
    """What Redis sends as bytes unless told otherwise."""
    return value.decode() if isinstance(value, bytes) else str(value)


class Tail:
    """What one reader follows; made by `Tails.follow`."""

    def __init__(self, after: Mapping[str, str]) -> None:
        self.after = dict(after)
        """The last entry of each stream that was put here."""
        self.answered_at = datetime.fromtimestamp(0, UTC)
        """When Redis answered last, with news or without."""
        self.arrived = asyncio.Event()
        """Something can be taken, or it has failed."""
        self._entries: deque[StreamEntry] = deque()
        self._n_bytes = 0
        self._failure: Exception | None = None
        self.room = asyncio.Event()
        self.room.set()

    async def take(self, timeout_s: float) -> list[StreamEntry]:
        """
        What has come, oldest first in each stream; waits at most so long for something, then it is empty.

        Raises what reading raised, after everything that came before; then there is no more.
        """
        await pause(self.arrived, timeout_s)
        if not self._entries and self._failure is not None:
            raise self._failure
        taken = list(self._entries)
        self._entries.clear()
        self._n_bytes = 0
        if self._failure is None:
            self.arrived.clear()
        self.room.set()
        return taken

    def put(self, entry: StreamEntry) -> None:
        """Add what was read."""
        if self.after[entry.key] != GROUP:
            self.after[entry.key] = entry.id
        self._entries.append(entry)
        self._n_bytes += entry.n_bytes
        if self._n_bytes >= ROOM_BYTES:
            self.room.clear()
        self.arrived.set()

    def also(self, keys: Iterable[str]) -> None:
        """Follow these streams as well, from their beginning; they are read by the same command as the others."""
        for key in keys:
            self.after.setdefault(key, BEGINNING)

    def fail(self, error: Exception) -> None:
        """Nothing more will come."""
        self._failure = error
        self.arrived.set()

    def wants(self, entry: StreamEntry) -> bool:
        """Whether it follows that stream and has not got that entry."""
        after = self.after.get(entry.key)
        return after is not None and (after == GROUP or order_of(entry.id) > order_of(after))


class Tails:
    """Reads for everybody who follows."""

    def __init__(self, redis: Redis, *, group: str | None = None, consumer: str = "", block_ms: int = BLOCK_MS) -> None:
        """With `group` entries are shared out among its consumers, each to one; then a stream has one reader here."""
        self._redis = redis
        self._make = partial(_Reader, redis, group=group, consumer=consumer, block_ms=block_ms)
        self._readers: dict[int, _Reader] = {}

    @contextmanager
    def follow(self, after: Mapping[str, str]) -> Iterator[Tail]:
        """What comes in these streams after these ids. On a cluster they are streams of one region."""
        [lane] = {lane_of(self._redis, key) for key in after}
        reader = self._readers.setdefault(lane, self._make())
        try:
            with reader.follow(after) as tail:
                yield tail
        finally:
            if not reader.is_wanted and self._readers.get(lane) is reader:
                del self._readers[lane]


class _Reader:
    """Reads what one command can read."""

    def __init__(self, redis: Redis, *, group: str | None, consumer: str, block_ms: int) -> None:
        self._redis = redis
        self._group = group
        self._consumer = consumer
        self._block_ms = block_ms
        self._tails: set[Tail] = set()
        self._changed = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None
        self._entry_bytes = FIRST_GUESS_BYTES

    @property
    def is_wanted(self) -> bool:
        """Whether somebody follows."""
        return bool(self._tails)

    @contextmanager
    def follow(self, after: Mapping[str, str]) -> Iterator[Tail]:
        """As `Tails.follow`."""
        tail = Tail(after)
        self._tails.add(tail)
        self._changed.set()
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read_on())
        try:
            yield tail
        finally:
            self._tails.discard(tail)
            self._changed.set()
            if not self._tails and self._reading is not None:
                # Else it would connect again after its client was closed, and nobody would close that connection.
                self._reading.cancel()
                self._reading = None

    async def _read_on(self) -> None:
        """Read for as long as somebody follows."""
        while self._tails:
            heed_cancellation()
            self._changed.clear()
            tails = [tail for tail in self._tails if tail.room.is_set()]
            if not tails:
                await self._wait_for_room()
                continue
            try:
                entries = await self._read(tails, block_ms=self._block_ms)
            except ResponseError as exc:
                await self._find_refused(tails, exc)
            except Exception as exc:  # noqa: BLE001 - the readers tell what it is
                self._fail(list(self._tails), exc)
            else:
                self._put(tails, entries)

    async def _wait_for_room(self) -> None:
        waits = [asyncio.create_task(event.wait()) for event in (self._changed, *(tail.room for tail in self._tails))]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _read(self, tails: list[Tail], *, block_ms: int | None) -> list[StreamEntry]:
        places: dict[Any, Any] = {}
        for tail in tails:
            for key, after in tail.after.items():
                # Two readers of one stream: from where the one further back is.
                if key not in places or (after != GROUP and order_of(after) < order_of(places[key])):
                    places[key] = after
        count = max(1, min(COUNT, ROOM_BYTES // self._entry_bytes))
        answer: Any
        if self._group is None:
            answer = await self._redis.xread(places, count=count, block=block_ms)
        else:
            answer = await self._redis.xreadgroup(self._group, self._consumer, places, count=count, block=block_ms)
        for tail in tails:
            tail.answered_at = datetime.now(UTC)
        entries = entries_of(answer)
        if entries:
            self._entry_bytes = max(1, *(entry.n_bytes for entry in entries))
        return entries

    def _put(self, tails: list[Tail], entries: list[StreamEntry]) -> None:
        followers: dict[str, list[Tail]] = {}
        for tail in tails:
            for key in tail.after:
                followers.setdefault(key, []).append(tail)
        for entry in entries:
            for tail in followers.get(entry.key, ()):
                if tail.wants(entry):
                    tail.put(entry)

    async def _find_refused(self, tails: list[Tail], error: ResponseError) -> None:
        """Redis refuses a read for the sake of one stream: it must not cost the others theirs."""
        is_found = False
        for tail in tails:
            try:
                self._put([tail], await self._read([tail], block_ms=None))
            except ResponseError as exc:
                is_found = True
                self._fail([tail], exc)
            except Exception as exc:  # noqa: BLE001 - the readers tell what it is
                self._fail(list(self._tails), exc)
                return
        if not is_found:
            log.warning("read refused", extra={"event": "read_refused", "error": str(error)[:200]})
            await rest(PAUSE_S)

    def _fail(self, tails: list[Tail], error: Exception) -> None:
        for tail in tails:
            self._tails.discard(tail)
            tail.fail(error)
