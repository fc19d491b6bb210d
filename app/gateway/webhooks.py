"""Sends events by HTTP POST, signed; says what became of it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Final, Self
from uuid import UUID

import httpcore

from app.gateway.outside import PublicOnly
from app.gateway.signing import signed

WITHIN_S: Final = 15.0
"""An attempt, from the look-up of the name to the end of the answer."""
CONNECT_S: Final = 5.0
CONNECTIONS: Final = 400
ANSWER_BYTES: Final = 2_048
"""So much of an answer is read and kept."""
GONE: Final = 410
CONTENT_TYPE: Final = "application/cloudevents+json; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of an attempt: a status, or an error and no status."""

    took_ms: int
    status: int | None = None
    answer: str | None = None
    error: str | None = None

    @property
    def is_taken(self) -> bool:
        """Whether the receiver has it."""
        return self.status is not None and 200 <= self.status < 300


class Webhooks:
    """One per process; redirects are not followed, and an answer's body is read only so far."""

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

    async def post(self, url: str, keys: Sequence[str], event_id: UUID, body: bytes, *, at_s: int) -> Outcome:
        """One attempt, at `at_s` seconds since the Unix epoch; whatever goes wrong with the receiver is an outcome."""
        headers = {"content-type": CONTENT_TYPE, "user-agent": "postrider", **signed(keys, str(event_id), at_s, body)}
        began = monotonic()
        try:
            async with asyncio.timeout(WITHIN_S):
                status, answer = await self._send(url, headers, body)
        except TimeoutError:
            return Outcome(took_ms=_ms_since(began), error=f"no answer within {WITHIN_S:.0f} s")
        except Exception as exc:  # noqa: BLE001 - whatever a receiver's address or server does is its failure
            return Outcome(took_ms=_ms_since(began), error=f"{type(exc).__name__}: {exc}"[:ANSWER_BYTES])
        return Outcome(took_ms=_ms_since(began), status=status, answer=answer)

    async def _send(self, url: str, headers: dict[str, str], body: bytes) -> tuple[int, str]:
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
