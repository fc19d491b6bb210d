"""What a viewer ends up with, whatever it missed, is what is so."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracking.feed.crowd import Crowd, Cursor, Notice, Sighting, StreamId
from tracking.feed.view import Frames, Fresh, Freshness, Message, Told, View
from tracking.feed.viewport import Viewport

T0 = datetime(2026, 5, 1, 12, tzinfo=UTC)
BOX = Viewport(west=0, south=0, east=10, north=10)


def sighting(courier: str, second: int, lat: float = 1, lon: float = 1) -> Sighting:
    at = T0 + timedelta(seconds=second)
    return Sighting(courier_id=courier, fixed_at=at, received_at=at, contact_at=at, lat=lat, lon=lon)


def frames_of(crowd: Crowd) -> Frames:
    return Frames(crowd, Freshness(), T0)


class Viewer:
    """Does what the page does."""

    def __init__(self, frames: Frames, box: Viewport | None = None) -> None:
        self.frames = frames
        self.box = box
        self.view = View(box)
        self.positions: dict[str, tuple[float, float]] = {}
        self.events: list[Any] = []
        self.last_id: str | None = None
        self.n_resets = 0

    def read(self) -> list[Message]:
        messages = self.view.messages(self.frames)
        for message in messages:
            data = msgspec.json.decode(message.data)
            if message.cursor is not None:
                self.last_id = str(message.cursor)
            if message.event == "snapshot":
                self.positions = {}
            if message.event == "reset":
                self.n_resets += 1
            elif "positions" in data:
                self.positions |= {p["courier_id"]: (p["lat"], p["lon"]) for p in data["positions"]}
                for courier_id in data.get("gone", ()):
                    self.positions.pop(courier_id, None)
            else:
                self.events.append(data)
        return messages

    def come_back(self) -> None:
        self.view = View.resume(self.box, self.last_id)


COURIERS = st.sampled_from("abcd")
DEGREES = st.floats(-5, 15).map(lambda value: round(value, 7))
"""As precise as the map is told."""
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("see"), COURIERS, st.integers(0, 50), DEGREES, DEGREES),
        st.tuples(st.just("read"), st.integers(0, 2)),
        st.tuples(st.just("come back"), st.integers(0, 2)),
        st.tuples(st.just("tick")),
        st.tuples(st.just("tell")),
    ),
    max_size=40,
)


@settings(max_examples=300)
@given(STEPS, st.sampled_from([None, BOX]))
def test_viewers_that_read_now_and_then_end_up_with_the_truth(steps: list[Any], box: Viewport | None) -> None:
    crowd = Crowd()
    frames = frames_of(crowd)
    viewers = [Viewer(frames, box) for _ in range(3)]
    truth: dict[str, tuple[int, float, float]] = {}
    n_told_since_first_read = [0, 0, 0]
    for number, (what, *facts) in enumerate(steps, 1):
        match what:
            case "see":
                courier, second, lat, lon = facts
                crowd.see(sighting(courier, second, lat, lon), StreamId((number, 0)))
                if courier not in truth or second > truth[courier][0]:
                    truth[courier] = (second, lat, lon)
            case "read":
                viewers[facts[0]].read()
            case "come back":
                viewers[facts[0]].come_back()
            case "tick":
                frames.renew(T0 + timedelta(seconds=number))
            case "tell":
                crowd.tell(Notice(StreamId((number, 0)), "order.placed", b'{"type":"order.placed"}'))
                for i, viewer in enumerate(viewers):
                    n_told_since_first_read[i] += viewer.last_id is not None
    inside = {c: (lat, lon) for c, (_, lat, lon) in truth.items() if box is None or box.contains(lat, lon)}
    for viewer, n_told in zip(viewers, n_told_since_first_read, strict=True):
        viewer.read()
        viewer.read()
        assert viewer.positions == inside
        assert len(viewer.events) == n_told
        assert viewer.n_resets == 0
        assert viewer.read() == []


@given(st.lists(st.tuples(COURIERS, st.integers(0, 30)), max_size=20), st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(seen: list[tuple[str, int]], random: Any) -> None:
    def last(sightings: list[tuple[str, int]]) -> set[Sighting]:
        crowd = Crowd()
        for number, (courier, second) in enumerate(sightings):
            crowd.see(sighting(courier, second), StreamId((number, 0)))
        return set(crowd.everybody())

    shuffled = random.sample(seen, len(seen))
    assert last(seen) == last(shuffled)


def test_a_courier_that_moved_often_is_sent_once() -> None:
    crowd = Crowd()
    viewer = Viewer(frames_of(crowd))
    viewer.read()
    for second in range(100):
        crowd.see(sighting("a", second, lat=second / 10), StreamId((second + 1, 0)))
    (delta,) = viewer.read()
    assert [p["lat"] for p in msgspec.json.decode(delta.data)["positions"]] == [9.9]


@pytest.mark.parametrize("box", [None, BOX])
def test_viewers_of_the_same_part_who_have_seen_the_same_share_the_bytes(box: Viewport | None) -> None:
    crowd = Crowd()
    frames = frames_of(crowd)
    viewers = [Viewer(frames, box) for _ in range(2)]
    crowd.see(sighting("a", 0), StreamId((1, 0)))
    for second, lat in enumerate((1, 2, 11, 3), 2):  # there, it moves, leaves the box, comes back
        first, another = (viewer.read() for viewer in viewers)
        assert first is another
        assert isinstance(first, Told)  # so that it goes over the wire encoded once
        frames.renew(T0 + timedelta(seconds=second))
        crowd.see(sighting("a", second, lat=lat), StreamId((second, 0)))


def test_those_who_begin_anew_at_once_share_what_they_begin_with() -> None:
    crowd = Crowd()
    crowd.see(sighting("a", 0), StreamId((1, 0)))
    frames = frames_of(crowd)
    snapshots = [View.resume(BOX, "nonsense").messages(frames)[1] for _ in range(2)]
    assert snapshots[0] is snapshots[1]


def test_a_viewer_that_missed_more_than_is_remembered_begins_anew() -> None:
    crowd = Crowd(max_notices=3)
    viewer = Viewer(frames_of(crowd))
    viewer.read()
    for number in range(1, 6):
        crowd.tell(Notice(StreamId((number, 0)), "order.placed", b"{}"))
    assert [message.event for message in viewer.read()] == ["reset", "snapshot"]
    assert viewer.read() == []


@pytest.mark.parametrize("last_event_id", ["nonsense", "1-0", "1-0_x", "9999999999999-0_9999999999999-0"])
def test_an_id_that_means_nothing_here_leads_to_a_reset(last_event_id: str) -> None:
    view = View.resume(None, last_event_id)
    assert [message.event for message in view.messages(frames_of(Crowd()))] == ["reset", "snapshot"]


def test_events_go_out_under_their_subject_in_order_with_an_id_to_resume_from() -> None:
    crowd = Crowd()
    viewer = Viewer(frames_of(crowd))
    viewer.read()
    for number, kind in enumerate(["order.placed", "alert.raised"], 1):
        crowd.tell(Notice(StreamId((number, 0)), kind, b'{"type":"%s"}' % kind.encode()))
    told = viewer.read()
    assert [message.event for message in told] == ["order", "alert"]
    resumed = View(None, Cursor.parse(str(told[0].cursor)))
    assert [message.event for message in resumed.messages(viewer.frames)] == ["alert"]


@pytest.mark.parametrize(("age_s", "status"), [(0, "online"), (61, "stale"), (601, "offline")])
def test_a_position_says_how_old_it_is(age_s: int, status: str) -> None:
    crowd = Crowd()
    crowd.see(sighting("a", 0), StreamId((1, 0)))
    frames = Frames(crowd, Freshness(), T0 + timedelta(seconds=age_s))
    (position,) = msgspec.json.decode(frames.snapshot(None)[0])["positions"]
    assert (position["age_s"], position["contact_age_s"], position["status"]) == (age_s, age_s, status)


def test_rows_go_to_who_has_seen_all_events_before_those_they_are_of() -> None:
    crowd = Crowd()
    frames = frames_of(crowd)
    late, early, boxed = Viewer(frames), Viewer(frames), Viewer(frames, BOX)
    for viewer in (late, early, boxed):
        viewer.read()
    crowd.tell(Notice(StreamId((1, 0)), "order.placed", b'{"type":"order.placed"}'))
    early.read()
    boxed.read()
    crowd.tell(Notice(StreamId((2, 0)), "order.changed", b'{"type":"order.changed"}'))
    frames.renew(T0, Fresh(StreamId((1, 0)), "orders", b'{"items":[]}'))
    assert [message.event for message in early.read()] == ["order", "orders"]
    assert [message.event for message in boxed.read()] == ["order", "orders"]
    assert [message.event for message in late.read()] == ["order", "order"]
    frames.renew(T0)
    assert early.read() == []
