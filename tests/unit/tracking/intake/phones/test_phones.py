"""The wire formats, vector by vector, and the law that nothing a phone sends raises."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.intake.phones import doors
from tracking.intake.phones.heard import SpeedUnit
from tracking.intake.reading import UNREADABLE_VALUE
from tracking.quality import Reason

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def approximately(value):
    return pytest.approx(value, abs=1e-6)


def of_osmand(query="", body=b"", **more):
    return doors.read(doors.OSMAND, query, body, now=NOW, **more)


def of_owntracks(message, **more):
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    return doors.read(doors.OWNTRACKS, "", body, now=NOW, **more)


def of_gpslogger(query="", body=b"", **more):
    return doors.read(doors.GPSLOGGER, query, body, now=NOW, **more)


def only(heard):
    assert not heard.unusable
    [reading] = heard.readings
    return reading


def reasons(heard):
    assert not heard.readings
    return [reason for reason, _ in heard.unusable]


# OsmAnd and Traccar Client, query and form

V10_FORM = (
    b"id=48241179&lat=52.5200&lon=13.4050&timestamp=1755772800"
    b"&accuracy=6.0&altitude=34.0&speed=12.31&bearing=88.0&batt=71&charge=false"
)


def test_traccar_client_10_form_has_knots():
    heard = of_osmand("token=abc", V10_FORM)
    reading = only(heard)
    assert heard.devices == {"48241179"}
    assert reading.fixed_at == datetime(2025, 8, 21, 10, 40, tzinfo=UTC)
    assert (reading.lat, reading.lon, reading.accuracy_m, reading.altitude_m) == (52.52, 13.405, 6.0, 34.0)
    assert (reading.course_deg, reading.battery_pct, reading.mock) == (88.0, 71.0, False)
    assert reading.speed_mps == approximately(12.31 * 1852 / 3600)


def test_traccar_client_8_sends_everything_in_the_query_of_an_empty_post():
    reading = only(
        of_osmand("id=1&timestamp=1755772800&lat=1.5&lon=2.5&speed=0.0&bearing=0.0&altitude=0&accuracy=20&mock=true")
    )
    assert reading.mock
    assert reading.speed_mps == 0.0


def test_osmand_app_sends_milliseconds_and_its_metres_a_second_are_told_by_the_url():
    reading = only(
        of_osmand(
            "lat=38.7&lon=-9.1&timestamp=1755772800123&accuracy=4.5&speed=3&bearing=350",
            unit=SpeedUnit.METRES_PER_SECOND,
        )
    )
    assert reading.fixed_at == datetime(2025, 8, 21, 10, 40, 0, 123000, tzinfo=UTC)
    assert reading.speed_mps == 3.0


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        (None, 36 * 1852 / 3600),
        (SpeedUnit.KNOTS, 36 * 1852 / 3600),
        (SpeedUnit.KILOMETRES_PER_HOUR, 10.0),
        (SpeedUnit.METRES_PER_SECOND, 36.0),
        (SpeedUnit.MILES_PER_HOUR, 36 * 0.44704),
    ],
)
def test_speed_is_knots_unless_the_token_says_otherwise(unit, expected):
    assert only(of_osmand("lat=1&lon=2&speed=36", unit=unit)).speed_mps == approximately(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2147483646", datetime(2038, 1, 19, 3, 14, 6, tzinfo=UTC)),
        ("1755772800000", datetime(2025, 8, 21, 10, 40, tzinfo=UTC)),
        ("2147483647", datetime(1970, 1, 25, 20, 31, 23, 647000, tzinfo=UTC)),
        ("2025-06-15T13:45:12.862Z", datetime(2025, 6, 15, 13, 45, 12, 862000, tzinfo=UTC)),
        ("2025-06-15T15:45:12%2B02:00", datetime(2025, 6, 15, 13, 45, 12, tzinfo=UTC)),
        ("2025-06-15T15:45:12+02:00", datetime(2025, 6, 15, 13, 45, 12, tzinfo=UTC)),
        ("2025-06-15 13:45:12", datetime(2025, 6, 15, 13, 45, 12, tzinfo=UTC)),
        ("", NOW),
    ],
)
def test_timestamp_is_seconds_milliseconds_iso_or_utc_text(text, expected):
    assert only(of_osmand(f"lat=1&lon=2&timestamp={text}")).fixed_at == expected


def test_location_holds_both_coordinates_and_heading_is_a_name_of_bearing():
    reading = only(of_osmand("deviceid=x&location=52.5,-13.25&heading=361"))
    assert (reading.lat, reading.lon, reading.course_deg) == (52.5, -13.25, 1.0)


def test_minus_one_is_unknown():
    reading = only(of_osmand("lat=1&lon=2&speed=-1&bearing=-1&accuracy=-1&batt=-1"))
    assert (reading.speed_mps, reading.course_deg, reading.accuracy_m, reading.battery_pct) == (None,) * 4


def test_missing_values_are_unknown():
    reading = only(of_osmand("lat=1&lon=2&speed=&altitude="))
    assert (reading.speed_mps, reading.altitude_m, reading.accuracy_m, reading.battery_pct) == (None,) * 4


@pytest.mark.parametrize("query", ["id=1", "id=1&notificationToken=abc:def", "id=1&batt=40&timestamp=1755772800", ""])
def test_request_without_a_place_is_a_heartbeat(query):
    heard = of_osmand(query)
    assert not heard.readings
    assert not heard.unusable


@pytest.mark.parametrize(
    "query",
    [
        "lat=x&lon=2",
        "lat=1",
        "lat=1&lon=nan",
        "lat=1&lon=2&timestamp=yesterday",
        "location=1",
    ],
)
def test_malformed_value_is_unreadable(query):
    assert reasons(of_osmand(query)) == [Reason.UNREADABLE]


def test_position_that_the_device_calls_invalid_is_not_used():
    assert reasons(of_osmand("lat=1&lon=2&valid=false")) == [Reason.INVALID]
    assert only(of_osmand("lat=1&lon=2&valid=1"))


def test_whatever_else_is_sent_is_ignored():
    query = "lat=1&lon=2&cell=250,1,2,3&cell=250,1,2,4&wifi=aa-bb,-60&alarm=sos&driverUniqueId=7&hdop=0.9"
    assert only(of_osmand(query)).lat == 1.0


# Traccar Client 9, JSON

V9 = {
    "location": {
        "timestamp": "2025-06-15T13:45:12.862Z",
        "coords": {
            "latitude": 37.4219983, "longitude": -122.084, "accuracy": 5, "speed": 0, "heading": -1, "altitude": 5,
        },
        "is_moving": False, "odometer": 0, "event": "motionchange",
        "battery": {"level": 1, "is_charging": False}, "activity": {"type": "still"},
        "extras": {}, "_": "&id=48241179&lat=37.4219983&lon=-122.084&timestamp=2025-06-15T13:45:12.862Z&",
    },
    "device_id": "48241179",
}  # fmt: skip


def test_traccar_client_9_json_has_metres_a_second_and_a_battery_from_0_to_1():
    heard = of_osmand("", json.dumps(V9).encode())
    reading = only(heard)
    assert heard.devices == {"48241179"}
    assert reading.fixed_at == datetime(2025, 6, 15, 13, 45, 12, 862000, tzinfo=UTC)
    assert (reading.lat, reading.lon, reading.accuracy_m) == (37.4219983, -122.084, 5.0)
    assert (reading.speed_mps, reading.course_deg, reading.battery_pct, reading.altitude_m) == (0.0, None, 100.0, 5.0)


def test_traccar_client_9_extra_and_missing_members_do_no_harm():
    coords = {"latitude": 1.5, "longitude": 2.5, "speed_accuracy": 1, "floor": None, "heading_accuracy": 3}
    location = {"coords": coords, "uuid": "u", "age": 5, "battery": {"level": -1}, "mock": True}
    reading = only(of_osmand("", json.dumps({"location": location, "device_id": 7}).encode()))
    assert (reading.fixed_at, reading.battery_pct, reading.speed_mps, reading.mock) == (NOW, None, None, True)


def test_traccar_client_9_without_coordinates_is_a_heartbeat():
    heard = of_osmand("", json.dumps({"location": {"event": "heartbeat"}, "device_id": "7"}).encode())
    assert (list(heard.readings), list(heard.unusable), heard.devices) == ([], [], {"7"})


def test_arrays_of_locations_and_of_flat_objects_are_read_one_by_one():
    batch = {"device_id": "7", "location": [V9["location"], {"coords": {"latitude": "x"}}, V9["location"]]}
    heard = of_osmand("", json.dumps(batch).encode())
    assert (len(heard.readings), [reason for reason, _ in heard.unusable]) == (2, [Reason.UNREADABLE])
    flat = [{"id": "7", "lat": 1, "lon": 2, "speed": 10}, 3, {"lat": "1.5", "lon": "2.5", "timestamp": 1755772800}]
    heard = of_osmand("", json.dumps(flat).encode())
    assert [reading.lat for reading in heard.readings] == [1.0, 1.5]
    assert heard.readings[0].speed_mps == approximately(10 * 1852 / 3600)
    assert [reason for reason, _ in heard.unusable] == [Reason.UNREADABLE]


@pytest.mark.parametrize("body", [b"{", b'{"location": {"coords": 3}}', b"[[]]", b'{"location": {"coords": {}}}'])
def test_malformed_json_is_unreadable(body):
    assert reasons(of_osmand("", body)) == [Reason.UNREADABLE]


# OwnTracks

OWNTRACKS = {
    "_type": "location", "tid": "JJ", "lat": 48.85833, "lon": 2.29513, "tst": 1497349316, "acc": 5, "vac": 21,
    "alt": 167, "vel": 61, "cog": 271, "batt": 67, "t": "u", "conn": "m", "topic": "owntracks/jane/phone",
}  # fmt: skip


def test_owntracks_location_has_kilometres_an_hour():
    heard = of_owntracks(OWNTRACKS)
    reading = only(heard)
    assert reading.fixed_at == datetime(2017, 6, 13, 10, 21, 56, tzinfo=UTC)
    assert reading.speed_mps == pytest.approx(16.94, abs=0.005)
    assert (reading.course_deg, reading.accuracy_m, reading.altitude_m, reading.battery_pct) == (
        271.0,
        5.0,
        167.0,
        67.0,
    )
    assert heard.devices == {"jane", "phone", "jane/phone"}


def test_owntracks_headers_name_the_device_and_tid_alone_does_not():
    message = {name: value for name, value in OWNTRACKS.items() if name != "topic"}
    assert of_owntracks(message).devices == set()
    assert of_owntracks(message, user="jane", device="x").devices == {"jane", "x", "jane/x"}


def test_owntracks_old_clients_send_the_time_as_text_and_minus_one_for_unknown():
    reading = only(of_owntracks({**OWNTRACKS, "tst": "1440363922", "vel": -1, "cog": -1}))
    assert reading.fixed_at == datetime(2015, 8, 23, 21, 5, 22, tzinfo=UTC)
    assert (reading.speed_mps, reading.course_deg) == (None, None)


@pytest.mark.parametrize(
    "kind",
    [
        "transition",
        "waypoint",
        "waypoints",
        "lwt",
        "card",
        "cmd",
        "steps",
        "beacon",
        "status",
        "dump",
        "configuration",
        "request",
    ],
)
def test_every_owntracks_type_is_welcome_as_a_sign_of_life(kind):
    heard = of_owntracks({"_type": kind, "tst": 1497349316})
    assert not heard.readings
    assert not heard.unusable


def test_owntracks_transition_tells_a_place_too():
    assert only(of_owntracks({**OWNTRACKS, "_type": "transition", "event": "enter"})).lat == 48.85833


def test_owntracks_encrypted_payload_is_recorded_as_such():
    assert reasons(of_owntracks({"_type": "encrypted", "data": "xyz"})) == [Reason.ENCRYPTED]


@pytest.mark.parametrize(
    "message",
    [
        b"{",
        b"[3]",
        {**OWNTRACKS, "_type": "news"},
        {**OWNTRACKS, "lat": None},
        {**OWNTRACKS, "tst": None},
    ],
)
def test_malformed_owntracks_message_is_unreadable(message):
    assert reasons(of_owntracks(message)) == [Reason.UNREADABLE]


# GPSLogger

TEMPLATE = (
    "lat={lat}&lon=-9.139&timestamp=1755772800&acc={acc}&spd={spd}&dir={dir}&alt=80.5&batt=93&act=STILL&prov=gps"
    "&sat=9&hdop=0.9&id=8a7b"
)


def test_gpslogger_query_has_metres_a_second():
    heard = of_gpslogger(TEMPLATE.format(lat=38.722, acc=5.5, spd=4.25, dir=123.4))
    reading = only(heard)
    assert heard.devices == {"8a7b"}
    assert reading.fixed_at == datetime(2025, 8, 21, 10, 40, tzinfo=UTC)
    assert (reading.lat, reading.lon, reading.accuracy_m, reading.speed_mps) == (38.722, -9.139, 5.5, 4.25)
    assert (reading.course_deg, reading.altitude_m, reading.battery_pct) == (123.4, 80.5, 93.0)


def test_gpslogger_zero_is_unknown():
    reading = only(of_gpslogger(TEMPLATE.format(lat=38.722, acc="0.0", spd="0.0", dir="0.0")))
    assert (reading.accuracy_m, reading.speed_mps, reading.course_deg) == (None, None, None)


@pytest.mark.parametrize(
    "body",
    [
        b"latitude=1.5&longitude=2.5&accuracy=3&speed=4&direction=5&altitude=6&battery=7&device=8&time=2016-03-05T19:24:29.949Z",
        (
            b' {"latitude": 1.5, "longitude": "2.5", "accuracy": 3, "speed": "4.0", "direction": 5, "altitude": 6,'
            b' "battery": 7, "device": "8", "time": "2016-03-05T19:24:29.949Z"}'
        ),
    ],
)
def test_gpslogger_body_is_sniffed_and_aliases_are_known(body):
    heard = of_gpslogger("token=secret", body)
    reading = only(heard)
    assert (reading.lat, reading.lon, reading.accuracy_m, reading.speed_mps) == (1.5, 2.5, 3.0, 4.0)
    assert (reading.course_deg, reading.altitude_m, reading.battery_pct) == (5.0, 6.0, 7.0)
    assert reading.fixed_at == datetime(2016, 3, 5, 19, 24, 29, 949000, tzinfo=UTC)
    assert heard.devices == {"8"}


# Every shape, at every door

DOORS = {"osmand": doors.OSMAND, "owntracks": doors.OWNTRACKS, "gpslogger": doors.GPSLOGGER}
AT = "2026-11-23T11:59:00Z"
COORDS = {"latitude": 59.93, "longitude": 30.33, "accuracy": 5, "speed": 3, "heading": 90, "altitude": 10}
V9_PART = {"timestamp": AT, "coords": COORDS, "battery": {"level": 0.5, "is_charging": False}}
POINT = {"type": "Point", "coordinates": [30.33, 59.93]}
OVERLAND_PART = {
    "type": "Feature",
    "geometry": POINT,
    "properties": {"timestamp": AT, "horizontal_accuracy": 7, "speed": -1, "battery_level": -1, "battery_state": ""},
}
FORM = f"lat=59.93&lon=30.33&timestamp={AT}"


def multipart(**fields):
    lines = [
        f'--xYz\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
    ]
    return ("".join(lines) + "--xYz--\r\n").encode()


def encoded(content):
    return json.dumps(content).encode()


SHAPES = {
    "traccar 9": encoded({"location": V9_PART, "device_id": "x"}),
    "with a byte order mark": b"\xef\xbb\xbf" + encoded({"location": V9_PART, "device_id": "x"}),
    "in UTF-16": json.dumps({"location": V9_PART}).encode("utf-16"),
    "locations": encoded({"locations": [V9_PART]}),
    "bare location": encoded(V9_PART),
    "array of locations": encoded([V9_PART]),
    "overland": encoded({"locations": [OVERLAND_PART]}),
    "feature": encoded(OVERLAND_PART),
    "feature collection": encoded({"type": "FeatureCollection", "features": [OVERLAND_PART]}),
    "point beside its time": encoded({"timestamp": AT, "location": POINT, "speed": 3}),
    "flat": encoded({"lat": 59.93, "lon": 30.33, "timestamp": AT}),
    "flat with long names": encoded({"latitude": 59.93, "longitude": 30.33, "time": AT}),
    "flat with lng": encoded({"lat": "59.93", "lng": "30.33", "time": AT}),
    "upper case": encoded({"LAT": 59.93, "LON": 30.33, "TIMESTAMP": AT}),
    "our own": encoded({"fixed_at": AT, "lat": 59.93, "lon": 30.33, "speed_mps": 3}),
    "our own, many": encoded({"fixes": [{"fixed_at": AT, "lat": 59.93, "lon": 30.33}]}),
    "owntracks": encoded({"_type": "location", "lat": 59.93, "lon": 30.33, "tst": 1795435140}),
    "form": FORM.encode(),
    "form in upper case": FORM.upper().encode(),
    "form with a mark": b"\xef\xbb\xbf" + FORM.encode(),
    "multipart": multipart(lat="59.93", lon="30.33", timestamp=AT, batt="50"),
    "JSON in a multipart": multipart(data=json.dumps({"location": V9_PART})),
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_read_at_every_door(door, shape):
    reading = only(doors.read(DOORS[door], "token=abc", SHAPES[shape], now=NOW))
    assert (reading.lat, reading.lon) == (59.93, 30.33)
    assert reading.fixed_at == datetime(2026, 11, 23, 11, 59, tzinfo=UTC)
    if "traccar" in shape or "location" in shape:
        assert (reading.speed_mps, reading.course_deg, reading.battery_pct) == (3.0, 90.0, 50.0)


@pytest.mark.parametrize("names", ["latitude={}&longitude={}", "LAT={}&LON={}", "lat={}&lng={}", "location={},{}"])
@pytest.mark.parametrize("time", ["timestamp", "time", "TIME"])
def test_query_is_read_under_many_names(names, time):
    reading = only(of_osmand(f"{names.format(59.93, 30.33)}&{time}=1755772800"))
    assert (reading.lat, reading.lon, reading.fixed_at.year) == (59.93, 30.33, 2025)


def test_overland_hears_that_it_worked():
    assert of_osmand("", SHAPES["overland"]).reply == b'{"result":"ok"}'
    assert of_osmand("", SHAPES["locations"]).reply is None


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    "body",
    [
        b"hello",
        b"{}",
        b"[{}]",
        b"null",
        b"0",
        b"\xff\xfe",
        b"\x00\x01\x02",
        b"&&&",
        b"<gpx><trkpt lat='1' lon='2'/></gpx>",
        b"59.93,30.33",
        b"--xYz\r\nContent-Disposition: form-data; name=f; filename=a.gpx\r\n\r\n<gpx/>\r\n--xYz--",
        encoded({"x": 59.93, "y": 30.33}),
        encoded({"ping": True}),
        encoded({"locations": 3}),
        encoded({"location": {}}),
        encoded({"location": {"x": 1}}),
        encoded({"type": "Feature", "geometry": None, "properties": {}}),
        encoded({"type": "Feature", "geometry": {"type": "LineString", "coordinates": [[1, 2], [3, 4]]}}),
        encoded({"_type": "news"}),
    ],
)
def test_what_no_door_recognises_is_kept_whole_and_never_a_heartbeat(door, body):
    heard = doors.read(DOORS[door], "id=7", body, now=NOW)
    assert reasons(heard) == [Reason.UNREADABLE]


@pytest.mark.parametrize("query", ["hello", "foo=1", "id=1&x=59.93&y=30.33"])
def test_query_that_nobody_knows_is_kept(query):
    assert reasons(of_osmand(query)) == [Reason.UNREADABLE]


def test_place_in_the_query_is_not_lost_with_an_odd_body():
    heard = of_osmand(FORM, b"\x00\x01")
    assert [reading.lat for reading in heard.readings] == [59.93]
    assert [reason for reason, _ in heard.unusable] == [Reason.UNREADABLE]
    assert len(of_osmand(FORM, SHAPES["locations"]).readings) == 2
    assert len(of_osmand(FORM, encoded({"batt": 50})).readings) == 1


def test_parts_beyond_the_limit_are_kept_as_one():
    heard = of_osmand("", encoded([V9_PART] * 5), limit=3)
    assert (len(heard.readings), len(heard.unusable)) == (3, 1)


@pytest.mark.parametrize("value", ["fast", "nan", "NaN", "Infinity", "-inf", "1e999", "%25BATT", "1,5", "true"])
@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("speed", "speed_mps"),
        ("bearing", "course_deg"),
        ("accuracy", "accuracy_m"),
        ("altitude", "altitude_m"),
        ("batt", "battery_pct"),
    ],
)
def test_bad_optional_value_never_costs_the_place(name, field, value):
    reading = only(of_osmand(f"lat=59.93&lon=30.33&{name}={value}"))
    assert (reading.lat, getattr(reading, field)) == (59.93, UNREADABLE_VALUE)
    assert reading.mock is False


@pytest.mark.parametrize("value", [[], {}, True, "fast", [1]])
def test_optional_value_of_a_wrong_type_never_costs_the_place(value):
    coords = {**COORDS, "speed": value, "heading": value, "accuracy": value, "altitude": value}
    body = encoded({"location": {"coords": coords, "battery": value, "mock": "perhaps"}})
    reading = only(of_osmand("", body))
    assert {reading.speed_mps, reading.course_deg, reading.accuracy_m, reading.altitude_m} == {UNREADABLE_VALUE}


def test_json_with_nan_and_infinity_is_read():
    reading = only(of_osmand("", b'{"lat": 59.93, "lon": 30.33, "altitude": NaN, "speed": Infinity}'))
    assert (reading.lat, reading.altitude_m, reading.speed_mps) == (59.93, UNREADABLE_VALUE, UNREADABLE_VALUE)


PARTS = st.sampled_from([
    (V9_PART, 1),
    (OVERLAND_PART, 1),
    ({"lat": 1, "lon": 2, "timestamp": AT}, 1),
    ({"_type": "location", "lat": 1, "lon": 2, "tst": 5}, 1),
    ({"_type": "location"}, 1),
    ({"lat": 1, "lon": "east"}, 1),
    ({"what": "ever"}, 1),
    (3, 1),
    ([], 1),
    (None, 1),
    ({"_type": "lwt"}, 0),
    ({"event": "heartbeat", "is_moving": False}, 0),
])  # fmt: skip


@given(st.lists(PARTS, max_size=8), st.sampled_from(["locations", "location", "features", "fixes", None]))
def test_accepted_and_quarantined_are_what_was_sent(parts, name):
    """In any mix and order, at every door; a known sign of life is no fix."""
    content = [part for part, _ in parts]
    body = encoded(content if name is None else {name: content})
    for habits in DOORS.values():
        heard = doors.read(habits, "", body, now=NOW)
        assert len(heard.readings) + len(heard.unusable) == sum(n for _, n in parts)


# All of them

texts = st.text(max_size=30)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
NAMES = "_type location locations coords geometry type lat lon latitude longitude tst timestamp speed vel spd battery"
objects = st.dictionaries(
    st.sampled_from(NAMES.split()), values | st.sampled_from(["location", "Feature", 1, 2.5]), max_size=8
)
bodies = st.binary(max_size=60) | (objects | st.lists(objects, max_size=2)).map(encoded)


@given(texts, bodies)
def test_nothing_a_phone_sends_raises(query, body):
    for heard in (of_osmand(query, body), of_owntracks(body), of_gpslogger(query, body)):
        assert all(isinstance(payload, bytes) for _, payload in heard.unusable)
        assert all(reading.fixed_at.tzinfo is not None for reading in heard.readings)
