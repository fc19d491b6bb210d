"""
Lists go compressed to whoever takes gzip, where a route is marked so: `opt=COMPRESSED`.

Only lists of the desk are: they are long, and no secret stands in them beside what a stranger wrote, whose length a
listener could learn from ("BREACH", 2013). What takes longer than a moment is done beside the event loop.
"""

import asyncio
import zlib
from typing import Any, Final

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from app.web.static import SMALLEST_COMPRESSED_BYTES, takes_gzip

COMPRESSED: Final = {"compressed": True}
"""The mark of a route."""
LEVEL: Final = 4
BESIDE_BYTES: Final = 64_000
"""Of more than about a millisecond."""
GZIP: Final = zlib.MAX_WBITS | 16


def gzipped(body: bytes) -> bytes:
    """As RFC 1952 has it."""
    deflate = zlib.compressobj(LEVEL, zlib.DEFLATED, GZIP)
    return deflate.compress(body) + deflate.flush()


class CompressionMiddleware:
    """Compresses the whole answers of marked routes; a stream goes through as it is."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hold back the head of a good answer until its body is there."""
        if scope["type"] != ScopeType.HTTP or not scope["route_handler"].opt.get("compressed"):
            await self.app(scope, receive, send)
            return
        accepted = next((v.decode("latin-1") for k, v in scope["headers"] if k == b"accept-encoding"), "")
        does_take = takes_gzip(accepted)
        head: Any = None

        async def pressed(message: Message) -> None:
            nonlocal head
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"vary", b"accept-encoding")]
                if does_take and message["status"] == 200:
                    head = message
                    return
            elif head is not None:
                begun, head = head, None
                if message["type"] == "http.response.body":
                    message["body"] = await _pressed(begun, message)
                await send(begun)
            await send(message)

        await self.app(scope, receive, pressed)


async def _pressed(head: Any, message: Any) -> bytes:
    """The body as it is sent; `head` says how."""
    body = bytes(message.get("body", b""))
    headers = head["headers"]
    if message.get("more_body") or len(body) < SMALLEST_COMPRESSED_BYTES:
        return body
    if any(name.lower() == b"content-encoding" for name, _ in headers):
        return body
    body = gzipped(body) if len(body) < BESIDE_BYTES else await asyncio.to_thread(gzipped, body)
    kept = [(name, value) for name, value in headers if name.lower() != b"content-length"]
    head["headers"] = [*kept, (b"content-encoding", b"gzip"), (b"content-length", str(len(body)).encode())]
    return body
