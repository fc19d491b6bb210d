"""
Server-sent events on the wire, compressed where the viewer takes it.

A stream of its own for each viewer would cost as much as there are viewers. Instead what those who look at the same
part of the map are told alike is compressed once, as blocks that refer to nothing before them; deflate (RFC 1951) lets
such blocks follow each other in any stream. What is one viewer's own is short and stored as it is. The stream never
ends, so neither does its gzip (RFC 1952): its check sum is never sent, and readers need none.

Nothing that tells secrets goes this way: who can have others' secrets and own words compressed together, and sees how
long the result is, learns of them ("BREACH", 2013).
"""

import zlib
from collections.abc import Iterable, Sequence
from struct import pack
from typing import ClassVar, Final

from tracking.feed.view import Message, Told

LEVEL: Final = 3
"""Positions of 5,000 couriers take some 25 ms, once for all viewers; at the usual 6 twice that, for a tenth less."""
STORED_BYTES: Final = 1000
"""Shorter ones are not worth it."""

Headers = Sequence[tuple[bytes, bytes]]


def encode(message: Message) -> bytes:
    """One event on the wire; the data is one line, for JSON escapes line breaks."""
    head = b"" if message.cursor is None else b"id: %s\n" % str(message.cursor).encode()
    return b"%sevent: %s\ndata: %s\n\n" % (head, message.event.encode(), message.data)


def encoded(messages: Iterable[Message]) -> bytes:
    """Several, one after the other."""
    return b"".join(encode(message) for message in messages)


class Wire:
    """As it is."""

    name: ClassVar = "identity"
    headers: ClassVar[Headers] = ()
    head: ClassVar = b""
    """Before everything else."""

    def one(self, data: bytes) -> bytes:
        """What this viewer alone is told."""
        return data

    def alike(self, told: Told) -> bytes:
        """What several viewers are told alike; made for the first of them."""
        if self.name not in told.wire:
            told.wire[self.name] = self.one(encoded(told))
        return told.wire[self.name]


class Gzip(Wire):
    """Compressed."""

    name = "gzip"
    headers = ((b"content-encoding", b"gzip"),)
    head = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"

    def one(self, data: bytes) -> bytes:
        """Blocks that end at a whole byte; short data are one stored block, in front of which is how long it is."""
        if not data:
            return b""
        if len(data) < STORED_BYTES:
            return b"\x00" + pack("<HH", len(data), len(data) ^ 0xFFFF) + data
        deflate = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        return deflate.compress(data) + deflate.flush(zlib.Z_FULL_FLUSH)
