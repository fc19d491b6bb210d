"""`postrider check`: is this installation fit to run?"""

import re
import resource
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import redis.asyncio as aioredis
from redis.exceptions import ResponseError

from app.machine.api import FILES_BESIDE_CONNECTIONS
from app.machine.bounds import bounds
from app.settings import Settings
from app.wiring.resources import open_redis
from app.wiring.schema import schema_of
from sql import queries
from sql.ledger import FIT
from tracking import outages
from tracking.dead_letters import DeadLetters

NO_ANSWER: Final[tuple[type[Exception], ...]] = (*outages.DRIVERS, ValueError)
"""ValueError: the address cannot be read."""
POSTGRES_AT_LEAST = (16,)
REDIS_AT_LEAST = (7,)
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
        return [Result("database", "not looked at: DATABASE_URL is not set", ok=False)]
    try:
        connection = await asyncpg.connect(settings.database_url, timeout=5, statement_cache_size=0)
    except NO_ANSWER as exc:
        return [Result("database", f"DATABASE_URL: cannot connect: {outages.words(exc)}", ok=False)]
    try:
        row = await connection.fetchrow(queries["health.engine"])
        schema = await schema_of(connection)
    except NO_ANSWER as exc:
        return [Result("database", f"does not answer: {outages.words(exc)}", ok=False)]
    finally:
        await connection.close()
    version = row["timescaledb"]
    engine = f"TimescaleDB {version}" if version else "plain PostgreSQL: rollups are computed when they are read"
    writes = "read-only: nothing can be stored" if row["read_only"] else "takes writes"
    return [
        _version("database", "PostgreSQL", row["postgresql"], POSTGRES_AT_LEAST),
        Result("engine", engine, ok=version is None or _numbers(version) >= TIMESCALE_AT_LEAST),
        Result("writes", writes, ok=not row["read_only"]),
        Result("schema", schema.words, ok=schema.standing in FIT),
    ]


async def _redis(settings: Settings) -> list[Result]:
    if not settings.redis_url:
        return [Result("redis", "not looked at: REDIS_URL is not set", ok=False)]
    client = open_redis(settings)
    try:
        await client.ping()
        results = [*await _redis_server(client), *await _redis_durability(client)]
        letters = DeadLetters(client)
        n_dead = sum([await letters.count(region) for region in await letters.regions()])
    except outages.DRIVERS as exc:
        return [Result("redis", f"REDIS_URL: does not answer: {outages.words(exc)}", ok=False)]
    finally:
        await client.aclose()
    waiting = f"{n_dead} wait: `postrider dead-letters list`" if n_dead else "none"
    return [*results, Result("dead letters", waiting, ok=not n_dead)]


async def _redis_server(client: aioredis.Redis) -> list[Result]:
    try:
        info = await client.info("server")
    except ResponseError as exc:
        return [Result("redis", f"unknown version: this user may not ask ({outages.words(exc)})", ok=True)]
    name = "Valkey" if "valkey_version" in info else "Redis"
    version = str(info.get("valkey_version") or info.get("redis_version") or "unknown")
    results = [_version("redis", name, version, REDIS_AT_LEAST)]
    if info.get("redis_mode") == "cluster":
        results.append(Result("redis mode", "a node of a cluster: every other key is refused", ok=False))
    return results


async def _redis_durability(client: aioredis.Redis) -> list[Result]:
    """What is asked of the append-only file and of eviction; managed servers forbid CONFIG, and tell less by INFO."""
    appends = await _configured(client, "appendonly")
    if appends is None:
        appends = "yes" if (await _info(client, "persistence")).get("aof_enabled") else None
    syncs = await _configured(client, "appendfsync")
    policy = await _configured(client, "maxmemory-policy") or (await _info(client, "memory")).get("maxmemory_policy")
    unknown = "unknown: this user may not ask; see to it that it is "
    return [
        Result("appendonly", appends or f"{unknown}yes: a 2xx must mean stored", ok=appends in {"yes", None}),
        Result("appendfsync", syncs or f"{unknown}always or everysec", ok=syncs in {"always", "everysec", None}),
        Result("maxmemory-policy", policy or f"{unknown}noeviction", ok=policy in {"noeviction", None}),
    ]


async def _configured(client: aioredis.Redis, name: str) -> str | None:
    try:
        return (await client.config_get(name)).get(name)
    except ResponseError:
        return None


async def _info(client: aioredis.Redis, section: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = await client.info(section)
    except ResponseError:
        return {}
    return found


def _version(what: str, name: str, version: str, at_least: tuple[int, ...]) -> Result:
    ok = _numbers(version) >= at_least
    wanted = "" if ok else f"; expected {'.'.join(map(str, at_least))} or newer"
    return Result(what, f"{name} {version}{wanted}", ok=ok)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])
