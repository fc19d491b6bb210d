"""How long a request may take to arrive: its head is the server's matter (`app/machine/api.py`), its body is ours."""

import asyncio

from litestar.types import HTTPReceiveMessage, HTTPRequestEvent, Receive

from app.web.problems import BodyTooSlow


def in_time(receive: Receive, limit_s: float) -> Receive:
    """The same `receive`, that raises BodyTooSlow where the whole body is not there `limit_s` after it is asked for."""
    deadline: float | None = None
    is_whole = False

    async def patient() -> HTTPReceiveMessage | HTTPRequestEvent:
        nonlocal deadline, is_whole
        if is_whole:
            return await receive()  # type: ignore[return-value]  # waits for the end of the connection
        if deadline is None:
            deadline = asyncio.get_running_loop().time() + limit_s
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError as exc:
            raise BodyTooSlow from exc
        is_whole = message["type"] != "http.request" or not message.get("more_body")
        return message  # type: ignore[return-value]

    return patient
