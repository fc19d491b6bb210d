"""
Codes by which a program without a browser gets a courier's token (RFC 8628): asked for, confirmed, taken; in Redis.

What is kept ends by itself within minutes: a hash of what the program holds, and who has confirmed it.
"""

import hashlib
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import redis.asyncio as aioredis

LIVES_S: Final = 600
INTERVAL_S: Final = 5
"""A program asks at most so often whether it was confirmed."""
LETTERS: Final = "BCDFGHJKLMNPQRSTVWXZ"
"""No vowels, so that no words come of it. Source: RFC 8628, section 6.1."""
KEY: Final = "pr:oauth:"


class Refusal(StrEnum):
    """Why there is no token, as RFC 8628 names it."""

    PENDING = "authorization_pending"
    SLOW_DOWN = "slow_down"
    EXPIRED = "expired_token"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a program shows, and what it keeps to itself."""

    device_code: str
    user_code: str


class DeviceCodes:
    """Raises what redis raises."""

    def __init__(self, redis: aioredis.Redis) -> None:
        self._redis: Any = redis

    async def ask(self) -> Asked:
        """A new one."""
        letters = "".join(secrets.choice(LETTERS) for _ in range(8))
        asked = Asked(device_code=secrets.token_urlsafe(32), user_code=f"{letters[:4]}-{letters[4:]}")
        device = _device_key(asked.device_code)
        # One after the other, for a cluster has them on two servers: whoever confirms a code finds the device it is of.
        await self._redis.set(device, b"", ex=LIVES_S)
        await self._redis.set(_user_key(asked.user_code), device, ex=LIVES_S)
        return asked

    async def confirm(self, user_code: str, courier_id: UUID) -> bool:
        """The courier's program it is; False: there is no such code (any more). Each once."""
        device = await self._redis.getdel(_user_key(user_code))
        return device is not None and bool(await self._redis.set(device, courier_id.bytes, xx=True, keepttl=True))

    async def take(self, device_code: str) -> UUID | Refusal:
        """Whose program it is, once."""
        device = _device_key(device_code)
        if not await self._redis.set(f"{device}:asked", b"", nx=True, ex=INTERVAL_S):
            return Refusal.SLOW_DOWN
        found = await self._redis.get(device)
        if found is None:
            return Refusal.EXPIRED
        if not found:
            return Refusal.PENDING
        taken = await self._redis.getdel(device)
        return Refusal.EXPIRED if not taken else UUID(bytes=bytes(taken))


def _device_key(device_code: str) -> str:
    return f"{KEY}device:{hashlib.sha256(device_code.encode()).hexdigest()}"


def _user_key(user_code: str) -> str:
    letters = "".join(sign for sign in user_code.upper() if sign in LETTERS)
    return f"{KEY}user:{hashlib.sha256(letters.encode()).hexdigest()}"
