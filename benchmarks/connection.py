"""A client that costs next to nothing, for benchmarks of answers."""

import asyncio
import re
import ssl
import time
from typing import Self


class Connection:
    """A kept-alive connection to the API: little else than sockets, because client and server share the processor."""

    def __init__(self, url: str, *, source: str | None = None) -> None:
        """`https` is spoken without a look at the certificate: it is our own; `source`: our address to come from."""
        self.tag = ""
        scheme, _, address = url.partition("://")
        self._host, self._port = address.split(":")
        self._tls = _trusting() if scheme == "https" else None
        self._source = None if source is None else (source, 0)

    async def ask(self, method: str, path: str, token: str, body: bytes = b"") -> tuple[float, bytes]:
        """Seconds to the answer, and the answer; raises RuntimeError for one that is not a success."""
        began = time.perf_counter()
        status, content = await self.answer(method, path, token, body)
        took_s = time.perf_counter() - began
        if not 200 <= status < 300:
            raise RuntimeError(f"{method} {path}: {status} {content[:200]!r}")
        return took_s, content

    async def answer(
        self, method: str, path: str, token: str, body: bytes = b"", *, known: str = ""
    ) -> tuple[int, bytes]:
        """Its status, and what it says; `known`: the tag of what one has already. `tag`: that of this one."""
        condition = f"If-None-Match: {known}\r\n" if known else ""
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: {self._host}\r\nAuthorization: Bearer {token}\r\n{condition}"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._writer.write(head.encode() + body)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        tag = re.search(rb"etag: (\S+)", answer, re.IGNORECASE)
        self.tag = tag.group(1).decode() if tag else ""
        length = re.search(rb"content-length: (\d+)", answer, re.IGNORECASE)
        content = await self._reader.readexactly(int(length.group(1)) if length else 0)
        return int(answer.split(b" ", 2)[1]), content

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(
            self._host, int(self._port), ssl=self._tls, local_addr=self._source
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()


def _trusting() -> ssl.SSLContext:
    found = ssl.create_default_context()
    found.check_hostname = False
    found.verify_mode = ssl.CERT_NONE
    return found
