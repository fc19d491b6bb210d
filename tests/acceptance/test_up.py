"""`postrider up` as an operator meets it: real processes, embedded servers."""

import os
import re
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from app.machine.servers import free_port
from tests.processes import command_of, descendants_of, is_alive
from tests.waiting import PATIENCE_S, wait_until

ROOT = Path(__file__).parents[2]
READY = re.compile(r"^postrider ready (http://\S+)$")


class Program:
    """A running `postrider up`."""

    def __init__(
        self,
        folder: Path,
        *,
        command: Sequence[str] = (sys.executable, "-m", "app", "up"),
        until: re.Pattern[str] = READY,
        cwd: Path = ROOT,
        stderr: int = subprocess.DEVNULL,
    ) -> None:
        environ = {k: v for k, v in os.environ.items() if not k.startswith("POSTRIDER_") and not k.endswith("_URL")}
        port = str(free_port())
        self.process = subprocess.Popen(
            [*command, "--port", port, "--data-dir", str(folder)],
            cwd=cwd,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []
        self.url = ""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            if match := READY.match(line):
                self.url = match[1]
            if until.match(line):
                break

    def descendants(self) -> set[int]:
        return descendants_of(self.process.pid)

    def roles(self, name: str) -> set[int]:
        """Processes that play the role."""
        return {pid for pid in self.descendants() if command_of(pid).endswith(b"app\0%b\0" % name.encode())}

    def end(self, number: int = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=PATIENCE_S)

    def close(self) -> None:
        if self.process.poll() is None:
            self.end(signal.SIGTERM)
        assert self.process.stdout is not None
        self.process.stdout.close()


def all_end(pids: set[int]) -> None:
    wait_until(lambda: not any(map(is_alive, pids)))


@pytest.fixture
def own_folder(servers_folder: Path) -> Path:
    return Path(tempfile.mkdtemp(dir=servers_folder)) / "data"


@pytest.fixture
def start(own_folder: Path) -> Iterator[Callable[[], Program]]:
    with ExitStack() as stack:

        def make() -> Program:
            program = Program(own_folder)
            stack.callback(program.close)
            return program

        yield make


def test_up_serves_alone_mends_itself_and_goes_on_with_the_same_data_also_after_kill_9(start, own_folder):
    first = start()
    token_file = own_folder / "admin.token"
    assert first.lines == [f"postrider admin token in {token_file}", f"postrider ready {first.url}"]
    assert stat.S_IMODE(token_file.stat().st_mode) == 0o600
    headers = {"Authorization": f"Bearer {token_file.read_text().strip()}"}
    asked = {"headers": headers, "timeout": PATIENCE_S}
    made = httpx.post(f"{first.url}/v1/couriers", json={"name": "Anna", "mode": "foot"}, **asked).json()
    assert_another_is_refused(own_folder)
    assert_role_that_dies_is_started_again(first)
    children = first.descendants()
    assert first.end() == 0
    all_end(children)

    second = start()
    assert httpx.get(f"{second.url}/v1/couriers/{made['id']}", **asked).json() == made
    children = second.descendants()
    second.process.kill()
    second.process.wait()
    all_end(children)
    assert start().url


def assert_another_is_refused(folder: Path) -> None:
    twice = subprocess.run(
        [sys.executable, "-m", "app", "up", "--port", str(free_port()), "--data-dir", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert twice.returncode == 1
    assert "another Postrider is running" in twice.stderr


def assert_role_that_dies_is_started_again(program: Program) -> None:
    (before,) = program.roles("background")
    os.kill(before, signal.SIGKILL)
    after = wait_until(lambda: program.roles("background") - {before})
    assert len(after) == 1
