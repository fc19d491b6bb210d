"""Metrics of HTTP requests, and `/metrics` over all processes; every other metric lives beside its subject."""

import asyncio
import logging
import os
from bisect import bisect_left
from collections.abc import Container
from math import inf
from pathlib import Path
from time import perf_counter
from typing import Any, ClassVar, Final

from litestar import MediaType, Request, Response, get
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from prometheus_client import REGISTRY, Counter, Histogram, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

from app.logs import begin_address, begin_trace
from app.web.address import address_of
from app.web.patience import in_time
from app.web.policy import with_policy
from app.web.together import MULTIPROCESS, collected
from tracking import tracing

log = logging.getLogger(__name__)

BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, inf)
HAND_ON_S: Final = 0.25

REQUEST_SECONDS = Histogram(
    "postrider_http_request_seconds",
    "Time from the first byte of a request to the end of its answer.",
    ["method", "route", "status"],
    buckets=BUCKETS,
)
REQUESTS_FAILED = Counter("postrider_http_requests_failed_total", "Requests answered with 5xx.", ["method", "route"])

_children: dict[tuple[str, str, str], Histogram] = {}
"""Histograms by their labels, as many as prometheus_client has: asking it for one takes longer than counting."""

PROBES: Final = ("/health", "/metrics")
"""Asked every few seconds: no line in the log."""
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Every other method is counted as `other`: a stranger may make up as many as there are words."""


class ObserveMiddleware:
    """
    What every request gets: a trace id, where it came from, a wait for its body, a policy for its answer, and a count.

    Counted by route template, never by the address itself.
    """

    def __init__(self, app: ASGIApp, *, body_within_s: float, proxies: Container[str], is_told: bool = False) -> None:
        """`is_told`: each answer is a line in the log."""
        self.app = app
        self._is_told = is_told
        self._proxies = proxies
        self._body_within_s = body_within_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Time the request; a stream counts until its answer begins, for it may last for hours."""
        if scope["type"] != ScopeType.HTTP:
            await self.app(scope, receive, send)
            return
        traceparent = next((v.decode("latin-1") for k, v in scope["headers"] if k == b"traceparent"), None)
        trace_id = begin_trace(traceparent)
        peer = client[0] if (client := scope.get("client")) else ""
        forwarded = (v.decode("latin-1") for k, v in scope["headers"] if k == b"x-forwarded-for")
        begin_address(address_of(peer, forwarded, self._proxies))
        began = perf_counter()

        async def observed(message: Message) -> None:
            if message["type"] == "http.response.start":
                elapsed_s = perf_counter() - began
                observe(scope, message["status"], elapsed_s)
                if self._is_told:
                    _tell(scope, message["status"], elapsed_s)
                message["headers"] = [*with_policy(message.get("headers", [])), (b"x-trace-id", trace_id.encode())]
                if span is not None:
                    span.update_name(" ".join(_named(scope)))
                    span.set_attribute("http.response.status_code", message["status"])
            await send(message)

        with tracing.span("request", parent=traceparent) as span:
            await self.app(scope, in_time(receive, self._body_within_s), observed)


def _child(key: tuple[str, str, str]) -> Histogram:
    child = _children.get(key)
    if child is None:
        child = _children[key] = REQUEST_SECONDS.labels(*key)
    return child


def _named(scope: Any) -> tuple[str, str]:
    """Method and route: never the address itself."""
    method = scope["method"] if scope["method"] in METHODS else "other"
    return method, scope.get("path_template") or "unmatched"


def observe(scope: Any, status: int, elapsed_s: float) -> None:
    """Count one answered request."""
    method, route = _named(scope)
    key = (method, route, str(status))
    _child(key).observe(elapsed_s, tracing.exemplar())
    if status >= 500:
        REQUESTS_FAILED.labels(method, route).inc()


def _tell(scope: Any, status: int, elapsed_s: float) -> None:
    method, route = _named(scope)
    if route.startswith(PROBES):
        return
    facts = {"http_method": method, "http_status": status, "route": route, "ms": round(elapsed_s * 1000, 1)}
    log.info("request answered", extra={"event": "request_answered", **facts})


class Tally:
    """
    Times of one route's usual answer, counted by hand and handed on a few times a second.

    `Histogram.observe` looks through its bounds in Python and, where processes count together, writes to two mapped
    files: as much work as reading a fix.
    """

    _all: ClassVar[list["Tally"]] = []

    def __init__(self, method: str, route: str, status: int) -> None:
        self._status = status
        self._route = {"method": method, "path_template": route}
        self._key = (method, route, str(status))
        self.name = f"{method} {route}"
        self._counts = [0] * len(BUCKETS)
        self._sum_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        Tally._all.append(self)

    def add(self, status: int, elapsed_s: float) -> None:
        """Count one answer; one that is not the usual one in the usual way."""
        if status != self._status:
            observe(self._route, status, elapsed_s)
            return
        self._counts[bisect_left(BUCKETS, elapsed_s)] += 1
        self._sum_s += elapsed_s
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(HAND_ON_S, self.hand_on)

    def hand_on(self) -> None:
        """Put what was counted into the histogram."""
        if self._timer is None:
            return
        self._timer.cancel()
        self._timer = None
        child = _child(self._key)
        for place, n in enumerate(self._counts):
            if n:
                child._buckets[place].inc(n)  # noqa: SLF001 - no public way to add many
                self._counts[place] = 0
        child._sum.inc(self._sum_s)  # noqa: SLF001 - as above
        self._sum_s = 0.0

    @classmethod
    def hand_on_all(cls) -> None:
        """Before the metrics are read; in the event loop that counts."""
        for tally in cls._all:
            tally.hand_on()


TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"


def exposition(accepted: str = "") -> tuple[str, bytes]:
    """
    All metrics for Prometheus, with their media type: of every process that shares the folder, or of this one.

    As OpenMetrics to who accepts it where there are traces, for only that tells exemplars.
    """
    folder = os.environ.get(MULTIPROCESS)
    if folder is not None:
        return TEXT, collected(Path(folder))
    if tracing.is_on() and "application/openmetrics-text" in accepted:
        told: bytes = openmetrics.generate_latest(REGISTRY)  # type: ignore[no-untyped-call]
        return openmetrics.CONTENT_TYPE_LATEST, told
    return TEXT, generate_latest(REGISTRY)


@get("/metrics", opt={"public": True}, media_type=MediaType.TEXT, include_in_schema=False)
async def metrics(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Prometheus reads this."""
    Tally.hand_on_all()
    media_type, text = await asyncio.to_thread(exposition, request.headers.get("accept", ""))
    return Response(text, media_type=media_type)
