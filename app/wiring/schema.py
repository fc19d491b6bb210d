"""Whether the database's schema is one this program can run on; every role asks before it begins."""

import asyncio
import logging
from contextlib import suppress
from typing import Any, Final

import asyncpg

from sql import queries
from sql.ledger import FIT, Schema, Standing, of_rows
from tracking import outages

log = logging.getLogger(__name__)

REFUSED: Final[tuple[type[Exception], ...]] = (
    asyncpg.InvalidAuthorizationSpecificationError,  # a wrong password is one
    asyncpg.InvalidCatalogNameError,
    asyncpg.ClientConfigurationError,
    ValueError,
)
"""The address cannot be right: waiting would not help."""
LOOK_EVERY_S: Final = 1.0


class Unfit(RuntimeError):
    """The database is not one that this program can run on."""


async def schema_of(database: Any) -> Schema:
    """How the schema stands to this program; `database`: a pool or a connection. Raises what asyncpg raises."""
    try:
        rows = await database.fetch(queries["schema_migrations.standing"], timeout=5)
    except asyncpg.UndefinedTableError:
        rows = []
    return of_rows(rows)


async def wait_until_fit(pool: asyncpg.Pool, stop: asyncio.Event) -> None:
    """Return once the database answers and its schema will do, or at `stop`; raises Unfit where it never will."""
    while not stop.is_set():
        try:
            schema = await schema_of(pool)
        except REFUSED as exc:
            raise Unfit(f"DATABASE_URL: cannot connect: {outages.words(exc)}") from exc
        except outages.DRIVERS as exc:
            outages.tell(log, "waiting for the database", exc, event="waiting_for_database")
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), LOOK_EVERY_S)
        else:
            if schema.standing not in FIT:
                raise Unfit(schema.words)
            if schema.standing is Standing.AHEAD:
                log.warning("schema ahead", extra={"event": "schema_ahead", "found": schema.words})
            return
