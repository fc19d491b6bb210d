"""A Redis of two servers that a Sentinel watches, on the loopback."""

import socket
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import redis

from app.machine import privileges
from app.machine.servers import RedisServer
from tests.waiting import wait_until

NAME = "fleet"
NEVER_MS = 3_600_000
"""What a busy machine does is no outage: the Sentinel acts when it is told to."""


class SentinelServer(RedisServer):
    """Valkey as a Sentinel of one primary."""

    name = "sentinel"

    def __init__(self, folder: Path, primary: RedisServer) -> None:
        super().__init__(folder)
        self._primary = primary

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def _prepare(self) -> None:
        lines = (
            "bind 127.0.0.1",
            f"port {self.port}",
            f"dir {self.folder}",
            f"sentinel monitor {NAME} 127.0.0.1 {self._primary.port} 1",
            f"sentinel auth-pass {NAME} {password_of(self._primary)}",
            f"sentinel down-after-milliseconds {NAME} {NEVER_MS}",
        )
        privileges.own_file(self.folder / "redis.conf", "\n".join(lines) + "\n")

    def _command(self) -> list[str]:
        return [*super()._command(), "--sentinel"]


class Watched:
    """A primary, its replica, and the Sentinel."""

    def __init__(self, stack: ExitStack, folder: Path, make: Callable[[], RedisServer]) -> None:
        self._silent = stack.enter_context(socket.socket())
        self._silent.bind(("127.0.0.1", 0))  # nobody else listens there
        self.primary, self.replica = make(), make()
        word = password_of(self.primary)
        with redis.Redis.from_url(self.replica.url) as client:
            client.config_set("masterauth", word)
            client.replicaof("127.0.0.1", self.primary.port)
            client.config_set("requirepass", word)
        (self.replica.folder / "password").write_text(word)
        wait_until(self._follows)
        self.sentinel = SentinelServer(folder, self.primary)
        self.sentinel.start()
        stack.callback(self.sentinel.stop)
        wait_until(self._is_known)

    @property
    def url(self) -> str:
        """As the program is told of it; of the first Sentinel nothing is heard."""
        hosts = f"127.0.0.1:{self._silent.getsockname()[1]},127.0.0.1:{self.sentinel.port}"
        return f"redis+sentinel://:{password_of(self.primary)}@{hosts}/{NAME}"

    def fail_over(self) -> None:
        """The primary dies once the replica has all that it had, and the replica takes over."""
        with redis.Redis.from_url(self.primary.url) as client:
            wanted = client.info("replication")["master_repl_offset"]
        wait_until(lambda: self._replica()["slave_repl_offset"] >= wanted)
        self.primary.kill()
        wait_until(self._begins)

    def _begins(self) -> bool:
        with redis.Redis.from_url(self.sentinel.url) as client:
            try:
                client.execute_command("SENTINEL", "FAILOVER", NAME)
            except redis.ResponseError:  # it has not heard of the replica for a while
                return False
        return True

    def _replica(self) -> dict[str, int | str]:
        with redis.Redis.from_url(self.replica.url) as client:
            return client.info("replication")

    def _follows(self) -> bool:
        return self._replica()["master_link_status"] == "up"

    def _is_known(self) -> bool:
        with redis.Redis.from_url(self.sentinel.url) as client:
            return any(one["master-link-status"] == "ok" for one in client.sentinel_slaves(NAME))


def password_of(server: RedisServer) -> str:
    return (server.folder / "password").read_text(encoding="ascii").strip()
