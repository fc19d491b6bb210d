"""
What one viewer is sent: a snapshot, then what moved inside the box, then what happened; no I/O.

Frames are made once per tick and shared: a courier's JSON by everybody; a whole frame, and how it goes over the wire,
by those who look at the same box and have seen the same.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple, Self

import msgspec

from tracking.feed.crowd import Crowd, Cursor, Notice, Sighting, StreamId
from tracking.feed.viewport import Viewport
from tracking.live import presence
from tracking.position import Presence

FAR_AHEAD_MS: Final = 60_000
"""A viewer that has seen events so much newer than ours saw another Redis: its ids mean nothing here."""

_encode = msgspec.json.Encoder(decimal_format="number").encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """What the age of a position says about the courier."""

    online_within_s: float = 60
    stale_within_s: float = 600

    def presence(self, age_s: float) -> Presence:
        """Presence of a courier whose last fix is `age_s` old."""
        return presence(age_s, online_within_s=self.online_within_s, stale_within_s=self.stale_within_s)


class LivePosition(msgspec.Struct, frozen=True, kw_only=True):
    """A courier's last position, as the API shows it."""

    courier_id: str
    fixed_at: datetime
    received_at: datetime
    lat: float
    lon: float
    accuracy_m: float | None
    speed_mps: float | None
    course_deg: float | None
    battery_pct: float | None
    age_s: float
    contact_age_s: float
    status: Presence

    @classmethod
    def of(cls, sighting: Sighting, freshness: Freshness, now: datetime) -> "LivePosition":
        """As it looks at `now`; a phone whose clock is a little ahead has an age of 0."""
        age_s = max(0.0, round((now - sighting.fixed_at).total_seconds(), 1))
        return cls(
            courier_id=sighting.courier_id,
            fixed_at=sighting.fixed_at,
            received_at=sighting.received_at,
            lat=round(sighting.lat, 7),  # a centimetre; more digits cost more than all the rest
            lon=round(sighting.lon, 7),
            accuracy_m=sighting.accuracy_m,
            speed_mps=None if sighting.speed_mps is None else round(sighting.speed_mps, 2),
            course_deg=None if sighting.course_deg is None else round(sighting.course_deg, 1),
            battery_pct=sighting.battery_pct,
            age_s=age_s,
            contact_age_s=max(0.0, round((now - sighting.contact_at).total_seconds(), 1)),
            status=freshness.presence(age_s),
        )


@dataclass(frozen=True, slots=True)
class Message:
    """One server-sent event: its name, its data (JSON, one line), and where the viewer stands after it."""

    event: str
    data: bytes
    cursor: Cursor | None = None


class Told(list[Message]):
    """What viewers are told alike at one tick; how it goes over the wire is made once and kept in `wire`."""

    __slots__ = ("wire",)

    def __init__(self, messages: Iterable[Message] = ()) -> None:
        super().__init__(messages)
        self.wire: dict[str, bytes] = {}


@dataclass(frozen=True, slots=True)
class Fresh:
    """What was told to have changed, as it is now, for viewers who have seen all events up to `since`."""

    since: StreamId
    event: str
    data: bytes


class Seen(NamedTuple):
    """Where a viewer stands; who stands at the same place is told the same. A tuple, for it is hashed at every tick."""

    box: Viewport | None
    """None: the whole region."""
    cursor: Cursor | None
    """None: nothing seen yet."""
    inside: frozenset[str] = frozenset()
    """Who was in the box at the cursor; nobody is kept of the whole region."""
    is_resumed: bool = False
    """It comes back, and who was in its box is not known any more."""


@dataclass(slots=True)
class Frames:
    """The encoded state of a crowd at one tick."""

    crowd: Crowd
    freshness: Freshness
    now: datetime
    fresh: Fresh | None = None
    _positions: dict[str, tuple[Sighting, bytes]] = field(default_factory=dict)
    _told: dict[tuple[Seen, Cursor], tuple[Told, frozenset[str]]] = field(default_factory=dict)

    def renew(self, now: datetime, fresh: Fresh | None = None) -> None:
        """Begin the next tick: ages are counted from `now`."""
        self.now = now
        self.fresh = fresh
        self._positions.clear()
        self._told.clear()

    def told(
        self, seen: Seen, make: Callable[[], tuple[Iterable[Message], frozenset[str]]]
    ) -> tuple[Told, frozenset[str]]:
        """What everybody is told who has seen that, and who is in their box then; `make` does it for the first."""
        key = (seen, self.crowd.cursor)
        if key not in self._told:
            messages, inside = make()
            self._told[key] = Told(messages), inside
        return self._told[key]

    def snapshot(self, box: Viewport | None) -> tuple[bytes, frozenset[str]]:
        """Everybody in the box, and who that is."""
        seen = [s for s in self.crowd.everybody() if box is None or box.contains(s.lat, s.lon)]
        inside = frozenset() if box is None else frozenset(sighting.courier_id for sighting in seen)
        return self._frame([self._position(sighting) for sighting in seen]), inside

    def moved(self, seen: Seen, since: StreamId) -> tuple[bytes | None, frozenset[str]]:
        """
        Who moved inside the box after that id and who left it (None when neither), and who is in it now.

        A viewer that comes back is told of everybody who is outside now: we do not know any more whom it had seen.
        """
        moved = self.crowd.moved_since(since)
        if seen.box is None:
            return self._frame([self._position(sighting) for sighting in moved]) if moved else None, seen.inside
        box, inside, shown, came, gone = seen.box, seen.inside, [], [], []
        for sighting in moved:
            courier_id = sighting.courier_id
            if box.contains(sighting.lat, sighting.lon):
                shown.append(self._position(sighting))
                if courier_id not in inside:
                    came.append(courier_id)
            elif seen.is_resumed or courier_id in inside:
                gone.append(courier_id)
        if came or gone:
            inside = inside.union(came).difference(gone)
        return self._frame(shown, gone) if shown or gone else None, inside

    def _position(self, sighting: Sighting) -> bytes:
        held = self._positions.get(sighting.courier_id)
        if held is None or held[0] is not sighting:
            held = (sighting, _encode(LivePosition.of(sighting, self.freshness, self.now)))
            self._positions[sighting.courier_id] = held
        return held[1]

    def _frame(self, positions: list[bytes], gone: list[str] | None = None) -> bytes:
        head = b'{"at":' + _encode(self.now) + b',"positions":[' + b",".join(positions) + b"]"
        return head + (b',"gone":' + _encode(gone) if gone else b"") + b"}"


@dataclass(slots=True)
class View:
    """One viewer: the box it looks at, and how far it has seen."""

    box: Viewport | None = None
    """None: the whole region."""
    cursor: Cursor | None = None
    """None: nothing seen yet."""
    n_resets: int = 0
    """How often the viewer had to be told to begin anew."""
    _inside: frozenset[str] = frozenset()
    _is_resumed: bool = False
    _cannot_resume: bool = False

    @classmethod
    def resume(cls, box: Viewport | None, last_event_id: str | None) -> Self:
        """The view of somebody who comes back (or not); an id that cannot be understood leads to a reset."""
        if not last_event_id:
            return cls(box)
        try:
            return cls(box, Cursor.parse(last_event_id), _is_resumed=True)
        except ValueError:
            return cls(box, _cannot_resume=True)

    def messages(self, frames: Frames) -> Told:
        """What the viewer has not seen yet; empty when that is nothing. The viewer counts as up to date afterwards."""
        crowd = frames.crowd
        now_at, before = crowd.cursor, self.cursor
        notices = None if before is None else crowd.notices_since(before.notices)
        is_lost = self._cannot_resume or (
            before is not None and (notices is None or before.notices[0] > now_at.notices[0] + FAR_AHEAD_MS)
        )
        if is_lost:
            return self._reset(frames, now_at)
        if before is not None and self._is_resumed:
            before = crowd.resumed(before)
        seen = Seen(self.box, before, self._inside, self._is_resumed and self.box is not None)
        self.cursor, self._is_resumed = now_at, False
        told, self._inside = frames.told(seen, lambda: _news(frames, seen, now_at, notices or ()))
        return told

    def _reset(self, frames: Frames, now_at: Cursor) -> Told:
        self.n_resets += 1
        self.cursor = now_at
        self._cannot_resume = self._is_resumed = False
        anew = Seen(self.box, None)
        snapshot, self._inside = frames.told(anew, lambda: _news(frames, anew, now_at, ()))
        reset = Message("reset", b'{"reason":"too long away: events were missed, read again what you show"}')
        return Told([reset, *snapshot])


def _news(
    frames: Frames, seen: Seen, now_at: Cursor, notices: Sequence[Notice]
) -> tuple[Iterable[Message], frozenset[str]]:
    """For who has seen that: everything, or what changed; and who is in the box now."""
    if seen.cursor is None:
        everybody, inside = frames.snapshot(seen.box)
        return [Message("snapshot", everybody, now_at)], inside
    moved, inside = frames.moved(seen, seen.cursor.positions)
    return _changes(frames, seen.cursor, now_at, notices, moved), inside


def _changes(
    frames: Frames, before: Cursor, now_at: Cursor, notices: Sequence[Notice], moved: bytes | None
) -> Iterator[Message]:
    """Who moved, then what happened, then what that concerns as it is now."""
    if moved is not None:
        yield Message("delta", moved, Cursor(now_at.positions, before.notices))
    for notice in notices:
        yield _told(notice, Cursor(now_at.positions, notice.id))
    if frames.fresh is not None and before.notices >= frames.fresh.since:
        yield Message(frames.fresh.event, frames.fresh.data)


def _told(notice: Notice, cursor: Cursor) -> Message:
    return Message(notice.type.partition(".")[0], notice.body, cursor)
