"""
The servers of a Redis Cluster: `redis+cluster://user:password@first:6379,second:6379/`, over TLS `rediss+cluster://`.

One of those that are named must answer at the start; the others are found. A cluster has database 0 only. What redis-py
knows of TLS follows as for a single server (`?ssl_ca_certs=…`).
"""

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

import redis.asyncio as aioredis
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.connection import SSLConnection, parse_url

from tracking.cluster import Cluster

SCHEMES: Final = ("redis+cluster", "rediss+cluster")
PORT: Final = 6379


def is_cluster(url: str) -> bool:
    """Whether the address is one of a cluster."""
    return url.partition(":")[0] in SCHEMES


def open_cluster(url: str, *, connect: Callable[[str], aioredis.Redis], **options: Any) -> Cluster:
    """
    The client of a cluster; `connect` opens that of one server by its address, `options` are those of connections.

    Raises ValueError where the address names another database than 0.
    """
    parts = urlsplit(url)
    if parts.path.strip("/") not in {"", "0"}:
        raise ValueError("a Redis Cluster has database 0 only: expected nothing after the hosts")
    whose, _, hosts = parts.netloc.rpartition("@")
    scheme = parts.scheme.partition("+")[0]

    def address(host: str, port: int) -> str:
        host = f"[{host}]" if ":" in host else host
        netloc = f"{whose}@{host}:{port}" if whose else f"{host}:{port}"
        return SplitResult(scheme, netloc, "/0", parts.query, "").geturl()

    found: dict[str, Any] = {**options, **parse_url(address("localhost", PORT))}
    has_tls = found.pop("connection_class", None) is SSLConnection
    for name in ("host", "port", "db"):
        found.pop(name)
    named = [urlsplit(f"//{host}") for host in hosts.split(",")]
    finder = RedisCluster(
        startup_nodes=[ClusterNode(one.hostname or "localhost", one.port or PORT) for one in named],
        require_full_coverage=False,
        ssl=has_tls,
        **found,
    )
    return Cluster(finder.nodes_manager, lambda host, port: connect(address(host, port)))
