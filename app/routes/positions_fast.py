"""
The short way of `POST /v1/positions`: a function on Granian's own interface, for the one request that comes ten
thousand times a second.

It does what the documented route in `app/routes/positions.py` does, with the same `Intake`.
"""

from collections.abc import Awaitable
from typing import Any, Final

from app.web import metrics
from app.web.auth import Caller, session_token, token_of
from app.web.door import JSON, Answer, body_of, refusal, serve
from app.wiring.intake import Intake
from tracking.intake.screening import Receipt

PATH: Final = "/v1/positions"
TALLY: Final = metrics.Tally("POST", PATH, 202)


class FastPositions:
    """Serves `POST /v1/positions` on Granian's interface; see `app.web.rsgi`."""

    def __init__(self, state: Any) -> None:
        """`state`: has `intake` once the lifespan has begun."""
        self._state = state

    def __call__(self, scope: Any, protocol: Any) -> Awaitable[None]:
        """Serve a request."""
        return serve(scope, protocol, self._answer, TALLY, self._state.proxies)

    async def _answer(self, _: Any, headers: Any, protocol: Any) -> Answer:
        state = self._state
        intake: Intake = state.intake
        token = token_of(headers) or session_token("POST", headers)  # a phone has the one, the courier's page the other
        caller: Caller | None = None
        if token is not None:
            caller = intake.authenticator.remembered(token) or await intake.authenticator.caller(token)
        if caller is None:
            return refusal(
                401,
                "not-authenticated",
                "A valid token is required: send it as 'Authorization: Bearer <token>'.",
                {"WWW-Authenticate": "Bearer"},
            )
        state.rates.admit_caller(caller)
        if caller.courier_id is None and not caller.may_post_for_any_courier:
            return refusal(403, "not-allowed", "This needs a courier's device token or a service token.")
        body = await body_of(headers, protocol, intake.settings)
        receipt = await intake.take_json(caller, body, headers.get("content-encoding"))
        return 202, [JSON], receipt_json(receipt)


def receipt_json(receipt: Receipt) -> bytes:
    """`{"accepted": n, "quarantined": [{"index", "reason"}]}`."""
    if not receipt.quarantined:
        return b'{"accepted":%d,"quarantined":[]}' % receipt.n_accepted
    items = ",".join(f'{{"index":{index},"reason":"{reason}"}}' for index, reason in receipt.quarantined)
    return f'{{"accepted":{receipt.n_accepted},"quarantined":[{items}]}}'.encode()
