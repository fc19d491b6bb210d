"""An installation spread over hosts: three APIs behind nginx, two of each role, Redis in threes under Sentinels."""

import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import psycopg
import redis

from app.machine import privileges
from app.machine.migrate import migrate
from app.machine.servers import PostgresServer, RedisServer
from tests import proxy
from tests.hosts import SUBNET, Host, Network
from tests.waiting import is_ready, wait_until

ROOT: Final = Path(__file__).parents[1]
APIS: Final = ("api1", "api2", "api3")
WORKERS: Final = ("work1", "work2")
STORES: Final = ("redis1", "redis2", "redis3")
ROLES: Final = ("writer", "watch", "dispatch", "background")
"""What each of WORKERS runs; arrivals are kept by `dispatch`, the gateway and housekeeping are `background`."""
JOBS: Final = ("watch", "dispatch", "arrivals")
"""What is done under leases."""
NAME: Final = "fleet"
SENTINEL_PORT: Final = 26379
DOWN_AFTER_MS: Final = 3_000
"""Sentinels take a Redis for lost that has said nothing for so long."""
SOON: Final[dict[str, Any]] = {"socket_timeout": 1, "socket_connect_timeout": 1}
ASKED: Final[dict[str, Any]] = {"connect_timeout": 2, "tcp_user_timeout": 2_000, "options": "-c statement_timeout=5000"}


class HostedPostgres(PostgresServer):
    """PostgreSQL on a host; what it committed outlives it, though not the machine."""

    def __init__(self, folder: Path, host: Host) -> None:
        settings = {"listen_addresses": "*", "synchronous_commit": "on"}
        super().__init__(folder, durable=False, settings=settings)
        self.host, self.port = host, 5432

    def url_of(self, database: str) -> str:
        """As its clients reach it."""
        return f"postgresql://postrider:{self._password()}@{self.host.address}:{self.port}/{database}"

    def _prepare(self) -> None:
        super()._prepare()
        rule = f"host all all {SUBNET}.0/24 scram-sha-256\n"
        file = self._data / "pg_hba.conf"
        if rule not in file.read_text():
            with file.open("a") as rules:
                rules.write(rule)


class HostedRedis(RedisServer):
    """Redis on a host, with a Sentinel beside it; what Sentinels made of its configuration stays."""

    def __init__(self, folder: Path, host: Host, password: str, primary: Host) -> None:
        super().__init__(folder)
        self.host, self.port = host, 6379
        self._word, self._primary = password, primary

    @property
    def url(self) -> str:
        return f"redis://:{self._word}@{self.host.address}:{self.port}/0"

    def _prepare(self) -> None:
        file = self.folder / "redis.conf"
        if file.exists():
            return
        privileges.own_file(self.folder / "password", self._word + "\n")
        super()._prepare()
        lines = [f"bind {self.host.address}", f"masterauth {self._word}"]
        if self._primary is not self.host:
            lines.append(f"replicaof {self._primary.address} {self.port}")
        privileges.own_file(file, file.read_text() + "\n".join(lines) + "\n")


class HostedSentinel(RedisServer):
    """One of three; two must agree."""

    name = "sentinel"

    def __init__(self, folder: Path, host: Host, primary: HostedRedis, password: str) -> None:
        super().__init__(folder)
        self.host, self.port = host, SENTINEL_PORT
        self._primary, self._word = primary, password

    @property
    def url(self) -> str:
        return f"redis://{self.host.address}:{self.port}"

    def _prepare(self) -> None:
        file = self.folder / "redis.conf"
        if file.exists():
            return
        lines = (
            f"bind {self.host.address}",
            "protected-mode no",
            f"port {self.port}",
            f"dir {self.folder}",
            f"sentinel monitor {NAME} {self._primary.host.address} {self._primary.port} 2",
            f"sentinel auth-pass {NAME} {self._word}",
            f"sentinel down-after-milliseconds {NAME} {DOWN_AFTER_MS}",
            f"sentinel failover-timeout {NAME} 10000",
            f"sentinel parallel-syncs {NAME} 2",
        )
        privileges.own_file(file, "\n".join(lines) + "\n")

    def _command(self) -> list[str]:
        return [*super()._command(), "--sentinel"]


class Machines:
    """Hosts, one of them with PostgreSQL ("db") and one for nginx ("edge"), and what runs there."""

    redis_url = ""
    """Of the Redis that roles use; there is none yet."""

    def __init__(self, folder: Path, stack: ExitStack, names: Sequence[str]) -> None:
        """PostgreSQL is ready when this returns, and the schema is there; nothing else runs yet."""
        self.folder = folder
        self._stack = stack
        self.network = Network(("db", *names, "edge"))
        self.postgres = HostedPostgres(folder / "postgres", self.hosts["db"])
        self.start(self.postgres, "postgres")
        migrate(self.postgres.url)

    @property
    def hosts(self) -> dict[str, Host]:
        """By name."""
        return self.network.hosts

    def start(self, server: Any, name: str) -> None:
        """Start a server on its host, until the stack is left; ready when this returns."""
        self._stack.callback(server.stop)
        self.start_again(server, name)

    def start_again(self, server: Any, name: str) -> None:
        """One that is gone, with what it had."""
        with server.host.inside():
            server.launch()
        server.host.processes[name] = server.process
        server.wait_until_ready()

    def play(self, host: str, *roles: str, **settings: str) -> None:
        """Start these roles there; `settings`: by the names of their variables."""
        environ = {key: value for key, value in os.environ.items() if not key.startswith("POSTRIDER_")} | {
            "DATABASE_URL": self.postgres.url,
            "REDIS_URL": self.redis_url,
            "PYTHONPATH": str(ROOT),
            "POSTRIDER_HOST": self.hosts[host].address,
            "POSTRIDER_TRUSTED_PROXIES": self.hosts["edge"].address,
            "POSTRIDER_LOG_LEVEL": "WARNING",
            "POSTRIDER_REDIS_REPLICAS": "1",
            **settings,
        }
        for role in roles:
            with (self.folder / f"{host}-{role}.log").open("a") as log:
                self.hosts[host].start(role, [sys.executable, "-m", "app", role], environ, log, ROOT)

    def wait_for_apis(self, *names: str) -> None:
        """Until each says that it is ready."""
        for name in names:
            wait_until(partial(is_ready, f"http://{self.hosts[name].address}:8080"))

    @contextmanager
    def proxied(self, *apis: str, port: int = 8443) -> Iterator[str]:
        """nginx on the edge, before these; its address."""
        folder = self.folder / f"nginx-{port}"
        folder.mkdir()
        edge = self.hosts["edge"]
        addresses = [f"{self.hosts[name].address}:8080" for name in apis]
        with edge.inside():
            running = proxy.running(folder, addresses, https=port, http=port + 1, host=edge.address)
            url = self._stack.enter_context(running)
        yield url


class Spread(Machines):
    """The installation; Redis is known by its Sentinels."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        """Servers are ready when this returns, and the schema is there; no role runs yet."""
        super().__init__(folder, stack, (*STORES, *APIS, *WORKERS))
        self._connection: psycopg.Connection[Any] | None = None
        self._asking = threading.Lock()
        first, word = self.hosts[STORES[0]], os.urandom(16).hex()
        self.redis = {name: HostedRedis(folder / name, self.hosts[name], word, first) for name in STORES}
        self._sentinels = {
            name: HostedSentinel(folder / f"sentinel-{name}", self.hosts[name], self.redis[STORES[0]], word)
            for name in STORES
        }
        for name in STORES:
            self.start(self.redis[name], "redis")
            self.start(self._sentinels[name], "sentinel")
        hosts = ",".join(f"{self.hosts[name].address}:{SENTINEL_PORT}" for name in STORES)
        self.redis_url = f"redis+sentinel://:{word}@{hosts}/{NAME}"
        wait_until(self.has_replicas)

    def restart_redis(self, store: str) -> None:
        """The one of this host, with what it had and as Sentinels left it."""
        self.start_again(self.redis[store], "redis")

    def restart_postgres(self) -> None:
        """Kill -9, and a new start."""
        self.hosts["db"].kill("postgres")
        self.start_again(self.postgres, "postgres")

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """What the database says; raises psycopg.OperationalError while it does not answer."""
        with self._asking:
            if self._connection is None or self._connection.closed:
                self._connection = psycopg.connect(self.postgres.url, autocommit=True, **ASKED)
            try:
                return self._connection.execute(statement, values or None).fetchall()
            except psycopg.OperationalError:
                self._connection.close()
                raise

    def primary(self) -> str:
        """The host of the Redis that most Sentinels name now."""
        for sentinel in self._sentinels.values():
            with redis.Redis.from_url(sentinel.url, decode_responses=True, **SOON) as client:
                try:
                    address = client.sentinel_get_master_addr_by_name(NAME)
                except redis.RedisError:
                    continue
            return next(name for name in STORES if self.hosts[name].address == address[0])
        raise AssertionError("no Sentinel answers")

    def has_replicas(self) -> bool:
        """Whether the primary's two replicas follow it, and Sentinels know."""
        try:
            with redis.Redis.from_url(self.redis[self.primary()].url, decode_responses=True, **SOON) as client:
                told = client.info("replication")
                follow = [told.get(f"slave{n}", {}).get("state") == "online" for n in range(len(STORES) - 1)]
            for sentinel in self._sentinels.values():
                with redis.Redis.from_url(sentinel.url, decode_responses=True, **SOON) as client:
                    known = [one["master-link-status"] == "ok" for one in client.sentinel_slaves(NAME)]
                    others = client.sentinel_sentinels(NAME)
                if sum(known) < len(follow) or len(others) < len(follow):
                    return False
        except redis.RedisError:
            return False
        return told["role"] == "master" and all(follow)
