"""Apprise's services, from processes that are killed when they take too long; a bounded number of them."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakSet

AT_ONCE: Final = 4
"""Processes, about 60 MB each; started when they are needed."""
WITHIN_S: Final = 25.0
"""A message, to the service's answer."""
START_S: Final = 180.0
"""A process, until it has loaded its services."""
MOST_BYTES: Final = 64_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What became of it."""

    is_sent: bool
    error: str | None = None
    service: str = ""
    is_unsure: bool = False
    """Nobody knows: it took too long, or the process died."""
    is_gone: bool = False
    """There is nobody any more who could be told."""


class Services:
    """One per process of ours."""

    def __init__(self, *, allow_private: bool, within_s: float = WITHIN_S, at_once: int = AT_ONCE) -> None:
        """`allow_private`: addresses of private networks may be called."""
        self._arguments = ("-m", "app.messages.child", *(("private",) if allow_private else ()))
        self._within_s = within_s
        self._turns = asyncio.Semaphore(at_once)
        self._idle: list[asyncio.subprocess.Process] = []
        self._ready: WeakSet[asyncio.subprocess.Process] = WeakSet()

    async def check(self, url: str) -> Told:
        """Whether there is such a service; nothing is sent."""
        return await self._ask({"do": "check", "url": url})

    async def send(self, url: str, title: str, body: str) -> Told:
        """One message."""
        return await self._ask({"do": "send", "url": url, "title": title, "body": body})

    async def close(self) -> None:
        """End the processes."""
        for process in self._idle:
            await _end(process)
        self._idle.clear()

    async def _ask(self, asked: dict[str, Any]) -> Told:
        async with self._turns, self._process() as process:
            assert process.stdin is not None
            assert process.stdout is not None
            is_asked = False
            try:
                if process not in self._ready:
                    async with asyncio.timeout(START_S):
                        json.loads(await process.stdout.readline())
                    self._ready.add(process)
                async with asyncio.timeout(self._within_s):
                    is_asked = True
                    process.stdin.write(json.dumps(asked).encode() + b"\n")
                    await process.stdin.drain()
                    told = json.loads(await process.stdout.readline())
            except TimeoutError:
                return Told(is_sent=False, is_unsure=is_asked, error=f"no answer within {self._within_s:.0f} s")
            except (OSError, ValueError):
                return Told(is_sent=False, is_unsure=is_asked, error="the sending process died")
            self._idle.append(process)
        return Told(is_sent=told["ok"], error=told.get("error"), service=told.get("service", ""))

    @asynccontextmanager
    async def _process(self) -> AsyncIterator[asyncio.subprocess.Process]:
        """One that is alive; it is ended unless it was put back."""
        process = self._idle.pop() if self._idle else None
        if process is None or process.returncode is not None:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *self._arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                limit=MOST_BYTES,
            )
        try:
            yield process
        finally:
            if process not in self._idle:
                await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()
    if process.stdin is not None:
        process.stdin.close()
    await process.wait()
