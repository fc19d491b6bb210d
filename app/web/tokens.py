"""Storing a new token: only its hash, beside what it is for."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from app.web.auth import NewToken, Role, new_token
from sql import queries

KINDS = {Role.COURIER: "courier", Role.SERVICE: "service"}


async def add_token(
    connection: asyncpg.Connection | asyncpg.Pool,
    role: Role,
    name: str,
    *,
    courier_id: UUID | None = None,
    speed_unit: str | None = None,
    expires_at: datetime | None = None,
    is_session: bool = False,
    regions: Sequence[str] = (),
    partner: str | None = None,
    place_id: UUID | None = None,
) -> tuple[NewToken, UUID, datetime]:
    """Make a token and store its hash; returns it with its id and the time it was made."""
    made = new_token(role, is_session=is_session)
    row = await connection.fetchrow(
        queries["tokens.add"],
        KINDS.get(role, "staff"),
        role.value,
        courier_id,
        name,
        made.prefix,
        made.hash,
        speed_unit,
        expires_at,
        list(regions) or None,
        partner,
        place_id,
    )
    return made, row["id"], row["created_at"]
