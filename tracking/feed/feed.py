"""
The live feed: one reader per process and region follows Redis, any number of viewers follow the reader.

The reader is supervised: when Redis goes away it tries again for ever, takes the live state anew when Redis is back,
and the viewers are told meanwhile that what they see is old. Nothing a viewer does or leaves undone is felt by another:
see `tracking.feed.crowd`.
"""

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Final, Protocol, Self

from prometheus_client import Counter, Gauge
from redis.asyncio import Redis

from tracking import events, outages
from tracking.errors import LogUnavailable
from tracking.feed.crowd import Crowd, Notice, Sighting, format_id, parse_id
from tracking.feed.rows import Rows
from tracking.feed.view import Frames, Freshness, Message, View
from tracking.pause import first_to_end, rest
from tracking.streams import StreamEntry, Tails, text_of

log = logging.getLogger(__name__)

VIEWERS = Gauge("postrider_live_viewers", "Open live streams of this process", multiprocess_mode="livesum")
SENT_BYTES = Counter("postrider_live_sent_bytes", "Bytes sent to viewers of live streams")
DROPPED = Counter("postrider_live_dropped", "Viewers cut off because they did not read for too long")
RESETS = Counter("postrider_live_resets", "Viewers that could not resume and began with a new snapshot")
READERS_LOST = Gauge(
    "postrider_live_readers_lost",
    # Of a region that nobody looks at none is lost: where several processes count together, a label cannot be removed.
    "Readers of a region that have lost Redis and try again",
    ["region"],
    multiprocess_mode="livesum",
)
UNREADABLE = Counter("postrider_live_entries_unreadable", "Entries of log or events that could not be shown")
FOLLOWED = Gauge("postrider_live_regions", "Regions this process follows for its viewers", multiprocess_mode="livesum")
READER_RESTARTS = Counter("postrider_live_reader_restarts", "How often a reader lost Redis and began anew")

MAX_REGIONS: Final = 256
"""Regions followed by one process; a further one is refused. Each costs its crowd in memory."""


class Source(Protocol):
    """Where a region's positions come from."""

    async def keys(self, region: str) -> Sequence[str]:
        """Names of the streams of positions."""

    def following(self, region: str, fields: Mapping[Any, Any]) -> Sequence[str]:
        """Streams in which they go on, where that is the last entry of one."""

    def decode(self, fields: Mapping[Any, Any]) -> Iterable[Sighting]:
        """Good positions of one entry of the stream, latest last."""

    async def everybody(self, region: str) -> Iterable[Sighting]:
        """The last good position of every courier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedParams:
    """How the feed paces itself."""

    tick_s: float = 1.0
    """Changes are sent at most so often; what moved twice in between is sent once."""
    max_notices: int = 5000
    linger_s: float = 30.0
    """A region that nobody has looked at for so long is let go; a page that is loaded again comes back sooner."""
    first_wait_s: float = 5.0
    """How long the first viewer of a region waits for it to be loaded before it is turned away."""
    freshness: Freshness = field(default_factory=Freshness)


class RegionFeed:
    """Follows one region; made and run by `Feed`."""

    def __init__(
        self, redis: Redis, source: Source, region: str, params: FeedParams, tails: Tails, rows: Rows | None = None
    ) -> None:
        self._redis = redis
        self._rows = rows
        self._tails = tails
        self._source = source
        self._region = region
        self._params = params
        self._crowd = Crowd(params.max_notices)
        self._after: dict[str, str] = {}
        self._ticked = asyncio.Event()
        self.frames = Frames(self._crowd, params.freshness, datetime.now(UTC))
        self.loaded = asyncio.Event()
        self.is_connected = False
        self.as_of = datetime.now(UTC)
        """When Redis answered last: what is shown is as old as this."""
        self.n_viewers = 0
        self.asked_at = monotonic()
        """When somebody last began or ended to look."""

    def end(self) -> None:
        """Wake the viewers a last time."""
        self._ticked.set()

    async def next_tick(self) -> None:
        """Wait for the moment at which changes are sent."""
        await self._ticked.wait()

    async def run(self) -> None:
        """Follow the region until nobody has looked at it for `linger_s`."""
        try:
            await first_to_end(self._tick(), self._follow())
        finally:
            READERS_LOST.labels(self._region).set(0)
            if self._rows is not None:
                self._rows.close()

    @property
    def is_wanted(self) -> bool:
        """Whether somebody looks at it, or did a moment ago."""
        return self.n_viewers > 0 or monotonic() - self.asked_at < self._params.linger_s

    async def _tick(self) -> None:
        """Beat: every `tick_s` the viewers look for what is new."""
        while self.is_wanted:
            await asyncio.sleep(self._params.tick_s)
            rows = self._rows
            upto = self._crowd.cursor.notices
            fresh = None if rows is None else await rows.gather(upto, is_wanted=self.n_viewers > 0)
            self.frames.renew(datetime.now(UTC), fresh)
            self._ticked.set()
            self._ticked = asyncio.Event()

    async def _follow(self) -> None:
        """Read for ever; whatever goes wrong is tried again after a pause of at most about 5 s."""
        pause_s = 0.1
        while True:
            try:
                await self._load()
                self._set_connected(is_connected=True)
                pause_s = 0.1
                with self._tails.follow(self._after) as tail:
                    while True:
                        tail.also(self._take(await tail.take(self._params.tick_s)))
                        self.as_of = max(self.as_of, tail.answered_at)
                        # A busy log always has more: let the others of this process have their turn.
                        await asyncio.sleep(0)
            except Exception as exc:  # noqa: BLE001 - told, as an outage or as a defect
                outages.tell(log, "live reader failed", exc, event="live_reader_failed", region=self._region)
            self._set_connected(is_connected=False)
            READER_RESTARTS.inc()
            await rest(pause_s * random.uniform(0.5, 1.5))  # noqa: S311 - spreads reconnects, no secret
            pause_s = min(pause_s * 2, 5.0)

    async def _load(self) -> None:
        """Note where the streams end, then take the state: what comes in between is then read twice, never missed."""
        events_key, positions = events.key(self._region), {}
        for key in await self._source.keys(self._region):
            last: Any = await self._redis.xrevrange(key, count=1)
            positions[key] = text_of(last[0][0]) if last else events.START
        at = max(map(parse_id, positions.values()))
        self._crowd.is_parted = len(positions) > 1
        if not self.loaded.is_set():
            remembered: Any = await self._redis.xrevrange(events_key, count=self._params.max_notices)
            is_all = len(remembered) < self._params.max_notices
            before = events.START if is_all else text_of(remembered[-1][0])
            self._crowd.begin(at, parse_id(before))
            for entry_id, fields in reversed(remembered):
                self._tell(entry_id, fields)
            self._after = {events_key: format_id(self._crowd.cursor.notices)}
        for sighting in await self._source.everybody(self._region):
            self._crowd.see(sighting, at)
        self._after = positions | {events_key: self._after[events_key]}
        self._crowd.begin(at, self._crowd.cursor.notices)
        self.as_of = datetime.now(UTC)
        self.loaded.set()

    def _take(self, entries: Sequence[StreamEntry]) -> list[str]:
        """Show what came; which other streams go on with it."""
        events_key = events.key(self._region)
        following: list[str] = []
        for entry in entries:
            self._after[entry.key] = entry.id
            try:
                if entry.key == events_key:
                    self._tell(entry.id, entry.fields)
                    continue
                for sighting in self._source.decode(entry.fields):
                    self._crowd.see(sighting, parse_id(entry.id))
                if more := self._source.following(self._region, entry.fields):
                    following += more
                    self._crowd.is_parted = True
            except Exception as exc:  # noqa: BLE001 - of another release, or poisoned: the others are shown
                UNREADABLE.inc()
                outages.tell(log, "entry not shown", exc, event="live_entry_unreadable", region=self._region)
        return following

    def _tell(self, entry_id: bytes | str, fields: Mapping[Any, Any]) -> None:
        body = fields.get(b"e", fields.get("e", b"{}"))
        body = body if isinstance(body, bytes) else body.encode()
        event = events.decode(text_of(entry_id), body)
        if self._rows is not None and self.loaded.is_set():
            self._rows.note(event.facts)
        if event.facts.get("deleted") is True:
            self._crowd.forget(str(event.facts.get("courier_id")))
        self._crowd.tell(Notice(parse_id(event.id), event.type, body))

    def _set_connected(self, *, is_connected: bool) -> None:
        self.is_connected = is_connected
        READERS_LOST.labels(self._region).set(int(not is_connected))


class Feed:
    """
    The feeds of a process: a region is followed from its first viewer on, until nobody has looked for a while.

    An asynchronous context manager: leaving it ends the readers.
    """

    def __init__(
        self,
        redis: Redis,
        source: Source,
        params: FeedParams | None = None,
        *,
        tails: Tails | None = None,
        rows: Callable[[str], Rows] | None = None,
    ) -> None:
        """`rows`: of a region, what its events speak of."""
        self._redis = redis
        self._rows = rows
        self._tails = tails or Tails(redis)
        self._source = source
        self._params = params or FeedParams()
        self._regions: dict[str, RegionFeed] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.end()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def end(self) -> None:
        """Let every viewer go: the process is about to end."""
        self._is_closed = True
        for feed in self._regions.values():
            feed.end()

    async def region(self, name: str) -> RegionFeed:
        """
        The region's feed, loaded; starts following the region when nobody did.

        Raises LogUnavailable when Redis does not answer in time, or too many regions are followed.
        """
        feed = self._regions.get(name)
        if feed is None:
            if len(self._regions) >= MAX_REGIONS:
                raise LogUnavailable("too many regions are followed by this process")
            rows = None if self._rows is None else self._rows(name)
            feed = self._regions[name] = RegionFeed(self._redis, self._source, name, self._params, self._tails, rows)
            task = asyncio.create_task(self._run(name, feed))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        feed.asked_at = monotonic()
        try:
            async with asyncio.timeout(self._params.first_wait_s):
                await feed.loaded.wait()
        except TimeoutError:
            raise LogUnavailable("live positions cannot be read right now") from None
        return feed

    async def _run(self, name: str, feed: RegionFeed) -> None:
        FOLLOWED.set(len(self._regions))
        try:
            await feed.run()
        finally:
            # At once with its end: who asks from now on begins anew.
            del self._regions[name]
            FOLLOWED.set(len(self._regions))

    async def watch(self, region: RegionFeed, view: View) -> AsyncGenerator[list[Message]]:
        """Messages for one viewer, a list per tick, empty when nothing is new; ends when the feed is closed."""
        VIEWERS.inc()
        region.n_viewers += 1
        try:
            while not self._is_closed:
                n_resets = view.n_resets
                messages = view.messages(region.frames)
                RESETS.inc(view.n_resets - n_resets)
                yield messages
                await region.next_tick()
        finally:
            VIEWERS.dec()
            region.n_viewers -= 1
            region.asked_at = monotonic()
