"""Tells of dead letters: the other system by an event, staff by an alert that lasts as long as there are any."""

from datetime import datetime
from typing import Any, Final

import asyncpg
import msgspec
from redis.asyncio import Redis

from app.gateway.commands import Envelope
from dispatch import alert_rows
from dispatch.alert_kind import AlertKind
from dispatch.alert_rows import AlertChange
from sql import queries
from tracking.position import Region

REFUSED: Final = "command.refused"
SOURCE: Final = "inbox"
SHOWN: Final = 20_000
"""Characters of a message."""


async def tell_refused(connection: Any, row: dict[str, Any], envelope: Envelope, why: str, now: datetime) -> None:
    """Put the event out, in the transaction that makes the message a dead letter."""
    facts = {
        "id": str(row["id"]),
        "way": row["way"],
        "source": envelope.source,
        "event_id": envelope.event_id,
        "type": envelope.type,
        "subject": envelope.subject,
        "reason": why,
        "body": row["body"].decode(errors="replace").replace("\0", "")[:SHOWN],
    }
    text = msgspec.json.encode(facts).decode()
    await connection.execute(queries["outbox.put"], REFUSED, row["id"], "", now, text)


async def tell_state(pool: asyncpg.Pool, redis: Redis, n_dead: int, now: datetime) -> None:
    """One alert for all of them, in the first region; it is over when none is left."""
    region = await pool.fetchval(queries["alerts.region_of_source"], SOURCE)
    if region is None:
        return
    facts = {"by": SOURCE, "subject": "command", "cause": "messages of other systems are dead letters"}
    change = [AlertChange(kind=AlertKind.SET_ASIDE, facts=facts)]
    raised, resolved = (change, []) if n_dead else ([], change)
    await alert_rows.write(pool, redis, Region(region), source=SOURCE, raised=raised, resolved=resolved, now=now)
