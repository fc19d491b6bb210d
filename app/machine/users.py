"""People, from the command line: `postrider user`, and the first one."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg

from app.settings import Settings
from app.web.audit import audit
from app.web.auth import Caller, Role
from app.web.passwords import Passwords, check
from app.web.sign_in import make_code
from app.wiring.resources import open_redis
from sql import queries

FIRST: Final = "admin"
"""What the first person is called, who has every right; any name will do once there are others."""
NOBODY: Final = UUID(int=0)


class NameTaken(ValueError):
    """A person of this name exists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPerson:
    """A person to be."""

    name: str
    role: Role
    regions: tuple[str, ...] = ()
    partner: str | None = None
    password: str | None = None
    """Without one the person sets it, by the address that signs in once."""


async def add_person(settings: Settings, person: NewPerson) -> str | None:
    """
    Add somebody; the address that signs in once, for whoever has no password.

    Raises NameTaken, and BadInput for a password that is easily guessed.
    """
    hashed = None
    if person.password is not None:
        check(person.password, person.name, "/password")
        hashed = await Passwords().hash(person.password)
    connection = await asyncpg.connect(settings.database_url, statement_cache_size=0)
    try:
        async with connection.transaction():
            user_id = await _added(connection, person, hashed)
    finally:
        await connection.close()
    return None if hashed is not None else await _address(settings, person.role, person.name, user_id)


async def ensure_first(settings: Settings) -> str | None:
    """The address that signs the first person in, who is made where there is nobody; None: there are people."""
    connection = await asyncpg.connect(settings.database_url, statement_cache_size=0)
    try:
        async with connection.transaction():
            if await connection.fetchval(queries["users.count"]):
                return None
            user_id = await _added(connection, NewPerson(name=FIRST, role=Role.ADMIN), None)
    finally:
        await connection.close()
    return await _address(settings, Role.ADMIN, FIRST, user_id)


async def _added(connection: asyncpg.Connection, person: NewPerson, hashed: str | None) -> UUID:
    added: UUID | None = await connection.fetchval(
        queries["users.add"],
        person.name,
        person.role.value,
        list(person.regions),
        person.partner,
        hashed,
        hashed is None,
    )
    if added is None:
        raise NameTaken(person.name)
    operator = Caller(token_id=NOBODY, role=Role.ADMIN, name="command line")
    await audit(connection, operator, "user.add", f"user:{added}", {"name": person.name, "role": person.role})
    return added


async def _address(settings: Settings, role: Role, name: str, user_id: UUID) -> str:
    redis = open_redis(settings, size=1)
    try:
        code = await make_code(redis, role, name, user_id)
    finally:
        await redis.aclose()
    return f"http://{settings.host}:{settings.port}/#code={code}"
