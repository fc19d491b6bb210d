"""
What one viewer is sent: a snapshot, then what moved inside the box, then what happened; no I/O.

Frames are made once per tick and shared: a courier's JSON by everybody, a whole frame by those who look at the same box
and have seen the same.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Self

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
    """What several viewers are told alike at one tick; how it goes over the wire is made once and kept in `wire`."""

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


@dataclass(slots=True)
class Frames:
    """The encoded state of a crowd at one tick."""

    crowd: Crowd
    freshness: Freshness
    now: datetime
    fresh: Fresh | None = None
    _positions: dict[str, tuple[Sighting, bytes]] = field(default_factory=dict)
    _shared: dict[tuple[Viewport | None, StreamId | None, StreamId], bytes] = field(default_factory=dict)
    _told: dict[tuple[Cursor | None, Cursor], Told] = field(default_factory=dict)

    def renew(self, now: datetime, fresh: Fresh | None = None) -> None:
        """Begin the next tick: ages are counted from `now`."""
        self.now = now
        self.fresh = fresh
        self._positions.clear()
        self._shared.clear()
        self._told.clear()

    def told(self, before: Cursor | None, after: Cursor, make: Callable[[], Iterable[Message]]) -> Told:
        """What everybody is told who looks at all of the region, has seen `before` and sees `after` now."""
        if (before, after) not in self._told:
            self._told[before, after] = Told(make())
        return self._told[before, after]

    def snapshot(self, box: Viewport | None, inside: set[str]) -> bytes:
        """Everybody in the box; fills `inside` with who that is."""
        seen = [s for s in self.crowd.everybody() if box is None or box.contains(s.lat, s.lon)]
        if box is not None:
            inside.update(sighting.courier_id for sighting in seen)
        key = (box, None, self.crowd.cursor.positions)
        if key not in self._shared:
            self._shared[key] = self._frame([self._position(sighting) for sighting in seen])
        return self._shared[key]

    def world(self, since: StreamId) -> bytes | None:
        """Everybody who moved after that id; None when nobody did."""
        key = (None, since, self.crowd.cursor.positions)
        if key not in self._shared:
            moved = self.crowd.moved_since(since)
            self._shared[key] = self._frame([self._position(sighting) for sighting in moved]) if moved else b""
        return self._shared[key] or None

    def box(self, box: Viewport, since: StreamId, inside: set[str], *, is_resumed: bool) -> bytes | None:
        """
        Who moved inside the box after that id and who left it; None when neither; keeps `inside` up to date.

        A viewer that comes back is told of everybody who is outside now: we do not know any more whom it had seen.
        """
        seen, gone = [], []
        for sighting in self.crowd.moved_since(since):
            courier_id = sighting.courier_id
            if box.contains(sighting.lat, sighting.lon):
                inside.add(courier_id)
                seen.append(self._position(sighting))
            elif is_resumed or courier_id in inside:
                inside.discard(courier_id)
                gone.append(courier_id)
        return self._frame(seen, gone) if seen or gone else None

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
    _inside: set[str] = field(default_factory=set)
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

    def messages(self, frames: Frames) -> list[Message]:
        """What the viewer has not seen yet; empty when that is nothing. The viewer counts as up to date afterwards."""
        crowd = frames.crowd
        now_at = crowd.cursor
        if self._cannot_resume:
            return self._reset(frames, now_at)
        if self.cursor is None:
            self.cursor = now_at
            if self.box is None:
                return frames.told(None, now_at, lambda: self._everybody(frames, now_at))
            return self._everybody(frames, now_at)
        notices = crowd.notices_since(self.cursor.notices)
        if notices is None or self.cursor.notices[0] > now_at.notices[0] + FAR_AHEAD_MS:
            return self._reset(frames, now_at)
        before, self.cursor = self.cursor, now_at
        is_resumed, self._is_resumed = self._is_resumed, False
        if self.box is None:
            return frames.told(
                before, now_at, lambda: _changes(frames, before, now_at, notices, frames.world(before.positions))
            )
        moved = frames.box(self.box, before.positions, self._inside, is_resumed=is_resumed)
        return list(_changes(frames, before, now_at, notices, moved))

    def _everybody(self, frames: Frames, now_at: Cursor) -> list[Message]:
        return [Message("snapshot", frames.snapshot(self.box, self._inside), now_at)]

    def _reset(self, frames: Frames, now_at: Cursor) -> list[Message]:
        self.n_resets += 1
        self.cursor = now_at
        self._cannot_resume = self._is_resumed = False
        self._inside.clear()
        snapshot = Message("snapshot", frames.snapshot(self.box, self._inside), now_at)
        return [Message("reset", b'{"reason":"too long away: events were missed, read again what you show"}'), snapshot]


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
