"""
What is held of a person of the staff: handed out, and erased as far as others do not need it.

Who did what, and who looked at whom, must be known as long as the audit log is kept: the name stays there, and in the
timelines of orders. What lets the person in, where from and with which browser, goes.
"""

from collections.abc import AsyncIterator
from typing import Any, Final
from uuid import UUID

import msgspec

from sql import queries

ROWS: Final = 1_000


async def exported(pool: Any, user_id: UUID, name: str) -> AsyncIterator[bytes]:
    """Lines of JSON that say in `record` what they are."""
    for kind, query in (("user", "user"), ("identity", "identities"), ("session", "sessions")):
        for row in await pool.fetch(queries[f"users.held_{query}"], user_id):
            yield _line(kind, row["facts"])
    after, n = 0, ROWS
    while n == ROWS:
        rows = await pool.fetch(queries["users.held_audit"], name, after, ROWS)
        n = len(rows)
        for row in rows:
            after = row["id"]
            yield _line("audit", row["facts"])


async def erase(connection: Any, user_id: UUID, name: str) -> None:
    """Of a person who was removed, within the transaction that does it, or later."""
    await connection.execute(queries["users.erase"], user_id)
    await connection.execute(queries["users.erase_identities"], user_id)
    await connection.execute(queries["users.erase_sessions"], user_id)
    await connection.execute(queries["users.erase_facts"], user_id)
    await connection.execute(queries["users.erase_addresses"], name)


def _line(kind: str, facts: Any) -> bytes:
    return msgspec.json.encode({"record": kind, **msgspec.json.decode(facts)}) + b"\n"
