import gzip
import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.simulation.recordings import LONGEST_GAP, RecordedFix, Recording, read_all

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
    (first, second), _ = read_all([file])
    assert (first.name, second.name) == ("002", "001")
    assert second.fixes == (RecordedFix(T0, {"lat": 39.8, "lon": 116.2}),)


def test_gpx_tracks_are_couriers_and_points_without_a_time_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "tour.gpx"
    file.write_text(GPX)
    (anna, other), (told,) = read_all([file])
    assert (told.n_fixes, told.n_left_out, told.left_out[0].why) == (2, 1, "no time")
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
    (recording,), _ = read_all([file])
    assert recording.name == "b"
    assert [fix.values["lat"] for fix in recording.fixes] == [3, 1]
    assert recording.fixes[1].values == {"lat": 1, "lon": 2, "accuracy_m": 5}


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.csv", b"lat,lon\n1,2\n", "columns lat, lng, datetime, uid"),
        ("a.csv", b"lat,lng,datetime,uid\nx,2,2008-10-23 05:53:06,1\n", "line 2"),
        ("a.gpx", b"<gpx>", "a.gpx"),
        ("a.gpx", b'<?xml version="1.0" encoding="klingon"?><gpx/>', "unknown encoding klingon"),
        ("a.gpx", b"<gpx/>", "it holds no fixes"),
        ("a.ndjson", b"{}\n", "line 1"),
        ("a.ndjson", b"[" * 100_000, "line 1"),
        ("a.csv.gz", b"no gzip", "a.csv.gz"),
        ("a.txt", b"", "expected a name that ends in"),
        ("missing.csv", None, "No such file"),
    ],
)
def test_file_that_cannot_be_read_is_told_in_a_line_and_hinders_no_other(
    tmp_path: Path, name: str, content: bytes | None, says: str
) -> None:
    file, good = tmp_path / name, tmp_path / "good.ndjson"
    if content is not None:
        file.write_bytes(content)
    good.write_text('{"fixed_at": "2008-10-23T05:53:05Z", "lat": 3, "lon": 4}\n')
    found, (told, _) = read_all([file, good])
    assert [recording.name for recording in found] == ["good"]
    assert says in str(told)
    assert "\n" not in str(told)


def test_file_that_was_cut_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    file = tmp_path / "tour.gpx"
    file.write_text(GPX[: GPX.index("<trk><trkseg>")])
    (anna,), (told,) = read_all([file])
    assert len(anna.fixes) == 1
    assert "read no further" in str(told)
    lines = "lat,lng,datetime,uid\n" + "".join(f"39.9,116.3,2008-10-23 05:53:{s:02},1\n" for s in range(60))
    packed = tmp_path / "track.csv.gz"
    packed.write_bytes(gzip.compress(lines.encode())[:-20])
    (_, track), (_, told) = read_all([file, packed])
    assert track.fixes
    assert "read no further" in str(told)


def gpx(points: list[str], name: str = "Ivan", encoding: str = "UTF-8") -> bytes:
    text = (
        f'<?xml version="1.0" encoding="{encoding}"?>'
        '<gpx version="1.1" xmlns="http://www.topografix.com/GPX/1/1" xmlns:s="urn:x:sensor">'
        f"<trk><name>{name}</name><trkseg>{''.join(points)}</trkseg></trk></gpx>"
    )
    return text.encode(encoding)


def point(second: int, more: str = "", before: str = "") -> str:
    time = f"<time>2026-11-20T09:00:{second:02}Z</time>"
    return f'{before}<trkpt lat="59.93" lon="30.33"><ele>12.5</ele>{time}{more}</trkpt>'


ROWS = "".join(f"59.93,30.33,2026-11-20 09:00:{s:02},17\r\n" for s in range(6))
LINES = "".join(f'{{"courier":"17","fixed_at":"2026-11-20T09:00:{s:02}Z","lat":59.93,"lon":30.33}}\n' for s in range(6))


@pytest.mark.parametrize(
    ("name", "content", "courier"),
    [
        ("named points.gpx", gpx([point(s, f"<name>WPT{s}</name>") for s in range(6)]), "Ivan"),
        ("waypoint.gpx", gpx([point(s, "", "<wpt><name>Start</name></wpt>") for s in range(6)]), "Ivan"),
        ("sensor.gpx", gpx([point(s, "<extensions><s:time>0</s:time></extensions>") for s in range(6)]), "Ivan"),
        ("chinese.gpx", gpx([point(s) for s in range(6)], "张三", "gb2312"), "张三"),
        ("nobody.gpx", gpx([point(s) for s in range(6)], " "), "nobody"),
        ("excel.csv", f"\ufefflat,lng,datetime,uid\r\n{ROWS}".encode(), "17"),
        ("excel.ndjson", f"\ufeff{LINES}".encode(), "17"),
    ],
)
def test_recordings_of_other_programs_are_one_courier_with_all_points(
    tmp_path: Path, name: str, content: bytes, courier: str
) -> None:
    (tmp_path / name).write_bytes(content)
    (recording,), (told,) = read_all([tmp_path / name])
    assert recording.name == courier
    assert (told.n_left_out, told.ended_by) == (0, None)
    assert [fix.fixed_at.second for fix in recording.fixes] == [0, 1, 2, 3, 4, 5]


def test_a_track_without_times_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.gpx").write_bytes(gpx(['<trkpt lat="59.93" lon="30.33"/>'] * 6))
    found, (told,) = read_all([tmp_path / "a.gpx"])
    assert found == []
    assert "nothing to send; 6 left out, the first at point 1: no time" in str(told)


def test_one_point_that_is_none_hinders_no_other(tmp_path: Path) -> None:
    bad = '<trkpt lat="north" lon="30.33"><time>2026-11-20T09:00:07Z</time></trkpt>'
    (tmp_path / "a.gpx").write_bytes(gpx([point(0), bad, point(1)]))
    (recording,), (told,) = read_all([tmp_path / "a.gpx"])
    assert len(recording.fixes) == 2
    assert "point 2" in str(told)
