"""
The short way of the phone doors: GET and POST on Granian's own interface, for phones that report every few seconds.

They do what the documented routes in `app/routes/phones.py` do, with the same `take`; other methods, and addresses
with more in them than a token, go to those.
"""

from collections.abc import Awaitable, Iterator
from functools import partial
from typing import Any, Final

from litestar import MediaType

from app.web import metrics
from app.web.door import Answer, body_of, serve
from app.wiring.phones import DOORS, PhoneCall, PhoneDoor, media_type_of, take

METHODS: Final = ("GET", "POST")
CONTENT_TYPES: Final = {MediaType.TEXT: "text/plain; charset=utf-8", MediaType.JSON: "application/json"}


class FastPhone:
    """Serves one method of one door, with the token in the path or elsewhere; see `app.web.rsgi`."""

    def __init__(self, state: Any, door: PhoneDoor, method: str, *, holds_token: bool) -> None:
        """`state`: has `intake` once the lifespan has begun."""
        self._state = state
        self._door = door
        self._holds_token = holds_token
        path = f"/ingest/{door.source}"
        self.key = method, f"{path}/*" if holds_token else path
        self._tally = metrics.Tally(method, f"{path}/{{token}}" if holds_token else path, 200)

    def __call__(self, scope: Any, protocol: Any) -> Awaitable[None]:
        """Serve a request."""
        return serve(scope, protocol, self._answer, self._tally, self._state.proxies)

    async def _answer(self, scope: Any, headers: Any, protocol: Any) -> Answer:
        intake = self._state.intake
        token = scope.path.removesuffix("/").rpartition("/")[2] if self._holds_token else None
        read = partial(body_of, headers, protocol, intake.settings)
        answer = await take(intake, PhoneCall(self._door, token, scope.query_string, headers, read))
        return 200, [("content-type", CONTENT_TYPES[media_type_of(answer)])], answer


def fast_phones(state: Any) -> Iterator[FastPhone]:
    """All of them."""
    for door in DOORS:
        for method in METHODS:
            for holds_token in (False, True):
                yield FastPhone(state, door, method, holds_token=holds_token)
