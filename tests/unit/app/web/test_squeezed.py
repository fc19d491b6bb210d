"""What a viewer reads is what it was told, at once, however it goes over the wire."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.web.squeezed import STORED_BYTES, Gzip, Wire, encode
from tracking.feed.view import Message, Told

SHORT = st.binary(max_size=50)
LONG = st.binary(min_size=1, max_size=20).map(lambda part: part * STORED_BYTES)


@given(st.lists(st.tuples(st.sampled_from(["one", "alike"]), st.one_of(SHORT, LONG)), max_size=8))
def test_a_gzip_reader_gets_each_part_as_soon_as_it_is_sent(parts):
    wire, reader = Gzip(), zlib.decompressobj(zlib.MAX_WBITS | 16)
    assert reader.decompress(wire.head) == b""
    for how, data in parts:
        told = Told([Message("delta", data)])
        sent = wire.one(data) if how == "one" else wire.alike(told)
        assert reader.decompress(sent) == (data if how == "one" else encode(told[0]))


@pytest.mark.parametrize("kind", [Wire, Gzip])
def test_what_all_are_told_alike_is_made_once_and_is_much_shorter_compressed(kind):
    told = Told([Message("delta", b'{"courier_id":"a","lat":41.15}' * 1000)])
    first, second = kind().alike(told), kind().alike(told)
    assert first is second
    assert (len(first) < 3000) is (kind is Gzip)


def test_viewers_of_both_kinds_are_told_the_same():
    told = Told([Message("delta", b"[]" * 1000)])
    wire = Gzip()
    assert zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(wire.head + wire.alike(told)) == Wire().alike(told)
