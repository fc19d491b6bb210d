"""Whether the database's schema is one this program can run on; every role asks before it begins."""

import asyncio
import logging
from typing import Any, Final

import asyncpg
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError

from app.settings import Settings
from app.wiring.installation import stranger
from app.wiring.resources import resources
from sql import queries
from sql.ledger import FIT, Schema, Standing, of_rows
from tracking import outages
from tracking.pause import pause

log = logging.getLogger(__name__)

REFUSED: Final[tuple[type[Exception], ...]] = (
    asyncpg.InvalidAuthorizationSpecificationError,  # a wrong password is one
    asyncpg.InvalidCatalogNameError,
    asyncpg.ClientConfigurationError,
    ValueError,
)
"""The address cannot be right: waiting would not help."""
LOOK_EVERY_S: Final = 1.0
LOOK_AT_MOST_S: Final = 10.0


class Unfit(RuntimeError):
    """The database is not one that this program can run on."""


async def schema_of(database: Any) -> Schema:
    """How the schema stands to this program; `database`: a pool or a connection. Raises what asyncpg raises."""
    try:
        rows = await database.fetch(queries["schema_migrations.standing"], timeout=5)
    except asyncpg.UndefinedTableError:
        rows = []
    return of_rows(rows)


async def refuse_unfit(settings: Settings) -> None:
    """
    Raise Unfit where the API could not keep its promises, by mistake; a server that is away is waited for later.

    Positions are accepted while PostgreSQL is away, so the API does not wait for it.
    """
    async with resources(settings) as opened:  # whatever cannot be opened is a mistake of the settings
        try:
            async with asyncio.timeout(LOOK_AT_MOST_S):
                schema = await schema_of(opened.pool)
        except REFUSED as exc:
            raise Unfit(f"DATABASE_URL: cannot connect: {outages.words(exc)}") from exc
        except outages.DRIVERS as exc:
            outages.tell(log, "database away at the start", exc, event="waiting_for_database")
        else:
            if schema.standing not in FIT:
                raise Unfit(schema.words)
        await refuse_unfit_redis(opened.redis)
        await refuse_another_installations(opened.pool, opened.redis)


async def refuse_another_installations(pool: asyncpg.Pool, redis: Redis) -> None:
    """Raise Unfit where database and Redis are of two installations."""
    if (why := await stranger(pool, redis)) is not None:
        raise Unfit(why)


async def refuse_unfit_redis(client: Redis) -> None:
    """Raise Unfit where Redis does not let us in."""
    try:
        async with asyncio.timeout(LOOK_AT_MOST_S):
            await client.ping()
    except AuthenticationError as exc:
        raise Unfit(f"REDIS_URL: cannot connect: {outages.words(exc)}") from exc
    except outages.DRIVERS as exc:
        outages.tell(log, "redis away at the start", exc, event="waiting_for_redis")


async def wait_until_fit(pool: asyncpg.Pool, redis: Redis, stop: asyncio.Event) -> None:
    """Return once the database answers and its schema will do, or at `stop`; raises Unfit where it never will."""
    await refuse_unfit_redis(redis)
    while not stop.is_set():
        try:
            schema = await schema_of(pool)
        except REFUSED as exc:
            raise Unfit(f"DATABASE_URL: cannot connect: {outages.words(exc)}") from exc
        except outages.DRIVERS as exc:
            outages.tell(log, "waiting for the database", exc, event="waiting_for_database")
            await pause(stop, LOOK_EVERY_S)
        else:
            if schema.standing not in FIT:
                raise Unfit(schema.words)
            if schema.standing is Standing.AHEAD:
                log.warning("schema ahead", extra={"event": "schema_ahead", "found": schema.words})
            await refuse_another_installations(pool, redis)
            return
