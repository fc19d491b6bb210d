"""
A body as it was before its Content-Encoding (RFC 9110, section 8.4): bounded, whatever it claims to be.

gzip may have many members (RFC 1952, section 2.2: a phone that appends to a file makes one with every write), zstd many
frames; deflate comes with zlib's frame and, from those who misread the standard, without.
"""

import zlib
from collections.abc import Callable
from typing import Final, Protocol

import brotli
import zstandard

from app.web.problems import TooMuch, UnsupportedEncoding

N_MEMBERS: Final = 10_000
"""Members or frames in one body; an upload holds no more fixes by default, and each costs a decompressor."""
N_ENCODINGS: Final = 3
"""Encodings on top of one another."""
CHUNK: Final = 256
"""Compressed bytes taken at once, so that a bomb is noticed before it is unfolded: 4 bytes of zstd may be 128 KiB."""
ZSTD_WINDOW: Final = 8 * 1024 * 1024
"""Largest window of a zstd frame on the web. Source: RFC 9659, section 3."""


class BrokenEncoding(Exception):
    """The compressed body is cut off or damaged."""

    def __init__(self, text: bytes) -> None:
        """`text`: what could be read before that."""
        super().__init__(self.__doc__)
        self.text = text


class _Member(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


class _Unfolding:
    """Collects what comes out. Raises TooMuch beyond the limit."""

    def __init__(self, limit: int) -> None:
        self.parts: list[bytes] = []
        self._left = self._limit = limit

    def add(self, part: bytes) -> None:
        self._left -= len(part)
        if self._left < 0:
            raise TooMuch(f"A body may have {self._limit} bytes after decompression.")
        if part:
            self.parts.append(part)


def plain_body(body: bytes, encoding: str | None, limit: int) -> bytes:
    """
    What was encoded; a body that is plain, or of which nothing at all can be decoded, comes back as it is.

    Some senders name an encoding and do not apply it, or a proxy has taken it off already.

    Raises UnsupportedEncoding, BrokenEncoding, and TooMuch when it has more than `limit` bytes, compressed or not.
    """
    if len(body) > limit:
        raise TooMuch(f"A body may have {limit} bytes.")
    if encoding is None:
        return body
    names = [name for part in encoding.split(",") if (name := part.strip().lower()) not in {"", "identity"}]
    if len(names) > N_ENCODINGS or not DECODERS.keys() >= set(names):
        raise UnsupportedEncoding
    for name in reversed(names):
        body = _unfolded(DECODERS[name], body, limit)
    return body


def _unfolded(decoders: tuple[Callable[[bytes, _Unfolding], bool], ...], body: bytes, limit: int) -> bytes:
    if not body:
        return body
    read = b""
    for decode in decoders:
        out = _Unfolding(limit)
        try:
            is_whole = decode(body, out)
        except (zlib.error, brotli.error, zstandard.ZstdError):
            is_whole = False
        text = b"".join(out.parts)
        if is_whole:
            return text
        read = max(read, text, key=len)
    if read and not body.isascii():  # compressed bytes are never all ASCII
        raise BrokenEncoding(read)
    return body


def _members(new: Callable[[], _Member]) -> Callable[[bytes, _Unfolding], bool]:
    def decode(body: bytes, out: _Unfolding) -> bool:
        member, n = new(), 1
        for start in range(0, len(body), CHUNK):
            data = body[start : start + CHUNK]
            while data:
                if member.eof:
                    data = data.lstrip(b"\0")  # padding, as tapes and some file systems leave it
                    if not data:
                        break
                    member, n = new(), n + 1
                    if n > N_MEMBERS:
                        raise TooMuch(f"A body may have {N_MEMBERS} compressed members.")
                out.add(member.decompress(data))
                data = member.unused_data if member.eof else b""
        return member.eof

    return decode


def _brotli(body: bytes, out: _Unfolding) -> bool:
    stream = brotli.Decompressor()
    out.add(stream.process(body, output_buffer_limit=65_536))
    while not stream.is_finished() and not stream.can_accept_more_data():
        out.add(stream.process(b"", output_buffer_limit=65_536))
    return bool(stream.is_finished())


_gzip: Final = _members(lambda: zlib.decompressobj(16 + zlib.MAX_WBITS))
_zlib: Final = _members(zlib.decompressobj)
_deflate: Final = _members(lambda: zlib.decompressobj(-zlib.MAX_WBITS))
_zstd: Final = _members(lambda: zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW).decompressobj())

DECODERS: Final[dict[str, tuple[Callable[[bytes, _Unfolding], bool], ...]]] = {
    "gzip": (_gzip,),
    "x-gzip": (_gzip,),
    "deflate": (_zlib, _deflate),
    "br": (_brotli,),
    "zstd": (_zstd,),
}
"""By name; the first that reads the whole body counts."""
