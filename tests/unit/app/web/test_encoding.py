"""Content encodings: whatever a library writes is read whole, and no more is unfolded than allowed."""

import gzip
import zlib
from itertools import pairwise

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from app.web.encoding import N_MEMBERS, BrokenEncoding, plain_body
from app.web.problems import TooMuch, UnsupportedEncoding

LIMIT = 100_000


def raw_deflate(text):
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(text) + stream.flush()


ENCODERS = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "GZIP ": gzip.compress,
    "deflate": zlib.compress,
    "deflate, identity": raw_deflate,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "identity": bytes,
    "": bytes,
}


@pytest.mark.parametrize("name", ENCODERS)
@given(st.binary(max_size=2000))
def test_what_an_encoder_writes_is_read(name, text):
    assert plain_body(ENCODERS[name](text), name, LIMIT) == text


@given(
    st.binary(max_size=3000),
    st.lists(st.integers(0, 3000), max_size=12),
    st.sampled_from(["gzip", "zstd"]),
    st.integers(0, 600),
)
def test_all_members_are_read_however_the_text_was_cut(text, cuts, name, padding):
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    body = b"".join(ENCODERS[name](text[start:end]) for start, end in pairwise(edges))
    assert plain_body(body + bytes(padding), name, LIMIT) == text


@given(st.binary(max_size=300), st.lists(st.sampled_from(["gzip", "deflate", "br", "zstd"]), max_size=3))
def test_encodings_on_top_of_one_another_are_taken_off_in_turn(text, names):
    body = text
    for name in names:
        body = ENCODERS[name](body)
    assert plain_body(body, ", ".join(names), LIMIT) == text


@pytest.mark.parametrize("name", ["compress", "utf-8", "gzip, compress", "exi", "gzip, br, gzip, br"])
def test_unknown_encoding_is_refused(name):
    with pytest.raises(UnsupportedEncoding):
        plain_body(b"{}", name, LIMIT)


def read_before_the_cut(body, name):
    try:
        left = plain_body(body, name, LIMIT)
    except BrokenEncoding as broken:
        return broken.text
    assert left == body, "what cannot be decoded at all comes back as it is"
    return b""


@pytest.mark.parametrize("name", ["gzip", "deflate", "deflate, identity", "br", "zstd"])
def test_cut_off_body_is_broken_and_not_half_a_body(name):
    text = bytes(range(256)) * 40
    body = ENCODERS[name](text)
    assert text.startswith(read_before_the_cut(body[:-3], name))


def test_damaged_second_member_is_broken():
    body = gzip.compress(b"[1]") + gzip.compress(b"[2]" * 100)
    for damaged in (body[:-10], body[:-6] + b"\0\0\0" + body[-3:], body + b"junk"):
        with pytest.raises(BrokenEncoding):
            plain_body(damaged, "gzip", LIMIT)


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd"])
@pytest.mark.parametrize("body", [b'{"lat": 1}', b"lat=1&lon=2", b""])
def test_body_that_only_claims_to_be_compressed_is_taken_as_it_is(name, body):
    assert plain_body(body, name, LIMIT) == body


@pytest.mark.parametrize("name", ENCODERS)
def test_bomb_is_noticed_before_it_is_unfolded(name):
    with pytest.raises(TooMuch):
        plain_body(ENCODERS[name](bytes(50_000_000)), name, LIMIT)


def test_no_more_members_than_an_upload_can_need():
    assert plain_body(gzip.compress(b"") * N_MEMBERS, "gzip", 10_000_000) == b""
    with pytest.raises(TooMuch):
        plain_body(gzip.compress(b"") * (N_MEMBERS + 1), "gzip", 10_000_000)


@given(st.binary(max_size=200), st.sampled_from(["gzip", "deflate", "br", "zstd", "gzip, br"]))
def test_no_bytes_raise_anything_else(body, name):
    try:
        plain_body(body, name, LIMIT)
    except (BrokenEncoding, TooMuch) as exc:
        assert str(exc)  # noqa: PT017 - which of both depends on the bytes
