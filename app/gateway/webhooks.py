"""Sends events by HTTP POST, signed; says what became of it."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from time import monotonic
from typing import Final, Self
from uuid import UUID

import httpcore

from app.gateway import pace
from app.gateway.outside import PublicOnly
from app.gateway.signing import signed
from app.gateway.ways import CONTENT_TYPE, Letter, Outcome, Row
from tracking import tracing

WITHIN_S: Final = 15.0
"""An attempt, from the look-up of the name to the end of the answer."""
CONNECT_S: Final = 5.0
CONNECTIONS: Final = 400
ANSWER_BYTES: Final = 2_048
"""So much of an answer is read and kept."""
GONE: Final = 410


class Webhooks:
    """Redirects are not followed, and an answer's body is read only so far."""

    at_once = 8
    longest_rest = pace.LONGEST_REST
    has_log = True

    def __init__(self, *, allow_private: bool) -> None:
        """`allow_private`: addresses of private networks may be called."""
        self._pool = httpcore.AsyncConnectionPool(
            max_connections=CONNECTIONS,
            max_keepalive_connections=CONNECTIONS // 4,
            keepalive_expiry=30,
            network_backend=PublicOnly(allow_private=allow_private),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pool.aclose()

    async def send(self, target: Row, letters: Sequence[Letter], now: datetime) -> Sequence[Outcome]:
        """An attempt each, side by side."""
        keys, at_s = keys_of(target, now), int(now.timestamp())
        return await asyncio.gather(*(self._deliver(target["url"], keys, letter, at_s) for letter in letters))

    async def _deliver(self, url: str, keys: Sequence[str], letter: Letter, at_s: int) -> Outcome:
        trace = letter.row.get("trace")
        with tracing.going_on("deliver to a webhook", [trace] if trace else (), type=letter.row["type"]):
            return await self.post(url, keys, letter.row["id"], letter.body, at_s=at_s)

    async def post(self, url: str, keys: Sequence[str], event_id: UUID, body: bytes, *, at_s: int) -> Outcome:
        """One attempt, at `at_s` seconds since the Unix epoch; whatever goes wrong with the receiver is an outcome."""
        headers = {"content-type": CONTENT_TYPE, "user-agent": "postrider", **signed(keys, str(event_id), at_s, body)}
        if trace := tracing.carried():
            headers["traceparent"] = trace
        began = monotonic()
        try:
            async with asyncio.timeout(WITHIN_S):
                status, answer = await self._request(url, headers, body)
        except TimeoutError:
            return Outcome(took_ms=_ms_since(began), error=f"no answer within {WITHIN_S:.0f} s")
        except Exception as exc:  # noqa: BLE001 - whatever a receiver's address or server does is its failure
            return Outcome(took_ms=_ms_since(began), error=f"{type(exc).__name__}: {exc}"[:ANSWER_BYTES])
        return Outcome(took_ms=_ms_since(began), status=status, answer=answer)

    async def _request(self, url: str, headers: dict[str, str], body: bytes) -> tuple[int, str]:
        timeouts = {"connect": CONNECT_S, "read": WITHIN_S, "write": WITHIN_S, "pool": WITHIN_S}
        answer = b""
        async with self._pool.stream(
            "POST", url, headers=list(headers.items()), content=body, extensions={"timeout": timeouts}
        ) as response:
            async for part in response.aiter_stream():
                answer += part
                if len(answer) >= ANSWER_BYTES:
                    break
        return response.status, answer[:ANSWER_BYTES].decode(errors="replace").replace("\0", "")


def _ms_since(began: float) -> int:
    return int((monotonic() - began) * 1000)


def keys_of(target: Row, now: datetime) -> list[str]:
    """The secrets that sign: the newest, and the one before for a while."""
    newest, *older = target["secrets"]
    is_old_good = target["old_secret_until"] is not None and now < target["old_secret_until"]
    return [newest, *older] if is_old_good else [newest]
