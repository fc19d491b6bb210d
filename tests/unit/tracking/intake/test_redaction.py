"""What is kept holds no secret, wherever and however it was written."""

import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.web.auth import Role, new_token
from tracking.intake.redaction import redacted

TOKEN = "pr_c_" + "LilIzh09F9vocyV9X6PrFvFzp_2VaZIEDFtm-DbcCLA"
"""Always the same, for it stands in the names of tests, which several workers compare."""


def test_the_token_looks_like_one_of_ours():
    made = new_token(Role.COURIER).token
    assert (made[:5], len(made)) == (TOKEN[:5], len(TOKEN))


@pytest.mark.parametrize(
    "payload",
    [
        f"lat=1&lon=x&token={TOKEN}",
        f"{TOKEN}",
        f"id={TOKEN}&lat=north",
        f"lat={TOKEN}",
        f"Authorization: Bearer {TOKEN}",
        f"https://anna:{TOKEN}@example.org/ingest",
        "token=" + TOKEN.replace("_", "%5F"),
        "id=" + "".join(f"%{ord(letter):02x}" for letter in TOKEN),
        '{"id": "' + TOKEN.replace("_", "\\u005f"),
        json.dumps({"token": TOKEN}),
        json.dumps({"a": [{"b": {"Password": TOKEN}}]}),
        json.dumps({TOKEN: 1}),
        '{"id": "' + TOKEN + '", "id": 1}',
        json.dumps({"note": f"my token is {TOKEN}, please"}),
        json.dumps({"token": TOKEN})[:-1],
        f"--x\r\nContent-Disposition: form-data; name=token\r\n\r\n{TOKEN}\r\n--x--",
        f"\0\1\2{TOKEN}\0",
    ],
)
def test_our_token_is_nowhere(payload):
    kept = redacted(payload.encode())
    for form in (TOKEN, TOKEN[6:], quote(TOKEN, safe=""), TOKEN.replace("_", "\\u005f")):
        assert form.encode() not in kept
    assert redacted(kept) == kept


def test_our_token_in_utf_16_is_nowhere():
    assert TOKEN.encode() not in redacted(f"id={TOKEN}&lat=x".encode("utf-16")).replace(b"\0", b"")


@pytest.mark.parametrize(
    "name", ["token", "Password", "pwd", "api_key", "apiKey", "access_token", "notificationToken", "AUTHORIZATION"]
)
@pytest.mark.parametrize("write", [
    lambda name: f"lat=1&{name}=hunter2&lon=x",
    lambda name: json.dumps({"lat": "x", name: "hunter2"}),
    lambda name: json.dumps({"lat": "x", "deep": [{name: ["hunter2"]}]}),
    lambda name: json.dumps({"lat": "x", name: "hunter2"})[:-1],
    lambda name: json.dumps({"lat": "x", "query": f"{name}=hunter2&a=1"}),
])  # fmt: skip
def test_what_is_called_a_secret_is_removed_and_the_rest_stays(name, write):
    kept = redacted(write(name).encode())
    assert b"hunter2" not in kept
    assert b"lat" in kept
    assert b"[removed]" in kept


@given(
    st.dictionaries(st.sampled_from(["lat", "lon", "speed", "note"]), st.floats(0, 9) | st.sampled_from(["", "north"]))
)
def test_what_holds_no_secret_is_kept_as_it_is(fields):
    assert redacted(json.dumps(fields).encode()) == json.dumps(fields).encode()
    form = "&".join(f"{name}={value}" for name, value in fields.items()).encode()
    assert redacted(form) == form


@given(st.binary(max_size=200))
def test_no_payload_raises(payload):
    assert isinstance(redacted(payload), bytes)
