import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.intake.decoding import TooManyFixes, decode
from tracking.intake.reading import UNREADABLE_VALUE

GOOD = {"fixed_at": "2026-11-23T12:00:00Z", "lat": 41.15, "lon": -8.61, "speed_mps": None, "unheard_of": [1]}


@pytest.mark.parametrize(("body", "n"), [(GOOD, 1), ([GOOD] * 3, 3), ({"fixes": [GOOD] * 2}, 2), ([], 0)])
def test_each_shape_is_read(body, n):
    decoded = decode(json.dumps(body).encode())
    assert (len(decoded.readings), list(decoded.unreadable)) == (n, [])


@given(st.lists(st.sampled_from(["good", "bad"]), max_size=8), st.booleans())
def test_readings_and_unreadable_parts_keep_their_places(kinds, is_envelope):
    parts = [GOOD if kind == "good" else {"lat": "x"} for kind in kinds]
    decoded = decode(json.dumps({"fixes": parts} if is_envelope else parts).encode())
    indices = list(decoded.indices) or list(range(len(decoded.readings)))
    assert indices == [i for i, kind in enumerate(kinds) if kind == "good"]
    assert [i for i, _ in decoded.unreadable] == [i for i, kind in enumerate(kinds) if kind == "bad"]


@given(st.binary(max_size=80))
def test_no_body_raises(body):
    decoded = decode(body)
    assert len(decoded.readings) + len(decoded.unreadable) >= 0


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"fixes":' * 50_000, b'{"a":' * 100_000])
def test_deep_nesting_is_unreadable(body):
    assert decode(body).unreadable


def only(body):
    decoded = decode(body)
    assert list(decoded.unreadable) == []
    [reading] = decoded.readings
    return reading


@pytest.mark.parametrize("name", ["accuracy_m", "speed_mps", "course_deg", "altitude_m", "battery_pct"])
@pytest.mark.parametrize("value", ['"fast"', "[]", "{}", "true", "NaN", "Infinity", "-Infinity", "1e999", "9" * 400])
def test_bad_optional_value_never_costs_the_place(name, value):
    body = f'{{"fixed_at": "2026-11-23T12:00:00Z", "lat": 41.15, "lon": -8.61, "mock": 3, "{name}": {value}}}'
    reading = only(body.encode())
    assert (reading.lat, getattr(reading, name), reading.mock) == (41.15, UNREADABLE_VALUE, False)


@pytest.mark.parametrize(
    "change",
    [
        {"lat": "north"},
        {"lat": None},
        {"lon": [1]},
        {"fixed_at": 5},
        {"fixed_at": "2026-11-23T12:00:00"},
        {"courier_id": "x"},
    ],
)
def test_bad_value_that_must_be_there_costs_the_fix(change):
    assert len(decode(json.dumps({**GOOD, **change}).encode()).unreadable) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"\xef\xbb\xbf" + json.dumps(GOOD).encode(),
        json.dumps(GOOD).encode("utf-16"),
        json.dumps({name.upper(): value for name, value in GOOD.items()}).encode(),
        json.dumps({"lat": 41.15, "lng": -8.61, "timestamp": 1795435200}).encode(),
        json.dumps(
            {"location": {"timestamp": "2026-11-23T12:00:00Z", "coords": {"latitude": 41.15, "longitude": -8.61}}}
        ).encode(),
        json.dumps(
            {"locations": [{"timestamp": "2026-11-23T12:00:00Z", "coords": {"latitude": 41.15, "longitude": -8.61}}]}
        ).encode(),
        json.dumps(
            {
                "type": "Feature",
                "geometry": {"type": "Point", "coordinates": [-8.61, 41.15]},
                "properties": {"timestamp": "2026-11-23T12:00:00Z"},
            }
        ).encode(),
    ],
)
def test_what_phone_apps_write_is_read_too(body):
    reading = only(body)
    assert (reading.lat, reading.lon, reading.fixed_at.isoformat()) == (41.15, -8.61, "2026-11-23T12:00:00+00:00")


@pytest.mark.parametrize("part", [b"{}", json.dumps(GOOD).encode()])
def test_more_fixes_than_allowed_are_told_before_they_are_looked_at(part):
    assert len(decode(b"[" + b",".join([part] * 7) + b"]", limit=7).readings) in {0, 7}
    with pytest.raises(TooManyFixes) as told:
        decode(b"[" + b",".join([part] * 8) + b"]", limit=7)
    assert told.value.n == 8
