"""
TimescaleDB compiled to WebAssembly: real hypertables where the extension cannot be installed; for tests and the demo.

One database session is shared by all clients (see timescale_wasm/bridge.mjs): connect without prepared statements and
without session state. `python -m app.machine.timescale` installs its npm package; it needs Node,
from the system or a wheel.
"""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import psycopg

from app.machine import privileges
from app.machine.node import npm
from app.machine.servers import NotInstalled, Server

BRIDGE = Path(__file__).parent / "timescale_wasm"


class TimescaleServer(Server):
    """TimescaleDB in a Node process, on loopback TCP with a password; it survives kill -9."""

    name = "timescale"
    stop_signal = signal.SIGTERM
    drops_root = False
    """The engine sees no more of the machine than its folder; Node itself may lie where only root can go."""

    @property
    def url(self) -> str:
        """Its only database."""
        return f"postgresql://postgres:{self._password()}@127.0.0.1:{self.port}/postgres"

    def _password(self) -> str:
        return (self.folder / "password").read_text(encoding="ascii").strip()

    def _prepare(self) -> None:
        if not (BRIDGE / "node_modules").is_dir():
            raise NotInstalled("the WebAssembly TimescaleDB is not installed: run `make setup`")
        password = self.folder / "password"
        if not password.exists():
            privileges.own_file(password, secrets.token_urlsafe(24) + "\n")
        # The engine finds its own lock after kill -9; nothing else can hold it, the folder is locked by us.
        (self.folder / "data" / "postmaster.pid").unlink(missing_ok=True)

    def _command(self) -> Sequence[str]:
        return [_node(), str(BRIDGE / "bridge.mjs"), str(self.folder / "data"), str(self.port)]

    def _environment(self) -> dict[str, str]:
        return {"POSTRIDER_BRIDGE_PASSWORD": self._password()}

    def _ready(self) -> bool:
        with (
            contextlib.suppress(psycopg.OperationalError),
            psycopg.connect(self.url, connect_timeout=10, autocommit=True, prepare_threshold=None) as connection,
        ):
            return connection.execute("SELECT 1").fetchone() == (1,)
        return False


def _node() -> str:
    _, environ = npm()
    found = shutil.which("node", path=environ["PATH"])
    if found is None:
        raise NotInstalled("the WebAssembly TimescaleDB needs Node 20.19 or newer: run `make setup`")
    return found


def install() -> None:
    """Put the npm package of timescale_wasm/package-lock.json into node_modules, unless it is there already."""
    marker = BRIDGE / "node_modules" / ".package-lock.json"
    if not marker.exists() or marker.stat().st_mtime < (BRIDGE / "package-lock.json").stat().st_mtime:
        command, environ = npm()
        arguments = [*command, "ci", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(arguments, cwd=BRIDGE, env={**os.environ, **environ}, check=True)  # noqa: S603  npm, fixed arguments


if __name__ == "__main__":
    install()
