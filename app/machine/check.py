"""`postrider check`: is this installation fit to run?"""

import resource
from dataclasses import dataclass
from typing import Final

import asyncpg
import redis.asyncio as aioredis

from app.machine.api import FILES_BESIDE_CONNECTIONS
from app.machine.bounds import bounds
from app.settings import Settings
from app.wiring.resources import open_redis
from sql import queries
from tracking import outages
from tracking.dead_letters import DeadLetters

NO_ANSWER: Final[tuple[type[Exception], ...]] = (*outages.DRIVERS, ValueError)
"""ValueError: the address cannot be read."""
TIMESCALE_AT_LEAST = (2, 23)
"""The columnstore's present interface."""


@dataclass(frozen=True, slots=True)
class Result:
    """What was looked at, what was found, and whether that will do."""

    what: str
    found: str
    ok: bool


async def check(settings: Settings) -> list[Result]:
    """Look at everything, even when the first thing fails."""
    told = [Result(f"at most: {bound.what}", bound.limit, ok=True) for bound in bounds(settings)]
    return [*await _database(settings), *await _redis(settings), *_files(settings), *told]


def _files(settings: Settings) -> list[Result]:
    wanted = settings.api_connections + FILES_BESIDE_CONNECTIONS
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = hard == resource.RLIM_INFINITY or hard >= wanted
    found = f"{'any number' if hard == resource.RLIM_INFINITY else hard} may be open, the API needs {wanted}"
    return [Result("files", found, ok=enough)]


async def _database(settings: Settings) -> list[Result]:
    if not settings.database_url:
        return [Result("DATABASE_URL", "not set: `postrider up` starts an embedded PostgreSQL", ok=True)]
    try:
        connection = await asyncpg.connect(settings.database_url, timeout=5, statement_cache_size=0)
    except NO_ANSWER as exc:
        return [Result("database", f"cannot connect: {type(exc).__name__}: {exc}", ok=False)]
    try:
        row = await connection.fetchrow(queries["health.engine"])
        version = row["timescaledb"]
        new_enough = (
            version is None or tuple(int(part) for part in version.split("-")[0].split(".")[:2]) >= TIMESCALE_AT_LEAST
        )
        engine = f"TimescaleDB {version}" if version else "plain PostgreSQL: rollups are computed when they are read"
        results = [
            Result("database", f"PostgreSQL {row['postgresql']}", ok=True),
            Result("engine", engine, ok=new_enough),
        ]
        ledger = await connection.fetchval("SELECT to_regclass('schema_migrations')")
        found = "migrated" if ledger else "empty: run `postrider migrate`"
        return [*results, Result("schema", found, ok=bool(ledger))]
    finally:
        await connection.close()


async def _redis(settings: Settings) -> list[Result]:
    if not settings.redis_url:
        return [Result("REDIS_URL", "not set: `postrider up` starts an embedded server", ok=True)]
    client = open_redis(settings)
    try:
        info = await client.info("persistence")
        policy = await _policy(client)
        letters = DeadLetters(client)
        n_dead = sum([await letters.count(region) for region in await letters.regions()])
    except outages.DRIVERS as exc:
        return [Result("redis", f"does not answer: {outages.words(exc)}", ok=False)]
    finally:
        await client.aclose()
    durable = bool(info.get("aof_enabled"))
    found = f"AOF on, appendfsync {policy}" if durable else "AOF off: a 2xx would not mean stored"
    waiting = f"{n_dead} wait: `postrider dead-letters list`" if n_dead else "none"
    return [Result("redis", found, ok=durable), Result("dead letters", waiting, ok=not n_dead)]


async def _policy(client: aioredis.Redis) -> str:
    try:
        return str((await client.config_get("appendfsync")).get("appendfsync", "unknown"))
    except outages.DRIVERS:
        return "unknown"  # managed servers forbid CONFIG
