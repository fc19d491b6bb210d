"""
Many open pages as clients of the stream, in a process of their own: for `benchmarks.page --pages`.

A page asks for the stream of its region compressed, as a browser does. A few of the clients read what comes and tell
how old each position was when it came; the others only count bytes, for the clients share the machine with the API.
"""

import asyncio
import json
import multiprocessing
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from multiprocessing.synchronize import Event
from typing import Any, Final

import httpx
import numpy as np

READERS: Final = 10
"""Spread over the clients by when they came."""
OPEN_AT_ONCE: Final = 25
WITHIN_S: Final = 120.0
AGAIN_S: Final = 2.0


class Busy(Exception):
    """The API does not open a stream now."""


class Pages:
    """What came to them all, from a moment on."""

    def __init__(self, url: str, token: str, n: int, path: str) -> None:
        self._url, self._token, self._path = url, token, path
        self._waited_for = n
        self.are_open = asyncio.Event()
        self.is_counting = False
        self.n_bytes = 0
        self.ages_s: list[float] = []
        self.heard: set[int] = set()

    async def count(self, number: int, opened: asyncio.Event) -> None:
        """A page that only counts."""
        host, port = self._url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port), limit=2**20)
        writer.write(
            f"GET {self._path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {self._token}\r\n"
            "Accept: text/event-stream\r\nAccept-Encoding: gzip\r\n\r\n".encode()
        )
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise Busy(head.decode())
            self._opened(opened)
            while data := await reader.read(2**20):
                self._came(number, len(data))
        finally:
            writer.close()

    async def read(self, number: int, opened: asyncio.Event) -> None:
        """A page that reads."""
        headers = {"Authorization": f"Bearer {self._token}", "Accept-Encoding": "gzip"}
        async with (
            httpx.AsyncClient(timeout=WITHIN_S) as client,
            client.stream("GET", f"{self._url}{self._path}", headers=headers) as answer,
        ):
            if answer.is_error:
                raise Busy(str(answer))
            self._opened(opened)
            event = ""
            async for line in answer.aiter_lines():
                word, _, value = line.partition(": ")
                if word == "event":
                    event = value
                elif word == "data" and self.is_counting:
                    self._came(number, 0)
                    if event == "delta":
                        self._told(value, time.time())

    def _opened(self, opened: asyncio.Event) -> None:
        opened.set()
        self._waited_for -= 1
        if not self._waited_for:
            self.are_open.set()

    def _came(self, number: int, n_bytes: int) -> None:
        if self.is_counting:
            self.heard.add(number)
            self.n_bytes += n_bytes

    def _told(self, data: str, now: float) -> None:
        self.ages_s += [
            now - datetime.fromisoformat(one["fixed_at"]).timestamp() for one in json.loads(data)["positions"]
        ]


async def _patiently(
    open_one: Callable[[int, asyncio.Event], Awaitable[None]], number: int, opened: asyncio.Event
) -> None:
    """As a page does: where the API is too busy at first, again."""
    while True:
        try:
            return await open_one(number, opened)
        except (Busy, httpx.TransportError, OSError):
            if opened.is_set():
                raise
            await asyncio.sleep(AGAIN_S)


async def watch(url: str, token: str, n: int, seconds: float, path: str, ready: Event, go: Event) -> dict[str, Any]:
    """So many pages; what they saw in those seconds after `go`."""
    pages = Pages(url, token, n, path)
    every = max(1, n // READERS)
    gate = asyncio.Semaphore(OPEN_AT_ONCE)

    async def one(number: int) -> None:
        opened = asyncio.Event()
        async with gate:
            following = asyncio.create_task(_patiently(pages.count if number % every else pages.read, number, opened))
            await asyncio.wait(
                {following, waiting := asyncio.create_task(opened.wait())}, return_when=asyncio.FIRST_COMPLETED
            )
            waiting.cancel()
        await following

    tasks = [asyncio.create_task(one(number)) for number in range(n)]
    opening = asyncio.create_task(pages.are_open.wait())
    ended, _ = await asyncio.wait({opening, *tasks}, timeout=WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
    if ended != {opening}:
        raise RuntimeError(f"not all pages could be opened: {[task.exception() for task in ended]}")
    ready.set()
    await asyncio.to_thread(go.wait)
    pages.is_counting = True
    await asyncio.sleep(seconds)
    pages.is_counting = False
    n_ended = sum(task.done() for task in tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    p50, p95, p99 = np.percentile(pages.ages_s or [np.nan], [50, 95, 99])
    return {
        "ended": n_ended,
        "heard": len(pages.heard),
        "positions_read": len(pages.ages_s),
        "age_p50_s": round(float(p50), 2),
        "age_p95_s": round(float(p95), 2),
        "age_p99_s": round(float(p99), 2),
        "kb_per_s_a_page": round(pages.n_bytes / seconds / n / 1000, 1),
    }


def be_pages(url: str, token: str, n: int, seconds: float, path: str, ready: Event, go: Event, answers: Any) -> None:
    """In a process of its own."""
    answers.put(asyncio.run(watch(url, token, n, seconds, path, ready, go)))


@contextmanager
def opened_pages(url: str, token: str, n: int, seconds: float, path: str = "/v1/live") -> Iterator[Any]:
    """So many pages are open; calling what this gives waits for what they see in those seconds."""
    spawn = multiprocessing.get_context("spawn")
    ready, go, answers = spawn.Event(), spawn.Event(), spawn.Queue()
    process = spawn.Process(target=be_pages, args=(url, token, n, seconds, path, ready, go, answers), daemon=True)
    process.start()
    if not ready.wait(2 * WITHIN_S):
        process.kill()
        raise RuntimeError(f"{n} pages could not be opened")

    def seen() -> dict[str, Any]:
        go.set()
        found: dict[str, Any] = answers.get(timeout=seconds + WITHIN_S)
        return found

    try:
        yield seen
    finally:
        process.join(5)
        if process.is_alive():
            process.kill()
