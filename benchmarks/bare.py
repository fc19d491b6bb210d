"""The limit of `benchmarks.ingest`: a bare function on the same store, on both interfaces; no routes and no tokens."""

import os
from typing import Any
from uuid import UUID

from redis.asyncio import Redis

from tracking.intake.decoding import decode
from tracking.intake.ingest import Ingest
from tracking.intake.screening import Sender, Upload
from tracking.position import Region

REGION = Region("bare")


class Bare:
    """Takes every body as the fixes of one of 5,000 couriers, in turn."""

    def __init__(self) -> None:
        self._senders = [Sender(UUID(int=i << 64 | i), REGION, 1) for i in range(1, 5001)]
        self._turn = 0
        self._ingest: Ingest | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """The function on ASGI."""
        if scope["type"] == "lifespan":
            while True:
                message = await receive()
                await send({"type": f"{message['type']}.complete"})
                if message["type"] == "lifespan.shutdown":
                    return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        answer = await self._take(body)
        length = str(len(answer)).encode()
        await send({"type": "http.response.start", "status": 202, "headers": [(b"content-length", length)]})
        await send({"type": "http.response.body", "body": answer})

    async def __rsgi__(self, _: Any, protocol: Any) -> None:
        """The same function on Granian's own interface."""
        answer = await self._take(await protocol())
        protocol.response_bytes(202, [], answer)

    async def _take(self, body: bytes) -> bytes:
        if self._ingest is None:
            self._ingest = Ingest(Redis.from_url(os.environ["REDIS_URL"]))
        self._turn += 1
        sender = self._senders[self._turn % len(self._senders)]
        readings = decode(body).readings
        receipt = await self._ingest.accept(Upload(region=REGION, readings=readings, senders=[sender] * len(readings)))
        return b'{"accepted":%d}' % receipt.n_accepted


app = Bare()
