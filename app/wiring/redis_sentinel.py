"""
The Redis that Sentinels name: `redis+sentinel://user:password@sentinel:26379,sentinel:26379/name/database`.

Whoever connects asks the Sentinels first which server is the primary; after a failover what was open fails, is tried
again as after any outage, and finds the new one. User and password are the server's; the Sentinels' own follow as
`?sentinel_username=…&sentinel_password=…`. With `rediss+sentinel` both speak TLS; what redis-py knows of it follows in
the same way (`&ssl_ca_certs=…`).
"""

from typing import Any, Final
from urllib.parse import urlsplit

import redis.asyncio as aioredis
from redis.asyncio.connection import SSLConnection, parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool, SentinelManagedConnection
from redis.backoff import NoBackoff

SCHEMES: Final = ("redis+sentinel", "rediss+sentinel")
PORT: Final = 26379
ASKED_S: Final = 1.0
"""A Sentinel has so long to accept a connection, and to answer; then the next one is asked: uploads wait for that."""


class PrimaryPool(aioredis.BlockingConnectionPool, SentinelConnectionPool):
    """Connections to the primary; waits for one while all are busy."""

    async def disconnect(self, inuse_connections: bool = True) -> None:
        """Of the Sentinels as well, when all goes: redis-py leaves theirs to whoever made them."""
        await super().disconnect(inuse_connections)
        if inuse_connections:
            await self.sentinel_manager.aclose()


def is_sentinels(url: str) -> bool:
    """Whether the address is one of Sentinels."""
    return url.partition(":")[0] in SCHEMES


def primary_pool(
    url: str, *, connection: type[SentinelManagedConnection], tls: type[SentinelManagedConnection], **options: Any
) -> PrimaryPool:
    """
    A pool of connections to the primary; `options` are those of redis-py's pools.

    Raises ValueError where the address lacks the name by which the Sentinels know the primary.
    """
    parts = urlsplit(url)
    scheme, whose = parts.scheme.partition("+")[0], parts.netloc.rpartition("@")
    name, _, database = parts.path.strip("/").partition("/")
    if not name:
        raise ValueError("expected the name of the primary in the path, as in redis+sentinel://host:26379/name")
    hosts = [urlsplit(f"//{host}") for host in whose[2].split(",")]
    plain = parts._replace(scheme=scheme, netloc=f"{whose[0]}{whose[1]}localhost", path=f"/{database or 0}")
    found: dict[str, Any] = {**options, **parse_url(plain.geturl())}
    has_tls = found.pop("connection_class", None) is SSLConnection
    found.pop("host")
    theirs = {
        **{key: value for key, value in found.items() if key.startswith(("socket_", "ssl_"))},
        **{key: found.pop(f"sentinel_{key}") for key in ("username", "password") if f"sentinel_{key}" in found},
        **({"ssl": True} if has_tls else {}),
        "socket_timeout": ASKED_S,
        "socket_connect_timeout": ASKED_S,
        # The next Sentinel is asked at once where one does not answer.
        "retry": Retry(NoBackoff(), 0),
    }
    addresses = [(host.hostname, host.port or PORT) for host in hosts]
    sentinels = Sentinel(addresses, sentinel_kwargs=theirs)  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
    return PrimaryPool(
        service_name=name,
        sentinel_manager=sentinels,
        connection_class=tls if has_tls else connection,
        check_connection=True,
        **found,
    )
