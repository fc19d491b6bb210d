"""An API that is told to stop while somebody watches."""

import asyncio
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from app.machine.servers import free_port
from app.machine.tokens import make_token
from app.web.auth import Role
from tests.waiting import PATIENCE_S, is_ready, wait_until

ROOT = Path(__file__).parents[2]
PATIENT = """
from app.machine import api

api.KILL_WORKERS_AFTER_S = 600
from app.__main__ import main

main()
"""
"""An API whose worker is not killed while it waits: one that ends has ended by itself."""


@pytest.fixture
def api_process(database_url, redis_url):
    port = free_port()
    environ = {k: v for k, v in os.environ.items() if not k.startswith("POSTRIDER_")}
    environ |= {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "POSTRIDER_PORT": str(port)}
    process = subprocess.Popen([sys.executable, "-c", PATIENT, "api"], cwd=ROOT, env=environ)
    url = f"http://127.0.0.1:{port}"
    wait_until(lambda: is_ready(url))
    yield process, url
    if process.poll() is None:
        process.kill()
        process.wait()


def test_open_stream_does_not_hold_up_the_end(api_process, database_url):
    process, url = api_process
    headers = {"Authorization": f"Bearer {asyncio.run(make_token(database_url, Role.VIEWER, 'watcher'))}"}
    with httpx.stream("GET", f"{url}/v1/live", headers=headers, timeout=PATIENCE_S) as stream:
        lines = stream.iter_lines()
        assert any(line == "event: snapshot" for line in lines)
        process.terminate()
        try:
            for _ in lines:
                pass
        except httpx.RemoteProtocolError:
            pass  # the server may close the connection without the last chunk
    assert process.wait(timeout=PATIENCE_S) == 0


def test_open_stream_of_a_courier_does_not_hold_up_the_end(api_process, database_url):
    process, url = api_process
    staff = {"Authorization": f"Bearer {asyncio.run(make_token(database_url, Role.ADMIN, 'staff'))}"}
    courier = httpx.post(
        f"{url}/v1/couriers", json={"name": "Ana", "mode": "car"}, headers=staff, timeout=PATIENCE_S
    ).json()["id"]
    with httpx.stream("GET", f"{url}/v1/couriers/{courier}/route/stream", headers=staff, timeout=PATIENCE_S) as stream:
        lines = stream.iter_lines()
        assert any(line == "event: route" for line in lines)
        process.terminate()
        with suppress(httpx.RemoteProtocolError):
            for _ in lines:
                pass
    assert process.wait(timeout=PATIENCE_S) == 0
