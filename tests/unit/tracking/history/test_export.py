import csv
import io
import json
import warnings
from datetime import UTC, datetime, timedelta
from uuid import UUID
from xml.etree import ElementTree as ET

import pytest

from tracking.batch import PositionColumns
from tracking.history.export import TrackFormat, export_of, write
from tracking.position import Fix, LatLon, Mark, Position

ANNA = UUID(int=5)
START = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def track(n, gap_after=None):
    def at(i):
        late = timedelta(hours=1) if gap_after is not None and i > gap_after else timedelta(0)
        return START + timedelta(seconds=5 * i) + late

    return PositionColumns.from_positions(
        Position(
            courier_id=ANNA,
            fix=Fix(
                at=LatLon(41.15 + i / 1e4, -8.61),
                fixed_at=at(i),
                speed_mps=6.25 if i % 2 else None,
                altitude_m=80.0,
                accuracy_m=4.5,
                course_deg=271.0,
                battery_pct=64.0,
            ),
            received_at=at(i),
            mark=Mark.JUMP if i == 3 else Mark.NONE,
        )
        for i in range(n)
    )


async def text_of(file_format, *pages, with_marks=False, facts=None):
    async def given():
        for page in pages:
            yield page

    pieces = write(export_of(file_format, ANNA, with_marks=with_marks, facts=facts), given())
    return b"".join([piece async for piece in pieces]).decode()


async def test_geojson_holds_times_and_values_beside_the_line():
    feature = json.loads(await text_of(TrackFormat.GEOJSON, track(3), facts={"next": "abc"}))
    assert feature["type"] == "Feature"
    assert feature["geometry"]["type"] == "LineString"
    assert feature["geometry"]["coordinates"] == [[-8.61, 41.15], [-8.61, 41.1501], [-8.61, 41.1502]]
    properties = feature["properties"]
    assert properties["fixed_at"] == ["2026-11-23T10:00:00Z", "2026-11-23T10:00:05Z", "2026-11-23T10:00:10Z"]
    assert properties["speed_mps"] == [None, 6.25, None]
    assert (properties["courier_id"], properties["next"]) == (str(ANNA), "abc")
    assert "marks" not in properties


@pytest.mark.parametrize("file_format", TrackFormat)
async def test_pages_join_to_the_same_file_as_one_page(file_format):
    whole = track(6)
    parts = whole.take(slice(0, 2)), whole.take(slice(2, 2)), whole.take(slice(2, 6))
    assert await text_of(file_format, *parts) == await text_of(file_format, whole)


async def test_csv_has_the_header_and_empty_fields_for_the_unknown():
    rows = list(csv.reader(io.StringIO(await text_of(TrackFormat.CSV, track(2)))))
    assert ",".join(rows[0]) == "fixed_at,lat,lon,speed_mps,course_deg,accuracy_m,altitude_m,battery_pct"
    assert rows[1] == ["2026-11-23T10:00:00Z", "41.15", "-8.61", "", "271.0", "4.5", "80.0", "64.0"]
    marked = list(csv.reader(io.StringIO(await text_of(TrackFormat.CSV, track(4), with_marks=True))))
    assert [row[-1] for row in marked] == ["marks", "0", "0", "0", "1"]


async def test_gpx_begins_a_new_segment_after_a_long_gap():
    root = ET.fromstring(await text_of(TrackFormat.GPX, track(5, gap_after=2)))
    space = {"g": "http://www.topografix.com/GPX/1/1"}
    assert [len(segment.findall("g:trkpt", space)) for segment in root.findall(".//g:trkseg", space)] == [3, 2]
    point = root.find(".//g:trkpt", space)
    assert (point.get("lat"), point.find("g:time", space).text) == ("41.1500000", "2026-11-23T10:00:00Z")


async def test_moving_features_json_is_read_by_movingpandas():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # optional parts of its own that it misses
        import movingpandas  # noqa: PLC0415 - it warns when it is imported

        feature = json.loads(await text_of(TrackFormat.MF_JSON, track(4)))
        whole = movingpandas.io.read_mf_dict(feature, traj_id_property="courier_id")
        del feature["temporalGeometry"]
        old = movingpandas.io.read_mf_dict(feature, traj_id_property="courier_id")
    for trajectory in (whole, old):
        assert len(trajectory.df) == 4
        assert trajectory.get_end_time() == datetime(2026, 11, 23, 10, 0, 15)  # noqa: DTZ001 - its times have no zone


@pytest.mark.parametrize("file_format", TrackFormat)
async def test_empty_track_is_a_valid_file(file_format):
    text = await text_of(file_format)
    if file_format is TrackFormat.GPX:
        assert ET.fromstring(text) is not None
    elif file_format is TrackFormat.CSV:
        assert len(text.splitlines()) == 1
    else:
        assert json.loads(text)["geometry"]["coordinates"] == []


async def test_times_are_as_fine_as_the_device_gave_them():
    fine = PositionColumns.from_positions(
        [
            Position(
                courier_id=ANNA, fix=Fix(at=LatLon(1, 2), fixed_at=START + timedelta(microseconds=1)), received_at=START
            )
        ]
    )
    assert "2026-11-23T10:00:00.000001Z" in await text_of(TrackFormat.CSV, fine)
