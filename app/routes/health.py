"""`/health/live`: the process works. `/health/ready`: so does what it stands on. Neither needs a token."""

import asyncio
import logging
from typing import Any

import asyncpg
import redis.asyncio as aioredis
from litestar import Response, get

from app.web.dependencies import Pool, RedisClient
from sql import queries
from tracking import outages

log = logging.getLogger(__name__)

CHECK_TIMEOUT_S = 2.0


@get("/health/live", opt={"public": True}, tags=["operation"])
async def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@get("/health/ready", opt={"public": True}, tags=["operation"])
async def ready(pool: Pool, redis: RedisClient) -> Response[dict[str, Any]]:
    """
    Whether requests can be served, and on which storage engine.

    Redis down: not ready (503), for no fix can be accepted. PostgreSQL down: ready but degraded, ingest goes on.
    """
    database, log_ok = await asyncio.gather(_engine(pool), _redis_answers(redis))
    status = "ok" if database["status"] == "ok" and log_ok else "degraded" if log_ok else "unavailable"
    body = {"status": status, "database": database, "redis": {"status": "ok" if log_ok else "unavailable"}}
    return Response(body, status_code=200 if log_ok else 503)


async def _engine(pool: asyncpg.Pool) -> dict[str, Any]:
    try:
        row = await pool.fetchrow(queries["health.engine"], timeout=CHECK_TIMEOUT_S)
    except Exception as exc:  # noqa: BLE001 - whatever the driver raises when the server dies this very moment
        outages.tell(log, "database not ready", exc, event="database_not_ready")
        return {"status": "unavailable"}
    timescale = row["timescaledb"]
    return {
        "status": "ok",
        "engine": "timescaledb" if timescale else "postgresql",
        "postgresql": row["postgresql"],
        "timescaledb": timescale,
    }


async def _redis_answers(redis: aioredis.Redis) -> bool:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            return bool(await redis.ping())
    except Exception as exc:  # noqa: BLE001 - as above
        outages.tell(log, "redis not ready", exc, event="redis_not_ready")
        return False


route_handlers: list[Any] = [live, ready]
