"""
A region's couriers as the live map sees them: where each one is, in the order of change, and what happened lately.

A viewer is two cursors into this (`Cursor`) and nothing else: what it has not seen yet is found when it is ready for
more. So a slow viewer costs no memory, always gets the latest position of a courier rather than every one in between,
and delays nobody. The ids are those of the Redis Streams, so a viewer can go on in another process.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NewType, Self

StreamId = NewType("StreamId", tuple[int, int])
"""Id of an entry of a Redis Stream: milliseconds since the Unix epoch and a number within them."""

APART_MS: Final = 2000
"""So far one process may be with a stream before another has read what came to another stream."""
NEVER = StreamId((0, 0))
"""Before every entry."""


def parse_id(text: str) -> StreamId:
    """From `1700000000000-0`; raises ValueError."""
    milliseconds, _, number = text.partition("-")
    return StreamId((int(milliseconds), int(number or 0)))


def format_id(stream_id: StreamId) -> str:
    """As Redis writes it."""
    return f"{stream_id[0]}-{stream_id[1]}"


@dataclass(frozen=True, slots=True)
class Cursor:
    """What a viewer has seen: up to here in the position log and up to here in the events."""

    positions: StreamId
    notices: StreamId

    @classmethod
    def parse(cls, text: str) -> Self:
        """From what `str` made of one; raises ValueError."""
        positions, separator, notices = text.partition("_")
        if not separator:
            raise ValueError("expected <position id>_<event id>")
        return cls(parse_id(positions), parse_id(notices))

    def __str__(self) -> str:
        return f"{format_id(self.positions)}_{format_id(self.notices)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """The last good position of a courier."""

    courier_id: str
    fixed_at: datetime
    received_at: datetime
    contact_at: datetime
    """When the device was last heard of, as far as it was known when this fix came."""
    lat: float
    lon: float
    accuracy_m: float | None = None
    speed_mps: float | None = None
    course_deg: float | None = None
    battery_pct: float | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A sighting and the entry of the log that brought it."""

    at: StreamId
    sighting: Sighting


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that happened, as it goes to the viewers."""

    id: StreamId
    type: str
    """Dotted: `order.placed`; the part before the dot names the SSE event."""
    body: bytes
    """JSON, one line."""


@dataclass(slots=True)
class Crowd:
    """Where everybody is and what happened lately, in one region."""

    max_notices: int = 5000
    """How many events are remembered for viewers that come back; the oldest go, and who missed them gets a reset."""
    is_parted: bool = False
    """Positions come from several streams, which every process reads in an order of its own."""
    _changes: OrderedDict[str, Change] = field(default_factory=OrderedDict)
    _notices: deque[Notice] = field(default_factory=deque)
    _notices_after: StreamId = NEVER
    _seen_up_to: StreamId = NEVER

    @property
    def cursor(self) -> Cursor:
        """The newest of both."""
        return Cursor(self._seen_up_to, self._notices[-1].id if self._notices else self._notices_after)

    def __len__(self) -> int:
        return len(self._changes)

    def begin(self, positions: StreamId, notices: StreamId) -> None:
        """Count from these ids on; events up to `notices` are not known here."""
        self._seen_up_to = max(self._seen_up_to, positions)
        if not self._notices:
            self._notices_after = max(self._notices_after, notices)

    def see(self, sighting: Sighting, at: StreamId) -> bool:
        """Move a courier, forward in fix time only; returns whether it moved."""
        self._seen_up_to = max(self._seen_up_to, at)
        held = self._changes.get(sighting.courier_id)
        if held is not None and held.sighting.fixed_at >= sighting.fixed_at:
            return False
        # Entries are read in order, so that the end of the dictionary is the newest; a reload after an outage brings
        # the id it was made at, which is not older either.
        self._changes[sighting.courier_id] = Change(self._seen_up_to, sighting)
        self._changes.move_to_end(sighting.courier_id)
        return True

    def forget(self, courier_id: str) -> None:
        """Remove a courier, who was deleted."""
        self._changes.pop(courier_id, None)

    def tell(self, notice: Notice) -> None:
        """Remember an event for the viewers; drops the oldest when there are too many."""
        if notice.id <= self.cursor.notices:
            return
        self._notices.append(notice)
        while len(self._notices) > self.max_notices:
            self._notices_after = self._notices.popleft().id

    def everybody(self) -> Iterator[Sighting]:
        """Every courier's sighting."""
        return (change.sighting for change in self._changes.values())

    def resumed(self, cursor: Cursor) -> Cursor:
        """Where somebody goes on who was told by another process: rather told something twice than not at all."""
        if not self.is_parted:
            return cursor
        return Cursor(StreamId((max(0, cursor.positions[0] - APART_MS), 0)), cursor.notices)

    def moved_since(self, positions: StreamId) -> list[Sighting]:
        """Couriers that moved after that id, the latest sighting of each, oldest change first."""
        moved = []
        for change in reversed(self._changes.values()):
            if change.at <= positions:
                break
            moved.append(change.sighting)
        moved.reverse()
        return moved

    def notices_since(self, notices: StreamId) -> list[Notice] | None:
        """Events after that id, oldest first; None when some of them are no longer remembered."""
        if notices < self._notices_after:
            return None
        found = []
        for notice in reversed(self._notices):
            if notice.id <= notices:
                break
            found.append(notice)
        found.reverse()
        return found
