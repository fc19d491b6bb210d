"""
The short way of `POST /v1/positions`: a bare ASGI function in front of Litestar, for the one request that comes ten
thousand times a second.

It does what the documented route in `app/routes/positions.py` does, with the same `Intake`; every other request passes
on.
"""

import asyncio
from time import perf_counter
from typing import Any, Final

from litestar.types import ASGIApp

from app.logs import begin_trace
from app.web import metrics
from app.web.auth import AuthenticationUnavailable, Caller, token_of
from app.web.problems import BodyTooSlow, TooMuch, answer_known, answer_unknown, find_problem, problem_response
from app.wiring.intake import Intake
from tracking.intake.screening import Receipt

PATH: Final = "/v1/positions"
WANTED: Final = {name.encode(): name for name in ("authorization", "content-encoding", "content-length", "traceparent")}
"""The headers that are looked at; the others are not even decoded."""
JSON: Final = (b"content-type", b"application/json")

Answer = tuple[int, list[tuple[bytes, bytes]], bytes]


class FastPositions:
    """ASGI application: serves `POST /v1/positions` itself, and hands everything else to `app`."""

    def __init__(self, app: ASGIApp, state: Any) -> None:
        """`state`: has `intake` once the lifespan has begun."""
        self._app = app
        self._state = state

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve a request."""
        if scope["type"] != "http" or scope["path"] != PATH or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        began = perf_counter()
        headers = {WANTED[name]: value.decode("latin-1") for name, value in scope["headers"] if name in WANTED}
        trace_id = begin_trace(headers.get("traceparent"))
        try:
            status, head, body = await self._answer(headers, receive)
        except ClientGone:
            return
        except Exception as exc:  # noqa: BLE001 - every request is answered, as Litestar answers the others
            status, head, body = _problem(exc)
        metrics.observe({"method": "POST", "path_template": PATH}, status, perf_counter() - began)
        head += [(b"content-length", str(len(body)).encode()), (b"x-trace-id", trace_id.encode())]
        await send({"type": "http.response.start", "status": status, "headers": head})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def _answer(self, headers: dict[str, str], receive: Any) -> Answer:
        intake: Intake = self._state.intake
        token = token_of(headers)
        caller: Caller | None = None
        if token is not None:
            caller = intake.authenticator.remembered(token) or await intake.authenticator.caller(token)
        if caller is None:
            return _refusal(
                401,
                "not-authenticated",
                "A valid token is required: send it as 'Authorization: Bearer <token>'.",
                {"WWW-Authenticate": "Bearer"},
            )
        if caller.courier_id is None and not caller.may_post_for_any_courier:
            return _refusal(403, "not-allowed", "This needs a courier's device token or a service token.")
        limits = intake.settings
        try:
            async with asyncio.timeout(limits.request_body_s):
                body = await _body(headers, receive, limits.request_body_limit_bytes)
        except TimeoutError as exc:
            raise BodyTooSlow from exc
        receipt = await intake.take_json(caller, body, headers.get("content-encoding"))
        return 202, [JSON], receipt_json(receipt)


class ClientGone(Exception):
    """The client hung up before it had sent everything."""


async def _body(headers: dict[str, str], receive: Any, limit: int) -> bytes:
    """Raises TooMuch as soon as it is known, ClientGone when nobody is there to answer."""
    too_much = TooMuch(f"A body may have {limit} bytes.")
    length = headers.get("content-length", "0")
    if length.isdecimal() and int(length) > limit:
        raise too_much
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise too_much
        parts.append(part)
        if not message.get("more_body"):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def receipt_json(receipt: Receipt) -> bytes:
    """`{"accepted": n, "quarantined": [{"index", "reason"}]}`."""
    items = ",".join(f'{{"index":{index},"reason":"{reason}"}}' for index, reason in receipt.quarantined)
    return f'{{"accepted":{receipt.n_accepted},"quarantined":[{items}]}}'.encode()


def _refusal(status: int, code: str, detail: str, headers: dict[str, str] | None = None) -> Answer:
    title = {401: "Unauthorized", 403: "Forbidden"}[status]
    return _plain(problem_response(status, code, title, detail, headers=headers))


def _problem(exc: Exception) -> Answer:
    known = find_problem(exc) is not None or isinstance(exc, AuthenticationUnavailable)
    return _plain(answer_known(exc) if known else answer_unknown(exc))


def _plain(response: Any) -> Answer:
    head = [(name.lower().encode(), value.encode()) for name, value in response.headers.items()]
    return response.status_code, [*head, (b"content-type", response.media_type.encode())], response.content
