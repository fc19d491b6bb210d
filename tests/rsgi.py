"""Requests to an RSGI application in this process, as `httpx.ASGITransport` makes them to an ASGI one."""

import asyncio
from collections.abc import AsyncIterator

import httpx
from granian.rsgi import ProtocolClosed


class Headers:
    """As Granian has them: lower case, the first of a name, and no value that is not ASCII."""

    def __init__(self, pairs):
        self._pairs = [(name.decode().lower(), value) for name, value in pairs]

    def __contains__(self, name):
        return any(known == name for known, _ in self._pairs)

    def items(self):
        return [(name, value.decode()) for name, value in self._pairs if value.isascii()]

    def get_all(self, name):
        return [value for known, value in self.items() if known == name]

    def get(self, name, default=None):
        return next((value for known, value in self.items() if known == name), default)


class Scope:
    proto = "http"
    http_version = "1.1"
    server = "127.0.0.1:80"
    client = "127.0.0.1:12345"
    authority = None

    def __init__(self, request):
        self.scheme = request.url.scheme
        self.method = request.method
        self.path = request.url.path
        self.query_string = request.url.query.decode()
        self.headers = Headers(request.headers.raw)


class Protocol:
    """`parts`: the body as it comes; an exception among them is raised there."""

    def __init__(self, parts):
        self._parts = parts
        self.answered = asyncio.Event()
        self.gone = asyncio.Event()
        self.status, self.headers, self.sent = None, [], []

    async def __call__(self):
        return b"".join([part async for part in self])

    async def __aiter__(self):
        for part in self._parts:
            if isinstance(part, Exception):
                raise part
            yield part

    async def client_disconnect(self):
        await self.gone.wait()

    def response_bytes(self, status, headers, body):
        assert self.status is None, "answered twice"
        self.status, self.headers, self.sent = status, headers, [body]
        self.answered.set()

    def response_empty(self, status, headers):
        self.response_bytes(status, headers, b"")

    def response_stream(self, status, headers):
        self.response_bytes(status, headers, b"")
        return self

    async def send_bytes(self, data):
        if self.gone.is_set():
            raise ProtocolClosed
        self.sent.append(data)


class RsgiTransport(httpx.AsyncBaseTransport):
    """`app`: what has `__rsgi__`."""

    def __init__(self, app):
        self._app = app

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, httpx.AsyncByteStream)
        protocol = Protocol([part async for part in request.stream])
        await self._app.__rsgi__(Scope(request), protocol)
        return httpx.Response(protocol.status, headers=protocol.headers, stream=_Body(protocol.sent), request=request)


class _Body(httpx.AsyncByteStream):
    def __init__(self, parts):
        self._parts = parts

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self._parts:
            yield part
