"""The audit log: who did, and who looked at, what. Written in the same transaction as the change."""

from typing import Any

import asyncpg
import msgspec

from app.logs import current_address, current_trace_id
from app.web.auth import Caller
from sql import queries


async def audit(
    connection: asyncpg.Connection | asyncpg.Pool, caller: Caller, action: str, subject: str, facts: Any = None
) -> None:
    """
    Write one row.

    `action`: a verb with its noun, such as `order.cancel`; `subject`: what it was done to, such as `order:<id>`;
    `facts`: anything JSON can hold (before, after, reason), never a token or coordinates.
    """
    await connection.execute(
        queries["audit_log.add"],
        caller.actor,
        caller.role.value,
        action,
        subject,
        msgspec.json.encode({} if facts is None else facts, enc_hook=str).decode(),
        current_trace_id(),
        current_address(),
    )
