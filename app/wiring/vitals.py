"""How a process fares: its version, whether its event loop keeps up, and its connections to the servers."""

import asyncio
from importlib.metadata import PackageNotFoundError, version
from time import monotonic
from typing import Final

from prometheus_client import Gauge, Histogram

from app.wiring.resources import Resources
from tracking.cluster import pools_of
from tracking.pause import pause

BUILD: Final = Gauge(
    "postrider_build_info", "1; the labels tell what runs.", ["version", "role"], multiprocess_mode="livemax"
)
LOOP_LAG_SECONDS: Final = Histogram(
    "postrider_event_loop_lag_seconds",
    "By how much a timer of the process came late: its event loop was busy.",
    ["role"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
CONNECTIONS: Final = Gauge(
    "postrider_database_connections",
    "Connections of the pool, by what they do; `free` could still be opened.",
    ["role", "state"],
    multiprocess_mode="livesum",
)

REDIS_CONNECTIONS: Final = Gauge(
    "postrider_redis_connections",
    "Connections to Redis, by what they do; `use` waiting: those that wait for news. `free` could still be opened.",
    ["role", "use", "state"],
    multiprocess_mode="livesum",
)

EVERY_S: Final = 0.5


def installed_version() -> str:
    """Of this program."""
    try:
        return version("postrider")
    except PackageNotFoundError:
        return "development"


class Vitals:
    """Of one process."""

    def __init__(self, role: str, opened: Resources) -> None:
        self._role = role
        self._pool = opened.pool
        self._redis = {"commands": opened.redis, "waiting": opened.blocking}

    async def run(self, stop: asyncio.Event) -> None:
        """Measure until `stop`."""
        BUILD.labels(installed_version(), self._role).set(1)
        lag = LOOP_LAG_SECONDS.labels(self._role)
        began = monotonic()
        while not await pause(stop, EVERY_S):
            lag.observe(max(0.0, monotonic() - began - EVERY_S))
            self._count()
            began = monotonic()

    def _count(self) -> None:
        n, n_idle = self._pool.get_size(), self._pool.get_idle_size()
        for state, number in (("idle", n_idle), ("busy", n - n_idle), ("free", self._pool.get_max_size() - n)):
            CONNECTIONS.labels(self._role, state).set(number)
        for use, client in self._redis.items():
            n_idle = n_busy = n_free = 0
            for pool in pools_of(client):
                (idle, _), (busy, _) = pool.get_connection_count()
                n_idle, n_busy, n_free = n_idle + idle, n_busy + busy, n_free + pool.max_connections - idle - busy
            for state, number in (("idle", n_idle), ("busy", n_busy), ("free", n_free)):
                REDIS_CONNECTIONS.labels(self._role, use, state).set(number)
