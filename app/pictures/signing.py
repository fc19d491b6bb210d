"""Addresses that are good for a while: who was shown one needs no token, and keeps nothing; no I/O."""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

LIVES: Final = timedelta(minutes=15)
STEP_S: Final = 300
"""Addresses made within so many seconds are the same, so that browsers show what they have."""


def key_of(secret: bytes, purpose: str) -> bytes:
    """A key for one purpose, from the installation's secret."""
    return hmac.digest(secret, purpose.encode(), hashlib.sha256)


def until(now: datetime) -> datetime:
    """When an address ends that is made now."""
    at_s = int((now + LIVES).timestamp())
    return datetime.fromtimestamp(at_s - at_s % STEP_S + STEP_S, UTC)


def signature(key: bytes, picture_id: UUID, until_s: int) -> str:
    """Of a picture's address until then, in seconds since the Unix epoch."""
    return hmac.digest(key, f"{picture_id} {until_s}".encode(), hashlib.sha256).hex()[:32]


def is_good(key: bytes, picture_id: UUID, until_s: int, said: str, *, now: datetime) -> bool:
    """Whether it was signed here and has not ended."""
    return now.timestamp() < until_s and hmac.compare_digest(
        signature(key, picture_id, until_s).encode(), said.encode()
    )
