"""A system that takes events over HTTP: it keeps what comes, checks the signature, and answers as it is told."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

Answer = Callable[[dict[str, Any]], int]
"""The status to answer an event with."""


@dataclass
class Receiver:
    """What came, in order; `silence` set: nothing is answered."""

    url: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    answer: Answer = lambda _: 204
    silence: bool = False

    def types(self) -> list[str]:
        return [event["type"].removeprefix("postrider.") for event in self.events]

    def is_signed(self, secret: str, which: int = -1) -> bool:
        """As a receiver checks it. Source: Standard Webhooks."""
        headers, body = self.headers[which], self.bodies[which]
        content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        key = base64.b64decode(secret.removeprefix("whsec_"))
        wanted = "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
        return wanted in headers["webhook-signature"].split()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
                body = await reader.readexactly(int(headers["content-length"]))
                self.headers.append(headers)
                self.bodies.append(body)
                event = json.loads(body)
                self.events.append(event)
                if self.silence:
                    await asyncio.sleep(3600)
                text = b"" if (status := self.answer(event)) == 204 else b"told"
                writer.write(
                    f"HTTP/1.1 {status} X\r\nLocation: {self.url}/else\r\nContent-Length: {len(text)}\r\n\r\n".encode()
                )
                writer.write(text)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            writer.close()


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """One on a port of its own."""
    made = Receiver()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        await made.serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
