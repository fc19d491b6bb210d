"""`/health/live`: the process works. `/health/ready`: so would what it promises. Neither needs a token."""

import asyncio
import logging
from contextlib import suppress
from typing import Any

import asyncpg
import redis.asyncio as aioredis
from litestar import Response, get
from redis.exceptions import ResponseError

from app.web.dependencies import Pool, RedisClient
from app.wiring.schema import schema_of
from dispatch.travel.guards import limited_engines
from dispatch.travel.times import PAID
from sql import queries
from sql.ledger import FIT
from tracking import outages
from tracking.cluster import servers_of
from tracking.intake.pulse import Pulse

log = logging.getLogger(__name__)

CHECK_TIMEOUT_S = 2.0
AWAY = "unavailable"
PARTLY = "partly"
"""Of a cluster some servers work: so do their regions, and nobody is to send the others' phones elsewhere."""
PROBE = "pr:probe"
"""A key that roles write to know whether they may."""


@get("/health/live", opt={"public": True}, security=[{}], tags=["operation"])
async def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@get("/health/ready", opt={"public": True}, security=[{}], tags=["operation"])
async def ready(pool: Pool, redis: RedisClient) -> Response[dict[str, Any]]:
    """
    Whether what this process promises would work now, by what it stands on, and on which storage engine.

    503: no fix can be accepted (Redis is away, or takes no writes), or this is no installation to send anybody to (the
    database is not migrated, too new, or read-only). PostgreSQL away, or some servers of a Redis Cluster: ready but
    degraded, for fixes are accepted, or those of the other regions.
    `maps` names the maps APIs that were not asked within the last minute because our own limits were reached.
    """
    status, body = await readiness(pool, redis)
    return Response(body, status_code=status)


async def liveness() -> tuple[int, dict[str, Any]]:
    """Status and body of `/health/live`."""
    return 200, {"status": "ok"}


async def readiness(
    pool: asyncpg.Pool, redis: aioredis.Redis, *, takes_fixes: bool = True
) -> tuple[int, dict[str, Any]]:
    """Status and body of `/health/ready`; who takes no fixes can do nothing without the database."""
    database, log_status, limited = await asyncio.gather(
        _database(pool), _log(redis, takes_fixes=takes_fixes), _limited(redis)
    )
    is_ready = log_status in {"ok", PARTLY} and database["status"] in ({"ok", AWAY} if takes_fixes else {"ok"})
    is_whole = log_status == database["status"] == "ok"
    status = "unavailable" if not is_ready else "ok" if is_whole else "degraded"
    body = {
        "status": status,
        "database": database,
        "redis": {"status": log_status},
        "maps": dict.fromkeys(limited, "limited"),
    }
    return 200 if is_ready else 503, body


async def _database(pool: asyncpg.Pool) -> dict[str, Any]:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            row = await pool.fetchrow(queries["health.engine"])
            schema = await schema_of(pool)
    except Exception as exc:  # noqa: BLE001 - whatever the driver raises when the server dies this very moment
        outages.tell(log, "database not ready", exc, event="database_not_ready")
        return {"status": AWAY}
    status = "ok" if schema.standing in FIT else f"schema_{schema.standing.value}"
    timescale = row["timescaledb"]
    return {
        "status": "read_only" if row["read_only"] else status,
        "schema": schema.words,
        "engine": "timescaledb" if timescale else "postgresql",
        "postgresql": row["postgresql"],
        "timescaledb": timescale,
    }


async def _log(redis: aioredis.Redis, *, takes_fixes: bool) -> str:
    """Whether a fix could be put in the log: a replica, and a node of a cluster, answer and take no writes."""
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            # The pulse says that an API is there: other roles must not say so.
            await (Pulse(redis).beat() if takes_fixes else redis.set(PROBE, 1, ex=60))
    except ResponseError as exc:
        outages.tell(log, "redis takes no writes", exc, event="redis_not_ready")
        return "no_writes"
    except Exception as exc:  # noqa: BLE001 - as above
        outages.tell(log, "redis not ready", exc, event="redis_not_ready")
        return PARTLY if await _works_partly(redis) else AWAY
    return "ok"


async def _works_partly(redis: aioredis.Redis) -> bool:
    """Whether another server of a cluster would take writes."""
    with suppress(*outages.DRIVERS):
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            servers = (await servers_of(redis)).values()
            for asking in asyncio.as_completed([_is_fit(server) for server in servers] if len(servers) > 1 else []):
                if await asking:
                    return True
    return False


async def _is_fit(server: aioredis.Redis) -> bool:
    with suppress(*outages.DRIVERS):
        told: Any = await server.cluster("INFO")
        return bool(told["cluster_state"] == "ok")
    return False


async def _limited(redis: aioredis.Redis) -> list[str]:
    """Maps APIs we would have asked, had our limits let us: learned speeds answer for them."""
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            return await limited_engines(redis, PAID)
    except Exception as exc:  # noqa: BLE001 - as above; what matters is told of Redis itself
        outages.tell(log, "limits not read", exc, event="limits_not_read")
        return []


route_handlers: list[Any] = [live, ready]
