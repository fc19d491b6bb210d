"""
One request to a maps API: guarded, timed, retried, its failures turned into EngineFailed.

Keys and places stay out of logs and errors.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from time import monotonic
from typing import Any, Final

import httpx
import msgspec
import stamina

from dispatch.travel.guards import Circuit, CircuitBreaker, Meter
from dispatch.travel.metrics import BREAKER_OPEN, REQUEST_SECONDS, REQUESTS
from dispatch.travel.times import EngineFailed

# httpx logs every URL at INFO, with the key and the coordinates in its query.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)

N_ATTEMPTS: Final = 3
"""A lost connection or an overloaded server is asked twice more; osrm-routed drops kept-alive connections at times."""

FAIR_SHARE: Final = 0.025
"""A request cancelled before this part of its time is no failure of the engine: it was begun just before the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A request as an adapter wants it."""

    url: str
    params: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    """Sent as JSON by POST; None: GET."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    n_elements: int = 1
    """What it counts for in limits and prices."""


class EngineClient:
    """What the adapters of maps APIs have in common."""

    def __init__(
        self,
        *,
        source: StrEnum,
        http: httpx.AsyncClient,
        timeout_s: float = 2.0,
        breaker: CircuitBreaker | None = None,
        meter: Meter | None = None,
    ) -> None:
        self._source = source
        self._http = http
        self._timeout_s = timeout_s
        self._breaker = breaker or CircuitBreaker()
        self._meter = meter
        self._answered_at = float("-inf")

    @property
    def circuit(self) -> Circuit:
        """Whether the engine is being asked."""
        return self._breaker.state

    async def fetch(self, ask: Ask) -> Any:
        """
        The decoded JSON answer. EngineFailed: no answer, a refusal, left alone.

        Who cancels has no more time: that says something of the engine only if it was given some, and has not answered
        anybody meanwhile.
        """
        if not self._breaker.admits():
            self._count("left_alone")
            raise EngineFailed("left alone after failures", leave_alone=True)
        began = monotonic()
        try:
            answer = await self._with_retries(ask)
        except EngineFailed as exc:
            if exc.limited:
                self._breaker.skipped()
            elif exc.retry or exc.leave_alone:
                self._breaker.failed()
            else:  # it answered: it just does not like this question
                self._breaker.succeeded()
            raise
        except asyncio.CancelledError:
            if self._answered_at >= began or monotonic() - began < FAIR_SHARE * self._timeout_s:
                self._breaker.skipped()
            else:
                self._breaker.failed()
            raise
        else:
            self._answered_at = monotonic()
            self._breaker.succeeded()
            return answer
        finally:
            BREAKER_OPEN.labels(engine=self._source.value).set(self._breaker.state is not Circuit.CLOSED)

    async def _with_retries(self, ask: Ask) -> Any:
        async for attempt in stamina.retry_context(
            on=_may_work_again, attempts=N_ATTEMPTS, timeout=None, wait_initial=0.05, wait_max=0.5, wait_jitter=0.1
        ):
            with attempt:
                return await self._once(ask)
        raise AssertionError("stamina ends by returning or raising")

    async def _once(self, ask: Ask) -> Any:
        if self._meter is not None and not await self._meter.take(ask.n_elements):
            self._count("limited")
            raise EngineFailed("rate or spend limit reached", leave_alone=True, limited=True)
        try:
            with REQUEST_SECONDS.labels(engine=self._source.value).time():
                response = await self._http.request(
                    "GET" if ask.body is None else "POST",
                    ask.url,
                    params=dict(ask.params),
                    content=None if ask.body is None else msgspec.json.encode(ask.body),
                    headers={**ask.headers, **({} if ask.body is None else {"Content-Type": "application/json"})},
                    timeout=self._timeout_s,
                )
        except (httpx.TransportError, httpx.DecodingError) as exc:
            self._count("unreachable")
            # The text of the original may hold the URL and with it the key: only its kind goes on.
            raise EngineFailed(type(exc).__name__, retry=True) from None
        return self._read(response)

    def _read(self, response: httpx.Response) -> Any:
        status = response.status_code
        if status == httpx.codes.TOO_MANY_REQUESTS or status >= httpx.codes.INTERNAL_SERVER_ERROR:
            self._count("overloaded")
            raise EngineFailed(f"status {status}", retry=True)
        if status in {httpx.codes.UNAUTHORIZED, httpx.codes.PAYMENT_REQUIRED, httpx.codes.FORBIDDEN}:
            self._count("refused")
            raise EngineFailed(f"status {status}: is the key right and paid for?", leave_alone=True)
        if status != httpx.codes.OK:
            self._count("rejected")
            raise EngineFailed(f"status {status}")
        try:
            answer = msgspec.json.decode(response.content)
        except (msgspec.DecodeError, UnicodeDecodeError):
            self._count("unreadable")
            raise EngineFailed("the answer is not JSON", retry=True) from None
        self._count("answered")
        return answer

    def _count(self, outcome: str) -> None:
        REQUESTS.labels(engine=self._source.value, outcome=outcome).inc()


def _may_work_again(exc: Exception) -> bool:
    return isinstance(exc, EngineFailed) and exc.retry
