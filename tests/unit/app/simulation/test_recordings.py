import gzip
import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.simulation.recordings import LONGEST_GAP, RecordedFix, Recording, UnreadableRecording, read_all

T0 = datetime(2008, 10, 23, 5, 53, 5, tzinfo=UTC)
GPX = """<?xml version="1.0"?>
<gpx version="1.1" xmlns="http://www.topografix.com/GPX/1/1">
  <trk><name>Anna</name><trkseg>
    <trkpt lat="41.15" lon="-8.61"><ele>93.5</ele><time>2026-05-01T12:00:00Z</time>
      <extensions><speed>4.5</speed></extensions></trkpt>
    <trkpt lat="41.16" lon="-8.62"></trkpt>
  </trkseg></trk>
  <trk><trkseg><trkpt lat="1" lon="2"><time>2026-05-01T12:00:01Z</time></trkpt></trkseg></trk>
</gpx>"""

recordings = st.lists(st.integers(0, 4000), min_size=1, max_size=30).map(
    lambda pauses: Recording(
        "a",
        tuple(RecordedFix(T0 + timedelta(seconds=sum(pauses[: i + 1])), {"n": i}) for i in range(len(pauses))),
    )
)


def pauses_of(recording: Recording) -> list[timedelta]:
    times = [fix.fixed_at for fix in recording.fixes]
    return [later - earlier for earlier, later in itertools.pairwise(times)]


@given(recordings)
def test_only_pauses_of_more_than_a_minute_are_shortened_and_to_a_minute(recording: Recording) -> None:
    shortened = recording.without_gaps()
    assert pauses_of(shortened) == [min(pause, LONGEST_GAP) for pause in pauses_of(recording)]
    assert shortened.fixes[-1] == recording.fixes[-1]
    assert [fix.values for fix in shortened.fixes] == [fix.values for fix in recording.fixes]


@given(recordings, st.datetimes(timezones=st.just(UTC), min_value=datetime(2020, 1, 1)))  # noqa: DTZ001 - bounds are naive
def test_moving_a_recording_keeps_its_pauses(recording: Recording, end: datetime) -> None:
    moved = recording.ending_at(end)
    assert moved.fixes[-1].fixed_at == end
    assert pauses_of(moved) == pauses_of(recording)


def test_geolife_csv_is_read_by_person_also_compressed(tmp_path: Path) -> None:
    text = "lat,lng,datetime,uid\n39.9,116.3,2008-10-23 05:53:06,002\n39.8,116.2,2008-10-23 05:53:05,001\n"
    file = tmp_path / "track.csv.gz"
    file.write_bytes(gzip.compress(text.encode()))
    first, second = read_all([file])
    assert (first.name, second.name) == ("002", "001")
    assert second.fixes == (RecordedFix(T0, {"lat": 39.8, "lon": 116.2}),)


def test_gpx_tracks_are_couriers_and_points_without_a_time_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "tour.gpx"
    file.write_text(GPX)
    anna, other = read_all([file])
    assert (anna.name, other.name) == ("Anna", "tour")
    (fix,) = anna.fixes
    assert fix.fixed_at == datetime(2026, 5, 1, 12, tzinfo=UTC)
    assert fix.values == {"lat": 41.15, "lon": -8.61, "altitude_m": 93.5, "speed_mps": 4.5}


def test_ndjson_keeps_what_the_api_knows_and_sorts_by_time(tmp_path: Path) -> None:
    file = tmp_path / "fixes.ndjson"
    file.write_text(
        '{"courier_id": "b", "fixed_at": "2008-10-23T05:53:06Z", "lat": 1, "lon": 2, "accuracy_m": 5}\n\n'
        '{"courier_id": "b", "fixed_at": "2008-10-23T05:53:05+00:00", "lat": 3, "lon": 4}\n'
    )
    (recording,) = read_all([file])
    assert recording.name == "b"
    assert [fix.values["lat"] for fix in recording.fixes] == [3, 1]
    assert recording.fixes[1].values == {"lat": 1, "lon": 2, "accuracy_m": 5}


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.csv", b"lat,lon\n1,2\n", "columns lat, lng, datetime, uid"),
        ("a.csv", b"lat,lng,datetime,uid\nx,2,2008-10-23 05:53:06,1\n", "line 2"),
        ("a.gpx", b"<gpx>", "a.gpx"),
        ("a.ndjson", b"{}\n", "line 1"),
        ("a.csv.gz", b"no gzip", "a.csv.gz"),
        ("a.txt", b"", "expected a name that ends in"),
    ],
)
def test_file_that_cannot_be_read_is_named_with_the_place(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(UnreadableRecording, match=says):
        read_all([file])
