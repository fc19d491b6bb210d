"""
Opens and closes what a process has one of: the asyncpg pool, the Redis clients, and the chain of travel times.

Whatever asks for travel times in a process shares its connections, what it knows of engines that are down, and the
cache; and what was learned, once somebody keeps `knowledge` up to date (app/wiring/arriving.py).
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import asyncpg
import redis.asyncio as aioredis

from app.settings import Settings
from app.wiring.reads import WAIT_S, Reads
from app.wiring.redis_client import open_client
from app.wiring.travel import track_matching, travel_times
from dispatch.learning.knowledge import Knowledge
from dispatch.travel.chain import TravelChain
from dispatch.travel.matching import TrackMatching
from tracking import outages
from tracking.streams import Tails

DATABASE_TIMEOUT_S = 10.0
CLOSE_TIMEOUT_S = 3.0
REQUEST_WAITS_S = 5.0
"""So long a request waits for a connection while all are busy; then it is answered 503, and may be sent again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What handlers and roles share."""

    pool: asyncpg.Pool
    reads: Reads
    """Answers what may be a little old; looks how old once somebody runs it."""
    redis: aioredis.Redis
    travel: TravelChain
    matching: TrackMatching
    knowledge: Knowledge
    blocking: aioredis.Redis
    """For reads that wait for news (`tracking.streams`): they hold connections, which others must not lack."""
    tails: Tails
    """Follows streams for everybody in this process."""


UNREACHABLE_S = 6
"""A connection whose other end is gone without a word (its machine, or the network between) is given up after so long:
by us, who would wait for an answer, and by the server, where the session's locks keep everybody else waiting."""
ASK_AFTER_S, ASK_EVERY_S = 3, 1
"""A silent connection is asked whether its other end is there."""
SESSION = {
    "tcp_user_timeout": str(UNREACHABLE_S * 1000),
    "tcp_keepalives_idle": str(ASK_AFTER_S),
    "tcp_keepalives_interval": str(ASK_EVERY_S),
    "tcp_keepalives_count": str((UNREACHABLE_S - ASK_AFTER_S) // ASK_EVERY_S),
}
"""The server's part: as it comes, it would notice after two hours."""


class Connection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no types
    """asyncpg's, that notices within UNREACHABLE_S that the server cannot be reached any more."""

    __slots__ = ()

    def __init__(self, protocol: Any, transport: Any, *more: Any) -> None:
        super().__init__(protocol, transport, *more)
        ours = transport.get_extra_info("socket")
        if ours is None or ours.family == getattr(socket, "AF_UNIX", None) or not hasattr(socket, "TCP_USER_TIMEOUT"):
            return  # not Linux: the system's own patience
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in {
            socket.TCP_USER_TIMEOUT: UNREACHABLE_S * 1000,
            socket.TCP_KEEPIDLE: ASK_AFTER_S,
            socket.TCP_KEEPINTVL: ASK_EVERY_S,
            socket.TCP_KEEPCNT: (UNREACHABLE_S - ASK_AFTER_S) // ASK_EVERY_S,
        }.items():
            ours.setsockopt(socket.IPPROTO_TCP, option, value)


class ConnectionPool(asyncpg.Pool):  # type: ignore[misc]  # asyncpg has no types
    """asyncpg's pool, that gives a wait for a connection up with TimeoutError, however the connection is asked for."""

    __slots__ = ("_wait_s",)

    def __init__(self, dsn: str, *, wait_s: float | None, **options: Any) -> None:
        """`options`: those of `asyncpg.create_pool`, which can make none but its own class."""
        defaults: dict[str, Any] = {
            "connection_class": Connection,
            "record_class": asyncpg.Record,
            "init_size": None,
            "max_queries": 50_000,
            "max_inactive_connection_lifetime": 300.0,
            **dict.fromkeys(("loop", "connect", "setup", "init", "reset")),
        }
        super().__init__(dsn, **{**defaults, **options})
        self._wait_s = wait_s

    def acquire(self, *, timeout: float | None = None) -> Any:
        """A connection, within `timeout` seconds or the pool's own limit."""
        return super().acquire(timeout=self._wait_s if timeout is None else timeout)


async def open_pool(
    settings: Settings, *, size: int | None = None, wait_s: float | None = None, role: str = "tool"
) -> asyncpg.Pool:
    """
    A pool that opens connections when they are needed, so that a role starts while the database is still down.

    `wait_s`: longest wait for a connection while all are busy; None: until one is free, which is right for loops.
    `role`: by which PostgreSQL tells whose session it is, in pg_stat_activity and in its log.
    Behind a pooler in transaction mode the next statement may meet another session: nothing is prepared, or reset; the
    sessions are the pooler's, and so is the patience with them.
    With a shared session (TimescaleDB in WebAssembly) there are no prepared statements and there is no RESET ALL,
    which would change the search path of everybody.
    """
    options: dict[str, Any] = {"min_size": 0, "max_size": size or settings.database_pool_size}
    if settings.database_shared_session:
        options |= {"max_size": 4, "statement_cache_size": 0, "reset": _leave_session_alone}
    else:
        options["server_settings"] = {"application_name": f"postrider {role}"}
        if settings.database_pooler:
            options |= {"statement_cache_size": 0, "reset": _leave_session_alone}
        else:
            options["server_settings"] |= SESSION
    return await ConnectionPool(
        settings.database_url, wait_s=wait_s, command_timeout=60, timeout=DATABASE_TIMEOUT_S, **options
    )


async def _leave_session_alone(_: Any) -> None:
    return


def open_redis(settings: Settings, *, size: int | None = None) -> aioredis.Redis:
    """A client of the installation's Redis, of so many connections."""
    return open_client(settings.redis_url, size=size or settings.redis_pool_size)


async def _close(pool: asyncpg.Pool) -> None:
    """Say goodbye to the database, but not for long: it may be gone."""
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await pool.close()
    except outages.DRIVERS:
        pool.terminate()
        await asyncio.sleep(0)  # the loop closes the sockets in its next round


@asynccontextmanager
async def _reads(settings: Settings, pool: asyncpg.Pool, role: str) -> AsyncIterator[Reads]:
    replica = None
    if settings.database_read_url:
        there = replace(settings, database_url=settings.database_read_url)
        replica = await open_pool(there, wait_s=WAIT_S, role=role)
    try:
        yield Reads(pool, replica, lag_s=settings.database_read_lag_s)
    finally:
        if replica is not None:
            await _close(replica)


@asynccontextmanager
async def resources(settings: Settings, *, wait_s: float | None = None, role: str = "tool") -> AsyncIterator[Resources]:
    """Open them, and close them whatever happens; `wait_s` and `role` as in `open_pool`."""
    redis, blocking = open_redis(settings), open_redis(settings, size=settings.redis_waiting_size)
    try:
        pool = await open_pool(settings, wait_s=wait_s, role=role)
        try:
            knowledge = Knowledge()
            async with (
                _reads(settings, pool, role) as reads,
                travel_times(settings, redis, learned=knowledge) as travel,
                track_matching(settings) as matching,
            ):
                yield Resources(
                    pool=pool,
                    reads=reads,
                    redis=redis,
                    travel=travel,
                    matching=matching,
                    knowledge=knowledge,
                    blocking=blocking,
                    tails=Tails(blocking),
                )
        finally:
            await _close(pool)
    finally:
        await blocking.aclose()
        await redis.aclose()
