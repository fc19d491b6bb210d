"""
The API's own requests, made inside the process: whatever came in by another protocol goes through the same door.

So permissions, reach, rates, audit and problems are those of HTTP, for they are the same code.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from litestar.types import ASGIApp

ASGI: Final = {"version": "3.0", "spec_version": "2.4"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A request."""

    method: str
    path: str
    headers: Sequence[tuple[str, str]] = ()
    """Names in lower case."""
    client: tuple[str, int] = ("", 0)
    """Whoever asks."""
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of it."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def is_refused(self) -> bool:
        """Whether the body is a problem."""
        return self.status >= 400


@dataclass(slots=True)
class Stream:
    """An answer that is still coming."""

    head: Answer
    """Its body only where it is refused."""
    _messages: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes; whoever sends it may wait after its end until this side hangs up."""
        has_more = True
        while has_more:
            message = await self._messages.get()
            if (error := message.get("error")) is not None:
                raise error
            has_more = message.get("more_body", False)
            yield message.get("body", b"")


class Inside:
    """The API, asked from inside."""

    def __init__(self, app: ASGIApp) -> None:
        self._app: Any = app

    async def ask(self, ask: Ask) -> Answer:
        """The whole answer; `ask` runs in the task that calls, with its trace id and address."""
        head = Answer(500, {})
        parts: list[bytes] = []

        async def send(message: Any) -> None:
            nonlocal head
            if message["type"] == "http.response.start":
                head = _head_of(message)
            else:
                parts.append(bytes(message.get("body", b"")))

        await self._app(_scope_of(ask), _body_of(ask), send)
        return Answer(head.status, head.headers, b"".join(parts))

    @asynccontextmanager
    async def open(self, ask: Ask) -> AsyncIterator[Stream]:
        """An answer without an end; whoever leaves the context hangs up. At most one message waits to be taken."""
        messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue(maxsize=1)

        async def run() -> None:
            error: Exception | None = None
            try:
                await self._app(_scope_of(ask), _body_of(ask), messages.put)
            except Exception as exc:  # noqa: BLE001 - whoever reads the stream raises it
                error = exc
            await messages.put({"type": "over", "error": error})

        task = asyncio.create_task(run(), name=f"inside {ask.path}")
        try:
            first = await messages.get()
            if first["type"] != "http.response.start":
                raise first.get("error") or RuntimeError("an answer without a beginning")
            stream = Stream(_head_of(first), messages)
            if stream.head.is_refused:
                body = b"".join([chunk async for chunk in stream.chunks()])
                stream = Stream(Answer(stream.head.status, stream.head.headers, body), messages)
            yield stream
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def events_of(chunks: AsyncIterator[bytes]) -> AsyncIterator[tuple[str, bytes]]:
    """Server-sent events: name and data. Comments, which only keep a stream open, are left out."""
    rest = b""
    async for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n\n")
        for event in whole:
            name, data = "message", []
            for line in event.split(b"\n"):
                key, _, value = line.partition(b":")
                if key == b"event":
                    name = value.strip().decode()
                elif key == b"data":
                    data.append(value.removeprefix(b" "))
            if data:
                yield name, b"\n".join(data)


def _head_of(message: Any) -> Answer:
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in message.get("headers", ())}
    return Answer(message["status"], headers)


def _scope_of(ask: Ask) -> dict[str, Any]:
    length = [("content-type", "application/json"), ("content-length", str(len(ask.body)))] if ask.body else []
    return {
        "type": "http",
        "asgi": ASGI,
        "http_version": "1.1",
        "method": ask.method,
        "scheme": "http",
        "path": ask.path,
        "raw_path": quote(ask.path).encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [
            (name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in (*ask.headers, *length)
        ],
        "client": ask.client,
        "server": ("inside", 0),
        "extensions": {},
        "state": {},
    }


def _body_of(ask: Ask) -> Any:
    is_told = False

    async def receive() -> dict[str, Any]:
        nonlocal is_told
        if is_told:
            await asyncio.Event().wait()  # nobody hangs up: whoever asks cancels
        is_told = True
        return {"type": "http.request", "body": ask.body, "more_body": False}

    return receive
