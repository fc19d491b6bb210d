"""Clients of Redis: with timeouts, with a bound to their connections, and that end when they are told to."""

import asyncio
from functools import partial
from typing import Any, Final

import redis.asyncio as aioredis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import SentinelManagedConnection, SentinelManagedSSLConnection
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as Disconnected

from app.wiring.redis_cluster import is_cluster, open_cluster
from app.wiring.redis_sentinel import is_sentinels, primary_pool

TIMEOUT_S: Final = 5.0
CONNECT_TIMEOUT_S: Final = 2.0


class _KeepsCancellations(AbstractConnection):
    """
    A connection that a task can be cancelled in at any moment.

    redis-py sends with `asyncio.wait_for`, which until Python 3.12 loses a cancellation that comes in the very moment
    in which everything was sent (https://github.com/python/cpython/issues/86296): the task goes on, and who waits for
    its end waits for ever. The counter of the task's cancellations tells.
    """

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        """As redis-py's."""
        task = asyncio.current_task()
        before = task.cancelling() if task is not None else 0
        try:
            await super().send_packed_command(command, check_health)
        except RuntimeError as exc:  # uvloop's word for a transport that the other end has closed
            raise Disconnected(str(exc)) from exc
        if task is not None and task.cancelling() > before:
            await self.disconnect(nowait=True)  # nobody will read the answer
            raise asyncio.CancelledError


class Connection(_KeepsCancellations, aioredis.Connection):
    """Over TCP."""


class SslConnection(_KeepsCancellations, aioredis.SSLConnection):
    """Over TLS (`rediss://`)."""


class UnixConnection(_KeepsCancellations, aioredis.UnixDomainSocketConnection):
    """Over a socket in the file system (`unix://`)."""


class SentinelConnection(_KeepsCancellations, SentinelManagedConnection):
    """Over TCP to the primary that Sentinels name (`redis+sentinel://`)."""


class SentinelSslConnection(_KeepsCancellations, SentinelManagedSSLConnection):
    """Over TLS (`rediss+sentinel://`)."""


_CLASSES: Final[dict[str, type[AbstractConnection]]] = {"rediss": SslConnection, "unix": UnixConnection}


def open_client(url: str, *, size: int) -> aioredis.Redis:
    """
    A client of at most `size` connections to each server; commands that find all of them busy wait for one.

    A command that fails is answered at once: callers decide whether to try again.
    """
    timeouts = {"socket_timeout": TIMEOUT_S, "socket_connect_timeout": CONNECT_TIMEOUT_S}
    if is_cluster(url):
        return open_cluster(url, connect=partial(open_client, size=size), **timeouts)
    options: dict[str, Any] = {
        "max_connections": size,
        "timeout": TIMEOUT_S,
        **timeouts,
        "retry": Retry(NoBackoff(), 1),
        "health_check_interval": 15,
    }
    if is_sentinels(url):
        found = primary_pool(url, connection=SentinelConnection, tls=SentinelSslConnection, **options)
        for sentinel in found.sentinel_manager.sentinels:
            theirs = sentinel.connection_pool
            theirs.connection_class = SslConnection if theirs.connection_class is aioredis.SSLConnection else Connection
        return aioredis.Redis.from_pool(found)
    pool = aioredis.BlockingConnectionPool.from_url(url, **options)
    pool.connection_class = _CLASSES.get(url.partition(":")[0], Connection)
    return aioredis.Redis.from_pool(pool)
