"""
Signing in on a page: a session in a cookie that scripts cannot read, and the codes that an address may carry.

A code stands in an address in place of a token, for addresses are shared and remembered: it works once, for a quarter
of an hour, and for the role that it was made for.
"""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import asyncpg
import msgspec
import redis.asyncio as aioredis

from app.web.audit import audit
from app.web.auth import Caller, Role, new_secret
from app.web.tokens import add_token
from sql import queries

SESSION_S: Final = 12 * 3600
"""A working day; then one signs in again."""
CODE_S: Final = 900
"""So long after it was made a code can be used."""


class _Promise(msgspec.Struct, frozen=True):
    """What a code is good for."""

    role: Role
    name: str


async def make_code(redis: aioredis.Redis, role: Role, name: str) -> str:
    """A code that signs somebody in as `role`, once; Redis keeps its hash only."""
    code = new_secret("o")
    await redis.set(_key(code), msgspec.json.encode(_Promise(role, name)), ex=CODE_S)
    return code


async def redeem(redis: aioredis.Redis, pool: asyncpg.Pool, code: str) -> str | None:
    """
    The token of a new session; None when the code was used, has expired, or never was.

    Of several who try at once one gets it. The code is taken with the database at hand, so that an outage of it costs
    nobody the code.
    """
    async with pool.acquire() as connection, connection.transaction():
        raw: Any = await redis.getdel(_key(code))
        if raw is None:
            return None
        promise = msgspec.json.decode(raw, type=_Promise)
        expires_at = datetime.now(UTC) + timedelta(seconds=SESSION_S)
        made, token_id, _ = await add_token(
            connection, promise.role, promise.name, expires_at=expires_at, is_session=True
        )
        who = Caller(token_id=token_id, role=promise.role, name=promise.name)
        await audit(connection, who, "session.begin", f"token:{token_id}", {"prefix": made.prefix})
    return made.token


async def end_session(pool: asyncpg.Pool, caller: Caller) -> bytes | None:
    """Refuse the session's token from now on; its hash, for caches to forget."""
    async with pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(queries["tokens.revoke"], caller.token_id, False)
        if row is None:
            return None
        await audit(connection, caller, "session.end", f"token:{caller.token_id}")
    return bytes(row["hash"])


def _key(code: str) -> str:
    return f"pr:sign-in:{hashlib.sha256(code.encode()).hexdigest()}"
