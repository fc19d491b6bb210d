"""
`/health/*` and `/metrics` on a port of their own, which answers when the API's port has no connection left to give.

A thread of the first worker that gets the port; when that worker ends another takes it. Whether the process works is
asked of its event loop, so a loop that stands still is not said to be alive.
"""

import asyncio
import json
import logging
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import TimeoutError as NotInTime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Final

from app.web.metrics import exposition
from tracking.pause import pause

log = logging.getLogger(__name__)

LOOP_ANSWERS_WITHIN_S: Final = 5.0
TRY_AGAIN_S: Final = 2.0
"""While another worker has the port."""

Look = Callable[[], Awaitable[tuple[int, dict[str, Any]]]]
"""Status and body of a health question; runs in the process's event loop."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], questions: dict[str, Look], loop: asyncio.AbstractEventLoop) -> None:
        self.questions, self.loop = questions, loop
        super().__init__(address, _Handler)

    def handle_error(self, *_: object) -> None:
        """Whoever asked has gone, or said something odd: a line of the log, and nothing of theirs in it."""
        log.info("probe not answered", exc_info=sys.exception(), extra={"event": "probe_not_answered"})


class _Handler(BaseHTTPRequestHandler):
    timeout = 5  # of a connection that says nothing
    server: _Server

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/metrics":
            self._say(200, *exposition(self.headers.get("accept", "")))
        elif path in self.server.questions:
            asked = asyncio.run_coroutine_threadsafe(_asked(self.server.questions[path]), self.server.loop)
            try:
                status, body = asked.result(LOOP_ANSWERS_WITHIN_S)
            except NotInTime:
                asked.cancel()
                status, body = 503, {"status": "unavailable"}
            self._say(status, "application/json", json.dumps(body).encode())
        else:
            self._say(404, "text/plain", b"")

    def _say(self, status: int, media_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nobody wants a line a probe."""


async def _asked(look: Look) -> tuple[int, dict[str, Any]]:
    return await look()


async def listen(host: str, port: int, questions: dict[str, Look], stop: asyncio.Event) -> None:
    """Answer until `stop`; waits for the port while another has it."""
    loop = asyncio.get_running_loop()
    while not stop.is_set():
        try:
            server = _Server((host, port), questions, loop)
        except OSError:
            await pause(stop, TRY_AGAIN_S)
            continue
        thread = Thread(target=partial(server.serve_forever, poll_interval=0.2), name="health", daemon=True)
        thread.start()
        try:
            await stop.wait()
        finally:
            await asyncio.to_thread(server.shutdown)
            server.server_close()
