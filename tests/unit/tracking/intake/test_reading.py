import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.intake.reading import decode

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
