"""The API's processes: how they begin and how they end."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from app.machine.servers import free_port
from tests.processes import children_of, is_alive
from tests.waiting import PATIENCE_S, is_ready, wait_until

ROOT = Path(__file__).parents[4]


@pytest.fixture
def environ(database_url, redis_url):
    kept = {k: v for k, v in os.environ.items() if not k.startswith("POSTRIDER_")}
    return kept | {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "POSTRIDER_PORT": str(free_port())}


@contextmanager
def api(environ):
    process = subprocess.Popen([sys.executable, "-m", "app", "api"], cwd=ROOT, env=environ)
    workers = set()
    try:
        url = f"http://127.0.0.1:{environ['POSTRIDER_PORT']}"
        wait_until(lambda: is_ready(url) or process.poll() is not None)
        assert process.poll() is None
        workers = children_of(process.pid)
        yield process, workers
    finally:
        for pid in (process.pid, *workers):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()


def test_a_second_api_on_the_port_is_refused_with_one_line(environ):
    with api(environ):
        second = subprocess.run(
            [sys.executable, "-m", "app", "api"],
            cwd=ROOT,
            env=environ,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert second.returncode == 1
        assert second.stderr.splitlines() == [
            f"cannot listen on 127.0.0.1:{environ['POSTRIDER_PORT']}: Address already in use"
        ]


def test_workers_end_with_a_killed_supervisor(environ):
    with api(environ) as (process, workers):
        assert workers
        process.send_signal(signal.SIGKILL)
        process.wait()
        wait_until(lambda: not any(map(is_alive, workers)))
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", int(environ["POSTRIDER_PORT"])))


def test_a_worker_that_is_told_to_stop_again_and_again_stops(environ):
    with api(environ) as (_, workers):
        with socket.create_connection(("127.0.0.1", int(environ["POSTRIDER_PORT"]))) as under_way:
            under_way.sendall(b"POST /v1/sign-in HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
            for _ in range(5):
                time.sleep(0.2)  # each is heard for itself; those that wait together are one
                for worker in workers:
                    os.kill(worker, signal.SIGTERM)
        wait_until(lambda: not any(map(is_alive, workers)))
