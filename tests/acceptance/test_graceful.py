"""An API that is told to stop while somebody watches."""

import asyncio
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from app.machine.servers import free_port
from app.machine.tokens import make_token
from app.web.auth import Role

ROOT = Path(__file__).parents[2]


@pytest.fixture
def api_process(database_url, redis_url):
    port = free_port()
    environ = {k: v for k, v in os.environ.items() if not k.startswith("POSTRIDER_")}
    environ |= {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "POSTRIDER_PORT": str(port)}
    process = subprocess.Popen([sys.executable, "-m", "app", "api"], cwd=ROOT, env=environ)
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 60
    while True:
        try:
            if httpx.get(f"{url}/health/ready", timeout=2).status_code == 200:
                break
        except httpx.HTTPError:
            pass
        assert time.monotonic() < deadline
        time.sleep(0.05)
    yield process, url
    if process.poll() is None:
        process.kill()
        process.wait()


def test_open_stream_does_not_hold_up_the_end(api_process, database_url):
    process, url = api_process
    headers = {"Authorization": f"Bearer {asyncio.run(make_token(database_url, Role.VIEWER, 'watcher'))}"}
    with httpx.stream("GET", f"{url}/v1/live", headers=headers, timeout=30) as stream:
        lines = stream.iter_lines()
        assert any(line == "event: snapshot" for line in lines)
        process.terminate()
        try:
            for _ in lines:
                pass
        except httpx.RemoteProtocolError:
            pass  # the server may close the connection without the last chunk
    # A worker that waits for its streams is killed after 10 s; this one went by itself.
    assert process.wait(timeout=9) == 0


def test_open_stream_of_a_courier_does_not_hold_up_the_end(api_process, database_url):
    process, url = api_process
    staff = {"Authorization": f"Bearer {asyncio.run(make_token(database_url, Role.ADMIN, 'staff'))}"}
    courier = httpx.post(f"{url}/v1/couriers", json={"name": "Ana", "mode": "car"}, headers=staff).json()["id"]
    with httpx.stream("GET", f"{url}/v1/couriers/{courier}/route/stream", headers=staff, timeout=30) as stream:
        lines = stream.iter_lines()
        assert any(line == "event: route" for line in lines)
        process.terminate()
        with suppress(httpx.RemoteProtocolError):
            for _ in lines:
                pass
    assert process.wait(timeout=9) == 0
