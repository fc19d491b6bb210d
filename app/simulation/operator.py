"""The operator of a simulated fleet: hires, gives shifts, sets the region and plans ahead, as staff do."""

import asyncio
import logging
from contextlib import suppress
from typing import Any
from uuid import uuid4

import httpx

from app.simulation.params import SimulateParams

log = logging.getLogger(__name__)


class Operator:
    """Requests with the operator's token."""

    def __init__(self, params: SimulateParams, client: httpx.AsyncClient) -> None:
        self._params = params
        self._client = client

    async def ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        """One request, made again until it is answered, but done once. Raises HTTPStatusError."""
        pause_s, is_told = 0.2, False
        headers = {"Authorization": f"Bearer {self._params.token}"}
        if method == "POST":
            headers["Idempotency-Key"] = str(uuid4())
        while True:
            with suppress(httpx.TransportError):
                answer = await self._client.request(method, path, headers=headers, **request)
                if answer.status_code not in {502, 503, 504}:
                    return answer.raise_for_status()
            if not is_told:
                log.warning("no answer yet from %s; trying again", self._params.url, extra={"event": "no_answer"})
                is_told = True
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, 5.0)
