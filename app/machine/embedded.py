"""
PostgreSQL and Redis for a machine that has neither: from wheels, in a data folder, as children of this process.

With the engine `timescale` the database is TimescaleDB in WebAssembly instead: for watching it at work, not for more.

`Embedded(folder).start()` gives the two URLs. A second start on the folder continues with its data, also after
kill -9; two at once on one folder are refused.
"""

import asyncio
import fcntl
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from app.machine.running import LOCK, Servers, tell
from app.machine.servers import PostgresServer, RedisServer, Server, ServerFailed
from app.machine.timescale import TimescaleServer
from sql.ledger import Engine
from tracking.pause import pause

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.5
RESTART_AFTER_S = (0.5, 1, 2, 5, 10, 30)
"""Pause before each attempt in a row; the last one repeats. A success begins anew."""


class FolderInUse(Exception):
    """Another Postrider is running on this data folder."""


class Embedded:
    """The servers of one data folder."""

    def __init__(self, folder: Path, engine: Engine = Engine.POSTGRES) -> None:
        self._folder = folder.absolute()
        self._engine = engine
        self._lock: int | None = None
        self._servers: list[Server] = []
        self._started: list[Server] = []

    @property
    def database_url(self) -> str:
        """Of the running PostgreSQL; known after `start`."""
        return self._servers[0].url

    @property
    def shared_session(self) -> bool:
        """Whether all clients of the database share one session, as in the setting of that name."""
        return self._engine is Engine.TIMESCALE

    @property
    def redis_url(self) -> str:
        """Of the running Redis; known after `start`."""
        return self._servers[1].url

    def start(self) -> Self:
        """
        Start both and wait until they answer.

        Call from the main thread: then the kernel stops the servers when this process is killed (Linux).
        Raises FolderInUse, ServerFailed, NotInstalled, OSError when the folder cannot be made.
        """
        # Others may pass through but not look around: the servers do not run as root.
        self._folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        self._take_lock()
        try:
            self._servers = [self._database(), RedisServer(self._folder / "redis")]
            for server in self._servers:
                server.start()
                self._started.append(server)
            tell(self._folder, Servers(self.database_url, self.redis_url, self.shared_session))
        except BaseException:
            self.stop()
            raise
        return self

    def _database(self) -> Server:
        if self._engine is Engine.TIMESCALE:
            return TimescaleServer(self._folder / "timescale")
        return PostgresServer(self._folder / "postgres")

    def stop(self) -> None:
        """Stop both cleanly; harmless when they are not running."""
        while self._started:
            self._started.pop().stop()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def supervise(self, stop: asyncio.Event) -> None:
        """Start a server again, on its port, when it dies; until `stop`."""
        pauses = {server: iter(RESTART_AFTER_S) for server in self._started}
        while not stop.is_set():
            for server in self._started:
                if server.running:
                    pauses[server] = iter(RESTART_AFTER_S)
                else:
                    log.error("server died", extra={"event": "embedded_server_died", "server": server.name})
                    await self._restart(server, pauses[server], stop)
            await pause(stop, LOOK_EVERY_S)

    async def _restart(self, server: Server, pauses: Iterator[float], stop: asyncio.Event) -> None:
        await pause(stop, next(pauses, RESTART_AFTER_S[-1]))
        if stop.is_set():
            return
        try:
            # In this thread on purpose: the kernel ties the child's life to the thread that forked it.
            server.start()
        except ServerFailed:
            log.exception("server did not come back", extra={"event": "embedded_server_lost", "server": server.name})
        else:
            log.warning("server restarted", extra={"event": "embedded_server_restarted", "server": server.name})

    def _take_lock(self) -> None:
        self._lock = os.open(self._folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # The kernel lets go of it when this process ends in whatever way: nothing stale is left to clear up.
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            self._lock = None
            raise FolderInUse(f"another Postrider is running on {self._folder}; stop it or use --data-dir") from None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
