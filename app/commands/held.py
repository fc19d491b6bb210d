"""What is held of a courier: counted, and handed out to the person (GDPR, article 15); what erasing does about each."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Any, Final
from uuid import UUID

import msgspec

from app.wiring.reads import Reads
from sql import queries
from tracking.batch import PositionColumns
from tracking.history.export import JsonLines, write
from tracking.history.tracks import PAGE, Reader, Resolution, Rollup

ROWS: Final = 10_000
"""Of a page: some megabytes; a table without an index by courier is gone through once a page."""


class Fate(StrEnum):
    """What erasing a courier does about a kind of row."""

    DELETED = "deleted"
    NAMELESS = "nameless"
    """The rows stay for what refers to them, and lead to nobody."""


KINDS: Final[Mapping[str, Fate]] = {
    "courier": Fate.NAMELESS,
    "tokens": Fate.DELETED,
    "invitations": Fate.DELETED,
    "browsers": Fate.DELETED,
    "shifts": Fate.DELETED,
    "breaks": Fate.DELETED,
    "hours": Fate.DELETED,
    "orders": Fate.NAMELESS,
    "offers": Fate.NAMELESS,
    "order_events": Fate.NAMELESS,
    "order_comments": Fate.DELETED,
    "order_pictures": Fate.DELETED,
    "courier_messages": Fate.DELETED,
    "pay": Fate.NAMELESS,
    "pay_facts": Fate.NAMELESS,
    "pay_due": Fate.NAMELESS,
    "days": Fate.NAMELESS,
    "route": Fate.DELETED,
    "decisions": Fate.DELETED,
    "stays": Fate.DELETED,
    "fence_events": Fate.DELETED,
    "visits": Fate.DELETED,
    "legs": Fate.DELETED,
    "alerts": Fate.NAMELESS,
    "channels": Fate.DELETED,
    "quarantine": Fate.DELETED,
    "inbox": Fate.DELETED,
    "audit": Fate.NAMELESS,
}
"""Blocks of sql/queries/held.sql, in the order in which they are handed out; fixes come last."""
FIXES: Final = "fixes"
EVER: Final = timedelta(days=3650)
"""Longer than anything is kept."""


async def counted(pool: Any, courier_id: UUID) -> dict[str, int]:
    """How many rows of each kind there are."""
    rows = await pool.fetch(queries["held.counts"], courier_id)
    found = {row["kind"]: row["n"] for row in rows}
    return {kind: found[kind] for kind in (*KINDS, FIXES)}


async def exported(reads: Reads, reader: Reader, courier_id: UUID, now: datetime) -> AsyncIterator[bytes]:
    """
    All of it as lines of JSON that say in `record` what they are; the track comes last: by hour, by minute, each fix.

    Page by page, by key: no connection is held while somebody reads slowly.
    """
    yield _line("export", {"courier_id": str(courier_id), "at": now.isoformat()})
    for kind in KINDS:
        after: str | None = None
        n = ROWS
        while n == ROWS:
            rows = await reads.ask(partial(_rows, kind, courier_id, after))
            n = len(rows)
            if rows:
                after = rows[-1]["key"]
                yield b"".join(_line(kind, msgspec.json.decode(row["facts"])) for row in rows)
    for resolution, kind in ((Resolution.HOUR, "track_hour"), (Resolution.MINUTE, "track_minute")):
        async for rollup in _rollups(reader, courier_id, resolution, now):
            yield _line(kind, asdict(rollup))
    async for text in write(JsonLines("fix"), _fixes(reader, courier_id, now)):
        yield text


async def _rows(kind: str, courier_id: UUID, after: str | None, pool: Any) -> Any:
    return await pool.fetch(queries[f"held.{kind}"], courier_id, after, ROWS)


async def _rollups(reader: Reader, courier_id: UUID, resolution: Resolution, now: datetime) -> AsyncIterator[Rollup]:
    after: datetime | None = None
    n = PAGE
    while n == PAGE:
        page = await reader.rollups(courier_id, resolution, now - EVER, now + EVER, after=after, limit=PAGE)
        n = len(page)
        for rollup in page:
            after = rollup.bucket_at
            yield rollup


async def _fixes(reader: Reader, courier_id: UUID, now: datetime) -> AsyncIterator[PositionColumns]:
    after: datetime | None = None
    n = PAGE
    while n == PAGE:
        page = await reader.fixes(courier_id, now - EVER, now + EVER, after=after, with_marked=True, limit=PAGE)
        n = len(page)
        if n:
            after = page.position(n - 1).fix.fixed_at
            yield page


def _line(kind: str, facts: dict[str, Any]) -> bytes:
    return msgspec.json.encode({"record": kind, **facts}) + b"\n"
