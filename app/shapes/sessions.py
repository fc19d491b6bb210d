"""Sessions as they go over HTTP."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from app.web.auth import Caller


class SessionShape(msgspec.Struct, kw_only=True):
    """A session that goes on."""

    id: UUID
    created_at: datetime
    expires_at: datetime
    seen_at: datetime
    ip: str | None
    agent: str | None
    is_this: bool
    """The one that asks."""


def session_shape(row: Any, caller: Caller) -> SessionShape:
    """A row of sql/queries/tokens.sql, as `caller` is shown it."""
    return SessionShape(**dict(row), is_this=row["id"] == caller.token_id)
