"""Requests to Postrider: tried again while that is harmless, problems as exceptions, streams that go on."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import quote
from uuid import uuid4

import httpx

TRIES = 5
"""Of one call. What creates has an Idempotency-Key, so that a repeated one creates nothing twice."""
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 10.0
AGAIN = frozenset({429, 502, 503, 504})


class Refused(Exception):
    """The server will not do it, and says why (RFC 9457)."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        """`problem`: `code`, `title`, `detail`, `errors`, and facts of its kind."""
        super().__init__(f"{status} {problem.get('code', '')}: {problem.get('detail') or problem.get('title') or ''}")
        self.status = status
        self.problem = dict(problem)
        self.code = str(problem.get("code", ""))


@dataclass(frozen=True, slots=True)
class Event:
    """One of a stream."""

    name: str
    data: Any
    id: str = ""


@dataclass(slots=True)
class Connection:
    """The connection: `Postrider` is one with all calls of the API."""

    url: str
    token: str
    client: httpx.AsyncClient | None = None
    """One of your own, with other timeouts or certificates; it is left open."""
    _own: httpx.AsyncClient | None = field(default=None, init=False)

    async def __aenter__(self) -> Self:
        """Connect when the first call is made."""
        if self.client is None:
            self.client = self._own = httpx.AsyncClient(timeout=30)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Hang up."""
        if self._own is not None:
            await self._own.aclose()

    async def ask(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: Mapping[str, Any] | None = None,
        if_match: str | None = None,
        key: str | None = None,
    ) -> Any:
        """The answer, decoded; raises Refused, or httpx.TransportError where nobody answers."""
        headers = {"Authorization": f"Bearer {self.token}"}
        if if_match is not None:
            headers["If-Match"] = if_match
        if method == "POST":
            headers["Idempotency-Key"] = key or str(uuid4())
        asked = {name: value for name, value in (query or {}).items() if value is not None}
        pause_s = FIRST_PAUSE_S
        for left in reversed(range(TRIES)):
            try:
                assert self.client is not None, "use it by `async with`"
                answer = await self.client.request(
                    method, self.url.rstrip("/") + path, headers=headers, params=asked, json=body
                )
            except httpx.TransportError:
                if not left:
                    raise
            else:
                if answer.is_success:
                    return _decoded(answer)
                if not left or answer.status_code not in AGAIN:
                    raise Refused(answer.status_code, _problem(answer))
                pause_s = max(pause_s, _seconds(answer.headers.get("Retry-After")))
            await asyncio.sleep(pause_s * random.uniform(0.5, 1))  # noqa: S311 - no secret
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        raise AssertionError("the last try raises")

    async def stream(self, path: str, **query: Any) -> AsyncIterator[Event]:
        """Server-sent events, for ever: a stream that breaks off is begun again where it ended. Raises Refused."""
        assert self.client is not None, "use it by `async with`"
        last_id, pause_s = "", FIRST_PAUSE_S
        while True:
            headers = {"Authorization": f"Bearer {self.token}", "Accept": "text/event-stream"}
            if last_id:
                headers["Last-Event-ID"] = last_id
            timeout = httpx.Timeout(10, read=60)
            with suppress(httpx.TransportError):
                async with self.client.stream(
                    "GET", self.url.rstrip("/") + path, headers=headers, params=query, timeout=timeout
                ) as answer:
                    if answer.status_code not in AGAIN and not answer.is_success:
                        await answer.aread()
                        raise Refused(answer.status_code, _problem(answer))
                    async for event in _events(answer):
                        last_id, pause_s = event.id or last_id, FIRST_PAUSE_S
                        yield event
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


def at(template: str, **names: str) -> str:
    """A path with its names filled in."""
    return template.format(**{name: quote(str(value), safe="") for name, value in names.items()})


async def _events(answer: httpx.Response) -> AsyncIterator[Event]:
    name, event_id, data = "message", "", ""
    async for line in answer.aiter_lines():
        key, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match key:
            case "event":
                name = value
            case "id":
                event_id = value
            case "data":
                data += value
            case "" if not line and data:
                yield Event(name, json.loads(data), event_id)
                name, event_id, data = "message", "", ""


def _decoded(answer: httpx.Response) -> Any:
    if not answer.content:
        return None
    return answer.json() if "json" in answer.headers.get("Content-Type", "") else answer.text


def _problem(answer: httpx.Response) -> dict[str, Any]:
    with suppress(ValueError):
        body = answer.json()
        if isinstance(body, dict):
            return body
    return {"title": answer.reason_phrase}


def _seconds(text: str | None) -> float:
    return float(text) if text and text.isdecimal() else 0.0
