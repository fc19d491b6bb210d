"""`postrider check`: is this installation fit to run?"""

import re
import resource
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import asyncpg
import redis.asyncio as aioredis
from redis.exceptions import ResponseError

from app.machine.ailments import ailments
from app.machine.api import FILES_BESIDE_CONNECTIONS
from app.machine.bounds import bounds
from app.machine.finding import Result
from app.machine.running_out import certificate, maps
from app.settings import Settings
from app.wiring.reads import LOOK_EVERY_S
from app.wiring.resources import REQUEST_WAITS_S, open_redis, resources
from app.wiring.schema import schema_of
from sql import queries
from sql.ledger import FIT, Schema, Standing
from tracking import outages
from tracking.cluster import servers_of
from tracking.dead_letters import DeadLetters
from tracking.log import PositionLog
from tracking.pause import rest

NO_ANSWER: Final[tuple[type[Exception], ...]] = (*outages.DRIVERS, ValueError)
"""ValueError: the address cannot be read."""
POSTGRES_AT_LEAST = (16,)
REDIS_AT_LEAST = (7,)
LEAST_DISK: Final = 0.1
"""Of a disk must be free, or ..."""
LEAST_BYTES: Final = 5e9
"""... so much."""
MOST_MEMORY: Final = 0.8
"""Of Redis's memory may be used: the log needs room for an outage of the database."""
REPLICA_LOOKS: Final = 3
BEHIND_S: Final = 120.0
"""A reader of the log that is further behind is in trouble."""
TIMESCALE_AT_LEAST = (2, 23)
"""The columnstore's present interface."""


async def check(settings: Settings) -> list[Result]:
    """Look at everything, even when the first thing fails."""
    told = [Result(f"at most: {bound.what}", bound.limit, ok=True) for bound in bounds(settings)]
    now = datetime.now(UTC)
    asked = [*await _database(settings), *await _replica(settings), *await _redis(settings, now)]
    return [*asked, *_files(settings), *certificate(settings, now), *told]


def _files(settings: Settings) -> list[Result]:
    wanted = settings.api_connections + FILES_BESIDE_CONNECTIONS
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = hard == resource.RLIM_INFINITY or hard >= wanted
    found = f"{'any number' if hard == resource.RLIM_INFINITY else hard} may be open, the API needs {wanted}"
    mend = "" if enough else f"ulimit -n {wanted}, or LimitNOFILE of the unit, or ulimits of the container"
    return [Result("files", found, ok=enough, mend=mend), _disk(settings)]


def _disk(settings: Settings) -> Result:
    """Of this machine; those of the servers are their own."""
    folder = next(one for one in (settings.data_dir, *settings.data_dir.absolute().parents) if one.exists())
    total, _, free = shutil.disk_usage(folder)
    ok = free > min(LEAST_DISK * total, LEAST_BYTES)
    mend = "" if ok else "make room, or shorten what is kept (deploy/settings.md)"
    return Result("disk", f"{free / 1e9:.1f} of {total / 1e9:.1f} GB free here", ok=ok, mend=mend)


async def _database(settings: Settings) -> list[Result]:
    if not settings.database_url:
        return [Result("database", "not looked at: DATABASE_URL is not set", ok=False)]
    try:
        connection = await asyncpg.connect(settings.database_url, timeout=5, command_timeout=10, statement_cache_size=0)
    except NO_ANSWER as exc:
        return [Result("database", f"DATABASE_URL: cannot connect: {outages.words(exc)}", ok=False)]
    try:
        row = await connection.fetchrow(queries["health.engine"])
        schema = await schema_of(connection)
        ills = await ailments(connection, has_timescale=row["timescaledb"] is not None)
    except NO_ANSWER as exc:
        return [Result("database", f"does not answer: {outages.words(exc)}", ok=False)]
    finally:
        await connection.close()
    version = row["timescaledb"]
    engine = f"TimescaleDB {version}" if version else "plain PostgreSQL: rollups are computed when they are read"
    writes = "read-only: nothing can be stored" if row["read_only"] else "takes writes"
    return [
        _version("database", "PostgreSQL", row["postgresql"], POSTGRES_AT_LEAST),
        Result(
            "engine", engine, ok=version is None or _numbers(version) >= TIMESCALE_AT_LEAST, mend=_mend_engine(version)
        ),
        Result("writes", writes, ok=not row["read_only"], mend="SELECT pg_promote()" if row["read_only"] else ""),
        Result("schema", schema.words, ok=schema.standing in FIT, mend=_mend_schema(schema)),
        *ills,
    ]


async def _replica(settings: Settings) -> list[Result]:
    """What tracks, exports and reports are read from, where it is set."""
    if not settings.database_read_url:
        return []
    why = ""
    try:
        async with resources(settings, wait_s=REQUEST_WAITS_S) as opened:
            for _ in range(REPLICA_LOOKS):  # one that is a little behind has, by then, what was there at the first look
                if not (why := await opened.reads.look()):
                    break
                await rest(LOOK_EVERY_S)
    except NO_ANSWER as exc:
        why = outages.words(exc)
    mend = "look at it and the network between; meanwhile the database itself answers" if why else ""
    return [Result("read replica", why or "near enough to be read from", ok=not why, mend=mend)]


async def _redis(settings: Settings, now: datetime) -> list[Result]:
    if not settings.redis_url:
        return [Result("redis", "not looked at: REDIS_URL is not set", ok=False)]
    client, results = open_redis(settings), list[Result]()
    try:
        for address, server in (await servers_of(client, with_replicas=True)).items():
            found = await _redis_of(server, settings, is_cluster=bool(address))
            results += [replace(one, what=f"{one.what} ({address})") if address else one for one in found]
        results += [await _readers(client), *await maps(settings, client, now)]
        letters = DeadLetters(client)
        n_dead = sum([await letters.count(region) for region in await letters.regions()])
    except outages.DRIVERS as exc:
        return [*results, Result("redis", f"REDIS_URL: does not answer: {outages.words(exc)}", ok=False)]
    finally:
        await client.aclose()
    waiting = f"{n_dead} wait: `postrider dead-letters list`" if n_dead else "none"
    mend = "mend the cause, then `postrider dead-letters replay`" if n_dead else ""
    return [*results, Result("dead letters", waiting, ok=not n_dead, mend=mend)]


async def _redis_of(server: aioredis.Redis, settings: Settings, *, is_cluster: bool) -> list[Result]:
    """A server by itself. Raises what redis raises, but not for the sake of one of several."""
    try:
        await server.ping()
    except outages.REDIS as exc:
        if not is_cluster:
            raise
        return [Result("redis", f"does not answer: {outages.words(exc)}", ok=False)]
    return [
        *await _redis_server(server, is_cluster=is_cluster),
        *await _redis_durability(server),
        *await _redis_state(server),
        *await _redis_replicas(server, settings),
    ]


async def _redis_server(client: aioredis.Redis, *, is_cluster: bool) -> list[Result]:
    try:
        info = await client.info("server")
    except ResponseError as exc:
        return [Result("redis", f"unknown version: this user may not ask ({outages.words(exc)})", ok=True)]
    name = "Valkey" if "valkey_version" in info else "Redis"
    version = str(info.get("valkey_version") or info.get("redis_version") or "unknown")
    results = [_version("redis", name, version, REDIS_AT_LEAST)]
    if is_cluster:
        coverage = await _configured(client, "cluster-require-full-coverage")
        unknown = "unknown: this user may not ask; see to it that it is no: one server's outage must not be everybody's"
        results.append(_wanted("cluster-require-full-coverage", coverage, {"no"}, unknown))
    elif info.get("redis_mode") == "cluster":
        mend = "REDIS_URL=redis+cluster://… of its servers"
        results.append(Result("redis mode", "a node of a cluster: most keys are refused", ok=False, mend=mend))
    return results


async def _redis_replicas(client: aioredis.Redis, settings: Settings) -> list[Result]:
    """Of a primary: whether as many follow it as an upload waits for."""
    info = await _info(client, "replication")
    if not settings.redis_replicas or info.get("role") != "master":
        return []
    n, wanted = info.get("connected_slaves", 0), settings.redis_replicas
    mend = "" if n >= wanted else "start them: until then uploads are answered 503"
    return [Result("redis replicas", f"{n} follow, uploads wait for {wanted}", ok=n >= wanted, mend=mend)]


async def _redis_durability(client: aioredis.Redis) -> list[Result]:
    """What is asked of the append-only file and of eviction; managed servers forbid CONFIG, and tell less by INFO."""
    appends = await _configured(client, "appendonly")
    if appends is None:
        appends = "yes" if (await _info(client, "persistence")).get("aof_enabled") else None
    syncs = await _configured(client, "appendfsync")
    policy = await _configured(client, "maxmemory-policy") or (await _info(client, "memory")).get("maxmemory_policy")
    unknown = "unknown: this user may not ask; see to it that it is "
    return [
        _wanted("appendonly", appends, {"yes"}, f"{unknown}yes: a 2xx must mean stored"),
        _wanted("appendfsync", syncs, {"always", "everysec"}, f"{unknown}always or everysec"),
        _wanted("maxmemory-policy", policy, {"noeviction"}, f"{unknown}noeviction"),
    ]


async def _redis_state(client: aioredis.Redis) -> list[Result]:
    """Whether it has room, and whether what it appends reaches the disk."""
    memory, persistence = await _info(client, "memory"), await _info(client, "persistence")
    if not memory:
        return [Result("redis memory", "unknown: INFO is not allowed", ok=True)]
    used, most = memory.get("used_memory", 0), memory.get("maxmemory", 0)
    is_full = bool(most) and used > MOST_MEMORY * most
    bound = f"of {most / 1e6:.0f} MB" if most else "used, without a bound"
    is_written = persistence.get("aof_last_write_status", "ok") == "ok"
    return [
        Result(
            "redis memory", f"{used / 1e6:.0f} MB {bound}", ok=not is_full, mend="raise maxmemory" if is_full else ""
        ),
        Result(
            "redis disk",
            "the last append reached the disk" if is_written else "the last append failed",
            ok=is_written,
            mend="" if is_written else "make room on its disk; it takes writes again by itself",
        ),
    ]


async def _readers(client: aioredis.Redis) -> Result:
    """Who is behind in the log."""
    position_log = PositionLog(client)
    behind = [
        f"{lag.group} of {region}: {lag.seconds:.0f} s, {lag.n_fixes:,} fixes"
        for region in await position_log.regions()
        for lag in await position_log.lag(region)
        if lag.seconds > BEHIND_S
    ]
    mend = "does its role run? deploy/runbook.md, LogLag and ReaderLag" if behind else ""
    return Result("readers of the log", "; ".join(behind) or "none is behind", ok=not behind, mend=mend)


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


def _wanted(name: str, found: str | None, wanted: set[str], unknown: str) -> Result:
    ok = found is None or found in wanted
    return Result(name, found or unknown, ok=ok, mend="" if ok else f"CONFIG SET {name} {min(wanted)}, and in its file")


def _mend_engine(version: str | None) -> str:
    return "" if version is None or _numbers(version) >= TIMESCALE_AT_LEAST else "ALTER EXTENSION timescaledb UPDATE"


def _mend_schema(schema: Schema) -> str:
    if schema.standing in FIT:
        return ""
    return "run the programs of its release" if schema.standing is Standing.TOO_NEW else "run `postrider migrate`"


def _version(what: str, name: str, version: str, at_least: tuple[int, ...]) -> Result:
    ok = _numbers(version) >= at_least
    wanted = "" if ok else f"; expected {'.'.join(map(str, at_least))} or newer"
    return Result(what, f"{name} {version}{wanted}", ok=ok)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])
