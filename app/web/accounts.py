"""Letting a person in who has a name and a password here."""

import hashlib
from datetime import datetime
from typing import Any

import asyncpg

from app.logs import current_address
from app.web.auth import Role
from app.web.passwords import Passwords
from app.web.problems import SecondFactorRequired
from app.web.rates import Kind, Rates
from app.web.second_factor import is_second_factor
from app.web.sign_in import Lives, begin_session
from sql import queries


def admit_name(rates: Rates, name: str) -> None:
    """Count a try at that name; raises TooManyRequests. What is counted names nobody: it may be a password."""
    who = hashlib.sha256(name.lower().encode()).hexdigest()[:16]
    rates.admit(Kind.PASSWORD, f"{who}:{current_address()}")
    rates.admit(Kind.NAME, who)


async def let_in(
    pool: asyncpg.Pool,
    passwords: Passwords,
    name: str,
    password: str,
    totp: str | None,
    lives: Lives,
    now: datetime,
) -> str | None:
    """
    The token of a new session; None: name, password or code are not right, and nobody learns which.

    Raises SecondFactorRequired where name and password are right and there is more to show. The password is compared
    with no connection held.
    """
    person: Any = await pool.fetchrow(queries["users.secrets"], name)
    kept = None if person is None else person["password_hash"]
    if not await passwords.is_right(kept, password) or kept is None:
        return None
    if person["has_second_factor"] and totp is None:
        raise SecondFactorRequired
    anew = await passwords.hash(password) if passwords.is_outdated(kept) else None
    async with pool.acquire() as connection, connection.transaction():
        if person["has_second_factor"] and not await is_second_factor(connection, person["id"], totp or "", now):
            return None
        if anew is not None:
            await connection.execute(queries["users.rehash"], person["id"], anew, kept)
        return await begin_session(
            connection, Role(person["role"]), person["name"], lives, user_id=person["id"], how="password"
        )
