"""
Signing in on a page: a session in a cookie that scripts cannot read, and the codes that an address may carry.

A code stands in an address in place of a token, for addresses are shared and remembered: it works once, for a quarter
of an hour, and for the role or the person that it was made for. A person who gets one sets a password with it.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec
import redis.asyncio as aioredis

from app.logs import current_address
from app.web.audit import audit
from app.web.auth import Caller, Role, new_secret, new_token
from sql import queries

CODE_S: Final = 900
"""So long after it was made a code can be used."""
INVITED_S: Final = 3 * 24 * 3600
"""The same of a person's, who is sent it."""
LONGEST_AGENT: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Lives:
    """How long a session lasts (settings), and with which program it begins."""

    session_s: float
    idle_s: float
    agent: str = ""


class _Promise(msgspec.Struct, frozen=True):
    """What a code is good for."""

    role: Role
    name: str
    user_id: UUID | None = None


async def make_code(redis: aioredis.Redis, role: Role, name: str, user_id: UUID | None = None) -> str:
    """A code that signs somebody in as `role`, or as the person, once; Redis keeps its hash only."""
    code = new_secret("o")
    life_s = CODE_S if user_id is None else INVITED_S
    await redis.set(_key(code), msgspec.json.encode(_Promise(role, name, user_id)), ex=life_s)
    return code


async def redeem(redis: aioredis.Redis, pool: asyncpg.Pool, code: str, lives: Lives) -> str | None:
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
        if promise.user_id is not None:
            person = await connection.fetchrow(queries["users.secrets_of"], promise.user_id)
            if person is None:
                return None
            promise = _Promise(Role(person["role"]), person["name"], promise.user_id)
        return await begin_session(connection, promise.role, promise.name, lives, user_id=promise.user_id)


async def begin_session(
    connection: Any, role: Role, name: str, lives: Lives, *, user_id: UUID | None = None, how: str = "address"
) -> str:
    """The token of a new session; in the caller's transaction."""
    made = new_token(role, is_session=True)
    token_id = await connection.fetchval(
        queries["tokens.begin_session"],
        role.value,
        name,
        made.prefix,
        made.hash,
        datetime.now(UTC) + timedelta(seconds=lives.session_s),
        user_id,
        int(lives.idle_s),
        current_address(),
        "".join(filter(str.isprintable, lives.agent))[:LONGEST_AGENT],
    )
    if user_id is not None:
        await connection.execute(queries["users.signed_in"], user_id)
    who = Caller(token_id=token_id, role=role, name=name, user_id=user_id)
    await audit(connection, who, "session.begin", f"token:{token_id}", {"prefix": made.prefix, "by": how})
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
