"""`postrider gateway dead-letters`: commands of other systems that could have no effect, shown, and brought back."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import asyncpg

from app.settings import Settings
from sql import queries


async def list_letters(settings: Settings) -> Sequence[Mapping[str, Any]]:
    """All of them, the oldest first."""
    connection = await asyncpg.connect(settings.database_url, statement_cache_size=0)
    try:
        found: Sequence[Mapping[str, Any]] = await connection.fetch(queries["inbox.dead"])
    finally:
        await connection.close()
    return found


async def replay(settings: Settings, letter: UUID | None = None) -> int:
    """Let the gateway try them anew, one or all; how many."""
    connection = await asyncpg.connect(settings.database_url, statement_cache_size=0)
    try:
        status = await connection.execute(queries["inbox.replay"], letter)
    finally:
        await connection.close()
    return int(status.rpartition(" ")[2])
