"""RabbitMQ as Debian installs it, as a child process in a folder of its own: on the loopback only, names included."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from app.machine import privileges
from app.machine.servers import Server, free_port

PROGRAM: Final = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
NODE: Final = "postrider"
CONNECT_S: Final = 1.0


def is_installed() -> bool:
    """Whether this machine has it."""
    return PROGRAM.exists() and shutil.which("erl") is not None and shutil.which("epmd") is not None


def _epmd() -> str:
    found = shutil.which("epmd")
    assert found is not None, "asked where it is not installed"
    return found


class RabbitServer(Server):
    """What it confirmed outlives a kill. Erlang's name server is its own, too, and ends with it."""

    name = "rabbitmq"
    drops_root = False
    """It asks for no other user, and Debian's files are everybody's."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._others_port, self._names_port = free_port(), free_port()
        self._names: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its own user, who is let in from the loopback only."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    def stop(self) -> None:
        """The end, of the name server too."""
        super().stop()
        if self._names is not None:
            self._names.kill()
            self._names.wait()
            self._names = None

    def kill(self) -> None:
        """Kill -9; and wait until its name is free again, without which it does not start."""
        super().kill()
        while self._names is not None and self._names.poll() is None and f"name {NODE} " in self._known_names():
            time.sleep(0.02)

    def _known_names(self) -> str:
        asked = subprocess.run(  # noqa: S603 - our own program and arguments
            [_epmd(), "-names"], env=self._of_names(), capture_output=True, text=True, check=False
        )
        return asked.stdout

    def _prepare(self) -> None:
        (self.folder / "plugins").write_text("[].\n", encoding="ascii")
        if self._names is None or self._names.poll() is not None:
            self._names = subprocess.Popen(  # noqa: S603 - our own program and arguments
                [_epmd()],
                env=self._of_names(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                **privileges.unprivileged(signal.SIGTERM, drop=False),
            )

    def _command(self) -> Sequence[str]:
        return [str(PROGRAM), "-postrider_folder", str(self.folder)]  # by which it is known to be ours

    def _of_names(self) -> dict[str, str]:
        path = os.environ.get("PATH", os.defpath)
        return {"PATH": path, "ERL_EPMD_ADDRESS": "127.0.0.1", "ERL_EPMD_PORT": str(self._names_port)}

    def _environment(self) -> dict[str, str]:
        return self._of_names() | {
            "HOME": str(self.folder),
            "RUNNING_UNDER_SYSTEMD": "true",  # the program itself, without a shell that waits for it
            "RABBITMQ_NODENAME": f"{NODE}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._others_port),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "none"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_PID_FILE": str(self.folder / "node.pid"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            # No waiting at full speed; and other nodes of Erlang, too, are listened to on the loopback only.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}",
        }

    def _ready(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=CONNECT_S):
            return True
        return False
