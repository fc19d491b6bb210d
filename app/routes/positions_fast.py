"""
The short way of `POST /v1/positions`: a function on Granian's own interface, for the one request that comes ten
thousand times a second.

It does what the documented route in `app/routes/positions.py` does, with the same `Intake`.
"""

from contextlib import suppress
from time import perf_counter
from typing import Any, Final

from app.logs import begin_address, begin_trace
from app.settings import Settings
from app.web import metrics
from app.web.address import address_of
from app.web.auth import AuthenticationUnavailable, Caller, token_of
from app.web.patience import Patience
from app.web.problems import TooMuch, answer_known, answer_unknown, find_problem, problem_response
from app.web.rsgi import GONE
from app.wiring.intake import Intake
from tracking.intake.screening import Receipt

PATH: Final = "/v1/positions"
JSON: Final = ("content-type", "application/json")

Answer = tuple[int, list[tuple[str, str]], bytes]


class FastPositions:
    """Serves `POST /v1/positions` on Granian's interface; see `app.web.rsgi`."""

    def __init__(self, state: Any) -> None:
        """`state`: has `intake` once the lifespan has begun."""
        self._state = state

    async def __call__(self, scope: Any, protocol: Any) -> None:
        """Serve a request."""
        began = perf_counter()
        headers = scope.headers
        trace_id = begin_trace(headers.get("traceparent"))
        try:
            status, head, body = await self._answer(headers, protocol, scope.client.rpartition(":")[0])
        except GONE:
            return
        except Exception as exc:  # noqa: BLE001 - every request is answered, as Litestar answers the others
            status, head, body = _problem(exc)
        if status == 202:
            TAKEN.add(perf_counter() - began)
        else:
            metrics.observe(ROUTE, status, perf_counter() - began)
        head.append(("x-trace-id", trace_id))
        with suppress(*GONE):
            protocol.response_bytes(status, head, body)

    async def _answer(self, headers: Any, protocol: Any, client: str) -> Answer:
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
        state = self._state
        begin_address(address_of(client, headers.get_all("x-forwarded-for"), state.proxies))
        state.rates.admit_caller(caller)
        if caller.courier_id is None and not caller.may_post_for_any_courier:
            return _refusal(403, "not-allowed", "This needs a courier's device token or a service token.")
        body = await _body(headers, protocol, intake.settings)
        receipt = await intake.take_json(caller, body, headers.get("content-encoding"))
        return 202, [JSON], receipt_json(receipt)


ROUTE: Final = {"method": "POST", "path_template": PATH}
TAKEN: Final = metrics.Tally("POST", PATH, 202)
PATIENCE: Final = Patience()


async def _body(headers: Any, protocol: Any, settings: Settings) -> bytes:
    """Raises TooMuch as soon as it is known, BodyTooSlow, one of GONE when nobody is there to answer."""
    limit = settings.request_body_limit_bytes
    length = headers.get("content-length", "")
    is_told = length.isdecimal()
    if is_told and int(length) > limit:
        raise TooMuch(f"A body may have {limit} bytes.")
    return await PATIENCE.wait(protocol() if is_told else _by_parts(protocol, limit), settings.request_body_s)


async def _by_parts(protocol: Any, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in protocol:
        size += len(part)
        if size > limit:
            raise TooMuch(f"A body may have {limit} bytes.")
        parts.append(part)
    return b"".join(parts)


def receipt_json(receipt: Receipt) -> bytes:
    """`{"accepted": n, "quarantined": [{"index", "reason"}]}`."""
    if not receipt.quarantined:
        return b'{"accepted":%d,"quarantined":[]}' % receipt.n_accepted
    items = ",".join(f'{{"index":{index},"reason":"{reason}"}}' for index, reason in receipt.quarantined)
    return f'{{"accepted":{receipt.n_accepted},"quarantined":[{items}]}}'.encode()


def _refusal(status: int, code: str, detail: str, headers: dict[str, str] | None = None) -> Answer:
    title = {401: "Unauthorized", 403: "Forbidden"}[status]
    return _plain(problem_response(status, code, title, detail, headers=headers))


def _problem(exc: Exception) -> Answer:
    known = find_problem(exc) is not None or isinstance(exc, AuthenticationUnavailable)
    return _plain(answer_known(exc) if known else answer_unknown(exc))


def _plain(response: Any) -> Answer:
    head = [(name.lower(), value) for name, value in response.headers.items()]
    return response.status_code, [*head, ("content-type", str(response.media_type))], response.content
