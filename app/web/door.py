"""What the doors on Granian's own interface share (`app.web.rsgi`): trace id, body, problems, policy and count."""

from collections.abc import Awaitable, Callable, Container
from time import perf_counter
from typing import Any, Final

from litestar.exceptions import HTTPException

from app.logs import begin_address, begin_trace
from app.settings import Settings
from app.web.address import address_of
from app.web.auth import AuthenticationUnavailable
from app.web.metrics import Tally
from app.web.patience import Patience
from app.web.policy import with_policy
from app.web.problems import TooMuch, answer_http, answer_known, answer_unknown, find_problem, problem_response
from app.web.rsgi import GONE
from tracking import tracing

JSON: Final = ("content-type", "application/json")
POLICY: Final = [(name.decode(), value.decode()) for name, value in with_policy(())]
PATIENCE: Final = Patience()

Answer = tuple[int, list[tuple[str, str]], bytes]
"""Status, headers, body."""


async def serve(
    scope: Any,
    protocol: Any,
    answer: Callable[[Any, Any, Any], Awaitable[Answer]],
    tally: Tally,
    proxies: Container[str],
) -> None:
    """
    Answer one request, with a problem where `answer` raises; nothing when nobody is there any more.

    `answer` gets the scope, its headers (the server makes them anew whenever they are asked for) and the protocol.
    """
    began = perf_counter()
    headers = scope.headers
    traceparent = headers.get("traceparent")
    trace_id = begin_trace(traceparent)
    peer = scope.client.rpartition(":")[0]
    if peer in proxies:
        peer = address_of(peer, headers.get_all("x-forwarded-for"), proxies)
    begin_address(peer)
    try:
        with tracing.span(tally.name, parent=traceparent):
            status, head, body = await answer(scope, headers, protocol)
    except GONE:
        return
    except Exception as exc:  # noqa: BLE001 - every request is answered, as Litestar answers the others
        status, head, body = _problem(exc)
    tally.add(status, perf_counter() - began)
    try:
        protocol.response_bytes(status, [*head, *POLICY, ("x-trace-id", trace_id)], body)
    except GONE:
        return


def body_of(headers: Any, protocol: Any, settings: Settings) -> Awaitable[bytes]:
    """Raises TooMuch as soon as it is known, BodyTooSlow, one of GONE when nobody is there to answer."""
    limit = settings.request_body_limit_bytes
    length = headers.get("content-length", "")
    is_told = length.isdecimal()
    if is_told and int(length) > limit:
        raise TooMuch(f"A body may have {limit} bytes.")
    return PATIENCE.wait(protocol() if is_told else _by_parts(protocol, limit), settings.request_body_s)


async def _by_parts(protocol: Any, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in protocol:
        size += len(part)
        if size > limit:
            raise TooMuch(f"A body may have {limit} bytes.")
        parts.append(part)
    return b"".join(parts)


def refusal(status: int, code: str, detail: str, headers: dict[str, str] | None = None) -> Answer:
    """401 or 403, as a problem."""
    title = {401: "Unauthorized", 403: "Forbidden"}[status]
    return _plain(problem_response(status, code, title, detail, headers=headers))


def _problem(exc: Exception) -> Answer:
    if isinstance(exc, HTTPException):
        return _plain(answer_http(exc))
    known = find_problem(exc) is not None or isinstance(exc, AuthenticationUnavailable)
    return _plain(answer_known(exc) if known else answer_unknown(exc))


def _plain(response: Any) -> Answer:
    head = [(name.lower(), value) for name, value in response.headers.items()]
    return response.status_code, [*head, ("content-type", str(response.media_type))], response.content
