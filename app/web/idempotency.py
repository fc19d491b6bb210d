"""
`Idempotency-Key`: a POST that is repeated, because its answer was lost, creates nothing twice.

The key is claimed and the answer kept in the transaction that creates: after a crash there is either both or neither.
Keys are remembered per caller for a day.
"""

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import msgspec
from litestar.params import HeaderParameter

from app.web.auth import Caller
from dispatch.errors import IdempotencyKeyReused
from sql import queries
from tracking.pause import pause

REMEMBERED_FOR: Final = timedelta(days=1)
"""A client that repeats a request does so within minutes."""
FORGET_EVERY_S: Final = 3600.0

IdempotencyKey = Annotated[str | None, HeaderParameter(name="Idempotency-Key", max_length=200)]
"""Parameter of a handler that creates something."""


async def answered_before(connection: Any, caller: Caller, key: str | None, request: Any) -> Any | None:
    """
    The body that was answered to this request before, or None: then it is to be done now.

    Within a transaction; a concurrent request with the same key waits for that one to end. Raises
    IdempotencyKeyReused when the key came with another request.
    """
    if key is None:
        return None
    digest = hashlib.sha256(msgspec.json.encode(request, order="sorted")).digest()
    who = str(caller.token_id)
    if await connection.fetchval(queries["idempotency_keys.claim"], who, key, digest) is not None:
        return None
    row = await connection.fetchrow(queries["idempotency_keys.get"], who, key)
    if row is None or bytes(row["request_hash"]) != digest:
        raise IdempotencyKeyReused
    return msgspec.json.decode(row["body"])


async def remember_answer(connection: Any, caller: Caller, key: str | None, status: int, body: Any) -> None:
    """Keep the answer in the transaction that created what it tells of."""
    if key is not None:
        text = msgspec.json.encode(body).decode()
        await connection.execute(queries["idempotency_keys.answer"], str(caller.token_id), key, status, text)


async def forget_answers(pool: Any, stop: asyncio.Event) -> None:
    """Delete old keys now and every hour, until `stop` is set."""
    while not stop.is_set():
        await pool.execute(queries["idempotency_keys.delete_before"], datetime.now(UTC) - REMEMBERED_FOR)
        await pause(stop, FORGET_EVERY_S)
