"""Make tokens without the API: from the command line, and the first administrator's."""

import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import asyncpg

from app.settings import Settings
from app.web.auth import Role
from app.web.sign_in import make_code
from app.web.tokens import add_token
from app.wiring.resources import open_redis
from sql import queries
from tracking.intake.roster import Roster

FIRST_ADMIN: Final = "administrator"


class NoSuchCourier(LookupError):
    """There is no courier with that id or external id."""


async def make_token(dsn: str, role: Role, name: str, *, courier: str | None = None, days: int | None = None) -> str:
    """
    Store a new token and return it.

    `courier` is an id or an external id, and needed for Role.COURIER only; `days`: how long it is good for.
    Raises NoSuchCourier.
    """
    connection = await asyncpg.connect(dsn, statement_cache_size=0)
    try:
        courier_id = None
        if role is Role.COURIER:
            courier_id = (await Roster(connection).owners_of([courier or ""])).get(courier or "")
            if courier_id is None:
                raise NoSuchCourier(courier)
        expires_at = datetime.now(UTC) + timedelta(days=days) if days else None
        made, _, _ = await add_token(connection, role, name, courier_id=courier_id, expires_at=expires_at)
    finally:
        await connection.close()
    return made.token


async def make_address(settings: Settings, role: Role, name: str) -> str:
    """An address of the live map that signs somebody in, once and soon (`app.web.sign_in`)."""
    redis = open_redis(settings, size=1)
    try:
        code = await make_code(redis, role, name)
    finally:
        await redis.aclose()
    return f"http://{settings.host}:{settings.port}/#code={code}"


async def ensure_admin_token(dsn: str, path: Path) -> Path | None:
    """
    Make the first administrator's token where there is none, in a file that only its owner may read.

    Returns the file's path, or None when there are administrators but the file is not here.
    """
    connection = await asyncpg.connect(dsn, statement_cache_size=0)
    try:
        async with connection.transaction():
            if await connection.fetchval(queries["tokens.count_admins"]):
                return await asyncio.to_thread(_if_there, path)
            made, _, _ = await add_token(connection, Role.ADMIN, FIRST_ADMIN)
            await asyncio.to_thread(_write_for_owner, path, made.token)
    finally:
        await connection.close()
    return path


def _if_there(path: Path) -> Path | None:
    return path if path.exists() else None


def _write_for_owner(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text + "\n")
