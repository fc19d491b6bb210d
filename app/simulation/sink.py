"""
Another system, for the demo: it takes the events by a webhook of its own, and shows the last of them as a page of text,
with those that came from its queue where it has one.

On the loopback only, in a thread; what is not signed with the webhook's secret is refused.
"""

import json
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Final

import httpx

from app.gateway.signing import signed

DESCRIPTION: Final = "the demo's own: another system"
SHOWN: Final = 200
MOST_BYTES: Final = 1_000_000
SILENT_AT_MOST_S: Final = 20


@dataclass(slots=True)
class Heard:
    """The events that came so far, by one way."""

    n: int = 0
    last: deque[Mapping[str, Any]] = field(default_factory=lambda: deque(maxlen=SHOWN))

    def add(self, event: Mapping[str, Any]) -> None:
        """One more."""
        self.n += 1
        self.last.append(event)

    def lines(self) -> list[str]:
        """For a person, the newest last."""
        return [f"{one['time']}  {one['type']:<32} {one['subject']} #{one['sequence']}" for one in list(self.last)]


class _Sink(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, heard: Heard, queue: Heard | None) -> None:
        self.secret = ""
        self.heard, self.queue = heard, queue
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, *_: object) -> None:
        """Whoever asked has gone, or said something odd."""


class _Handler(BaseHTTPRequestHandler):
    timeout = SILENT_AT_MOST_S
    server: _Sink

    def do_GET(self) -> None:
        heard, queue = self.server.heard, self.server.queue
        lines = [f"what another system has been told, {heard.n} events, the newest last", "", *heard.lines(), ""]
        if queue is not None:
            lines += [f"and what came to its queue, {queue.n} events", "", *queue.lines(), ""]
        self._say(200, "\n".join(lines))

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if not 0 <= length <= MOST_BYTES:
            return self._say(413, "")
        body, names = self.rfile.read(length), ("webhook-id", "webhook-timestamp", "webhook-signature")
        event_id, at_s, signature = (self.headers.get(name) or "" for name in names)
        wanted = signed([self.server.secret], event_id, int(at_s or 0), body)["webhook-signature"]
        if wanted not in signature.split():
            return self._say(401, "")
        self.server.heard.add(json.loads(body))
        return self._say(204, "")

    def _say(self, status: int, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nobody wants a line an event."""


@asynccontextmanager
async def sink(api: httpx.AsyncClient, heard: Heard | None = None, queue: Heard | None = None) -> AsyncIterator[str]:
    """Its address, while it is told everything; `api`: an administrator's, `queue`: what came by another way."""
    server = _Sink(heard or Heard(), queue)
    thread = Thread(target=server.serve_forever, name="sink", daemon=True)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_address[1]}/"
        for one in (await api.get("/v1/webhooks")).raise_for_status().json()["items"]:
            if one["description"] == DESCRIPTION:  # of the start before, at another port
                await api.delete(f"/v1/webhooks/{one['id']}")
        made = await api.post("/v1/webhooks", json={"url": url, "description": DESCRIPTION})
        server.secret = made.raise_for_status().json()["secret"]
        yield url
    finally:
        server.shutdown()
        server.server_close()
